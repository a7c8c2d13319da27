"""Initial weights: drawn per postsynaptic cell, so that they do not depend on how cells are spread over ranks.

Guerguiev, Lillicrap & Richards (2017) eLife 6:e22901, Methods ("weight optimisation").
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.rule.variant import Initial
from segdend_plugin.types import Array

V_MEAN = 3.0  # wanted mean and standard deviation of the dendritic potential
V_SD = 3.0
BIAS_MEAN = 0.8
BIAS_SD = 0.001
RELEASED_SD = 2.0
"""The released code's last commit draws from -1..1 what its factor meant for -0.5..0.5: the spread is doubled."""
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


def feedforward(seed: int, gids: list[int], n_pre: int, initial: Initial = "paper") -> tuple[Array, Array]:
    """Return initial weights and biases of the cells `gids`.

    Parameters
    ----------
    seed
        Seed of the experiment.
    gids
        Postsynaptic cells.
    n_pre
        Presynaptic cells of each.
    initial
        ``"paper"``, or ``"released_code"`` with all standard deviations doubled.

    Returns
    -------
    weights : Array
        Shape (n_pre, len(gids)), uniform with the mean and standard deviation of :func:`weight_statistics`.
    biases : Array
        Shape (len(gids),), uniform around 0.8 with standard deviation 0.001.
    """
    mean, sd = weight_statistics(n_pre)
    spread = RELEASED_SD if initial == "released_code" else 1.0
    weights = np.empty((n_pre, len(gids)))
    biases = np.empty(len(gids))
    for i, gid in enumerate(gids):
        draw = stream(seed, Purpose.FEEDFORWARD, gid)
        weights[:, i] = uniform(draw, mean, spread * sd, n_pre)
        biases[i] = uniform(draw, BIAS_MEAN, spread * BIAS_SD, 1)[0]
    return weights, biases


def uniform(draw: np.random.Generator, mean: float, sd: float, size: int) -> Array:
    """Return uniform numbers with a mean and a standard deviation, shape (size,)."""
    half_width = sqrt(3.0) * sd
    return draw.uniform(mean - half_width, mean + half_width, size)
