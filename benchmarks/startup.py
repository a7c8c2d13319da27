"""How long a user waits: the command line's help, and building networks beyond imports."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

from benchmarks import measure
from benchmarks.worker import Task, peak_megabytes
from benchmarks.workload import CLASSES

NETWORKS = {
    "784-500-10, three-compartment cells": ["cell=three_compartment", "layers.hidden=[500]"],
    "100 reconstructed L5 cells": ["cell=mouse_v1_l5_rbp4", "layers.hidden=[100]"],
}


def build(settings: list[str]) -> dict[str, Task]:
    """Return building a network, with NetPyNE imported and the mechanisms loaded before."""
    from segdend_plugin.experiment import config, graph
    from segdend_plugin.hosts import description

    description.load()
    experiment = config.load(settings=settings)

    def everything() -> dict[str, float]:
        before = peak_megabytes()
        cpu, wall = time.process_time(), time.perf_counter()
        description.build(graph.graph(experiment, 784, CLASSES))
        times = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        return times | {"megabytes": peak_megabytes() - before}

    return {"all": everything}


def wall_of(command: list[str]) -> float:
    """Return how long a command takes (s)."""
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def measured(quick: bool) -> dict[str, Any]:
    """Measure each in new processes, in turn with a Python that does nothing."""
    repetitions = 2 if quick else 5
    commands = {
        "`segdend --help`": [sys.executable, "-m", "segdend_plugin", "--help"],
        "`python -c pass`": [sys.executable, "-c", "pass"],
    }
    waits: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(repetitions):
        for name, command in commands.items():
            waits[name].append(wall_of(command))
    rows = [measure.figure(f"{name}, wall-clock", "s", seconds) for name, seconds in waits.items()]
    sides = {name: {"settings": settings} for name, settings in NETWORKS.items()}
    for name, runs in measure.start_in_turn("benchmarks.startup:build", sides, repetitions).items():
        for key, unit in (("cpu", "s"), ("wall", "s"), ("megabytes", "MB")):
            rows.append(measure.figure(f"building {name}: {key}", unit, [run[key] for run in runs]))
    return {"rows": rows}


if __name__ == "__main__":
    measure.run_case("startup", measured)
