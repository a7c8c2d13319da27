"""Connection rules of ours among NetPyNE's connParams: what they may say, and the graph that they describe.

A rule is ours when its `plast` names the mechanism SegDend::

    netParams.connParams['input->hidden'] = {
        'preConds': {'pop': 'input'}, 'postConds': {'pop': 'hidden'}, 'sec': 'basal', 'delay': 1.0,
        'plast': {'mech': 'SegDend', 'params': {'role': 'forward', 'sites': 8}}}

`role` is ``'forward'`` (by default onto basal dendrites, learned), ``'feedback'`` (onto the tips of tufts, fixed
unless ``'learned': True``) or ``'inhibition'`` (from interneurons: the other parameters are then fields of
`segdend_plugin.rule.inhibition.Inhibition`). `sec` names where synapses land: a section list of the cell, ``'tips'``
(of its list ``'tuft'``), ``'nexus'`` (where its list ``'trunk'`` meets ``'tuft'``) or ``'soma'``. Further parameters
are `sites`, `weighting`, `nearest`, `farthest`, `per_input` (`segdend_plugin.model.places.Landing`), `learned`,
`signal` and `memory` (`segdend_plugin.model.graph.Connections`), and `spread`, `fraction`, `scale` and `noise`
(`segdend_plugin.model.graph.Initial`). Every cell of one side reaches every cell of the other, or a `fraction` of them,
with weights that the plugin draws: `probability`, `weight`, `synMech` and all other fields of NetPyNE's own rules are
refused.
"""

from __future__ import annotations

import contextlib
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from segdend_plugin.cells.calibration import Synapse
from segdend_plugin.cells.templates import Membrane
from segdend_plugin.cells.units import PER_MICROSIEMENS, TAU_LONG, Scale
from segdend_plugin.engine.kinds.cable import Cable
from segdend_plugin.engine.kinds.lumped import Lumped
from segdend_plugin.engine.kinds.poisson import Poisson
from segdend_plugin.engine.layered import inhibition_sets
from segdend_plugin.errors import ConfigError
from segdend_plugin.model.graph import Connections, Graph, Initial, Kind, Population
from segdend_plugin.model.places import FEEDBACK, FORWARD, Landing
from segdend_plugin.rule.inhibition import Inhibition
from segdend_plugin.types import is_number

MECHANISM = "SegDend"
INPUT, LUMPED, LINEAR = "SegDendInput", "SegDendLumped", "SegDendLinear"
FIELDS = ("preConds", "postConds", "sec", "delay", "plast")
"""What is read of a connection rule of ours."""
NETCONS = (
    *("probability", "convergence", "divergence", "connList", "connFunc", "weight", "synMech", "synsPerConn", "loc"),
    *("threshold", "weightIndex"),
)
"""What only rules that NetPyNE itself connects have."""
ROLES = ("forward", "feedback", "inhibition")
_OLD_ROLES = {"feedforward": "forward"}
_LANDING = {field.name for field in fields(Landing)} - {"region"}
_SET = {"learned", "signal", "memory"}
_INITIAL = {"spread", "fraction", "scale", "noise"}
_INHIBITION = {field.name for field in fields(Inhibition)} - {"layer"}


@dataclass(frozen=True)
class Rule:
    """One of our connection rules: from populations to populations."""

    label: str
    role: str
    pre: tuple[str, ...]
    post: tuple[str, ...]
    delay: float
    landing: Landing
    initial: Initial
    more: Mapping[str, Any]
    inhibition: Inhibition | None = None

    def sets(self) -> list[Connections]:
        """Return one set for every postsynaptic population."""
        role = "feedback" if self.role == "feedback" else "forward"
        learned = {"learned": role == "forward"} | dict(self.more)
        return [
            Connections(
                self.label if len(self.post) == 1 else f"{self.label}:{post}",
                self.pre,
                post,
                self.landing,
                role,  # type: ignore[arg-type]
                delay=self.delay,
                initial=self.initial,
                **learned,
            )
            for post in self.post
        ]


@dataclass(frozen=True)
class Kinds:
    """What a NetPyNE model does not say of its cells."""

    gain: float
    scale: Scale
    synapse: Synapse
    location: str


def take_rules(conn_params: Mapping[str, Any]) -> dict[str, Rule]:
    """Return our rules by their labels."""
    found = {label: _read(str(label), conn_params[label]) for label in conn_params}
    return {label: rule for label, rule in found.items() if rule is not None}


