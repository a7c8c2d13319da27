"""Where cells of somebody's own fire, and what their dendrites say: plain data, measured in the running model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from segdend_plugin.types import Array

SLOPE_LEAST = 0.1
"""Least slope of a rate that learning counts with, relative to the steepest: silent and blocked cells learn, too."""


@dataclass(frozen=True, eq=False)
class OperatingPoint:
    """How the cells of one population answer.

    Drives are in units of the rise: from 10 to 90 % of the way to the largest rate it takes a drive of 1. Negative ones
    are those of inhibition, where weights are signed.

    Attributes
    ----------
    drives, rates
        The measured curve: mean rates (1/ms) at mean drives, ascending, shape (k,).
    middle
        Drive at half of the rise.
    peak
        Largest rate (1/ms), and beyond it cells fire less (depolarisation block) or as much.
    per_drive
        What a drive of 1 is: sum of weights (of the host) times filtered trains (1/ms).
    unit
        How far (mV) the teacher moves a tuft through feedback, root mean square; 0 where there is no feedback.
    noise
        Standard deviation (mV) of what is read of a tuft in one trial.
    taught
        Rate (1/ms) under a teacher that says 1; 0 where there is none.
    steps
        By forward set, what an error and a learning rate of 1 change of a weight, as drive for a train of 1/ms, for a
        presynaptic train of 1/ms: a typical weight over the root mean square of these trains, over `per_drive`.
    limits
        By forward set, the largest weight, of either sign, beside the set's own bounds.
    """

    drives: Array
    rates: Array
    middle: float
    peak: float
    per_drive: float
    unit: float = 0.0
    noise: float = 0.0
    taught: float = 0.0
    steps: Mapping[str, float] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)

    def slope(self, drive: Array) -> Array:
        """Return how steeply the rate rises at drives, relative to the steepest: a bell over the measured rise."""
        return np.maximum(np.exp(-((drive - self.middle) ** 2)), SLOPE_LEAST)

    def arrays(self) -> dict[str, Array]:
        """Return the same as named arrays, for a state."""
        plain = {f.name: np.atleast_1d(getattr(self, f.name)) for f in fields(self) if f.name not in _BY_SET}
        by_set = {f"{what} {name}": value for what in _BY_SET for name, value in getattr(self, what).items()}
        return plain | {name: np.atleast_1d(value) for name, value in by_set.items()}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Array]) -> OperatingPoint:
        """Return what :meth:`arrays` said."""
        plain: dict[str, Any] = {f.name: arrays[f.name] for f in fields(cls) if f.name not in _BY_SET}
        plain |= {name: float(value[0]) for name, value in plain.items() if name not in ("drives", "rates")}
        by_set: dict[str, Any] = {
            what: {
                name.removeprefix(f"{what} "): float(a[0]) for name, a in arrays.items() if name.startswith(f"{what} ")
            }
            for what in _BY_SET
        }
        return cls(**plain, **by_set)


_BY_SET = ("steps", "limits")


def rise(drives: Array, rates: Array) -> tuple[float, float, float]:
    """Return the drives at 10, 50 and 90 % of the way from the rate at the least drive to the largest rate.

    Only the rising side counts, made monotonic; what comes after the largest rate is block or saturation.

    Parameters
    ----------
    drives, rates
        Ascending drives, and the rate at each, shape (k,).
    """
    top = int(rates.argmax())
    rising, least = np.maximum.accumulate(rates[: top + 1]), float(rates[0])
    found = [least + share * (rates[top] - least) for share in (0.1, 0.5, 0.9)]
    low, middle, high = (float(np.interp(rate, rising, drives[: top + 1])) for rate in found)
    return low, middle, high
