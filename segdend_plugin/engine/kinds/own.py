"""Cells of somebody's own: they spike as their owner made them, and are reached by the host's NetCons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from segdend_plugin.cells.units import TAU_LONG, TAU_SHORT, Scale
from segdend_plugin.engine.along import filtered
from segdend_plugin.engine.kinds.base import CellHandle, Cells, Reader
from segdend_plugin.engine.kinds.tuft import OfSites
from segdend_plugin.engine.learned import Learned
from segdend_plugin.engine.mpi import Ranks
from segdend_plugin.engine.readings import Readings
from segdend_plugin.engine.sparse import Sparse
from segdend_plugin.errors import ConfigError
from segdend_plugin.model.graph import Connections, Cost, Graph, Population
from segdend_plugin.model.places import Place
from segdend_plugin.model.trial import Signal, Trial, Window
from segdend_plugin.model.wants import Quantity
from segdend_plugin.rule.targets import equivalent_potential
from segdend_plugin.types import Array, HocObject, Integers, Segment


@dataclass(frozen=True)
class Own:
    """Cells that a host has made.

    Attributes
    ----------
    label
        What messages call them.
    scale
        Meaning of the rule's units in them: rest, and millivolts that the rule calls 1.
    gain
        Somatic potential (units) for unit drive, k_b.
    drive_per_weight
        Drive (units) that a weight of 1 makes of a filtered train of 1/ms.
    """

    label: str = "own"
    scale: Scale = Scale()  # noqa: RUF009  frozen
    gain: float = 1.0
    drive_per_weight: float = 1.0

    @property
    def offers(self) -> frozenset[tuple[Quantity, str]]:
        """Rates and spikes, potentials of soma and of where sets land, and drives of their learned sets."""
        return frozenset(
            {
                ("rate", "soma"),
                ("spikes", "soma"),
                ("potential", "soma"),
                ("potential", "tuft"),
                ("potential", "basal"),
                ("drive", "basal"),
                ("drive", "tuft"),
            }
        )

    @property
    def accepts(self) -> frozenset[str]:
        """NetCons of the host's."""
        return frozenset({"netcons"})

    def cost(self, dt: float) -> Cost:
        """Return what one cell costs, which only its owner knows: a compartment with channels."""
        return Cost(110.0, 2000)


