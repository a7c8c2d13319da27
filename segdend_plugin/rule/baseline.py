"""Running means of what hidden cells differ by between two phases, whatever the teacher says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from segdend_plugin.model.graph import Population
from segdend_plugin.types import Array

_SEEN = "examples of the baselines"


def name(population: str) -> str:
    """Return the name of the state array, and of the note, of a population."""
    return f"baseline {population}"


def start(populations: Iterable[Population]) -> dict[str, Array]:
    """Return the state before the first example."""
    return {_SEEN: np.zeros(1)} | {name(p.name): np.zeros(p.size) for p in populations}


def fold(state: Mapping[str, Array], notes: Sequence[Mapping[str, Array]], rate: float) -> Mapping[str, Array]:
    """Return the state after a batch.

    Parameters
    ----------
    state
        Before the batch.
    notes
        The differences of each example, by the names of their baselines.
    rate
        At which means follow, per example; the first examples count equally.
    """
    now = dict(state)
    for each in notes:
        now[_SEEN] = now[_SEEN] + 1.0
        step = max(rate, 1.0 / now[_SEEN][0])
        now |= {key: now[key] + step * (difference - now[key]) for key, difference in each.items()}
    return now
