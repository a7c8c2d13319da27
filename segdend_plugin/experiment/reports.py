"""What a run reports while it trains: running errors and evaluations, to an observer and into its folder."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from segdend_plugin.callbacks import Checkpoint, Report, Watch, is_time
from segdend_plugin.errors import StoppedError
from segdend_plugin.experiment.folder import CHECKPOINT, Folder
from segdend_plugin.model.outcome import Outcome
from segdend_plugin.tasks.images import Images
from segdend_plugin.tasks.scores import Evaluation

if TYPE_CHECKING:
    from segdend_plugin.learner import Learner

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
"""What batch systems send before time is up."""
LISTENING = 16
"""Examples after which ranks tell each other of signals."""


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
        if is_time(learner, outcomes, self._every, last=False):
            evaluate_images(learner, self._images, self._name, self._reports, self._first)
        return False


class Saves(Checkpoint):
    """Writes the checkpoint of a run's folder, also where a signal asks the run to end; comes last.

    Parameters
    ----------
    folder
        Of the run, None on other ranks than 0.
    every
        Examples between checkpoints, 0 for none but that of a signal; none is written after the last.
    """

    def __init__(self, folder: Folder | None, every: int) -> None:
        self._folder, self._period = folder, every
        self._caught, self._before = 0, dict[int, Any]()  # number of the signal, and handlers by number

    def start(self, learner: Learner) -> None:
        """Take signals instead of dying of them."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._catch) for number in SIGNALS}

    def batch(self, learner: Learner, outcomes: Sequence[Outcome]) -> bool:
        """Save where that is due; every rank must call this.

        Raises
        ------
        StoppedError
            If a rank has caught a signal: on all of them.
        """
        caught = 0
        if learner.example % LISTENING < len(outcomes):  # ranks need not agree after every example
            caught = learner.network.ranks.most(self._caught)
        due = self._period and is_time(learner, outcomes, self._period, last=False)
        if due or (caught and learner.example < learner.end):
            state = learner.state()
            if self._folder is not None and state is not None:
                self._folder.write_state(CHECKPOINT, state)
        if caught and learner.example < learner.end:
            where = "DIR" if self._folder is None else self._folder.path
            raise StoppedError(
                f"{signal.Signals(caught).name} after {learner.example} of {learner.end} examples, which are saved: go "
                f"on with segdend train --resume {where}."
            )
        return False

    def finish(self, learner: Learner) -> None:
        """Leave signals to whom they belonged."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _catch(self, number: int, frame: object) -> None:
        self._caught = number


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
