"""Dendritic prediction of somatic spiking (Urbanczik & Senn 2014) on the engine: one cell learns a course in time.

As in the paper's first figure, the spikes of the inputs are the same in every example, and the teacher pulls the soma
along a course; what the cell then makes of the inputs alone is compared with it.
"""

from itertools import pairwise
from math import exp

import numpy as np
import pytest

from segdend_plugin.engine.kinds.lumped import Lumped
from segdend_plugin.engine.kinds.poisson import Poisson
from segdend_plugin.engine.teachers import potentials
from segdend_plugin.learner import Learner
from segdend_plugin.model.graph import Connections, Graph, Population
from segdend_plugin.model.places import SOMA, Place
from segdend_plugin.model.streams import Purpose
from segdend_plugin.model.trial import Signal, Stimulus, Trains
from segdend_plugin.model.wants import Trace
from segdend_plugin.rules import UrbanczikSenn
from segdend_plugin.schedules import cosine
from segdend_plugin.tasks import Examples

N, STEPS = 200, 200  # inputs, and steps of 1 ms
RATE = 0.05 * 0.2  # level times the largest rate: 10 Hz, in 1/ms
BORDERS = np.array([0.0, 50.0, 100.0, 150.0, 200.0])
LEVELS = np.array([0.2, 0.9, 0.5, 0.8])
POTENTIAL = Trace("cell", "potential")
DRIVE, SPIKES = Trace("cell", "drive", Place("basal")), Trace("cell", "spikes", SOMA)
DELAY = 1  # ms

GRAPH = Graph(
    3,
    1.0,
    (Population("input", N, Poisson(), 0, bias=False), Population("cell", 1, Lumped(), N, teacher=True)),
    (Connections("input->cell", ("input",), "cell", delay=DELAY),),
)


@pytest.fixture(scope="module")
def stimulus():
    """Poisson trains, drawn once, and a course of four levels."""
    counts = np.random.default_rng(0).poisson(RATE, size=(STEPS, N))
    steps, cells = np.nonzero(counts)
    repeated = counts[steps, cells]
    trains = Trains(np.repeat(steps.astype(float), repeated), np.repeat(cells, repeated))
    return Stimulus({"input": trains}, {"cell": Signal(BORDERS, LEVELS[:, None])}, float(STEPS))


@pytest.fixture
def learner(ranks):
    return Learner(GRAPH, UrbanczikSenn(), learning_rates=1.0, schedule=cosine(to=0.02))


def test_the_soma_repeats_what_it_was_taught(learner, stimulus):
    """2000 repetitions, 1.6 s: the course of potentials correlates by 0.94, and a third of the error is left."""

    def alone():
        return learner.present(stimulus, record=[POTENTIAL]).seen[POTENTIAL][:, 0]

    wanted = np.repeat(potentials(LEVELS), np.diff(BORDERS).astype(int))

    def error(course):
        return np.sqrt(np.mean((course - wanted) ** 2))

    before = alone()
    learner.fit(Examples([stimulus] * 2000, inputs={"input": N}))
    after = alone()
    assert abs(np.corrcoef(before, wanted)[0, 1]) < 0.3
    assert np.corrcoef(after, wanted)[0, 1] > 0.9
    assert error(after) < 0.4 * error(before)
    means = [after[int(a) : int(b)].mean() for a, b in pairwise(BORDERS)]
    assert np.argsort(means).tolist() == np.argsort(LEVELS).tolist()


@pytest.mark.parametrize(("tau", "begun"), [(100.0, False), (0.0, False), (100.0, True)])
def test_a_change_is_that_of_accumulation_in_the_step(ranks, stimulus, tau, begun):
    """The paper's two filters, stepped in NumPy: postsynaptic potentials, and the low-pass before the weights.

    The trial is run in a loop of one's own, and begins after initialisation, or before the very first one.
    """
    from neuron import h

    learner = Learner(GRAPH, UrbanczikSenn(filter=tau), learning_rates=0.7)
    network = learner.network
    weights, bias = network.sets["input->cell"].weights, network.biases("cell")
    first, first_bias = weights.copy(), bias.copy()

    ranks.pc.set_maxstep(10)
    h.t = 0.0
    if begun:
        learner.begin_trial(stimulus, record=[DRIVE, SPIKES])
    h.finitialize(-70)
    if not begun:
        learner.begin_trial(stimulus, record=[DRIVE, SPIKES])
    ranks.pc.psolve(float(STEPS))
    seen = learner.end_trial().seen
    drive, spikes = seen[DRIVE][:, 0], seen[SPIKES][:, 0]
    assert spikes.sum() > 5

    potentials_of_inputs = stepped(stimulus.drive["input"])
    np.testing.assert_allclose(potentials_of_inputs @ first[:, 0] + first_bias[0], drive, rtol=1e-9, atol=1e-12)

    fraction = 1 / (1 + np.exp(-network.gain("cell")[0] * drive))
    error = (spikes - 0.2 * fraction) * (1 - fraction)
    change, bias_change = low_passed(error, potentials_of_inputs, tau)
    np.testing.assert_allclose(weights[:, 0] - first[:, 0], 0.7 * change, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(bias[0] - first_bias[0], 0.7 * bias_change, rtol=1e-9)
    assert np.abs(change).max() > 1e-2


def stepped(trains):
    """Return the postsynaptic potential of every input at the end of every step, shape (steps, n)."""
    slow, fast = np.zeros(N), np.zeros(N)
    found = np.zeros((STEPS, N))
    arrived = np.zeros((STEPS + DELAY, N))
    np.add.at(arrived, (trains.times.astype(int) + DELAY, trains.cells), 1.0)
    for step in range(STEPS):
        slow, fast = (slow + arrived[step]) * exp(-1 / 10), (fast + arrived[step]) * exp(-1 / 3)
        found[step] = (slow - fast) / (10 - 3)
    return found


def low_passed(error, of_inputs, tau):
    """Return the change of weights and bias for unit learning rate, accumulated in every step.

    What comes in, error times postsynaptic potential, is low-passed by tau, and the weights integrate what comes out.
    """
    held, held_bias, change, bias_change = np.zeros(N), 0.0, np.zeros(N), 0.0
    decay = exp(-1 / tau) if tau else 0.0
    for step in range(STEPS):
        held = held + error[step] * of_inputs[step]
        held_bias = held_bias + error[step]
        change, bias_change = change + (1 - decay) * held, bias_change + (1 - decay) * held_bias
        held, held_bias = decay * held, decay * held_bias
    return change, bias_change


def test_without_teacher_nothing_is_learned(learner, stimulus):
    weights = learner.network.sets["input->cell"].weights
    first = weights.copy()
    learner.present(stimulus)
    assert (weights == first).all()
    trial = learner.phases or learner.rule.phases
    alone = trial.resolve(GRAPH).trial(GRAPH, stimulus, 0, taught=False)
    assert not alone.taught
    seen = learner.network.run(alone, Purpose.TRAINING_SPIKES, learner.rule.wants(GRAPH), rates=learner.rates)
    changes = learner.rule.change([seen])
    assert all(not np.any(getattr(c, "post", getattr(c, "change", None))) for c in changes.changes)
