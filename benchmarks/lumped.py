"""The paper's lumped networks here and in vectorised NumPy, on one core.

The NumPy side is `segdend_plugin/rule/reference.py` as it runs on its own: it draws its Poisson inputs and its cells'
spikes, integrates as the paper does and cuts the kernel after 10 ms as the released code does, its fastest form.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np

from benchmarks import measure
from benchmarks.worker import Task
from benchmarks.workload import CLASSES, images
from segdend_plugin.engine.layered import layered
from segdend_plugin.rule import phases
from segdend_plugin.rule.reference import RATE_MAX, ReferenceNetwork
from segdend_plugin.rule.weights import initial_biases, initial_weights

NETWORKS = {"784-500-10": (500,), "784-500-100-10": (500, 100)}
RATES = (0.21, 0.21, 0.12)


def reference(hidden: list[int], train: int, test: int) -> dict[str, Task]:
    """Return training and testing of the NumPy network."""
    sizes = [784, *hidden, CLASSES]
    graph = layered(sizes, "three_compartment")
    sets = [(c, graph[c.post]) for c in graph.connections if c.role == "forward"]
    weights = [initial_weights(graph, c, range(post.size)) for c, post in sets]
    biases = [initial_biases(graph, post, range(post.size)) for _, post in sets]
    draw = np.random.default_rng(0)
    feedback = [draw.uniform(-1.0, 1.0, (CLASSES, size)) for size in hidden]
    network = ReferenceNetwork(weights, biases, feedback, integrator="explicit", memory=10.0)
    shown = images(train + test)

    def show(k: int, schedule: phases.Schedule, label: int | None) -> Any:
        inputs = draw.poisson(RATE_MAX * schedule.dt * shown.rates[k], (schedule.end, sizes[0])).astype(float)
        return network.trial(schedule, inputs, label, rng=draw)

    def learn() -> None:
        for k in range(train):
            times = {"dt": 1.0, "forward": 50.0, "target": 50.0, "settle": 30.0}
            records = show(k, phases.training_schedule(0, k, **times, jitter=True), int(shown.labels[k]))
            for matrix, bias, rate, record in zip(network.weights, network.biases, RATES, records, strict=False):
                matrix += rate * record.weight_change
                bias += rate * record.bias_change

    def classify() -> float:
        schedule = phases.test_schedule(dt=1.0, duration=250.0, settle=30.0)
        found = [show(k, schedule, None)[-1].forward_soma.argmax() for k in range(train, train + test)]
        return float(np.mean(found != shown.labels[train:]))

    return {"train": learn, "test": classify}


def measured(quick: bool) -> dict[str, Any]:
    """Compare training and test time per image."""
    train, test = (5, 2) if quick else (20, 8)
    rows = []
    for name, hidden in NETWORKS.items():
        settings = ["cell=three_compartment", f"layers.hidden={list(hidden)}"]
        sides = {
            "here": ("benchmarks.workload:tasks", {"settings": settings, "train": train, "test": test}),
            "numpy": ("benchmarks.lumped:reference", {"hidden": list(hidden), "train": train, "test": test}),
        }
        with ExitStack() as stack:
            workers = measure.workers(stack, sides)
            repetitions = measure.QUICK_REPETITIONS if quick else measure.REPETITIONS
            times = measure.take_turns(workers, {"train": train, "test": test}, repetitions)
        for task, what in (("train", "training image"), ("test", "test image of 250 ms")):
            here, beside = times[task, "here"], times[task, "numpy"]
            rows.append(measure.comparison(f"{name}, {what}", here, beside, ("plugin", "NumPy")))
    return {"rows": rows}


if __name__ == "__main__":
    measure.run_case("lumped", measured)
