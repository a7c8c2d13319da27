"""What a network is shown: stimuli, and the trials that phases make of them. Made per example, so plain dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from segdend_plugin.types import Array, Integers


@dataclass(frozen=True, eq=False)
class Signal:
    """Piecewise constant: level k of every cell holds in [times[k], times[k + 1]) ms; before and after, it is 0.

    Attributes
    ----------
    times
        Borders (ms from the start of the trial), ascending, shape (k + 1,).
    levels
        Shape (k, n), 0 to 1.
    """

    times: Array
    levels: Array


@dataclass(frozen=True, eq=False)
class Trains:
    """Spikes: times (ms from the start of the trial, ascending), and the index of each one's cell in its population."""

    times: Array
    cells: Integers


Drive: TypeAlias = "Signal | Trains | Array"
"""Of one population; an array of shape (n,) is levels that are constant, however long the trial is."""


@dataclass(frozen=True, eq=False)
class Stimulus:
    """What the task says of one example; no phases in it.

    Attributes
    ----------
    drive
        By input population.
    target
        By taught population: levels between 0 and 1 of the largest rate, shape (n,) or piecewise constant.
    duration
        How long it lasts (ms), None for as long as the phases want.
    marks
        Times (ms) that phases may refer to.
    """

    drive: Mapping[str, Drive]
    target: Mapping[str, Signal | Array] = field(default_factory=dict)
    duration: float | None = None
    marks: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Window:
    """A stretch of a trial over which averages are taken, in whole steps from its start: the steps (first, last].

    Attributes
    ----------
    name
        What wants and changes call it.
    first, last
        Steps: the average is over those that end after `first` and not after `last`.
    start
        Step at which its phase begins; the time until `first` lets the cells settle.
    taught
        Whether the teacher speaks from `start` to `last`.
    """

    name: str
    first: int
    last: int
    start: int = 0
    taught: bool = False

    @property
    def steps(self) -> int:
        """Number of steps in the window."""
        return self.last - self.first


@dataclass(frozen=True, eq=False)
class Trial:
    """A stimulus with phases.

    Attributes
    ----------
    example
        Number of the example: the key of its random streams.
    stimulus
        What is shown.
    windows
        In the order of time.
    end
        Steps of the whole trial.
    dt
        Time step (ms).
    taught
        Whether a teacher speaks in it.
    """

    example: int
    stimulus: Stimulus
    windows: tuple[Window, ...]
    end: int
    dt: float
    taught: bool

    @property
    def duration(self) -> float:
        """Length of the trial (ms)."""
        return self.end * self.dt

    def window(self, name: str) -> Window | None:
        """Return the window of this name, None if the trial has none."""
        return next((window for window in self.windows if window.name == name), None)
