"""The windows of a trial: when they begin and end, how long cells settle before, and when the teacher speaks.

All times become whole steps of the graph's dt. Without a teacher, the answer is read in the first window.

A stimulus with a duration of its own is shown for just that long. Its mark ``"answer"`` says from when on the answer is
read; without this mark, that is as soon as the cells have settled. The teacher speaks from `settle` before the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

import numpy as np

from segdend_plugin.errors import ConfigError
from segdend_plugin.model.graph import Graph
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.model.trial import Drive, Signal, Stimulus, Trains, Trial, Window
from segdend_plugin.rule.settling import settling
from segdend_plugin.types import Array, is_number

WALD_MEAN = 2.0
WALD_SCALE = 1.0
"""Of the time (ms) by which a phase is longer than its shortest (eLife 22901, Methods)."""


Settle = float | Literal["auto"]


class _OneByOne:
    """Makes the trials of a block one by one: each is keyed by its example alone."""

    def trial(self, graph: Graph, stimulus: Stimulus, example: int, *, taught: bool) -> Trial:
        """Return the trial of an example."""
        raise NotImplementedError

    def trials(
        self, graph: Graph, stimuli: Sequence[Stimulus], examples: Sequence[int], *, taught: bool
    ) -> list[Trial]:
        """Return the trials of a block of examples."""
        return [self.trial(graph, shown, k, taught=taught) for shown, k in zip(stimuli, examples, strict=True)]


@dataclass(frozen=True)
class TwoPhase(_OneByOne):
    """A forward phase, and in training a target phase with the teacher (Guerguiev et al. 2017, eLife 6:e22901).

    The windows are ``"forward"`` and ``"target"``. A stimulus with a duration is presented once in each phase.

    Attributes
    ----------
    forward, target
        Shortest lengths of the phases (ms); None: settle and a window.
    settle
        Time (ms) at the beginning of each phase before its window, or ``"auto"``: as long as filters of cells and
        synapses need (:func:`~segdend_plugin.rule.settling.settling`); one, or one for each phase.
    window
        Shortest length (ms) of the windows of phases without a length of their own.
    test
        Length (ms) of the forward phase where nothing is taught.
    jitter
        Whether a Wald-distributed time (mean 2 ms, scale 1 ms) is added to each phase of training.
    """

    forward: float | None = None
    target: float | None = None
    settle: Settle | tuple[Settle, Settle] = "auto"
    window: float = 20.0
    test: float = 250.0
    jitter: bool = True

    def __post_init__(self) -> None:
        both = tuple(self.settle) if isinstance(self.settle, (tuple, list)) else (self.settle, self.settle)
        object.__setattr__(self, "settle", both)

    def resolve(self, graph: Graph) -> TwoPhase:
        """Return the phases with all times as numbers; raise ConfigError where a window is empty."""
        given = cast("tuple[Settle, ...]", self.settle)
        if len(given) != 2:
            raise ConfigError(f"phases: settle={self.settle!r}: give one time, or one for each of the two phases.")
        derived = settling(graph) if "auto" in given else (0.0, 0.0)
        settles = [of if one == "auto" else one for one, of in zip(given, derived, strict=True)]
        if not is_number(self.window) or self.window <= 0:
            raise ConfigError(f"phases: window={self.window!r}: give a time of more than 0 ms.")
        lengths = []
        wanted = zip(("forward", "target"), (self.forward, self.target), given, settles, strict=True)
        for name, own, one, settle in wanted:
            lengths.append(self.window + (settle if is_number(settle) else 0.0) if own is None else own)
            _check(name, lengths[-1], settle, graph.dt)
            if own is not None and one == "auto" and own - settle < self.window:
                raise ConfigError(
                    f"phases: {name!r} of {own:g} ms leaves a window of {own - settle:g} ms after settle='auto', which "
                    f"takes {settle:g} ms: give a window instead of the length, or settle as a number."
                )
        _check("test", self.test, settles[0], graph.dt)
        first, second = settles
        return replace(self, forward=lengths[0], target=lengths[1], settle=(first, second))

    def trial(self, graph: Graph, stimulus: Stimulus, example: int, *, taught: bool) -> Trial:
        """Return the trial of an example."""
        dt = graph.dt
        forward, target, settles = self._times()
        first, second = (round(settle / dt) for settle in settles)
        if stimulus.duration is not None:
            return self._presented(stimulus, stimulus.duration, example, dt, taught=taught)
        if not taught:
            end = round(self.test / dt)
            return Trial(example, stimulus, (Window("forward", first, end),), end, dt, False)
        longer = _wald(graph.seed, example, jitter=self.jitter)
        middle = round((forward + longer[0]) / dt)
        end = middle + round((target + longer[1]) / dt)
        windows = Window("forward", first, middle), Window("target", middle + second, end, middle, True)
        return Trial(example, stimulus, windows, end, dt, True)

    def laid(self) -> tuple[tuple[str, float, float, bool], ...]:
        """Return the two phases of the shortest trial, as :class:`Windows` takes them."""
        forward, target, (first, second) = self._times()
        return ("forward", forward, first, False), ("target", target, second, True)

    def _times(self) -> tuple[float, float, tuple[float, float]]:
        """Return the lengths of both phases, and how long cells settle in each."""
        if self.forward is None or self.target is None or "auto" in cast("tuple[Settle, ...]", self.settle):
            raise ConfigError(f"{self}: its times depend on the graph: take phases.resolve(graph).")
        return self.forward, self.target, cast("tuple[float, float]", self.settle)

    def _presented(self, stimulus: Stimulus, duration: float, example: int, dt: float, *, taught: bool) -> Trial:
        """Return a trial in which a stimulus of its own duration is presented once, or once in each phase."""
        *_, (first, second) = self._times()
        end = round(duration / dt)
        answer = _answer(stimulus, first, end, dt)
        forward = Window("forward", answer, end)
        if not taught:
            return Trial(example, stimulus, (forward,), end, dt, False)
        begin = end + max(answer - round(second / dt), 0)
        windows = forward, Window("target", end + answer, 2 * end, begin, True)
        return Trial(example, twice(stimulus, end * dt), windows, 2 * end, dt, True)


@dataclass(frozen=True)
class OnePhase(_OneByOne):
    """One window, ``"trial"``, with or without a teacher.

    Attributes
    ----------
    duration
        Length of the trial (ms), of stimuli without a duration of their own.
    settle
        Time (ms) at its beginning that does not belong to the window.
    taught
        Whether a teacher speaks in training.
    """

    duration: float = 200.0
    settle: float = 0.0
    taught: bool = True

    def resolve(self, graph: Graph) -> OnePhase:
        """Return the phases; raise ConfigError where the window is empty."""
        _check("trial", self.duration, self.settle, graph.dt)
        return self

    def trial(self, graph: Graph, stimulus: Stimulus, example: int, *, taught: bool) -> Trial:
        """Return the trial of an example."""
        dt, taught = graph.dt, taught and self.taught
        first = settle = round(self.settle / dt)
        end = round((self.duration if stimulus.duration is None else stimulus.duration) / dt)
        if stimulus.duration is not None:
            first = _answer(stimulus, self.settle, end, dt)
        window = Window("trial", first, end, max(first - settle, 0), taught)
        return Trial(example, stimulus, (window,), end, dt, taught)


@dataclass(frozen=True)
class Windows(_OneByOne):
    """Any number of windows, one after the other, whatever the stimulus.

    Attributes
    ----------
    windows
        Of each: name, length of its phase (ms), time (ms) that cells settle at its beginning, and whether the teacher
        speaks in it.

    Examples
    --------
    >>> phases = Windows((("predict", 900.0, 500.0, False), ("teach", 100.0, 0.0, True)))
    """

    windows: tuple[tuple[str, float, float, bool], ...]

    def resolve(self, graph: Graph) -> Windows:
        """Return the phases; raise ConfigError where a window is empty or two have one name."""
        names = [name for name, *_ in self.windows]
        if not names or len(set(names)) < len(names):
            raise ConfigError(f"phases: the windows are called {names}: give one or more, each with a name of its own.")
        for name, length, settle, _ in self.windows:
            _check(name, length, settle, graph.dt)
        return self

    def trial(self, graph: Graph, stimulus: Stimulus, example: int, *, taught: bool) -> Trial:
        """Return the trial of an example."""
        dt, begin = graph.dt, 0
        laid = []
        for name, length, settle, teaches in self.windows:
            end = begin + round(length / dt)
            laid.append(Window(name, begin + round(settle / dt), end, begin, taught and teaches))
            begin = end
        return Trial(example, stimulus, tuple(laid), begin, dt, any(window.taught for window in laid))


def twice(stimulus: Stimulus, duration: float) -> Stimulus:
    """Return a stimulus that is presented twice, with its target in the second presentation.

    Parameters
    ----------
    stimulus
        Drives and targets of one presentation.
    duration
        Length of one presentation (ms).
    """
    drive = {name: _drive_twice(shown, duration) for name, shown in stimulus.drive.items()}
    target: Mapping[str, Signal | Array] = {
        name: Signal(wanted.times + duration, wanted.levels) if isinstance(wanted, Signal) else wanted
        for name, wanted in stimulus.target.items()
    }
    return replace(stimulus, drive=drive, target=target, duration=2 * duration)


def _drive_twice(drive: Drive, duration: float) -> Drive:
    if isinstance(drive, Trains):
        once = (drive.times >= 0.0) & (drive.times < duration)
        times, cells = drive.times[once], drive.cells[once]
        return Trains(np.concatenate([times, times + duration]), np.concatenate([cells, cells]))
    if isinstance(drive, Signal):
        times, silence = np.clip(drive.times, 0.0, duration), np.zeros((1, drive.levels.shape[1]))
        levels = np.concatenate([drive.levels, silence, drive.levels])  # silence from the last border to the first
        return Signal(np.concatenate([times, times + duration]), levels)
    return drive


def _answer(stimulus: Stimulus, settle: float, end: int, dt: float) -> int:
    """Return the step after which the answer to a stimulus of `end` steps is read."""
    answer = stimulus.marks.get("answer", settle)
    first = round(answer / dt)
    if first >= end:
        raise ConfigError(
            f"phases: an answer that is read from {answer:g} ms on has no window in a stimulus of {end * dt:g} ms: "
            f"give an earlier mark 'answer', or a shorter settle."
        )
    return first


def _check(name: str, length: float, settle: float, dt: float) -> None:
    """Raise ConfigError if a phase leaves no window."""
    for what, value in (("length", length), ("settle", settle)):
        if not is_number(value) or value < 0:
            raise ConfigError(f"phases: the {what} of {name!r} is {value!r}: give a time of 0 ms or more.")
    if round(settle / dt) >= round(length / dt):
        raise ConfigError(
            f"phases: {name!r} of {length:g} ms leaves no window after settle={settle:g} ms (dt={dt:g} ms): "
            f"make it longer, or settle shorter."
        )


def _wald(seed: int, example: int, *, jitter: bool) -> tuple[float, float]:
    """Return by how many ms the two phases of an example are longer."""
    if not jitter:
        return 0.0, 0.0
    first, second = stream(seed, Purpose.PHASES, example).wald(WALD_MEAN, WALD_SCALE, size=2)
    return float(first), float(second)


@dataclass(frozen=True)
class Schedule:
    """Times of one example of two phases, as the oracle takes them, in whole steps of `dt` from its start.

    The forward window is (settle, forward_end], the target window (forward_end + settle, end]. An example
    without a target phase has ``end == forward_end``.
    """

    dt: float
    settle: int
    forward_end: int
    end: int

    @property
    def has_target(self) -> bool:
        """Whether a target phase follows the forward phase."""
        return self.end > self.forward_end

    @property
    def forward_steps(self) -> int:
        """Number of steps in the forward window."""
        return self.forward_end - self.settle

    def time(self, step: int) -> float:
        """Return the time (ms) at the end of `step` steps."""
        return step * self.dt


def training_schedule(
    seed: int, example: int, *, dt: float, forward: float, target: float, settle: float, jitter: bool
) -> Schedule:
    """Return the schedule of a training example (paper, Methods: phases of 50 ms plus Wald(2, 1) ms).

    Parameters
    ----------
    seed, example
        Key of the random phase lengths.
    dt, forward, target, settle
        Step, shortest phases and settling delay (ms).
    jitter
        Whether a Wald-distributed time (mean 2 ms, scale 1 ms) is added to each phase.
    """
    longer = _wald(seed, example, jitter=jitter)
    forward_end = round((forward + longer[0]) / dt)
    return Schedule(dt, round(settle / dt), forward_end, forward_end + round((target + longer[1]) / dt))


def test_schedule(*, dt: float, duration: float, settle: float) -> Schedule:
    """Return the schedule of an example that is only classified: a forward phase of `duration` ms."""
    end = round(duration / dt)
    return Schedule(dt, round(settle / dt), end, end)
