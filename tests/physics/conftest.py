"""NEURON's lumped network beside the NumPy oracle, driven with the very spike trains that NEURON produced."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from segdend_plugin.experiment import config
from segdend_plugin.model.streams import Purpose
from segdend_plugin.rule import phases, plateau
from segdend_plugin.rule.reference import ReferenceNetwork

SEED, EXAMPLE = 3, 8


@dataclass
class Trial:
    """One training trial in NEURON, per layer from the first hidden one to the output, and what the oracle needs."""

    experiment: Any
    network: Any
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
        sd = self.experiment.rule.plateau_jitter
        sizes = self.network.sizes[1:-1]
        if sd == 0:
            return None
        return [plateau.plateau_leads(self.experiment.seed, d, EXAMPLE, n, sd) for d, n in enumerate(sizes)]

    def oracle(self, integrator="implicit", **changed):
        """Return what the oracle makes of the same spikes, weights and settings."""
        experiment, steps = self.experiment, self.schedule.end
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
            "hidden_error": experiment.rule.hidden_error,
        } | changed
        inputs = self.trains[0]
        if experiment.rule.feedforward == "rates":
            inputs = np.tile(0.2 * self.image, (steps, 1))
        reference = ReferenceNetwork(**options)
        return reference.trial(self.schedule, inputs, self.label, given=self.trains[1:], leads=self.leads)


def arrivals(times, gids, wanted, schedule, delay):
    """Spikes that act in each step, shape (steps, cells): the first step whose middle is past the arrival."""
    counts = np.zeros((schedule.end, len(wanted)))
    column = {gid: k for k, gid in enumerate(wanted)}
    for time, gid in zip(times, gids, strict=True):
        step = int(np.ceil((time + delay) / schedule.dt - 0.5))
        if int(gid) in column and step < schedule.end:
            counts[step, column[int(gid)]] += 1
    return counts


@pytest.fixture
def build(ranks):
    """Return a function that builds a network of three-compartment cells."""
    from segdend_plugin.engine import mechanisms

    mechanisms.load()
    from segdend_plugin.experiment import network

    def make(n_input, n_output, *settings):
        experiment = config.load(settings=["cell=three_compartment", *settings])
        return experiment, network.build(experiment, n_input, n_output)

    return make


@pytest.fixture
def drive(ranks, build):
    """Return a function that runs one training trial in NEURON with learning rate 1."""
    from neuron import h

    def run(*settings, label=1, dt=1.0, n_input=12, n_output=3):
        experiment, network = build(n_input, n_output, f"phases.dt={dt}", *settings)
        schedule = phases.training_schedule(
            SEED, EXAMPLE, dt=dt, forward=50.0, target=50.0, settle=30.0, jitter=experiment.phases.jitter
        )
        populations = [layer.populations[0] for layer in network.layers]
        times, gids = h.Vector(), h.Vector()
        network.announce_spikes()
        ranks.pc.spike_record(-1, times, gids)
        traces = [
            [h.Vector().record(soma._ref_potential) for _, soma in population.spike_sources()]
            for population in populations
        ]
        network.renew_feedback(EXAMPLE)
        weights = [population.inbound.weights.copy() for population in populations]
        biases = [population.inbound.biases.copy() for population in populations]
        feedback = [population.feedback.weights.copy() for population in populations[:-1]]
        image = np.linspace(0, 1, n_input)
        network.show(image, schedule, Purpose.TRAINING_SPIKES, EXAMPLE, label)
        averages = [population.averages(schedule) for population in populations]
        network.learn(schedule, [1.0] * len(populations), EXAMPLE, train_hidden=True)
        delay = max(experiment.phases.delay, dt) * (1 + 1e-6)
        trains = [
            arrivals(times, gids, wanted, schedule, delay)
            for wanted in (network.inputs.gids, *(population.gids for population in populations))
        ]
        return Trial(
            experiment,
            network,
            schedule,
            label,
            averages,
            [
                (population.inbound.weights - w, population.inbound.biases - b)
                for population, w, b in zip(populations, weights, biases, strict=True)
            ],
            [population.feedback.weights - w for population, w in zip(populations, feedback, strict=False)],
            [np.array([list(trace) for trace in layer]).T[1:] for layer in traces],
            trains,
            image,
            weights,
            biases,
            feedback,
        )

    return run
