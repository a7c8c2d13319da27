"""How long cells take to settle: from the filters between a stimulus and what a rule reads of it.

A spike's effect passes filters in a row, from population to population: those of a postsynaptic potential,
(exp(-t/tau_L) - exp(-t/tau_s))/(tau_L - tau_s), and those of the cell. Each is the distribution of a waiting time, so
that what a chain of them has not yet passed on after t ms is the probability that the sum of these times, and of the
conduction delays, is longer than t. In the forward phase the chain begins at the inputs and ends where the output
arrives in tufts; in the target phase, which begins with a settled forward phase, it begins at the taught cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import numpy as np
from scipy.signal import fftconvolve

from segdend_plugin.model.graph import Connections, Graph, Role
from segdend_plugin.types import Array

LEFT = 0.05
"""Fraction of a step in the stimulus that has not yet arrived when cells count as settled."""
_GRID = 0.1  # ms


@dataclass(frozen=True)
class _Stage:
    """What a way passes at once: the filters of a cell, the age at which its potentials are cut off, a delay (ms)."""

    cell: str
    filters: tuple[float, ...]
    memory: float = 0.0
    delay: float = 0.0

    @property
    def mean(self) -> float:
        return sum(self.filters) + self.delay

    def kernel(self, n: int) -> Array:
        """Return the distribution of the time that it takes, without the delay, shape (n,)."""
        ages = _GRID * (np.arange(n) + 0.5)
        kernel = np.zeros(n)
        kernel[0] = 1.0
        for k, tau in enumerate(self.filters):
            step = np.exp(-ages / tau)
            kernel = fftconvolve(kernel, step / step.sum())[:n]
            if k == 1 and self.memory:  # of the potential, not of the cell
                kernel = np.where(ages < self.memory, kernel, 0.0)
                kernel /= kernel.sum()
        return kernel


_Way = tuple[_Stage, ...]


@lru_cache(maxsize=16)
def settling(graph: Graph, left: float = LEFT) -> tuple[float, float]:
    """Return how long (whole ms) cells settle in the forward and in the target phase.

    Parameters
    ----------
    graph
        Kinds of cells say their filters, sets their delays.
    left
        Fraction of a step that has not arrived by then.
    """
    forward = _ways(graph, {p.name: () for p in graph.sources}, ("forward", "fixed"))
    landing = [(*_slowest(forward, c.pre), _stage(graph, c)) for c in graph.connections if c.role == "feedback"]
    begin = {p.name: (_Stage(p.name, p.kind.filters[2:]),) for p in graph.taught}  # a teacher acts on the soma
    back = _ways(graph, begin, ("feedback",))
    return _latest([*forward.values(), *landing], left), _latest([*back.values()], left)


def _ways(graph: Graph, begin: Mapping[str, _Way], roles: Sequence[Role]) -> dict[str, _Way]:
    """Return the slowest way from where one begins to each population that can be reached, through none twice."""
    found = dict(begin)
    for _ in graph.populations:
        for c in graph.connections:
            if c.role not in roles or c.post in begin or found.keys().isdisjoint(c.pre):
                continue
            before = _slowest(found, c.pre)
            if all(stage.cell != c.post for stage in before):
                found[c.post] = max(found.get(c.post, ()), (*before, _stage(graph, c)), key=_mean)
    return found


def _stage(graph: Graph, c: Connections) -> _Stage:
    return _Stage(c.post, graph[c.post].kind.filters, c.memory, c.delay or 0.0)


def _slowest(ways: Mapping[str, _Way], names: Sequence[str]) -> _Way:
    return max((ways[name] for name in names if name in ways), key=_mean, default=())


def _mean(way: _Way) -> float:
    return sum(stage.mean for stage in way)


def _latest(ways: Sequence[_Way], left: float) -> float:
    """Return when the slowest of several ways has passed on all but a fraction of a step (whole ms)."""
    slowest = max(ways, key=_mean, default=())
    n = int(20 * _mean(slowest) / _GRID) + 1  # far beyond the tail
    arrived = np.zeros(n)
    arrived[0] = 1.0
    for stage in slowest:
        arrived = fftconvolve(arrived, stage.kernel(n))[:n]
    waited = _GRID * int(np.argmax(np.cumsum(arrived) >= (1.0 - left) * arrived.sum()))
    return float(ceil(waited + sum(stage.delay for stage in slowest)))
