"""How good answers are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segdend_plugin.types import Array, Integers


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a network makes of images.

    Attributes
    ----------
    labels, predicted
        Classes of the images, and those that it takes them for, shape (n,).
    """

    labels: Integers
    predicted: Integers

    @property
    def error(self) -> float:
        """Fraction that is wrong."""
        return int(np.sum(self.predicted != self.labels)) / len(self.labels)


def accuracy(predicted: Integers, labels: Integers) -> float:
    """Return the fraction of examples whose class was predicted; both of shape (n,)."""
    return float(np.mean(np.asarray(predicted) == np.asarray(labels)))


def confusion(predicted: Integers, labels: Integers, classes: int) -> Integers:
    """Return how often each class (rows) was taken for each class (columns), shape (classes, classes)."""
    counts = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(counts, (np.asarray(labels), np.asarray(predicted)), 1)
    return counts


def r2(predicted: Array, wanted: Array) -> float:
    """Return the coefficient of determination over all cells, 1 - sum (wanted - predicted)^2 / sum (wanted - mean)^2.

    Parameters
    ----------
    predicted, wanted
        Shape (n, cells).

    Returns
    -------
    float
        1 if all is right, 0 for the mean of each cell as the answer; NaN if no cell is ever wanted to differ from its
        mean.
    """
    missed = float(np.sum((wanted - predicted) ** 2))
    spread = float(np.sum((wanted - np.mean(wanted, axis=0)) ** 2))
    return 1.0 - missed / spread if spread > 0 else float("nan")
