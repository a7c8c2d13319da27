"""What the rule's numbers mean in a cell: the only home of rest, unit, time constants and gains.

The rule knows dimensionless potentials. One unit is `unit` mV above rest; a drive of 1 on the basal dendrites moves the
soma by `somatic_gain` units, at steady state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Equalised = Literal["per_site", "per_cell"]

REST = -70.0
"""Potential (mV) that the rule calls 0."""
TAU_LONG = 10.0
"""Decay (ms) of a postsynaptic potential, tau_L of the paper: the membrane time constant of cable cells."""
TAU_SHORT = 3.0
"""Its rise (ms), tau_s of the paper: the decay of a synaptic current on a cable."""
SOMATIC_GAIN = 0.6 / 0.7
"""k_b of the paper without apical coupling: what cable cells are calibrated to."""
CELSIUS = 37.0
"""Temperature (degrees) of passive cells, which do not depend on it."""
PER_MICROSIEMENS = 10.0
"""1/ms for 1 uS on the 100 pF soma of the three-compartment cell."""


@dataclass(frozen=True)
class Scale:
    """Potentials of one population.

    Attributes
    ----------
    rest
        Potential that the rule calls 0 (mV).
    unit
        Millivolts that the rule calls 1.
    calibration
        Whether unit drive moves the soma equally from every site (``"per_site"``), or only on average over the sites
        of a cell, all of which then have the same current (``"per_cell"``).
    """

    rest: float = REST
    unit: float = 1.0
    calibration: Equalised = "per_site"


def lumped_conductance(rate: float) -> float:
    """Return the conductance (uS) of a three-compartment cell for the paper's value in 1/ms."""
    return rate / PER_MICROSIEMENS
