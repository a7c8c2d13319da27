"""How the time of a training image grows with hidden cells, compartments, inputs and the number of time steps."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np

from benchmarks import measure
from benchmarks.worker import Task
from benchmarks.workload import both, learner

LUMPED = ["cell=three_compartment"]
CABLE = ["layers.hidden=[25]", "cable.solver=neuron"]


def counted(settings: list[str], images: int, pixels: int = 784) -> dict[str, Task]:
    """Return a task that shows training images and returns the number of compartments."""
    from segdend_plugin.experiment.summary import compartments

    made = learner(settings, pixels)
    train = both(made, images, 0, pixels)["train"]

    def shown() -> int:
        train()
        return compartments(made.network)

    return {"train": shown}


def sweeps() -> dict[str, dict[float, dict[str, Any]]]:
    """Return the values of every variable, and the network of each."""
    return {
        "hidden cells, three compartments": {
            n: {"settings": [*LUMPED, f"layers.hidden=[{n}]"], "images": 10} for n in (125, 500, 2000)
        },
        "hidden cells, linear": {n: {"settings": [f"layers.hidden=[{n}]"], "images": 10} for n in (125, 500, 2000)},
        "compartments of 25 reconstructed cells": {
            n: {"settings": [*CABLE, f"cable.nseg={n}"], "images": 5} for n in (1, 3, 9)
        },
        "inputs, 500 three-compartment cells": {
            n: {"settings": [*LUMPED, "layers.hidden=[500]"], "images": 10, "pixels": n} for n in (196, 784, 3136)
        },
        "steps per ms, 25 reconstructed cells": {
            n: {"settings": [*CABLE, f"phases.dt={1 / n}"], "images": 5} for n in (1, 2, 4)
        },
    }


def exponent(x: list[float], y: list[float]) -> float:
    """Return the power of `x` that `y` follows, by least squares of the logarithms."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def measured(quick: bool) -> dict[str, Any]:
    """Measure every sweep, its networks in turn."""
    repetitions = measure.QUICK_REPETITIONS if quick else measure.REPETITIONS
    rows, table = [], []
    for what, networks in sweeps().items():
        with ExitStack() as stack:
            workers = measure.workers(
                stack, {str(n): ("benchmarks.growth:counted", given) for n, given in networks.items()}
            )
            taken = measure.take_turns(workers, {"train": next(iter(networks.values()))["images"]}, repetitions)
        times = [taken["train", str(n)] for n in networks]
        sizes = list(networks)
        if what.startswith("compartments"):
            sizes = [found.values[0] for found in times]
        rounds = zip(*(found.cpu for found in times), strict=True)
        rows.append(measure.figure(f"exponent of {what}", "1", [exponent(sizes, list(one)) for one in rounds]))
        table += [
            {"variable": what, "value": size, "ms per image, processor time": 1e3 * measure.Spread.of(found.cpu).median}
            for size, found in zip(sizes, times, strict=True)
        ]
    return {"rows": rows, "tables": {"Medians": table}}


if __name__ == "__main__":
    measure.run_case("growth", measured)
