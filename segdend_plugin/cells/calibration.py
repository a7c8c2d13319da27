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

from segdend_plugin.cells.electrotonics import transfer_impedance
from segdend_plugin.types import Array, Segment


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


def basal_currents(soma: Segment, sites: Sequence[Segment], somatic_gain: float, scale: Scale) -> Array:
    """Return the current (nA) of each site for unit drive, shape (len(sites),).

    Parameters
    ----------
    soma
        The segment that spikes.
    sites
        Where feed-forward synapses land.
    somatic_gain
        Wanted steady somatic potential for unit drive, k_b of the rule.
    scale
        Meaning of one unit.
    """
    return somatic_gain * scale.unit / transfer_impedance(soma, sites)


def tuft_current(sites: Sequence[Segment], scale: Scale) -> float:
    """Return the current (nA) that each tuft site gets for unit drive.

    All sites get the same current; together they move the mean of their potentials by one unit.
    """
    mean_potential = np.mean([np.sum(transfer_impedance(site, sites)) for site in sites])  # mV per nA in each site
    return float(scale.unit / mean_potential)
