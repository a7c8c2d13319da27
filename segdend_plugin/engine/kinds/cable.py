"""Reconstructed cells: passive or active dendrites, with somas that spike by an escape rate or by themselves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from segdend_plugin.cells import sites
from segdend_plugin.cells.calibration import Calibration, Synapse, basal_currents, calibrate, somatic_current
from segdend_plugin.cells.electrotonics import Segregation
from segdend_plugin.cells.sites import Ground, StandIn
from segdend_plugin.cells.templates import Membrane
from segdend_plugin.cells.units import SOMATIC_GAIN, TAU_LONG, TAU_SHORT, Scale
from segdend_plugin.engine.calibrated import Calibrated
from segdend_plugin.engine.dense import Dense, Kernel
from segdend_plugin.engine.kinds.base import CellHandle, Cells, Reader
from segdend_plugin.engine.kinds.tuft import Equivalent, OfSites, end_of_trunk
from segdend_plugin.engine.mpi import Ranks
from segdend_plugin.engine.readings import Group, Readings
from segdend_plugin.engine.resting import RestingState
from segdend_plugin.engine.synapses import Landed
from segdend_plugin.errors import ConfigError
from segdend_plugin.model.graph import Connections, Cost, Graph, Population, Role
from segdend_plugin.model.places import FEEDBACK, FORWARD, Landing, Place
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.model.wants import Quantity
from segdend_plugin.types import Array, HocObject, Integers, Segment


@dataclass(frozen=True)
class Cable:
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
    reduced
        Whether few compartments stand for the cell.
    active, tonic
        Whether it has channels and spikes by itself, and the steady current into its soma then (nA).
    gain
        Somatic potential for unit basal drive to which its synapses are calibrated, k_b.
    scale
        Meaning of the rule's units.
    synapse
        What a drive opens: a current or conductances.
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
    reduced: bool = False
    active: bool = False
    tonic: float = 0.0
    gain: float = SOMATIC_GAIN
    scale: Scale = Scale()  # noqa: RUF009  frozen
    synapse: Synapse = Synapse()  # noqa: RUF009  frozen
    location: str = "blind"

    @property
    def offers(self) -> frozenset[tuple[Quantity, str]]:
        """What can be read; a reduced cell has neither basal dendrites nor a trunk of its own."""
        found: set[tuple[Quantity, str]] = {("potential", "soma"), ("rate", "soma"), ("spikes", "soma")}
        found |= {("potential", "tuft"), ("nmda", "tuft")}
        if not self.reduced:
            found |= {("potential", region) for region in ("basal", "nexus", "tuft:axial", "tuft:local")}
            found.add(("nmda", "nexus"))
        if self.active:
            found |= {("calcium", "tuft"), ("calcium", "nexus")}
        if self.synapse.model == "current":
            found |= {("drive", "basal"), ("drive", "tuft")}
        return frozenset(found)

    @property
    def accepts(self) -> frozenset[str]:
        """Drives of dense sets as currents or conductances, and NetCons of the user's."""
        return frozenset({"currents", "conductances", "netcons"})

    @property
    def time_constants(self) -> tuple[float, float]:
        """tau_long and tau_short (ms) of a postsynaptic potential: those of its membrane and of its synapses."""
        long = TAU_LONG if self.active else self.membrane.time_constant
        return (long if abs(long - TAU_SHORT) > 1e-6 * TAU_SHORT else TAU_SHORT * (1 + 1e-6)), TAU_SHORT

    def cost(self, dt: float) -> Cost:
        """Return what one cell costs at a step of `dt` ms, from compartments of a usual cell (docs/performance.md)."""
        compartments = 14 if self.reduced else 104 * self.membrane.nseg if self.membrane.nseg else 232
        return Cost(compartments * (110.0 if self.active else 20.0), compartments * 2000)


