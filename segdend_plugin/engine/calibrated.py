"""What calibration did: currents, how unequal the sites of a cell are, and the gains that it reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from segdend_plugin.cells.electrotonics import transfer_impedance
from segdend_plugin.engine.mpi import Ranks
from segdend_plugin.types import Array, Segment

TOLERANCE = 1e-3
"""Relative error of a gain beyond which calibration has failed."""


@dataclass
class Calibrated:
    """What was done to the cells of a population on this rank.

    Attributes
    ----------
    feedforward, feedback
        Currents (nA) for unit drive of the sites of all local cells.
    relative
        Transfer impedance of each feed-forward site to the soma, relative to the mean of its cell.
    somatic, local
        Measure gains anew at the last cell of the population, nothing on other ranks: of the soma for each slot, and of
        the mean of the feedback sites.
    """

    feedforward: list[float] = field(default_factory=list)
    feedback: list[float] = field(default_factory=list)
    relative: list[float] = field(default_factory=list)
    somatic: Callable[[], list[float]] = list
    local: Callable[[], list[float]] = list

    def add_feedforward(self, currents: Array, impedance: Array) -> None:
        """Take the sites of a cell: their currents (nA), and transfer impedances (MOhm) to the soma."""
        self.feedforward += currents.tolist()
        self.relative += (impedance / impedance.mean()).tolist()

    def check_feedforward(self, soma: Segment, places: Sequence[Segment], currents: Array) -> None:
        """Take how the last cell is driven: currents (nA per unit) of each slot at each place, (n_slots, n_places)."""
        self.somatic = lambda: (currents @ transfer_impedance(soma, places)).tolist()

    def check_feedback(self, places: Sequence[Segment], current: float) -> None:
        """Take the feedback sites of the last cell, with their current in nA per unit."""
        self.local = lambda: [current * float(np.mean([transfer_impedance(place, places).sum() for place in places]))]

    def close(self) -> None:
        """Measure nothing any more, for that needs the cells."""
        self.somatic = self.local = list


def report(
    ranks: Ranks, kinds: Mapping[str, Sequence[Calibrated]], somatic_gain: float, rest: float
) -> dict[str, dict[str, Any]]:
    """Return what calibration did to each kind of cell, the same on every rank; all must call this.

    Parameters
    ----------
    ranks
        The MPI job.
    kinds
        Populations of each kind of cable cell.
    somatic_gain
        What was asked for.
    rest
        Potential (mV) at which gains are measured.
    """
    from neuron import h

    h.finitialize(rest)  # impedances evaluate every current, which none may before its first initialisation
    return {
        kind: {
            "feedforward_current_nA": _spread(ranks, [own.feedforward for own in mine]),
            "feedback_current_nA": _spread(ranks, [own.feedback for own in mine]),
            "relative_gain": _spread(ranks, [own.relative for own in mine]),
            "somatic_gain": {"asked": somatic_gain, **_spread(ranks, [own.somatic() for own in mine])},
            "feedback_gain": {"asked": 1.0, **_spread(ranks, [own.local() for own in mine])},
        }
        for kind, mine in kinds.items()
    }


def _spread(ranks: Ranks, mine: Sequence[Sequence[float]]) -> dict[str, float]:
    """Return the spread of the values on all ranks, in order of size, so that their number does not matter."""
    values = np.sort([value for part in ranks.allgather(list(mine)) for own in part for value in own])
    if not len(values):
        return {}
    least, middle, most = np.quantile(values, [0.0, 0.5, 1.0])
    return {"min": float(least), "median": float(middle), "mean": float(values.mean()), "max": float(most)}


def failures(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a sentence for every gain that calibration has missed."""
    return [
        f"cable: {name} of {kind!r} is {gain['mean']:.4g} where {gain['asked']:.4g} was asked for: "
        "its membrane may not be at rest, so take the results with care."
        for kind, cell in found.items()
        for name, gain in ((name, cell[name]) for name in ("somatic_gain", "feedback_gain"))
        if "mean" in gain and abs(gain["mean"] / gain["asked"] - 1.0) > TOLERANCE
    ]
