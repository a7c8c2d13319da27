"""From impedances (MOhm) to the currents (nA) that give every synapse the effect that the rule expects.

A drive of 1 on any basal site (or, per cell, on an average one) moves the soma by `somatic_gain` units, and a drive of
1 on the tuft moves the mean potential of its sites by one unit, at steady state and in every cell, whatever its shape.
One unit is `unit` mV above rest. Synapse and membrane belong together: an exponential current of 3 ms on a membrane
of 10 ms gives the paper's kernel kappa (eqs 11-12).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from segdend_plugin.cells.electrotonics import Segregation, segregation, transfer_impedance
from segdend_plugin.cells.sites import Candidates, Ground, Place, segment_at
from segdend_plugin.cells.units import TAU_SHORT, Scale
from segdend_plugin.errors import ConfigError
from segdend_plugin.rule.plateau import unblocked
from segdend_plugin.types import Array, Segment


def basal_currents(impedance: Array, somatic_gain: float, scale: Scale) -> Array:
    """Return the current (nA) for unit drive of each feed-forward site of one cell.

    Parameters
    ----------
    impedance
        Steady transfer impedance of each site to the soma (MOhm), shape (n,).
    somatic_gain
        Wanted steady somatic potential for unit basal drive, k_b of the rule.
    scale
        Meaning of one unit, and whether every site or the mean of them has this gain.
    """
    if scale.calibration == "per_cell":
        impedance = np.full(len(impedance), impedance.mean())
    currents: Array = somatic_gain * scale.unit / impedance
    return currents


@dataclass(frozen=True)
class Port:
    """Where feedback may land in one kind of cell.

    Attributes
    ----------
    places
        Candidates, by section of the region: those of all cells, or the segments that places are drawn from.
    counts
        Segments of each section where places are drawn, empty where they are fixed.
    impedance
        Steady transfer impedance between the candidates (MOhm), shape (n, n).
    soma
        Of each candidate to the soma, shape (n,).
    nexus
        Of each candidate to the end of the trunk, shape (n,), and last that between soma and there; None in a cell
        without one.
    """

    places: tuple[Place, ...]
    counts: tuple[int, ...]
    impedance: Array
    soma: Array
    nexus: Array | None

    def sites(self, among: Candidates, rng: np.random.Generator) -> tuple[list[Place], list[int]]:
        """Return the places of one cell, and which candidates they are."""
        if not self.counts:
            return list(self.places), list(range(len(self.places)))
        drawn = among.places(rng)
        starts = np.cumsum([0, *self.counts])
        return drawn, [int(starts[k]) + segment_at(x, self.counts[k]) for k, x in drawn]

    def current(self, sites: Sequence[int], scale: Scale) -> float:
        """Return the current (nA) of every site: together they move the mean of their potentials by one unit."""
        mean_potential = np.mean([np.sum(self.impedance[site][sites]) for site in sites])  # mV per nA in each site
        return float(scale.unit / mean_potential)

    def received(self, sites: Sequence[int]) -> float:
        """Return how much of a steady potential at the end of the trunk the sites beyond it have."""
        assert self.nexus is not None
        return float(np.mean(self.soma[sites]) / self.nexus[-1])

    def left(self, sites: Sequence[int], scale: Scale, share: float) -> float:
        """Return the mean of the sites less a share of the end of the trunk, for unit drive, in units."""
        assert self.nexus is not None
        return float(1.0 - share * self.current(sites, scale) * np.sum(self.nexus[sites]) / scale.unit)


@dataclass(frozen=True)
class Calibration:
    """Impedances of one kind of cell.

    Attributes
    ----------
    basal
        Per section that feed-forward synapses may land on, the transfer impedance (MOhm) of each segment to the soma.
    port
        Where feedback may land, None without feedback.
    segregation
        How far the feedback sites of the first cell are apart from soma and feed-forward dendrites.
    """

    basal: tuple[Array, ...]
    port: Port | None
    segregation: Segregation | None

    @property
    def feedback(self) -> Port:
        """Where feedback may land; raises ConfigError where that was not measured."""
        if self.port is None:
            raise ConfigError("calibration: where feedback lands was not measured: give the population a feedback set.")
        return self.port

    def site_impedance(self, place: Place) -> float:
        """Return the transfer impedance (MOhm) of a feed-forward place to the soma."""
        segments = self.basal[place[0]]
        return float(segments[segment_at(place[1], len(segments))])


def calibrate(
    soma: Segment, forward: Ground, back: Ground | None, nexus: Segment | None, rng: np.random.Generator
) -> Calibration:
    """Measure a cell.

    Parameters
    ----------
    soma
        The segment that spikes.
    forward, back
        Sections that feed-forward and feedback synapses may land on; no feedback: None.
    nexus
        The end of the trunk, where there is one.
    rng
        Draws the feedback sites of this cell.
    """
    places = [list(section) for section in forward.sections]
    impedance = iter(transfer_impedance(soma, [place for section in places for place in section]))
    basal = tuple(np.array([next(impedance) for _ in section]) for section in places)
    if back is None:
        return Calibration(basal, None, None)
    port = _port(soma, back, nexus)
    tuft = [back.segment(place) for place in port.sites(back.candidates(), rng)[0]]
    return Calibration(basal, port, segregation(soma, tuft, [place for section in places for place in section]))


def _port(soma: Segment, back: Ground, nexus: Segment | None) -> Port:
    if back.is_fixed:
        candidates, counts = back.fixed(), ()
    else:
        back.pieces()  # raises where there are none
        candidates, counts = back.segments(), tuple(section.nseg for section in back.sections)
    segments = [back.segment(place) for place in candidates]
    between = np.array([transfer_impedance(segment, segments) for segment in segments])
    to_nexus = None if nexus is None else transfer_impedance(nexus, [*segments, soma])
    return Port(tuple(candidates), counts, between, transfer_impedance(soma, segments), to_nexus)


def somatic_current(segregation: Segregation, scale: Scale) -> float:
    """Return the current (nA) at the soma of a cable cell that moves it by one unit, at steady state."""
    return scale.unit / segregation.soma_input


def lumped_somatic_current(conductance: float, scale: Scale) -> float:
    """Return the same for a three-compartment cell, `conductance` being that of its soma (uS)."""
    return scale.unit * conductance


@dataclass(frozen=True)
class Synapse:
    """What a drive opens on a cable cell; lumped dendrites have no membrane, and no reversal potential.

    Attributes
    ----------
    model
        ``"current"``, as in the paper's equations, or ``"conductance"``.
    e_excitatory, e_inhibitory
        Reversal potentials (mV), one above and one below rest.
    nmda_feedforward, nmda_feedback
        Peak conductance of NMDA channels without their block, relative to that of AMPA channels, for one spike.
    tau_nmda
        Decay of the NMDA conductance (ms).
    """

    model: Literal["current", "conductance"] = "current"
    e_excitatory: float = 0.0
    e_inhibitory: float = -80.0
    nmda_feedforward: float = 0.0
    nmda_feedback: float = 0.0
    tau_nmda: float = 43.0

    def conductances(self, current: float, nmda: float, scale: Scale) -> tuple[float, float, float]:
        """Return the excitatory, inhibitory and NMDA conductance (uS) for unit drive.

        At rest, and as long as the cell stays there, a steady drive gives the same current as a current synapse:
        excitation (NMDA included) and inhibition are equally strong.

        Parameters
        ----------
        current
            Current (nA) for unit drive.
        nmda
            `nmda_feedforward` or `nmda_feedback`.
        scale
            Says where rest is.
        """
        if not self.e_inhibitory < scale.rest < self.e_excitatory:
            raise ConfigError(
                f"synapse: rest ({scale.rest:g} mV) is not between e_inhibitory={self.e_inhibitory:g} and "
                f"e_excitatory={self.e_excitatory:g}: at its reversal potential a conductance only shunts, and none "
                "has unit strength; move the reversal potential."
            )
        slow = nmda * self._charge_for_unit_peak()
        excitatory = current / (self.e_excitatory - scale.rest) / (1.0 + slow * unblocked(scale.rest))
        return excitatory, current / (scale.rest - self.e_inhibitory), excitatory * slow

    def _charge_for_unit_peak(self) -> float:
        """Return the charge of NMDA channels relative to AMPA channels with the same peak.

        A spike opens AMPA channels as exp(-t/tau_s)/tau_s; NMDA channels follow through a filter of `tau_nmda`, which
        keeps the area and lowers the peak to (tau_s/tau_nmda)^(tau_s/(tau_nmda - tau_s))/tau_nmda.
        """
        ratio = TAU_SHORT / self.tau_nmda
        return float(self.tau_nmda / TAU_SHORT * ratio ** (-TAU_SHORT / (self.tau_nmda - TAU_SHORT)))