class CableCells(Cells):
    """Those of a population on this rank; all have the same shape. A reduced one stands for dendrites (`stand_in`)."""

    def __init__(
        self,
        graph: Graph,
        population: Population,
        handles: list[CellHandle],
        positions: Integers,
        kind: Cable,
        stand_in: StandIn | None = None,
    ) -> None:
        super().__init__(graph, population, handles, positions, kind.scale, kind.synapse)
        self.kind, self.stand_in = kind, stand_in
        if self.synapses.split and stand_in is not None:
            raise ConfigError(
                "synapse.model='conductance' needs the full cells, because the compartments of a reduced cell share "
                "synapses: set cable.reduced=false."
            )
        self._rest = RestingState([handle.active for handle in handles if handle.active is not None])
        self.somas = [self._spiking_soma(handle, number) for handle, number in zip(handles, self.numbers, strict=True)]
        self.calibrations: dict[str, Calibration] = {}
        self.segregation: Segregation | None = None
        self.calibrated = Calibrated()
        self._dense: dict[str, Dense] = {}
        self._landed: dict[str, list[list[Landed]]] = {}  # set -> per cell
        self._tufts: dict[str, list[tuple[list[Segment], list[int]]]] = {}  # places, and which of a port
        if population.teacher:
            raise ConfigError(f"population {self.name!r}: a teacher needs three-compartment cells: make it of these.")

    @property
    def gain(self) -> float:
        """k_b of the population."""
        return self.kind.gain

    # ---- calibration

    def calibrate(self, ranks: Ranks) -> None:
        """Measure the first cell of the population for every set onto it; every rank must call this.

        The first cell stands for all, because copies at other places differ in the last bits: NEURON keeps 3-D points
        in single precision.
        """
        from neuron import h

        onto = self.graph.onto(self.name)
        back = [c for c in onto if c.role == "feedback"]
        forward = [c for c in onto if c.role != "feedback" and c.initial.drawn != "inhibition"]
        if self.kind.active:
            h.finitialize(self.scale.rest)  # impedances are those at rest
        mine: dict[str, Calibration] = {}
        if self.is_first:
            for k in range(max(len(forward), len(back), 1)):
                found = self._measure(
                    forward[k].place if k < len(forward) else (forward[0].place if forward else FORWARD),
                    self._landing(back[k]) if k < len(back) else None,
                    back[k] if k < len(back) else None,
                )
                mine |= {c.name: found for c in (*forward[k : k + 1], *back[k : k + 1])}
                if k == 0:
                    mine[""] = found
        everyone = ranks.allgather(mine or None)
        self.calibrations = next((found for found in everyone if found is not None), {})
        self.segregation = self.calibrations[""].segregation

    @property
    def derived(self) -> Array:
        """All impedances (MOhm) that were measured, which another processor may give other last bits."""
        found = self.calibrations[""]
        return np.concatenate([*found.basal, *([] if found.port is None else [found.port.impedance.ravel()])])

    def _measure(self, forward: Landing, back: Landing | None, feedback: Connections | None) -> Calibration:
        cell = self.handles[0]
        ground = self._ground(cell, back, "feedback") if back is not None else None
        rng = self._stream(0, feedback) if feedback is not None else stream(self.graph.seed, Purpose.SITES, 0)
        found = calibrate(cell.soma, self._ground(cell, forward, "feedforward"), ground, sites.nexus(cell.regions), rng)
        if self.stand_in is not None and found.segregation is not None:
            full = self.stand_in.report.get("segregation", {})
            found = replace(found, segregation=found.segregation.with_basal_of(full))
        return found

    def _landing(self, connections: Connections) -> Landing:
        """Return where feedback lands: the one section ``tuft`` of a reduced cell stands for all sites."""
        return connections.place if self.stand_in is None else Landing("tips", 1)

    def _ground(self, cell: CellHandle, landing: Landing, role: str) -> Ground:
        return sites.ground(self.kind.label, cell.soma, cell.regions, landing, role)

    def _stream(self, post: int, connections: Connections) -> np.random.Generator:
        """Return the stream of the sites of one cell: feedback beside forward, further sets beside the first."""
        order = self.graph.order_of(connections)
        role = {"feedback": (1,), "fixed": (2,), "forward": (0,) if order else ()}[connections.role]
        return stream(self.graph.seed, Purpose.SITES, self.numbers[post], *role, *([order] if order else []))

    # ---- synapses

    def slots(self, connections: Connections) -> int:
        """Return how many places a set tells apart."""
        return 1 if connections.role == "feedback" else connections.place.slots

    def kernel(self, connections: Connections) -> Kernel:
        """Return how its drives are filtered."""
        return Kernel.CURRENT

    @property
    def time_constants(self) -> tuple[float, float]:
        """tau_long and tau_short (ms) of a postsynaptic potential."""
        return self.kind.time_constants

    def receive(self, connections: Connections, dense: Dense) -> None:
        """Let a set drive the places where its synapses land."""
        self._dense[connections.name] = dense
        self._landed[connections.name] = [[] for _ in self.handles]
        if connections.role == "feedback":
            self._receive_feedback(connections, dense)
        else:
            self._receive_forward(connections, dense)

    def _receive_forward(self, connections: Connections, dense: Dense) -> None:
        landing, calibration = connections.place, self.calibrations[connections.name]
        gains: list[Array] = []  # per cell, the relative gain of each slot
        for post, cell in enumerate(self.handles):
            rng = self._stream(post, connections)
            if self.stand_in is not None:
                shares, impedance = self.stand_in.spread(landing.sites, rng)
                places, currents = self._mixed(cell, shares, impedance, calibration)
            else:
                ground = self._ground(cell, landing, "feedforward")
                drawn = ground.places(rng)
                impedance = np.array([calibration.site_impedance(place) for place in drawn])
                places = [ground.segment(place) for place in drawn]
                currents = np.diag(basal_currents(impedance, self.gain, self.scale))
            self.calibrated.add_feedforward(basal_currents(impedance, self.gain, self.scale), impedance)
            gains.append(impedance / impedance.mean())
            if landing.per_input == "all":
                currents, gains[-1] = currents.mean(axis=0, keepdims=True), np.ones(1)
            for k, place in enumerate(places):
                self._add_sites(connections, place, dense, post, currents[:, k])
            if landing.per_input == "all":  # a place has its share of the current; what lands on it alone, all
                landed = self._landed[connections.name]
                landed[post] = [Landed(place, current * len(places)) for place, current in landed[post]]
            if self.has_last and post == self.n - 1:
                self.calibrated.check_feedforward(cell.soma, places, currents / self.scale.unit)
        dense.place_gains = np.array(gains).T
        if self.scale.calibration == "per_cell":
            dense.effects = dense.place_gains
        if self.kind.location == "gain":
            dense.scale_learning(dense.place_gains)

    def _receive_feedback(self, connections: Connections, dense: Dense) -> None:
        port, landing = self.calibrations[connections.name].feedback, self._landing(connections)
        self._tufts[connections.name] = []
        for post, cell in enumerate(self.handles):
            ground = self._ground(cell, landing, "feedback")
            drawn, index = port.sites(ground, self._stream(post, connections))
            current, places = port.current(index, self.scale), [ground.segment(place) for place in drawn]
            for place in places:
                self._add_sites(connections, place, dense, post, np.array([current]))
            self._tufts[connections.name].append((places, index))
            self.calibrated.feedback.append(current)
            if self.has_last and post == self.n - 1:
                self.calibrated.check_feedback(places, current / self.scale.unit)

    def _mixed(
        self, cell: CellHandle, shares: Array, impedance: Array, calibration: Calibration
    ) -> tuple[list[Segment], Array]:
        """Return the compartments of a reduced cell and the current (nA) into each for unit drive of each slot."""
        places = [section(0.5) for section in cell.regions["basal"]]
        own = np.array([calibration.site_impedance((k, 0.5)) for k in range(len(places))])
        currents = shares * (self.gain * self.scale.unit / own)
        if self.scale.calibration == "per_cell":
            currents = currents * (impedance / impedance.mean())[:, None]
        return places, currents

    def _add_sites(self, connections: Connections, place: Segment, dense: Dense, post: int, currents: Array) -> None:
        """Let slots of a cell act on one place, each with its current (nA)."""
        from neuron import h

        acting = np.flatnonzero(currents)
        if len(acting) == 1:
            slot = int(acting[0])
            current, nmda = float(currents[slot]), self.synapses.nmda(connections.role)
            self._mechanisms.append(self.synapses.site(place, dense, post, slot, current, nmda))
            self._landed[connections.name][post].append(Landed(place, current))
        else:
            gains = h.Vector(currents)
            mixture = h.SegDendMixture(place)
            dense.mix(mixture, post, gains)
            self._mechanisms += [mixture, gains]

    def inhibited(self, onto: str) -> list[list[Landed]]:
        """Return where each cell is inhibited, each place with the current (nA) that moves it by one unit."""
        if onto == "soma":
            if self.segregation is None:
                raise ConfigError(f"population {self.name!r}: a soma is inhibited where there is feedback: add a set.")
            current = somatic_current(self.segregation, self.scale)
            return [[Landed(handle.soma, current)] for handle in self.handles]
        if onto == "basal" and self.stand_in is not None:
            raise ConfigError(
                f"population {self.name!r}: onto='basal' needs the basal dendrites that reduced cells have not: take "
                "'soma' or 'tuft', or set cable.reduced=false."
            )
        role: Role = "forward" if onto == "basal" else "feedback"
        first = self.graph.onto(self.name, role)[0].name  # where the first learned set has landed
        landed = self._landed[first]
        if onto == "tuft":
            return landed
        return [[Landed(place, current / self.gain) for place, current in cell] for cell in landed]

    # ---- reading

    def _reader(self, readings: Readings, quantity: Quantity, place: Place) -> Reader:
        region = "tuft" if place.of is not None and place.region == "soma" else place.region
        if region == "soma":
            groups = [readings.group([getattr(soma, f"_ref_{quantity}") for soma in self.somas], "value")]
            if quantity == "potential" and self.kind.active:
                rates = readings.group([soma._ref_rate for soma in self.somas], "value")
                return Equivalent(rates, groups[0])
            return Reader(groups)
        if quantity == "drive":
            role = "forward" if region == "basal" else "feedback"
            return Reader([group for c in self.set_of(place, [role]) for group in self._drives(readings, c)])
        if region == "nexus":
            return self._at(readings, quantity, [[self._end(post, quantity)] for post in range(self.n)])
        role, _, difference = region.partition(":")
        wanted = self.set_of(place, ["forward" if role == "basal" else "feedback"])
        if not wanted:
            raise ConfigError(f"population {self.name!r}: nothing lands on its {role}: read something else.")
        if difference:
            return self._beside_trunk(readings, wanted[0], difference)
        if role == "basal":
            return self._at(readings, quantity, [[s.place for s in cell] for cell in self._landed[wanted[0].name]])
        return self._at(readings, quantity, [places for places, _ in self._tufts[wanted[0].name]])

    def _drives(self, readings: Readings, connections: Connections) -> list[Group]:
        dense = self._dense[connections.name]
        return [
            readings.group([dense.drive(post, slot) for post in range(self.n)], "value")
            for slot in range(self.slots(connections))
        ]

    def _at(
        self,
        readings: Readings,
        quantity: Quantity,
        places: list[list[Segment]],
        beside: list[tuple[float, float]] | None = None,
    ) -> OfSites:
        flat = [place for cell in places for place in cell]
        rest = np.array([self._rest.at(place, self.scale.rest) for place in flat])
        kind: Any = quantity
        group = readings.group([place._ref_v for place in flat], kind, rest, self.scale.unit)
        return OfSites(group, self.n, beside)

    def _beside_trunk(self, readings: Readings, connections: Connections, difference: str) -> OfSites:
        """Read by how much the sites of feedback are apart from the end of the trunk, in units of unit drive."""
        port = self.calibrations[connections.name].feedback
        places, beside = [], []
        for post, (tuft, index) in enumerate(self._tufts[connections.name]):
            places.append([*tuft, self._end(post, difference, self._landing(connections))])
            share = port.received(index) if difference == "local" else 1.0
            beside.append((share, port.left(index, self.scale, share)))
        return self._at(readings, "potential", places, beside)

    def _end(self, post: int, what: str, landing: Landing = FEEDBACK) -> Segment:
        regions = self.handles[post].regions if self.stand_in is None else {}
        return end_of_trunk(self.kind.label, regions, landing, what)

    def _spiking_soma(self, handle: CellHandle, number: int) -> HocObject:
        from neuron import h

        if handle.active is not None:
            soma = h.SegDendDetector(handle.soma)
            soma.tonic = handle.active.tonic
        else:
            soma = h.SegDendSoma(handle.soma)
        soma.id, soma.rest, soma.unit = number, self._rest.at(handle.soma, self.scale.rest), self.scale.unit
        return soma

    def restart(self) -> None:
        """Begin a trial without initialisation."""
        if not self.kind.active:  # those that spike by themselves go on as they are
            super().restart()

    def close(self) -> None:
        """Give up every NEURON object."""
        super().close()
        self.calibrated.close()
        self._rest.close()
        self._dense, self._landed, self._tufts = {}, {}, {}
