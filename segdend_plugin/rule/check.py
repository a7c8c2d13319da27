"""Checks a rule before it meets a network: made-up readings are dealt to 1, 2 and 3 ranks, without NEURON.

What a rule returns must be the same to the last bit however cells are spread, and depend on nothing but what it wants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from segdend_plugin.errors import ConfigError
from segdend_plugin.model.changes import Along, Before, Bias, Changes, Decay, Outer
from segdend_plugin.model.graph import Connections, Cost, Graph, Initial, Population
from segdend_plugin.model.operating import OperatingPoint
from segdend_plugin.model.places import FEEDBACK, SOMA
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.model.trial import Stimulus, Trains, Trial
from segdend_plugin.model.wants import Average, Filtered, Quantity, Trace, Want, Weights
from segdend_plugin.rule.base import Rule
from segdend_plugin.types import Array, Integers

RANKS = (1, 2, 3)
BATCHES = ((0, 1), (2, 3))
"""Examples of the batches that are shown."""


def check(rule: Rule, graph: Graph | None = None) -> None:
    """Check that a rule reads what it wants, changes nothing that it reads, and does the same on any number of ranks.

    Parameters
    ----------
    rule
        The rule.
    graph
        A graph that suits it; if not given, those of :func:`graphs` that it does not refuse.

    Raises
    ------
    ConfigError
        If it refuses the graph, or at the first thing that is wrong.
    """
    if graph is not None:
        _check(rule, graph)
        return
    refused = [(made, _refusal(rule, made)) for made in graphs()]
    if all(refusal for _, refusal in refused):
        why = "; ".join(dict.fromkeys(str(refusal) for _, refusal in refused))
        raise ConfigError(f"rule {_name(rule)}: it refuses every graph of this check ({why}): give one that suits it.")
    for made, refusal in refused:
        if refusal is None:
            _check(rule, made)


def graphs() -> list[Graph]:
    """Return small graphs that differ in what can go wrong.

    Two inputs onto a taught population alone; two hidden layers; a layer of two populations beside interneurons;
    recurrent connections and one that skips a layer; learned feedback.
    """
    inputs = (("a", 5, False), ("b", 4, False))
    forward = _set
    return [
        _graph((*inputs, ("out", 3, True)), [forward(("a", "b"), "out"), forward(("b",), "out")]),
        _graph(
            (("in", 6, False), ("h1", 5, False), ("h2", 4, False), ("out", 2, True)),
            [
                forward(("in",), "h1"),
                forward(("h1",), "h2"),
                forward(("h2",), "out"),
                _back("out", "h1"),
                _back("out", "h2"),
            ],
        ),
        _graph(
            (("in", 6, False), ("h", 4, False), ("g", 3, False), ("out", 3, True), ("sst", 2, False)),
            [
                forward(("in",), "h"),
                forward(("in",), "g"),
                forward(("h", "g"), "out"),
                _back("out", "h"),
                _back("out", "g"),
                replace(forward(("h", "g"), "sst"), role="fixed", learned=False),
                replace(forward(("sst",), "h"), role="fixed", learned=False),
            ],
        ),
        _graph(
            (*inputs, ("h", 5, False), ("out", 2, True)),
            [forward(pre, post) for pre, post in ((("a", "b"), "h"), (("h",), "h"), (("h",), "out"), (("a",), "out"))]
            + [_back("out", "h")],
        ),
        _graph(
            (("in", 6, False), ("h", 4, False), ("out", 3, True)),
            [forward(("in",), "h"), forward(("h",), "out"), replace(_back("out", "h"), learned=True)],
        ),
    ]


@dataclass(frozen=True)
class _Scale:
    rest: float = -70.0
    unit: float = 1.0


@dataclass(frozen=True)
class _Anything:
    """A kind of cell of which everything can be read."""

    label: str = "made-up"
    scale: _Scale = _Scale()
    offers: frozenset[tuple[Quantity, str]] = frozenset(
        (quantity, region)
        for quantity in ("potential", "rate", "spikes", "drive", "nmda", "calcium")
        for region in ("soma", "basal", "tuft", "nexus", "tuft:axial", "tuft:local")
    )
    accepts: frozenset[str] = frozenset({"currents", "conductances", "netcons"})
    filters: tuple[float, ...] = (10.0, 3.0)

    def cost(self, dt: float) -> Cost:
        return Cost(0.0, 0)


def _graph(populations: Sequence[tuple[str, int, bool]], sets: Sequence[Connections]) -> Graph:
    made: list[Population] = []
    learning = {c.post for c in sets if c.role == "forward"}
    for name, size, taught in populations:
        first = made[-1].first + made[-1].size if made else 0
        made.append(Population(name, size, _Anything(), first, taught, name in learning))
    return Graph(0, 1.0, tuple(made), tuple(sets))


def _set(pre: tuple[str, ...], post: str) -> Connections:
    return Connections(f"{'+'.join(pre)}->{post}", pre, post)


def _back(pre: str, post: str) -> Connections:
    return replace(_set((pre,), post), place=FEEDBACK, role="feedback", learned=False, initial=Initial("feedback"))


# ---------------------------------------------------------------------------------------------------- made-up readings


@dataclass
class _Deal:
    """Readings of one trial, dealt to one of several ranks: cells in turn."""

    trial: Trial
    graph: Graph
    wants: frozenset[Want]
    state: Mapping[str, Array]
    rank: int = 0
    size: int = 1
    rule: str = ""
    read: dict[Want, tuple[Array, Array]] = field(default_factory=dict)

    @property
    def rates(self) -> Mapping[str, float]:
        names = [*(p.name for p in self.graph.populations), *self.graph.set_names()]
        return {name: 0.1 + 0.01 * k for k, name in enumerate(names)}

    def __getitem__(self, want: Want) -> Array:
        if want not in self.wants:
            raise ConfigError(f"rule {self.rule}: it reads {want} without wanting it: add it to what `wants` returns.")
        if want not in self.read:
            value = self._made_up(want)
            self.read[want] = (value, value.copy())
        return self.read[want][0]

    def spikes(self, *populations: str) -> Trains:
        counts = np.concatenate([self[Trace(name, "spikes", SOMA, whole=True)] for name in populations], axis=1)
        steps, cells = np.nonzero(counts)
        repeats = counts[steps, cells].astype(np.int64)
        return Trains(np.repeat((steps + 1) * self.trial.dt, repeats), np.repeat(cells, repeats).astype(np.int64))

    def local(self, population: str) -> Integers:
        p = self.graph[population]
        return np.flatnonzero((p.first + np.arange(p.size)) % self.size == self.rank)

    def gain(self, population: str, *, whole: bool = False) -> Array:
        p = self.graph[population]
        gains = self._draw("gain", population).uniform(0.5, 0.9, p.size)
        return gains if whole else gains[self.local(population)]

    def point(self, population: str) -> OperatingPoint:
        steps = {c.name: 0.5 for c in self.graph.onto(population, "forward")}
        return OperatingPoint(np.array([0.0, 2.0]), np.array([0.0, 0.05]), 1.0, 0.05, 1.0, 2.0, 1.0, 0.04, steps)

    def stream(self, purpose: int, *identity: int) -> np.random.Generator:
        return stream(self.graph.seed, Purpose.RULE, purpose, *identity)

    def _made_up(self, want: Want) -> Array:
        if isinstance(want, Weights):
            c = self.graph.set(want.connections)
            return self._draw("weights", c.name, want.effective).normal(
                size=(self.graph.n_pre(c), self.graph[c.post].size)
            )
        if isinstance(want, Filtered):
            c = self.graph.set(want.connections)
            return self._draw("filtered", c.name, want.window).uniform(0.0, 0.2, self.graph.n_pre(c))
        n = self.graph[want.population].size
        if isinstance(want, Average) and self.trial.window(want.window) is None:
            raise ConfigError(f"rule {self.rule}: its phases have no window {want.window!r}, which it reads: add it.")
        shape = (n,) if isinstance(want, Average) else (self.trial.end, n)
        key = ("read", want.population, want.quantity, want.place, getattr(want, "window", ""))
        values = _quantity(self._draw(*key), want.quantity, shape)
        return values if want.whole else np.ascontiguousarray(values[..., self.local(want.population)])

    def _draw(self, *key: Any) -> np.random.Generator:
        letters = [ord(letter) for letter in repr((self.trial.example, self.trial.taught, *key))]
        return stream(self.graph.seed, Purpose.RULE, *letters)


def _quantity(draw: np.random.Generator, quantity: Quantity, shape: tuple[int, ...]) -> Array:
    if quantity == "rate":
        return draw.uniform(0.0, 0.2, shape)
    if quantity in ("nmda", "calcium"):
        return draw.uniform(0.0, 1.0, shape)
    if quantity == "spikes":
        return draw.poisson(0.1, shape).astype(float)
    return draw.normal(0.0, 2.0, shape)


# ---------------------------------------------------------------------------------------------------------- the checks


def _refusal(rule: Rule, graph: Graph) -> ConfigError | None:
    try:
        rule.wants(graph)
        rule.wants_before(graph)
    except ConfigError as refusal:
        return refusal
    return None


def _check(rule: Rule, graph: Graph) -> None:
    name = _name(rule)
    results = {size: [_run(rule, graph, rank, size) for rank in range(size)] for size in RANKS}
    reference = _whole(graph, results[1], name)
    for size in RANKS[1:]:
        whole = _whole(graph, results[size], name)
        for key in dict.fromkeys((*reference, *whole)):
            if key not in reference or key not in whole or not _same(reference[key], whole[key]):
                raise ConfigError(
                    f"rule {name}: on {size} ranks {key} is not what it is on one: take of each cell only its own "
                    "readings, want what it needs of others whole, and sum in one order."
                )


_Pieces = dict[str, tuple[str, Any]]
"""What -> the population over whose cells its last axis goes (or "" for what is the same on every rank), and values."""


def _run(rule: Rule, graph: Graph, rank: int, size: int) -> _Pieces:
    """Return all that a rule says on one rank in some batches."""
    found: _Pieces = {}
    state = {key: np.array(value) for key, value in rule.start(graph).items()}
    phases = rule.phases.resolve(graph)
    for batch in BATCHES:
        notes = []
        for example in batch:
            trial = phases.trial(graph, _stimulus(graph, example), example, taught=True)
            seen = []
            for number, shown in enumerate(rule.trials(trial)):
                before = _Deal(shown, graph, frozenset(rule.wants_before(graph)), state, rank, size, _name(rule))
                set_before = _pure(rule, "before", [before], lambda deals: rule.before(deals[0].trial, deals[0]))
                found |= _of_before(set_before, example, number)
                seen.append(_Deal(shown, graph, frozenset(rule.wants(graph)), state, rank, size, _name(rule)))
            changes = _pure(rule, "change", seen, rule.change)
            found |= _of_changes(graph, changes, seen[0], example)
            notes.append(changes.notes)
        kept = {key: value.copy() for key, value in state.items()}
        folded = {key: np.array(value) for key, value in rule.fold(state, notes).items()}
        if not _same(kept, state):
            raise ConfigError(f"rule {_name(rule)}: `fold` changes the state that it is given: return a new one.")
        if {key: value.shape for key, value in folded.items()} != {key: value.shape for key, value in kept.items()}:
            raise ConfigError(f"rule {_name(rule)}: `fold` returns other names or shapes than `start`: keep them.")
        state = folded
        found |= {f"state {key!r} after example {batch[-1]}": ("", value) for key, value in state.items()}
    return found


def _stimulus(graph: Graph, example: int) -> Stimulus:
    draw = stream(graph.seed, Purpose.RULE, example)
    drive = {p.name: draw.random(p.size) for p in graph.inputs}
    return Stimulus(drive, {p.name: np.eye(p.size)[example % p.size] for p in graph.taught})


def _pure(rule: Rule, what: str, seen: list[_Deal], call: Any) -> Any:
    """Return what a rule says, and see that it says the same twice and leaves what it reads alone."""
    state = {key: value.copy() for key, value in seen[0].state.items()}
    first, second = call(seen), call(seen)
    for deal in seen:
        for want, (value, before) in deal.read.items():
            if not np.array_equal(value, before):
                raise ConfigError(f"rule {_name(rule)}: `{what}` changes what it has read ({want}): work on a copy.")
    if not _same(state, dict(seen[0].state)):
        raise ConfigError(f"rule {_name(rule)}: `{what}` changes the rule's state: return notes and let `fold` do it.")
    if not _same(_plain(first), _plain(second)):
        raise ConfigError(
            f"rule {_name(rule)}: `{what}` says something else the second time: draw from `stream`, and keep nothing."
        )
    return first


def _of_before(before: Before, example: int, number: int) -> _Pieces:
    at = f"of example {example}" + (f", trial {number}" if number else "")
    leads = {f"the lead {name}/{window} {at}": (name, ms) for (name, window), ms in before.leads.items()}
    return leads | {f"weights of {name!r} {at}": ("", matrix) for name, matrix in before.weights.items()}


def _of_changes(graph: Graph, changes: Changes, deal: _Deal, example: int) -> _Pieces:
    found: _Pieces = {}
    at = f"of example {example}"
    for k, change in enumerate(changes.changes):
        key = f"change {k} {at}"
        if isinstance(change, Bias):
            found[f"{key} (bias of {change.population})"] = (change.population, change.change)
            continue
        connections = graph.set(change.connections)
        if not connections.learned:
            raise ConfigError(f"rule {deal.rule}: it changes {connections.name!r}, which does not learn: leave it out.")
        key = f"{key} ({type(change).__name__} of {connections.name})"
        if isinstance(change, Decay):
            found[key] = ("", np.array(change.factor))
            continue
        found[key] = (connections.post, change.post)
        if isinstance(change, Outer):
            found[f"{key}: window and pre"] = ("", (change.window, change.pre))
        elif isinstance(change, Along):
            found[f"{key}: kernel and trains"] = ("", (change.kernel, _plain(change.trains)))
            if change.post.shape[0] != deal.trial.end:
                raise ConfigError(
                    f"rule {deal.rule}: {key} has {change.post.shape[0]} steps: give {deal.trial.end}, one a row."
                )
    found |= {f"the error of {name!r} {at}": (name, error) for name, error in changes.errors.items()}
    return found | {f"note {name!r} {at}": ("", note) for name, note in changes.notes.items()}


def _whole(graph: Graph, ranks: Sequence[_Pieces], rule: str) -> dict[str, Any]:
    """Return what ranks say together: cells in order, all else once."""
    result: dict[str, Any] = {}
    for key in dict.fromkeys(key for pieces in ranks for key in pieces):
        if not all(key in pieces for pieces in ranks):
            raise ConfigError(f"rule {rule}: {key} is said by some ranks only: say the same on all, if of no cells.")
        population = ranks[0][key][0]
        parts = [np.asarray(pieces[key][1]) if population else pieces[key][1] for pieces in ranks]
        if not population:
            if not all(_same(parts[0], part) for part in parts):
                raise ConfigError(f"rule {rule}: {key} differs between {len(ranks)} ranks: let it be the same on each.")
            result[key] = parts[0]
            continue
        p = graph[population]
        whole = np.full((*parts[0].shape[:-1], p.size), np.nan)
        for rank, part in enumerate(parts):
            mine = np.flatnonzero((p.first + np.arange(p.size)) % len(ranks) == rank)
            if part.shape[-1] not in (len(mine), p.size):
                raise ConfigError(
                    f"rule {rule}: {key} has shape {part.shape} on a rank with {len(mine)} of {p.size} cells: give a "
                    "number for each of these, or for all."
                )
            whole[..., mine] = part if part.shape[-1] == len(mine) else part[..., mine]
        if not np.isfinite(whole).all():
            raise ConfigError(f"rule {rule}: {key} is not finite: mend it.")
        result[key] = whole
    return result


def _plain(value: Any) -> Any:
    """Return dataclasses as tuples, in which arrays can be compared."""
    fields = getattr(value, "__dataclass_fields__", None)
    if fields is not None:
        return (type(value).__name__, *(_plain(getattr(value, name)) for name in fields))
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return tuple(_plain(item) for item in value) if isinstance(value, (tuple, list)) else value


def _same(one: Any, other: Any) -> bool:
    """Whether two things are the same, arrays to the last bit."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(one, other, equal_nan=True)
    return bool(one == other)


def _name(rule: Rule) -> str:
    return type(rule).__name__
