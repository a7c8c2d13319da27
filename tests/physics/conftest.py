"""Networks of a description, shown one example at a time; and the NumPy oracle, driven with the spikes of NEURON."""

import gc
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from segdend_plugin.experiment import config, graph, teaching
from segdend_plugin.model.places import SOMA
from segdend_plugin.model.streams import Purpose
from segdend_plugin.model.trial import Stimulus
from segdend_plugin.model.wants import Average, Trace
from segdend_plugin.rule import plateau
from segdend_plugin.rule.guerguiev import WINDOWS
from segdend_plugin.rule.phases import Schedule, TwoPhase
from segdend_plugin.rule.reference import ReferenceNetwork

EXAMPLE = 8


@dataclass
class Averages:
    """Window averages of the cells of a population, None where there is nothing to read."""

    forward_potential: Any
    forward_rate: Any
    target_rate: Any
    forward_apical: Any = None
    target_apical: Any = None


class Bench:
    """A network of a description, with its rule; `layers` are named from the first hidden one to the output."""

    def __init__(self, experiment, n_input, n_output):
        from segdend_plugin.hosts import description

        self.experiment, self.rule = experiment, teaching.rule(experiment)
        self.network = description.build(graph.graph(experiment, n_input, n_output))
        self.graph = self.network.graph
        self.layers = [populations[0].name for populations in self.graph.layers]

    @property
    def cells(self):
        """The cells of the first hidden layer."""
        return self.network.cells[self.layers[0]]

    def set_onto(self, layer, role="forward"):
        """Return the first set of a role onto a layer, 0 for the first hidden one."""
        return self.network.sets[self.graph.onto(self.layers[layer], role)[0].name]

    def fill(self, layer=0, *, weights=0.0, biases=0.0, feedback=0.0, apical=0.0):
        """Set the weights and biases onto a hidden layer, its feedback, and a steady drive of its apical dendrites."""
        forward, back = self.set_onto(layer), self.set_onto(layer, "feedback")
        forward.weights[:], forward.constant[:] = weights, biases
        back.weights[:], back.constant[:] = feedback, apical

    def trial(self, image, example, label=None, **phases):
        """Return a trial without jitter, if not asked for: with a teacher where there is a label."""
        n, per_class = self.graph["output"].size, self.experiment.layers.cells_per_class
        target = {} if label is None else {"output": (np.arange(n) // per_class == label).astype(float)}
        shown = TwoPhase(**{"jitter": False, "settle": 30.0, **phases})
        return shown.resolve(self.graph).trial(
            self.graph, Stimulus({"input": image}, target), example, taught=label is not None
        )

    def show(self, image, example, label=None, *, traces=(), rate=1.0, **phases):
        """Run one trial, a test where there is no label; return what was seen, for learning at rate 1."""
        trial, training = self.trial(image, example, label, **phases), label is not None
        before = None
        if training:
            state = self.rule.start(self.graph)
            before = self.rule.before(trial, self.network.look(self.rule.wants_before(self.graph), trial, state=state))
        wants = [*self.rule.wants(self.graph), *traces]
        for name in self.layers:
            wants += self._averages(name).values()
        names = [*(p.name for p in self.graph.populations), *self.graph.set_names()]
        purpose = Purpose.TRAINING_SPIKES if training else Purpose.TEST_SPIKES
        return self.network.run(trial, purpose, wants, before, rates=dict.fromkeys(names, rate))

    def averages(self, seen, layer=0):
        """Return what was read of a layer."""
        wants = self._averages(self.layers[layer])
        return Averages(**{name: seen.values.get(want) for name, want in wants.items()})

    def learn(self, seen):
        """Change the weights as the rule says."""
        self.network.apply([self.network.bind([seen], self.rule.change([seen]))])

    def _averages(self, name):
        wants = {
            "forward_potential": Average(name, "potential", SOMA, "forward"),
            "forward_rate": Average(name, "rate", SOMA, "forward"),
            "target_rate": Average(name, "rate", SOMA, "target"),
        }
        if name != self.layers[-1]:
            wants |= {f"{window}_apical": self.rule.apical(self.graph, name, window) for window in WINDOWS}
        return wants


@dataclass
class Trial:
    """One training trial in NEURON, per layer from the first hidden one to the output, and what the oracle needs."""

    bench: Any
    schedule: Any
    label: int
    averages: list
    changes: list  # weights, biases
    feedback_changes: list
    soma: list  # potentials at the end of each step
    trains: list  # spikes that act in each step, inputs first
    image: Any
    weights: list
    biases: list
    feedback: list

    @property
    def leads(self):
        """The lead of each cell, drawn from the seed of the experiment as the network should."""
        experiment = self.bench.experiment
        sd, sizes = experiment.rule.plateau_jitter, self.bench.graph.sizes[1:-1]
        if sd == 0:
            return None
        return [plateau.plateau_leads(experiment.seed, d, EXAMPLE, n, sd) for d, n in enumerate(sizes)]

    def oracle(self, integrator="implicit", **changed):
        """Return what the oracle makes of the same spikes, weights and settings."""
        experiment, steps = self.bench.experiment, self.schedule.end
        options = {
            "weights": self.weights,
            "biases": self.biases,
            "feedback": self.feedback,
            "apical": experiment.lumped.g_apical,
            "integrator": integrator,
            "memory": experiment.rule.psp_memory,
            "feedforward": experiment.rule.feedforward,
            "feedback_signal": experiment.feedback.signal,
            "route": experiment.feedback.route,
            "delay_steps": max(round(experiment.phases.delay / self.schedule.dt), 1),
            "cells_per_class": experiment.layers.cells_per_class,
            "hidden_error": "backprop" if experiment.rule.name == "backprop" else "plateau",
        } | changed
        inputs = self.trains[0]
        if experiment.rule.feedforward == "rates":
            inputs = np.tile(0.2 * self.image, (steps, 1))
        reference = ReferenceNetwork(**options)
        return reference.trial(self.schedule, inputs, self.label, given=self.trains[1:], leads=self.leads)


def schedule_of(trial):
    """Return the times of a trial of two phases as the oracle takes them."""
    forward, target = trial.windows
    assert target.first - target.start == forward.first
    return Schedule(trial.dt, forward.first, forward.last, target.last)


def arrivals(times, gids, wanted, schedule, delay):
    """Spikes that act in each step, shape (steps, cells): the first step whose middle is past the arrival."""
    counts = np.zeros((schedule.end, len(wanted)))
    column = {gid: k for k, gid in enumerate(wanted)}
    for time, gid in zip(times, gids, strict=True):
        step = int(np.ceil((time + delay) / schedule.dt - 0.5))
        if int(gid) in column and step < schedule.end:
            counts[step, column[int(gid)]] += 1
    return counts


@pytest.fixture(scope="session")
def build(ranks):
    """Return a function that builds a network: of three-compartment cells, and on NEURON's solver, if none is set."""

    def make(n_input, n_output, *settings):
        defaults = ["cell=three_compartment", "cable.solver=neuron"]
        return Bench(config.load(settings=[*defaults, *settings]), n_input, n_output)

    return make


@pytest.fixture
def spikes(ranks):
    """Return a function that records all spikes of a network from now on: their times, and the cells' numbers."""
    from neuron import h

    def record(bench):
        times, gids = h.Vector(), h.Vector()
        bench.network.announce_spikes()
        ranks.pc.spike_record(-1, times, gids)
        return times, gids

    return record


@pytest.fixture
def drive(build, spikes):
    """Return a function that runs one training trial in NEURON with learning rate 1."""

    def run(*settings, label=1, dt=1.0, n_input=12, n_output=3):
        bench = build(n_input, n_output, f"phases.dt={dt}", *settings)
        times, gids = spikes(bench)
        image, depths = np.linspace(0, 1, n_input), range(len(bench.layers))
        traces = [Trace(name, "potential") for name in bench.layers]
        seen = bench.show(image, EXAMPLE, label, traces=traces, jitter=bench.experiment.phases.jitter)
        forward, back = [bench.set_onto(k) for k in depths], [bench.set_onto(k, "feedback") for k in depths[:-1]]
        weights, biases = [one.weights.copy() for one in forward], [one.constant.copy() for one in forward]
        feedback = [one.weights.copy() for one in back]
        bench.learn(seen)
        schedule = schedule_of(seen.trial)
        delay = max(bench.experiment.phases.delay, dt) * (1 + 1e-6)
        return Trial(
            bench,
            schedule,
            label,
            [bench.averages(seen, k) for k in depths],
            [(one.weights - w, one.constant - b) for one, w, b in zip(forward, weights, biases, strict=True)],
            [one.weights - w for one, w in zip(back, feedback, strict=True)],
            [seen[trace] for trace in traces],
            [arrivals(times, gids, bench.graph[name].numbers, schedule, delay) for name in ("input", *bench.layers)],
            image,
            weights,
            biases,
            feedback,
        )

    return run


def clear(ranks):
    """Leave no network of another test, nor cells of theirs that NetPyNE keeps: channels refuse CVode."""
    from netpyne import sim

    from segdend_plugin.engine.session import session

    session().close()
    sim.net = None
    gc.collect()
    ranks.pc.gid_clear()


@pytest.fixture
def h(ranks):
    """NEURON as a new process finds it."""
    from neuron import h

    clear(ranks)
    yield h
    clear(ranks)
    h.dt, h.celsius = 1.0, 6.3
