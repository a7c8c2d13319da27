"""Feedback weights: random, sparse, symmetric, noisy, sign-concordant, learned."""

import numpy as np
import pytest

from segdend_plugin.rule.feedback import FeedbackWeights, feedback_change, random_feedback, symmetric_feedback
from segdend_plugin.rule.plateau import plateau
from segdend_plugin.rule.variant import Feedback

LAYERS = [list(range(20, 29)), list(range(29, 36))]  # gids of 9 and 7 cells
N_OUTPUT = 3


def forward(scale=1.0):
    """Weights out of both hidden layers, with both signs."""
    draw = np.random.default_rng(5)
    return [scale * draw.normal(size=shape) for shape in ((9, 7), (7, 3))]


def at(example, upward=None, seed=0, **settings):
    return FeedbackWeights(seed, LAYERS, N_OUTPUT, Feedback(**settings)).at(example, upward or forward())


def test_last_hidden_layer_is_zero_mean_with_the_layers_own_spread():
    (matrix,) = random_feedback(0, [list(range(500))], 10)
    assert matrix.shape == (10, 500)
    assert matrix.std() == pytest.approx(0.6321, rel=0.03)
    assert abs(matrix.mean()) < 4 * 0.6321 / np.sqrt(5000)


def test_an_earlier_layer_is_reached_by_a_chain_product():
    """SD 0.632 * 1.41 * sqrt(100), about 8.9, for 784-500-100-10."""
    first, second = random_feedback(0, [list(range(500)), list(range(500, 600))], 10)
    assert second.std() == pytest.approx(1.41, rel=0.05)
    assert first.std() == pytest.approx(8.9, rel=0.15)


def test_released_code_draws_every_layer_by_itself_with_twice_the_spread():
    first, second = random_feedback(0, [list(range(500)), list(range(500, 600))], 10, "released_code")
    assert (first.shape, second.shape) == ((10, 500), (10, 100))
    assert first.std() == pytest.approx(2 * 0.6321, rel=0.03)
    assert second.std() == pytest.approx(2 * 1.4104, rel=0.05)
    assert first.mean() == pytest.approx(0.02933, abs=4 * 1.2642 / np.sqrt(5000))
    (large,) = random_feedback(1, [list(range(20))], 20000, "released_code")
    # W_avg of 20 cells: 2.2/(0.05 * 20 * 3)
    assert large.mean() == pytest.approx(2.2 / 3, abs=4 * large.std() / np.sqrt(large.size))


def test_layerwise_weights_come_from_the_layer_above_with_the_receiving_layers_spread():
    first, second = random_feedback(0, [list(range(500)), list(range(500, 600))], 10, route="layerwise")
    assert (first.shape, second.shape) == ((100, 500), (10, 100))
    assert first.std() == pytest.approx(0.6321, rel=0.02)


def test_random_feedback_is_the_same_for_every_example_and_not_for_every_seed():
    for one, other, seeded in zip(at(0), at(7, forward(2.0)), at(0, seed=1), strict=True):
        np.testing.assert_array_equal(one, other)
        assert not np.any(one == seeded)


def test_symmetric_feedback_is_the_transpose_and_its_product():
    lower, upper = forward()
    first, second = symmetric_feedback([lower, upper], "broadcast")
    for o in range(3):
        for i in range(7):
            assert second[o, i] == upper[i, o]
        for i in range(9):
            assert first[o, i] == pytest.approx(sum(lower[i, j] * upper[j, o] for j in range(7)), rel=1e-12)
    layerwise, _ = symmetric_feedback([lower, upper], "layerwise")
    np.testing.assert_array_equal(layerwise, lower.T)


def test_symmetric_feedback_follows_the_weights():
    settings = Feedback(weights="symmetric", scale=2.0)
    found = FeedbackWeights(0, LAYERS, N_OUTPUT, settings)
    np.testing.assert_allclose(found.at(0, forward())[1], 2 * forward()[1].T)
    np.testing.assert_allclose(found.at(1, forward(3.0))[1], 6 * forward()[1].T)


