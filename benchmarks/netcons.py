"""A dense projection and one NetCon per synapse: time to build, memory and time per image.

Both sides are plain NEURON with 784 inputs, 500 lumped cells, the same input spikes, event queue and delay. The NetCons
drive one ExpSyn per cell, with a weight each, and learn nothing; the dense projection learns from every image.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks import measure
from benchmarks.worker import Task, resident_megabytes
from benchmarks.workload import images
from segdend_plugin.model.graph import Graph

INPUTS, CELLS = 784, 500
CONDUCTANCE = 1e-5  # uS for unit weight: ExpSyn is there for its cost, not for what it does


def network(dense: bool, count: int) -> dict[str, Task]:
    """Return building and showing images, timed apart, with the memory beyond imports and cells."""
    import segdend_plugin.hosts.neuron  # noqa: F401  before memory is measured
    from segdend_plugin.engine import mechanisms, mpi
    from segdend_plugin.engine.layered import layered
    from segdend_plugin.engine.session import session
    from segdend_plugin.model.streams import Purpose
    from segdend_plugin.rule.phases import TwoPhase

    pc = mpi.start().pc
    mechanisms.load()
    from neuron import h

    graph = layered([INPUTS, CELLS])
    shown = images(count, INPUTS, CELLS)
    trials = TwoPhase(settle=30.0).resolve(graph).trials(graph, shown.stimuli(range(count)), range(count), taught=True)

    def dense_show(cells: Any) -> Any:
        made = _dense(graph, *cells)

        def show(first: int, kept: Any = cells) -> None:
            made.partial_fit(shown.first(first))

        return show

    def netcon_show(cells: Any) -> Any:
        levels, kept = _netcons(h, pc, graph, *cells)

        def show(first: int, kept: Any = kept) -> None:
            for trial in trials[:first]:
                levels.write(shown.rates[trial.example])
                session().tell(trial, graph.seed, Purpose.TRAINING_SPIKES)
                h.dt = trial.dt
                h.finitialize(-70.0)
                pc.psolve(trial.duration)

        return show

    def everything() -> dict[str, float]:
        cpu, wall = time.process_time(), time.perf_counter()
        cells = _cells(h)
        without = resident_megabytes()
        show = dense_show(cells) if dense else netcon_show(cells)
        found = {"build_cpu": time.process_time() - cpu, "build_wall": time.perf_counter() - wall}
        show(1)
        found["megabytes"] = resident_megabytes() - without
        cpu, wall = time.process_time(), time.perf_counter()
        show(count)
        found |= {
            "image_cpu": (time.process_time() - cpu) / count,
            "image_wall": (time.perf_counter() - wall) / count,
            "netcons": int(h.List("NetCon").count()),
        }
        return found

    return {"all": everything}


def measured(quick: bool) -> dict[str, Any]:
    """Compare new processes, started in turn."""
    count, repetitions = (5, 2) if quick else (20, 5)
    sides = {name: {"dense": name == "dense", "count": count} for name in ("dense", "netcons")}
    found = measure.start_in_turn("benchmarks.netcons:network", sides, repetitions)

    def times(side: str, what: str) -> measure.Times:
        cpu, wall = ([run[f"{what}_{clock}"] for run in found[side]] for clock in ("cpu", "wall"))
        return measure.Times(cpu, wall, [])

    names = ("dense projection", "NetCons")
    rows = [
        measure.comparison("building", times("dense", "build"), times("netcons", "build"), names, "s"),
        measure.comparison("an image", times("dense", "image"), times("netcons", "image"), names),
    ]
    memory = {side: [run["megabytes"] for run in runs] for side, runs in found.items()}
    rows += [measure.figure(f"memory of the connections, {side}", "MB", values) for side, values in memory.items()]
    rows += [measure.figure(f"NetCons, {side}", "1", [run["netcons"] for run in runs]) for side, runs in found.items()]
    return {"rows": rows}


def _cells(h: Any) -> tuple[list[Any], list[Any]]:
    from segdend_plugin.cells import templates

    return [h.SegDendInput() for _ in range(INPUTS)], [templates.three_compartment() for _ in range(CELLS)]


def _dense(graph: Graph, inputs: list[Any], cells: list[Any]) -> Any:
    from segdend_plugin.engine.kinds.base import CellHandle
    from segdend_plugin.hosts import neuron as host
    from segdend_plugin.learner import Learner

    handles = {
        "input": [CellHandle(gid, point=cell) for gid, cell in zip(graph["input"].numbers, inputs, strict=True)],
        "output": [
            CellHandle(gid, cell.soma(0.5), point=cell.neuron)
            for gid, cell in zip(graph["output"].numbers, cells, strict=True)
        ],
    }
    network = host.create(graph, handles)
    network.announce_spikes(False)
    return Learner(network, learning_rates=0.1)


def _netcons(h: Any, pc: Any, graph: Graph, inputs: list[Any], cells: list[Any]) -> tuple[Any, list[Any]]:
    from segdend_plugin.engine.probe import Probe
    from segdend_plugin.rule.weights import initial_weights

    for gid, cell in enumerate(inputs):
        cell.id = gid
        pc.set_gid2node(gid, 0)
        pc.cell(gid, h.NetCon(cell, None))
    matrix = np.abs(initial_weights(graph, graph.set("input->output"), range(CELLS))) * CONDUCTANCE
    kept: list[Any] = [inputs, cells]
    for post, (gid, cell) in enumerate(zip(graph["output"].numbers, cells, strict=True)):
        pc.set_gid2node(gid, 0)
        pc.cell(gid, h.NetCon(cell.neuron, None))
        cell.neuron.announced = 0.0
        synapse = h.ExpSyn(cell.soma(0.5))
        synapse.tau = 3.0
        synapse.e = 0.0
        kept.append(synapse)
        for pre in range(INPUTS):
            netcon = pc.gid_connect(pre, synapse)
            netcon.weight[0] = matrix[pre, post]
            netcon.delay = 1.000001
            kept.append(netcon)
    h.CVode().queue_mode(True, False)
    pc.set_maxstep(10)
    return Probe(inputs, "level"), kept


if __name__ == "__main__":
    measure.run_case("netcons", measured)
