"""The rule against numbers worked out by hand."""

import math

import numpy as np
import pytest

from segdend_plugin.rule import targets
from segdend_plugin.rule.plateau import plateau, plateau_difference, sigma_slope


def logistic(x):
    return 1 / (1 + math.exp(-x))


def test_plateau_is_the_logistic_function_of_the_average():
    np.testing.assert_allclose(plateau(np.array([0.0, 2.0])), [0.5, 0.8807970779778823], rtol=1e-15)


def test_slope_agrees_with_a_difference_quotient():
    x, h = 0.7, 1e-6
    assert sigma_slope(np.array([x]))[0] == pytest.approx((logistic(x + h) - logistic(x - h)) / (2 * h), rel=1e-8)


def test_hidden_change_is_twenty_eta_gain_times_plateau_difference_times_slope():
    # alpha_f = 0.5, alpha_t = 0.75, V = 0: slope 0.25; phi_max cancels
    gain, eta = 0.6 / 0.7, 0.21
    delta = targets.hidden_delta(plateau_difference(np.array([0.5]), np.array([0.75])), np.zeros(1), gain)
    change = targets.postsynaptic_change(delta, eta, targets.hidden_scale())
    assert delta[0] == pytest.approx(-gain * 0.2 * 0.25 * 0.25, rel=1e-12)
    assert change[0] == pytest.approx(20 * eta * gain * 0.25 * 0.25, rel=1e-12)


def test_output_change_is_twenty_eta_gain_times_rate_error_times_slope():
    # target 150 Hz against 100 Hz at V = 0
    gain, eta = 0.6 / 0.7, 0.21
    delta = targets.output_delta(np.array([0.15]), np.array([0.0]), gain)
    change = targets.postsynaptic_change(delta, eta, targets.output_scale())
    assert change[0] == pytest.approx(20 * eta * gain * 0.25 * 0.25, rel=1e-12)


def test_a_rising_plateau_strengthens_and_a_falling_one_weakens():
    low, high, soma = np.array([0.0]), np.array([1.0]), np.array([0.3])
    up = targets.hidden_delta(plateau_difference(low, high), soma, 0.8)
    down = targets.hidden_delta(plateau_difference(high, low), soma, 0.8)
    assert targets.postsynaptic_change(up, 0.1, 100.0)[0] > 0 > targets.postsynaptic_change(down, 0.1, 100.0)[0]


def test_output_change_is_the_gradient_of_the_squared_rate_error():
    """delta1 is half the derivative of (phi* - phi_max sigma(V))^2 by the dendritic potential, V = k_d V_dendrite."""
    gain, dendrite, wanted, h = 0.6 / 0.7, 0.9, 0.19, 1e-6

    def loss(x):
        return (wanted - 0.2 * logistic(gain * x)) ** 2

    numeric = (loss(dendrite + h) - loss(dendrite - h)) / (2 * h) / 2
    delta = targets.output_delta(np.array([wanted]), np.array([gain * dendrite]), gain)[0]
    assert delta == pytest.approx(numeric, rel=1e-6)