def graph_of(sim: Any, rules: Mapping[str, Rule], kinds: Kinds, seed: int, dt: float) -> Graph:
    """Return the graph that our rules describe, on a model whose populations and cells NetPyNE has made.

    Parameters
    ----------
    sim
        NetPyNE's.
    rules
        Ours.
    kinds
        What is not said of the cells.
    seed, dt
        Of the graph.
    """
    named = [name for rule in rules.values() for name in (*rule.pre, *rule.post)]
    unknown = next((name for name in named if name not in sim.net.pops), None)
    if unknown is not None:
        raise ConfigError(f"popParams: there is no population {unknown!r} that connParams name: add it.")
    if not rules:
        raise ConfigError(f"connParams: no rule has 'plast': {{'mech': {MECHANISM!r}}}: mark those that are to learn.")
    learning = [c for rule in rules.values() if rule.inhibition is None for c in rule.sets()]
    interneurons = {rule.pre[0]: rule.inhibition for rule in rules.values() if rule.inhibition is not None}
    sizes = _sizes(sim, [name for name in sim.net.pops if name in named])
    populations, first = [], 0
    for name, size in sizes.items():
        reached = any(c.post == name for c in learning)
        back = any(c.post == name and c.role == "feedback" for c in learning)
        sends = any(name in c.pre and c.role == "forward" and c.post != name for c in learning)
        if reached and sends and not back:
            raise ConfigError(
                f"connParams: the hidden population {name!r} needs a feedback rule: without it nothing is learned."
            )
        is_input, taught = not reached and name not in interneurons, reached and not back
        kind = _kind(sim, name, kinds, interneurons.get(name), is_input=is_input, taught=taught)
        populations.append(Population(name, size, kind, first, taught, reached))
        first += size
    graph = Graph(seed, dt, tuple(populations), tuple(learning))
    sets = [c for rule in rules.values() if rule.inhibition is not None for c in _inhibition(graph, rule)]
    return replace(graph, connections=(*graph.connections, *sets))


def _sizes(sim: Any, names: Sequence[str]) -> dict[str, int]:
    everyone = (
        sim.pc.py_allgather({name: len(sim.net.pops[name].cellGids) for name in names})
        if sim.nhosts > 1
        else [{name: len(sim.net.pops[name].cellGids) for name in names}]
    )
    sizes = {name: sum(part[name] for part in everyone) for name in names}
    empty = next((name for name, size in sizes.items() if size == 0), None)
    if empty is not None:
        raise ConfigError(f"popParams[{empty!r}]: it has 0 cells, but connParams name it: give it one or more.")
    return sizes


def _inhibition(graph: Graph, rule: Rule) -> list[Connections]:
    """Return the sets to and from one population of interneurons."""
    hidden = [tuple(p.name for p in layer) for layer in graph.hidden_layers]
    if rule.post not in hidden or rule.inhibition is None:
        raise ConfigError(
            f"connParams[{rule.label!r}]: interneurons inhibit one of the hidden layers "
            f"{[list(post) for post in hidden]}, not {list(rule.post)}: mend the postConds."
        )
    inputs = [p for p in graph.inputs if isinstance(p.kind, Poisson)]
    layers = [inputs, *graph.hidden_layers, list(graph.taught)]
    return inhibition_sets(rule.pre[0], layers, replace(rule.inhibition, layer=hidden.index(rule.post)), rule.delay)