class OwnCells(Cells):
    """Those of a population on this rank."""

    def __init__(
        self,
        graph: Graph,
        population: Population,
        handles: Sequence[CellHandle],
        positions: Integers,
        kind: Own,
        ranks: Ranks,
        teachers: Mapping[int, tuple[HocObject, float]] | None = None,
    ) -> None:
        """Take the cells; `teachers` are an IClamp and its amplitude (nA) at level 1 by position in the population."""
        from neuron import h

        super().__init__(graph, population, handles, positions, kind.scale)
        self.kind, self._begin = kind, 0.0
        self._trial: Trial | None = None
        self._sets: dict[str, Sparse] = {}
        self._teachers = dict(teachers or {})
        self._ears: list[HocObject] = []
        self._listener: HocObject | None = None
        if handles:
            self._section = h.Section(name="segdend_listener")
            self._listener = h.SegDendListener(self._section(0.5))
            for k, handle in enumerate(handles):
                ear = ranks.pc.gid_connect(handle.gid, self._listener)
                ear.weight[0], ear.delay = k, graph.dt
                self._ears.append(ear)

    @property
    def gain(self) -> float:
        """k_b of the population."""
        return self.kind.gain

    def announce(self, wanted: bool) -> None:
        """Do nothing: they send their spikes as their owner made them."""

    def take(self, one: Learned) -> None:
        """Take a set that lands here, whose places and drives may be read."""
        if isinstance(one, Sparse):
            self._sets[one.connections.name] = one

    def prepare(self, trial: Trial, begin: float) -> None:
        """Make ready for a trial."""
        self._trial, self._begin = trial, begin

    def teach(self, target: Signal | Array | None) -> None:
        """Write when and how strong the teacher's currents flow in the next trial; None for none."""
        if isinstance(target, Signal):
            raise ConfigError(f"population {self.name!r}: a teacher of own cells takes constant levels: give these.")
        windows = [] if self._trial is None else [window for window in self._trial.windows if window.taught]
        for position, (clamp, strength) in self._teachers.items():
            if target is None or not windows or self._trial is None:
                clamp.amp, clamp.dur = 0.0, 0.0
                continue
            dt = self._trial.dt
            clamp.delay = self._begin + windows[0].start * dt
            clamp.dur, clamp.amp = (windows[-1].last - windows[0].start) * dt, strength * float(target[position])

    def restart(self) -> None:
        """Begin a trial without initialisation."""
        if self._listener is not None:
            self._listener.restart()

    def spike_counts(self) -> Array:
        """Return how many spikes left each cell in each step of the trial, shape (steps, n)."""
        from neuron import h

        if self._trial is None:
            raise ConfigError(f"population {self.name!r}: no trial was shown: show one first.")
        counts = np.zeros((self._trial.end, self.n))
        if self._listener is not None:
            vectors = h.Vector(), h.Vector()
            self._listener.heard(*vectors)
            times = np.array(vectors[0]) - self.graph.dt - self._begin
            steps = np.ceil(times / self._trial.dt - 0.5).astype(np.int64) - 1  # a spike leaves at the end of its step
            inside = (steps >= 0) & (steps < self._trial.end)
            np.add.at(counts, (steps[inside], np.array(vectors[1]).astype(np.int64)[inside]), 1.0)
        return counts

    def drives(self, names: Sequence[str]) -> Array:
        """Return the drive of sets in every step, shape (steps, n)."""
        if self._trial is None:
            raise ConfigError(f"population {self.name!r}: no trial was shown: show one first.")
        total = np.zeros((self._trial.end, self.n))
        for name in names:
            one = self._sets[name]
            steps, synapses = one.arrivals()
            inside = steps < self._trial.end
            steps, synapses = steps[inside], synapses[inside]
            come = np.zeros_like(total)
            np.add.at(come, (steps, one.column[synapses]), self.kind.drive_per_weight * one.weights[synapses])
            total += filtered(come, (TAU_LONG, TAU_SHORT), self._trial.dt)
        return total

    def _reader(self, readings: Readings, quantity: Quantity, place: Place) -> Reader:
        region = "tuft" if place.of is not None and place.region == "soma" else place.region
        if region == "soma":
            return Counted(self.spike_counts, quantity)
        wanted = self.set_of(place, ["feedback" if region == "tuft" else "forward"])
        names = [c.name for c in wanted if c.name in self._sets]
        if not names:
            raise ConfigError(f"population {self.name!r}: nothing lands on its {region}: read something else.")
        if quantity == "drive":
            return Counted(lambda: self.drives(names), "drive")
        places = [self._places(names[0], k) for k in range(self.n)]
        if any(len(own) != len(places[0]) or not own for own in places):
            raise ConfigError(
                f"population {self.name!r}: the synapses of {names[0]!r} land on different numbers of places in "
                "different cells, or on none: let them land on as many in each."
            )
        flat = [segment for own in places for segment in own]
        group = readings.group([segment._ref_v for segment in flat], "potential", self.scale.rest, self.scale.unit)
        return OfSites(group, self.n)

    def _places(self, name: str, column: int) -> list[Segment]:
        one = self._sets[name]
        found: dict[str, Segment] = {}
        for k in np.flatnonzero(one.column == column).tolist():
            segment = one.netcons[k].syn().get_segment()
            found.setdefault(str(segment), segment)
        return list(found.values())

    def receive(self, connections: Connections, dense: object) -> None:
        """Refuse: drives of dense sets have no place on them."""
        raise ConfigError(
            f"set {connections.name!r}: the cells of {self.name!r} are reached by NetCons: make it sparse."
        )

    def close(self) -> None:
        """Give up every NEURON object of ours."""
        super().close()
        self._sets, self._ears, self._listener, self._teachers = {}, [], None, {}
        if hasattr(self, "_section"):
            del self._section


class Counted(Reader):
    """What is computed after the trial from spikes: rates and potentials of somas, spikes and drives.

    Parameters
    ----------
    values
        Returns numbers per step, shape (steps, n).
    quantity
        What is made of them.
    """

    def __init__(self, values: Callable[[], Array], quantity: Quantity) -> None:
        super().__init__(())
        self._values, self._quantity = values, quantity

    def average(self, index: int, window: Window, dt: float) -> Array:
        """Return the mean over a window, shape (n,)."""
        total: Array = np.add.reduce(self._values()[window.first : window.last], axis=0) / window.steps
        if self._quantity == "rate":
            total /= dt
        if self._quantity == "potential":
            total = equivalent_potential(total / dt, window.steps * dt)
        return total

    def trace(self) -> Array:
        """Return the values at the end of every step, shape (steps, n)."""
        if self._quantity in ("rate", "potential"):
            raise ConfigError(f"own cells: their somatic {self._quantity} has no trace: read spikes.")
        return self._values()
