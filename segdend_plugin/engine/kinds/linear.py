"""Reconstructed passive cells as linear systems of few states, which follow NEURON's solver to a tolerance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from segdend_plugin.cells.linear import TOLERANCE
from segdend_plugin.cells.sites import Candidates
from segdend_plugin.cells.sites import Place as Spot
from segdend_plugin.engine.calibrated import Calibrated
from segdend_plugin.engine.dense import Dense
from segdend_plugin.engine.kinds.base import CellHandle, Reader
from segdend_plugin.engine.kinds.measured import Measured
from segdend_plugin.engine.kinds.octets import Octets
from segdend_plugin.engine.kinds.reconstruction import ReconstructedCells, Reconstruction
from segdend_plugin.engine.kinds.tuft import Apart, check_trunk
from segdend_plugin.engine.readings import Group, Reading, Readings
from segdend_plugin.engine.synapses import Landed
from segdend_plugin.errors import ConfigError
from segdend_plugin.model.graph import Connections, Cost, Graph, Population
from segdend_plugin.model.places import FEEDBACK, Place
from segdend_plugin.model.wants import Quantity
from segdend_plugin.types import Array, Integers

_OFFERS: frozenset[tuple[Quantity, str]] = frozenset(
    {
        ("potential", "soma"),
        ("rate", "soma"),
        ("spikes", "soma"),
        ("potential", "tuft"),
        ("potential", "nexus"),
        ("potential", "tuft:axial"),
        ("potential", "tuft:local"),
        ("calcium", "nexus"),
        ("drive", "basal"),
        ("drive", "tuft"),
    }
)


@dataclass(frozen=True)
class Linear(Reconstruction):
    """A passive reconstructed cell with current synapses, advanced as a linear system (`segdend_plugin.cells.linear`).

    Attributes
    ----------
    tolerance
        Largest error of a potential, relative to the drive.
    """

    tolerance: float = TOLERANCE

    def __post_init__(self) -> None:
        if not 1e-9 <= self.tolerance <= 0.1:
            raise ConfigError(f"tolerance={self.tolerance!r}: give a number between 1e-9 and 0.1.")

    @property
    def offers(self) -> frozenset[tuple[Quantity, str]]:
        """What comes out of the system: soma, mean of the feedback sites, end of the trunk; and the drives."""
        return _OFFERS

    @property
    def accepts(self) -> frozenset[str]:
        """Drives of dense sets as currents."""
        return frozenset({"currents"})

    def cost(self, dt: float) -> Cost:
        """Return what one cell costs at a step of `dt` ms, with 16 states and 9 slots (docs/performance.md)."""
        return Cost(35.0, 3000)


class LinearCells(ReconstructedCells):
    """Those of a population on this rank: one system for all, with the synapses of each at places of its own."""

    others = "cells on NEURON's solver (cable.solver=neuron, kinds.Cable)"

    def __init__(
        self,
        graph: Graph,
        population: Population,
        handles: list[CellHandle],
        positions: Integers,
        kind: Linear,
        measured: Measured,
    ) -> None:
        super().__init__(graph, population, handles, positions, kind)
        self.kind, self.measured = kind, measured
        self.calibrations = measured.calibrations
        self._entries: dict[str, list[tuple[int, int, int, float]]] = {}  # set -> post, slot, node, current
        self._sets: list[Dense] = []
        self._by_slot: dict[str, bool] = {}  # fixed sets that inhibit -> whether each place has a slot
        for number, handle in zip(self.numbers, handles, strict=True):
            soma = handle.point
            soma.id, soma.rest, soma.unit = number, self.scale.rest, self.scale.unit
            self.somas.append(soma)
        self._octets = Octets(self.somas)

    # ---- synapses

    def _choice(self, post: int, connections: Connections) -> tuple[Candidates, Callable[[Spot], int]]:
        reach = self.measured.reach[connections.name]
        return reach.candidates, reach.node

    def receive(self, connections: Connections, dense: Dense) -> None:
        """Let a set drive the places where its synapses land."""
        self._sets.append(dense)
        super().receive(connections, dense)

    def _land(self, connections: Connections, dense: Dense, post: int, slot: int, place: Any, current: float) -> None:
        self._entries.setdefault(connections.name, []).append((post, slot, place, current))

    def inhibit(self, dense: Dense, places: Sequence[Sequence[Landed]], *, by_slot: bool) -> None:
        """Let a fixed set act on places of every cell: a slot for each of them, or all on one."""
        self._sets.append(dense)
        self._by_slot[dense.connections.name] = by_slot
        self._entries[dense.connections.name] = [
            (post, k if by_slot else 0, place, current)
            for post, landed in enumerate(places)
            for k, (place, current) in enumerate(landed)
        ]

    def _soma(self, post: int) -> int:
        return self.measured.soma

    def _check(self, connections: Connections, places: Sequence[Any], currents: Array) -> None:
        gain, name = self.measured.steady()[:, places] @ currents.T / self.scale.unit, connections.name
        if connections.role == "feedback":
            rows = self.measured.rows[name]
            own = gain[rows][self._tufts[name][-1][1]] if self.measured.is_drawn(name) else gain[rows]
            self.calibrated.local = lambda: [float(own.mean())]
        else:
            self.calibrated.somatic = lambda: gain[0].tolist()

    def complete(self) -> None:
        """Give NEURON the system, once all sets have landed."""
        entries = [(self._gains(dense), dense) for dense in self._sets]
        self._octets.set(self.measured.system.blocks, entries, self._outputs())

    def _outputs(self) -> dict[str, Array]:
        """Return what comes out, by name: weights of the states, of all cells or of each, (n_states, n)."""
        measured, out = self.measured, self.measured.system.out
        found = {"soma": out[0]}
        if measured.nexus is not None:
            found["nexus"] = out[measured.nexus]
        for name, tufts in self._tufts.items():
            rows = out[measured.rows[name]]
            if measured.is_drawn(name):
                found[name] = np.array([rows[index].mean(axis=0) for _, index in tufts]).T
            else:
                found[name] = rows[0]
        return found

    def _gains(self, dense: Dense) -> Array:
        """Return what unit drive of each slot adds to the states in a step, shape (n_states, n_slots, n)."""
        into = self.measured.system.into
        gains = np.zeros((len(into), dense.n_slots, self.n))
        for post, slot, node, current in self._entries.get(dense.connections.name, ()):
            gains[:, slot, post] += current * into[:, node]
        return gains

    # ---- state

    @property
    def derived(self) -> Mapping[str, Array]:
        """The system and all impedances (MOhm): LAPACK gives other bits on another processor."""
        return self.measured.arrays()

    def adopt(self, derived: Mapping[str, Array]) -> bool:
        """Take system and impedances from a state."""
        if super().adopt(derived):
            return True
        try:
            self.measured = self.measured.with_arrays(derived)
        except (KeyError, ValueError):
            return False
        self.calibrations, self.calibrated = self.measured.calibrations, Calibrated()
        landed, self._sets, self._entries = self._sets, [], {}
        for dense in landed:  # anew, in the same order
            if (by_slot := self._by_slot.get(dense.connections.name)) is not None:
                self.inhibit(dense, self.inhibited(dense.connections.place.region), by_slot=by_slot)
            else:
                self.receive(dense.connections, dense)
        self.complete()
        return True

    # ---- reading

    def _reader(self, readings: Readings, quantity: Quantity, place: Place) -> Reader:
        region = "tuft" if place.of is not None and place.region == "soma" else place.region
        if region == "soma":
            return Reader([readings.group([getattr(soma, f"_ref_{quantity}") for soma in self.somas], "value")])
        if quantity == "drive":
            role = "forward" if region == "basal" else "feedback"
            return Reader([group for c in self.set_of(place, [role]) for group in self._drives(readings, c)])
        if region == "nexus":
            check_trunk(self.kind.label, self.measured.nexus is not None, FEEDBACK, quantity)
            return Reader([self._group(readings, "nexus", "calcium" if quantity == "calcium" else "potential")])
        _, _, difference = region.partition(":")
        wanted = self.set_of(place, ["feedback"])
        if not wanted:
            raise ConfigError(f"population {self.name!r}: nothing lands on its tuft: read something else.")
        tuft = self._group(readings, wanted[0].name)
        if not difference:
            return Reader([tuft])
        check_trunk(self.kind.label, self.measured.nexus is not None, wanted[0].place, difference)
        port, index = self.calibrations[wanted[0].name].feedback, [own for _, own in self._tufts[wanted[0].name]]
        share = np.array([port.received(own) if difference == "local" else 1.0 for own in index])
        left = np.array([port.left(own, self.scale, one) for own, one in zip(index, share.tolist(), strict=True)])
        return Apart(tuft, self._group(readings, "nexus"), share, left)

    def _group(self, readings: Readings, output: str, what: Reading = "potential") -> Group:
        return readings.group(self._octets.refs(output), what, self.scale.rest, self.scale.unit)

    def restart(self) -> None:
        """Begin a trial without initialisation."""
        self._octets.restart()

    def close(self) -> None:
        """Give up every NEURON object."""
        self._octets.close()
        super().close()
        self._sets, self._entries = [], {}
