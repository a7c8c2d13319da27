"""What happens between batches: progress, checkpoints, evaluations, recordings, early stops."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import h5py
import numpy as np

from segdend_plugin.errors import ConfigError
from segdend_plugin.examiner import check_whole
from segdend_plugin.model.graph import Graph
from segdend_plugin.model.outcome import Outcome
from segdend_plugin.model.places import SOMA, Place
from segdend_plugin.model.state import write_result
from segdend_plugin.model.wants import Average, Quantity, Trace, Want
from segdend_plugin.types import Array

if TYPE_CHECKING:
    from segdend_plugin.learner import Learner
    from segdend_plugin.tasks.base import Task

log = logging.getLogger(__name__)


class Callback(Protocol):
    """Called on every rank alike.

    It may have an attribute `can_stop`, False if it never stops (ranks then need not agree on that), and methods
    ``start(learner)``, called before the first batch, and ``finish(learner)``, called at the end, even after an error.
    """

    def wants(self, graph: Graph, example: int) -> Sequence[Want]:
        """Return what is to be read in the trial of an example, beside what the rule wants."""
        ...

    def batch(self, learner: Learner, outcomes: Sequence[Outcome]) -> bool:
        """Take the examples of a batch, in order, after weights have changed; True stops, and that of rank 0 counts."""
        ...

    def state(self) -> dict[str, Any]:
        """Return what a resumed run needs to be told: plain data that JSON can write."""
        ...

    def rewind(self, example: int, state: dict[str, Any]) -> None:
        """Go back to where `state` was said, and drop what came after `example` examples."""
        ...


class Watch:
    """What most callbacks leave as it is."""

    can_stop = False

    def start(self, learner: Learner) -> None:
        """Do nothing."""

    def wants(self, graph: Graph, example: int) -> Sequence[Want]:
        """Want nothing."""
        return ()

    def batch(self, learner: Learner, outcomes: Sequence[Outcome]) -> bool:
        """Go on."""
        return False

    def finish(self, learner: Learner) -> None:
        """Do nothing."""

    def state(self) -> dict[str, Any]:
        """Say nothing."""
        return {}

    def rewind(self, example: int, state: dict[str, Any]) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Report:
    """How well a stretch of training examples was answered, each before it was learned.

    Attributes
    ----------
    example
        Training examples seen so far.
    images
        How many the report is over.
    score
        Accuracy, or R2.
    per_second
        Examples per second of training.
    """

    example: int
    images: int
    score: float
    per_second: float

    def __str__(self) -> str:
        return f"after {self.example} examples: score {self.score:.3f} over {self.images}, {self.per_second:.1f}/s"

    @property
    def error(self) -> float:
        """Fraction that was classified wrongly, where the score is an accuracy."""
        return (self.images - round(self.score * self.images)) / self.images


class Progress(Watch):
    """Says how training goes; a resumed run counts anew from its checkpoint.

    Parameters
    ----------
    every
        Examples between reports: at multiples of this number, or of any of several, and at the end.
    bar
        Whether rank 0 shows a bar with the time left, instead of lines through `logging`.
    report
        Takes each report, on every rank.

    Attributes
    ----------
    reports
        All so far.
    """

    def __init__(
        self,
        every: int | Sequence[int] = 100,
        *,
        bar: bool = False,
        report: Callable[[Report], object] | None = None,
    ) -> None:
        self._every = [every] if isinstance(every, int) else list(every)
        for number in self._every:
            check_whole("every", number, 1)
        self._shows_bar, self._take, self._bar = bar, report, None
        self.reports: list[Report] = []
        self._pending: list[Outcome] = []
        self._seconds = 0.0

    def start(self, learner: Learner) -> None:
        """Open the bar."""
        self._pending, self._seconds = [], learner.seconds
        if self._shows_bar and learner.network.ranks.is_root:
            from tqdm import tqdm

            self._bar = tqdm(total=learner.end - learner.example, unit="example", leave=False, mininterval=0.5)

    def batch(self, learner: Learner, outcomes: Sequence[Outcome]) -> bool:
        """Count, and report where that is due."""
        self._pending += [replace(outcome, seen={}, changes=None) for outcome in outcomes]
        if self._bar is not None:
            self._bar.update(len(outcomes))
        if learner.example == learner.end or any(is_due(learner, outcomes, every) for every in self._every):
            self._report(learner)
        return False

    def rewind(self, example: int, state: dict[str, Any]) -> None:
        """Keep the reports that were made before."""
        self.reports = [Report(*report) for report in state.get("reports", [])]

    def state(self) -> dict[str, Any]:
        """Return the reports so far."""
        return {"reports": [[r.example, r.images, r.score, r.per_second] for r in self.reports]}

    def finish(self, learner: Learner) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _report(self, learner: Learner) -> None:
        if learner.task is None:
            return
        pending, self._pending = self._pending, []
        score = learner.task.score(learner.collect(pending), [outcome.number for outcome in pending])
        seconds, self._seconds = learner.seconds - self._seconds, learner.seconds
        report = Report(learner.example, len(pending), score, len(pending) / max(seconds, 1e-9))
        self.reports.append(report)
        if self._take is not None:
            self._take(report)
        elif self._bar is not None:
            self._bar.set_postfix_str(f"score {score:.3f}", refresh=False)
        elif learner.network.ranks.is_root:
            log.info("%s", report)


class Evaluate(Watch):
    """Scores another task now and then; training is not affected.

    Parameters
    ----------
    task
        What is asked.
    every
        Training examples between evaluations.
    first
        How many of its examples, all by default.
    last
        Whether it is asked after the last example, too.

    Attributes
    ----------
    results
        Training examples seen, and the score then.
    """

    def __init__(self, task: Task, every: int, first: int | None = None, *, last: bool = True) -> None:
        check_whole("every", every, 1)
        if first is not None:
            check_whole("first", first, 1)
        self._task, self._every, self._last = task, every, last
        self._numbers = range(len(task) if first is None else min(first, len(task)))
        self.results: list[tuple[int, float]] = []

    def batch(self, learner: Learner, outcomes: Sequence[Outcome]) -> bool:
        """Evaluate where that is due."""
        if is_time(learner, outcomes, self._every, self._last):
            score = self._task.score(learner.answers(self._task, self._numbers), self._numbers)
            self.results.append((learner.example, score))
        return False

    def state(self) -> dict[str, Any]:
        """Return the results so far."""
        return {"results": [list(result) for result in self.results]}

    def rewind(self, example: int, state: dict[str, Any]) -> None:
        """Keep the results that were there before."""
        self.results = [(int(at), float(score)) for at, score in state.get("results", [])]


class Checkpoint(Watch):
    """Saves the learner's state, from which ``fit(..., resume=path)`` goes on with the same bits; comes last.

    Parameters
    ----------
    path
        File; the one before is kept as ``<name>.old``.
    every
        Examples between checkpoints.
    last
        Whether one is written after the last example, too.
    """

    def __init__(self, path: str | Path, every: int, *, last: bool = True) -> None:
        check_whole("every", every, 1)
        self.path, self._every, self._last = Path(path), every, last

    def start(self, learner: Learner) -> None:
        """Refuse a path where nothing can be written, before anything is simulated."""
        if self.path.is_dir() or not self.path.parent.is_dir():
            raise ConfigError(f"Checkpoint: {str(self.path)!r} is no file in a folder that there is: give one.")

    def batch(self, learner: Learner, outcomes: Sequence[Outcome]) -> bool:
        """Save where that is due."""
        if is_time(learner, outcomes, self._every, self._last):
            learner.save(self.path)
        return False


class Stop(Watch):
    """Ends learning when something has been reached.

    Parameters
    ----------
    when
        Asked after each batch with the learner and the outcomes; on rank 0 its answer counts.
    """

    can_stop = True

    def __init__(self, when: Callable[[Learner, Sequence[Outcome]], bool]) -> None:
        self._when = when

    def batch(self, learner: Learner, outcomes: Sequence[Outcome]) -> bool:
        """Ask."""
        return bool(self._when(learner, outcomes))


class Record(Watch):
    """Keeps traces or averages of chosen cells in chosen training examples, on every rank.

    Parameters
    ----------
    population, quantity
        What.
    place
        ``"soma"``, ``"tuft"``, or any `Place`.
    cells
        Positions within the population, all by default.
    examples
        Numbers of examples, ``"all"``, or ``"last"`` for the last one of a fit.
    window
        Name of a window to average over; traces of the whole trial by default.

    Attributes
    ----------
    values
        Example -> traces of shape (steps, cells), or averages of shape (cells,), in units of the rule.
    millivolts
        The same in mV, where the quantity is the potential.
    columns, dt, is_root
        Which cells, the time step (ms), and whether this is rank 0.
    """

    def __init__(
        self,
        population: str,
        quantity: Quantity,
        *,
        place: Literal["soma", "tuft"] | Place = SOMA,
        cells: Sequence[int] | None = None,
        examples: Literal["all", "last"] | Sequence[int] = "all",
        window: str | None = None,
    ) -> None:
        where = place if isinstance(place, Place) else Place(place)
        self.population, self.place, self.cells, self.examples = population, where, cells, examples
        self.want: Trace | Average = Trace(population, quantity, where, whole=True)
        if window is not None:
            self.want = Average(population, quantity, where, window, whole=True)
        if isinstance(examples, str) and examples not in ("all", "last"):
            raise ConfigError(f"Record: examples={examples!r}: give 'all', 'last', or numbers of examples.")
        self._chosen = frozenset[int]() if isinstance(examples, str) else frozenset(examples)
        self.columns, self.is_root, self.dt = np.empty(0, dtype=np.int64), True, 0.0
        self.values: dict[int, Array] = {}
        self.millivolts: dict[int, Array] = {}

    @property
    def times(self) -> Array:
        """Times (ms) in the longest trace, at the ends of steps: a shorter one has the first of them, averages none."""
        traces = self.values.values() if isinstance(self.want, Trace) else ()
        times: Array = np.arange(1.0, max(map(len, traces), default=0) + 1.0).astype(np.float64) * self.dt
        return times

    def start(self, learner: Learner) -> None:
        """Check the choice against the network."""
        size = learner.graph[self.population].size
        self.columns = np.array(range(size) if self.cells is None else self.cells, dtype=np.int64)
        wrong = next((cell for cell in self.columns if not 0 <= cell < size), None)
        if wrong is not None:
            raise ConfigError(f"Record: there is no cell {wrong} in {self.population!r}: give 0 to {size - 1}.")
        if self.examples == "last":
            self._chosen = frozenset([learner.end - 1])
        self.dt, self.is_root = learner.graph.dt, learner.network.ranks.is_root

    def wants(self, graph: Graph, example: int) -> Sequence[Want]:
        """Want the reading in the chosen examples."""
        return (self.want,) if self.examples == "all" or example in self._chosen else ()

    def batch(self, learner: Learner, outcomes: Sequence[Outcome]) -> bool:
        """Keep what was seen of the chosen cells."""
        for outcome in outcomes:
            if not self.wants(learner.graph, outcome.example):
                continue
            whole = outcome.seen[self.want]
            self.values[outcome.example] = whole[..., self.columns]
            if self.want.quantity == "potential":
                millivolts = learner.network.millivolts(self.population, whole)
                self.millivolts[outcome.example] = millivolts[..., self.columns]
        return False

    def rewind(self, example: int, state: dict[str, Any]) -> None:
        """Drop what was kept of later examples."""
        for kept in (self.values, self.millivolts):
            for later in [number for number in kept if number >= example]:
                del kept[later]

    def save(self, path: str | Path) -> None:
        """Write all that was kept into an HDF5 file, on rank 0."""
        if not self.is_root:
            return
        content, place = io.BytesIO(), self.place.region if self.place.of is None else self.place.of
        with h5py.File(content, "w", track_order=True) as file:
            file.attrs.update({"population": self.population, "quantity": self.want.quantity, "place": place})
            if isinstance(self.want, Average):
                file.attrs["window"] = self.want.window
            file["cells"], file["times"] = self.columns, self.times
            for example, values in self.values.items():
                file[f"examples/{example}/values"] = values
                if example in self.millivolts:
                    file[f"examples/{example}/millivolts"] = self.millivolts[example]
        write_result(Path(path), content.getvalue())


def is_due(learner: Learner, outcomes: Sequence[Outcome], every: int) -> bool:
    """Whether the last batch has reached a multiple of `every` examples."""
    return learner.example % every < len(outcomes)


def is_time(learner: Learner, outcomes: Sequence[Outcome], every: int, last: bool) -> bool:
    """Whether the last batch has reached a multiple of `every` examples, or, as wanted, the end."""
    return last if learner.example == learner.end else is_due(learner, outcomes, every)
