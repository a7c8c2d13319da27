"""Cells that are linear systems of the same states, as SegDendLinear advances them: eight at a time."""

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
        self._somas = list(somas)
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
        lead, self._vectors = self._somas[0], [h.Vector(blocks.ravel())]
        lead.bind(self._vectors[0], self._out)
        for soma in self._somas:
            lead.add(soma._ref_soma)
        for gains, dense in entries:
            self._vectors.append(h.Vector(np.ascontiguousarray(gains).ravel()))
            lead.enter(self._vectors[-1], dense.drives)
        for weights in outputs.values():
            self._vectors.append(h.Vector(np.ascontiguousarray(weights).ravel()))
            lead.read(self._vectors[-1])

    def refs(self, output: str) -> list[HocObject]:
        """Return references to a potential (mV) that comes out of each cell."""
        n = len(self._somas)
        first = n * self._outputs.index(output)
        return [self._out._ref_x[first + post] for post in range(n)]

    def close(self) -> None:
        """Give the system up."""
        if self._somas:
            self._somas[0].free()  # it outlives this where a host keeps it
        self._somas, self._vectors, self._out = [], [], None
