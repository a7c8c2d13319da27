"""Reads and writes one variable of many mechanisms at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segdend_plugin.types import Array, HocObject


class Probe:
    """Reads or writes one variable of many mechanisms at once."""

    def __init__(self, mechanisms: Sequence[HocObject], variable: str) -> None:
        from neuron import h

        self._pointers = h.PtrVector(max(len(mechanisms), 1))
        self._values = h.Vector(max(len(mechanisms), 1))
        self._empty = not mechanisms
        for index, mechanism in enumerate(mechanisms):
            self._pointers.pset(index, getattr(mechanism, f"_ref_{variable}"))
        self._view: Array = self._values.as_numpy()

    def read(self) -> Array:
        """Return a copy of the values, shape (n,)."""
        if self._empty:
            return np.empty(0)
        self._pointers.gather(self._values)
        values: Array = self._view.copy()
        return values

    def write(self, values: Array) -> None:
        """Set the values, shape (n,)."""
        if not self._empty:
            self._view[:] = values
            self._pointers.scatter(self._values)
