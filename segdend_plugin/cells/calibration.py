"""The only place where mV, nA and MOhm become the dimensionless potentials of the rule.

A drive of 1 on any basal site moves the soma by `somatic_gain` units, and a drive of 1 on the tuft moves
the mean potential of its sites by one unit, at steady state and in every cell, whatever its shape. One unit
is `unit` mV above rest. Synapse and membrane belong together: an exponential current of 3 ms on a membrane
of 10 ms gives the paper's kernel kappa (eqs 11-12).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from typing import Literal

import numpy as np

from segdend_plugin.cells.electrotonics import Segregation, segregation, transfer_impedance
from segdend_plugin.cells.sites import segment_at
from segdend_plugin.errors import ConfigError
from segdend_plugin.types import Array, Section, Segment


@dataclass(frozen=True)
class Scale:
    """What the rule's numbers mean in a cell.

    Attributes
    ----------
    rest
        Potential that the rule calls 0 (mV).
    unit
        Millivolts that the rule calls 1.
    """

    rest: float = -70.0
    unit: float = 1.0


PER_MICROSIEMENS = 10.0  # 1/ms for 1 uS on the 100 pF soma of the three-compartment cell


def lumped_conductance(rate: float) -> float:
    """Return the conductance (uS) of a three-compartment cell for the paper's value in 1/ms."""
    return rate / PER_MICROSIEMENS


@dataclass(frozen=True)
class Calibration:
    """Currents for unit drive in one kind of cell.

    Attributes
    ----------
    basal
        Per basal section, the current (nA) of a site in each of its segments.
    tuft
        Current (nA) of every tuft site.
    segregation
        How far the tuft sites are apart from the soma.
    """

    basal: tuple[Array, ...]
    tuft: float
    segregation: Segregation | None

    def site_current(self, section: int, x: float) -> float:
        """Return the current (nA) for unit drive at position `x` of basal section number `section`."""
        segments = self.basal[section]
        return float(segments[segment_at(x, len(segments))])


def calibrate(
    soma: Segment, basal: Sequence[Section], tuft: Sequence[Segment], somatic_gain: float, scale: Scale
) -> Calibration:
    """Measure a cell.

    Parameters
    ----------
    soma
        The segment that spikes.
    basal
        Sections that feed-forward synapses may land on.
    tuft
        Segments that feedback lands on; empty where there is none.
    somatic_gain
        Wanted steady somatic potential for unit basal drive, k_b of the rule.
    scale
        Meaning of one unit.
    """
    places = [list(section) for section in basal]
    impedance = iter(transfer_impedance(soma, [place for section in places for place in section]))
    currents = tuple(np.array([somatic_gain * scale.unit / next(impedance) for _ in section]) for section in places)
    if not tuft:
        return Calibration(currents, 0.0, None)
    # all sites get the same current; together they move the mean of their potentials by one unit
    mean_potential = np.mean([np.sum(transfer_impedance(site, tuft)) for site in tuft])  # mV per nA in each site
    return Calibration(currents, float(scale.unit / mean_potential), segregation(soma, tuft))


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

        A spike opens AMPA channels as exp(-t/TAU)/TAU; NMDA channels follow through a filter of `tau_nmda`, which keeps
        the area and lowers the peak to (TAU/tau_nmda)^(TAU/(tau_nmda - TAU))/tau_nmda.
        """
        ratio = TAU / self.tau_nmda
        return float(self.tau_nmda / TAU * ratio ** (-TAU / (self.tau_nmda - TAU)))


TAU = 3.0
"""Decay (ms) of the drive on a cable (tau_s of the paper)."""


def unblocked(v: float, magnesium: float = 1.0) -> float:
    """Return the fraction of NMDA channels without a magnesium ion at `v` mV (Jahr & Stevens 1990)."""
    return 1.0 / (1.0 + magnesium / 3.57 * exp(-0.062 * v))
