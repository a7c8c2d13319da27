"""Filtered spike trains in closed form: what a spike adds to a window's mean, or to a sum along a trace."""

from __future__ import annotations

from functools import lru_cache
from math import exp

import numpy as np

from segdend_plugin.types import Array, Integers


def adjoint(post: Array, kernel: tuple[float, float], dt: float) -> Array:
    """Return the sum over later steps of a trace times the filtered train of one spike that arrives in each step.

    With z(t) the train filtered by (exp(-t/a) - exp(-t/b))/(a - b), a spike that arrives in step k is one step old at
    its end, so that the sum over t of z(t) post(t) is the sum over spikes of what stands in their rows here.

    Parameters
    ----------
    post
        The trace at the end of every step, shape (steps, n).
    kernel
        Time constants a and b (ms).
    dt
        Time step (ms).

    Returns
    -------
    Array
        Shape (steps, n).
    """
    return filtered(post[::-1], kernel, dt)[::-1]  # the filter, run backwards


def mean_of_windows(arrived: Integers, first: int, last: int, kernel: tuple[float, float], dt: float) -> Array:
    """Return what a spike adds to the mean of its filtered train over the steps [first, last) of a window.

    Parameters
    ----------
    arrived
        Step in which each spike arrives, 0 or more, shape (n,).
    first, last
        The window.
    kernel
        Time constants a and b (ms) of the filter (exp(-t/a) - exp(-t/b))/(a - b).
    dt
        Time step (ms).

    Returns
    -------
    Array
        In 1/ms, shape (n,): the closed form that a dense set computes in the time step.
    """
    youngest, oldest = np.maximum(first - arrived, 0) + 1, last - arrived
    reached = oldest >= youngest
    young, old = youngest[reached], oldest[reached] + 1

    older = _older(last, kernel, dt)
    means = np.zeros(len(arrived))
    means[reached] = (older[young] - older[old]) / (last - first)
    return means


@lru_cache(maxsize=16)
def _older(last: int, kernel: tuple[float, float], dt: float) -> Array:
    """Return what is left of a filtered spike from each age (steps) on, in sum.

    One table of the same size on every rank: NumPy's powers may depend on how many are taken at once.
    """
    slow, fast = kernel
    ages = np.arange(last + 2.0)
    decays = exp(-dt / slow), exp(-dt / fast)
    of_slow, of_fast = (np.power(decay, ages) / (1.0 - decay) for decay in decays)
    left: Array = (of_slow - of_fast) / (slow - fast)
    return left


def filtered(come: Array, kernel: tuple[float, float], dt: float) -> Array:
    """Return trains filtered by (exp(-t/a) - exp(-t/b))/(a - b), at the end of every step.

    Parameters
    ----------
    come
        What arrives in each step, shape (steps, n); it is one step old at the step's end.
    kernel
        Time constants a and b (ms).
    dt
        Time step (ms).

    Returns
    -------
    Array
        Shape (steps, n).
    """
    slow, fast = kernel
    decays = np.array([[exp(-dt / slow)], [exp(-dt / fast)]])
    state = np.zeros((2, come.shape[1]))
    result = np.empty_like(come)
    for step, now in enumerate(come):
        state = (state + now) * decays
        result[step] = (state[0] - state[1]) / (slow - fast)
    return result
