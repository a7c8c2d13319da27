"""Images over ranks: two ranks that hold the network each, in batches of two, beside one rank."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from benchmarks import measure
from benchmarks.worker import Task
from benchmarks.workload import images, learner

NETWORKS = {
    "784-500-10, three compartments": ["cell=three_compartment", "layers.hidden=[500]"],
    "784-500-10, linear cells": ["cell=mouse_v1_l5_rbp4", "layers.hidden=[500]"],
}
BATCH = 2


def job(settings: list[str], train: int, test: int, replicas: int) -> dict[str, Task]:
    """Return training in batches and testing on so many replicas."""
    from segdend_plugin.engine import session

    session.start(replicas)
    made = learner(settings)
    shown = images(max(train, test))
    return {
        "train": lambda: made.fit(shown.first(train), batch=BATCH) and None,
        "test": lambda: made.answers(shown.first(test)) and None,
    }


def measured(quick: bool) -> dict[str, Any]:
    """Compare one rank with two replicas of a rank each."""
    # long beside what ranks wait for each other at the ends
    counts = {"train": 10, "test": 4} if quick else {"train": 400, "test": 200}
    rows = []
    for name, settings in NETWORKS.items():
        given = {"settings": settings, **counts}
        sides = {
            "1 rank": ("benchmarks.replicas:job", {**given, "replicas": 1, "ranks": 1}),
            "2 replicas": ("benchmarks.replicas:job", {**given, "replicas": 2, "ranks": 2}),
        }
        with ExitStack() as stack:
            repetitions = measure.QUICK_REPETITIONS if quick else measure.REPETITIONS
            times = measure.take_turns(measure.workers(stack, sides), counts, repetitions)
        for task, what in (("train", f"training image in batches of {BATCH}"), ("test", "test image of 250 ms")):
            here, beside = times[task, "2 replicas"], times[task, "1 rank"]
            rows.append(measure.comparison(f"{name}, {what}", here, beside, ("2 replicas", "1 rank")))
    return {"rows": rows}


if __name__ == "__main__":
    measure.run_case("replicas", measured)
