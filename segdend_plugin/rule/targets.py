"""Local targets, errors and the change of weights and biases at the end of an example.

Guerguiev, Lillicrap & Richards (2017) eLife 6:e22901, equations 8-10 and 22-31. All potentials are
dimensionless, rates and filtered spike trains are in spikes/ms. Bars are averages over the window of
the forward phase unless `target` is in the name. Nothing here knows about layers or ranks: each
postsynaptic cell needs only its own numbers.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logit

from segdend_plugin.rule.plateau import sigma, sigma_slope
from segdend_plugin.types import Array

RATE_MAX = 0.2
"""Largest rate phi_max (1/ms)."""


def hidden_scale(rate_max: float = RATE_MAX) -> float:
    """Return P0 = 20/phi_max (ms)."""
    return 20.0 / rate_max


def output_scale(rate_max: float = RATE_MAX) -> float:
    """Return P1 = 20/phi_max^2 (ms^2)."""
    return 20.0 / rate_max**2


def hidden_delta(difference: Array, forward_soma: Array, gain: float | Array, rate_max: float = RATE_MAX) -> Array:
    """Return the error of hidden cells, delta0 = -k_b phi_max (alpha_t - alpha_f) sigma'(V) (eqs 9, 30-32).

    Parameters
    ----------
    difference
        alpha_t - alpha_f of each cell, shape (n,), as :mod:`~segdend_plugin.rule.plateau` gives it.
    forward_soma
        Windowed somatic average of the forward phase, shape (n,).
    gain
        k_b = g_b/(g_l + g_b + g_a), the steady somatic potential for unit basal potential, of all cells or of each.
    rate_max
        phi_max (1/ms).

    Returns
    -------
    Array
        delta0, shape (n,), in 1/ms.
    """
    return -gain * rate_max * difference * sigma_slope(forward_soma)


def output_delta(target_rate: Array, forward_soma: Array, gain: float | Array, rate_max: float = RATE_MAX) -> Array:
    """Return the error of output cells, delta1 = -k_d phi_max (phi_t - phi_max sigma(V)) sigma'(V) (eq 23).

    Parameters
    ----------
    target_rate
        Mean rate over the window of the target phase (1/ms), shape (n,).
    forward_soma
        Windowed somatic average of the forward phase, shape (n,).
    gain
        k_d = g_d/(g_l + g_d), of all cells or of each.
    rate_max
        phi_max (1/ms).

    Returns
    -------
    Array
        delta1, shape (n,), in 1/ms^2.
    """
    error = target_rate - rate_max * sigma(forward_soma)
    return -gain * rate_max * error * sigma_slope(forward_soma)


def postsynaptic_change(delta: Array, learning_rate: float, scale: float) -> Array:
    """Return -eta P delta: the change of each bias, and of each weight per unit presynaptic trace.

    The weight from presynaptic cell j to cell i changes by ``change[i] * s_j``, with s_j the average
    filtered spike train of the forward window (1/ms).

    Parameters
    ----------
    delta
        Errors, shape (n,).
    learning_rate
        eta of the layer.
    scale
        P0 or P1: :func:`hidden_scale`, :func:`output_scale`.
    """
    return -learning_rate * scale * delta


def equivalent_potential(rate: Array, window: float, rate_max: float = RATE_MAX) -> Array:
    """Return the potential at which an escape-rate soma fires as a cell does that spikes by itself.

    The rule needs sigma(V) and its slope; of a soma with action potentials the mean potential says neither. A window
    holds at most ``N = rate_max * window`` spikes; with n of them sigma(V) is taken as (n + 1/2)/(N + 1), the estimate
    of a fraction with Jeffreys' prior, so that the slope vanishes for no cell, be it silent or fast.

    Parameters
    ----------
    rate
        Spikes in the window over its length (1/ms), shape (n,).
    window
        Its length (ms).
    rate_max
        phi_max (1/ms).

    Returns
    -------
    Array
        Dimensionless potentials, shape (n,).
    """
    most = rate_max * window
    potential: Array = logit((np.clip(rate * window, 0.0, most) + 0.5) / (most + 1.0))
    return potential
