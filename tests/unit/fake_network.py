"""A network without NEURON, a rule, phases and a task, for the tests of learner and callbacks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segdend_plugin.model.changes import Before, Bias, Changes, Outer
from segdend_plugin.model.graph import Connections, Cost, Graph, Population
from segdend_plugin.model.places import SOMA
from segdend_plugin.model.streams import stream
from segdend_plugin.model.trial import Stimulus, Trial, Window
from segdend_plugin.model.wants import Average, Trace, Weights
from segdend_plugin.rule.base import Local


@dataclass(frozen=True)
class Plain:
    label: str = "plain"
    offers: frozenset = frozenset({("potential", "soma"), ("rate", "soma")})
    accepts: frozenset = frozenset({"currents"})
    filters: tuple = (10.0, 3.0)

    def cost(self, dt):
        return Cost(1.0, 1)


def graph(*, frozen=False, seed=0):
    return Graph(
        seed,
        1.0,
        (
            Population("input", 3, Plain(), 0, bias=False),
            Population("hidden", 4, Plain(), 3),
            Population("output", 2, Plain(), 7, teacher=True),
        ),
        (
            Connections("input->hidden", ("input",), "hidden", learned=not frozen),
            Connections("hidden->output", ("hidden",), "output"),
            Connections("output->hidden", ("output",), "hidden", role="feedback", learned=False),
        ),
    )


class Ranks:
    rank, size, is_root, replica, replicas, total = 0, 1, True, 0, 1, 1

    def __init__(self):
        self.talks = 0

    def allgather(self, value):
        self.talks += 1
        return [value]

    def across(self, value):
        return [value]

    def gather(self, value):
        return [value]

    def broadcast(self, value):
        self.talks += 1
        return value

    def barrier(self):
        self.talks += 1


class Seen:
    def __init__(self, graph, trial, values, rates, state, purpose=None):
        self.graph, self.trial, self.values, self.rates, self.state = graph, trial, values, rates, state
        self.purpose = purpose

    def __getitem__(self, want):
        return self.values[want]

    def local(self, population):
        return np.arange(self.graph[population].size)


class Network:
    def __init__(self, graph):
        self.graph, self.ranks, self.derived = graph, Ranks(), {"gain": np.array([1.5])}
        self.made_of = {"cell": "0"}
        self.weights = {
            c.name: stream(graph.seed, 1, k).normal(size=(graph.n_pre(c), graph[c.post].size))
            for k, c in enumerate(graph.connections)
        }
        self.biases = {p.name: np.zeros(p.size) for p in graph.populations if p.bias}
        self.shown = []
        self.looks = 0
        self._begun = None

    def adopt(self, derived):
        taken = derived.keys() == self.derived.keys()
        self.derived = dict(derived) if taken else self.derived
        return taken

    def hand_back(self):
        pass

    def check_alive(self):
        pass

    def local(self, population):
        return np.arange(self.graph[population].size)

    def gids(self, population):
        return [100 + self.graph[population].first + k for k in range(self.graph[population].size)]

    def not_finite(self):
        kept = [(f"weight of {name!r}", name.rpartition(">")[2], array) for name, array in self.weights.items()]
        kept += [(f"bias of {name!r}", name, array) for name, array in self.biases.items()]
        return [
            (what, post, int(np.argwhere(~np.isfinite(array))[:, -1].min()))
            for what, post, array in kept
            if not np.isfinite(array).all()
        ]

    def whole(self, population, values):
        return self.ranks.allgather(values)[0]

    def millivolts(self, population, values):
        return -70.0 + 10.0 * values

    def run(self, trial, purpose, wants, before=None, *, rates=None, state=None):
        self.shown.append((trial, purpose, wants, before, rates))
        if before is not None:
            for name, matrix in before.weights.items():
                self.weights[name] = matrix.copy()
        noise = stream(self.graph.seed, purpose, trial.example).normal(size=4) * 0.01
        drive = trial.stimulus.drive["input"]
        hidden = np.tanh(drive @ self.weights["input->hidden"] + self.biases["hidden"] + noise)
        hidden = hidden + 0.01 * self.weights["output->hidden"].sum(axis=0)
        output = hidden @ self.weights["hidden->output"] + self.biases["output"]
        found = {"hidden": hidden, "output": output}
        values = {}
        for want in wants:
            one = found[want.population]
            values[want] = one if isinstance(want, Average) else np.outer(np.linspace(0, 1, trial.end), one)
        return Seen(self.graph, trial, values, rates, state, purpose)

    def begin(self, trial, purpose, wants, before=None):
        self._begun = trial, purpose, wants, before

    def end(self, *, rates=None, state=None):
        return self.run(*self._begun, rates=rates, state=state)

    def look(self, wants, trial, *, state=None):
        self.looks += 1
        values = {want: self.weights[want.connections].copy() for want in wants if isinstance(want, Weights)}
        return Seen(self.graph, trial, values, {}, state)

    def factors(self, seens, changes, *, keep=False):
        return None

    def bind(self, seens, changes):
        return self.bound(changes, None)

    def bound(self, changes, factors):
        def add(change):
            if isinstance(change, Bias):
                self.biases[change.population] += change.change
            else:
                self.weights[change.connections] += np.outer(change.pre, change.post)

        return [lambda change=change: add(change) for change in changes.changes]

    def apply(self, batch):
        for example in batch:
            for add in example:
                add()

    def gather(self):
        weights = {name: array.copy() for name, array in self.weights.items() if name != "output->hidden"}
        return weights, {name: array.copy() for name, array in self.biases.items()}

    def scatter(self, weights, biases):
        for name, array in weights.items():
            self.weights[name] = array.copy()
        for name, array in biases.items():
            self.biases[name] = array.copy()


@dataclass(frozen=True)
class Phases:
    """One window, longer in training by a keyed number of steps; without a teacher another name."""

    name: str = "forward"

    def resolve(self, graph):
        return self

    def trial(self, graph, stimulus, example, *, taught):
        end = 10 + (int(stream(graph.seed, 4, example).integers(3)) if taught else 0)
        return Trial(example, stimulus, (Window(self.name, 2, end, taught=taught),), end, graph.dt, taught)

    def trials(self, graph, stimuli, examples, *, taught):
        return [self.trial(graph, s, e, taught=taught) for s, e in zip(stimuli, examples, strict=True)]


@dataclass(frozen=True)
class Delta(Local):
    """Errors go back through the fixed feedback; keeps a running mean of them."""

    phases: Phases = Phases()
    follows: bool = False

    def wants(self, graph):
        return (Average("hidden", "potential"), Average("output", "potential"))

    def wants_before(self, graph):
        return (Weights("hidden->output"),) if self.follows else ()

    def before(self, trial, seen):
        return Before(weights={"output->hidden": seen[Weights("hidden->output")].T}) if self.follows else Before()

    def start(self, graph):
        return {"mean": np.zeros(2)}

    def change(self, seens):
        (s,) = seens
        hidden, output = s[Average("hidden", "potential")], s[Average("output", "potential")]
        error = s.trial.stimulus.target["output"] - output - 0.1 * s.state["mean"]
        back = 0.1 * np.concatenate([error, error])
        changes = [
            Outer("hidden->output", s.rates["hidden->output"] * error, pre=hidden),
            Bias("output", s.rates["output"] * error),
        ]
        if s.graph.set("input->hidden").learned:
            drive = s.trial.stimulus.drive["input"]
            changes.append(Outer("input->hidden", s.rates["input->hidden"] * back, pre=drive))
        return Changes(tuple(changes), {"output": error}, {"mean": error})

    def fold(self, state, notes):
        mean = state["mean"]
        for one in notes:
            mean = 0.9 * mean + 0.1 * one["mean"]
        return {"mean": mean}


@dataclass(frozen=True)
class Points:
    """Points in a cube; the class is whether the first coordinate is the larger one."""

    n: int = 20
    seed: int = 0
    phases: Phases | None = None
    answer: str = "potential"
    inputs = {"input": 3}  # noqa: RUF012
    outputs = {"output": 2}  # noqa: RUF012

    @property
    def digest(self):
        return f"points {self.n} {self.seed}"

    def __len__(self):
        return self.n

    def _one(self, number):
        drive = stream(self.seed, 9, number).random(3)
        return drive, int(drive[0] > drive[1])

    def stimuli(self, numbers):
        made = []
        for number in numbers:
            drive, label = self._one(number)
            made.append(Stimulus({"input": drive}, {"output": np.eye(2)[label]}))
        return made

    def decode(self, answers):
        return answers["output"].argmax(axis=1)

    def score(self, answers, numbers):
        return float(np.mean(self.decode(answers) == np.array([self._one(number)[1] for number in numbers])))


__all__ = ["SOMA", "Delta", "Network", "Phases", "Plain", "Points", "Seen", "Trace", "graph"]
