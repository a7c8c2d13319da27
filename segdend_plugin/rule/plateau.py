"""From a windowed apical average to a plateau potential."""

from __future__ import annotations

from scipy.special import expit

from segdend_plugin.types import Array


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
