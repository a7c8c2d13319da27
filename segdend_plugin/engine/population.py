"""The cells of one population on this rank: spiking somas, dendritic sites, probes, input and teacher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segdend_plugin.cells.calibration import Calibration, Scale, calibrate
from segdend_plugin.cells.sites import StandIn, most_distal_tips, spread_by_length
from segdend_plugin.engine.mpi import Ranks
from segdend_plugin.engine.projection import RATE_SOURCE, Projection
from segdend_plugin.engine.resting import Active, RestingState
from segdend_plugin.rule.phases import Schedule
from segdend_plugin.rule.random import Purpose, stream
from segdend_plugin.rule.targets import RATE_MAX, equivalent_potential
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
    basal, tuft
        Sections for feed-forward and feedback synapses; both empty for a lumped cell. In a reduced cell `basal` are
        the compartments that stand for all places, one segment each.
    lumped
        The SegDendLumped of a three-compartment cell, None for a cable cell.
    active
        What is to be known of a cell that spikes by itself, None for others.
    """

    gid: int
    soma: Segment
    basal: Sequence[Section] = ()
    tuft: Sequence[Section] = ()
    lumped: HocObject | None = None
    active: Active | None = None


def somatic_gain_of(cells: Sequence[CellHandle], calibrated: float) -> float:
    """Return k_b of these cells: from the conductances of lumped cells, else what cable cells are calibrated to."""
    if not cells or cells[0].lumped is None:
        return calibrated
    cell = cells[0].lumped
    return float(cell.g_basal / (cell.g_leak + cell.g_basal + cell.g_apical))


class Probe:
    """Reads or writes one variable of many mechanisms at once."""

    def __init__(self, mechanisms: Sequence[HocObject], variable: str) -> None:
        from neuron import h

        self._pointers = h.PtrVector(max(len(mechanisms), 1))
        self._values = h.Vector(max(len(mechanisms), 1))
        self._empty = not mechanisms
        for index, mechanism in enumerate(mechanisms):
            self._pointers.pset(index, getattr(mechanism, f"_ref_{variable}"))
        self._view: Array = self._values.as_numpy()

    def read(self) -> Array:
        """Return a copy of the values, shape (n,)."""
        if self._empty:
            return np.empty(0)
        self._pointers.gather(self._values)
        values: Array = self._view.copy()
        return values

    def write(self, values: Array) -> None:
        """Set the values, shape (n,)."""
        if not self._empty:
            self._view[:] = values
            self._pointers.scatter(self._values)