def _kind(sim: Any, name: str, kinds: Kinds, inhibition: Inhibition | None, *, is_input: bool, taught: bool) -> Kind:
    """Return what the cells of a population are."""
    tags = sim.net.pops[name].tags
    if is_input:
        if tags.get("cellModel") != INPUT:
            raise ConfigError(f"popParams[{name!r}]: the input population needs cellModel={INPUT!r}: set it.")
        return Poisson()
    if tags.get("cellModel") == INPUT:
        raise ConfigError(f"popParams[{name!r}]: nothing can land on {INPUT} cells: let the rule end on other cells.")
    if tags.get("cellModel") == LINEAR:
        if taught or inhibition is not None:
            raise ConfigError(
                f"popParams[{name!r}]: {LINEAR} cells cannot be taught or silenced: give a cellType with a {LUMPED}."
            )
        return Lumped(*_conductances(tags["params"]), label=name, scale=kinds.scale)
    label = str(tags.get("cellType", name))
    rule = sim.net.params.cellParams.get(label) or {}
    if rule.get("reduction") is not None:
        raise ConfigError(f"cellParams[{label!r}]: it has 'reduction', and reduced cells are gone: give the full cell.")
    secs = rule.get("secs") or {}
    points = [point for sec in secs.values() for point in (sec.get("pointps") or {}).values()]
    lumped = next((point for point in points if point.get("mod") == LUMPED), None)
    if lumped is not None:
        silent = (inhibition.silent_in, inhibition.silent_lead) if inhibition is not None else ()
        return Lumped(*_conductances(lumped), label, kinds.scale, *silent)
    if inhibition is not None:
        raise ConfigError(f"popParams[{name!r}]: interneurons need a {LUMPED} on their soma: add it.")
    _refuse_what_dense_sets_cannot(name, label, secs, active=rule.get("active") is not None)
    return Cable(
        label,
        membrane=Membrane(time_constant=_time_constant(secs)),
        active=rule.get("active") is not None,
        gain=kinds.gain,
        scale=kinds.scale,
        synapse=kinds.synapse,
        location=kinds.location,
    )


def _conductances(said: Mapping[str, Any]) -> tuple[float, float, float]:
    """Return g_leak, g_basal and g_apical (1/ms) of a three-compartment cell, of what its owner says in uS."""
    given = said.get("g_leak", 0.01), said.get("g_basal", 0.06), said.get("g_apical", 0.0)
    leak, basal, apical = (round(float(value) * PER_MICROSIEMENS, 12) for value in given)
    return leak, basal, apical


def _refuse_what_dense_sets_cannot(name: str, label: str, secs: Mapping[str, Any], *, active: bool) -> None:
    """Raise ConfigError for cells that spike by themselves, or that differ: the first one is measured for all."""
    remedy = "let NetPyNE connect them: give the rules onto them a weight and a synMech"
    channels = sorted({mech for sec in secs.values() for mech in sec.get("mechs") or {}} - _PASSIVE)
    if channels and not active:
        raise ConfigError(
            f"popParams[{name!r}]: its cells have channels ({', '.join(channels)}) and spike by themselves, "
            f"which cells of dense sets do not: {remedy}."
        )
    for sec, said in secs.items():
        values = {"geom": said.get("geom") or {}} | dict(said.get("mechs") or {})
        drawn = [(of, key, value) for of, own in values.items() for key, value in own.items() if isinstance(value, str)]
        if drawn:
            of, key, value = drawn[0]
            raise ConfigError(
                f"cellParams[{label!r}]: {sec}.{of}.{key}={value!r} makes cells that differ, but dense sets are "
                f"calibrated on the first one: give a number, or {remedy}."
            )


_PASSIVE = {"pas", "extracellular"}


def _time_constant(secs: Mapping[str, Any]) -> float:
    """Return the membrane time constant (ms) of the first section with a passive membrane."""
    for sec in secs.values():
        passive, geom = (sec.get("mechs") or {}).get("pas"), sec.get("geom") or {}
        if passive and passive.get("g"):
            return round(float(geom.get("cm", 1.0)) / float(passive["g"]) * 1e-3, 9)  # uF/cm2 over S/cm2 is us
    return TAU_LONG


# ------------------------------------------------------------------------------------------------------------- reading


def _read(label: str, rule: Mapping[str, Any]) -> Rule | None:
    """Return what a connection rule says; None if it is NetPyNE's own."""
    with of_rule(label):
        if not is_ours(rule) or not is_dense(rule):
            return None
        _refuse_other_fields(rule)
        params = params_of(rule["plast"])
        params.pop("dense", None)
        role, sec, delay = _role(params.pop("role", "forward")), _sec(rule), _delay(rule)
        pre, post = _pops(rule, "preConds"), _pops(rule, "postConds")
        if role == "inhibition":
            return Rule(label, role, pre, post, delay, FORWARD, Initial(), {}, _interneurons(pre, sec, params))
        _refuse_unknown(params, _LANDING | _SET | _INITIAL)
        more = {key: params.pop(key) for key in _SET & params.keys()}
        initial = {key: params.pop(key) for key in _INITIAL & params.keys()}
        return Rule(label, role, pre, post, delay, _landing(role, sec, params), _initial(role, initial), more)


