"""Artificial cells of a host's model, NetStims and VecStims, that send what the task says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segdend_plugin.cells.units import Scale
from segdend_plugin.engine.kinds.base import CellHandle, Shown, Source
from segdend_plugin.errors import ConfigError
from segdend_plugin.model.graph import Cost, Graph, Population
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.model.trial import Drive, Signal, Trains, Trial
from segdend_plugin.types import Array, HocObject, Integers, is_number


@dataclass(frozen=True)
class Generator(Source):
    """NetStims or VecStims whose spikes the task gives.

    Attributes
    ----------
    rate
        At level 1 (Hz).
    """

    rate: float = 200.0

    def __post_init__(self) -> None:
        if not is_number(self.rate) or self.rate <= 0:
            raise ConfigError(f"rate={self.rate!r}: give the rate at level 1, more than 0 Hz.")

    @property
    def label(self) -> str:
        """What messages call it."""
        return "generator"

    def cost(self, dt: float) -> Cost:
        """Return what one cell costs: an event for each of its spikes."""
        return Cost(2.0, 1000)


class GeneratorCells(Shown):
    """Those of a population on this rank.

    NetStims send trains of constant rate, with the noise that their owner gave them. VecStims send Poisson trains of
    any course of levels, or the given spikes.

    Parameters
    ----------
    graph, population, handles, positions
        As of any cells.
    kind
        What they are.
    """

    def __init__(
        self, graph: Graph, population: Population, handles: Sequence[CellHandle], positions: Integers, kind: Generator
    ) -> None:
        super().__init__(graph, population, handles, positions, Scale())
        self._rate = kind.rate
        self._points = [handle.point for handle in handles]
        self._plays = [hasattr(point, "play") for point in self._points]
        self._key, self._length, self._begin = (Purpose.TEST_SPIKES, 0), 0.0, 0.0  # of the trial
        self._kept: list[HocObject] = []
        self._given = [_train(point) for point in self._points]  # as their owner made them

    def announce(self, wanted: bool) -> None:
        """Do nothing: they send their spikes as their owner made them."""

    def prepare(self, trial: Trial, purpose: Purpose, begin: float) -> None:
        """Make ready for a trial."""
        self._key, self._length, self._begin = (purpose, trial.example), trial.duration, begin

    def show(self, drive: Drive) -> None:
        """Take what the cells show in the next trial; the task has checked it."""
        self._kept = []
        for k, (point, plays) in enumerate(zip(self._points, self._plays, strict=True)):
            if plays:
                self._play(point, self._begin + self._times(k, drive))
            elif isinstance(drive, np.ndarray):
                rate = self._rate * float(drive[self.positions[k]])
                point.start, point.number = self._begin, 1e9 if rate > 0.0 else 0
                point.interval = 1000.0 / rate if rate > 0.0 else 1e9
            else:
                raise ConfigError(
                    f"input {self.name!r}: NetStims send constant rates only, but the drive changes in time: take "
                    "VecStim or SegDendInput cells."
                )

    def _play(self, point: HocObject, times: Array) -> None:
        from neuron import h

        vector = h.Vector(times)
        point.play(vector)
        self._kept.append(vector)

    def _times(self, k: int, drive: Drive) -> Array:
        """Return when the cell sends spikes (ms from the start of the trial)."""
        position = int(self.positions[k])
        if isinstance(drive, Trains):
            given: Array = np.asarray(drive.times)[np.asarray(drive.cells) == position]
            return given
        if isinstance(drive, Signal):
            borders, levels = np.asarray(drive.times), np.asarray(drive.levels)[:, position]
        else:
            borders, levels = np.array([0.0, self._length]), drive[position : position + 1]
        purpose, example = self._key
        draw = stream(self.graph.seed, purpose, self.numbers[k], example)
        # a Poisson process of rate 1, its time stretched by the rate
        expected = np.concatenate([[0.0], np.cumsum(self._rate * 1e-3 * levels * np.diff(borders))])
        count = int(draw.poisson(expected[-1]))
        arrivals = np.sort(draw.uniform(0.0, expected[-1], count))
        times: Array = np.interp(arrivals, expected, borders)
        return times

    def leave(self) -> None:
        """Let NetStims send what their owner wanted; VecStims keep the last train."""
        for point, given in zip(self._points, self._given, strict=True):
            if given is not None:
                point.interval, point.number, point.start = given

    def restart(self) -> None:
        """Begin a trial without initialisation."""
        if self._points:
            raise ConfigError(
                f"input {self.name!r}: NetStims and VecStims begin a train when NEURON is initialised: take "
                "SegDendInput cells for trials in a loop of your own."
            )

    def close(self) -> None:
        """Give up every NEURON object."""
        super().close()
        self._points, self._kept = [], []


def _train(point: HocObject) -> tuple[float, float, float] | None:
    """Return interval, number and start of a NetStim, None for other cells."""
    return (point.interval, point.number, point.start) if hasattr(point, "interval") else None
