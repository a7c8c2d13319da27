"""NetPyNE connection rules whose NetCons learn: NetPyNE connects, and what it made becomes populations and sets.

A rule is marked by ``'plast': {'mech': 'SegDend'}``, and keeps all of NetPyNE's fields. ``plast.params`` may say:

`role`
    ``'forward'``, the default, or ``'feedback'``, or ``'fixed'``: what learning rules select by.
`learned`
    Whether a learning rule may change the weights; by default, of forward rules.
`bounds`
    Lowest and highest weight; by default 0 and above, or any where weights are signed.
`sec`, `loc`
    Of feedback rules: on which section, and where (0.5), plateaus are read; by default where synapses are.

With one `synMech` every NetCon has a weight of its own, and where it inhibits, more of it means less drive: so cells
keep to Dale's law, if each population has one. With a list of one that excites and one that inhibits (by their
reversal potentials `e`) each connection has a signed weight, which the two share.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log2
from typing import Any

from segdend_plugin.cells.units import Scale
from segdend_plugin.engine.kinds.generator import Generator
from segdend_plugin.engine.kinds.own import Own
from segdend_plugin.engine.kinds.poisson import Poisson
from segdend_plugin.engine.mpi import Ranks
from segdend_plugin.engine.sparse import NetConOrPair
from segdend_plugin.errors import ConfigError
from segdend_plugin.hosts import connections
from segdend_plugin.hosts.connections import INPUT
from segdend_plugin.hosts.given import Gids, NetCons, raise_first
from segdend_plugin.hosts.neuron import V_INIT
from segdend_plugin.hosts.stims import (
    BETWEEN,
    background,
    cells_of,
    declared_rate,
    driver,
    drives_of,
    local,
    reversal,
    teachers_of,
)
from segdend_plugin.model.graph import Role
from segdend_plugin.types import HocObject, Segment, is_number

GENERATORS = ("NetStim", "VecStim")
NEAR_THRESHOLD = -60.0
"""Potential (mV) at which driving forces are compared."""
FIELDS = frozenset(
    (
        *("preConds", "postConds", "connFunc", "probability", "convergence", "divergence", "connList", "plast"),
        *("weight", "delay", "synMech", "synsPerConn", "sec", "loc", "threshold", "weightIndex"),
        *("synMechWeightFactor", "synMechDelayFactor", "synMechLocFactor", "disynapticBias"),
        *("connRandomSecFromList", "distributeSynsUniformly", "preSec", "preLoc"),
    )
)
"""What NetPyNE reads of a rule that is made of NetCons (`shape` would overwrite what is learned)."""
_PARAMS = ("role", "learned", "bounds", "dense", "sec", "loc")
_ROLES = ("forward", "feedback", "fixed")


@dataclass(frozen=True)
class Marked:
    """What one marked rule says."""

    label: str
    role: Role
    learned: bool
    bounds: tuple[float, float] | None
    index: int
    sec: str | None = None
    loc: float = 0.5


def take(conn_params: Mapping[str, Any]) -> dict[str, Marked]:
    """Return the marked rules that NetPyNE is to connect, by label."""
    found = {}
    for label, rule in conn_params.items():
        with connections.of_rule(label):
            if connections.is_ours(rule) and not connections.is_dense(rule):
                found[str(label)] = _read(str(label), rule)
    return found


def _read(label: str, rule: Mapping[str, Any]) -> Marked:
    other = next((key for key in rule if key not in FIELDS), None)
    if other == "shape":
        raise ConfigError("shape overwrites the weights that are learned: remove it, or remove plast.")
    if other is not None:
        raise ConfigError(f"NetPyNE does not read {other!r} of a connection rule: remove it.")
    params = connections.params_of(rule["plast"])
    unknown = next((key for key in params if key not in _PARAMS), None)
    if unknown is not None:
        raise ConfigError(f"unknown key {unknown!r} in plast.params: remove it, or take {', '.join(_PARAMS)}.")
    role = params.get("role", "forward")
    if role not in _ROLES:
        raise ConfigError(f"role={role!r} is unknown: give one of {', '.join(map(repr, _ROLES))}.")
    learned = params.get("learned", role == "forward")
    if not isinstance(learned, bool):
        raise ConfigError(f"learned={learned!r}: give True or False.")
    sec, loc = params.get("sec"), params.get("loc", 0.5)
    if {"sec", "loc"} & params.keys() and (role != "feedback" or not isinstance(sec, str)):
        raise ConfigError(f"sec={sec!r}: name the section where plateaus are read, in a rule with role='feedback'.")
    if not is_number(loc) or not 0 <= loc <= 1:
        raise ConfigError(f"loc={loc!r}: give a place on the section, from 0 to 1.")
    bounds, index = _bounds(params.get("bounds")), int(rule.get("weightIndex", 0))
    return Marked(label, role, learned, bounds, index, sec, float(loc))


def _bounds(given: Any) -> tuple[float, float] | None:
    """Return the lowest and the highest weight, if they are given."""
    if given is None:
        return None
    if not isinstance(given, (list, tuple)) or len(given) != 2 or not all(isinstance(b, (int, float)) for b in given):
        raise ConfigError(f"bounds={given!r}: give the lowest and the highest weight.")
    if not given[0] < given[1]:
        raise ConfigError(f"bounds={given!r}: give the lowest weight first.")
    return float(given[0]), float(given[1])


@dataclass(frozen=True)
class Model:
    """What `attach` of plain NEURON takes, of a NetPyNE model."""

    populations: Mapping[str, Gids]
    sets: Sequence[NetCons]
    background: Mapping[int, HocObject]


def model_of(
    sim: Any,
    ranks: Ranks,
    marked: Mapping[str, Marked],
    teachers: Mapping[str, Sequence[str]],
    inputs: Mapping[str, str],
) -> Model:
    """Return the populations and sets of a model that NetPyNE has connected; every rank must call this.

    Parameters
    ----------
    sim
        NetPyNE's.
    ranks
        The MPI job.
    marked
        The rules.
    teachers
        By taught population, the labels of stimulation sources that are its teachers; with none, it gets teachers of
        the plugin's.
    inputs
        By input population whose cells spike by themselves, the label of the source through which the task drives it.
    """
    pops = {gid: str(cell.tags["pop"]) for gid, cell in local(sim)}
    whose = {gid: name for part in ranks.allgather(pops) for gid, name in part.items()}
    found = _connections(sim, marked, whose)
    reach = _reach(ranks, found, whose, list(sim.net.pops))
    for label in marked:
        if not any(label == key[0] for key in reach):
            raise ConfigError(f"connParams[{label!r}]: NetPyNE made no connection of it: mend its conditions.")
    named = {name for (_, post), pre in reach.items() for name in (*pre, post)}
    names = [name for name in sim.net.pops if name in named]
    onto = {name: {marked[label].role for label, post in reach if post == name} for name in names}
    taught = teachers or {name: () for name in names if "forward" in onto[name] and "feedback" not in onto[name]}
    unknown = next((name for name in taught if not onto.get(name)), None)
    if unknown is not None:
        raise ConfigError(f"teachers: no marked rule reaches a population {unknown!r}: name one of {', '.join(names)}.")
    wrong = next((name for name in inputs if onto.get(name) != set()), None)
    if wrong is not None:
        raise ConfigError(f"inputs: marked rules go on from no population {wrong!r}, or reach it: name another one.")
    populations = {}
    for name in names:
        gids, cells = sorted(gid for gid, pop in whose.items() if pop == name), cells_of(sim, name)
        kind = driver(sim, inputs[name]) if name in inputs else _kind(sim, name, reached=bool(onto[name]))
        teach = teachers_of(ranks, name, cells, taught[name]) if name in taught else {}
        populations[name] = Gids(
            gids, kind, teach, drives_of(ranks, name, cells, inputs[name]) if name in inputs else {}
        )
    signs = _signs(ranks, found)
    sets = []
    for label, one in marked.items():
        posts = [post for post in names if (label, post) in reach]
        for post in posts:
            name = label if len(posts) == 1 else f"{label}:{post}"
            made = _set(one, name, reach[label, post], post, found.get((label, post), []), signs[label, post])
            sets.append(replace(made, reads=_reads(ranks, sim, one, post)))
    return Model(populations, sets, background(ranks, sim, inputs))


@contextlib.contextmanager
def in_one_order(sim: Any) -> Iterator[None]:
    """Let NetPyNE meet all cells in the order of gids, not of ranks.

    It makes a synapse for each connection, and the currents of those on one segment are added in the order in which
    they were made: without this, potentials differ in their last bits between numbers of ranks.
    """
    gather = sim._gatherAllCellTags
    sim._gatherAllCellTags = lambda: dict(sorted(gather().items()))
    try:
        yield
    finally:
        sim._gatherAllCellTags = gather


def is_disordered(sim: Any) -> bool:
    """Whether the synapses of a cell of this rank may have been made in an order that depends on ranks."""
    if sim.nhosts == 1:
        return False
    for _, cell in local(sim):
        sources: dict[str, list[int]] = defaultdict(list)
        for conn in cell.conns:
            if conn["preGid"] != "NetStim":
                sources[str(conn.get("label"))].append(int(conn["preGid"]))
        if any(gids != sorted(gids) for gids in sources.values()):
            return True
    return False


def publish(sim: Any, marked: Mapping[str, Marked]) -> None:
    """Write learned weights into NetPyNE's own tables, from which it gathers, saves and plots."""
    for _, cell in local(sim):
        for conn in cell.conns:
            one = marked.get(conn.get("label"))
            if one is not None and conn.get("hObj") is not None:
                conn["weight"] = conn["hObj"].weight[one.index]


