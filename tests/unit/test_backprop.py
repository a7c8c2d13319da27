"""Exact errors against finite differences of the output loss."""

from dataclasses import replace

import numpy as np
import pytest

from segdend_plugin.errors import ConfigError
from segdend_plugin.model.wants import Weights
from segdend_plugin.rule.backprop import Backprop, hidden_deltas, levels
from segdend_plugin.rule.check import graphs
from segdend_plugin.rule.guerguiev import soma, taught_rate
from segdend_plugin.rule.targets import output_delta

GAINS = [np.array([0.8, 0.6, 0.8, 0.7, 0.8]), np.full(4, 0.5), np.full(3, 0.6 / 0.7)]  # k_b, k_b, k_d


def averaged_network(nudge, layer, forward, basal, biases):
    """Somatic potentials of all layers when the basal potentials of one are nudged: V = k V_basal, s = phi(V)."""
    somas = []
    for k, gain in enumerate(GAINS):
        drive = basal if k == 0 else 0.2 / (1 + np.exp(-somas[-1])) @ forward[k - 1] + biases[k]
        somas.append(gain * (drive + (nudge if k == layer else 0.0)))
    return somas


def test_deltas_are_half_the_gradient_of_the_output_loss():
    """By the basal potentials: the factor 2 of the square is absorbed, as everywhere in the rule."""
    draw = np.random.default_rng(1)
    forward = [draw.normal(0, 3, size=(5, 4)), draw.normal(0, 3, size=(4, 3))]
    basal, biases = draw.normal(1, 2, size=5), [np.zeros(5), np.full(4, 0.8), np.full(3, 0.8)]
    wanted = np.array([0.19, 0.01, 0.01])

    def loss(nudge, layer):
        output = averaged_network(nudge, layer, forward, basal, biases)[-1]
        return 0.5 * np.sum((wanted - 0.2 / (1 + np.exp(-output))) ** 2)

    somas = averaged_network(0.0, 0, forward, basal, biases)
    exact = hidden_deltas(forward, output_delta(wanted, somas[-1], 0.6 / 0.7), somas[:2], GAINS[:2])
    for layer, delta in enumerate(exact):
        numeric = [(loss(1e-5 * unit, layer) - loss(-1e-5 * unit, layer)) / 2e-5 for unit in np.eye(len(GAINS[layer]))]
        np.testing.assert_allclose(delta, numeric, rtol=1e-6, atol=1e-12)
        assert np.abs(delta).max() > 1e-6


def test_without_hidden_layers_there_is_nothing_to_pass_down():
    assert hidden_deltas([], np.ones(3), [], []) == []


class Known:
    """Readings of one rank that has all cells."""

    def __init__(self, graph, seed=0):
        draw = np.random.default_rng(seed)
        self.graph, self.values, self.gains = graph, {}, {}
        for p in graph.populations:
            self.values[soma(p.name, whole=True)] = draw.normal(size=p.size)
            self.values[taught_rate(p.name, whole=True)] = draw.uniform(0, 0.2, p.size)
            self.gains[p.name] = draw.uniform(0.5, 0.9, p.size)
        for c in graph.connections:
            self.values[Weights(c.name)] = draw.normal(size=(graph.n_pre(c), graph[c.post].size))

    def __getitem__(self, want):
        return self.values[want]

    def gain(self, population, *, whole=False):
        return self.gains[population]

    def local(self, population):
        return np.arange(self.graph[population].size)


def test_the_rule_is_the_function_for_a_chain_of_layers():
    s = Known(graphs()[1])
    found = Backprop().errors(s)
    somas = [s[soma(name, whole=True)] for name in ("h1", "h2")]
    out = output_delta(s[taught_rate("out", whole=True)], s[soma("out", whole=True)], s.gains["out"])
    forward = [s[Weights(name)] for name in ("h1->h2", "h2->out")]
    exact = hidden_deltas(forward, out, somas, [s.gains["h1"], s.gains["h2"]])
    np.testing.assert_array_equal(found["out"], out)
    for name, delta in zip(("h1", "h2"), exact, strict=True):
        np.testing.assert_allclose(found[name], delta, rtol=1e-12)


def test_populations_of_a_layer_get_their_rows():
    s = Known(graphs()[2])
    found = Backprop().errors(s)
    back = s[Weights("h+g->out")] @ found["out"]
    for name, rows in (("h", slice(0, 4)), ("g", slice(4, 7))):
        sigma = 1 / (1 + np.exp(-s[soma(name, whole=True)]))
        np.testing.assert_allclose(found[name], back[rows] * s.gains[name] * 0.2 * sigma * (1 - sigma), rtol=1e-12)


def test_errors_go_back_along_sets_that_skip_a_layer_too():
    made = graphs()[1]
    plain = Known(made)
    skip = replace(made.set("h2->out"), name="skip", pre=("h1",))
    s = Known(replace(made, connections=(*made.connections, skip)))
    s.values |= plain.values
    s.gains = plain.gains
    found, without = Backprop().errors(s), Backprop().errors(plain)
    sigma = 1 / (1 + np.exp(-s[soma("h1", whole=True)]))
    more = s[Weights("skip")] @ found["out"] * s.gains["h1"] * 0.2 * sigma * (1 - sigma)
    np.testing.assert_allclose(found["h1"], without["h1"] + more, rtol=1e-9)
    np.testing.assert_array_equal(found["h2"], without["h2"])


def test_a_circle_is_refused():
    with pytest.raises(ConfigError, match="make a circle"):
        Backprop().wants(graphs()[3])


def test_levels_count_the_longest_way():
    made = graphs()[1]
    skip = replace(made.set("h2->out"), name="skip", pre=("in",), post="h2")
    assert [[p.name for p in level] for level in levels(replace(made, connections=(*made.connections, skip)))] == [
        ["h1"],
        ["h2"],
        ["out"],
    ]


def test_no_feedback_is_needed():
    made = graphs()[1]
    alone = replace(made, connections=tuple(c for c in made.connections if c.role == "forward"))
    assert Backprop().wants(alone)
    assert set(Backprop().learning_rates(alone)) == {"h1", "h2", "out"}
