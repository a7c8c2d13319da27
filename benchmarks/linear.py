"""Reconstructed cells as linear systems: beside the same on NEURON's solver, and beside three-compartment ones."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from benchmarks import measure

CELL, HIDDEN = "mouse_v1_l5_rbp4", 500
SIDES = {
    "linear": [f"cell={CELL}"],
    "three compartments": ["cell=three_compartment"],
    "NEURON's solver": [f"cell={CELL}", "cable.solver=neuron"],
}


def measured(quick: bool) -> dict[str, Any]:
    """Compare training and test images of 500 hidden cells."""
    train, test = (10, 4) if quick else (40, 15)
    slow = {"train": 2, "test": 1}
    counts = {
        task: {name: slow[task] if "NEURON" in name else count for name in SIDES}
        for task, count in (("train", train), ("test", test))
    }
    with ExitStack() as stack:
        sides = {
            name: (
                "benchmarks.workload:tasks",
                {
                    "settings": [*settings, f"layers.hidden=[{HIDDEN}]"],
                    "train": counts["train"][name],
                    "test": counts["test"][name],
                },
            )
            for name, settings in SIDES.items()
        }
        repetitions = measure.QUICK_REPETITIONS if quick else measure.REPETITIONS
        times = measure.take_turns(measure.workers(stack, sides), counts, repetitions)
    rows = []
    for task, what in (("train", "training image"), ("test", "test image of 250 ms")):
        for other in ("NEURON's solver", "three compartments"):
            names = ("linear", other)
            rows.append(
                measure.comparison(f"784-{HIDDEN}-10, {what}", times[task, "linear"], times[task, other], names)
            )
    return {"rows": rows}


if __name__ == "__main__":
    measure.run_case("linear", measured)
