"""Filtered trains in closed form against explicit sums."""

import numpy as np
import pytest

from segdend_plugin.engine.along import adjoint, filtered, mean_of_windows

STEPS, DT = 120, 0.5
KERNELS = ((10.0, 3.0), (20.0, 0.5))


def kappa(kernel, steps):
    """The kernel at the ends of the steps of a spike that arrives in the first one."""
    slow, fast = kernel
    ages = np.arange(1, steps + 1) * DT
    return (np.exp(-ages / slow) - np.exp(-ages / fast)) / (slow - fast)


def trains(arrived, kernel):
    """The filtered train of each spike by itself, shape (steps, spikes)."""
    result = np.zeros((STEPS, len(arrived)))
    for k, step in enumerate(arrived):
        if step < STEPS:
            result[step:, k] = kappa(kernel, STEPS - step)
    return result


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_spike_adds_to_a_sum_what_its_train_does(kernel):
    post = np.random.default_rng(0).normal(size=(STEPS, 3))
    arrived = np.array([0, 0, 7, 58, STEPS - 1])
    expected = trains(arrived, kernel).T @ post
    np.testing.assert_allclose(adjoint(post, kernel, DT)[arrived], expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_spike_adds_to_a_mean_what_its_train_does(kernel):
    arrived = np.array([0, 39, 40, 41, 99, 100, 101, 500])
    first, last = 40, 100
    expected = trains(arrived, kernel)[first:last].mean(axis=0)
    np.testing.assert_allclose(mean_of_windows(arrived, first, last, kernel, DT), expected, rtol=1e-10, atol=1e-17)


def test_a_mean_has_the_same_bits_among_any_others():
    arrived = np.random.default_rng(1).integers(0, 100, 37)
    together = mean_of_windows(arrived, 20, 90, KERNELS[0], DT)
    alone = [mean_of_windows(arrived[k : k + 1], 20, 90, KERNELS[0], DT)[0] for k in range(37)]
    assert together.tolist() == alone


@pytest.mark.parametrize("kernel", KERNELS)
def test_trains_are_filtered_step_by_step(kernel):
    come = np.random.default_rng(2).poisson(0.1, (STEPS, 4)).astype(float)
    expected = np.array([np.convolve(column, kappa(kernel, STEPS))[:STEPS] for column in come.T]).T
    np.testing.assert_allclose(filtered(come, kernel, DT), expected, rtol=1e-11, atol=1e-15)
    assert filtered(come[:, 1:2], kernel, DT).tolist() == filtered(come, kernel, DT)[:, 1:2].tolist()


def test_nothing_comes_of_no_spikes():
    assert mean_of_windows(np.empty(0, dtype=np.int64), 0, 10, KERNELS[0], DT).shape == (0,)
    assert filtered(np.zeros((5, 0)), KERNELS[0], DT).shape == (5, 0)
    assert adjoint(np.zeros((5, 0)), KERNELS[0], DT).shape == (5, 0)
