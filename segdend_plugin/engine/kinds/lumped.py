"""Three-compartment cells: the paper's neuron, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from segdend_plugin.cells.calibration import lumped_somatic_current
from segdend_plugin.cells.units import TAU_LONG, TAU_SHORT, Scale, lumped_conductance
from segdend_plugin.engine.dense import Dense, Kernel
from segdend_plugin.engine.kinds.base import CellHandle, Cells, Reader
from segdend_plugin.engine.kinds.octets import Octets
from segdend_plugin.engine.readings import Readings
from segdend_plugin.engine.synapses import Landed
from segdend_plugin.engine.teachers import Teachers
from segdend_plugin.errors import ConfigError
from segdend_plugin.model.graph import Connections, Cost, Graph, Population
from segdend_plugin.model.places import Place
from segdend_plugin.model.trial import Signal
from segdend_plugin.model.wants import Quantity
from segdend_plugin.rule.inhibition import Silence
from segdend_plugin.types import Array, Integers, is_number

_OFFERS: frozenset[tuple[Quantity, str]] = frozenset(
    {
        ("potential", "soma"),
        ("rate", "soma"),
        ("spikes", "soma"),
        ("potential", "basal"),
        ("potential", "tuft"),
        ("drive", "basal"),
        ("drive", "tuft"),
    }
)


@dataclass(frozen=True)
class Lumped:
    """SegDendLumped cells (eLife 22901, Table 1).

    Attributes
    ----------
    g_leak, g_basal, g_apical
        Conductances in 1/ms with C_m = 1.
    label
        What messages, tables and cell rules call it.
    scale
        Meaning of the rule's units.
    silent_in, silent_lead
        Part of each trial in which a gate keeps it silent (``"none"``, ``"window"``, ``"forward"``, ``"target"``), and
        by how many ms that begins earlier: interneurons.
    """

    g_leak: float = 0.1
    g_basal: float = 0.6
    g_apical: float = 0.0
    label: str = "three_compartment"
    scale: Scale = Scale()  # noqa: RUF009  frozen
    silent_in: Silence = "none"
    silent_lead: float = 0.0

    def __post_init__(self) -> None:
        for name in ("g_leak", "g_basal", "g_apical"):
            value = getattr(self, name)
            if not is_number(value) or value < 0 or (value == 0 and name != "g_apical"):
                raise ConfigError(f"{name}={value!r}: give a conductance above 0 (g_apical: 0 or more), in 1/ms.")

    @property
    def offers(self) -> frozenset[tuple[Quantity, str]]:
        """Potentials, rates and drives; its dendrites have no membrane, so that their potentials are their drives."""
        return _OFFERS

    @property
    def accepts(self) -> frozenset[str]:
        """Drives of dense sets."""
        return frozenset({"currents"})

    @property
    def gain(self) -> float:
        """k_b of the paper."""
        # from the conductances as NEURON has them, so that the last bit is theirs
        leak, basal, apical = (lumped_conductance(g) for g in (self.g_leak, self.g_basal, self.g_apical))
        return float(basal / (leak + basal + apical))

    @property
    def filters(self) -> tuple[float, ...]:
        """Those of the kernel, and the soma's."""
        return TAU_LONG, TAU_SHORT, 1.0 / (self.g_leak + self.g_basal + self.g_apical)

    def cost(self, dt: float) -> Cost:
        """Return what one cell costs at a step of `dt` ms (docs/performance.md)."""
        return Cost(12.0, 1200)


