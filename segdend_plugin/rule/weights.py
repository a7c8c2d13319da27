"""Initial weights: drawn per postsynaptic cell, so that they do not depend on how cells are spread over ranks.

Guerguiev, Lillicrap & Richards (2017) eLife 6:e22901, Methods ("weight optimisation").
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from segdend_plugin.rule.random import Purpose, stream
from segdend_plugin.types import Array

V_MEAN = 3.0  # wanted mean and standard deviation of the dendritic potential
V_SD = 3.0
BIAS_MEAN = 0.8
BIAS_SD = 0.001
SLOPE = 0.05  # nu: slope of the rate (1/ms) at potential 0, phi_max/4


def weight_statistics(n_pre: int) -> tuple[float, float]:
    """Return mean and standard deviation of the initial weights onto a cell with `n_pre` inputs."""
    v_square = V_SD**2 + V_MEAN**2
    mean = (V_MEAN - BIAS_MEAN) / (SLOPE * n_pre * V_MEAN)
    square = (
        v_square
        + SLOPE**2 * (n_pre - n_pre**2) * mean**2 * V_MEAN**2
        - 2 * n_pre * SLOPE * BIAS_MEAN * V_MEAN * mean
        - BIAS_MEAN**2
    ) / (n_pre * SLOPE**2 * v_square)
    return mean, sqrt(square - mean**2)


def feedforward(seed: int, gids: list[int], n_pre: int) -> tuple[Array, Array]:
    """Return initial weights and biases of the cells `gids`.

    Returns
    -------
    weights : Array
        Shape (n_pre, len(gids)), uniform with the mean and standard deviation of :func:`weight_statistics`.
    biases : Array
        Shape (len(gids),), uniform around 0.8 with standard deviation 0.001.
    """
    mean, sd = weight_statistics(n_pre)
    weights = np.empty((n_pre, len(gids)))
    biases = np.empty(len(gids))
    for i, gid in enumerate(gids):
        draw = stream(seed, Purpose.FEEDFORWARD, gid)
        weights[:, i] = _uniform(draw, mean, sd, n_pre)
        biases[i] = _uniform(draw, BIAS_MEAN, BIAS_SD, 1)[0]
    return weights, biases


def feedback(seed: int, layers: list[list[int]], n_output: int) -> list[Array]:
    """Return the fixed feedback weights from the output layer to every hidden layer.

    The last hidden layer has zero-mean uniform weights with the standard deviation that
    :func:`weight_statistics` gives for its own size; an earlier layer has a zero-mean random matrix of
    that kind times the feedback of the layer above it, as the authors' code had it when the figures
    were made.

    Parameters
    ----------
    seed
        Seed of the experiment.
    layers
        The gids of each hidden layer, from the input on, whole layers in order.
    n_output
        Number of output cells.

    Returns
    -------
    list of Array
        One array of shape (n_output, n_hidden) per hidden layer.
    """
    result: list[Array] = []
    above: Array | None = None
    for gids in reversed(layers):
        _, sd = weight_statistics(len(gids))
        n_next = n_output if above is None else len(above)
        rows = np.array([_uniform(stream(seed, Purpose.FEEDBACK, gid), 0.0, sd, n_next) for gid in gids])
        # without BLAS, whose sums may depend on the machine of a rank
        above = rows if above is None else np.einsum("ij,jk->ik", rows, above)
        result.insert(0, np.ascontiguousarray(above.T))
    return result


def _uniform(draw: np.random.Generator, mean: float, sd: float, size: int) -> Array:
    half_width = sqrt(3.0) * sd
    return draw.uniform(mean - half_width, mean + half_width, size)
