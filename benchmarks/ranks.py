"""One and two MPI ranks: strong and weak scaling, where the time goes, and the constants of the scaling model.

A stopwatch around `Network.run`, what the learner learns of it, and `pc.psolve` splits an image: `start` is what `run`
does besides `psolve` (image, windows, finitialize, reading); `spike exchange` is the gathering of counters and NEURON's
own exchange (`pc.wait_time`), with the wait for a slower rank; `projection` is measured alone, without any cell, as
NEURON has no clock for it; `cells` is the rest of `psolve`. Waiting ranks spin, so wall-clock times count here; a split
is that of the rank with most work (the longest time in cells).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from benchmarks import measure, predict
from benchmarks.worker import Task
from benchmarks.workload import CLASSES, both, images, learner
from segdend_plugin.engine.cost import Costs, Job

PARTS = ("cells", "projection", "rule", "start", "spike exchange", "evaluation")
NETWORKS = {"lumped": ("cell=three_compartment", 500, 1), "reconstructed": ("cell=mouse_v1_l5_rbp4", 500, 8)}
MEASURED = ("1 rank", "2 ranks", "2 ranks, twice the cells")
RATE_MAX = 0.2  # 1/ms


class Watched:
    """An object whose one method is timed; everything else is the object's own."""

    def __init__(self, inner: Any, method: str, seconds: dict[str, float]) -> None:
        self._inner, self._method, self._seconds = inner, method, seconds

    def __getattr__(self, name: str) -> Any:
        """Return the attribute of the watched object, or its method with a stopwatch."""
        found = getattr(self._inner, name)
        return watched(found, name, self._seconds) if name == self._method else found


