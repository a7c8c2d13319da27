"""What learning costs a model of somebody's own with 100,000 NetCons: a trial that learns against the model alone.

500 NetStims reach each of 200 Hodgkin-Huxley cells, these ten output cells, and these the 200 again. Both sides run the
same cells, NetCons, rates of the inputs and currents into half of the output cells, for as long, at NEURON's default
time step.
"""

from __future__ import annotations

from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks import measure
from benchmarks.worker import Task

INPUTS, HIDDEN, OUTPUT = 500, 200, 10
STRONG, WEAK = 40.0, 4.0  # Hz
DURATION, TEACHER = 400.0, 0.1  # ms, of a trial; nA, in its second half


def _model(pc: Any) -> Any:
    """Build it as a script in plain NEURON would."""
    from neuron import h

    h.dt, h.celsius = 0.025, 6.3
    cells: dict[int, Any] = {}
    synapses: dict[int, Any] = {}
    for gid in range(INPUTS):
        cell = cells[gid] = h.NetStim()
        cell.interval, cell.number, cell.start, cell.noise = 1000.0 / WEAK, 1e9, 0, 1
        cell.noiseFromRandom123(gid, 1, 0)
        pc.set_gid2node(gid, 0)
        pc.cell(gid, h.NetCon(cell, None))
    for gid in range(INPUTS, INPUTS + HIDDEN + OUTPUT):
        soma = cells[gid] = h.Section(name=f"soma{gid}")
        soma.L = soma.diam = 18.8
        soma.insert("hh")
        pc.set_gid2node(gid, 0)
        pc.cell(gid, h.NetCon(soma(0.5)._ref_v, None, sec=soma))
        synapses[gid] = h.ExpSyn(soma(0.5))
        synapses[gid].tau = 3.0
    hidden, output = range(INPUTS, INPUTS + HIDDEN), range(INPUTS + HIDDEN, INPUTS + HIDDEN + OUTPUT)

    def connect(pre: range, post: range, weight: float) -> list[Any]:
        made = []
        for target in post:
            for source in pre:
                netcon = pc.gid_connect(source, synapses[target])
                netcon.weight[0], netcon.delay = weight, 1.0
                made.append((source, target, netcon))
        return made

    sets = {
        "forward": connect(range(INPUTS), hidden, 0.05 / INPUTS),
        "readout": connect(hidden, output, 0.05 / HIDDEN),
        "back": connect(output, hidden, 0.0005),
    }
    clamps = {gid: h.IClamp(cells[gid](0.5)) for gid in output}
    return SimpleNamespace(cells=cells, synapses=synapses, sets=sets, hidden=hidden, output=output, clamps=clamps)


def _levels(count: int) -> np.ndarray:
    return np.where(np.random.default_rng(0).random((count, INPUTS)) < 0.5, 1.0, WEAK / STRONG)


def alone(trials: int) -> dict[str, Task]:
    """Return running the model for so many trials."""
    from segdend_plugin.engine import mpi

    pc = mpi.start().pc
    from neuron import h

    model, levels = _model(pc), _levels(trials)
    pc.set_maxstep(10)

    def run() -> int:
        for shown in levels:
            for gid, level in enumerate(shown):
                model.cells[gid].interval = 1000.0 / (STRONG * level)
            for clamp in list(model.clamps.values())[: OUTPUT // 2]:
                clamp.amp, clamp.delay, clamp.dur = TEACHER, DURATION / 2, DURATION / 2
            h.finitialize(-65)
            pc.psolve(DURATION)
        return len(model.sets["forward"])

    return {"trials": run}


def learning(trials: int) -> dict[str, Task]:
    """Return learning so many examples."""
    import segdend_plugin

    pc = segdend_plugin.start().pc
    from segdend_plugin import Gids, Learner, NetCons, Teacher, attach, kinds, rules, tasks
    from segdend_plugin.model.operating import OperatingPoint

    model, levels = _model(pc), _levels(trials)
    teachers = {gid: Teacher(clamp, TEACHER) for gid, clamp in model.clamps.items()}
    populations = {
        "input": Gids(range(INPUTS), kinds.Generator(STRONG)),
        "hidden": Gids(model.hidden),
        "output": Gids(model.output, teachers=teachers),
    }
    sets = [
        NetCons("forward", "input", "hidden", model.sets["forward"]),
        NetCons("readout", "hidden", "output", model.sets["readout"]),
        NetCons("back", "output", "hidden", model.sets["back"], role="feedback"),
    ]
    phases = rules.TwoPhase(forward=DURATION / 2, target=DURATION / 2, settle=50.0, jitter=False)
    network = attach(populations, sets)
    # as a survey would do, with steps so small that spikes stay what they are
    for name, onto in (("hidden", "forward"), ("output", "readout")):
        curve = np.array([0.0, 1.0]), np.array([0.0, 0.05])
        scales = {"unit": 1.0, "noise": 1.0, "taught": 0.05, "steps": {onto: 1e-9}}
        network.cells[name].operate(OperatingPoint(*curve, middle=0.5, peak=0.05, per_drive=1.0, **scales))
    learner = Learner(network, rules.Measured(phases=phases))
    labels = np.arange(trials) % 2
    goal = tasks.Classes(labels, classes=2, output="output", cells_per_class=OUTPUT // 2, answer="rate")
    task = tasks.Examples([tasks.Stimulus({"input": shown}) for shown in levels], goal)

    def run() -> int:
        learner.fit(task)
        return len(model.sets["forward"])

    return {"trials": run}


def measured(quick: bool) -> dict[str, Any]:
    """Compare trials that learn with the model alone."""
    trials = 1 if quick else 4
    sides = {side: (f"benchmarks.attached:{side}", {"trials": trials}) for side in ("alone", "learning")}
    with ExitStack() as stack:
        workers = measure.workers(stack, sides)
        repetitions = measure.QUICK_REPETITIONS if quick else measure.REPETITIONS
        times = measure.take_turns(workers, {"trials": trials}, repetitions)
    bare, ours = times["trials", "alone"], times["trials", "learning"]
    what = f"a trial of {INPUTS * HIDDEN:,} NetCons that learn"
    extra = [100.0 * (b / a - 1.0) for a, b in zip(bare.cpu, ours.cpu, strict=True)]
    return {
        "rows": [
            measure.comparison(what, bare, ours, ("model alone", "learning")),
            measure.figure("cost of learning, processor time", "%", extra),
        ]
    }


if __name__ == "__main__":
    measure.run_case("attached", measured)
