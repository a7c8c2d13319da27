"""From a graph and the cells that a host has made of it to a network, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from segdend_plugin.engine.background import Background
from segdend_plugin.engine.dense import Dense, Kernel
from segdend_plugin.engine.exchange import Exchange
from segdend_plugin.engine.kinds.base import CellHandle, Cells
from segdend_plugin.engine.kinds.cable import Cable, CableCells
from segdend_plugin.engine.kinds.linear import Linear, LinearCells
from segdend_plugin.engine.kinds.lumped import Lumped, LumpedCells
from segdend_plugin.engine.kinds.measured import Measured
from segdend_plugin.engine.kinds.poisson import InputCells, Poisson
from segdend_plugin.engine.kinds.reconstruction import ReconstructedCells
from segdend_plugin.engine.learned import Learned
from segdend_plugin.engine.network import Network
from segdend_plugin.engine.readings import Readings
from segdend_plugin.engine.session import Session
from segdend_plugin.errors import ConfigError
from segdend_plugin.model.graph import Connections, Graph, Population
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.rule import feedback, weights
from segdend_plugin.types import Array, Integers

Handles = Sequence[tuple[int, CellHandle]]
"""Position in the population and handle of each cell of this rank, ascending."""
_NONE: Mapping[str, Learned] = {}
_UNMEASURED: Mapping[str, Measured] = {}


def make_cells(
    session: Session, graph: Graph, handles: Mapping[str, Handles], measured: Mapping[str, Measured] = _UNMEASURED
) -> dict[str, Cells]:
    """Make what reads and drives the cells of this rank, and calibrate them; every rank must call this.

    Parameters
    ----------
    session
        The process.
    graph
        What they belong to.
    handles
        Of every population, the cells of this rank, which owns their gids.
    measured
        Of populations of linear cells, what such a cell is.

    Returns
    -------
    dict
        By population, in the order of the graph.
    """
    from neuron import h

    made: dict[str, Cells] = {}
    for population in graph.populations:
        mine = handles[population.name]
        cells = _cells(graph, population, mine, measured)
        if isinstance(cells, CableCells):
            cells.calibrate(session.ranks)
        if not isinstance(cells, InputCells):
            for gid, soma in zip(cells.gids, cells.somas, strict=True):
                session.ranks.pc.cell(gid, h.NetCon(soma, None))
        made[population.name] = cells
    return made


def split(handles: Handles) -> tuple[Integers, list[CellHandle]]:
    """Return positions, shape (n,), and handles."""
    return np.array([position for position, _ in handles], dtype=np.int64), [handle for _, handle in handles]


def _cells(graph: Graph, population: Population, mine: Handles, measured: Mapping[str, Measured]) -> Cells:
    (positions, handles), kind = split(mine), population.kind
    if isinstance(kind, Poisson):
        return InputCells(graph, population, handles, positions)
    if isinstance(kind, Lumped):
        return LumpedCells(graph, population, handles, positions, kind)
    if isinstance(kind, Cable):
        return CableCells(graph, population, handles, positions, kind)
    if isinstance(kind, Linear):
        return LinearCells(graph, population, handles, positions, kind, measured[population.name])
    raise ConfigError(f"population {population.name!r}: {kind!r} is no kind of cell that can be built: choose another.")


def connect(
    session: Session,
    graph: Graph,
    cells: Mapping[str, Cells],
    gids: Mapping[str, Sequence[int]],
    sparse: Mapping[str, Learned] = _NONE,
    rest: float | None = None,
    background: Background | None = None,
) -> Network:
    """Make all sets of a network; every rank must call this.

    Parameters
    ----------
    session
        The process.
    graph
        What is connected with what.
    cells
        As of :func:`make_cells`.
    gids
        Of every population, the gids of all its cells on any rank, in order.
    sparse
        The sparse sets by name, of NetCons that a host has made.
    rest
        Potential (mV) at which trials begin; that of the first population by default.
    background
        What else of the host's model is made ready before a trial.
    """
    maker = _Maker(session, graph, cells, gids)
    sets: dict[str, Learned] = dict(sparse)
    for population in graph.populations:
        onto = graph.onto(population.name)
        for role in ("forward", "feedback", "fixed"):  # inhibition lands where learned sets have landed
            sets |= {c.name: maker.make(c) for c in onto if c.role == role and c.name not in sparse}
    rated = {name for c in graph.connections if c.signal == "rates" for name in c.pre} - {p.name for p in graph.inputs}
    for name in rated:
        cells[name].offer_rates(session.ranks.pc)
    if any(c.signal == "rates" for c in graph.connections):
        session.ranks.pc.setup_transfer()
    for own in cells.values():
        own.complete()
    if rest is None:
        rest = next(own.scale.rest for own in cells.values() if not isinstance(own, InputCells))
    ordered = {c.name: sets[c.name] for c in graph.connections}
    network = Network(session, graph, cells, ordered, Readings(), rest, background)
    session.network = network
    return network


class _Maker:
    """Makes the dense sets of one network."""

    def __init__(
        self, session: Session, graph: Graph, cells: Mapping[str, Cells], gids: Mapping[str, Sequence[int]]
    ) -> None:
        self.session, self.graph, self.cells, self.gids = session, graph, cells, gids
        self.feedback = feedback.feedback_weights(graph)
        inputs = {p.name for p in graph.inputs}
        heard = {
            gid
            for c in graph.connections
            if c.form == "dense" and c.signal == "spikes"
            for name in c.pre
            if name not in inputs
            for gid in gids[name]
        }
        here = {
            gid: soma
            for own in cells.values()
            if own.somas  # neither inputs nor cells of somebody's own
            for gid, soma in zip(own.gids, own.somas, strict=True)
        }
        self.exchange = Exchange(session.ranks, sorted(heard), here)

    def make(self, connections: Connections) -> Learned:
        """Make one set, connect what drives it, and let it drive the cells."""
        cells = self.cells[connections.post]
        if connections.form == "sparse":
            raise ConfigError(
                f"set {connections.name!r}: form='sparse': its NetCons are a host's, and none were given: take 'dense'."
            )
        if connections.memory and cells.splits | isinstance(cells, ReconstructedCells):
            raise ConfigError(
                f"rule.psp_memory={connections.memory:g}: the membrane of {cells.population.kind.label!r} filters its "
                "own spikes: take 0, or three_compartment cells."
            )
        if connections.initial.drawn == "inhibition":
            return self._inhibition(connections, cells)
        dense = Dense(
            connections,
            self._weights(connections, cells),
            self._constant(connections, cells),
            self._slots(connections, cells),
            cells.slots(connections),
            cells.kernel(connections),
            cells.time_constants,
            cells.splits,
        )
        if connections.learned and connections.initial.fraction < 1.0:
            dense.absent = dense.weights == 0.0
        cells.receive(connections, dense)
        self._drive(connections, dense)
        return dense

    def _inhibition(self, connections: Connections, cells: Cells) -> Learned:
        onto, n_pre = connections.place.region, self.graph.n_pre(connections)
        places = cells.inhibited(onto)
        n_slots = len(places[0]) if onto == "basal" and places else 1
        first = self.graph.pre_numbers(connections)[0]
        slots = stream(self.graph.seed, Purpose.INHIBITION, first).permutation(n_pre) % n_slots
        dense = Dense(
            connections,
            self._weights(connections, cells),
            np.zeros(cells.n),
            slots,
            n_slots,
            Kernel.CURRENT,
            split=cells.splits,
        )
        self._drive(connections, dense)
        cells.inhibit(dense, places, by_slot=n_slots > 1)
        return dense

    def _weights(self, connections: Connections, cells: Cells) -> Array:
        if connections.initial.drawn == "feedback":
            return np.ascontiguousarray(self.feedback[connections.name][:, cells.positions])
        return weights.initial_weights(self.graph, connections, cells.positions.tolist())

    def _constant(self, connections: Connections, cells: Cells) -> Array:
        """Return what drives the cells without spikes: learned biases come with the first forward set."""
        population = cells.population
        first = self.graph.onto(population.name, "forward")
        if population.bias and first and first[0] == connections:
            return weights.initial_biases(self.graph, population, cells.positions.tolist())
        return np.full(cells.n, connections.initial.constant)

    def _slots(self, connections: Connections, cells: Cells) -> Integers:
        n_pre, n_slots = self.graph.n_pre(connections), cells.slots(connections)
        if n_slots == 1:
            return np.zeros(n_pre, dtype=np.int64)
        order = self.graph.order_of(connections)
        identity = (self.graph.depths.get(connections.post, 0), *((order,) if order else ()))
        slots: Integers = stream(self.graph.seed, Purpose.SLOTS, *identity).permutation(n_pre) % n_slots
        return slots

    def _drive(self, connections: Connections, dense: Dense) -> None:
        """Let the presynaptic cells drive a set."""
        pc, dt = self.session.ranks.pc, self.graph.dt
        delay = usable_delay(connections.delay if connections.delay is not None else dt, dt)
        sources = [self.cells[name] for name in connections.pre]
        inputs = [own for own in sources if isinstance(own, InputCells)]
        if connections.signal == "rates":
            if inputs and len(inputs) < len(sources):
                raise ConfigError(
                    f"set {connections.name!r}: rates come from inputs or from cells, not from both in one set: make "
                    "two sets."
                )
            if not inputs:
                dense.listen_to_rates(pc, [gid for name in connections.pre for gid in self.gids[name]], delay)
            elif dense.n_post:
                rates = dense.constant_rates()
                for own in inputs:
                    own.send_rates(rates, self.graph.rows(connections, own.name))
            return
        for source in sources:
            first = self.graph.rows(connections, source.name).start
            if isinstance(source, InputCells):
                source.send_spikes(dense, delay, first)
            else:
                dense.listen(pc, self.gids[source.name], delay, self.exchange.counter, first)


def usable_delay(delay: float, dt: float) -> float:
    """Return a delay (ms) that more than one rank accepts: strictly greater than the step."""
    return max(delay, dt) + 1e-6 * dt
