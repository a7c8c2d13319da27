"""What learning costs on reconstructed cells: a training image against the same cells alone for as long.

Bare cells are built by NetPyNE from the same rule, with a passive membrane and nothing else: no inputs, outputs,
synapses, probes, spikes or rule; only `pc.psolve` is called, for the simulated time of the same images.
"""

from __future__ import annotations

import io
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from typing import Any

from benchmarks import measure
from benchmarks.worker import Task
from benchmarks.workload import CLASSES

CELLS = ("mouse_v1_l5_rbp4", "mouse_v1_l4_scnn1a")
HIDDEN = 100


def bare(cell: str, hidden: int, images: int) -> dict[str, Task]:
    """Return integrating passive cells for the time of so many training images."""
    from segdend_plugin.cells import templates
    from segdend_plugin.cells.units import REST
    from segdend_plugin.engine import mpi
    from segdend_plugin.experiment import cells, config, graph
    from segdend_plugin.hosts import description
    from segdend_plugin.rule import phases

    pc = mpi.start().pc
    from netpyne import sim, specs
    from neuron import h

    experiment = config.load()
    sim_config = description.sim_config(graph.graph(experiment, 784, CLASSES))
    params = specs.NetParams()
    params.cellParams[cell] = templates.netpyne_cell_params(cells.pyramidal(cell, experiment.cable))
    params.popParams["bare"] = {"cellType": cell, "numCells": hidden}
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        sim.initialize(netParams=params, simConfig=sim_config)
        sim.net.createPops()
        sim.net.createCells()
    pc.gid_clear()  # with it go the threshold detectors
    p = experiment.phases
    times = {"dt": p.dt, "forward": 50.0, "target": 50.0, "settle": 30.0, "jitter": p.jitter}
    schedules = [phases.training_schedule(0, k, **times) for k in range(images)]
    h.dt = p.dt
    h.celsius = 37.0
    pc.set_maxstep(10)
    h.finitialize(REST)

    def integrate() -> int:
        for schedule in schedules:
            pc.psolve(h.t + schedule.time(schedule.end))
        return sum(section.nseg for section in h.allsec())

    return {"train": integrate}


def measured(quick: bool) -> dict[str, Any]:
    """Compare a training image with bare integration."""
    images = 3 if quick else 10
    rows = []
    for cell in CELLS:
        settings = [f"cell={cell}", f"layers.hidden=[{HIDDEN}]", "cable.solver=neuron"]
        sides = {
            "bare": ("benchmarks.overhead:bare", {"cell": cell, "hidden": HIDDEN, "images": images}),
            "plugin": ("benchmarks.workload:tasks", {"settings": settings, "train": images}),
        }
        with ExitStack() as stack:
            workers = measure.workers(stack, sides)
            repetitions = measure.QUICK_REPETITIONS if quick else measure.REPETITIONS
            times = measure.take_turns(workers, {"train": images}, repetitions)
        compartments = times["train", "bare"].values[0]
        what = f"{HIDDEN} x {cell}, {compartments} compartments"
        bare_times, ours = times["train", "bare"], times["train", "plugin"]
        rows.append(measure.comparison(what, bare_times, ours, ("bare cells", "plugin")))
        extra = [100.0 * (b / a - 1.0) for a, b in zip(bare_times.cpu, ours.cpu, strict=True)]
        rows.append(measure.figure(f"{cell}: cost of the plugin, processor time", "%", extra))
    return {"rows": rows}


if __name__ == "__main__":
    measure.run_case("overhead", measured)
