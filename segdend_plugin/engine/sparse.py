"""Sparse sets: NetCons that a host made, with each synapse's own arrival times, changed by a rule between trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from segdend_plugin.cells.units import TAU_LONG, TAU_SHORT
from segdend_plugin.engine.along import adjoint, mean_of_windows
from segdend_plugin.engine.learned import Bound, Factors, check_outer, first_not_finite
from segdend_plugin.engine.mpi import Ranks
from segdend_plugin.errors import ConfigError, DataError
from segdend_plugin.model.changes import Along, Decay, Outer
from segdend_plugin.model.graph import Connections, Graph
from segdend_plugin.model.trial import Trial
from segdend_plugin.types import Array, HocObject, Integers

NetConOrPair = HocObject | tuple[HocObject, HocObject]
"""A NetCon whose weight learns, or one that excites and one that inhibits, which share a signed weight."""
Synapse = tuple[int, int, NetConOrPair]
"""Where the presynaptic cell stands in the set and the postsynaptic one in its population, and the NetCon or pair."""


def parts(one: NetConOrPair) -> tuple[HocObject, ...]:
    """Return the NetCons of a synapse."""
    return one if isinstance(one, tuple) else (one,)


class Sparse:
    """One set on this rank; every rank must make it.

    Parameters
    ----------
    ranks
        The MPI job.
    graph, connections
        The graph, and the set.
    synapses
        Those onto cells of this rank.
    local
        Where the cells of this rank stand in the postsynaptic population.
    gids
        Of all presynaptic cells, in the order of the set.
    index
        Which number of each NetCon's weights learns.
    unit
        Drive (units of the rule) that a weight of 1 makes of a filtered train of 1/ms, below 0 where NetCons inhibit:
        what a rule changes is a weight times this. Weights and bounds are the NetCons' own.
    ratio
        How many times stronger the inhibitory NetCon of a pair is for a weight of -1 than the other one for 1.
    """

    def __init__(
        self,
        ranks: Ranks,
        graph: Graph,
        connections: Connections,
        synapses: Sequence[Synapse],
        local: Integers,
        gids: Sequence[int],
        index: int = 0,
        unit: float = 1.0,
        ratio: float = 1.0,
    ) -> None:
        self.connections, self._dt, self.unit, self._ratio = connections, graph.dt, unit, ratio
        self.limit = float("inf")
        """Largest weight, of either sign, once it was measured."""
        self.n_pre, self._n_post = graph.n_pre(connections), graph[connections.post].size
        column = {position: k for k, position in enumerate(np.asarray(local).tolist())}
        ordered = sorted(synapses, key=lambda synapse: (synapse[1], synapse[0]))
        self.pre = np.array([pre for pre, _, _ in ordered], dtype=np.int64)
        self.post_positions = np.array([post for _, post, _ in ordered], dtype=np.int64)
        self.column = np.array([column[post] for _, post, _ in ordered], dtype=np.int64)
        self.netcons = [parts(one)[0] for *_, one in ordered]
        self.delays = np.array([netcon.delay for netcon in self.netcons])
        # synapses whose spikes arrive together: of one source, with one delay
        lines = np.stack([self.pre, self.delays]) if len(ordered) else np.zeros((2, 0))
        unique, self._line = np.unique(lines, axis=1, return_inverse=True)
        self._line_pre, self._line_delays = unique[0].astype(np.int64), unique[1]
        self._wires = _Wires(self.netcons, index)
        self._against = {k: parts(one)[1] for k, (*_, one) in enumerate(ordered) if isinstance(one, tuple)}
        self._paired = np.array(list(self._against), dtype=np.int64)
        self._other_wires = _Wires(list(self._against.values()), index)
        self.weights: Array = np.zeros(len(ordered))
        self._take_from_netcons()
        self.constant: Array = np.zeros(len(column))
        everyone = np.concatenate(ranks.allgather(np.stack([self.post_positions, self.pre])), axis=1)
        # all synapses onto a cell are on one rank, in one order there
        self._all = everyone[:, np.argsort(everyone[0], kind="stable")]
        self._size = self._all.shape[1]
        first = np.searchsorted(self._all[0], self.post_positions)
        mine = np.arange(len(ordered)) - np.searchsorted(self.post_positions, self.post_positions)
        self._order: Integers = first + mine
        shortest = np.full(self.n_pre, np.inf)
        np.minimum.at(shortest, self.pre, self.delays)
        # as late as the spikes of a source arrive: with one delay for all NetCons, NEURON queues one event for a spike
        self._heard_late: Array = np.min(ranks.allgather(shortest), axis=0)
        self._listen(ranks, gids)
        self._trial: Trial | None = None
        self._begin = 0.0
        self._arrived: tuple[Integers, Integers] | None = None
        self._filtered: dict[int, Array] = {}

    def _listen(self, ranks: Ranks, gids: Sequence[int]) -> None:
        """Hear all presynaptic spikes, without taking the one recorder that each of their sources has."""
        from neuron import h

        self._listener: HocObject | None = None
        self._ears: list[HocObject] = []
        if not self.netcons:
            return
        self._section = h.Section(name="segdend_listener")
        self._listener = h.SegDendListener(self._section(0.5))
        for k in np.unique(self.pre).tolist():
            ear = ranks.pc.gid_connect(gids[k], self._listener)
            ear.weight[0], ear.delay = k, self._heard_late[k]
            self._ears.append(ear)

    @property
    def post(self) -> str:
        """Name of the postsynaptic population."""
        return self.connections.post

    def not_finite(self) -> int | None:
        """Return the first cell of this rank with a weight that is not finite, None where all are."""
        synapse = first_not_finite(self.weights)
        return None if synapse is None else int(self.column[synapse])

    def columns(self, positions: Integers) -> Integers:
        """Return where the synapses of this rank stand among all of the set."""
        return self._order

    def prepare(self, trial: Trial, *, keep: bool, begin: float = 0.0) -> None:
        """Make ready for a trial."""
        self._trial, self._begin, self._arrived, self._filtered = trial, begin, None, {}
        self._take_from_netcons()

    def restart(self) -> None:
        """Begin a trial without initialisation."""
        if self._listener is not None:
            self._listener.restart()

    def arrivals(self) -> tuple[Integers, Integers]:
        """Return step and synapse of all spikes that arrived in the trial, in the order of synapses, then of time."""
        steps, lines = self._arrivals()
        last = np.cumsum(np.bincount(lines, minlength=len(self._line_pre)))
        first = np.concatenate([[0], last[:-1]])[: len(last)]
        synapses, which = _stretches(first[self._line], last[self._line])
        return steps[which], synapses

    def _arrivals(self) -> tuple[Integers, Integers]:
        """Return the same of lines."""
        if self._arrived is None:
            self._arrived = self._hear()
        return self._arrived

    def _hear(self) -> tuple[Integers, Integers]:
        from neuron import h

        nothing = np.empty(0, dtype=np.int64)
        if self._listener is None:
            return nothing, nothing
        vectors = h.Vector(), h.Vector()
        self._listener.heard(*vectors)
        cells = np.array(vectors[1]).astype(np.int64)
        times = np.array(vectors[0]) - self._heard_late[cells] - self._begin
        order = np.lexsort((times, cells))
        times, cells = times[order], cells[order]
        pre = self._line_pre
        lines, which = _stretches(np.searchsorted(cells, pre, "left"), np.searchsorted(cells, pre, "right"))
        late = times[which] + self._line_delays[lines]
        steps = np.ceil(late / self._dt - 0.5).astype(np.int64)  # that in which NEURON delivers the event
        inside = steps >= 0
        return steps[inside], lines[inside]

    def filtered(self, window: int) -> Array:
        """Return the mean filtered trains (1/ms) of a window, by synapse."""
        if self._trial is None:
            raise ConfigError(f"set {self.connections.name!r}: no trial was shown: show one first.")
        if window not in self._filtered:
            steps, lines = self._arrivals()
            shown = self._trial.windows[window]
            means = mean_of_windows(steps, shown.first, shown.last, (TAU_LONG, TAU_SHORT), self._dt)
            sums = np.bincount(lines, weights=means, minlength=len(self._line_pre)).astype(np.float64)
            self._filtered[window] = sums[self._line]
        return self._filtered[window]

    def drive(self, window: int, n: int) -> Array:
        """Return the mean drive of a window, of so many cells of this rank."""
        driven = self.effective() * self.filtered(window)
        return np.bincount(self.column, weights=driven, minlength=n).astype(np.float64)

    @property
    def inhibits(self) -> bool:
        """Whether a larger weight means less drive."""
        return self.unit < 0.0

    def effective(self) -> Array:
        """Return the weights in units of the rule."""
        weights: Array = self.unit * self.weights
        return weights

    def factors(self, change: Outer | Along | Decay, windows: Mapping[str, int], *, keep: bool) -> Factors:
        """Return what a change needs of the trial that has run."""
        if isinstance(change, Decay):
            return None
        if isinstance(change, Along):
            if change.trains is not None:
                raise ConfigError(f"rule: {change.connections!r} is sparse: leave trains out, its own are taken.")
            return self.arrivals()
        check_outer(change, self.n_pre, windows)
        return self.filtered(windows[change.window]) if change.pre is None else None

    def bind(self, change: Outer | Along | Decay, factors: Factors, positions: Integers) -> Bound:
        """Return a change with what was taken of its trial."""
        if isinstance(change, Decay):
            return Bound((change.connections, change.factor), lambda: None)
        if isinstance(change, Along):
            steps, synapses = cast("tuple[Integers, Integers]", factors)
            later = adjoint(change.post, change.kernel or (TAU_LONG, TAU_SHORT), self._dt)
            inside = steps < len(later)
            steps, synapses = steps[inside], synapses[inside]
            values = later[steps, self.column[synapses]]
            added = np.bincount(synapses, weights=values, minlength=len(self.pre)).astype(np.float64)
        else:
            post = change.post if change.post.shape == (len(positions),) else change.post[positions]
            pre = cast(Array, factors) if change.pre is None else change.pre[self.pre]
            added = pre * post[self.column]

        def add() -> None:
            self.weights[:] += added / self.unit

        return Bound(None, add)

    def bound(self) -> None:
        """Keep the weights within their bounds, and tell the NetCons."""
        if not self.connections.learned:
            return
        low, high = self.connections.bounds
        np.clip(self.weights, max(low, -self.limit), min(high, self.limit), out=self.weights)
        self._tell()

    def put(self, weights: Array) -> None:
        """Let the synapses of this rank have other weights."""
        self.weights[:] = weights
        self._tell()

    def _take_from_netcons(self) -> None:
        """Take the weights that the NetCons have, which somebody else may have changed."""
        changed = self._wires.gather()
        changed[self._paired] |= self._other_wires.gather()
        if changed.any():  # those alone: a signed weight is not the same to the last bit when it is put together again
            taken = self._wires.values.copy()
            taken[self._paired] -= self._other_wires.values / self._ratio
            self.weights[changed] = taken[changed]

    def _tell(self) -> None:
        """Let the NetCons have the weights: of a pair, one has the positive and the other the negative part."""
        self._wires.values[:] = self.weights
        signed = self.weights[self._paired]
        self._wires.values[self._paired] = np.maximum(signed, 0.0)
        self._other_wires.values[:] = self._ratio * np.maximum(-signed, 0.0)
        self._wires.scatter()
        self._other_wires.scatter()

    def matrix(self, whole: Array) -> Array:
        """Return the weights of all ranks as a matrix, 0 where there is no synapse; those of a pair of cells add up."""
        matrix = np.zeros((self.n_pre, self._n_post))
        np.add.at(matrix, (self._all[1], self._all[0]), whole)
        return matrix

    def synapses(self, whole: Array) -> tuple[Integers, Integers, Array]:
        """Return those of all synapses, in the order of their postsynaptic cells."""
        return self._all[1], self._all[0], whole

    def take(self, whole: Array, columns: Integers, size: int) -> None:
        """Take this rank's part of the weights of all synapses."""
        if whole.shape != (self._size,):
            raise DataError(
                f"The weights of {self.connections.name!r} have shape {whole.shape}: {(self._size,)} is needed."
            )
        self.weights[:] = whole[columns]
        self._tell()

    def close(self) -> None:
        """Give up every NEURON object of ours; the NetCons are the host's."""
        self.netcons, self._ears, self._listener, self._against = [], [], None, {}
        self._wires.close()
        self._other_wires.close()
        if hasattr(self, "_section"):
            del self._section


