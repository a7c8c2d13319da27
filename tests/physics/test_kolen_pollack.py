"""Feedback that learns to be aligned: against the transposed change of forward weights, and what they differ in."""

from dataclasses import replace

import numpy as np
import pytest

from segdend_plugin import Learner, layered, rules, tasks
from segdend_plugin.errors import ConfigError
from segdend_plugin.experiment import config, graph, teaching

PHASES = rules.TwoPhase(settle=20.0, jitter=False)


def network(cell="three_compartment", seed=4):
    chain = layered([64, 12, 10], cell, seed=seed)
    sets = tuple(replace(c, learned=True) if c.role == "feedback" else c for c in chain.connections)
    return replace(chain, connections=sets)


def names(made):
    up = next(c.name for c in made.connections if c.post == "output")
    back = next(c.name for c in made.connections if c.role == "feedback")
    return up, back


@pytest.mark.parametrize("cell", ["three_compartment", "mouse_v1_l4_nr5a1"])
@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_feedback_changes_by_the_transpose_of_what_the_output_weights_change_by(cell, decay):
    made = network(cell)
    up, back = names(made)
    learner = Learner(made, rules.KolenPollack(phases=PHASES, decay=decay), learning_rates=0.5)
    images = tasks.load("digits").train.first(6)
    difference = learner.weights(up).T - learner.weights(back)
    before = learner.weights(up)
    learner.partial_fit(images)
    assert np.abs(learner.weights(up) - before).max() > 0.01
    left = (1 - decay) ** 6 * difference
    np.testing.assert_allclose(learner.weights(up).T - learner.weights(back), left, atol=1e-12)


def test_without_decay_all_else_is_learned_as_by_the_paper_s_rule_in_the_first_example():
    made = network()
    up, _ = names(made)
    images = tasks.load("digits").train.first(1)
    found = []
    for rule in (rules.KolenPollack(phases=PHASES, decay=0.0), rules.Guerguiev(phases=PHASES)):
        learner = Learner(made, rule, learning_rates={p.name: 0.5 for p in made.populations})
        learner.partial_fit(images)
        found.append([learner.weights(up), learner.weights(made.connections[0].name)])
    for ours, papers in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, papers)


def test_the_rule_is_sound_and_refuses_what_has_no_way_up():
    rules.check(rules.KolenPollack())
    with pytest.raises(ConfigError, match="no feedback set is learned"):
        Learner(layered([4, 3, 2], "three_compartment"), rules.KolenPollack())
    deep = layered([4, 3, 3, 2], "three_compartment")
    learned = replace(deep, connections=tuple(replace(c, learned=True) for c in deep.connections))
    with pytest.raises(ConfigError, match="no learned forward set leads"):
        Learner(learned, rules.KolenPollack())
    for wrong in ({"decay": 1.0}, {"decay": -0.1}, {"feedback": rules.Feedback(learning_rate=0.1)}):
        with pytest.raises(ConfigError):
            rules.KolenPollack(**wrong)


@pytest.mark.parametrize(("hidden", "learned"), [("[5]", [True]), ("[5,4]", [False, True]), ("[]", [])])
def test_a_description_learns_the_feedback_from_the_output_to_the_last_layer(hidden, learned):
    described = config.load(
        settings=[
            "rule.name=kolen_pollack",
            f"layers.hidden={hidden}",
            "cell=three_compartment",
            "feedback.decay=0.001",
        ]
    )
    made = graph.graph(described, 64, 10)
    assert [c.learned for c in made.connections if c.role == "feedback"] == learned
    rule = teaching.rule(described)
    rule.wants(made)
    assert not learned or rule.decay == 0.001
