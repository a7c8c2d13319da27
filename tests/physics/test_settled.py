"""How far windows are from settled: the estimate against made-up readings whose answer is known, and a real network."""

import numpy as np
import pytest

from segdend_plugin import Learner, layered, rules, tasks
from segdend_plugin.settled import _power, _size, settled


def test_noise_that_repeats_do_not_share_averages_out():
    draws = np.random.default_rng(0)
    common = draws.normal(0.0, 0.1, (400, 1, 20))
    assert _power(common + draws.normal(0.0, 0.3, (400, 6, 20))) == pytest.approx(0.01, abs=0.001)
    assert _power(draws.normal(0.0, 0.3, (400, 6, 20))) == pytest.approx(0.0, abs=0.001)
    assert _power(np.repeat(common, 3, axis=1)) == pytest.approx(np.mean(common**2))


@pytest.mark.parametrize("true", [0.0, 0.5])
def test_the_bound_holds_and_is_not_idle(true):
    draws = np.random.default_rng(1)
    inside = 0
    for _ in range(200):
        signal = draws.normal(0.0, 0.2, (40, 1, 10))
        early = true * signal[:, :, ::-1] + draws.normal(0.0, 0.2, (40, 4, 10))
        size, most = _size(early, signal + draws.normal(0.0, 0.2, (40, 4, 10)))
        inside += true <= most
        assert most < true + 0.5
        assert size <= most
    assert inside >= 188  # 97.7 % would be 195


def test_a_signal_below_the_noise_gives_no_number():
    assert _size(np.ones((3, 2, 4)), np.zeros((3, 2, 4))) == (None, None)


def test_windows_that_open_late_are_settled_and_early_ones_are_not():
    images = tasks.load("digits").train
    found = {}
    for settle in (15.0, "auto"):
        graph = layered([64, 30, 10], "three_compartment", seed=3)
        learner = Learner(graph, rules.Guerguiev(phases=rules.TwoPhase(settle=settle)))
        learner.fit(images.first(400))
        before = learner.weights(learner.graph.connections[0].name)
        found[settle] = settled(learner, images, 600)
        np.testing.assert_array_equal(learner.weights(learner.graph.connections[0].name), before)
        assert learner.example == 400
    assert found[15.0].forward > 0.08 > found["auto"].forward_at_most  # of a signal that is still large
    assert found[15.0].target > 0.08 > found["auto"].target_at_most
    assert (found["auto"].examples, found["auto"].repeats) == (60, 10)


def test_rules_without_plateaus_in_two_phases_have_none():
    learner = Learner(layered([64, 5, 10], "three_compartment"), rules.Backprop())
    assert settled(learner, tasks.load("digits").train, 4) is None
    without = Learner(layered([64, 10]), rules.Guerguiev())
    assert settled(without, tasks.load("digits").train, 4) is None
