"""From descriptions to graphs, rules, learning rates, images and costs; nothing is built."""

import numpy as np
import pytest

from segdend_plugin.engine import cost
from segdend_plugin.engine.layered import layered
from segdend_plugin.errors import DataError
from segdend_plugin.experiment import config, graph, run, teaching
from segdend_plugin.rule.backprop import Backprop
from segdend_plugin.rule.feedback import Feedback
from segdend_plugin.rule.guerguiev import Guerguiev
from segdend_plugin.rule.phases import TwoPhase

LUMPED = ["cell=three_compartment", "layers.hidden=[6,4]"]
SHORT = TwoPhase(forward=40, settle=20, test=100, jitter=False)


class Network:
    """What a learner asks of a network before it shows anything."""

    def __init__(self, graph):
        self.graph = graph

    def local(self, population):
        return np.arange(self.graph[population].size)


def described(*settings):
    experiment = config.load(settings=settings)
    return experiment, graph.graph(experiment, 64, experiment.output_cells(10))


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ([], Guerguiev()),
        (["rule.name=backprop"], Backprop()),
        (["rule.plateau=bursts", "rule.plateau_gain=2"], Guerguiev("bursts", 2.0)),
        (["rule.plateau_jitter=3"], Guerguiev(desynchronised=3.0)),
        (["feedback.weights=symmetric", "feedback.noise=0.05"], Guerguiev(feedback=Feedback("symmetric", 0.05))),
        (["feedback.noise=0.05", "feedback.noise_redrawn=false"], Guerguiev()),
        (["feedback.learning_rate=0.1"], Guerguiev(feedback=Feedback(learning_rate=0.1))),
        (["feedback.learning_rate=0.1", "layers.hidden=[]"], Guerguiev()),
        (
            ["phases={forward: 40, settle: 20, test: 100, jitter: false}"],
            Guerguiev(phases=SHORT),
        ),
    ],
)
def test_the_rule(settings, rule):
    experiment, made = described(*LUMPED, *settings)
    assert teaching.rule(experiment) == rule
    rule.wants(made)  # the graph suits it


def test_noise_that_is_drawn_once_is_said_by_the_graph():
    once, anew = (
        described(*LUMPED, "feedback.noise=0.05", f"feedback.noise_redrawn={redrawn}")[1] for redrawn in (False, True)
    )
    assert {c.initial.noise for c in once.connections if c.role == "feedback"} == {0.05}
    assert {c.initial.noise for c in anew.connections} == {0.0}


def test_learning_rates_are_those_of_layers():
    cells = "cells={three_compartment: 0.5, mouse_v1_l5_rbp4: 0.5}"
    experiment, made = described(cells, "layers.hidden=[6,4]", "rule.learning_rates=[3,2,1]", "rule.final_rate=0.5")
    learner = teaching.learner(experiment, Network(made))
    assert teaching.by_layer(learner) == [3.0, 2.0, 1.0]
    assert {learner.rates[c.name] for c in made.onto(made.hidden_layers[0][1].name, "forward")} == {3.0}
    assert [learner.schedule(example, 10) for example in (0, 5, 10)] == [1.0, 0.75, 0.5]


def test_frozen_layers_are_frozen_sets():
    _, made = described(*LUMPED, "rule.train_hidden=false")
    assert [c.learned for c in made.connections if c.role == "forward"] == [False, False, True]


def test_images_have_the_classes_of_the_output():
    experiment, made = described(*LUMPED, "layers.output=12", "layers.cells_per_class=2", "data.train=5", "data.test=3")
    found = teaching.dataset(experiment)
    assert found.train.outputs == found.held_out.outputs == {"output": 24}
    assert made["output"].size == 24
    with pytest.raises(DataError, match=r"layers\.output=4 has no cell for label 9: give at least 10"):
        teaching.dataset(config.load(settings=["layers.output=4"]))


def test_costs_of_ranks_add_up():
    _, made = described(*LUMPED)
    (whole,), parts = cost.estimate(made, 104, 1), cost.estimate(made, 104, 3)
    assert whole.cells == sum(part.cells for part in parts) == 84
    assert [part.cells for part in parts] == [28, 28, 28]
    assert whole.bytes == pytest.approx(sum(part.bytes for part in parts), abs=3)
    weights = 64 * 6 + 6 * 4 + 4 * 10 + 10 * 6 + 10 * 4
    cells = sum(p.kind.cost(1.0).bytes * p.size for p in made.populations)
    assert whole.bytes == cells + 8 * weights
    assert min(part.milliseconds for part in parts) > whole.milliseconds  # so small that ranks wait for messages only
    large = layered([784, 20_000, 10], "three_compartment")
    (one,), four = cost.estimate(large, 104, 1), cost.estimate(large, 104, 4)
    assert 2.0 < one.milliseconds / max(part.milliseconds for part in four) < 4.0
    halves = cost.estimate(large, 104, 4, replicas=2, batch=2)
    assert len(halves) == 2
    assert halves[0].bytes == pytest.approx(one.bytes / 2, rel=1e-3)
    assert halves[0].milliseconds < 0.6 * one.milliseconds


def test_a_dry_run_builds_nothing(monkeypatch):
    monkeypatch.setattr(run.description, "build", None)
    made, costs = run.dry(config.load(settings=[*LUMPED, "data.train=5"]), ranks=2)
    assert made.sizes == [64, 6, 4, 10]
    assert len(costs) == 2
