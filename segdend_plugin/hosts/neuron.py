"""Plain NEURON: networks of cells that the caller has made (`create`), or a whole model of somebody's (`attach`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from segdend_plugin.engine import build
from segdend_plugin.engine.background import Background, Ordered
from segdend_plugin.engine.kinds.base import CellHandle, Cells
from segdend_plugin.engine.kinds.own import Own, OwnCells, Teacher
from segdend_plugin.engine.kinds.poisson import InputCells, Poisson
from segdend_plugin.engine.mpi import Ranks
from segdend_plugin.engine.network import Network
from segdend_plugin.engine.session import session
from segdend_plugin.engine.sparse import Sparse
from segdend_plugin.errors import ConfigError, SegDendError
from segdend_plugin.model.graph import Connections, Graph, Initial, Population, Role
from segdend_plugin.model.places import Landing
from segdend_plugin.types import HocObject

__all__ = ["Gids", "NetCons", "Own", "Poisson", "Teacher", "attach", "create"]

V_INIT = -65.0
"""Potential (mV) at which NEURON's run system begins, if nobody says otherwise."""


@dataclass(frozen=True, eq=False)
class Gids:
    """Cells of a model as a population: they have gids, of ``pc.set_gid2node`` and ``pc.cell``.

    Attributes
    ----------
    gids
        Of all cells on all ranks, the same on every rank; their order numbers the cells.
    kind
        What they are: cells that spike by themselves, or SegDendInput cells, whose drive the task gives.
    teachers
        By gid of the cells on this rank, a current that flows while a teacher speaks.
    """

    gids: Sequence[int]
    kind: Own | Poisson = Own()  # noqa: RUF009  frozen
    teachers: Mapping[int, Teacher] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class NetCons:
    """NetCons of a model as a set.

    Attributes
    ----------
    name, pre, post
        Name; the population or populations that they come from; the one that they reach.
    netcons
        Those of this rank, each with the gids of its cells: (gid of the source, gid of the target, NetCon).
    role
        What rules select by.
    learned
        Whether a rule may change them; by default, forward sets.
    index
        Which number of each NetCon's weights learns.
    bounds
        Of the weights.
    """

    name: str
    pre: str | Sequence[str]
    post: str
    netcons: Sequence[tuple[int, int, HocObject]]
    role: Role = "forward"
    learned: bool | None = None
    index: int = 0
    bounds: tuple[float, float] = (0.0, float("inf"))

    def connections(self) -> Connections:
        """Return what the graph says of it."""
        return Connections(
            self.name,
            (self.pre,) if isinstance(self.pre, str) else tuple(self.pre),
            self.post,
            Landing("own", 1),
            role=self.role,
            learned=self.role == "forward" if self.learned is None else self.learned,
            form="sparse",
            delay=None,
            bounds=self.bounds,
            initial=Initial("given"),
        )


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
    from neuron import h

    own = session()
    if own.owns_gids:
        raise SegDendError(
            "attach: this process holds a network that the plugin has built, with which all gids go: attach to a model "
            "in a process of its own."
        )
    if h.CVode().active():
        raise ConfigError("attach: NEURON's variable time step is on: turn it off by h.CVode().active(False).")
    if own.ranks.replicas > 1:
        raise ConfigError(f"replicas={own.ranks.replicas}: a model that was built before has one: start with 1.")
    graph = _graph(own.ranks, populations, sets, seed, float(h.dt) if dt is None else dt)
    gids = {name: list(population.gids) for name, population in populations.items()}
    numbers = {gid: number for p in graph.populations for gid, number in zip(gids[p.name], p.numbers, strict=True)}
    handles = _handles(own.ranks, gids)
    problems = [_misfit(p, handles[p.name], populations[p.name]) for p in graph.populations]
    problems += [_mismatch(one, graph, gids, handles) for one in sets]
    problems += [_unnumbered(background or {}), _twice(sets)]
    _raise_first(own.ranks, problems)
    _raise_first(own.ranks, _missing(own.ranks, graph, populations, sets))
    own.begin(owns_gids=False)
    sources = {len(numbers) + number: source for number, source in (background or {}).items()}
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


def _handles(ranks: Ranks, gids: Mapping[str, Sequence[int]]) -> dict[str, build.Handles]:
    """Return the cells of this rank, with the segment or the artificial cell that spikes."""
    from neuron import h

    section = h.Section(name="segdend_listener")
    listener = h.SegDendListener(section(0.5))
    found: dict[str, build.Handles] = {}
    for name, all_of_it in gids.items():
        here = [(k, gid) for k, gid in enumerate(all_of_it) if ranks.pc.gid_exists(gid) >= _WITH_CELL]
        ears = [(k, gid, ranks.pc.gid_connect(gid, listener)) for k, gid in here]
        found[name] = [(k, CellHandle(gid, soma=ear.preseg(), point=ear.pre())) for k, gid, ear in ears]
    return found


_WITH_CELL = 2
"""What ``pc.gid_exists`` returns at least, if a gid has a cell on this rank."""


