"""The work that is timed: images with the statistics of MNIST, shown to a network that the project's trainer trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.worker import Task
from segdend_plugin.experiment.datasets import Dataset, Images

CLASSES = 10
ACTIVE, DIMMEST = 0.19, 0.37  # share of pixels that are not 0, and the least of these: a mean level of 0.13


def images(count: int, pixels: int = 784) -> Images:
    """Return seeded random images with as many bright pixels as MNIST has, as bright on average."""
    draw = np.random.default_rng(0)
    lit = draw.random((count, pixels)) < ACTIVE
    return Images(np.where(lit, draw.uniform(DIMMEST, 1.0, (count, pixels)), 0.0), np.arange(count) % CLASSES)


class Silent:
    """A progress observer that shows nothing."""

    def start(self, total: int, what: str) -> None:
        """Ignore."""

    def advance(self) -> None:
        """Ignore."""

    def finish(self) -> None:
        """Ignore."""

    def report(self, metric: Any) -> None:
        """Ignore."""


def trainer(settings: Sequence[str], train: int, test: int, pixels: int = 784) -> Any:
    """Build a network and return a `Trainer` that shows it `train` images, and has `test` others to classify."""
    from segdend_plugin.experiment import config, network
    from segdend_plugin.experiment.trainer import Trainer

    experiment = config.load(settings=["training.epochs=1", *settings])
    built = network.build(experiment, pixels, CLASSES)
    shown = images(train + test, pixels)
    held_out = Images(shown.rates[train:], shown.labels[train:])
    return Trainer(experiment, Dataset(shown.first(train), held_out, "test", CLASSES), built, Silent())


def tasks(settings: Sequence[str], train: int, test: int = 0, pixels: int = 784) -> dict[str, Task]:
    """Return the tasks ``train`` and ``test``, which go through all images once."""
    made = trainer(settings, train, test, pixels)
    return {"train": made.train, "test": lambda: made.evaluate(made.dataset.held_out, 0)}
