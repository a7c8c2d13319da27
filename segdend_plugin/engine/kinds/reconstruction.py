"""What reconstructed cells have in common, however they are advanced: where synapses land, and with which currents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from segdend_plugin.cells.calibration import Calibration, Synapse, basal_currents, somatic_current
from segdend_plugin.cells.electrotonics import Segregation
from segdend_plugin.cells.sites import Candidates
from segdend_plugin.cells.sites import Place as Spot
from segdend_plugin.cells.templates import Membrane
from segdend_plugin.cells.units import SOMATIC_GAIN, TAU_SHORT, Scale
from segdend_plugin.engine.calibrated import Calibrated
from segdend_plugin.engine.dense import Dense, Kernel
from segdend_plugin.engine.kinds.base import CellHandle, Cells
from segdend_plugin.engine.readings import Group, Readings
from segdend_plugin.engine.synapses import Landed
from segdend_plugin.errors import ConfigError
from segdend_plugin.model.graph import Connections, Graph, Population, Role
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.types import Array, Integers


@dataclass(frozen=True)
class Reconstruction:
    """A reconstructed cell.

    Attributes
    ----------
    label
        What messages, tables and cell rules call it.
    source
        What `segdend_plugin.cells.files.source.load` takes; empty for cells that a host has built.
    membrane
        Passive properties and discretisation.
    apical_length, apical_diameter
        Factors of lengths and diameters of all apical sections.
    repair
        Whether repairs of the file that change the cell are accepted.
    gain
        Somatic potential for unit basal drive to which its synapses are calibrated, k_b.
    scale
        Meaning of the rule's units.
    location
        Whether a synapse learns ``"blind"`` to its place, or in proportion to the ``"gain"`` of that place relative to
        the mean of its cell.
    """

    label: str
    source: str = field(default="", repr=False)  # a state is known by what the file holds, wherever it lies
    membrane: Membrane = Membrane()  # noqa: RUF009  frozen
    apical_length: float = 1.0
    apical_diameter: float = 1.0
    repair: bool = False
    gain: float = SOMATIC_GAIN
    scale: Scale = Scale()  # noqa: RUF009  frozen
    location: str = "blind"

    @property
    def time_constants(self) -> tuple[float, float]:
        """tau_long and tau_short (ms) of a postsynaptic potential: those of its membrane and of its synapses."""
        return apart(self.membrane.time_constant), TAU_SHORT

    @property
    def filters(self) -> tuple[float, ...]:
        """Those of membrane and synapses."""
        return self.time_constants

    @property
    def compartments(self) -> int:
        """How many a usual cell has."""
        return 104 * self.membrane.nseg if self.membrane.nseg else 232


def apart(long: float) -> float:
    """Return tau_long (ms), a little longer where it equals tau_short: the difference of exponentials needs two."""
    return long if abs(long - TAU_SHORT) > 1e-6 * TAU_SHORT else TAU_SHORT * (1 + 1e-6)


class ReconstructedCells(Cells):
    """Those of a population on this rank; all have the same shape."""

    def __init__(
        self,
        graph: Graph,
        population: Population,
        handles: list[CellHandle],
        positions: Integers,
        kind: Reconstruction,
        synapse: Synapse = Synapse(),  # noqa: B008  frozen
    ) -> None:
        super().__init__(graph, population, handles, positions, kind.scale, synapse)
        if population.teacher:
            raise ConfigError(f"population {self.name!r}: a teacher needs three-compartment cells: make it of these.")
        self.calibrations: Mapping[str, Calibration] = {}
        """Of each set that lands on the population; of the first one by the name ``""``, too."""
        self.calibrated = Calibrated()
        self._reconstruction = kind
        self._dense: dict[str, Dense] = {}
        self._landed: dict[str, list[list[Landed]]] = {}  # set -> per cell
        self._tufts: dict[str, list[tuple[list[Any], list[int]]]] = {}  # places, and which of a port

    @property
    def gain(self) -> float:
        """k_b of the population."""
        return self._reconstruction.gain

    @property
    def time_constants(self) -> tuple[float, float]:
        """tau_long and tau_short (ms) of a postsynaptic potential."""
        return self._reconstruction.time_constants

    @property
    def segregation(self) -> Segregation | None:
        """How far the feedback sites of the first cell are apart from soma and basal dendrites; None without any."""
        return self.calibrations[""].segregation if "" in self.calibrations else None

    def slots(self, connections: Connections) -> int:
        """Return how many places a set tells apart."""
        return 1 if connections.role == "feedback" else connections.place.slots

    def kernel(self, connections: Connections) -> Kernel:
        """Return how its drives are filtered."""
        return Kernel.CURRENT

    # ---- synapses

    def _choice(self, post: int, connections: Connections) -> tuple[Candidates, Callable[[Spot], Any]]:
        """Return what the places of a cell are chosen from, and a function that finds them on it."""
        raise NotImplementedError

    def _land(self, connections: Connections, dense: Dense, post: int, slot: int, place: Any, current: float) -> None:
        """Let a slot of a cell act on a place, with this current (nA) for unit drive."""
        raise NotImplementedError

    def _check(self, connections: Connections, places: Sequence[Any], currents: Array) -> None:
        """Take how the last cell is driven: currents (nA per unit) of each slot at each place, (n_slots, n_places)."""
        raise NotImplementedError

    def stream_of_sites(self, post: int, connections: Connections) -> np.random.Generator:
        """Return the stream of the sites of one cell."""
        return site_stream(self.graph, self.numbers[post], connections)

    def receive(self, connections: Connections, dense: Dense) -> None:
        """Let a set drive the places where its synapses land."""
        self._dense[connections.name] = dense
        self._landed[connections.name] = [[] for _ in self.handles]
        if connections.role == "feedback":
            self._receive_feedback(connections, dense)
        else:
            self._receive_forward(connections, dense)

    def _receive_forward(self, connections: Connections, dense: Dense) -> None:
        calibration, shared = self.calibrations[connections.name], connections.place.per_input == "all"
        gains: list[Array] = []  # per cell, the relative gain of each slot
        for post in range(self.n):
            candidates, find = self._choice(post, connections)
            drawn = candidates.places(self.stream_of_sites(post, connections))
            impedance, places = np.array([calibration.site_impedance(spot) for spot in drawn]), [find(s) for s in drawn]
            whole = basal_currents(impedance, self.gain, self.scale)
            self.calibrated.add_feedforward(whole, impedance)
            gains.append(np.ones(1) if shared else impedance / impedance.mean())
            currents = whole / len(whole) if shared else whole
            for k, place in enumerate(places):
                self._land(connections, dense, post, 0 if shared else k, place, float(currents[k]))
                # a place has its share of the current; what lands on it alone, all
                self._landed[connections.name][post].append(Landed(place, float(whole[k])))
            if self.has_last and post == self.n - 1:
                self._check(connections, places, currents[None] if shared else np.diag(currents))
        dense.place_gains = np.array(gains).T
        if self.scale.calibration == "per_cell":
            dense.effects = dense.place_gains
        if self._reconstruction.location == "gain":
            dense.scale_learning(dense.place_gains)

    def _receive_feedback(self, connections: Connections, dense: Dense) -> None:
        port = self.calibrations[connections.name].feedback
        self._tufts[connections.name] = []
        for post in range(self.n):
            candidates, find = self._choice(post, connections)
            drawn, index = port.sites(candidates, self.stream_of_sites(post, connections))
            current, places = port.current(index, self.scale), [find(spot) for spot in drawn]
            for place in places:
                self._land(connections, dense, post, 0, place, current)
                self._landed[connections.name][post].append(Landed(place, current))
            self._tufts[connections.name].append((places, index))
            self.calibrated.feedback.append(current)
            if self.has_last and post == self.n - 1:
                self._check(connections, places, np.full((1, len(places)), current))

    def inhibited(self, onto: str) -> list[list[Landed]]:
        """Return where each cell is inhibited, each place with the current (nA) that moves it by one unit."""
        if onto == "soma":
            if self.segregation is None:
                raise ConfigError(f"population {self.name!r}: a soma is inhibited where there is feedback: add a set.")
            current = somatic_current(self.segregation, self.scale)
            return [[Landed(self._soma(post), current)] for post in range(self.n)]
        role: Role = "forward" if onto == "basal" else "feedback"
        first = self.graph.onto(self.name, role)[0].name  # where the first learned set has landed
        landed = self._landed[first]
        if onto == "tuft":
            return landed
        return [[Landed(place, current / self.gain) for place, current in cell] for cell in landed]

    def _soma(self, post: int) -> Any:
        """Return the place that is the soma of a cell."""
        raise NotImplementedError

    # ---- reading

    def _drives(self, readings: Readings, connections: Connections) -> list[Group]:
        dense = self._dense[connections.name]
        return [
            readings.group([dense.drive(post, slot) for post in range(self.n)], "value")
            for slot in range(self.slots(connections))
        ]

    def close(self) -> None:
        """Give up every NEURON object."""
        super().close()
        self.calibrated.close()
        self._dense, self._landed, self._tufts = {}, {}, {}


def site_stream(graph: Graph, number: int, connections: Connections) -> np.random.Generator:
    """Return the stream of a cell's sites: feedback beside forward, further sets beside the first."""
    order = graph.order_of(connections)
    role = {"feedback": (1,), "fixed": (2,), "forward": (0,) if order else ()}[connections.role]
    return stream(graph.seed, Purpose.SITES, number, *role, *([order] if order else []))


def measured_sets(graph: Graph, population: str) -> list[tuple[Connections | None, Connections | None]]:
    """Return the sets onto a population in pairs, a forward and a feedback one, as a cell is measured for them.

    Where there are fewer of one role, None stands for it; there is at least one pair.
    """
    onto = graph.onto(population)
    back = [c for c in onto if c.role == "feedback"]
    forward = [c for c in onto if c.role != "feedback" and c.initial.drawn != "inhibition"]
    n = max(len(forward), len(back), 1)
    return [(forward[k] if k < len(forward) else None, back[k] if k < len(back) else None) for k in range(n)]