class Inputs:
    """The SegDendInput cells of this rank.

    Parameters
    ----------
    gids
        All input cells, in the order of the pixels.
    cells
        gid and mechanism of those on this rank.
    """

    def __init__(self, gids: Sequence[int], cells: Sequence[tuple[int, HocObject]]) -> None:
        self.gids = list(gids)
        index = {gid: k for k, gid in enumerate(self.gids)}
        self._pixels = np.array([index[gid] for gid, _ in cells], dtype=int)
        self._cells = [cell for _, cell in cells]  # alive as long as the network
        self._levels, self._announced = Probe(self._cells, "level"), Probe(self._cells, "announced")
        for gid, cell in cells:
            cell.id = gid
        self._drawn: list[Array] = []
        self._rates: list[Array] = []

    def send_spikes(self, projection: Projection, delay: float) -> None:
        """Let a projection draw the spikes of all inputs by itself: every rank knows the image and the streams."""
        self._drawn.append(projection.draw_inputs(self.gids, RATE_MAX, delay))

    def send_rates(self, projection: Projection) -> None:
        """Let a projection be driven by the rates of all inputs, which every rank knows."""
        self._rates.append(projection.send_rates())

    def announce(self, wanted: bool) -> None:
        """Choose whether NetCons learn of the spikes of the local inputs, too."""
        self._announced.write(np.full(len(self._pixels), float(wanted)))

    def show(self, image: Array) -> None:
        """Set the level of every input; `image` has shape (n_input,), values between 0 and 1."""
        self._levels.write(image[self._pixels])
        for levels in self._drawn:
            levels[:] = image
        for rates in self._rates:
            rates[:] = RATE_MAX * image


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
    ) -> None:
        self.name, self.kind, self.gids, self.cells = name, kind, list(gids), list(cells)
        self.scale, self.somatic_gain, self.stand_in = scale, somatic_gain, stand_in
        self.local_gids = [cell.gid for cell in self.cells]
        self.is_lumped = bool(self.cells) and self.cells[0].lumped is not None
        self.inbound: Projection | None = None
        self.feedback: Projection | None = None
        self.calibration: Calibration | None = None
        self._mechanisms: list[HocObject] = []
        self.is_active = bool(self.cells) and self.cells[0].active is not None
        self._rest = RestingState([cell.active for cell in self.cells if cell.active is not None])
        self._somas = [self._spiking_soma(cell) for cell in self.cells]
        self._soma_sums = [Probe(self._somas, name) for name in ("forward_potential", "forward_rate", "target_rate")]
        self._tuft_sums: list[Probe] = []
        self._leads: list[Probe] = []
        self._tuft_sites = 1
        self._teachers: Probe | None = None

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

    def calibrate(self, ranks: Ranks, n_tuft: int) -> None:
        """Measure the first cell of the population; every rank must call this.

        The cell with the lowest gid stands for all, because copies at other places differ in the last bits: NEURON
        keeps 3-D points in single precision.

        Parameters
        ----------
        ranks
            The MPI job.
        n_tuft
            Tuft sites per cable cell, 0 without feedback.
        """
        from neuron import h

        mine = None
        if any(ranks.allgather(self.is_active)):
            h.finitialize(self.scale.rest)  # impedances are those at rest
        if self.cells and self.cells[0].gid == self.gids[0] and not self.is_lumped:
            cell = self.cells[0]
            tuft = most_distal_tips(cell.tuft, cell.soma, n_tuft) if n_tuft else []
            mine = calibrate(cell.soma, cell.basal, tuft, self.somatic_gain, self.scale)
        self.calibration = next((found for found in ranks.allgather(mine) if found is not None), None)

    def receive(self, projection: Projection, n_slots: int, seed: int) -> None:
        """Let a feed-forward projection drive the basal dendrites.

        Parameters
        ----------
        projection
            Its postsynaptic cells are this population's local cells, in order.
        n_slots
            Places per cell, as the projection has them.
        seed
            Seed of the experiment, for the choice of places.
        """
        self.inbound = projection
        if self.calibration is None:
            self._point_lumped("basal", projection)
            return
        for post, cell in enumerate(self.cells):
            rng = stream(seed, Purpose.SITES, cell.gid)
            if self.stand_in is not None:
                self._add_mixtures(projection, post, self.stand_in.spread(n_slots, rng))
                continue
            places = spread_by_length([section.L for section in cell.basal], n_slots, rng)
            for slot, (k, x) in enumerate(places):
                self._add_site(cell.basal[k](x), projection.drive(post, slot), self.calibration.site_current(k, x))

    def receive_feedback(self, projection: Projection, n_sites: int) -> None:
        """Let a feedback projection drive the tufts, and probe their potential where it lands.

        Parameters
        ----------
        projection
            Its postsynaptic cells are this population's local cells, in order, with one slot.
        n_sites
            Tuft sites per cable cell.
        """
        from neuron import h

        self.feedback = projection
        probes: list[HocObject] = []
        if self.calibration is None:
            self._point_lumped("apical", projection)
            probes = self._somas
        else:
            for post, cell in enumerate(self.cells):
                sites = most_distal_tips(cell.tuft, cell.soma, n_sites)
                self._tuft_sites = len(sites)
                for site in sites:
                    self._add_site(site, projection.drive(post), self.calibration.tuft)
                    probe = h.SegDendProbe(site)
                    probe.rest, probe.unit = self._rest.at(site, self.scale.rest), self.scale.unit
                    probes.append(probe)
            self._mechanisms += probes
        self._tuft_sums = [Probe(probes, name) for name in ("forward_apical", "target_apical")]
        self._leads = [Probe(probes, name) for name in ("forward_lead", "target_lead")]

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
        for probe, lead in zip(self._leads, leads, strict=False):
            probe.write(np.repeat(lead, self._tuft_sites).astype(float))

    def averages(self, schedule: Schedule) -> Averages:
        """Return the window averages of the trial that has just run."""
        potential, rate, target_rate = (probe.read() for probe in self._soma_sums)
        forward_apical = target_apical = np.zeros(len(self.cells))
        if self._tuft_sums:
            forward_apical, target_apical = (
                probe.read().reshape(len(self.cells), self._tuft_sites).mean(axis=1) for probe in self._tuft_sums
            )
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

    def _add_site(self, place: Segment, drive: HocObject, gain: float) -> None:
        from neuron import h

        site = h.SegDendSite(place)
        site.gain = gain
        h.setpointer(drive, "drive", site)
        self._mechanisms.append(site)

    def _add_mixtures(self, projection: Projection, post: int, shares: Array) -> None:
        """Share the slots of a reduced cell among its compartments, `shares` of shape (n_slots, n_compartments)."""
        from neuron import h

        assert self.calibration is not None
        for k, section in enumerate(self.cells[post].basal):
            gains = h.Vector(shares[:, k] * self.calibration.site_current(k, 0.5))
            mixture = h.SegDendMixture(section(0.5))
            projection.mix(mixture, post, gains)
            self._mechanisms += [mixture, gains]
