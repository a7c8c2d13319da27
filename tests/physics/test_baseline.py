"""The baseline of plateau differences, against means of what the same network shows without one."""

import numpy as np
import pytest

from segdend_plugin import Learner, layered, rules, tasks
from segdend_plugin.callbacks import Stop
from segdend_plugin.errors import ConfigError

IMAGES = tasks.load("digits").train.first(12)


class Keep(Stop):
    def __init__(self):
        super().__init__(lambda *_: False)
        self.outcomes = []

    def batch(self, learner, outcomes):
        self.outcomes += outcomes
        return False


def shown(batch=1, **options):
    """Return learner and outcomes of a network whose weights stay as they are."""
    graph = layered([64, 7, 10], "three_compartment", seed=2)
    rule = rules.Guerguiev(phases=rules.TwoPhase(settle=20.0), **options)
    learner, keep = Learner(graph, rule, learning_rates=0.0), Keep()
    learner.fit(IMAGES, callbacks=[keep], batch=batch)
    return learner, keep.outcomes, graph.hidden[0].name


def differences(learner, outcomes, name):
    """Return alpha_t - alpha_f from the readings themselves, shape (examples, cells)."""
    read = {
        w: np.array([o.seen[learner.rule.apical(learner.graph, name, w)] for o in outcomes])
        for w in ("forward", "target")
    }
    forward, target = (1 / (1 + np.exp(-read[w])) for w in ("forward", "target"))
    return target - forward


@pytest.mark.parametrize(("rate", "batch"), [(1e-9, 1), (0.25, 1), (0.25, 4), (1.0, 3)])
def test_errors_are_those_of_differences_from_their_mean(rate, batch):
    plain, before, name = shown(batch)
    learner, after, _ = shown(batch, baseline=rate)
    raw, mean, n = differences(plain, before, name), np.zeros(7), 0
    for first in range(0, 12, batch):
        for k in range(first, min(first + batch, 12)):  # all of a batch meet the baseline before it
            expected = before[k].changes.errors[name] * (raw[k] - mean) / raw[k]
            np.testing.assert_allclose(after[k].changes.errors[name], expected, rtol=1e-9)
        for k in range(first, min(first + batch, 12)):
            n += 1
            mean = mean + max(rate, 1 / n) * (raw[k] - mean)
    if rate == 1e-9:
        np.testing.assert_allclose(mean, raw.mean(axis=0), rtol=1e-7)
    np.testing.assert_allclose(learner.rule_state[f"baseline {name}"], mean, rtol=1e-9)


def test_a_baseline_is_kept_through_a_state(tmp_path):
    learner, _, name = shown(baseline=0.1)
    learner.save(tmp_path / "state.h5")
    again = Learner(learner.graph, learner.rule, learning_rates=0.0).load(tmp_path / "state.h5")
    np.testing.assert_array_equal(again.rule_state[f"baseline {name}"], learner.rule_state[f"baseline {name}"])


def test_baselines_are_sound_and_bounded():
    for options in ({}, {"plateau": "bursts"}, {"feedback": rules.Feedback("sign_concordant")}):
        rules.check(rules.Guerguiev(baseline=0.1, **options))
    for wrong in (-0.1, 1.1, float("nan"), True):
        with pytest.raises(ConfigError, match="baseline"):
            rules.Guerguiev(baseline=wrong)
    with pytest.raises(ConfigError, match="exact errors have none"):
        rules.Backprop(baseline=0.1)
