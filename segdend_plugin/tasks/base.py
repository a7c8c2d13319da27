"""What a task is: examples by number, each a stimulus with a target; what its answers mean and how good they are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from segdend_plugin.errors import DataError
from segdend_plugin.model.graph import Graph
from segdend_plugin.model.trial import Signal, Stimulus, Trains
from segdend_plugin.rule.base import Phases
from segdend_plugin.rule.targets import RATE_MAX
from segdend_plugin.tasks.scores import accuracy, r2
from segdend_plugin.types import Array, Integers, is_number

Answer = Literal["potential", "rate"]
"""Which average of the taught cells in the forward window is the answer: units of the rule, or 1/ms."""
Decoded: TypeAlias = NDArray[Any]
"""Classes, shape (n,), or levels of all taught cells, population by population, shape (n, cells)."""


@runtime_checkable
class Task(Protocol):
    """Examples that can be asked for again, by any rank, in any order.

    One that looks otherwise each time it is learned has a method ``varied``, too (:class:`Varied`).
    """

    @property
    def inputs(self) -> Mapping[str, int]:
        """Size of each population that it drives."""
        ...

    @property
    def outputs(self) -> Mapping[str, int]:
        """Size of each population that it teaches."""
        ...

    @property
    def digest(self) -> str:
        """The same for the same examples only."""
        ...

    @property
    def phases(self) -> Phases | None:
        """Windows of its trials, None for those of the rule."""
        ...

    @property
    def answer(self) -> Answer:
        """What of taught cells is their answer."""
        ...

    def __len__(self) -> int:
        """Return the number of examples."""
        ...

    def stimuli(self, numbers: Sequence[int]) -> Sequence[Stimulus]:
        """Return the stimuli of these examples, counted from 0."""
        ...

    def decode(self, answers: Mapping[str, Array]) -> Decoded:
        """Return classes or levels of answers of shape (n, cells) by taught population."""
        ...

    def score(self, answers: Mapping[str, Array], numbers: Sequence[int]) -> float:
        """Return how good the answers to these examples are: accuracy of classes, R2 of levels."""
        ...


@runtime_checkable
class Varied(Protocol):
    """What a task has, beside all else, whose examples look otherwise each time that they are learned."""

    def varied(self, numbers: Sequence[int], seed: int, examples: Sequence[int]) -> Sequence[Stimulus]:
        """Return the stimuli of these examples, as a network of a seed sees them as its training examples."""
        ...


def shown(task: Task, numbers: Sequence[int], seed: int, examples: Sequence[int]) -> Sequence[Stimulus]:
    """Return the stimuli of these examples of a task, as a network of a seed sees them when it learns."""
    return task.varied(numbers, seed, examples) if isinstance(task, Varied) else task.stimuli(numbers)


class Goal(Protocol):
    """What is wanted of the examples of a task: the half of it that does not depend on how stimuli come."""

    @property
    def outputs(self) -> Mapping[str, int]:
        """Size of each population that is taught."""
        ...

    @property
    def answer(self) -> Answer:
        """What of taught cells is their answer."""
        ...

    @property
    def digest(self) -> str:
        """The same for the same targets only."""
        ...

    def __len__(self) -> int:
        """Return the number of examples."""
        ...

    def target(self, number: int) -> Mapping[str, Array]:
        """Return what is wanted of an example, levels of shape (cells,) by taught population."""
        ...

    def decode(self, answers: Mapping[str, Array]) -> Decoded:
        """Return what answers mean."""
        ...

    def score(self, answers: Mapping[str, Array], numbers: Sequence[int]) -> float:
        """Return how good the answers to these examples are."""
        ...


@dataclass(frozen=True, eq=False)
class Classes:
    """Each example belongs to a class; the class whose cells answer most, on average, is predicted.

    Attributes
    ----------
    labels
        Class of each example, shape (n,).
    classes
        How many there are; 0: as many as the labels need.
    output
        The taught population; cells k * cells_per_class and following stand for class k.
    cells_per_class
        Cells that stand for each class.
    answer
        What of them is averaged.

    Raises
    ------
    DataError
        If labels are not whole numbers within the classes.
    """

    labels: Integers
    classes: int = 0
    output: str = "output"
    cells_per_class: int = 1
    answer: Answer = "potential"

    def __post_init__(self) -> None:
        labels = np.asarray(self.labels)
        if labels.ndim != 1 or labels.dtype.kind not in "ui" or len(labels) == 0:
            raise DataError(f"labels have shape {labels.shape} and type {labels.dtype}: give a whole number each.")
        if self.cells_per_class < 1:
            raise DataError(f"cells_per_class={self.cells_per_class}: give 1 or more.")
        lowest, highest = int(labels.min()), int(labels.max())
        if lowest < 0:
            raise DataError(f"labels: there is the label {lowest}: labels start at 0.")
        if 0 < self.classes <= highest:
            raise DataError(f"classes={self.classes} has no class for label {highest}: give at least {highest + 1}.")
        object.__setattr__(self, "labels", labels.astype(np.int64))
        object.__setattr__(self, "classes", self.classes or highest + 1)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def outputs(self) -> Mapping[str, int]:
        """The taught population."""
        return {self.output: self.classes * self.cells_per_class}

    @cached_property
    def digest(self) -> str:
        """Of labels and cells."""
        return digest_of(self.labels, self.classes, self.output, self.cells_per_class, self.answer)

    @cached_property
    def _levels(self) -> Array:
        """What is wanted for each class, shape (classes, cells)."""
        return np.repeat(np.eye(self.classes), self.cells_per_class, axis=1)

    def target(self, number: int) -> Mapping[str, Array]:
        """Return level 1 for the cells of its class, 0 for all others."""
        return {self.output: self._levels[self.labels[number]]}

    def decode(self, answers: Mapping[str, Array]) -> Integers:
        """Return the class whose cells answer most, shape (n,)."""
        by_class = answers[self.output].reshape(-1, self.classes, self.cells_per_class)
        found: Integers = by_class.mean(axis=2).argmax(axis=1)
        return found

    def score(self, answers: Mapping[str, Array], numbers: Sequence[int]) -> float:
        """Return the fraction of examples whose class was predicted."""
        return accuracy(self.decode(answers), self.labels[np.asarray(numbers, dtype=np.int64)])


@dataclass(frozen=True, eq=False)
class Rates:
    """Each cell is to fire at a level of its own.

    Attributes
    ----------
    levels
        By taught population, shape (n, cells): fractions, 0 to 1, of the largest rate.
    answer
        What of the cells is turned into such levels: their rate, or their potential through the sigmoid.

    Raises
    ------
    DataError
        If a level is outside 0 to 1, or the populations have different numbers of examples.
    """

    levels: Mapping[str, Array]
    answer: Answer = "rate"

    def __post_init__(self) -> None:
        levels = {name: np.asarray(wanted, dtype=np.float64) for name, wanted in self.levels.items()}
        for name, wanted in levels.items():
            if wanted.ndim != 2:
                raise DataError(f"levels of {name!r} have shape {wanted.shape}: give one for each example and cell.")
            check_levels(f"levels of {name!r}", wanted)
        if len({len(wanted) for wanted in levels.values()}) != 1:
            raise DataError(f"levels are of {[len(w) for w in levels.values()]} examples: give equally many of each.")
        object.__setattr__(self, "levels", levels)

    def __len__(self) -> int:
        return len(next(iter(self.levels.values())))

    @property
    def outputs(self) -> Mapping[str, int]:
        """The taught populations."""
        return {name: wanted.shape[1] for name, wanted in self.levels.items()}

    @cached_property
    def digest(self) -> str:
        """Of all levels."""
        return digest_of(self.answer, *(part for item in self.levels.items() for part in item))

    def target(self, number: int) -> Mapping[str, Array]:
        """Return the levels that are wanted."""
        return {name: wanted[number] for name, wanted in self.levels.items()}

    def decode(self, answers: Mapping[str, Array]) -> Array:
        """Return the levels of all taught cells, population by population, shape (n, cells)."""
        found = np.concatenate([answers[name] for name in self.levels], axis=1)
        levels: Array = found / RATE_MAX if self.answer == "rate" else expit(found)
        return levels

    def score(self, answers: Mapping[str, Array], numbers: Sequence[int]) -> float:
        """Return R2 over all examples and taught cells."""
        chosen = np.asarray(numbers, dtype=np.int64)
        return r2(self.decode(answers), np.concatenate([wanted[chosen] for wanted in self.levels.values()], axis=1))


class Aimed:
    """A task whose targets, answers and score are those of its goal.

    Attributes
    ----------
    goal
        What is wanted of each example.
    """

    goal: Goal

    def __len__(self) -> int:
        return len(self.goal)

    @property
    def outputs(self) -> Mapping[str, int]:
        """Size of each population that it teaches."""
        return self.goal.outputs

    @property
    def answer(self) -> Answer:
        """What of taught cells is their answer."""
        return self.goal.answer

    def decode(self, answers: Mapping[str, Array]) -> Decoded:
        """Return what answers mean: classes or levels."""
        return self.goal.decode(answers)

    def score(self, answers: Mapping[str, Array], numbers: Sequence[int]) -> float:
        """Return how good the answers to these examples are: accuracy of classes, R2 of levels."""
        return self.goal.score(answers, numbers)


def digest_of(*parts: object) -> str:
    """Return a digest of arrays, by type, shape and content, and of other plain data."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype.str} {part.shape}".encode())
            digest.update(np.ascontiguousarray(part).data)
        else:
            digest.update(repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()


def check(task: Task, graph: Graph) -> None:
    """Raise DataError if a task does not fit a graph, or its first example is no stimulus; once, before any trial."""
    _check_sizes("input", task.inputs, {p.name: p.size for p in graph.inputs})
    _check_sizes("output", task.outputs, {p.name: p.size for p in graph.taught})
    if task.answer not in ("potential", "rate"):
        raise DataError(f"task: answer={task.answer!r}: give 'potential' or 'rate'.")
    if len(task) == 0:
        raise DataError("task: it has 0 examples: give one or more.")
    check_stimulus("task, example 0", task.stimuli([0])[0], task.inputs, task.outputs)


def _check_sizes(what: str, sizes: Mapping[str, int], there: Mapping[str, int]) -> None:
    known = ", ".join(map(repr, there)) or "none"
    for name, size in sizes.items():
        if name not in there:
            raise DataError(f"task: the graph has no {what} population {name!r}, but {known}: rename the task's.")
        if size != there[name]:
            raise DataError(
                f"task: its {what} {name!r} has {size} cells and that of the graph {there[name]}: give both as many."
            )
    missing = next((name for name in there if name not in sizes), None)
    if missing is not None:
        raise DataError(f"task: it has nothing for the {what} population {missing!r} of the graph: add it.")


def check_stimulus(where: str, stimulus: Stimulus, inputs: Mapping[str, int], outputs: Mapping[str, int]) -> None:
    """Raise DataError if a stimulus is not one of these inputs and outputs.

    Parameters
    ----------
    where
        What messages begin with.
    stimulus
        What is checked.
    inputs, outputs
        Sizes of the populations.
    """
    duration = stimulus.duration
    if duration is not None and (not is_number(duration) or duration <= 0):
        raise DataError(f"{where}: duration={duration!r}: give more than 0 ms, or None.")
    for what, given, sizes in (("drive", stimulus.drive, inputs), ("target", stimulus.target, outputs)):
        for name in (*sizes, *given):
            if name not in given or name not in sizes:
                names = ", ".join(map(repr, sizes)) or "nothing"
                raise DataError(f"{where}: the {what} is of {sorted(given)}: give that of {names}.")
        for name, shown in given.items():
            _check_course(f"{where}: the {what} of {name!r}", shown, sizes[name])
            if duration is None and isinstance(shown, (Signal, Trains)):
                raise DataError(f"{where}: the {what} of {name!r} changes in time, but duration=None: give it in ms.")
    for name, mark in stimulus.marks.items():
        if duration is None or not is_number(mark) or not 0 <= mark <= duration:
            raise DataError(f"{where}: the mark {name!r} is {mark!r}: give a time within the duration ({duration} ms).")


def _check_course(where: str, shown: Any, size: int) -> None:
    """Check levels, a course of levels, or spikes, of a population."""
    if isinstance(shown, Trains):
        check_trains(where, shown, size)
        return
    levels = np.asarray(shown.levels if isinstance(shown, Signal) else shown)
    if isinstance(shown, Signal):
        times = np.asarray(shown.times)
        if times.shape != (len(levels) + 1,) or not np.isfinite(times).all() or (np.diff(times) < 0).any():
            raise DataError(f"{where} has the borders {times}: give {len(levels) + 1} times (ms), ascending.")
    shape = (len(levels), size) if isinstance(shown, Signal) else (size,)
    if levels.shape != shape:
        raise DataError(f"{where} has shape {levels.shape}: give {shape}, a level for each cell.")
    check_levels(where, levels)


def check_levels(where: str, levels: Array) -> None:
    """Raise DataError if a level is not finite or outside 0 to 1."""
    if levels.dtype.kind not in "buif" or not np.isfinite(levels).all():
        raise DataError(f"{where}: there are levels that are not finite numbers: replace them.")
    if levels.size and (levels.min() < 0.0 or levels.max() > 1.0):
        raise DataError(f"{where}: the levels go from {levels.min():g} to {levels.max():g}: scale them to 0..1.")


def check_trains(where: str, trains: Trains, size: int) -> None:
    """Raise DataError if spike times are negative or not ascending, or of cells that the population does not have."""
    times, cells = np.asarray(trains.times), np.asarray(trains.cells)
    if times.ndim != 1 or times.shape != cells.shape or cells.dtype.kind not in "ui":
        raise DataError(
            f"{where} has times of shape {times.shape} and cells of shape {cells.shape} and type {cells.dtype}: "
            f"give one time and one whole number each."
        )
    if len(times) == 0:
        return
    if not np.isfinite(times).all() or times[0] < 0 or (np.diff(times) < 0).any():
        raise DataError(f"{where} has spike times that are negative or not ascending: sort them, from 0 ms on.")
    if cells.min() < 0 or cells.max() >= size:
        wrong = cells.min() if cells.min() < 0 else cells.max()
        raise DataError(f"{where} has a spike of cell {wrong}, of {size}: count its cells from 0 to {size - 1}.")
