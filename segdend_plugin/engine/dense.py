"""Dense sets: all synapses of a set onto the cells of this rank in one NMODL object instead of one NetCon each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import cast

import numpy as np
from numpy.typing import NDArray

from segdend_plugin.cells.units import TAU_LONG, TAU_SHORT
from segdend_plugin.engine.along import adjoint
from segdend_plugin.engine.learned import Bound, Factors, check_outer, first_not_finite
from segdend_plugin.errors import ConfigError, DataError
from segdend_plugin.model.changes import Along, Decay, Outer
from segdend_plugin.model.graph import Connections
from segdend_plugin.model.trial import Drive, Signal, Trains, Trial
from segdend_plugin.types import Array, HocObject, Integers

RATE_SOURCE = 2_000_000_000
"""Offset of the identities under which cells offer their rates, beyond those that NetPyNE gives gap junctions."""


class Kernel(IntEnum):
    """How a set filters spikes (the `kernel` of SegDendProjection)."""

    POTENTIAL = 0  # kappa, for lumped dendrites without a membrane of their own
    CURRENT = 1  # an exponential current, which a membrane of tau_long turns into kappa


class Dense:
    """One set on this rank.

    Parameters
    ----------
    connections
        The set.
    weights
        First weights, shape (n_pre, n) with n the cells of this rank (potential per filtered spike rate in 1/ms).
    constant
        Steady drive of each cell that comes with the set, shape (n,).
    slots
        Which of the `n_slots` places of a postsynaptic cell each presynaptic cell lands on, shape (n_pre,).
    n_slots
        Places per postsynaptic cell.
    kernel
        Filter of the drive.
    time_constants
        tau_long and tau_short (ms) of the postsynaptic potential, by which trains are filtered for the rule, too.
    split
        Whether weights (and constants) above and below 0 are summed apart, for conductances.
    """

    def __init__(
        self,
        connections: Connections,
        weights: Array,
        constant: Array,
        slots: Integers,
        n_slots: int,
        kernel: Kernel,
        time_constants: tuple[float, float] = (TAU_LONG, TAU_SHORT),
        split: bool = False,
    ) -> None:
        self.connections, self.split, self.n_slots = connections, split, n_slots
        self.n_pre, self.n_post = weights.shape
        self.slots = np.asarray(slots)
        self.place_gains: Array | None = None
        """Transfer gain of every place relative to the mean of its cell, shape (n_slots, n)."""
        self.absent: NDArray[np.bool_] | None = None
        """Which weights of a sparse set are no synapses, and so stay 0, shape (n_pre, n)."""
        self.effects: Array | None = None
        """The same where drives act in proportion to it, None where all places have the same effect."""
        self.time_constants = time_constants
        self.weights, self.constant = weights, constant
        self.traces: Array = np.zeros((0, self.n_pre))
        self._netcons: list[HocObject] = []
        self._sources: list[tuple[HocObject, ...]] = []
        self._rates: HocObject | None = None
        self._keeps = self._learns_by_place = False
        if self.n_post:
            self._make(kernel)

    def _make(self, kernel: Kernel) -> None:
        from neuron import h

        weights, constant = self.weights, self.constant
        self._section = h.Section(name="segdend_projection")
        self._mechanism: HocObject = h.SegDendProjection(self._section(0.5))
        self._mechanism.kernel = int(kernel)
        self._mechanism.memory = self.connections.memory
        self._mechanism.tau_slow, self._mechanism.tau_fast = self.time_constants
        self._weights = h.Vector(weights.size)
        self._constant = h.Vector(self.n_post)
        self._slots = h.Vector(np.asarray(self.slots, dtype=float))
        self._n_drives = self.n_slots * self.n_post
        self._out = h.Vector(2 * self._n_drives if self.split else self._n_drives)
        self._change = h.Vector(self.n_post)
        self._factor = h.Vector(self.n_pre)
        self._traces = h.Vector(self.n_pre)
        self._mechanism.bind(self._weights, self._constant, self._slots, self._out, self._traces, int(self.split))
        # Views stay valid because no Vector is ever resized.
        self.weights = self._weights.as_numpy().reshape(weights.shape)
        self.constant = self._constant.as_numpy()
        self._change_view: Array = self._change.as_numpy()
        self._factor_view: Array = self._factor.as_numpy()
        self.weights[:] = weights
        self.constant[:] = constant

    @property
    def post(self) -> str:
        """Name of the postsynaptic population."""
        return self.connections.post

    # ---- what drives it

    def listen(
        self,
        pc: HocObject,
        gids: Sequence[int],
        delay: float,
        counter: Callable[[int], HocObject | None],
        first: int = 0,
    ) -> None:
        """Take the spikes of cells after `delay` ms.

        Parameters
        ----------
        pc
            ``h.ParallelContext()``.
        gids
            The presynaptic cells, the first of them at `first` among all that the set comes from.
        delay
            Conduction delay (ms).
        counter
            gid -> reference to how many spikes left this cell in the last step, or None if a NetCon must tell.
        first
            Where they stand in the set.
        """
        if not self.n_post:
            return
        for index, gid in enumerate(gids, start=first):
            if (spikes := counter(gid)) is not None:
                self._mechanism.listen(index, spikes, delay)
                continue
            netcon = pc.gid_connect(gid, self._mechanism)
            netcon.weight[0] = index
            netcon.delay = delay
            self._mechanism.told = 1
            self._netcons.append(netcon)

    def listen_to_rates(self, pc: HocObject, gids: Sequence[int], delay: float) -> None:
        """Take the rates that cells offer, after `delay` ms; every rank must call this."""
        if not self.n_post:
            return
        rates = self._send_rates(delay)
        for index, gid in enumerate(gids):
            pc.target_var(rates._ref_x[index], RATE_SOURCE + gid, sec=self._section)

    def constant_rates(self) -> Array:
        """Be driven by rates of sources that are not cells; return the view to write them to (1/ms), shape (n_pre,)."""
        rates: Array = self._send_rates(0.0).as_numpy()
        return rates

    def _send_rates(self, delay: float) -> HocObject:
        from neuron import h

        self._rates = h.Vector(self.n_pre)
        self._mechanism.send_rates(self._rates, delay)
        return self._rates

    def draw(self, numbers: Sequence[int], rate_max: float, delay: float, first: int = 0) -> Callable[[Drive], None]:
        """Draw the spikes of inputs here, the same that their SegDendInput would send.

        Parameters
        ----------
        numbers
            Of the input cells in the graph: the keys of their streams.
        rate_max
            Rate at level 1 (1/ms).
        delay
            Conduction delay (ms).
        first
            Where they stand in the set.

        Returns
        -------
        Callable
            Takes what the population shows in the next trial.
        """
        from neuron import h

        levels, keys = h.Vector(len(numbers)), h.Vector(np.asarray(numbers, dtype=float))
        source = int(self._mechanism.draw(levels, keys, rate_max, delay, first))
        view: Array = levels.as_numpy()
        self._sources.append((levels, keys))
        kept: list[HocObject] = []

        def show(drive: Drive) -> None:
            if isinstance(drive, Signal):
                kept[:] = [h.Vector(drive.times), h.Vector(np.ascontiguousarray(drive.levels).ravel())]
                self._mechanism.draw_course(source, *kept)
            elif isinstance(drive, Trains):
                kept[:] = [h.Vector(drive.times), h.Vector(drive.cells.astype(float))]
                self._mechanism.draw_given(source, *kept)
            else:
                if kept:
                    self._mechanism.draw_constant(source)
                    kept.clear()
                view[:] = drive

        return show

    # ---- what it drives

    def drive(self, post: int, slot: int = 0) -> HocObject:
        """Return a reference to the drive of one place of one local postsynaptic cell (split, that of excitation)."""
        return self._out._ref_x[slot * self.n_post + post]

    def inhibition(self, post: int, slot: int = 0) -> HocObject:
        """Return a reference to the size of the inhibitory drive of a place, if weights are split."""
        return self._out._ref_x[self._n_drives + slot * self.n_post + post]

    @property
    def drives(self) -> HocObject:
        """The Vector of the drives of all places, postsynaptic cell fastest, of a rank with cells."""
        return self._out

    # ---- what it learns

    def scale_learning(self, gains: Array) -> None:
        """Let a synapse learn in proportion to the gain of the place that it lands on, shape (n_slots, n_post)."""
        from neuron import h

        self._gains, self._learns_by_place = h.Vector(np.ascontiguousarray(gains).ravel()), True
        self._mechanism.scale_learning(self._gains)

    def prepare(self, trial: Trial, *, keep: bool, begin: float = 0.0) -> None:
        """Make room for the traces of all windows, and say whether the spikes that arrive are kept."""
        n_windows = len(trial.windows)
        if not self.n_post:
            return
        if len(self.traces) != n_windows:
            from neuron import h

            self._traces = h.Vector(n_windows * self.n_pre)
            self._mechanism.trace_into(self._traces)
            self.traces = self._traces.as_numpy().reshape(n_windows, self.n_pre)
        if keep != self._keeps:
            self._mechanism.keep, self._keeps = int(keep), keep

    def restart(self) -> None:
        """Begin a trial without initialisation."""
        if self.n_post:
            self._mechanism.restart()

    def filtered(self, window: int) -> Array:
        """Return the mean filtered trains (1/ms) of a window, shape (n_pre,); nothing on a rank without cells."""
        return self.traces[window].copy() if self.n_post else np.empty(0)

    def effective(self) -> Array:
        """Return the weights times their effect on the soma relative to k_b, shape (n_pre, n)."""
        if self.effects is None:
            return self.weights
        weights: Array = self.weights * self.effects[self.slots]
        return weights

    def factors(self, change: Outer | Along | Decay, windows: Mapping[str, int], *, keep: bool) -> Factors:
        """Return what a change needs of the trial that has run."""
        if isinstance(change, Decay):
            return None
        if isinstance(change, Along):
            return self._factors_along(change)
        check_outer(change, self.n_pre, windows)
        if change.pre is not None:
            return None
        window = windows[change.window]
        return self.filtered(window) if keep else window

    def bind(self, change: Outer | Along | Decay, factors: Factors, positions: Integers) -> Bound:
        """Return a change with what was taken of its trial."""
        if isinstance(change, Decay):
            return Bound((change.connections, change.factor), lambda: None)
        if isinstance(change, Along):
            return self._bind_along(change, cast("tuple[Integers, Integers, Array]", factors))
        post = change.post if change.post.shape == (self.n_post,) else change.post[positions]
        if isinstance(factors, int):
            window = factors
            return Bound(None, lambda: self.learn(post, window))
        pre = change.pre if change.pre is not None else cast(Array, factors)
        return Bound(None, lambda: self.learn_with(pre, post))

    def _factors_along(self, change: Along) -> tuple[Integers, Integers, Array]:
        if self._rates is not None:
            raise ConfigError(f"set {self.connections.name!r}: it sends rates, which no train follows: send spikes.")
        if change.trains is None:
            return self.arrivals()
        arrived = np.floor(change.trains.times / _dt() + 0.5).astype(np.int64)
        return arrived, change.trains.cells, np.ones(len(change.trains.cells))

    def _bind_along(self, change: Along, factors: tuple[Integers, Integers, Array]) -> Bound:
        if not self.n_post:
            return Bound(None, lambda: None)
        arrived, cells, counts = factors
        later = adjoint(change.post, change.kernel or self.time_constants, _dt())
        inside = arrived < len(change.post)
        arrived, cells, counts = arrived[inside], cells[inside], counts[inside]
        total = np.zeros_like(self.weights)
        np.add.at(total, cells, counts[:, None] * later[arrived])  # in the order of arrival
        if self._learns_by_place and self.place_gains is not None:
            total *= self.place_gains[self.slots]

        def add() -> None:
            self.weights += total

        return Bound(None, add)

    def bound(self) -> None:
        """Keep the weights within their bounds."""
        low, high = self.connections.bounds
        if self.absent is not None:
            self.weights[self.absent] = 0.0
        if np.isfinite(low) or np.isfinite(high):
            np.clip(self.weights, low, high, out=self.weights)

    def not_finite(self) -> int | None:
        """Return the first cell of this rank with a weight that is not finite, None where all are."""
        return first_not_finite(self.weights)

    def columns(self, positions: Integers) -> Integers:
        """Return where the cells of this rank stand."""
        return positions

    def matrix(self, whole: Array) -> Array:
        """Return the weights of all ranks, which are a matrix."""
        return whole

    def synapses(self, whole: Array) -> tuple[Integers, Integers, Array]:
        """Return those of all pairs of cells, presynaptic cell by presynaptic cell."""
        pre, post = np.indices(whole.shape)
        return pre.ravel(), post.ravel(), whole.ravel()

    def take(self, whole: Array, columns: Integers, size: int) -> None:
        """Take this rank's columns of the weights of all ranks."""
        if whole.shape != (self.n_pre, size):
            raise DataError(
                f"The weights of {self.connections.name!r} have shape {whole.shape}: {(self.n_pre, size)} is needed."
            )
        self.weights[:] = whole[:, columns]

    def learn(self, post: Array, window: int) -> None:
        """Add outer(filtered trains of a window, post) to the weights, in place."""
        if self.n_post:
            self._change_view[:] = post
            self._mechanism.learn(self._change, window)

    def learn_with(self, pre: Array, post: Array) -> None:
        """Add outer(pre, post) to the weights, in place."""
        if self.n_post:
            self._factor_view[:] = pre
            self._change_view[:] = post
            self._mechanism.learn_with(self._factor, self._change)

    def arrivals(self) -> tuple[Integers, Integers, Array]:
        """Return step, presynaptic cell and number of all spikes that arrived in the trial, if they are kept."""
        from neuron import h

        if not self.n_post:
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
        vectors = h.Vector(), h.Vector(), h.Vector()
        self._mechanism.arrivals(*vectors)
        steps, cells, counts = (np.array(vector) for vector in vectors)
        return steps.astype(np.int64), cells.astype(np.int64), counts

    def close(self) -> None:
        """Give up every NEURON object; weights and constants stay as they are."""
        if self.n_post and hasattr(self, "_mechanism"):
            self.weights, self.constant, self.traces = self.weights.copy(), self.constant.copy(), self.traces.copy()
            self._netcons, self._sources = [], []
            del self._mechanism, self._section


def _dt() -> float:
    from neuron import h

    return float(h.dt)
