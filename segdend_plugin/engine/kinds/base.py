"""What the cells of any kind have in common, on this rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from segdend_plugin.cells.calibration import Synapse
from segdend_plugin.cells.units import TAU_LONG, TAU_SHORT, Scale
from segdend_plugin.engine.dense import RATE_SOURCE, Dense, Kernel
from segdend_plugin.engine.readings import Group, Readings
from segdend_plugin.engine.synapses import Landed, Synapses
from segdend_plugin.errors import ConfigError
from segdend_plugin.model.graph import Connections, Graph, Population
from segdend_plugin.model.places import Place
from segdend_plugin.model.streams import Purpose
from segdend_plugin.model.trial import Drive, Signal, Trial, Window
from segdend_plugin.model.wants import Quantity
from segdend_plugin.types import Array, HocObject, Integers, Section, Segment


@dataclass(frozen=True)
class Active:
    """A cell whose soma spikes by itself.

    Attributes
    ----------
    tonic
        Steady current into the soma (nA).
    rest
        Each segment and its resting potential (mV).
    """

    tonic: float
    rest: Sequence[tuple[Segment, float]]


@dataclass(frozen=True)
class CellHandle:
    """One cell of this rank, as a host hands it over.

    Attributes
    ----------
    gid
        Identity in NEURON.
    soma
        The segment that spikes; None for an input cell.
    regions
        Sections by the names that a landing may have, and ``"trunk"`` and ``"tuft"`` for the nexus; empty for a cell
        that has none.
    point
        The mechanism that is the cell: the SegDendLumped of a three-compartment cell, a SegDendLinear or SegDendInput;
        None for others.
    active
        What is to be known of a cell that spikes by itself, None for others.
    owner
        What the sections belong to, such as a template's object, kept as long as the network.
    """

    gid: int
    soma: Segment = None
    regions: Mapping[str, Sequence[Section]] = field(default_factory=dict)
    point: HocObject = None
    active: Active | None = None
    owner: Any = None


class Reader:
    """Window averages and traces of one quantity at one place of the local cells of a population.

    Parameters
    ----------
    groups
        What is read in the time step; here their sum counts, each with one reference per cell.
    """

    def __init__(self, groups: Sequence[Group]) -> None:
        self.groups = tuple(groups)

    def average(self, index: int, window: Window, dt: float) -> Array:
        """Return the mean over a window, the trial's `index`-th, in steps of `dt` ms, shape (n,)."""
        return self._of_cells([group.sums(index) for group in self.groups]) / window.steps

    def trace(self) -> Array:
        """Return the values at the end of every step, shape (steps, n)."""
        return self._of_cells([group.trace() for group in self.groups])

    def set_leads(self, window: int, leads: Array | None) -> None:
        """Let the window of each cell precede that of the trial by so many ms, shape (n,)."""
        for group in self.groups:
            group.set_leads(window, leads)

    def _of_cells(self, values: Sequence[Array]) -> Array:
        total = values[0]
        for more in values[1:]:
            total = total + more
        return total


class Nothing(Reader):
    """Reads no cells, on a rank that has none."""

    def __init__(self) -> None:
        super().__init__(())

    def average(self, index: int, window: Window, dt: float) -> Array:
        """Return an empty array."""
        return np.empty(0)

    def trace(self) -> Array:
        """Return an array without cells; its caller knows the number of steps."""
        return np.empty((0, 0))


