"""Input cells: Poisson trains of levels that the task gives, or given spikes; each projection draws them by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from segdend_plugin.cells.units import Scale
from segdend_plugin.engine.dense import Dense
from segdend_plugin.engine.kinds.base import CellHandle, Shown, Source
from segdend_plugin.engine.probe import Probe
from segdend_plugin.errors import ConfigError
from segdend_plugin.model.graph import Cost, Graph, Population
from segdend_plugin.model.trial import Drive, Signal, Trains
from segdend_plugin.rule.targets import RATE_MAX
from segdend_plugin.types import Array, HocObject, Integers


@dataclass(frozen=True)
class Poisson(Source):
    """SegDendInput cells."""

    @property
    def label(self) -> str:
        """What messages call it."""
        return "input"

    def cost(self, dt: float) -> Cost:
        """Return what one cell costs: trains are drawn once a trial."""
        return Cost(1.0, 500)


class InputCells(Shown):
    """The input cells of a population: of all ranks as far as projections are concerned, which draw their trains."""

    def __init__(self, graph: Graph, population: Population, handles: list[CellHandle], positions: Integers) -> None:
        super().__init__(graph, population, handles, positions, Scale())
        points = [handle.point for handle in handles]
        self._points: list[HocObject] = points
        for number, point in zip(self.numbers, points, strict=True):
            point.id = number
        self._levels, self._announced = Probe(points, "level"), Probe(points, "announced")
        self._sending, self._constant = True, True
        self._kept: list[HocObject] = []
        self._drawn: list[Callable[[Drive], None]] = []
        self._rates: list[tuple[Array, slice]] = []

    def send_spikes(self, dense: Dense, delay: float, first: int) -> None:
        """Let a set draw the spikes of all cells by itself: every rank knows the stimulus and the streams."""
        if dense.n_post:
            self._drawn.append(dense.draw(list(self.population.numbers), RATE_MAX, delay, first))

    def send_rates(self, rates: Array, rows: slice) -> None:
        """Let a set be driven by the rates of all cells, which every rank knows."""
        self._rates.append((rates, rows))

    def announce(self, wanted: bool) -> None:
        """Choose whether NetCons learn of the spikes of the local cells, too."""
        self._announced.write(np.full(self.n, float(wanted)))
        self._sending = wanted

    def show(self, drive: Drive) -> None:
        """Take what the cells show in the next trial; the task has checked it."""
        if self._sending:
            self._send(drive)
        for draw in self._drawn:
            draw(drive)
        if self._rates and not isinstance(drive, np.ndarray):
            raise ConfigError(
                f"input {self.name!r}: a set that sends rates takes constant levels only: give these, or send spikes."
            )
        for rates, rows in self._rates:
            rates[rows] = RATE_MAX * np.asarray(drive)

    def _send(self, drive: Drive) -> None:
        """Let the SegDendInput cells of this rank send the same spikes to NetCons."""
        from neuron import h

        if isinstance(drive, Signal):
            self._kept = [h.Vector(drive.times), h.Vector(np.ascontiguousarray(drive.levels).ravel())]
            for position, point in zip(self.positions.tolist(), self._points, strict=True):
                point.course(*self._kept, position, self.population.size)
        elif isinstance(drive, Trains):
            self._kept = [h.Vector(drive.times), h.Vector(drive.cells.astype(float))]
            for position, point in zip(self.positions.tolist(), self._points, strict=True):
                point.given(*self._kept, position)
        else:
            if not self._constant:
                for point in self._points:
                    point.constant()
            self._levels.write(drive[self.positions])
        self._constant = not isinstance(drive, (Signal, Trains))

    def restart(self) -> None:
        """Begin a trial without initialisation."""
        for point in self._points if self._sending else ():
            point.restart()

    def close(self) -> None:
        """Give up every NEURON object."""
        super().close()
        self._points, self._kept, self._drawn, self._rates = [], [], [], []
        del self._levels, self._announced
