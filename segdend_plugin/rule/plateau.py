"""From a windowed apical average to a plateau potential."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from segdend_plugin.rule.random import Purpose, stream
from segdend_plugin.types import Array, Integers

LATEST = 5
"""Most milliseconds by which a jittered plateau precedes the end of its phase."""


def sigma(x: Array) -> Array:
    """Return the logistic function of `x`, used for rates and plateaus alike (eqs 3, 5)."""
    result: Array = expit(x)
    return result


def sigma_slope(x: Array) -> Array:
    """Return the derivative of :func:`sigma` at `x`."""
    s = sigma(x)
    return s * (1.0 - s)


def plateau(apical_average: Array) -> Array:
    """Return alpha, the plateau potential at the end of a phase (eqs 5 and 21).

    Parameters
    ----------
    apical_average
        Mean dimensionless apical potential over the window of the phase, shape (n,).

    Returns
    -------
    Array
        alpha in (0, 1), shape (n,).
    """
    return sigma(apical_average)


def plateau_difference(forward_apical: Array, target_apical: Array) -> Array:
    """Return alpha_t - alpha_f from the apical averages of the two phases, shape (n,)."""
    return plateau(target_apical) - plateau(forward_apical)


def burst_difference(
    forward_apical: Array, target_apical: Array, seed: int, example: int, gids: Sequence[int]
) -> Array:
    """Return N_t - N_f, Poisson numbers of spikes in a burst with means alpha_t and alpha_f (eqs 36-37).

    Its expectation is alpha_t - alpha_f: a basal memory that goes down with every spike of a burst in the forward
    phase and up in the target phase realises the rule.

    Parameters
    ----------
    forward_apical, target_apical
        Windowed apical averages, shape (n,).
    seed, example, gids
        Key of the random numbers of each cell.
    """
    alphas = np.stack([plateau(forward_apical), plateau(target_apical)], axis=1)
    pairs = zip(gids, alphas, strict=True)
    counts = np.array([stream(seed, Purpose.BURSTS, gid, example).poisson(pair) for gid, pair in pairs], dtype=float)
    difference: Array = counts.reshape(-1, 2) @ np.array([-1.0, 1.0])
    return difference


def plateau_leads(seed: int, depth: int, example: int, n: int, sd: float) -> Integers:
    """Return by how many whole milliseconds the plateaus of each cell precede the ends of the two phases.

    A folded normal, truncated to whole milliseconds and at most 5, as the released code draws it (the paper calls 3
    its variance, the code takes it as the standard deviation; eLife 22901, Fig 6 - figure supplement 1).

    Parameters
    ----------
    seed, depth, example
        Key of the random numbers; `depth` is the hidden layer.
    n
        Cells of the layer.
    sd
        Standard deviation (ms).

    Returns
    -------
    Integers
        Shape (2, n): forward and target phase.
    """
    drawn = stream(seed, Purpose.PLATEAUS, depth, example).normal(0.0, sd, size=(2, n))
    return np.minimum(np.abs(drawn).astype(np.int64), LATEST)