def _misfit(population: Population, handles: build.Handles, given: Gids) -> str | None:
    """Return what is wrong with cells of this rank."""
    where = f"population {population.name!r}"
    if not isinstance(given.kind, (Own, Poisson)):
        return f"{where}: kind={given.kind!r}: the model has made these cells: take kind=Own()."
    if isinstance(given.kind, Poisson):
        other = next((h for _, h in handles if h.point is None or not h.point.hname().startswith("SegDendInput")), None)
        if other is not None:
            return f"{where}: gid {other.gid} is no SegDendInput, which the task could drive: take kind=Own()."
    here = {handle.gid for _, handle in handles}
    for gid, teacher in given.teachers.items():
        if gid not in here:
            return f"{where}: it has a teacher for gid {gid}, which is no cell of it on this rank: leave it out."
        if not hasattr(teacher.clamp, "amp"):
            return f"{where}: the teacher of gid {gid} is {teacher.clamp}: give an IClamp."
    if population.teacher and len(given.teachers) < len(here):
        return f"{where}: gid {min(here - given.teachers.keys())} has no teacher, but others have: give one to each."
    return None


def _mismatch(
    one: NetCons, graph: Graph, gids: Mapping[str, Sequence[int]], handles: Mapping[str, build.Handles]
) -> str | None:
    """Return what is wrong with NetCons of this rank."""
    known = {gid for name in graph.set(one.name).pre for gid in gids[name]}
    here = {handle.gid for _, handle in handles[one.post]}
    for pre, post, netcon in one.netcons:
        which = f"set {one.name!r}: the NetCon from gid {pre} to {post}"
        if netcon.srcgid() != pre or pre not in known:
            return f"{which} has the source {int(netcon.srcgid())}, which is to be a cell of {one.pre!r}: correct it."
        if netcon.syn() is None or post not in here:
            return f"{which} reaches no cell of {one.post!r} on this rank: give it where its target is."
        if not 0 <= one.index < netcon.wcnt():
            return f"{which} has {int(netcon.wcnt())} weights, none of number {one.index}: give another index."
    return None


def _missing(ranks: Ranks, graph: Graph, populations: Mapping[str, Gids], sets: Sequence[NetCons]) -> list[str | None]:
    """Return what no rank has."""
    there = {
        gid
        for part in ranks.allgather(
            [g for p in populations.values() for g in p.gids if ranks.pc.gid_exists(g) >= _WITH_CELL]
        )
        for gid in part
    }
    gone = next((gid for population in populations.values() for gid in population.gids if gid not in there), None)
    counts = [sum(part) for part in zip(*ranks.allgather([len(one.netcons) for one in sets]), strict=True)]
    empty = next((one.name for one, count in zip(sets, counts, strict=True) if not count), None)
    return [
        None if gone is None else f"populations: no rank has a cell of gid {gone}: call pc.set_gid2node and pc.cell.",
        None if empty is None else f"set {empty!r}: no rank has a NetCon of it: give some, or leave it out.",
    ]


def _raise_first(ranks: Ranks, problems: Sequence[str | None]) -> None:
    """Raise on every rank the first problem of any."""
    everywhere = ranks.allgather([problem for problem in problems if problem is not None])
    first = next((problem for part in everywhere for problem in part), None)
    if first is not None:
        raise ConfigError(first)


def _unnumbered(background: Mapping[int, HocObject]) -> str | None:
    """Return which number of a NetStim is none."""
    wrong = next((number for number in background if not isinstance(number, int) or number < 0), None)
    return None if wrong is None else f"background: a number is {wrong!r}: give whole numbers from 0 on."


def _twice(sets: Sequence[NetCons]) -> str | None:
    """Return which NetCon of this rank two sets would change, or one twice."""
    seen: set[tuple[str, int]] = set()
    for one in sets:
        for pre, post, netcon in one.netcons:
            key = (netcon.hname(), one.index)
            if key in seen:
                return f"set {one.name!r}: the NetCon from gid {pre} to {post} is given twice: give each one once."
            seen.add(key)
    return None


def _cells(ranks: Ranks, graph: Graph, population: Population, handles: build.Handles, given: Gids) -> Cells:
    positions, mine = build.split(handles)
    if isinstance(given.kind, Poisson):
        return InputCells(graph, population, mine, positions)
    teachers = {k: given.teachers[handle.gid] for k, handle in handles if handle.gid in given.teachers}
    return OwnCells(graph, population, mine, positions, given.kind, ranks, teachers)


def _sparse(ranks: Ranks, graph: Graph, one: NetCons, cells: Cells, gids: Mapping[str, Sequence[int]]) -> Sparse:
    connections = graph.set(one.name)
    sources = [gid for name in connections.pre for gid in gids[name]]
    pre, post = ({gid: k for k, gid in enumerate(found)} for found in (sources, gids[one.post]))
    synapses = [(pre[source], post[target], netcon) for source, target, netcon in one.netcons]
    unit = cells.kind.drive_per_weight if isinstance(cells, OwnCells) else 1.0
    made = Sparse(ranks, graph, connections, synapses, cells.positions, sources, one.index, unit)
    if isinstance(cells, OwnCells):
        cells.take(made)
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
