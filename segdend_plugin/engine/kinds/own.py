"""Cells of somebody's own: they spike as their owner made them, and are reached by the host's NetCons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from segdend_plugin.cells.units import TAU_LONG, TAU_SHORT, Scale
from segdend_plugin.engine.along import filtered
from segdend_plugin.engine.dense import Kernel
from segdend_plugin.engine.kinds.base import CellHandle, Cells, Reader
from segdend_plugin.engine.kinds.stimuli import Stimulus
from segdend_plugin.engine.mpi import Ranks
from segdend_plugin.engine.readings import Group, Readings
from segdend_plugin.engine.sparse import Sparse
from segdend_plugin.errors import ConfigError
from segdend_plugin.model.graph import Connections, Cost, Graph, Population
from segdend_plugin.model.operating import OperatingPoint
from segdend_plugin.model.places import Place
from segdend_plugin.model.streams import Purpose
from segdend_plugin.model.trial import Signal, Trial, Window
from segdend_plugin.model.wants import Quantity
from segdend_plugin.rule.targets import equivalent_potential
from segdend_plugin.types import Array, HocObject, Integers, Segment, is_number


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

    driven: ClassVar[bool] = False  # those that no set reaches run by themselves, not as the task says
    measured: ClassVar[bool] = True  # what a unit is must be measured in the running model

    label: str = "own"
    scale: Scale = Scale()  # noqa: RUF009  frozen
    gain: float = 1.0
    drive_per_weight: float = 1.0

    def __post_init__(self) -> None:
        for name in ("gain", "drive_per_weight"):
            value = getattr(self, name)
            if not is_number(value) or value <= 0:
                raise ConfigError(f"{name}={value!r}: give a number above 0.")

    @property
    def offers(self) -> frozenset[tuple[Quantity, str]]:
        """Rates, spikes and potentials of somas; potentials where sets land, and drives of these sets."""
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

    @property
    def filters(self) -> tuple[float, ...]:
        """Those of the paper, as long as nobody has measured the cell's own."""
        return TAU_LONG, TAU_SHORT

    def cost(self, dt: float) -> Cost:
        """Return what one cell costs: a compartment with channels, as nobody but its owner knows better."""
        return Cost(110.0, 2000)


