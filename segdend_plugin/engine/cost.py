"""What a graph costs, known before anything is built: cells, memory and time on each rank (docs/performance.md)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segdend_plugin.model.graph import Graph
from segdend_plugin.types import Integers

BYTES_PER_WEIGHT = 8
RATE = 0.05
"""Spikes per ms of a presynaptic cell, a quarter of the largest rate."""
ADDED, CHANGED = 0.1, 0.1
"""Nanoseconds for each weight that a spike adds, and for each that an example changes."""
TRIAL = 0.2
"""Milliseconds for each trial, whatever is in it."""


@dataclass(frozen=True)
class RankCost:
    """What one rank has to do.

    Attributes
    ----------
    cells
        How many are on it, inputs included.
    bytes
        Memory of cells and weights, beyond that of Python, NEURON and NetPyNE.
    milliseconds
        For a training example, if no rank waits for another.
    """

    cells: int
    bytes: int
    milliseconds: float


def estimate(graph: Graph, steps: int, ranks: int) -> list[RankCost]:
    """Return what each rank has to do, to within a factor of about two.

    Parameters
    ----------
    graph
        The network, whose cells NetPyNE deals to ranks in turn.
    steps
        Of a training example.
    ranks
        How many there are.
    """
    on = {p.name: _dealt(p.first, p.size, ranks) for p in graph.populations}
    cells = np.sum(list(on.values()), axis=0)
    memory, nanoseconds = np.zeros(ranks), np.full(ranks, 1e6 * TRIAL)
    for p in graph.populations:
        one = p.kind.cost(graph.dt)
        memory += one.bytes * on[p.name]
        nanoseconds += steps * one.ns_per_step * on[p.name]
    for c in graph.connections:
        if c.form == "dense":
            weights = graph.n_pre(c) * on[c.post]
            memory += BYTES_PER_WEIGHT * weights
            nanoseconds += (RATE * steps * graph.dt * ADDED + c.learned * CHANGED) * weights
    return [
        RankCost(int(n), int(size), float(time) / 1e6) for n, size, time in zip(cells, memory, nanoseconds, strict=True)
    ]


def _dealt(first: int, size: int, ranks: int) -> Integers:
    """Return how many cells of a population each rank has, shape (ranks,)."""
    dealt: Integers = np.bincount(np.arange(first, first + size) % ranks, minlength=ranks)
    return dealt
