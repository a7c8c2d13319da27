"""Feedback weights: random, sparse, symmetric, noisy, sign-concordant or learned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.rule.plateau import sigma
from segdend_plugin.rule.targets import RATE_MAX
from segdend_plugin.rule.variant import Feedback, Initial, Route
from segdend_plugin.rule.weights import RELEASED_SD, uniform, weight_statistics
from segdend_plugin.types import Array


class FeedbackWeights:
    """The feedback weights of all hidden layers, whole layers on every rank.

    Parameters
    ----------
    seed
        Seed of the experiment.
    layers
        The gids of each hidden layer, from the input on.
    n_output
        Number of output cells.
    settings
        Kind of feedback.
    initial
        Spread of the random weights.
    """

    def __init__(
        self, seed: int, layers: Sequence[Sequence[int]], n_output: int, settings: Feedback, initial: Initial = "paper"
    ) -> None:
        self.seed, self.settings = seed, settings
        self.random = random_feedback(seed, layers, n_output, initial, settings.route)

    def at(self, example: int, forward: Sequence[Array]) -> list[Array]:
        """Return the weights that the training example `example` meets.

        Parameters
        ----------
        example
            Number of the example.
        forward
            Feed-forward weights out of every hidden layer, shape (n_hidden, n_next); only read by feedback that
            follows them.

        Returns
        -------
        list of Array
            Shape (n_source, n_hidden) for each hidden layer; the source is the output layer, or the layer above.
        """
        settings = self.settings
        if settings.weights == "symmetric":
            # the released code disturbs each matrix, not their product
            noisy = [self._noisy(depth, matrix, example) for depth, matrix in enumerate(forward)]
            weights = symmetric_feedback(noisy, settings.route)
        else:
            weights = self.random
            if settings.weights == "sign_concordant":
                signs = symmetric_feedback(forward, settings.route)
                weights = [np.sign(sign) * np.abs(drawn) for sign, drawn in zip(signs, weights, strict=True)]
            weights = [self._noisy(depth, matrix, example) for depth, matrix in enumerate(weights)]
        return [settings.scale * self._thinned(depth, matrix) for depth, matrix in enumerate(weights)]

    def _noisy(self, depth: int, matrix: Array, example: int) -> Array:
        settings = self.settings
        if settings.noise == 0.0:
            return matrix
        drawn = (depth, example) if settings.noise_redrawn else (depth,)
        noise = stream(self.seed, Purpose.FEEDBACK_NOISE, *drawn)
        return matrix + noise.normal(0.0, settings.noise, size=matrix.shape)

    def _thinned(self, depth: int, matrix: Array) -> Array:
        """Return the weights without those that sparse feedback leaves out."""
        if self.settings.fraction == 1.0:
            return matrix
        order = stream(self.seed, Purpose.FEEDBACK_MASK, depth).permutation(matrix.size)
        kept = order < round(self.settings.fraction * matrix.size)
        return np.where(kept.reshape(matrix.shape), matrix, 0.0)


def random_feedback(
    seed: int, layers: Sequence[Sequence[int]], n_output: int, initial: Initial = "paper", route: Route = "broadcast"
) -> list[Array]:
    """Return random feedback weights to every hidden layer.

    The last hidden layer has zero-mean uniform weights with the standard deviation that
    :func:`~segdend_plugin.rule.weights.weight_statistics` gives for its own size. Broadcast to an earlier layer, they
    are a zero-mean random matrix of that kind times the feedback of the layer above it, as the authors' code had it
    when the figures were made. The last commit of that code (`initial` ``"released_code"``) draws a matrix per layer,
    with the mean of the weights that the layer would receive and twice the spread.

    Parameters
    ----------
    seed
        Seed of the experiment.
    layers
        The gids of each hidden layer, from the input on, whole layers in order.
    n_output
        Number of output cells.
    initial, route
        See :class:`~segdend_plugin.rule.variant.Variant`.

    Returns
    -------
    list of Array
        One array of shape (n_source, n_hidden) per hidden layer.
    """
    result: list[Array] = []
    released = initial == "released_code"
    above: Array | None = None
    n_next = n_output
    for gids in reversed(layers):
        mean, sd = weight_statistics(len(gids))
        if released:
            sd *= RELEASED_SD
        n_source = n_output if released and route == "broadcast" else n_next
        rows = np.array(
            [uniform(stream(seed, Purpose.FEEDBACK, gid), mean if released else 0.0, sd, n_source) for gid in gids]
        )
        if above is not None and route == "broadcast" and not released:
            # without BLAS, whose sums may depend on the machine of a rank
            rows = np.einsum("ij,jk->ik", rows, above)
        above, n_next = rows, len(gids)
        result.insert(0, np.ascontiguousarray(rows.T))
    return result


def symmetric_feedback(forward: Sequence[Array], route: Route) -> list[Array]:
    """Return the transpose of the feed-forward weights above each hidden layer (eLife 22901, Fig 8D).

    Parameters
    ----------
    forward
        Feed-forward weights out of every hidden layer, shape (n_hidden, n_next).
    route
        Broadcast feedback to an earlier layer is the product of all transposes above it.

    Returns
    -------
    list of Array
        Shape (n_source, n_hidden) for each hidden layer.
    """
    result: list[Array] = []
    for matrix in reversed(forward):
        if result and route == "broadcast":
            result.insert(0, np.einsum("oj,ij->oi", result[0], matrix))
        else:
            result.insert(0, np.ascontiguousarray(matrix.T))
    return result


def feedback_change(forward_soma: Array, forward_plateau: Array, learning_rate: float) -> Array:
    """Return the change of learned feedback per unit presynaptic trace (released code, off in all figures).

    The tuft learns to predict the forward rate of its own soma: Y changes by
    ``eta (phi_max sigma(V) - alpha_f) alpha_f (1 - alpha_f) s``; alpha (1 - alpha) is the slope of the sigmoid that
    makes alpha of an apical average. A rate of at most 0.2 is compared with a plateau of at most 1, as in that code.

    Parameters
    ----------
    forward_soma, forward_plateau
        Window average of the soma and plateau of the forward phase, shape (n,).
    learning_rate
        eta.
    """
    error = RATE_MAX * sigma(forward_soma) - forward_plateau
    return learning_rate * error * (forward_plateau * (1.0 - forward_plateau))
