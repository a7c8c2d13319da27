"""A training example here against one gradient step of Jaxley on the CPU: the same cells and time steps, on one core.

On both sides one compartment per unbranched section (in the file's own division: the numbers are in the results), 784
filtered input trains, a weight per input and cell, double precision. Jaxley differentiates the mean somatic potentials
with respect to all weights by backpropagation through time; its cells have one input site and no feedback, the plugin's
learn by their plateaus, with output cells. Set-up and compilation are not counted, but told.

Jaxley may live in another environment: the variable JAXLEY_PYTHON names its interpreter.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import Any

from benchmarks import measure
from benchmarks.worker import Task, peak_megabytes

CELL = "mouse_v1_l5_rbp4"
STEPS, DT, INPUTS = 104, 1.0, 784


def gradient(swc: str, cells: int) -> dict[str, Task]:
    """Return one gradient step of Jaxley; the first one compiles."""
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
    began = time.perf_counter()
    import jax
    import jaxley
    import numpy as np
    from jaxley.channels import Leak

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_platforms", "cpu")
    cell = jaxley.read_swc(swc, ncomp=1)
    cell.insert(Leak())
    for key, value in {"Leak_gLeak": 1e-4, "Leak_eLeak": -70.0, "v": -70.0, "axial_resistivity": 100.0}.items():
        cell.set(key, value)
    network = jaxley.Network([cell] * cells)
    for k in range(cells):
        network.cell(k).branch(0).loc(0.5).record(verbose=False)
    draw = np.random.default_rng(0)
    trains = draw.poisson(0.2 * 0.13 * DT, (STEPS, INPUTS)).astype(float)
    weights = jax.numpy.asarray(draw.normal(0.0, 0.01, (INPUTS, cells)))
    wanted = jax.numpy.asarray(draw.normal(-68.0, 1.0, cells))

    def loss(weights: Any, trains: Any) -> Any:
        currents, stimuli = (trains @ weights).T, None
        for k in range(cells):
            stimuli = network.cell(k).branch(0).loc(0.5).data_stimulate(currents[k], stimuli)
        potentials = jaxley.integrate(network, data_stimuli=stimuli, delta_t=DT, t_max=STEPS * DT)
        return ((potentials.mean(axis=1) - wanted) ** 2).mean()

    step = jax.jit(jax.value_and_grad(loss))
    prepared = time.perf_counter() - began

    def train() -> dict[str, float]:
        value, change = jax.block_until_ready(step(weights, trains))
        assert np.isfinite(value)
        assert np.abs(change).max() > 0.0
        return {"compartments": len(network.nodes), "megabytes": peak_megabytes(), "prepared": prepared}

    return {"train": train}


def measured(quick: bool) -> dict[str, Any] | None:
    """Compare a gradient step with a training image."""
    python = os.environ.get("JAXLEY_PYTHON", sys.executable)
    asked = "import importlib.metadata as m; print(m.version('jaxley'))"
    version = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=False)
    if version.returncode:
        print("jaxley: skipped, because it is not installed: pip install '.[bench]', or set JAXLEY_PYTHON")
        return None
    from segdend_plugin.cells.files import catalogue

    cells, images = (3, 1) if quick else (20, 4)
    settings = [f"cell={CELL}", f"layers.hidden=[{cells}]", "cable.nseg=1", "cable.solver=neuron"]
    with ExitStack() as stack:
        jaxley = {"swc": str(catalogue.find(CELL)), "cells": cells, "python": python}
        began = time.perf_counter()
        step = stack.enter_context(measure.Worker("benchmarks.jaxley:gradient", **jaxley))
        compiling = step.run("train")["wall"]
        ready = time.perf_counter() - began
        ours = {"settings": settings, "images": images}
        plugin = stack.enter_context(measure.Worker("benchmarks.growth:counted", **ours))
        repetitions = measure.QUICK_REPETITIONS if quick else measure.REPETITIONS
        sides, items = {"plugin": plugin, "jaxley": step}, {"plugin": images, "jaxley": 1}
        times = measure.take_turns(sides, {"train": items}, repetitions)
    here, there = times["train", "plugin"], times["train", "jaxley"]
    found = there.values[-1]
    what = f"{cells} x {CELL}, {STEPS} steps"
    names = (f"plugin, {here.values[0]} compartments", f"Jaxley, {found['compartments']} compartments")
    rows = [
        measure.comparison(what, here, there, names),
        measure.figure("Jaxley: ready, with set-up and compilation", "s", [ready]),
        measure.figure("Jaxley: of it compilation and first step", "s", [compiling]),
        measure.figure("Jaxley: peak memory", "MB", [found["megabytes"]]),
    ]
    return {"rows": rows, "jaxley": version.stdout.strip()}


if __name__ == "__main__":
    measure.run_case("jaxley", measured)
