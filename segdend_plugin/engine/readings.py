"""Reads any quantity of any cells in the time step: sums over the windows of a trial, and traces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from segdend_plugin.types import Array, HocObject, Section

Reading = Literal["value", "potential", "nmda", "calcium"]
"""What is made of a referenced variable: itself, (v - rest)/unit, or of v in mV the unblocked fraction of NMDA channels
or the steady activation of calcium channels (mechanisms/SegDendReadings.mod)."""

_CODES: dict[Reading, int] = {"value": 0, "potential": 1, "nmda": 2, "calcium": 3}


class Group:
    """References that are read together.

    Attributes
    ----------
    n
        How many.
    summed, traced
        Whether sums over windows and values of every step are wanted; both take effect at the next `prepare`.
    """

    def __init__(
        self, mechanism: HocObject, refs: Sequence[HocObject], quantity: Reading, rest: Array, unit: Array
    ) -> None:
        from neuron import h

        self.n = len(refs)
        self.summed, self.traced = True, False
        self._mechanism, self._index = mechanism, -1
        self._shape = (0, 0)  # windows and steps that there is room for
        self._sums, self._trace = h.Vector(), h.Vector()
        self._sums_view: Array = np.zeros((0, self.n))
        self._trace_view: Array = np.zeros((0, self.n))
        if self.n:
            self._index = int(mechanism.group(_CODES[quantity], h.Vector(rest), h.Vector(unit)))
            for ref in refs:
                mechanism.read(self._index, ref)

    def sums(self, window: int) -> Array:
        """Return the sums over the steps of a window of the last trial, shape (n,)."""
        sums: Array = self._sums_view[window].copy()
        return sums

    def trace(self) -> Array:
        """Return the values at the end of every step of the last trial, shape (steps, n)."""
        trace: Array = self._trace_view.copy()
        return trace

    def set_leads(self, window: int, leads: Array | None) -> None:
        """Let a window of each reference be earlier than that of the trial, until other leads are set.

        Parameters
        ----------
        window
            Its number in the trial.
        leads
            In ms, shape (n,); None for the window of the trial.
        """
        from neuron import h

        if not self.n:
            return
        if leads is None:
            self._mechanism.lead(self._index, window)
        else:
            self._mechanism.lead(self._index, window, h.Vector(np.ascontiguousarray(leads, dtype=float)))

    def prepare(self, n_windows: int, steps: int) -> None:
        """Make room for what is wanted of a trial."""
        from neuron import h

        shape = (n_windows if self.summed else 0, steps if self.traced else 0)
        if shape == self._shape:
            return
        self._shape = shape
        if not self.n:
            self._sums_view, self._trace_view = np.zeros((shape[0], 0)), np.zeros((shape[1], 0))
            return
        # new Vectors, because a resized one leaves views of it astray
        sums, trace = h.Vector(shape[0] * self.n), h.Vector(shape[1] * self.n)
        self._mechanism.into(self._index, sums, trace)
        self._sums, self._trace = sums, trace
        self._sums_view, self._trace_view = (
            vector.as_numpy().reshape(rows, self.n) if rows else np.zeros((0, self.n))
            for vector, rows in zip((sums, trace), shape, strict=True)
        )

    def close(self) -> None:
        """Give up every NEURON object."""
        self._sums_view, self._trace_view = self._sums_view.copy(), self._trace_view.copy()
        self._mechanism = self._sums = self._trace = None


class Readings:
    """All that this rank reads in the time step, in one mechanism."""

    def __init__(self) -> None:
        from neuron import h

        self._section: Section = h.Section(name="segdend_readings")
        self._mechanism: HocObject = h.SegDendReadings(self._section(0.5))
        self._groups: list[Group] = []

    def group(
        self, refs: Sequence[HocObject], quantity: Reading, rest: float | Array = 0.0, unit: float | Array = 1.0
    ) -> Group:
        """Return a new group, whose sums are wanted and whose trace is not.

        Parameters
        ----------
        refs
            References to variables (``_ref_v`` of a segment, ``_ref_x[k]`` of a Vector, ...).
        quantity
            What is made of them.
        rest, unit
            The potentials (mV) that the rule calls 0 and 1, of all or of each.

        Returns
        -------
        Group
            It can be read from the next trial on.
        """
        zero, one = (np.broadcast_to(np.asarray(value, dtype=float), len(refs)).copy() for value in (rest, unit))
        group = Group(self._mechanism, refs, quantity, zero, one)
        self._groups.append(group)
        return group

    def prepare(self, n_windows: int, steps: int) -> None:
        """Make room for what is wanted of the next trial; to be called before it is initialised."""
        for group in self._groups:
            group.prepare(n_windows, steps)

    def restart(self) -> None:
        """Begin a trial where NEURON stands, without initialisation."""
        self._mechanism.restart()

    def close(self) -> None:
        """Give up every NEURON object; what was read can still be."""
        for group in self._groups:
            group.close()
        self._groups = []
        self._mechanism = self._section = None
