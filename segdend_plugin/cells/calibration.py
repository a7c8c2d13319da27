"""The only place where mV, nA and MOhm become the dimensionless potentials of the rule.

A drive of 1 on any basal site moves the soma by `somatic_gain` units, and a drive of 1 on the tuft moves
the mean potential of its sites by one unit, at steady state and in every cell, whatever its shape. One unit
is `unit` mV above rest. Synapse and membrane belong together: an exponential current of 3 ms on a membrane
of 10 ms gives the paper's kernel kappa (eqs 11-12).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segdend_plugin.cells.electrotonics import Segregation, segregation, transfer_impedance
from segdend_plugin.cells.sites import segment_at
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
        How far the tuft sites are apart from soma and basal dendrites.
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
    found = segregation(soma, tuft, [place for section in places for place in section])
    return Calibration(currents, float(scale.unit / mean_potential), found)
