"""Exact errors against finite differences of the output loss."""

import numpy as np

from segdend_plugin.rule.backprop import hidden_deltas
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