def _stretches(first: Integers, last: Integers) -> tuple[Integers, Integers]:
    """Return, stretch by stretch of [first, last), which stretch each number within it belongs to, and the number."""
    counts = last - first
    of = np.repeat(np.arange(len(first)), counts)
    return of, np.arange(len(of)) + np.repeat(first - (np.cumsum(counts) - counts), counts)


class _Wires:
    """Weights of NetCons, all read or written at once.

    Parameters
    ----------
    netcons
        Of this rank.
    index
        Which number of each one's weights.
    """

    def __init__(self, netcons: Sequence[HocObject], index: int) -> None:
        from neuron import h

        self._pointers, self._vector = h.PtrVector(max(len(netcons), 1)), h.Vector(max(len(netcons), 1))
        for k, netcon in enumerate(netcons):
            self._pointers.pset(k, netcon._ref_weight[index])
        self.values: Array = self._vector.as_numpy()[: len(netcons)]
        self._n = len(netcons)
        self._known: Array = np.full(len(netcons), np.nan)

    def gather(self) -> NDArray[np.bool_]:
        """Read them into `values`, and return which ones somebody has changed since they were read or written."""
        if self._n:
            self._pointers.gather(self._vector)
        changed: NDArray[np.bool_] = self._known != self.values
        self._known[:] = self.values
        return changed

    def scatter(self) -> None:
        """Write `values`."""
        if self._n:
            self._pointers.scatter(self._vector)
            self._known[:] = self.values

    def close(self) -> None:
        """Give up every NEURON object."""
        self.values = self.values.copy()
        del self._pointers, self._vector
