"""Initial weights against the table that the paper's formulas give."""

import numpy as np
import pytest

from segdend_plugin.rule import weights


@pytest.mark.parametrize(("n", "mean", "sd"), [(784, 0.01871, 0.5049), (500, 0.02933, 0.6321), (100, 0.14667, 1.4104)])
def test_statistics(n, mean, sd):
    assert weights.weight_statistics(n) == pytest.approx((mean, sd), rel=1e-3)


def test_drawn_weights_have_these_statistics():
    matrix, biases = weights.feedforward(0, list(range(200)), 784)
    mean, sd = weights.weight_statistics(784)
    assert matrix.shape == (784, 200)
    assert matrix.mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(matrix.size))
    assert matrix.std() == pytest.approx(sd, rel=0.01)
    assert np.abs(matrix - mean).max() <= np.sqrt(3) * sd
    assert biases.mean() == pytest.approx(0.8, abs=1e-3)
    assert biases.std() == pytest.approx(0.001, rel=0.2)


def test_a_cells_weights_do_not_depend_on_its_neighbours():
    together, _ = weights.feedforward(3, [10, 11, 12], 20)
    alone, _ = weights.feedforward(3, [11], 20)
    np.testing.assert_array_equal(together[:, 1], alone[:, 0])


def test_seeds_and_cells_differ():
    a, _ = weights.feedforward(0, [1, 2], 20)
    b, _ = weights.feedforward(1, [1, 2], 20)
    assert not np.any(a == b)
    assert not np.any(a[:, 0] == a[:, 1])


def test_feedback_of_the_last_hidden_layer_is_zero_mean_with_the_layers_own_spread():
    (matrix,) = weights.feedback(0, [list(range(500))], 10)
    assert matrix.shape == (10, 500)
    assert matrix.std() == pytest.approx(0.6321, rel=0.03)
    assert abs(matrix.mean()) < 4 * 0.6321 / np.sqrt(5000)


def test_feedback_of_an_earlier_layer_is_a_chain_product():
    """SD 0.632 * 1.41 * sqrt(100), about 8.9, for 784-500-100-10."""
    first, second = weights.feedback(0, [list(range(500)), list(range(500, 600))], 10)
    assert second.std() == pytest.approx(1.41, rel=0.05)
    assert first.std() == pytest.approx(8.9, rel=0.15)
    assert np.linalg.matrix_rank(np.vstack([first.T, second.T])) <= 10
