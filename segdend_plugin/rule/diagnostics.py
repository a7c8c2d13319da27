"""Measures of how well a network learns, from what whole layers did in one example."""

from __future__ import annotations

import numpy as np

from segdend_plugin.rule.plateau import sigma, sigma_slope
from segdend_plugin.rule.targets import RATE_MAX
from segdend_plugin.types import Array, Integers


def angle(local: Array, exact: Array) -> float:
    """Return the angle (degrees) between the local errors of a hidden layer and those of backpropagation (Fig 7A).

    Both weight changes are outer products with the same presynaptic averages, so it is the angle between these, too.
    NaN where one of them is zero.
    """
    norms = float(np.linalg.norm(local) * np.linalg.norm(exact))
    if norms == 0.0:
        return float("nan")
    return float(np.degrees(np.arccos(np.clip(local @ exact / norms, -1.0, 1.0))))


def output_loss(target_rate: Array, forward_soma: Array) -> float:
    """Return L1 (eq 23), in 1/ms^2: squared distance of the target rates from those of the forward averages."""
    return float(np.sum((target_rate - RATE_MAX * sigma(forward_soma)) ** 2))


def hidden_loss(forward_rate: Array, difference: Array, forward_soma: Array) -> float:
    """Return L0 (eqs 8-9 and 31-32): squared distance of the hidden targets from the forward rates.

    Parameters
    ----------
    forward_rate
        Mean rates of the forward window (1/ms), shape (n,).
    difference
        alpha_t - alpha_f, shape (n,).
    forward_soma
        Mean somatic potentials of the forward window, shape (n,).
    """
    return float(np.sum((forward_rate + difference - RATE_MAX * sigma(forward_soma)) ** 2))


def jacobians(
    forward: Array, feedback: Array, output_soma: Array, gain: float, plateau_gain: float = 1.0
) -> tuple[Array, Array]:
    """Return J_b and J_g of the last hidden layer (Theorem 1; Fig 5 - figure supplement 1).

    Parameters
    ----------
    forward
        Weights from the last hidden layer to the output, shape (n_hidden, n_output).
    feedback
        Weights from the output to the tufts of that layer, shape (n_output, n_hidden).
    output_soma
        Mean somatic potentials of the output in the forward window, shape (n_output,).
    gain
        k_d.
    plateau_gain
        Factor of the argument of the plateau's sigmoid.

    Returns
    -------
    J_b : Array
        Output rates by hidden rates, phi_max sigma'(V1) k_d W1, shape (n_output, n_hidden).
    J_g : Array
        Plateaus by output rates, sigma'(Y phi_max sigma(V1)) Y, shape (n_hidden, n_output).
    """
    forwards = (RATE_MAX * gain * sigma_slope(output_soma) * forward).T
    feedback = plateau_gain * feedback
    apical = RATE_MAX * sigma(output_soma) @ feedback
    return forwards, (sigma_slope(apical) * feedback).T


def largest_eigenvalue(forwards: Array, backwards: Array) -> float:
    """Return the largest eigenvalue of (I - J_b J_g)^T (I - J_b J_g); below 1 the theorem's condition holds."""
    rest = np.eye(len(forwards)) - forwards @ backwards
    return float(np.linalg.eigvalsh(rest.T @ rest)[-1])


def loss_correlations(hidden: Array, output: Array, labels: Integers) -> dict[int, float]:
    """Return Pearson's r of hidden and output loss across the presentations of each class (Fig 5B, C).

    Parameters
    ----------
    hidden, output
        Losses of each example, shape (n,).
    labels
        Its class, shape (n,).
    """
    result = {}
    for label in np.unique(labels):
        of_class = labels == label
        if of_class.sum() > 2:
            result[int(label)] = float(np.corrcoef(hidden[of_class], output[of_class])[0, 1])
    return result


def best_matches(fields: Array, reference: Array) -> Array:
    """Return for each receptive field the largest Pearson correlation with a field of a reference (Fig 7C).

    Parameters
    ----------
    fields, reference
        Weights from the inputs, shape (n_input, n) and (n_input, m).

    Returns
    -------
    Array
        Shape (n,).
    """
    matches: Array = (_standardised(fields).T @ _standardised(reference)).max(axis=1)
    return matches


def _standardised(fields: Array) -> Array:
    centred = fields - fields.mean(axis=0)
    result: Array = centred / np.linalg.norm(centred, axis=0)
    return result
