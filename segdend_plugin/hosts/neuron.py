"""Plain NEURON: networks of cells that the caller has made (`create`), or a whole model of somebody's (`attach`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from segdend_plugin.engine import build
from segdend_plugin.engine.background import Background, Ordered
from segdend_plugin.engine.kinds.base import CellHandle, Cells
from segdend_plugin.engine.kinds.generator import Generator, GeneratorCells
from segdend_plugin.engine.kinds.own import Own, OwnCells
from segdend_plugin.engine.kinds.poisson import InputCells, Poisson
from segdend_plugin.engine.kinds.stimuli import SpikeTeacher, Teacher
from segdend_plugin.engine.mpi import Ranks
from segdend_plugin.engine.network import Network
from segdend_plugin.engine.session import Session, session
from segdend_plugin.engine.sparse import Sparse
from segdend_plugin.errors import ConfigError, SegDendError
from segdend_plugin.hosts.given import (
    WITH_CELL,
    Gids,
    NetCons,
    misfit,
    mismatch,
    missing,
    raise_first,
    twice,
    unnumbered,
)
from segdend_plugin.model.graph import Graph, Population
from segdend_plugin.types import HocObject

__all__ = ["Generator", "Gids", "NetCons", "Own", "Poisson", "SpikeTeacher", "Teacher", "attach", "create"]

V_INIT = -65.0
"""Potential (mV) at which NEURON's run system begins, if nobody says otherwise."""


def attach(
    populations: Mapping[str, Gids],
    sets: Sequence[NetCons],
    *,
    background: Mapping[int, HocObject] | None = None,
    seed: int = 0,
    dt: float | None = None,
    v_init: float | None = None,
    exact: bool = True,
) -> Network:
    """Take a model in plain NEURON as it is, so that a rule may change weights of its NetCons; every rank calls this.

    Cells, gids, thresholds, recordings and the order of nodes stay as they are.

    Parameters
    ----------
    populations
        By name, in an order that is the same on every rank.
    sets
        What learns, or acts as feedback; other NetCons of the model are not mentioned.
    background
        NetStims of this rank that have no gid, by numbers from 0 on that do not depend on ranks. They, and NetStims
        that are cells of a population, send other trains in every example, the same ones on any number of ranks.
    seed
        Of all random streams.
    dt, v_init
        Time step (ms) and potential (mV) of ``h.finitialize`` in every trial, ``h.dt`` and ``h.v_init`` by default.
    exact
        Whether weights have the same bits on any number of ranks: the delays of NetCons then become longer by the
        number of their source in `populations` (or beyond these in `background`) times 1e-9 ms, so that events have one
        order at each synapse; they get back their delays when another network is made. If False, delays stay, and bits
        are the same on equal numbers of ranks.

    Returns
    -------
    Network
        This rank's part, for a `Learner`.

    Raises
    ------
    ConfigError
        If populations, sets and model do not fit each other.
    SegDendError
        If the gids of this process are those of a network that the plugin has built.
    """
    own = session()
    check_free(own)
    return join(own, populations, sets, background or {}, seed, dt, v_init, exact=exact)


def check_free(own: Session) -> None:
    """Raise SegDendError if the gids of this process are not a caller's."""
    if own.owns_gids:
        raise SegDendError(
            "attach: this process holds a network that the plugin has built, with which all gids go: attach to a model "
            "in a process of its own."
        )


def join(
    own: Session,
    populations: Mapping[str, Gids],
    sets: Sequence[NetCons],
    background: Mapping[int, HocObject],
    seed: int,
    dt: float | None,
    v_init: float | None,
    *,
    exact: bool,
    begun: bool = False,
) -> Network:
    """Do what :func:`attach` does; where the process has `begun` for it, the gids are of a model that we built."""
    from neuron import h

    if h.CVode().active():
        raise ConfigError("attach: NEURON's variable time step is on: turn it off by h.CVode().active(False).")
    if own.ranks.replicas > 1:
        raise ConfigError(f"replicas={own.ranks.replicas}: a model that was built before has one: start with 1.")
    graph = _graph(own.ranks, populations, sets, seed, float(h.dt) if dt is None else dt)
    gids = {name: list(population.gids) for name, population in populations.items()}
    numbers = {gid: number for p in graph.populations for gid, number in zip(gids[p.name], p.numbers, strict=True)}
    handles = _handles(own.ranks, populations)
    problems = [misfit(p, handles[p.name], populations[p.name]) for p in graph.populations]
    problems += [mismatch(one, graph, gids, handles) for one in sets]
    problems += [unnumbered(background), twice(sets)]
    raise_first(own.ranks, problems)
    raise_first(own.ranks, missing(own.ranks, graph, populations, sets))
    if not begun:
        own.begin(owns_gids=False)
    sources = {len(numbers) + number: source for number, source in background.items()}
    ordered = Ordered(own.ranks, numbers, sources, graph.dt) if exact else None
    noisy = {numbers[one.gid]: one.point for found in handles.values() for _, one in found if one.point is not None}
    cells = {p.name: _cells(own.ranks, graph, p, handles[p.name], populations[p.name]) for p in graph.populations}
    sparse = {one.name: _sparse(own.ranks, graph, one, cells[one.post], gids) for one in sets}
    if v_init is None:
        v_init = float(getattr(h, "v_init", V_INIT))  # known when stdrun.hoc was loaded
    network = build.connect(own, graph, cells, gids, sparse, v_init, Background(sources | noisy, ordered))
    own.ranks.pc.set_maxstep(10)
    return network


