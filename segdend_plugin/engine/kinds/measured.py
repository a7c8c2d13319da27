"""What is known of a linear cell before any is made: measured once, on one cell that NEURON builds, plain data then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from segdend_plugin.cells import linear, sites, templates
from segdend_plugin.cells.calibration import Calibration, Port, calibrate
from segdend_plugin.cells.files import source as sources
from segdend_plugin.cells.linear import Recursion, System
from segdend_plugin.cells.sites import Candidates, Ground
from segdend_plugin.cells.sites import Place as Spot
from segdend_plugin.engine.kinds.reconstruction import measured_sets, site_stream
from segdend_plugin.model.graph import Graph
from segdend_plugin.model.places import FORWARD
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.types import Array, Integers

if TYPE_CHECKING:
    from segdend_plugin.engine.kinds.linear import Linear


@dataclass(frozen=True, eq=False)
class Reach:
    """Where the synapses of one set may land on cells of a kind.

    Attributes
    ----------
    candidates
        What their places are chosen from.
    nodes
        For each section of these, the numbers of its compartments.
    """

    candidates: Candidates
    nodes: tuple[Integers, ...]

    def node(self, spot: Spot) -> int:
        """Return the number of the compartment at a place."""
        own = self.nodes[spot[0]]
        return int(own[sites.segment_at(spot[1], len(own))])


@dataclass(frozen=True, eq=False)
class Measured:
    """A linear cell.

    Attributes
    ----------
    system
        Its recursion, truncated. What comes out first is the potential of the soma.
    soma
        Number of the soma's compartment.
    nexus
        Which output is the potential where the trunk ends; None in a cell without a trunk or a tuft.
    rows
        Feedback set -> the outputs that are potentials of its sites: one, their mean, or that of each candidate where
        every cell draws its own.
    reach
        Set -> where its synapses may land.
    calibrations
        Set -> impedances; those of the first one by the name ``""``, too.
    report
        What people want to know: compartments, states, tolerance, and the error of each pair of places.
    """

    system: System
    soma: int
    nexus: int | None
    rows: Mapping[str, slice]
    reach: Mapping[str, Reach]
    calibrations: Mapping[str, Calibration]
    report: Mapping[str, Any]

    def is_drawn(self, feedback: str) -> bool:
        """Whether every cell draws the sites of a feedback set for itself."""
        return bool(self.calibrations[feedback].feedback.counts)

    def steady(self) -> Array:
        """Return the outputs (mV) that steady current (1 nA) at each compartment makes, shape (n_outputs, n)."""
        n = self.system.states
        left = np.eye(n)
        for k, block in enumerate(self.system.blocks):
            left[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] -= block
        gain: Array = self.system.out @ np.linalg.solve(left, self.system.into)
        return gain

    def arrays(self) -> dict[str, Array]:
        """Return all numbers whose last bits depend on the machine."""
        found = {"blocks": self.system.blocks, "into": self.system.into, "out": self.system.out}
        for name, own in self.calibrations.items():
            found[f"basal of {name}"] = np.concatenate(own.basal)
            if own.port is not None:
                found[f"port of {name}"] = np.vstack([own.port.impedance, own.port.soma])
                if own.port.nexus is not None:
                    found[f"nexus of {name}"] = own.port.nexus
        return found

    def with_arrays(self, arrays: Mapping[str, Array]) -> Measured:
        """Return the same with other such numbers; raises KeyError or ValueError where they do not fit."""
        system = System(arrays["blocks"], arrays["into"], arrays["out"])
        n_out, n = self.system.out.shape[0], self.system.into.shape[1]
        if system.into.shape != (system.states, n) or system.out.shape != (n_out, system.states):
            raise ValueError("another cell")
        calibrations = {}
        for name, own in self.calibrations.items():
            ends = np.cumsum([len(part) for part in own.basal])[:-1]
            port = own.port
            if port is not None:
                both = arrays[f"port of {name}"]
                nexus = None if port.nexus is None else arrays[f"nexus of {name}"]
                port = replace(port, impedance=both[:-1], soma=both[-1], nexus=nexus)
            calibrations[name] = replace(own, basal=tuple(np.split(arrays[f"basal of {name}"], ends)), port=port)
        return replace(self, system=system, calibrations=calibrations)


def measure(graph: Graph, population: str, kind: Linear) -> Measured:
    """Build one cell, measure it for all sets that land on a population, and reduce it.

    Parameters
    ----------
    graph, population
        What lands on it.
    kind
        The cell.

    Raises
    ------
    SegDendError
        If its file cannot be used, or it has no places for a set.
    """
    swc = sources.load(kind.source, kind.repair).swc
    cell = templates.pyramidal_passive(swc, kind.membrane, kind.apical_length, kind.apical_diameter)
    regions = {region: list(getattr(cell, region)) for region in templates.REGION_LISTS}
    soma, nexus, tree = cell.soma[0](0.5), sites.nexus(regions), linear.recursion(list(cell.all))
    reach: dict[str, Reach] = {}
    calibrations: dict[str, Calibration] = {}
    pairs = measured_sets(graph, population)
    for forward, back in pairs:
        landing = next((c.place for c in (forward, pairs[0][0]) if c is not None), FORWARD)
        onto = sites.ground(kind.label, soma, regions, landing, "feedforward")
        tuft = sites.ground(kind.label, soma, regions, back.place, "feedback") if back else None
        rng = site_stream(graph, graph[population].first, back) if back else stream(graph.seed, Purpose.SITES, 0)
        found = calibrate(soma, onto, tuft, nexus, rng)
        for connections, ground in ((forward, onto), (back, tuft)):
            if connections is not None and ground is not None:
                calibrations[connections.name] = found
                reach[connections.name] = Reach(ground.candidates(), _nodes(tree, ground))
        calibrations.setdefault("", found)
    trunk = [] if nexus is None else [tree.node(nexus)]
    ports = {c.name: (calibrations[c.name].feedback, reach[c.name]) for _, c in pairs if c is not None}
    basal = {c.name: (calibrations[c.name].basal, reach[c.name]) for c, _ in pairs if c is not None}
    outputs, rows = _outputs(tree, [tree.node(soma), *trunk], ports)
    drives = _drives(tree, tree.node(soma), basal, ports, kind)
    system, errors = linear.reduce(
        tree,
        graph.dt,
        np.concatenate([part for parts in drives.values() for part in parts], axis=1),
        outputs / kind.scale.unit,
        kind.membrane.time_constant,
        kind.tolerance,
    )
    system = replace(system, out=system.out * kind.scale.unit)
    named = {"soma": slice(0, 1), **({"nexus": slice(1, 2)} if trunk else {}), "tuft": slice(1 + len(trunk), None)}
    report = {
        "compartments": len(tree.capacitance),
        "states": system.states,
        "tolerance": kind.tolerance,
        "largest_error": float(errors.max()),
        "errors": _worst(errors, drives, named),
    }
    return Measured(system, tree.node(soma), 1 if trunk else None, rows, reach, calibrations, report)


def _nodes(tree: Recursion, ground: Ground) -> tuple[Integers, ...]:
    return tuple(np.array([tree.node(segment) for segment in section]) for section in ground.sections)


def _outputs(
    tree: Recursion, single: Sequence[int], ports: Mapping[str, tuple[Port, Reach]]
) -> tuple[Array, dict[str, slice]]:
    """Return the weights of each output, shape (n_outputs, n), and which are those of each feedback set."""
    each = np.eye(len(tree.capacitance))
    found, rows = [each[list(single)]], {}
    for name, (port, reach) in ports.items():
        places = each[[reach.node(spot) for spot in port.places]]
        begin = sum(len(part) for part in found)
        found.append(places if port.counts else places.mean(axis=0, keepdims=True))
        rows[name] = slice(begin, begin + len(found[-1]))
    return np.concatenate(found), rows


def _drives(
    tree: Recursion,
    soma: int,
    basal: Mapping[str, tuple[Sequence[Array], Reach]],
    ports: Mapping[str, tuple[Port, Reach]],
    kind: Linear,
) -> dict[str, list[Array]]:
    """Return the currents (nA) of unit drive at soma, forward and feedback places, each of shape (n, n_drives)."""
    each = np.eye(len(tree.capacitance))
    found = {"soma": [each[:, [soma]] * (kind.scale.unit / tree.steady(each[soma])[soma])], "basal": [], "tuft": []}
    for impedances, reach in basal.values():
        nodes, impedance = np.concatenate(reach.nodes), np.concatenate(impedances)
        found["basal"].append(each[:, nodes] * (kind.gain * kind.scale.unit / impedance))
    for port, reach in ports.values():
        places = each[:, [reach.node(spot) for spot in port.places]]
        if port.counts:  # a cell has some of them, each with less than what moves it by one unit alone
            found["tuft"].append(places * (kind.scale.unit / np.diag(port.impedance)))
        else:
            current = port.current(range(len(port.places)), kind.scale)
            found["tuft"].append(places.sum(axis=1, keepdims=True) * current)
    return found


def _worst(errors: Array, drives: Mapping[str, Sequence[Array]], outputs: Mapping[str, slice]) -> dict[str, float]:
    """Return the largest error of each pair of groups of places."""
    found: dict[str, float] = {}
    begin = 0
    for source, parts in drives.items():
        end = begin + sum(part.shape[1] for part in parts)
        for target, rows in outputs.items():
            found[f"{source}_to_{target}"] = float(errors[rows, begin:end].max(initial=0.0))
        begin = end
    return found
