"""Cells and NetCons of somebody's model as populations and sets, and whether they fit the model and each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from segdend_plugin.engine import build
from segdend_plugin.engine.kinds.generator import Generator
from segdend_plugin.engine.kinds.own import Own
from segdend_plugin.engine.kinds.poisson import Poisson
from segdend_plugin.engine.kinds.stimuli import SpikeTeacher, Stimulus, Teacher
from segdend_plugin.engine.mpi import Ranks
from segdend_plugin.engine.sparse import NetConOrPair, parts
from segdend_plugin.errors import ConfigError
from segdend_plugin.model.graph import Connections, Graph, Initial, Population, Role
from segdend_plugin.model.places import Landing
from segdend_plugin.types import HocObject, Segment


@dataclass(frozen=True, eq=False)
class Gids:
    """Cells of a model as a population: they have gids, of ``pc.set_gid2node`` and ``pc.cell``.

    Attributes
    ----------
    gids
        Of all cells on all ranks, the same on every rank; their order numbers the cells.
    kind
        What they are: cells that spike by themselves; or SegDendInput cells (Poisson), or NetStims and VecStims
        (Generator), whose drive the task gives.
    teachers
        By gid of the cells on this rank, what acts on them while a teacher speaks: a current, spikes, or several.
    drives
        Of a Generator whose cells are no NetStims or VecStims themselves, by gid of the cells on this rank, the one
        that drives each: the task sets its spikes, and the cell fires as it does.
    """

    gids: Sequence[int]
    kind: Own | Poisson | Generator = Own()  # noqa: RUF009  frozen
    teachers: Mapping[int, Stimulus | Sequence[Stimulus]] = field(default_factory=dict)
    drives: Mapping[int, HocObject] = field(default_factory=dict)

    def teachers_of(self, gid: int) -> tuple[Stimulus, ...]:
        """Return those of a cell."""
        own = self.teachers.get(gid, ())
        return (own,) if isinstance(own, (Teacher, SpikeTeacher)) else tuple(own)


@dataclass(frozen=True, eq=False)
class NetCons:
    """NetCons of a model as a set.

    Attributes
    ----------
    name, pre, post
        Name; the population or populations that they come from; the one that they reach.
    netcons
        Those of this rank, each with the gids of its cells: (gid of the source, gid of the target, NetCon). Instead of
        a NetCon there may be a pair of them, one that excites and one that inhibits: their weight is then signed.
    role
        What rules select by.
    learned
        Whether a rule may change them; by default, forward sets.
    index
        Which number of each NetCon's weights learns.
    bounds
        Of the weights.
    ratio
        How many times stronger the inhibitory NetCon of a pair is for a weight of -1 than the other one for 1.
    inhibits
        Whether a larger weight means less drive, as of NetCons onto inhibitory synapses.
    reads
        By gid of the cells on this rank, the segment whose potential is read for what the set does (plateaus, of a
        feedback set); by default those where its synapses are.
    """

    name: str
    pre: str | Sequence[str]
    post: str
    netcons: Sequence[tuple[int, int, NetConOrPair]]
    role: Role = "forward"
    learned: bool | None = None
    index: int = 0
    bounds: tuple[float, float] = (0.0, float("inf"))
    ratio: float = 1.0
    inhibits: bool = False
    reads: Mapping[int, Segment] = field(default_factory=dict)

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


WITH_CELL = 2
"""What ``pc.gid_exists`` returns at least, if a gid has a cell on this rank."""


def misfit(population: Population, handles: build.Handles, given: Gids) -> str | None:
    """Return what is wrong with cells of this rank."""
    where = f"population {population.name!r}"
    if not isinstance(given.kind, (Own, Poisson, Generator)):
        return f"{where}: kind={given.kind!r}: the model has made these cells: take kind=Own()."
    if isinstance(given.kind, Generator):
        other = next((h for _, h in handles if h.point is None or not _generates(h.point)), None)
        if other is not None:
            return (
                f"{where}: gid {other.gid} is no NetStim or VecStim, which the task could drive: give the one that "
                "drives it, drives={gid: NetStim}, or take kind=Own()."
            )
    if isinstance(given.kind, Poisson):
        other = next((h for _, h in handles if h.point is None or not h.point.hname().startswith("SegDendInput")), None)
        if other is not None:
            return f"{where}: gid {other.gid} is no SegDendInput, which the task could drive: take kind=Own()."
    here = {handle.gid for _, handle in handles}
    if given.drives and not isinstance(given.kind, Generator):
        return f"{where}: drives are of kind=Generator(), not of {given.kind.label}: leave them out."
    for what, gid in (*(("teacher", gid) for gid in given.teachers), *(("drive", gid) for gid in given.drives)):
        if gid not in here:
            return f"{where}: it has a {what} for gid {gid}, which is no cell of it on this rank: leave it out."
    for gid in given.teachers:
        wrong = next((misfit for one in given.teachers_of(gid) if (misfit := one.misfit()) is not None), None)
        if wrong is not None:
            return f"{where}: the teacher of gid {gid} {wrong}."
    if population.teacher and len(given.teachers) < len(here):
        return f"{where}: gid {min(here - given.teachers.keys())} has no teacher, but others have: give one to each."
    return None


def _generates(point: HocObject) -> bool:
    """Whether an artificial cell is a NetStim, or plays a Vector as a VecStim does."""
    return point.hname().startswith("NetStim") or hasattr(point, "play")


def mismatch(
    one: NetCons, graph: Graph, gids: Mapping[str, Sequence[int]], handles: Mapping[str, build.Handles]
) -> str | None:
    """Return what is wrong with NetCons of this rank."""
    known = {gid for name in graph.set(one.name).pre for gid in gids[name]}
    here = {handle.gid for _, handle in handles[one.post]}
    for pre, post, netcon in ((pre, post, part) for pre, post, given in one.netcons for part in parts(given)):
        which = f"set {one.name!r}: the NetCon from gid {pre} to {post}"
        if netcon.srcgid() != pre or pre not in known:
            return f"{which} has the source {int(netcon.srcgid())}, which is to be a cell of {one.pre!r}: correct it."
        if netcon.syn() is None or post not in here:
            return f"{which} reaches no cell of {one.post!r} on this rank: give it where its target is."
        if one.role == "feedback" and not hasattr(netcon.syn(), "get_segment"):
            return (
                f"{which} reaches an artificial cell, without a membrane where plateaus could be read: let "
                f"{one.post!r} be an input or an output, or give the set role='fixed'."
            )
        if not 0 <= one.index < netcon.wcnt():
            return f"{which} has {int(netcon.wcnt())} weights, none of number {one.index}: give another index."
    return None


def missing(ranks: Ranks, graph: Graph, populations: Mapping[str, Gids], sets: Sequence[NetCons]) -> list[str | None]:
    """Return what no rank has."""
    there = {
        gid
        for part in ranks.allgather(
            [g for p in populations.values() for g in p.gids if ranks.pc.gid_exists(g) >= WITH_CELL]
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


def raise_first(ranks: Ranks, problems: Sequence[str | None]) -> None:
    """Raise on every rank the first problem of any."""
    everywhere = ranks.allgather([problem for problem in problems if problem is not None])
    first = next((problem for part in everywhere for problem in part), None)
    if first is not None:
        raise ConfigError(first)


def unnumbered(background: Mapping[int, HocObject]) -> str | None:
    """Return which number of a NetStim is none."""
    wrong = next((number for number in background if not isinstance(number, int) or number < 0), None)
    return None if wrong is None else f"background: a number is {wrong!r}: give whole numbers from 0 on."


def twice(sets: Sequence[NetCons]) -> str | None:
    """Return which NetCon of this rank two sets would change, or one twice."""
    seen: set[tuple[str, int]] = set()
    for one in sets:
        for pre, post, netcon in ((pre, post, part) for pre, post, given in one.netcons for part in parts(given)):
            key = (netcon.hname(), one.index)
            if key in seen:
                return f"set {one.name!r}: the NetCon from gid {pre} to {post} is given twice: give each one once."
            seen.add(key)
    return None
