"""What the task wants of taught cells: a conductance that pulls the soma to a potential while the teacher speaks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import logit

from segdend_plugin.cells.units import Scale
from segdend_plugin.engine.kinds.base import CellHandle
from segdend_plugin.engine.probe import Probe
from segdend_plugin.model.trial import Signal
from segdend_plugin.types import Array, HocObject, Integers

STRONGEST = 8.0
"""E_E = -E_I (units of the rule): what levels of 1 and 0 pull to (eLife 22901, eq 20)."""


_REMEMBERED = 64
"""Targets whose potentials are kept."""


def potentials(levels: Array) -> Array:
    """Return the potential at which a soma fires at a level (0 to 1) of its largest rate, at most `STRONGEST`."""
    with np.errstate(divide="ignore"):
        pulled: Array = np.clip(logit(levels), -STRONGEST, STRONGEST)
    return pulled


class Teachers:
    """The SegDendTeachers of a population's cells on this rank.

    Parameters
    ----------
    handles, positions
        The cells, and where they stand in the population.
    scale
        Meaning of the rule's units.
    """

    def __init__(self, handles: Sequence[CellHandle], positions: Integers, scale: Scale) -> None:
        from neuron import h

        self._positions = positions
        self._teachers = [h.SegDendTeacher(handle.soma) for handle in handles]
        for teacher in self._teachers:
            teacher.rest, teacher.unit = scale.rest, scale.unit
        self._targets = Probe(self._teachers, "e")
        self._kept: list[HocObject] = []
        self._known: dict[int, tuple[Array, Array]] = {}

    def prepare(self, target: Signal | Array) -> None:
        """Take the levels (0 to 1) that the next trial wants of the whole population, constant or piecewise."""
        if isinstance(target, Signal):
            from neuron import h

            pulled = potentials(target.levels)
            self._kept = [h.Vector(target.times), h.Vector(np.ascontiguousarray(pulled).ravel())]
            for position, teacher in zip(self._positions.tolist(), self._teachers, strict=True):
                teacher.course(*self._kept, position, pulled.shape[1])
            return
        if self._kept:
            for teacher in self._teachers:
                teacher.constant()
            self._kept = []
        known = self._known.get(id(target))
        if known is None or known[0] is not target:  # tasks have one array for each class
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[id(target)] = target, potentials(target[self._positions])
        self._targets.write(known[1])

    def close(self) -> None:
        """Give up every NEURON object."""
        self._teachers, self._kept = [], []
        del self._targets