@contextlib.contextmanager
def of_rule(label: str) -> Iterator[None]:
    """Let errors say which rule they are of."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"connParams[{label!r}]: {error}") from None


def is_ours(rule: Mapping[str, Any]) -> bool:
    """Whether a connection rule is marked."""
    plast = rule.get("plast")
    mech = plast.get("mech") if isinstance(plast, Mapping) else plast
    if mech == "SegDendProjection":
        raise ConfigError(f"plast.mech='SegDendProjection' is now {MECHANISM!r}: change it.")
    if plast == MECHANISM:
        raise ConfigError(f"plast={plast!r}: give {{'mech': {MECHANISM!r}, 'params': {{'role': ...}}}}.")
    return bool(mech == MECHANISM)


def is_dense(rule: Mapping[str, Any]) -> bool:
    """Whether a marked rule becomes a dense set: as it says, or where no field of it speaks of single connections."""
    params = params_of(rule["plast"])
    said = params.get("dense")
    if said is None:  # interneurons inhibit cells of the plugin only
        return params.get("role") == "inhibition" or not any(key in rule for key in NETCONS)
    if not isinstance(said, bool):
        raise ConfigError(f"dense={said!r}: give True or False.")
    return said


def _refuse_other_fields(rule: Mapping[str, Any]) -> None:
    other = next((key for key in rule if key not in FIELDS), None)
    if other is not None:
        raise ConfigError(
            f"{other}={reprlib.repr(rule[other])} is not read, because {MECHANISM} connects all cells with weights of "
            f"its own and knows only {', '.join(FIELDS)}: remove it, or remove plast to leave the rule to NetPyNE."
        )


def params_of(plast: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `plast` says beside the mechanism."""
    other = next((key for key in plast if key not in ("mech", "params")), None)
    if other is not None:
        raise ConfigError(f"plast has {other}={plast[other]!r}: move it into plast.params.")
    params = plast.get("params") or {}
    if not isinstance(params, Mapping):
        raise ConfigError(f"plast.params={params!r}: give {{'role': ...}}.")
    return dict(params)


def _role(role: Any) -> str:
    if role in _OLD_ROLES:
        raise ConfigError(f"role={role!r} is now {_OLD_ROLES[role]!r}: change it.")
    if role not in ROLES:
        raise ConfigError(f"role={role!r} is unknown: give one of {', '.join(map(repr, ROLES))}.")
    return str(role)


def _sec(rule: Mapping[str, Any]) -> str | None:
    sec = rule.get("sec")
    if sec is not None and not isinstance(sec, str):
        raise ConfigError(f"sec={sec!r}: name one section list of the cell.")
    return sec


def _delay(rule: Mapping[str, Any]) -> float:
    delay = rule.get("delay", 1.0)
    if not is_number(delay) or delay < 0:
        raise ConfigError(f"delay={delay!r}: give one number for all connections of the rule, 0 ms or more.")
    return float(delay)


def _pops(rule: Mapping[str, Any], key: str) -> tuple[str, ...]:
    conditions = rule.get(key)
    pops = conditions.get("pop") if isinstance(conditions, Mapping) and len(conditions) == 1 else None
    names = [pops] if isinstance(pops, str) else pops
    if not isinstance(names, (list, tuple)) or not names or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{key}={conditions!r}: name whole populations, {{'pop': ...}}.")
    return tuple(names)


def _refuse_unknown(params: Mapping[str, Any], known: set[str]) -> None:
    other = next((key for key in params if key not in known), None)
    if other is not None:
        raise ConfigError(f"unknown key {other!r} in plast.params: remove it.")


def _landing(role: str, sec: str | None, params: dict[str, Any]) -> Landing:
    default = FEEDBACK if role == "feedback" else FORWARD
    return replace(default, **(params if sec is None else params | {"region": sec}))


def _initial(role: str, params: Mapping[str, Any]) -> Initial:
    return Initial("feedback" if role == "feedback" else "forward", **params)


def _interneurons(pre: tuple[str, ...], sec: str | None, params: Mapping[str, Any]) -> Inhibition:
    """Return what one population of interneurons does."""
    if len(pre) > 1:
        raise ConfigError(f"preConds={list(pre)}: name one population of interneurons, and one rule for each.")
    _refuse_unknown(params, _INHIBITION)
    own = Inhibition(**params)
    if sec not in (None, own.onto):
        raise ConfigError(f"sec={sec!r} is not onto={own.onto!r}, where interneurons land: leave sec out.")
    return own
