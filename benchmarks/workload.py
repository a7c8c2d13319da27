"""The work that is timed: images with the statistics of MNIST, shown to a network that a learner teaches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.worker import Task
from segdend_plugin.tasks.images import Images

CLASSES = 10
ACTIVE, DIMMEST = 0.19, 0.37  # share of pixels that are not 0, and the least of these: a mean level of 0.13


def images(count: int, pixels: int = 784, classes: int = CLASSES) -> Images:
    """Return seeded random images with as many bright pixels as MNIST has, as bright on average."""
    draw = np.random.default_rng(0)
    lit = draw.random((count, pixels)) < ACTIVE
    rates = np.where(lit, draw.uniform(DIMMEST, 1.0, (count, pixels)), 0.0)
    return Images(rates, np.arange(count) % CLASSES, classes)


PHASES = "phases.settle=30"
"""The paper's phases of 50 ms, whatever the default."""


def learner(settings: Sequence[str], pixels: int = 784) -> Any:
    """Build a network and return what teaches it."""
    from segdend_plugin.experiment import config, graph, teaching
    from segdend_plugin.hosts import description

    experiment = config.load(settings=[PHASES, *settings])
    network = description.build(graph.graph(experiment, pixels, CLASSES))
    return teaching.learner(experiment, network)


def both(made: Any, train: int, test: int, pixels: int = 784) -> dict[str, Task]:
    """Return going once through images: ``train`` to learn them, ``test`` to answer to them."""
    shown = images(max(train, test, 1), pixels)

    def learn() -> None:
        made.fit(shown.first(train))

    def answer() -> None:
        made.answers(shown.first(test))

    return {"train": learn} | ({"test": answer} if test else {})


def tasks(settings: Sequence[str], train: int, test: int = 0, pixels: int = 784) -> dict[str, Task]:
    """Build a network and return what :func:`both` does with it."""
    return both(learner(settings, pixels), train, test, pixels)
