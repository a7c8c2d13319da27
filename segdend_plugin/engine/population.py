"""The cells of one population on this rank: spiking somas, dendritic sites and teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from segdend_plugin.cells import sites
from segdend_plugin.cells.calibration import Calibration, Scale, Synapse, basal_currents, calibrate
from segdend_plugin.cells.sites import Ground, StandIn
from segdend_plugin.engine.calibrated import Calibrated
from segdend_plugin.engine.mpi import Ranks
from segdend_plugin.engine.plateaus import Plateaus, end_of_trunk
from segdend_plugin.engine.probe import Probe
from segdend_plugin.engine.projection import RATE_SOURCE, Projection
from segdend_plugin.engine.resting import Active, RestingState
from segdend_plugin.engine.synapses import Landed, Synapses
from segdend_plugin.errors import ConfigError
from segdend_plugin.model import places
from segdend_plugin.model.places import Landing
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.rule.phases import Schedule
from segdend_plugin.rule.plateau import Kind as PlateauKind
from segdend_plugin.rule.targets import equivalent_potential
from segdend_plugin.types import Array, HocObject, Integers, Section, Segment


@dataclass(frozen=True)
class CellHandle:
    """One cell of this rank, as a host hands it over.

    Attributes
    ----------
    gid
        Global identity.
    soma
        The segment that spikes.
    regions
        Sections by the names that a landing may have, and ``"trunk"`` and ``"tuft"`` for the nexus; empty for a lumped
        cell. In a reduced cell ``"basal"`` are the compartments that stand for all places, one segment each.
    lumped
        The SegDendLumped of a three-compartment cell, None for a cable cell.
    active
        What is to be known of a cell that spikes by itself, None for others.
    """

    gid: int
    soma: Segment
    regions: Mapping[str, Sequence[Section]] = field(default_factory=dict)
    lumped: HocObject | None = None
    active: Active | None = None


def somatic_gain_of(cells: Sequence[CellHandle], calibrated: float) -> float:
    """Return k_b of these cells: from the conductances of lumped cells, else what cable cells are calibrated to."""
    if not cells or cells[0].lumped is None:
        return calibrated
    cell = cells[0].lumped
    return float(cell.g_basal / (cell.g_leak + cell.g_basal + cell.g_apical))


@dataclass(frozen=True)
class Averages:
    """Window averages of the local cells of a population, each of shape (n,); rates in 1/ms."""

    forward_potential: Array
    forward_rate: Array
    target_rate: Array
    forward_apical: Array
    target_apical: Array


class Population:
    """Cells of one kind in one layer.

    Parameters
    ----------
    name
        Name of the population.
    kind
        What cell it is made of.
    gids
        All cells of the population, on any rank, in order.
    cells
        Those on this rank, in the same order. All have the same shape.
    scale
        Meaning of the rule's units.
    somatic_gain
        Steady somatic potential for unit basal drive, k_b (cable cells are calibrated to it).
    stand_in
        The basal dendrites that a reduced cell stands for, None for cells that have their own.
    synapse
        What a drive opens on cable cells.
    """

    def __init__(
        self,
        name: str,
        kind: str,
        gids: Sequence[int],
        cells: Sequence[CellHandle],
        scale: Scale,
        somatic_gain: float,
        stand_in: StandIn | None = None,
        synapse: Synapse = Synapse(),  # noqa: B008  frozen
    ) -> None:
        self.name, self.kind, self.gids, self.cells = name, kind, list(gids), list(cells)
        self.scale, self.somatic_gain, self.stand_in = scale, somatic_gain, stand_in
        self.local_gids = [cell.gid for cell in self.cells]
        self.is_lumped = bool(self.cells) and self.cells[0].lumped is not None
        self.synapses = Synapses(synapse, scale)
        if self.synapses.split and stand_in is not None:
            raise ConfigError(
                "synapse.model='conductance' needs the full cells, because the compartments of a reduced cell share "
                "synapses: set cable.reduced=false."
            )
        self.landed: dict[str, list[list[Landed]]] = {
            "basal": [[] for _ in self.cells],
            "tuft": [[] for _ in self.cells],
        }
        self.inbound: Projection | None = None
        self.feedback: Projection | None = None
        self.calibration: Calibration | None = None
        self._mechanisms: list[HocObject] = []
        self.is_active = bool(self.cells) and self.cells[0].active is not None
        self._rest = RestingState([cell.active for cell in self.cells if cell.active is not None])
        self._somas = [self._spiking_soma(cell) for cell in self.cells]
        self._soma_sums = [Probe(self._somas, name) for name in ("forward_potential", "forward_rate", "target_rate")]
        self.plateaus: Plateaus | None = None
        self._forward, self._seed = places.FORWARD, 0
        self._back: Landing | None = None
        self._gains: list[Array] = []  # per cell, the relative gain of each slot
        self.calibrated = Calibrated()
        self._teachers: Probe | None = None

    @property
    def splits(self) -> bool:
        """Whether its projections sum excitation and inhibition apart."""
        return self.synapses.split and not self.is_lumped

    def spike_sources(self) -> list[tuple[int, HocObject]]:
        """Return gid and spiking mechanism of every local cell."""
        return list(zip(self.local_gids, self._somas, strict=True))

    def announce(self, wanted: bool) -> None:
        """Choose whether NetCons learn of the spikes of the local cells."""
        for soma in self._somas:
            soma.announced = float(wanted)

    def offer_rates(self, pc: HocObject) -> None:
        """Let other cells read the rates of the local ones."""
        for cell, soma in zip(self.cells, self._somas, strict=True):
            pc.source_var(soma._ref_rate, RATE_SOURCE + cell.gid, sec=cell.soma.sec)

    def calibrate(self, ranks: Ranks, seed: int, feedforward: Landing, feedback: Landing | None) -> None:
        """Measure the first cell of the population; every rank must call this.

        The cell with the lowest gid stands for all, because copies at other places differ in the last bits: NEURON
        keeps 3-D points in single precision.

        Parameters
        ----------
        ranks
            The MPI job.
        seed
            Seed of the experiment, for the choice of places.
        feedforward, feedback
            Where synapses land on cable cells; no feedback: None.
        """
        from neuron import h

        self._forward, self._back, self._seed = feedforward, feedback, seed
        mine = None
        if any(ranks.allgather(self.is_active)):
            h.finitialize(self.scale.rest)  # impedances are those at rest
        if self.cells and self.cells[0].gid == self.gids[0] and not self.is_lumped:
            cell = self.cells[0]
            back = self._ground(cell, feedback, "feedback") if feedback is not None else None
            forward, nexus = self._ground(cell, feedforward, "feedforward"), sites.nexus(cell.regions)
            mine = calibrate(cell.soma, forward, back, nexus, self._feedback_stream(cell))
            if self.stand_in is not None and mine.segregation is not None:
                full = self.stand_in.report.get("segregation", {})
                mine = replace(mine, segregation=mine.segregation.with_basal_of(full))
        self.calibration = next((found for found in ranks.allgather(mine) if found is not None), None)

    @property
    def slots(self) -> int:
        """How many places of a cell a feed-forward projection tells apart."""
        return 1 if self.is_lumped else self._forward.slots

    def receive(self, projection: Projection) -> None:
        """Let a feed-forward projection drive the basal dendrites.

        Parameters
        ----------
        projection
            Its postsynaptic cells are this population's local cells, in order, with `slots` places.
        """
        self.inbound = projection
        if self.calibration is None:
            self._point_lumped("basal", projection)
            return
        for post, cell in enumerate(self.cells):
            rng = stream(self._seed, Purpose.SITES, cell.gid)
            if self.stand_in is not None:
                shares, impedance = self.stand_in.spread(self._forward.sites, rng)
                places, currents = self._mixed(cell, shares, impedance)
            else:
                ground = self._ground(cell, self._forward, "feedforward")
                drawn = ground.places(rng)
                impedance = np.array([self.calibration.site_impedance(place) for place in drawn])
                places = [ground.segment(place) for place in drawn]
                currents = np.diag(basal_currents(impedance, self.somatic_gain, self.scale))
            self.calibrated.add_feedforward(basal_currents(impedance, self.somatic_gain, self.scale), impedance)
            self._gains.append(impedance / impedance.mean())
            if self._forward.per_input == "all":
                currents, self._gains[-1] = currents.mean(axis=0, keepdims=True), np.ones(1)
            for k, place in enumerate(places):
                self._add_sites("basal", place, projection, post, currents[:, k])
            if self._forward.per_input == "all":  # a place has its share of the current; what lands on it alone, all
                self.landed["basal"][post] = [
                    Landed(place, current * len(places)) for place, current in self.landed["basal"][post]
                ]
            if cell.gid == self.gids[-1]:
                self.calibrated.check_feedforward(cell.soma, places, currents / self.scale.unit)

    @property
    def slot_gains(self) -> Array:
        """Transfer gain of every slot, relative to the mean of its cell, shape (n_slots, n) of the local cells."""
        gains: Array = np.array(self._gains).T
        return gains

    def effective_weights(self) -> Array:
        """Return the inbound weights times their effect on the soma relative to k_b, shape (n_pre, n)."""
        if self.inbound is None:
            return np.empty(0)
        if self.calibration is None or self.scale.calibration == "per_site":
            return self.inbound.weights
        weights: Array = self.inbound.weights * self.slot_gains[self.inbound.slots]
        return weights

    def receive_feedback(self, projection: Projection, plateau: PlateauKind = "average") -> None:
        """Let a feedback projection drive the tufts, and read their plateau where it lands or at the nexus.

        Parameters
        ----------
        projection
            Its postsynaptic cells are this population's local cells, in order, with one slot.
        plateau
            What is read.
        """
        self.feedback, self.plateaus = projection, Plateaus(plateau, len(self.cells))
        if self.calibration is None or self.calibration.port is None:
            self._point_lumped("apical", projection)
            self.plateaus.add_lumped(self._somas)
            self.plateaus.connect()
            return
        port, landing = self.calibration.port, self._back or places.FEEDBACK
        for post, cell in enumerate(self.cells):
            ground = self._ground(cell, landing, "feedback")
            drawn, index = port.sites(ground, self._feedback_stream(cell))
            current, places = port.current(index, self.scale), [ground.segment(place) for place in drawn]
            for place in places:
                self._add_sites("tuft", place, projection, post, np.array([current]))
            end = None
            if self.plateaus.readout.at_nexus:
                regions = cell.regions if self.stand_in is None else {}
                end = end_of_trunk(self.kind, regions, landing, plateau)
            self.plateaus.add(places, end, port, index, self.scale, self._rest)
            self.calibrated.feedback.append(current)
            if cell.gid == self.gids[-1]:
                self.calibrated.check_feedback(places, current / self.scale.unit)
        self.plateaus.connect()

    def add_teachers(self) -> None:
        """Give every local cell a teaching current (lumped output cells)."""
        from neuron import h

        teachers = [h.SegDendTeacher(cell.soma) for cell in self.cells]
        for teacher in teachers:
            teacher.rest, teacher.unit = self.scale.rest, self.scale.unit
        self._mechanisms += teachers
        self._teachers = Probe(teachers, "correct")

    def teach(self, label: int, cells_per_class: int = 1) -> None:
        """Choose the cells that the teacher excites: class `label`, the classes one after the other."""
        if self._teachers is not None:
            correct = self.gids[label * cells_per_class : (label + 1) * cells_per_class]
            self._teachers.write(np.array([float(gid in correct) for gid in self.local_gids]))

    def set_leads(self, leads: Integers) -> None:
        """Set by how many milliseconds the plateaus of the local cells precede the ends of phases, shape (2, n)."""
        if self.plateaus is not None:
            self.plateaus.set_leads(leads)

    def averages(self, schedule: Schedule) -> Averages:
        """Return the window averages of the trial that has just run."""
        potential, rate, target_rate = (probe.read() for probe in self._soma_sums)
        forward_apical = target_apical = np.zeros(len(self.cells))
        if self.plateaus is not None:
            forward_apical, target_apical = self.plateaus.sums()
        forward, target = schedule.forward_steps, max(schedule.target_steps, 1)
        potential = potential / forward
        if self.is_active:
            potential = equivalent_potential(rate / forward, forward * schedule.dt)
        return Averages(
            potential,
            rate / forward,
            target_rate / target,
            forward_apical / forward,
            target_apical / target,
        )

    def _spiking_soma(self, cell: CellHandle) -> HocObject:
        from neuron import h

        if cell.active is not None:
            soma = h.SegDendDetector(cell.soma)
            soma.tonic = cell.active.tonic
        else:
            soma = cell.lumped if cell.lumped is not None else h.SegDendSoma(cell.soma)
        soma.id, soma.rest, soma.unit = cell.gid, self._rest.at(cell.soma, self.scale.rest), self.scale.unit
        return soma

    def _point_lumped(self, dendrite: str, projection: Projection) -> None:
        from neuron import h

        for post, soma in enumerate(self._somas):
            h.setpointer(projection.drive(post), dendrite, soma)

    def _ground(self, cell: CellHandle, landing: Landing, role: str) -> Ground:
        return sites.ground(self.kind, cell.soma, cell.regions, landing, role)

    def _feedback_stream(self, cell: CellHandle) -> np.random.Generator:
        return stream(self._seed, Purpose.SITES, cell.gid, 1)  # beside that of its feed-forward sites

    def _mixed(self, cell: CellHandle, shares: Array, impedance: Array) -> tuple[list[Segment], Array]:
        """Return the compartments of a reduced cell and the current (nA) into each for unit drive of each slot."""
        assert self.calibration is not None
        places = [section(0.5) for section in cell.regions["basal"]]
        own = np.array([self.calibration.site_impedance((k, 0.5)) for k in range(len(places))])
        currents = shares * (self.somatic_gain * self.scale.unit / own)
        if self.scale.calibration == "per_cell":
            currents = currents * (impedance / impedance.mean())[:, None]
        return places, currents

    def _add_sites(self, role: str, place: Segment, projection: Projection, post: int, currents: Array) -> None:
        """Let slots of a cell act on one place, each with its current (nA)."""
        from neuron import h

        acting = np.flatnonzero(currents)
        if len(acting) == 1:
            slot = int(acting[0])
            current, nmda = float(currents[slot]), self.synapses.nmda(role)
            self._mechanisms.append(self.synapses.site(place, projection, post, slot, current, nmda))
            self.landed[role][post].append(Landed(place, current))
        else:
            gains = h.Vector(currents)
            mixture = h.SegDendMixture(place)
            projection.mix(mixture, post, gains)
            self._mechanisms += [mixture, gains]