class OwnCells(Cells):
    """Those of a population on this rank.

    Parameters
    ----------
    graph, population, handles, positions
        As of any cells; the soma of a handle is the segment whose potential makes it spike, None for artificial cells.
    kind
        What they are.
    ranks
        The MPI job.
    teachers
        By position in the population; none if no task wants anything of them.
    """

    def __init__(
        self,
        graph: Graph,
        population: Population,
        handles: Sequence[CellHandle],
        positions: Integers,
        kind: Own,
        ranks: Ranks,
        teachers: Mapping[int, Sequence[Stimulus]] | None = None,
    ) -> None:
        from neuron import h

        super().__init__(graph, population, handles, positions, kind.scale)
        self.kind, self._begin = kind, 0.0
        self.point: OperatingPoint | None = None
        """Where they fire, once it was measured; :meth:`operate` sets it."""
        self._trial: Trial | None = None
        self._counts: Array | None = None
        self._sets: dict[str, Sparse] = {}
        self._reads: dict[str, Mapping[int, Segment]] = {}
        self._teachers = dict(teachers or {})
        self._ears: list[HocObject] = []
        self._listener: HocObject | None = None
        if handles:
            self._section = h.Section(name="segdend_listener")
            self._listener = h.SegDendListener(self._section(0.5))
            for k, handle in enumerate(handles):
                ear = ranks.pc.gid_connect(handle.gid, self._listener)
                ear.weight[0], ear.delay = k, 0.0
                self._ears.append(ear)

    @property
    def gain(self) -> float:
        """k_b of the population."""
        return self.kind.gain

    def announce(self, wanted: bool) -> None:
        """Do nothing: they send their spikes as their owner made them."""

    @property
    def derived(self) -> Mapping[str, Array]:
        """Their operating point, which a resumed run does not measure again."""
        return {} if self.point is None else self.point.arrays()

    def adopt(self, derived: Mapping[str, Array]) -> bool:
        """Take the operating point of a state."""
        if derived:
            self.operate(OperatingPoint.of_arrays(derived))
        return True

    def operate(self, point: OperatingPoint) -> None:
        """Take where they fire, which says what a unit of drive is."""
        self.point = point
        for name, one in self._sets.items():
            if one.connections.role == "forward":
                one.unit = (-1.0 if one.inhibits else 1.0) / point.per_drive
                one.limit = point.limits.get(name, float("inf"))

    @property
    def teachers(self) -> tuple[Stimulus, ...]:
        """All teachers of the cells of this rank."""
        return tuple(one for own in self._teachers.values() for one in own)

    def take(self, one: Sparse, reads: Mapping[int, Segment]) -> None:
        """Take a set that lands here, and by cell of this rank where it is read, if not where its synapses are."""
        self._sets[one.connections.name], self._reads[one.connections.name] = one, reads

    def prepare(self, trial: Trial, purpose: Purpose, begin: float) -> None:
        """Make ready for a trial."""
        self._trial, self._begin, self._counts = trial, begin, None

    def teach(self, target: Signal | Array | None) -> None:
        """Write when and how strong the teachers speak in the next trial; None for not at all."""
        self.leave()
        if target is None or not self._teachers:
            return
        if isinstance(target, Signal):
            raise ConfigError(
                f"population {self.name!r}: its teachers have one size in a trial, but the target changes "
                "in time: give constant levels."
            )
        trial = self._shown()
        windows = [window for window in trial.windows if window.taught]
        if any(after.start != before.last for before, after in pairwise(windows)):
            raise ConfigError(
                f"phases: between windows in which the teacher of {self.name!r} speaks there is one without, which "
                "they cannot leave out: let it speak in neighbours only."
            )
        begin, length = self._begin + windows[0].start * trial.dt, (windows[-1].last - windows[0].start) * trial.dt
        for position, own in self._teachers.items():
            for teacher in own:
                teacher.speak(float(target[position]), begin, length, trial.example + position)

    def leave(self) -> None:
        """Silence the teachers."""
        for teacher in self.teachers:
            teacher.silence()

    def restart(self) -> None:
        """Begin a trial without initialisation."""
        if self._listener is not None:
            self._listener.restart()

    def _shown(self) -> Trial:
        if self._trial is None:
            raise ConfigError(f"population {self.name!r}: no trial was shown: show one first.")
        return self._trial

    def spike_counts(self) -> Array:
        """Return how many spikes left each cell in each step of the trial, shape (steps, n).

        NEURON finds that a potential has crossed the threshold at the beginning of the next step, so that spikes of
        the very last step belong to no trial.
        """
        if self._counts is None:
            trial = self._shown()
            self._counts = np.zeros((trial.end, self.n))
            if self._listener is not None:
                times, cells = self._heard(self._listener)
                # a spike leaves at the end of its step
                steps = np.ceil((times - self._begin) / trial.dt - 0.5).astype(np.int64) - 1
                inside = (steps >= 0) & (steps < trial.end)
                np.add.at(self._counts, (steps[inside], cells[inside]), 1.0)
        return self._counts

    @staticmethod
    def _heard(listener: HocObject) -> tuple[Array, Integers]:
        from neuron import h

        vectors = h.Vector(), h.Vector()
        listener.heard(*vectors)
        return np.array(vectors[0]), np.array(vectors[1]).astype(np.int64)

    def drives(self, names: Sequence[str]) -> Array:
        """Return the drive of sets at the end of every step, shape (steps, n)."""
        trial = self._shown()
        total = np.zeros((trial.end, self.n))
        for name in names:
            one = self._sets[name]
            steps, synapses = one.arrivals()
            inside = steps < trial.end
            steps, synapses = steps[inside], synapses[inside]
            come = np.zeros_like(total)
            np.add.at(come, (steps, one.column[synapses]), one.effective()[synapses])
            total += filtered(come, (TAU_LONG, TAU_SHORT), trial.dt)
        return total

    def _reader(self, readings: Readings, quantity: Quantity, place: Place) -> Reader:
        region = "tuft" if place.of is not None and place.region == "soma" else place.region
        if region == "soma":
            somas = [handle.soma for handle in self.handles]
            shown = quantity == "potential" and None not in somas
            return Counted(self.spike_counts, quantity, [self._potentials(readings, somas)] if shown else [])
        wanted = self.set_of(place, ["feedback" if region == "tuft" else "forward"])
        names = [c.name for c in wanted if c.name in self._sets]
        if not names:
            raise ConfigError(f"population {self.name!r}: nothing lands on its {region}: read something else.")
        if quantity == "drive":
            return Driven(lambda: self.drives(names), [self._sets[name] for name in names], self.n)
        places = [self._places(names, k) for k in range(self.n)]
        group = self._potentials(readings, [segment for own in places for segment in own])
        return Means(group, [len(own) for own in places])

    def _potentials(self, readings: Readings, segments: Sequence[Segment]) -> Group:
        return readings.group([s._ref_v for s in segments], "potential", self.scale.rest, self.scale.unit)

    def _places(self, names: Sequence[str], column: int) -> list[Segment]:
        """Return where sets are read on a cell, each place once, in the order of the synapses."""
        found: list[Segment] = [self._reads[name][column] for name in names if column in self._reads[name]]
        names = [name for name in names if column not in self._reads[name]]
        for one in (self._sets[name] for name in names):
            for k in np.flatnonzero(one.column == column).tolist():
                synapse = one.netcons[k].syn()
                if not hasattr(synapse, "get_segment"):
                    raise ConfigError(
                        f"population {self.name!r}: {synapse.hname()} is an artificial cell, without a membrane whose "
                        "potential could be read: read something else."
                    )
                segment = synapse.get_segment()
                if segment is not None and segment not in found:
                    found.append(segment)
        return found

    def kernel(self, connections: Connections) -> Kernel:
        """Refuse: drives of dense sets have no place on them."""
        raise ConfigError(
            f"set {connections.name!r}: the cells of {self.name!r} are reached by NetCons: make it sparse."
        )

    def close(self) -> None:
        """Give up every NEURON object of ours."""
        super().close()
        self._sets, self._reads, self._ears, self._listener, self._teachers = {}, {}, [], None, {}
        if hasattr(self, "_section"):
            del self._section