@pytest.mark.parametrize("route", ["broadcast", "layerwise"])
def test_sign_concordant_feedback_has_the_signs_of_the_transpose_and_random_magnitudes(route):
    settings = Feedback(weights="sign_concordant", route=route)
    drawn = random_feedback(0, LAYERS, N_OUTPUT, route=route)
    found = FeedbackWeights(0, LAYERS, N_OUTPUT, settings).at(0, forward())
    lower, upper = forward()
    transposes = [lower.T if route == "layerwise" else (lower @ upper).T, upper.T]
    for matrix, transpose, random in zip(found, transposes, drawn, strict=True):
        assert np.all(matrix * transpose > 0)
        np.testing.assert_allclose(np.abs(matrix), np.abs(random), rtol=1e-12)


def test_sparse_feedback_keeps_exactly_the_fraction_and_scales_it():
    layers = [list(range(100, 150))]
    (dense,) = FeedbackWeights(4, layers, 10, Feedback()).at(0, [])
    sparse = FeedbackWeights(4, layers, 10, Feedback(fraction=0.2, scale=5.0))
    (found,) = sparse.at(0, [])
    assert np.count_nonzero(found) == 100  # of 500
    np.testing.assert_allclose(found[found != 0], 5 * dense[found != 0], rtol=1e-12)
    np.testing.assert_array_equal(found, sparse.at(3, [])[0])
    (unscaled,) = FeedbackWeights(4, layers, 10, Feedback(fraction=0.2)).at(0, [])
    np.testing.assert_allclose(found, 5 * unscaled, rtol=1e-12)


def test_sparse_masks_of_two_layers_differ():
    layers = [list(range(40)), list(range(40, 80))]
    first, second = FeedbackWeights(4, layers, 10, Feedback(fraction=0.2)).at(0, [])
    assert np.any((first != 0) != (second != 0))


def test_noise_has_its_standard_deviation_and_is_redrawn_for_every_example():
    layers = [list(range(500))]
    draw = np.random.default_rng(2)
    upper = [draw.normal(size=(500, 10))]
    noisy = FeedbackWeights(0, layers, 10, Feedback(weights="symmetric", noise=0.05))
    noise = [noisy.at(example, upper)[0] - upper[0].T for example in (0, 1)]
    assert noise[0].std() == pytest.approx(0.05, rel=0.05)
    assert abs(noise[0].mean()) < 4 * 0.05 / np.sqrt(5000)
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 4 / np.sqrt(5000)
    # keyed by the example, whatever was asked for before
    again = FeedbackWeights(0, layers, 10, Feedback(weights="symmetric", noise=0.05)).at(1, upper)[0] - upper[0].T
    np.testing.assert_array_equal(again, noise[1])


def test_noise_that_is_drawn_once_stays():
    fixed = [at(example, noise=0.05, noise_redrawn=False) for example in (0, 1)]
    clean = at(0)
    for first, second, undisturbed in zip(*fixed, clean, strict=True):
        np.testing.assert_array_equal(first, second)
        assert np.all(first != undisturbed)
    assert not Feedback(noise=0.05, noise_redrawn=False).is_renewed
    assert Feedback(noise=0.05).is_renewed
    assert Feedback(weights="symmetric").is_renewed
    assert not Feedback(fraction=0.2).is_renewed


def test_learned_feedback_lets_the_tuft_predict_the_rate_of_its_soma():
    # V = 0: 0.1/ms; apical average ln 3: alpha 0.75, slope 3/16
    change = feedback_change(np.array([0.0]), plateau(np.array([np.log(3.0)])), 0.5)
    assert change[0] == pytest.approx(0.5 * (0.1 - 0.75) * 3 / 16, rel=1e-12)
