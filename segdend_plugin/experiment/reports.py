"""What a run reports while it trains: running errors and evaluations, to an observer and into its folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

from segdend_plugin.callbacks import Checkpoint, Report, Watch
from segdend_plugin.experiment.folder import CHECKPOINT, Folder
from segdend_plugin.model.outcome import Outcome
from segdend_plugin.tasks.images import Images
from segdend_plugin.tasks.scores import Evaluation

if TYPE_CHECKING:
    from segdend_plugin.learner import Learner


@dataclass(frozen=True)
class Metric:
    """One line of `metrics.jsonl`.

    Attributes
    ----------
    kind
        ``"train"``: error over the training examples since the last such line, each predicted before it was
        learned; ``"test"`` or ``"validation"``: error on held-out images.
    example
        Training examples shown so far.
    images
        How many images the error is over.
    error
        Fraction that was classified wrongly.
    images_per_second
        Over these images, evaluation time excluded from training and the reverse.
    """

    kind: str
    example: int
    images: int
    error: float
    images_per_second: float

    def to_dict(self) -> dict[str, str | int | float]:
        """Return the metric as plain data."""
        return asdict(self)


class Observer(Protocol):
    """Where a run reports; every rank reports, what is shown is the observer's choice."""

    def start(self, total: int, what: str) -> None:
        """Begin a loop over `total` images; loops may be nested."""

    def advance(self, count: int = 1) -> None:
        """Count more images."""

    def finish(self) -> None:
        """End the innermost loop."""

    def report(self, metric: Metric) -> None:
        """Take a new figure."""


class Silent:
    """Shows nothing."""

    def start(self, total: int, what: str) -> None:
        """Do nothing."""

    def advance(self, count: int = 1) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""

    def report(self, metric: Metric) -> None:
        """Do nothing."""


class Reports:
    """Passes figures on to an observer and, on rank 0, into the folder of the run."""

    def __init__(self, observer: Observer, folder: Folder | None) -> None:
        self.observer, self._folder = observer, folder

    def take(self, metric: Metric) -> None:
        """Take a new figure."""
        self.observer.report(metric)
        if self._folder is not None:
            self._folder.append(metric)

    def train(self, report: Report) -> None:
        """Take how a stretch of training examples was answered."""
        self.take(Metric("train", report.example, report.images, report.error, report.per_second))


class Counts(Watch):
    """Moves the observer's bar."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def start(self, learner: Learner) -> None:
        """Open the bar."""
        self._observer.start(learner.end - learner.example, "train")

    def batch(self, learner: Learner, outcomes: Sequence[Outcome]) -> bool:
        """Move the bar."""
        self._observer.advance(len(outcomes))
        return False

    def finish(self, learner: Learner) -> None:
        """Close the bar."""
        self._observer.finish()


class Evaluations(Watch):
    """Shows held-out images now and then, not after the last example, after which all are shown.

    Parameters
    ----------
    images, name
        The held-out images, and what figures call them.
    every, first
        Training examples between evaluations, and how many images these are over.
    reports
        Takes the figures.
    """

    def __init__(self, images: Images, name: str, every: int, first: int, reports: Reports) -> None:
        self._images, self._name, self._every, self._reports = images, name, every, reports
        self._first = min(first, len(images))

    def batch(self, learner: Learner, outcomes: Sequence[Outcome]) -> bool:
        """Evaluate where that is due."""
        if learner.example % self._every == 0 and learner.example < learner.end:
            evaluate_images(learner, self._images, self._name, self._reports, self._first)
        return False


class Saves(Checkpoint):
    """Writes the checkpoint of a run's folder; comes last.

    Parameters
    ----------
    folder
        Of the run, None on other ranks than 0.
    every
        Examples between checkpoints; none is written after the last.
    """

    def __init__(self, folder: Folder | None, every: int) -> None:
        self._folder, self._period = folder, every

    def start(self, learner: Learner) -> None:
        """Do nothing: the folder is there."""

    def batch(self, learner: Learner, outcomes: Sequence[Outcome]) -> bool:
        """Save where that is due; every rank must call this."""
        if learner.example % self._period == 0 and learner.example < learner.end:
            state = learner.state()
            if self._folder is not None and state is not None:
                self._folder.write_state(CHECKPOINT, state)
        return False


def evaluate_images(
    learner: Learner, images: Images, name: str, reports: Reports, first: int | None = None
) -> Evaluation:
    """Classify images without teacher and learning, and report the fraction that is wrong.

    The predicted class is that whose output cells have the highest mean somatic potential. Neither weights nor any
    later training example are affected. Every rank must call this.
    """
    numbers = range(len(images) if first is None else first)
    start = time.perf_counter()
    reports.observer.start(len(numbers), name)
    answers = learner.answers(images, numbers, advance=reports.observer.advance)
    reports.observer.finish()
    found = Evaluation(images.labels[: len(numbers)], images.decode(answers))
    seconds = time.perf_counter() - start
    reports.take(Metric(name, learner.example, len(numbers), found.error, len(numbers) / seconds))
    return found
