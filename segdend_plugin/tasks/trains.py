"""Examples in time: spike trains of files, levels that change, stimuli of somebody's own.

All times are in ms from the start of an example. The answer is read from `answer_from` on, the mark ``"answer"`` of the
stimuli; None leaves that to the phases.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from segdend_plugin.errors import DataError
from segdend_plugin.model.trial import Signal, Stimulus, Trains
from segdend_plugin.rule.base import Phases
from segdend_plugin.tasks.base import (
    Aimed,
    Goal,
    Rates,
    check_levels,
    check_stimulus,
    check_trains,
    digest_of,
)
from segdend_plugin.types import Array, is_number


@dataclass(frozen=True, eq=False)
class SpikeTrains(Aimed):
    """Recorded spikes, cut into examples.

    Attributes
    ----------
    trains
        By input population, the spikes of the whole recording.
    inputs
        Size of each of these populations.
    begins, ends
        Of each example (ms), shape (n,).
    goal
        :class:`~segdend_plugin.tasks.base.Classes` or :class:`~segdend_plugin.tasks.base.Rates`.
    answer_from, phases
        From when on the answer is read (ms from the start of each example), and the windows of the trials.

    Raises
    ------
    DataError
        If spikes are not in order or of cells that are not there, or examples end before they begin.
    """

    trains: Mapping[str, Trains]
    inputs: Mapping[str, int]
    begins: Array
    ends: Array
    goal: Goal
    answer_from: float | None = None
    phases: Phases | None = None

    def __post_init__(self) -> None:
        if set(self.trains) != set(self.inputs):
            raise DataError(f"inputs={dict(self.inputs)}: give the sizes of {sorted(self.trains)}.")
        for name, trains in self.trains.items():
            check_trains(f"trains of {name!r}", trains, self.inputs[name])
        begins, ends = np.asarray(self.begins, dtype=np.float64), np.asarray(self.ends, dtype=np.float64)
        if begins.shape != (len(self.goal),) or ends.shape != begins.shape:
            raise DataError(
                f"begins and ends have shapes {begins.shape} and {ends.shape}: give a time for each of the "
                f"{len(self.goal)} examples of the goal."
            )
        wrong = np.flatnonzero(~(np.isfinite(begins) & np.isfinite(ends) & (begins < ends)))
        if len(wrong):
            k = wrong[0]
            raise DataError(f"example {k}: it goes from {begins[k]:g} to {ends[k]:g} ms: let it end after it begins.")
        check_answer(self.answer_from, float((ends - begins).min()))
        object.__setattr__(self, "begins", begins)
        object.__setattr__(self, "ends", ends)

    @classmethod
    def read(
        cls, path: str | Path, inputs: Mapping[str, int], begins: Array, ends: Array, goal: Goal, **options: Any
    ) -> SpikeTrains:
        """Return a task of a file in the SONATA layout, whose populations are called as the inputs are.

        What else the task takes (`answer_from`, `phases`) are `options`.
        """
        trains = read_spikes(path)
        missing = next((name for name in inputs if name not in trains), None)
        if missing is not None:
            raise DataError(f"{str(path)!r} has no population {missing!r} but {sorted(trains)}: rename the input.")
        return cls({name: trains[name] for name in inputs}, inputs, begins, ends, goal, **options)

    @cached_property
    def digest(self) -> str:
        """Of all spikes, examples and targets."""
        spikes = (part for name, trains in self.trains.items() for part in (name, trains.times, trains.cells))
        return digest_of(dict(self.inputs), *spikes, self.begins, self.ends, self.goal.digest, self.answer_from)

    def stimuli(self, numbers: Sequence[int]) -> Sequence[Stimulus]:
        """Return the spikes of these examples, with times from their start."""
        return [
            Stimulus(
                {name: _cut(trains, self.begins[k], self.ends[k]) for name, trains in self.trains.items()},
                self.goal.target(k),
                float(self.ends[k] - self.begins[k]),
                marks_of(self.answer_from),
            )
            for k in numbers
        ]


def read_spikes(path: str | Path) -> dict[str, Trains]:
    """Return the spikes of every population of an HDF5 file, sorted by time.

    The file is laid out as the SONATA format (Dai et al. 2020, PLOS Comput Biol 16:e1007696) has it:
    ``/spikes/<population>/timestamps`` in ms, and ``node_ids``, counted from 0.

    Raises
    ------
    DataError
        If it cannot be read or has no spikes in this layout.
    """
    import h5py

    found = {}
    try:
        with h5py.File(Path(path).expanduser(), "r") as file:
            for name, group in file["spikes"].items():
                units = group["timestamps"].attrs.get("units", "ms")
                units = units.decode() if isinstance(units, bytes) else str(units)
                if units not in ("ms", "millisecond", "milliseconds"):
                    raise DataError(f"{str(path)!r}: the timestamps of {name!r} are in {units!r}: store ms.")
                times, cells = np.asarray(group["timestamps"], dtype=np.float64), np.asarray(group["node_ids"])
                if times.shape != cells.shape or cells.dtype.kind not in "ui":
                    raise DataError(
                        f"{str(path)!r}: {name!r} has {times.size} timestamps and {cells.size} node_ids of type "
                        f"{cells.dtype}: store a whole number for each time."
                    )
                order = np.argsort(times, kind="stable")
                found[name] = Trains(times[order], cells[order].astype(np.int64))
    except (OSError, KeyError, AttributeError, TypeError, ValueError, IndexError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"{str(path)!r} cannot be read ({reason}): give an HDF5 file with /spikes/<population>/timestamps and "
            f"node_ids."
        ) from None
    return found


@dataclass(frozen=True, eq=False)
class Courses(Aimed):
    """Levels that change within an example, at the same times in all.

    Attributes
    ----------
    times
        Borders of the pieces (ms), ascending from 0 to the duration, shape (k + 1,).
    levels
        By input population, 0 to 1, shape (n, k, cells).
    goal
        :class:`~segdend_plugin.tasks.base.Classes` or :class:`~segdend_plugin.tasks.base.Rates`.
    answer_from, phases
        From when on the answer is read (ms), and the windows of the trials.

    Raises
    ------
    DataError
        If shapes do not fit or levels are outside 0 to 1.
    """

    times: Array
    levels: Mapping[str, Array]
    goal: Goal
    answer_from: float | None = None
    phases: Phases | None = None

    def __post_init__(self) -> None:
        times = np.asarray(self.times, dtype=np.float64)
        if times.ndim != 1 or len(times) < 2 or times[0] < 0 or not (np.diff(times) > 0).all():
            raise DataError(f"times={times}: give two or more borders (ms), ascending from 0 on.")
        levels = {name: np.asarray(course, dtype=np.float64) for name, course in self.levels.items()}
        for name, course in levels.items():
            if course.ndim != 3 or course.shape[:2] != (len(self.goal), len(times) - 1):
                raise DataError(
                    f"levels of {name!r} have shape {course.shape}: give ({len(self.goal)}, {len(times) - 1}, cells), "
                    f"for each example and piece."
                )
            check_levels(f"levels of {name!r}", course)
        check_answer(self.answer_from, float(times[-1]))
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "levels", levels)

    @property
    def inputs(self) -> Mapping[str, int]:
        """Size of each population that it drives."""
        return {name: course.shape[2] for name, course in self.levels.items()}

    @cached_property
    def digest(self) -> str:
        """Of times, levels and targets."""
        levels = (part for item in self.levels.items() for part in item)
        return digest_of(self.times, *levels, self.goal.digest, self.answer_from)

    def stimuli(self, numbers: Sequence[int]) -> Sequence[Stimulus]:
        """Return the courses of these examples."""
        return [
            Stimulus(
                {name: Signal(self.times, course[k]) for name, course in self.levels.items()},
                self.goal.target(k),
                float(self.times[-1]),
                marks_of(self.answer_from),
            )
            for k in numbers
        ]


class Examples(Aimed):
    """Stimuli of somebody's own, from any iterable, which is read into a list first.

    Parameters
    ----------
    stimuli
        With targets, if there is no `goal`: R2 is then of their means over the time in which the answer is read.
    goal
        What is wanted of the examples, in place of the stimuli's targets.
    inputs
        Sizes of the input populations, which spike times alone do not tell.
    phases
        Windows of the trials.

    Raises
    ------
    DataError
        If a stimulus is wrong, or differs from the first one in its populations.
    """

    def __init__(
        self,
        stimuli: Iterable[Stimulus],
        goal: Goal | None = None,
        *,
        inputs: Mapping[str, int] | None = None,
        phases: Phases | None = None,
    ) -> None:
        shown = list(stimuli)
        if not shown:
            raise DataError("stimuli: there are none: give one or more.")
        self.inputs, self.phases = dict(inputs) if inputs is not None else _sizes(shown[0]), phases
        if goal is not None:
            if len(goal) != len(shown):
                raise DataError(f"goal: it is of {len(goal)} examples: give one for {len(shown)} stimuli.")
            shown = [replace(stimulus, target=goal.target(k)) for k, stimulus in enumerate(shown)]
        outputs = {name: _last(wanted).shape[-1] for name, wanted in shown[0].target.items()}
        for k, stimulus in enumerate(shown):
            check_stimulus(f"stimulus {k}", stimulus, self.inputs, outputs)
        self.goal = (
            goal
            if goal is not None
            else Rates({name: np.array([_mean(stimulus, name) for stimulus in shown]) for name in outputs})
        )
        self._stimuli = shown

    @cached_property
    def digest(self) -> str:
        """Of all stimuli and targets."""
        parts: list[Any] = [self.inputs, self.goal.digest]
        for stimulus in self._stimuli:
            parts += [stimulus.duration, sorted(stimulus.marks.items())]
            for name, course in (*stimulus.drive.items(), *stimulus.target.items()):
                parts += [name, *(vars(course).values() if isinstance(course, (Signal, Trains)) else [course])]
        return digest_of(*parts)

    def stimuli(self, numbers: Sequence[int]) -> Sequence[Stimulus]:
        """Return these stimuli."""
        return [self._stimuli[k] for k in numbers]


def marks_of(answer_from: float | None) -> dict[str, float]:
    """Return the marks of stimuli whose answer is read from this time on (ms)."""
    return {} if answer_from is None else {"answer": answer_from}


def check_answer(answer_from: float | None, shortest: float) -> None:
    """Raise DataError unless the answer is read before the shortest example (ms) ends."""
    if answer_from is not None and (not is_number(answer_from) or not 0 <= answer_from < shortest):
        raise DataError(f"answer_from={answer_from!r}: give a time before the end of an example ({shortest:g} ms).")


def _cut(trains: Trains, begin: float, end: float) -> Trains:
    first, last = np.searchsorted(trains.times, (begin, end))
    return Trains(trains.times[first:last] - begin, trains.cells[first:last])


def _last(wanted: Signal | Array) -> Array:
    return np.asarray(wanted.levels if isinstance(wanted, Signal) else wanted)


def _sizes(stimulus: Stimulus) -> dict[str, int]:
    """Return the sizes of the input populations, as levels tell them."""
    spikes = next((name for name, drive in stimulus.drive.items() if isinstance(drive, Trains)), None)
    if spikes is not None:
        raise DataError(f"inputs: spikes do not tell how many cells {spikes!r} has: give inputs={{{spikes!r}: ...}}.")
    levels = {n: drive.levels if isinstance(drive, Signal) else drive for n, drive in stimulus.drive.items()}
    return {name: np.shape(shown)[-1] for name, shown in levels.items() if not isinstance(shown, Trains)}


def _mean(stimulus: Stimulus, name: str) -> Array:
    """Return the mean target of a population over the time in which the answer is read, shape (cells,)."""
    wanted = stimulus.target[name]
    if not isinstance(wanted, Signal):
        return np.asarray(wanted, dtype=np.float64)
    begin = stimulus.marks.get("answer", 0.0)
    borders = np.clip(wanted.times, begin, stimulus.duration)
    mean: Array = np.diff(borders) @ wanted.levels / max(borders[-1] - borders[0], np.finfo(float).tiny)
    return mean