Key = tuple[str, str]
"""Label of a rule, and postsynaptic population."""
Found = Mapping[Key, list[tuple[int, int, NetConOrPair]]]


def _connections(sim: Any, marked: Mapping[str, Marked], whose: Mapping[int, str]) -> Found:
    """Return the NetCons of this rank that rules have made, in pairs where their weights are signed."""
    found: dict[Key, list[tuple[int, int, NetConOrPair]]] = defaultdict(list)
    for gid, cell in local(sim):
        made: dict[tuple[str, int], list[HocObject]] = defaultdict(list)
        for conn in cell.conns:
            label = conn.get("label")
            if label in marked and conn.get("hObj") is not None:
                made[label, int(conn["preGid"])].append(conn["hObj"])
        for (label, pre), netcons in made.items():
            found[label, whose[gid]] += [(pre, gid, one) for one in _in_pairs(netcons)]
    return found


def _in_pairs(netcons: Sequence[HocObject]) -> Sequence[NetConOrPair]:
    """Return NetCons from one cell to another, each that excites with one that inhibits if there are as many."""
    by_sign: dict[bool, list[HocObject]] = {True: [], False: []}
    for netcon in netcons:
        e = reversal(netcon)
        if e is None:
            return netcons
        by_sign[e >= BETWEEN].append(netcon)
    excite, inhibit = by_sign[True], by_sign[False]
    if len(excite) == len(inhibit):
        return list(zip(excite, inhibit, strict=True))
    return netcons