def _graph(ranks: Ranks, populations: Mapping[str, Gids], sets: Sequence[NetCons], seed: int, dt: float) -> Graph:
    """Return the graph, if it is the same on every rank."""
    taught = {name for part in ranks.allgather([n for n, p in populations.items() if p.teachers]) for name in part}
    made: list[Population] = []
    first = 0
    for name, population in populations.items():
        made.append(Population(name, len(population.gids), population.kind, first, teacher=name in taught, bias=False))
        first += len(population.gids)
    graph = Graph(seed, dt, tuple(made), tuple(one.connections() for one in sets))
    gids = [gid for population in populations.values() for gid in population.gids]
    twice = next((gid for gid in gids if gids.count(gid) > 1), None) if len(set(gids)) < len(gids) else None
    if twice is not None:
        raise ConfigError(f"populations: gid {twice} occurs twice: give each cell to one population.")
    if len(set(ranks.allgather((graph.fingerprint, tuple(gids))))) > 1:
        raise ConfigError("attach: ranks describe different populations or sets: give the same on every rank.")
    return graph


def _handles(ranks: Ranks, populations: Mapping[str, Gids]) -> dict[str, build.Handles]:
    """Return the cells of this rank, with the segment that spikes, and the artificial cell that spikes or drives."""
    from neuron import h

    section = h.Section(name="segdend_listener")
    listener = h.SegDendListener(section(0.5))
    found: dict[str, build.Handles] = {}
    for name, given in populations.items():
        here = [(k, gid) for k, gid in enumerate(given.gids) if ranks.pc.gid_exists(gid) >= WITH_CELL]
        ears = [(k, gid, ranks.pc.gid_connect(gid, listener)) for k, gid in here]
        found[name] = [
            (k, CellHandle(gid, soma=ear.preseg(), point=given.drives.get(gid) if given.drives else ear.pre()))
            for k, gid, ear in ears
        ]
    return found


def _cells(ranks: Ranks, graph: Graph, population: Population, handles: build.Handles, given: Gids) -> Cells:
    positions, mine = build.split(handles)
    if isinstance(given.kind, Poisson):
        return InputCells(graph, population, mine, positions)
    if isinstance(given.kind, Generator):
        return GeneratorCells(graph, population, mine, positions, given.kind)
    teachers = {k: own for k, handle in handles if (own := given.teachers_of(handle.gid))}
    return OwnCells(graph, population, mine, positions, given.kind, ranks, teachers)


def _sparse(ranks: Ranks, graph: Graph, one: NetCons, cells: Cells, gids: Mapping[str, Sequence[int]]) -> Sparse:
    connections = graph.set(one.name)
    sources = [gid for name in connections.pre for gid in gids[name]]
    pre, post = ({gid: k for k, gid in enumerate(found)} for found in (sources, gids[one.post]))
    synapses = [(pre[source], post[target], netcon) for source, target, netcon in one.netcons]
    unit = cells.kind.drive_per_weight if isinstance(cells, OwnCells) else 1.0
    unit = -unit if one.inhibits else unit
    made = Sparse(ranks, graph, connections, synapses, cells.positions, sources, one.index, unit, one.ratio)
    if isinstance(cells, OwnCells):
        cells.take(made, {k: one.reads[gid] for k, gid in enumerate(cells.gids) if gid in one.reads})
    return made


def create(graph: Graph, cells: Mapping[str, Sequence[CellHandle]]) -> Network:
    """Make the sets of a graph between cells that exist already; every rank must call this.

    Parameters
    ----------
    graph
        What is connected with what, for example of `segdend_plugin.engine.layered.chain`.
    cells
        Of every population, the cells on this rank; the gid of each is its number in the graph, and is registered here.

    Returns
    -------
    Network
        This rank's part, for a `Learner`.

    Raises
    ------
    ConfigError
        If cells are missing, or a gid is not a number of its population.
    """
    from neuron import h

    own = session()
    own.begin(owns_gids=True)
    pc, handles = own.ranks.pc, {}
    for population in graph.populations:
        mine = sorted(cells.get(population.name, ()), key=lambda handle: handle.gid)
        for handle in mine:
            if handle.gid not in population.numbers:
                raise ConfigError(
                    f"population {population.name!r}: gid {handle.gid} is not one of its numbers, which run from "
                    f"{population.first} to {population.first + population.size - 1}: give each cell its number."
                )
            if pc.gid_exists(handle.gid):
                raise ConfigError(
                    f"population {population.name!r}: gid {handle.gid} is taken in this process: leave gids to the "
                    "plugin, or attach to a model that has its own."
                )
            pc.set_gid2node(handle.gid, own.ranks.rank)
            if not graph.onto(population.name) and handle.point is not None:
                pc.cell(handle.gid, h.NetCon(handle.point, None))
        handles[population.name] = [(handle.gid - population.first, handle) for handle in mine]
    found = own.ranks.allgather({name: len(mine) for name, mine in handles.items()})
    for population in graph.populations:
        there = sum(part[population.name] for part in found)
        if there != population.size:
            raise ConfigError(
                f"population {population.name!r}: it has {population.size} cells, {there} were given: give every cell "
                "on one rank."
            )
    made = build.make_cells(own, graph, handles, {})
    network = build.connect(own, graph, made, {p.name: list(p.numbers) for p in graph.populations})
    pc.set_maxstep(10)
    return network
