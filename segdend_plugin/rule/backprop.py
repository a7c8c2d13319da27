"""Backpropagation through the same network: the reference that local errors are compared with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segdend_plugin.rule.plateau import sigma_slope
from segdend_plugin.rule.targets import RATE_MAX
from segdend_plugin.types import Array


def hidden_deltas(
    forward: Sequence[Array],
    output_delta: Array,
    forward_somas: Sequence[Array],
    gains: Sequence[Array],
    rate_max: float = RATE_MAX,
) -> list[Array]:
    """Return the exact errors of all hidden cells, from the last layer down.

    delta_m = (W_{m+1} delta_{m+1}) k_b phi_max sigma'(V_m): the gradient of the output loss through window averages,
    with the weights as they were when the example was shown. It takes the place of
    :func:`~segdend_plugin.rule.targets.hidden_delta` and is scaled by the same P0, as in the released code.

    Parameters
    ----------
    forward
        Weights out of every hidden layer, shape (n_hidden, n_next).
    output_delta
        Errors of the output cells, shape (n_output,).
    forward_somas
        Windowed somatic averages of every hidden layer.
    gains
        k_b of every hidden cell.
    rate_max
        phi_max (1/ms).

    Returns
    -------
    list of Array
        Errors per hidden layer, from the input on, shape (n_hidden,) each.
    """
    result: list[Array] = []
    above = output_delta
    for matrix, soma, gain in zip(reversed(forward), reversed(forward_somas), reversed(gains), strict=True):
        # without BLAS, whose sums may depend on the machine of a rank
        above = np.einsum("ij,j->i", matrix, above) * gain * rate_max * sigma_slope(soma)
        result.insert(0, above)
    return result