def watched(function: Callable[..., Any], name: str, seconds: dict[str, float]) -> Callable[..., Any]:
    """Return a function that adds the time of its calls to ``seconds[name]``."""

    def call(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        result = function(*args, **kwargs)
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - start
        return result

    return call


def job(settings: list[str], train: int, test: int) -> dict[str, Task]:
    """Return training and testing that tell where their time went, per image."""
    from segdend_plugin.engine import exchange
    from segdend_plugin.engine.session import session
    from segdend_plugin.model.wants import Average

    made = learner(settings)
    network, seconds = made.network, {"psolve": 0.0}
    pc, own = network.ranks.pc, session()
    own.ranks = replace(own.ranks, pc=Watched(pc, "psolve", seconds))
    network.run = watched(network.run, "show", seconds)
    made._change = watched(made._change, "learn", seconds)  # what the rule makes of a trial, and
    made._apply = watched(made._apply, "learn", seconds)  # what this changes
    exchange.timed()
    layers = [[Average(p.name, "rate", whole=True) for p in layer] for layer in network.graph.layers]
    record = [want for layer in layers for want in layer]
    (shown,) = images(1).stimuli([0])

    def rates() -> list[float]:
        seen = made.present(shown, record=record, taught=True).seen
        return [float(np.mean(np.concatenate([seen[want] for want in layer]))) for layer in layers]

    def readings() -> dict[str, float]:
        return {"exchange": pc.wait_time() + exchange.seconds()} | seconds

    def split(task: Task, count: int) -> Task:
        def run() -> dict[str, float]:
            before, start = readings(), time.perf_counter()
            task()
            whole, after = time.perf_counter() - start, readings()
            took = {key: (value - before.get(key, 0.0)) / count for key, value in after.items()}
            return {
                "cells": took["psolve"] - took["exchange"],
                "rule": took.get("learn", 0.0),
                "start": took["show"] - took["psolve"],
                "spike exchange": took["exchange"],
                "evaluation": whole / count - took["show"] - took.get("learn", 0.0),
                "total": whole / count,
                "rates": rates(),
            }

        return run

    todo = both(made, train, test)
    return {"train": split(todo["train"], train), "test": split(todo["test"], test)}


def projection(cells: int, places: int, images_shown: int) -> dict[str, Task]:
    """Return showing images to a projection from 784 inputs onto no cells, and the same in the dark."""
    from segdend_plugin.engine.dense import Dense, Kernel
    from segdend_plugin.engine.layered import layered
    from segdend_plugin.engine.session import session
    from segdend_plugin.model.streams import Purpose
    from segdend_plugin.rule.phases import TwoPhase

    own = session()
    from neuron import h

    shown = images(images_shown)
    inputs = shown.rates.shape[1]
    graph = layered([inputs, cells, CLASSES], "three_compartment")
    alone = Dense(
        graph.set("input->hidden"),
        np.zeros((inputs, cells)),
        np.zeros(cells),
        np.arange(inputs) % places,
        places,
        Kernel(int(places > 1)),
    )
    draw = alone.draw(range(inputs), RATE_MAX, 1.0)
    own.ranks.pc.set_maxstep(10)
    numbers, phases = range(images_shown), TwoPhase(52.0, 52.0, 30.0, jitter=False).resolve(graph)
    trials = phases.trials(graph, shown.stimuli(numbers), numbers, taught=True)

    def show(brightness: float, kept: Any = alone) -> None:
        for trial, image in zip(trials, shown.rates, strict=True):
            kept.prepare(trial, keep=False)
            draw(brightness * image)
            own.tell(trial, graph.seed, Purpose.TRAINING_SPIKES)
            h.dt = trial.dt
            h.finitialize()
            own.ranks.pc.psolve(trial.duration)

    return {"lit": lambda: show(1.0), "dark": lambda: show(0.0)}


def measured(quick: bool) -> dict[str, Any]:
    """Measure both networks on one and two ranks, fit the model and predict more ranks."""
    repetitions = measure.QUICK_REPETITIONS if quick else measure.REPETITIONS
    rows: list[dict[str, Any]] = []
    splits: list[dict[str, Any]] = []
    fits: dict[str, Any] = {}
    for name, (cell, hidden, places) in NETWORKS.items():
        train, test = (4, 1) if quick else (10, 3)
        counts = {"train": train, "test": test}

        def sized(n: int, cell: str = cell, counts: dict[str, int] = counts, **more: Any) -> dict[str, Any]:
            return {"settings": [cell, f"layers.hidden=[{n}]"], **counts, **more}

        sides = {
            "1 rank": ("benchmarks.ranks:job", sized(hidden, ranks=1)),
            "2 ranks": ("benchmarks.ranks:job", sized(hidden, ranks=2)),
            "2 ranks, twice the cells": ("benchmarks.ranks:job", sized(2 * hidden, ranks=2)),
            "few": ("benchmarks.ranks:job", sized(hidden // 10, ranks=1)),
        }
        with ExitStack() as stack:
            times = measure.take_turns(measure.workers(stack, sides), counts, repetitions)
            alone = {
                str(n): ("benchmarks.ranks:projection", {"cells": n, "places": places, "images_shown": train})
                for n in (hidden // 10, hidden // 2, hidden)
            }
            alone_tasks = {"lit": train, "dark": train}
            bare = measure.take_turns(measure.workers(stack, alone), alone_tasks, repetitions)
        for task in counts:
            one = times[task, "1 rank"]
            for side in ("2 ranks", "2 ranks, twice the cells"):
                what = f"{name}, {hidden} hidden cells, {task}: {'weak' if 'twice' in side else 'strong'}"
                rows.append(measure.comparison(what, times[task, side], one, (side, "1 rank")))
        lit = {int(n): measure.Spread.of(bare["lit", n].wall).median for n in alone}
        dark = {int(n): measure.Spread.of(bare["dark", n].wall).median for n in alone}
        found = {side: _middle(times["train", side]) for side in sides}
        here = {"1 rank": hidden, "2 ranks": hidden // 2, "2 ranks, twice the cells": hidden, "few": hidden // 10}
        for side, middle in found.items():
            middle["projection"] = lit[here[side]]
            middle["cells"] -= middle["projection"]
        for side in MEASURED:
            middle = found[side]
            splits.append({"network": f"{name}, {side}", **{part: 1e3 * middle[part] for part in PARTS}})
            splits[-1]["whole image"] = 1e3 * middle["total"]
        model_job, costs = fit(found, lit, dark, hidden)
        measured_ms = {side: 1e3 * found[side]["total"] for side in MEASURED}
        fits[name] = {"job": asdict(model_job), "costs": asdict(costs), "measured_ms": measured_ms}
    tables = {"Where the time of a training image goes (ms, wall-clock)": splits, **predict.tables(fits)}
    predict.draw(fits)
    return {"rows": rows, "tables": tables, "model": fits}


def fit(
    found: dict[str, dict[str, Any]], lit: dict[int, float], dark: dict[int, float], hidden: int
) -> tuple[Job, Costs]:
    """Return the constants of the scaling model from the splits of the jobs."""
    few = hidden // 10
    one, small = found["1 rank"], found["few"]
    duration = 2 * (50.0 + 2.0)  # ms: phases of 50 ms, and 2 ms that the jitter adds on average
    input_spikes = float(images(64).rates.sum(axis=1).mean()) * RATE_MAX * duration
    slope = {part: max(one[part] - small[part], 0.0) / (hidden - few) for part in ("cells", "rule", "start")}
    model = Job(
        hidden,
        outputs=CLASSES,
        input_spikes=input_spikes,
        spikes_per_hidden=one["rates"][0] * duration,
        spikes_per_output=one["rates"][-1] * duration,
        duration=duration,
    )
    by_light = {n: (lit[n] - dark[n]) / input_spikes for n in lit}  # per spike
    weight = max(by_light[hidden] - by_light[few], 0.0) / (hidden - few)
    steps = duration / model.dt
    step = slope["cells"] / steps
    return model, Costs(
        step=step,
        output_step=max(one["cells"] / steps - hidden * step, 0.0) / model.outputs,
        draw=max(by_light[few] - few * weight, 0.0),
        weight=weight,
        learn=slope["rule"] / (model.inputs + model.outputs),
        start=slope["start"],
        fixed=max(one["start"] - hidden * slope["start"], 0.0)
        + max(one["rule"] - hidden * slope["rule"], 0.0)
        + one["evaluation"],
    )


def _middle(times: measure.Times) -> dict[str, Any]:
    """Return the split of the repetition in the middle, of the rank that worked longest."""
    slowest = [max(_ranks(value), key=lambda split: split["cells"]) for value in times.values]
    return sorted(slowest, key=lambda split: split["total"])[len(slowest) // 2]


def _ranks(value: Any) -> list[dict[str, Any]]:
    return value if isinstance(value, list) else [value]


if __name__ == "__main__":
    measure.run_case("ranks", measured)
