"""Operating points that are measured in a running model, and the weights that are placed there."""

import sys
from pathlib import Path

import numpy as np
import pytest

from segdend_plugin.errors import ConfigError
from segdend_plugin.model.places import SOMA, Place
from segdend_plugin.model.wants import Average

sys.path.append(str(Path(__file__).resolve().parents[1]))


@pytest.fixture
def built(h):
    """Return a function that builds a learner on the NetPyNE model of the tests, with changes to it."""
    from netpyne_model import parameters

    from segdend_plugin import rules
    from segdend_plugin.hosts.netpyne import create
    from segdend_plugin.learner import Learner

    def build(change=lambda net: None, **options):
        net, config = parameters(**options)
        change(net)
        phases = rules.TwoPhase(forward=100.0, target=100.0, settle=20.0, test=100.0, jitter=False)
        return Learner(create(net, config, seed=3), rules.Measured(phases=phases))

    return build


def task(n=8):
    from netpyne_model import task

    return task(n)


def mean_drives(learner, population, n=40):
    """Return the mean drive of each cell over trials of their own noise, in units of the rise."""
    want = Average(population, "drive", Place("basal"), whole=True)
    shown = task(n)
    seen = [learner.present(s, record=[want], example=k).seen[want] for k, s in enumerate(shown.stimuli(range(n)))]
    return np.array(seen)


def mean_rate(learner, population, n=40):
    want = Average(population, "rate", SOMA, whole=True)
    shown = task(n)
    return np.mean(
        [learner.present(s, record=[want], example=k).seen[want] for k, s in enumerate(shown.stimuli(range(n)))]
    )


def test_weights_are_placed_at_the_middle_of_the_rise(built):
    learner = built()
    survey = learner.survey(task(), tune=True)
    points = survey.points
    assert list(points) == ["mid", "out"]
    drives = mean_drives(learner, "mid")
    # patterns are shown unequally often, and trains are noisy: the mean is that of other trials
    assert drives.mean() == pytest.approx(points["mid"].middle, rel=0.1)
    assert drives.std() > 0.1
    least = points["mid"].rates[0]
    assert least < mean_rate(learner, "mid") < points["mid"].peak
    weights = learner.network.sets["in->mid"].weights
    assert weights.min() < 0.0 < weights.mean(), "a random part with both signs"
    assert points["mid"].unit > points["mid"].noise > 0.0
    assert points["out"].taught > 0.02
    assert learner.network.sets["in->mid"].limit == points["mid"].limits["in->mid"]
    assert "mid" in str(survey)


def test_feedback_comes_from_one_group_of_taught_cells(built):
    learner = built()
    learner.survey(task(), tune=True)
    feedback = learner.network.sets["out->mid"]
    groups = np.array([0, 0, 1, 1])
    heard = []
    for column in range(6):
        mine = feedback.column == column
        sources = feedback.pre[mine][feedback.weights[mine] != 0.0]
        assert len(set(groups[sources])) == 1
        heard.append(int(groups[sources][0]))
    assert sorted(heard) == [0, 0, 0, 1, 1, 1]
    sums = np.bincount(feedback.column, weights=feedback.weights)
    np.testing.assert_allclose(sums, sums[0])


def test_inhibition_stays_what_it_is_and_can_learn(built):
    """A set of inhibitory synapses alone is no drive to be placed; what it takes shifts the measured curve."""

    def brake(net):
        rule = net.connParams["in->mid"]
        net.connParams["brake"] = dict(rule) | {"probability": 0.5, "synMech": "inh", "weight": 0.0005}

    learner = built(brake, signed=False)
    one, up = (learner.network.sets[name] for name in ("brake", "in->mid"))
    before, placed = one.weights.copy(), up.weights.copy()
    point = learner.survey(task(), tune=True).points["mid"]
    np.testing.assert_array_equal(one.weights, before)
    assert (up.weights != placed).all()
    assert one.unit == -up.unit
    assert point.drives[0] < 0
    assert point.steps["brake"] > 0
    learner.fit(task())
    assert (one.weights != before).any()
    assert one.weights.min() >= 0


def test_a_population_that_is_only_inhibited(built):
    def brake(net):
        net.connParams["in->mid"] |= {"synMech": "inh"}

    with pytest.raises(ConfigError, match="can only inhibit it: mark a rule that excites it"):
        built(brake, signed=False).survey(task(), tune=True)


def test_without_tuning_everything_is_left_as_it_is(built, tmp_path):
    learner = built(signed=False)
    before = {name: one.weights.copy() for name, one in learner.network.sets.items()}
    strengths = [one.netcon.weight[0] for one in learner.network.cells["out"].teachers]
    survey = learner.survey(task())
    for name, one in learner.network.sets.items():
        np.testing.assert_array_equal(one.weights, before[name])
    assert [one.netcon.weight[0] for one in learner.network.cells["out"].teachers] == strengths
    point = survey.points["mid"]
    assert point.limits == {}
    assert (np.diff(point.drives) > 0).all()
    survey.plot(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 5000
    learner.fit(task())  # with steps of the size of the weights that the owner gave
    change = np.abs(learner.network.sets["in->mid"].weights - before["in->mid"])
    assert 0 < change.mean() < 5 * before["in->mid"].mean()


def test_the_noise_of_a_tuft_without_feedback_is_no_signal(built):
    """A unit that is a mean of sizes would be the noise itself, or what stimuli do."""
    learner = built(signed=False)
    learner.network.sets["out->mid"].put(np.zeros(24))
    point = learner.survey(task()).points["mid"]
    assert point.noise > 0.05
    assert point.unit < 0.5 * point.noise


def test_a_population_that_cannot_be_driven_is_named(built):
    def closed(net):
        net.cellParams["PYR"]["secs"]["soma"]["mechs"]["hh"]["gnabar"] = 0.0

    learner = built(closed, signed=False)
    with pytest.raises(ConfigError, match=r"population 'mid': weights of in->mid bring it to 0\.0 Hz at most"):
        learner.survey(task(), tune=True)


def test_a_task_without_targets_is_refused(built):
    from segdend_plugin import tasks

    learner = built()
    shown = tasks.Examples([tasks.Stimulus({"in": np.ones(12)})] * 2, task(2).goal)
    shown.stimuli = lambda numbers: [tasks.Stimulus({"in": np.ones(12)}) for _ in numbers]
    with pytest.raises(ConfigError, match="examples without a target"):
        learner.survey(shown, tune=True)
