"""Default learning rates: the published rates belong to the released code's truncated kernel and to 784-500-10."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from segdend_plugin.rule.weights import weight_statistics

HIDDEN_STEP, DEEP_HIDDEN_STEP = 4.0, 16.0
OUTPUT_STEP = 1.0
"""Sizes of a step (one hidden layer, more, output), chosen on validation images (docs/science.md)."""
INPUT_POWER = 0.004
HIDDEN_POWER = 0.018
"""Mean square of a filtered spike train (1/ms^2) of an input (MNIST) and of a hidden cell."""

PUBLISHED: dict[int, tuple[float, ...]] = {0: (0.19,), 1: (0.21, 0.21), 2: (0.23, 0.23, 0.12)}
"""Rates of the paper by number of hidden layers (eLife 22901, Methods)."""


def learning_rates(sizes: Sequence[int], steepness: float = 1.0) -> tuple[float, ...]:
    """Return a learning rate for each hidden layer and the output layer.

    One example moves the potential of a cell by ``20 eta k e sigma' (1 + sum of s_j^2)``, with e its error and the 1
    from the bias. So that a step is of the same size in every network, the rate is divided by the expected value of
    that bracket, and in hidden layers by the spread of the feedback weights and the steepness of the plateau, which
    scale the plateau difference.

    Parameters
    ----------
    sizes
        Cells per layer, input first.
    steepness
        How steeply the plateau rises with the apical potential, relative to sigma.
    """
    powers = [1.0 + sizes[0] * INPUT_POWER, *(1.0 + size * HIDDEN_POWER for size in sizes[1:-1])]
    step = HIDDEN_STEP if len(sizes) == 3 else DEEP_HIDDEN_STEP
    hidden: list[float] = []
    spread = 0.0
    for depth in range(len(sizes) - 2, 0, -1):
        own = weight_statistics(sizes[depth])[1]
        spread = own if not spread else own * spread * sqrt(sizes[depth + 1])
        hidden.insert(0, step / (spread * steepness * powers[depth - 1]))
    return (*hidden, OUTPUT_STEP / powers[-1])