def _reach(ranks: Ranks, found: Found, whose: Mapping[int, str], order: Sequence[str]) -> dict[Key, tuple[str, ...]]:
    """Return the populations that each set comes from, in their order; the same on every rank."""
    mine = {key: {whose[pre] for pre, _, _ in synapses} for key, synapses in found.items()}
    all_of_it: dict[Key, set[str]] = defaultdict(set)
    for part in ranks.allgather(mine):
        for key, names in part.items():
            all_of_it[key] |= names
    return {key: tuple(name for name in order if name in names) for key, names in all_of_it.items()}


def _kind(sim: Any, name: str, *, reached: bool) -> Own | Poisson | Generator:
    """Return what the cells of a population are."""
    said = dict(sim.net.params.popParams.get(name) or {})
    said |= said.get("params") or {}  # where NetPyNE keeps what it does not know
    label = str(said.get("cellType", said.get("cellModel", name)))
    cell = sim.net.params.cellParams.get(label) or {}
    model = said.get("cellModel", cell.get("cellModel"))
    if model == INPUT:
        return Poisson()
    if model in GENERATORS and not reached:
        return Generator(declared_rate(f"popParams[{name!r}]", dict(cell.get("params") or {}) | said))
    secs = cell.get("secs") or {}
    points = [point.get("mod") for sec in secs.values() for point in (sec.get("pointps") or {}).values()]
    if connections.LUMPED in points and reached:
        raise ConfigError(
            f"popParams[{name!r}]: NetCons do not reach three-compartment cells: set 'dense': True in plast.params of "
            "the rule, and leave out what says which cells are connected and how."
        )
    return Own(label, Scale(rest=float(sim.cfg.hParams.get("v_init", V_INIT))))