class LumpedCells(Cells):
    """Those of a population on this rank: on compartments of NEURON, or side by side where they are SegDendLinear.

    A cell without teacher and gate is linear: implicit Euler makes of it, whose C is 1, exactly

        x[n + 1] = (x[n] + dt (g_basal V_b + g_apical V_a)) / (1 + dt (g_leak + g_basal + g_apical)).
    """

    def __init__(
        self, graph: Graph, population: Population, handles: list[CellHandle], positions: Integers, kind: Lumped
    ) -> None:
        super().__init__(graph, population, handles, positions, kind.scale)
        self._kind = kind
        self._drives: dict[str, list[Dense]] = {"basal": [], "apical": []}
        self._inhibiting: list[Dense] = []
        for number, handle in zip(self.numbers, handles, strict=True):
            soma = handle.point
            soma.id, soma.rest, soma.unit = number, self.scale.rest, self.scale.unit
            self.somas.append(soma)
        self._octets = Octets(self.somas) if is_linear(population) and _has_octets(handles) else None
        if kind.silent_in != "none":
            self._add_gates(kind)
        self.teachers = Teachers(handles, self.positions, self.scale) if population.teacher else None

    @property
    def gain(self) -> float:
        """k_b of the population."""
        return self._kind.gain

    def kernel(self, connections: Connections) -> Kernel:
        """Return how its drives are filtered."""
        return Kernel.POTENTIAL

    def receive(self, connections: Connections, dense: Dense) -> None:
        """Let a set drive the basal dendrite, or the apical one if it is feedback."""
        from neuron import h

        dendrite = "apical" if connections.role == "feedback" else "basal"
        taken = self._drives[dendrite]
        for post, soma in enumerate(() if self._octets else self.somas):
            if taken:  # drives onto one dendrite add up, in the order of the graph
                soma.also(int(dendrite == "apical"), dense.drive(post))
            else:
                h.setpointer(dense.drive(post), dendrite, soma)
        taken.append(dense)

    def inhibited(self, onto: str) -> list[list[Landed]]:
        """Return where each cell is inhibited, with the current (nA) that moves it by one unit."""
        if onto != "soma":
            raise ConfigError(
                f"population {self.name!r}: onto={onto!r} needs dendrites with a membrane, which three-compartment "
                "cells have not: take onto='soma', or reconstructed cells."
            )
        found = []
        for handle in self.handles:
            found.append([Landed(handle.soma, lumped_somatic_current(lumped_conductance(self._total), self.scale))])
        return found

    def inhibit(self, dense: Dense, places: Sequence[Sequence[Landed]], *, by_slot: bool) -> None:
        """Let a fixed set act on the somas."""
        if self._octets is None:
            super().inhibit(dense, places, by_slot=by_slot)
        else:
            self._inhibiting.append(dense)

    @property
    def _total(self) -> float:
        kind = self._kind
        return kind.g_leak + kind.g_basal + kind.g_apical

    def complete(self) -> None:
        """Give NEURON the system of cells that are linear, once all sets have landed."""
        if self._octets is None:
            return
        kind, dt, unit = self._kind, self.graph.dt, self.scale.unit
        left = 1.0 + dt * self._total
        gains = {"basal": unit * dt * kind.g_basal / left, "apical": unit * dt * kind.g_apical / left}
        entering = [(gain, dense) for name, gain in gains.items() for dense in self._drives[name]]
        entering += [(unit * dt * self._total / left, dense) for dense in self._inhibiting]
        entries = [(_first(gain, dense), dense) for gain, dense in entering]
        self._octets.set(np.diag([1.0 / left, 0.0])[None], entries, {"soma": np.array([1.0, 0.0])})

    def teach(self, target: Signal | Array | None) -> None:
        """Take the levels that the trial wants of the whole population."""
        if self.teachers is not None and target is not None:
            self.teachers.prepare(target)

    def _reader(self, readings: Readings, quantity: Quantity, place: Place) -> Reader:
        region = "tuft" if place.of is not None and place.region == "soma" else place.region
        if region == "soma":
            return Reader([readings.group([getattr(soma, f"_ref_{quantity}") for soma in self.somas], "value")])
        taken = self._drives["apical" if region == "tuft" else "basal"]
        if not taken:
            raise ConfigError(f"population {self.name!r}: nothing lands on its {region}: read something else.")
        return Reader([readings.group([dense.drive(post) for post in range(self.n)], "value") for dense in taken])

    def _add_gates(self, kind: Lumped) -> None:
        from neuron import h

        for handle in self.handles:
            gate = h.SegDendGate(handle.soma)
            gate.rest, gate.unit = self.scale.rest, self.scale.unit
            gate.silent_in, gate.lead = get_args(Silence).index(kind.silent_in), kind.silent_lead
            self._mechanisms.append(gate)

    def restart(self) -> None:
        """Begin a trial without initialisation."""
        if self._octets is None:
            super().restart()
        else:
            self._octets.restart()

    def close(self) -> None:
        """Give up every NEURON object."""
        if self._octets is not None:
            self._octets.close()
        super().close()
        self._drives, self._inhibiting = {"basal": [], "apical": []}, []
        if self.teachers is not None:
            self.teachers.close()


def is_linear(population: Population) -> bool:
    """Return whether three-compartment cells of a population are a linear system: nothing changes a conductance."""
    kind = population.kind
    return isinstance(kind, Lumped) and kind.silent_in == "none" and not population.teacher


def _has_octets(handles: Sequence[CellHandle]) -> bool:
    return not handles or not hasattr(handles[0].point, "g_leak")


def _first(gain: float, dense: Dense) -> Array:
    """Return the gains of drives that act on the first of two states."""
    gains = np.zeros((2, dense.n_slots, dense.n_post))
    gains[0] = gain
    return gains
