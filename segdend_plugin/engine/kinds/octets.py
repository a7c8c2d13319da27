"""Cells that are linear systems of the same states, as a SegDendSystem advances them: eight at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from segdend_plugin.engine.dense import Dense
from segdend_plugin.types import Array, HocObject


class Octets:
    """What NEURON has of the cells of a population on this rank.

    Parameters
    ----------
    somas
        Their mechanisms, SegDendLinear.
    """

    def __init__(self, somas: Sequence[HocObject]) -> None:
        from neuron import h

        self._somas = list(somas)
        self._system: HocObject = h.SegDendSystem(somas[0].get_segment()) if somas else None
        self._outputs: list[str] = []
        self._out: HocObject = None
        self._vectors: list[HocObject] = []  # whose memory the mechanism reads

    def set(self, blocks: Array, entries: Sequence[tuple[Array, Dense]], outputs: Mapping[str, Array]) -> None:
        """Give NEURON the system, or another one in its place.

        Parameters
        ----------
        blocks
            A, shape (n_states/2, 2, 2).
        entries
            B of each set and slot for unit drive, shape (n_states, n_slots, n), and the set.
        outputs
            By name, c of all cells or of each, shape (n_states,) or (n_states, n), in mV; the first is the soma's.
        """
        from neuron import h

        if not self._somas:
            return
        if self._out is None:  # readers know where it is
            self._outputs, self._out = list(outputs), h.Vector(len(outputs) * len(self._somas))
        system, self._vectors = self._system, [h.Vector(blocks.ravel())]
        first = self._somas[0]
        system.bind(self._vectors[0], self._out, first.rest, first.unit, first.rate_max)
        for soma in self._somas:
            told = (soma._ref_spikes, soma._ref_potential, soma._ref_rate, soma._ref_announced)
            system.add(soma, soma.id, *told)
        for gains, dense in entries:
            self._vectors.append(h.Vector(np.ascontiguousarray(gains).ravel()))
            system.enter(self._vectors[-1], dense.drives)
        for weights in outputs.values():
            self._vectors.append(h.Vector(np.ascontiguousarray(weights).ravel()))
            system.read(self._vectors[-1])

    def refs(self, output: str) -> list[HocObject]:
        """Return references to a potential (mV) that comes out of each cell."""
        n = len(self._somas)
        first = n * self._outputs.index(output)
        return [self._out._ref_x[first + post] for post in range(n)]

    def restart(self) -> None:
        """Begin a trial without initialisation."""
        if self._somas:
            self._system.restart()

    def close(self) -> None:
        """Give the system up."""
        self._somas, self._system, self._vectors, self._out = [], None, [], None
