"""Reconstructed cells on NEURON's solver: passive ones, and active ones, which spike by themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from segdend_plugin.cells import sites
from segdend_plugin.cells.calibration import Calibration, Synapse, calibrate
from segdend_plugin.cells.sites import Candidates, Ground
from segdend_plugin.cells.sites import Place as Spot
from segdend_plugin.cells.units import TAU_LONG, TAU_SHORT
from segdend_plugin.engine.dense import Dense
from segdend_plugin.engine.kinds.base import CellHandle, Reader
from segdend_plugin.engine.kinds.reconstruction import (
    ReconstructedCells,
    Reconstruction,
    apart,
    measured_sets,
    site_stream,
)
from segdend_plugin.engine.kinds.tuft import Equivalent, OfSites, end_of_trunk
from segdend_plugin.engine.mpi import Ranks
from segdend_plugin.engine.readings import Readings
from segdend_plugin.engine.resting import RestingState
from segdend_plugin.errors import ConfigError
from segdend_plugin.model.graph import Connections, Cost, Graph, Population
from segdend_plugin.model.places import FEEDBACK, FORWARD, Landing, Place
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.model.wants import Quantity
from segdend_plugin.types import Array, HocObject, Integers, Segment


@dataclass(frozen=True)
class Cable(Reconstruction):
    """A reconstructed cell that NEURON's solver advances.

    Attributes
    ----------
    active, tonic
        Whether it has channels and spikes by itself, and the steady current into its soma then (nA).
    synapse
        What a drive opens: a current or conductances.
    """

    active: bool = False
    tonic: float = 0.0
    synapse: Synapse = Synapse()  # noqa: RUF009  frozen

    @property
    def offers(self) -> frozenset[tuple[Quantity, str]]:
        """What can be read."""
        found: set[tuple[Quantity, str]] = {("potential", "soma"), ("rate", "soma"), ("spikes", "soma")}
        found |= {("potential", region) for region in ("tuft", "basal", "nexus", "tuft:axial", "tuft:local")}
        found |= {("nmda", "tuft"), ("nmda", "nexus"), ("calcium", "tuft"), ("calcium", "nexus")}
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
        return apart(TAU_LONG if self.active else self.membrane.time_constant), TAU_SHORT

    @property
    def filters(self) -> tuple[float, ...]:
        """Those of membrane and synapses, and of NMDA channels where there are any."""
        has_nmda = self.synapse.model == "conductance" and max(
            self.synapse.nmda_feedforward, self.synapse.nmda_feedback
        )
        return (*self.time_constants, self.synapse.tau_nmda) if has_nmda else self.time_constants

    def cost(self, dt: float) -> Cost:
        """Return what one cell costs at a step of `dt` ms (docs/performance.md)."""
        return Cost(self.compartments * (110.0 if self.active else 20.0), self.compartments * 2000)


class CableCells(ReconstructedCells):
    """Those of a population on this rank."""

    def __init__(
        self, graph: Graph, population: Population, handles: list[CellHandle], positions: Integers, kind: Cable
    ) -> None:
        super().__init__(graph, population, handles, positions, kind, kind.synapse)
        self.kind = kind
        self._rest = RestingState([handle.active for handle in handles if handle.active is not None])
        self.somas = [self._spiking_soma(handle, number) for handle, number in zip(handles, self.numbers, strict=True)]

    # ---- calibration

    def calibrate(self, ranks: Ranks) -> None:
        """Measure the first cell of the population for every set onto it; every rank must call this.

        The first cell stands for all, because copies at other places differ in the last bits: NEURON keeps 3-D points
        in single precision.
        """
        from neuron import h

        if self.kind.active:
            h.finitialize(self.scale.rest)  # impedances are those at rest
        mine: dict[str, Calibration] = {}
        if self.is_first:
            first = None
            for forward, back in measured_sets(self.graph, self.name):
                first = first or (forward.place if forward else FORWARD)
                found = self._measure(forward.place if forward else first, back)
                mine |= {c.name: found for c in (forward, back) if c is not None}
                mine.setdefault("", found)
        everyone = ranks.allgather(mine or None)
        self.calibrations = next((found for found in everyone if found is not None), {})

    @property
    def derived(self) -> Mapping[str, Array]:
        """All impedances (MOhm) that were measured, which another processor may give other last bits."""
        found = self.calibrations[""]
        port = [] if found.port is None else [found.port.impedance.ravel()]
        return {"impedance": np.concatenate([*found.basal, *port])}

    def _measure(self, forward: Landing, back: Connections | None) -> Calibration:
        cell = self.handles[0]
        if back is None:
            ground, rng = None, stream(self.graph.seed, Purpose.SITES, 0)
        else:
            ground, rng = self._ground(cell, back), site_stream(self.graph, self.numbers[0], back)
        onto = sites.ground(self.kind.label, cell.soma, cell.regions, forward, "feedforward")
        return calibrate(cell.soma, onto, ground, sites.nexus(cell.regions), rng)

    def _ground(self, cell: CellHandle, connections: Connections) -> Ground:
        role = "feedback" if connections.role == "feedback" else "feedforward"
        return sites.ground(self.kind.label, cell.soma, cell.regions, connections.place, role)

    # ---- synapses

    def _choice(self, post: int, connections: Connections) -> tuple[Candidates, Callable[[Spot], Segment]]:
        ground = self._ground(self.handles[post], connections)
        return ground.candidates(), ground.segment

    def _land(self, connections: Connections, dense: Dense, post: int, slot: int, place: Any, current: float) -> None:
        nmda = self.synapses.nmda(connections.role)
        self._mechanisms.append(self.synapses.site(place, dense, post, slot, current, nmda))

    def _check(self, connections: Connections, places: Sequence[Any], currents: Array) -> None:
        per_unit = currents / self.scale.unit
        if connections.role == "feedback":
            self.calibrated.check_feedback(places, float(per_unit[0, 0]))
        else:
            self.calibrated.check_feedforward(self.handles[-1].soma, places, per_unit)

    def _soma(self, post: int) -> Segment:
        return self.handles[post].soma

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
            places.append([*tuft, self._end(post, difference, connections.place)])
            share = port.received(index) if difference == "local" else 1.0
            beside.append((share, port.left(index, self.scale, share)))
        return self._at(readings, "potential", places, beside)

    def _end(self, post: int, what: str, landing: Landing = FEEDBACK) -> Segment:
        return end_of_trunk(self.kind.label, self.handles[post].regions, landing, what)

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
        self._rest.close()