class Cells:
    """The cells of a population on this rank.

    Parameters
    ----------
    graph, population
        What they belong to.
    handles
        Those on this rank, in the order of the population.
    positions
        Where each stands in the population, shape (n,).
    scale
        Meaning of the rule's units.
    synapse
        What a drive opens on them.
    """

    def __init__(
        self,
        graph: Graph,
        population: Population,
        handles: Sequence[CellHandle],
        positions: Integers,
        scale: Scale,
        synapse: Synapse = Synapse(),  # noqa: B008  frozen
    ) -> None:
        self.graph, self.population, self.handles, self.scale = graph, population, list(handles), scale
        self.positions = np.asarray(positions, dtype=np.int64)
        self.numbers = (population.first + self.positions).tolist()
        self.gids = [handle.gid for handle in self.handles]
        self.somas: list[HocObject] = []
        """The mechanism of each cell that counts its spikes."""
        self.synapses = Synapses(synapse, scale)
        self._mechanisms: list[Any] = []  # alive as long as the network

    others = "other cells"
    """What messages recommend to whom these cells do not offer what is wanted."""

    @property
    def name(self) -> str:
        """Name of the population."""
        return self.population.name

    @property
    def n(self) -> int:
        """Number of cells on this rank."""
        return len(self.handles)

    @property
    def is_first(self) -> bool:
        """Whether the first cell of the population is on this rank."""
        return self.n > 0 and self.positions[0] == 0

    @property
    def has_last(self) -> bool:
        """Whether the last cell of the population is on this rank."""
        return self.n > 0 and self.positions[-1] == self.population.size - 1

    @property
    def gain(self) -> float:
        """k_b of the population, the steady somatic potential for unit basal drive; the same on every rank."""
        return 1.0

    @property
    def time_constants(self) -> tuple[float, float]:
        """tau_long and tau_short (ms) of a postsynaptic potential."""
        return TAU_LONG, TAU_SHORT

    @property
    def derived(self) -> Mapping[str, Array]:
        """Numbers that were computed on one machine and that a resumed run reads; the same on every rank."""
        return {}

    def adopt(self, derived: Mapping[str, Array]) -> bool:
        """Take such numbers from a state, and return whether they are now those of these cells."""
        own = self.derived
        return all(name in derived and np.array_equal(derived[name], own[name]) for name in own)

    @property
    def splits(self) -> bool:
        """Whether sets sum excitation and inhibition apart."""
        return self.synapses.split

    def slots(self, connections: Connections) -> int:
        """Return how many places of a cell a set tells apart."""
        return 1

    def kernel(self, connections: Connections) -> Kernel:
        """Return how the drives of a set are filtered."""
        raise NotImplementedError

    def receive(self, connections: Connections, dense: Dense) -> None:
        """Let a set drive the local cells."""
        raise NotImplementedError

    def inhibited(self, onto: str) -> list[list[Landed]]:
        """Return where each cell is inhibited, each place with the current (nA) that moves it by one unit."""
        raise NotImplementedError

    def inhibit(self, dense: Dense, places: Sequence[Sequence[Landed]], *, by_slot: bool) -> None:
        """Let a fixed set act on places of every cell: a slot for each of them, or all on one."""
        for post, landed in enumerate(places):
            for k, (place, current) in enumerate(landed):
                slot = k if by_slot else 0
                self._mechanisms.append(self.synapses.site(place, dense, post, slot, current))

    def complete(self) -> None:
        """Do what is to be done once all sets have landed."""

    def offer_rates(self, pc: HocObject) -> None:
        """Let other cells read the rates of the local ones."""
        for handle, soma in zip(self.handles, self.somas, strict=True):
            pc.source_var(soma._ref_rate, RATE_SOURCE + handle.gid, sec=handle.soma.sec)

    def announce(self, wanted: bool) -> None:
        """Choose whether NetCons learn of the spikes of the local cells."""
        for soma in self.somas:
            soma.announced = float(wanted)

    def reader(self, readings: Readings, quantity: Quantity, place: Place) -> Reader:
        """Return what reads a quantity at a place.

        Raises
        ------
        ConfigError
            If cells of this kind do not offer it.
        """
        offers = self.population.kind.offers
        region = place.region if place.of is None or place.region != "soma" else "tuft"
        if (quantity, region) not in offers:
            has = ", ".join(sorted(f"{q} of {r}" for q, r in offers))
            raise ConfigError(
                f"population {self.name!r}: the {quantity} of {region} cannot be read of {self.population.kind.label}"
                f" cells, only {has}: choose one of these, or {self.others}."
            )
        return self._reader(readings, quantity, place) if self.n else Nothing()

    def _reader(self, readings: Readings, quantity: Quantity, place: Place) -> Reader:
        raise NotImplementedError

    def set_of(self, place: Place, roles: Sequence[str]) -> list[Connections]:
        """Return the sets that a place speaks of: the one it names, or all of these roles onto the population."""
        if place.of is not None:
            return [self.graph.set(place.of)]
        return [c for c in self.graph.onto(self.name) if c.role in roles]

    def prepare(self, trial: Trial, purpose: Purpose, begin: float) -> None:
        """Make ready for a trial that begins at NEURON's time `begin`."""

    def teach(self, target: Signal | Array | None) -> None:
        """Take the levels (0 to 1) that the trial wants of the whole population; None where no teacher speaks."""

    def leave(self) -> None:
        """Leave what belongs to a host as its owner had it, for simulations of the owner's."""

    def restart(self) -> None:
        """Begin a trial without initialisation."""
        for soma in self.somas:
            soma.restart()

    def close(self) -> None:
        """Give up every NEURON object."""
        self.handles, self.somas, self._mechanisms = [], [], []


class Source:
    """What the kinds of such cells have in common."""

    @property
    def offers(self) -> frozenset[tuple[Quantity, str]]:
        """Nothing can be read."""
        return frozenset()

    @property
    def accepts(self) -> frozenset[str]:
        """Nothing may land on it."""
        return frozenset()

    @property
    def filters(self) -> tuple[float, ...]:
        """None: nothing lands on it."""
        return ()


class Shown(Cells):
    """Cells that send what the task says."""

    def show(self, drive: Drive) -> None:
        """Take what the cells show in the next trial; the task has checked it."""
        raise NotImplementedError