class Counted(Reader):
    """What is computed of spikes after the trial: rates and potentials of somas, spikes and drives.

    Parameters
    ----------
    values
        Returns numbers per step, shape (steps, n).
    quantity
        What is made of them; a mean potential is that at which an escape-rate soma would fire as the cells do.
    potentials
        Group of the potentials themselves, whose traces are wanted, if there are any.
    """

    def __init__(self, values: Callable[[], Array], quantity: Quantity, potentials: Sequence[Group] = ()) -> None:
        super().__init__(potentials)
        self._values, self._quantity = values, quantity

    def average(self, index: int, window: Window, dt: float) -> Array:
        """Return the mean over a window, shape (n,)."""
        shown = self._values()[window.first : window.last]
        mean: Array = np.cumsum(shown, axis=0)[-1] / window.steps  # in the order of steps, however many cells there are
        if self._quantity == "rate":
            return mean / dt
        if self._quantity == "potential":
            return equivalent_potential(mean / dt, window.steps * dt)
        return mean

    def trace(self) -> Array:
        """Return the values at the end of every step, shape (steps, n)."""
        if self.groups:
            return super().trace()
        if self._quantity in ("rate", "potential"):
            raise ConfigError(f"own cells: there is no trace of their {self._quantity}: read their spikes.")
        return self._values()


class Driven(Counted):
    """What sets make of the trains that arrive.

    Parameters
    ----------
    values
        Returns the drive at the end of every step, shape (steps, n).
    sets
        Those that make it.
    n
        Cells of this rank.
    """

    def __init__(self, values: Callable[[], Array], sets: Sequence[Sparse], n: int) -> None:
        super().__init__(values, "drive")
        self._of, self._n = sets, n

    def average(self, index: int, window: Window, dt: float) -> Array:
        """Return the mean over a window, shape (n,), in closed form."""
        total = np.zeros(self._n)
        for one in self._of:
            total += one.drive(index, self._n)
        return total


class Means(Reader):
    """Means over the places of each cell; a cell without any is at rest.

    Parameters
    ----------
    group
        References to the places of all cells, cell by cell.
    counts
        Places of each cell.
    """

    def __init__(self, group: Group, counts: Sequence[int]) -> None:
        super().__init__([group])
        self._counts = np.array(counts)
        self._owner = np.repeat(np.arange(len(counts)), self._counts)

    def set_leads(self, window: int, leads: Array | None) -> None:
        """Let the window of each cell precede that of the trial by so many ms, shape (n,)."""
        super().set_leads(window, None if leads is None else leads[self._owner])

    def _of_cells(self, values: Sequence[Array]) -> Array:
        total = np.zeros((len(self._counts), *values[0].shape[:-1]))
        np.add.at(total, self._owner, values[0].T)
        mean: Array = total.T / np.maximum(self._counts, 1)
        return mean