def _signs(ranks: Ranks, found: Found) -> dict[Key, set[str]]:
    """Return what the synapses of each set do; the same on every rank, also where it has none of them."""
    every: dict[Key, set[str]] = defaultdict(set)
    for part in ranks.allgather({key: {_does(given) for *_, given in made} for key, made in found.items()}):
        for key, does in part.items():
            every[key] |= does
    for (label, post), does in every.items():
        if len(does) > 1:
            raise ConfigError(
                f"connParams[{label!r}]: some synapses on {post!r} excite and some inhibit, but not in pairs: give "
                "synMech one of each, or one kind alone."
            )
    return every


def _does(given: NetConOrPair) -> str:
    if isinstance(given, tuple):
        return "both"
    e = reversal(given)
    return "inhibits" if e is not None and e < BETWEEN else "excites"


def _set(one: Marked, name: str, pre: Sequence[str], post: str, synapses: Sequence[Any], does: set[str]) -> NetCons:
    """Return the set of a rule onto one population."""
    pairs = [given for *_, given in synapses if isinstance(given, tuple)]
    lowest = float("-inf") if does == {"both"} else 0.0
    return NetCons(
        name,
        pre,
        post,
        synapses,
        one.role,
        one.learned,
        one.index,
        one.bounds if one.bounds is not None else (lowest, float("inf")),
        _ratio(pairs[0]) if pairs else 1.0,
        does == {"inhibits"},
    )


def _reads(ranks: Ranks, sim: Any, one: Marked, post: str) -> dict[int, Segment]:
    """Return by gid where plateaus are read, if the rule says so."""
    if one.sec is None:
        return {}
    cells = cells_of(sim, post)
    said = [
        f"connParams[{one.label!r}]: sec={one.sec!r}: cell {gid} has the sections {', '.join(cell.secs)}: name one."
        for gid, cell in cells
        if one.sec not in cell.secs
    ]
    raise_first(ranks, said)
    return {gid: cell.secs[one.sec]["hObj"](one.loc) for gid, cell in cells}


def _ratio(pair: tuple[HocObject, HocObject]) -> float:
    """Return how much weaker the inhibitory synapse drives a cell near threshold than the other one.

    A power of two, so that a signed weight has the same bits when it is put together again from a saved model.
    """
    excite, inhibit = (abs((reversal(netcon) or 0.0) - NEAR_THRESHOLD) for netcon in pair)
    return float(2.0 ** round(log2(excite / max(inhibit, 1.0))))
