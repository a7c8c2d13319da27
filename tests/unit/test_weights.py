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


def test_the_released_code_doubles_every_spread_and_no_mean():
    gids = list(range(100))
    paper, paper_biases = weights.feedforward(0, gids, 784)
    released, biases = weights.feedforward(0, gids, 784, "released_code")
    mean, _ = weights.weight_statistics(784)
    np.testing.assert_allclose(released - mean, 2 * (paper - mean), rtol=1e-9)
    np.testing.assert_allclose(biases - 0.8, 2 * (paper_biases - 0.8), rtol=1e-6)


def test_a_layer_of_inputs_at_their_mean_gives_the_wanted_potential():
    """N W_avg nu V_avg + b_avg = V_avg: what the formula of the mean is made for."""
    for n in (784, 500, 100, 7):
        assert n * weights.weight_statistics(n)[0] * 0.05 * 3 + 0.8 == pytest.approx(3, rel=1e-12)
