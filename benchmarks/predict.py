"""What the scaling model says about 64, 1024 and 16,384 ranks: tables, and docs/images/scaling.png.

``python -m benchmarks.predict`` draws the figure again from ``results/ranks.json``.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import measure
from segdend_plugin.engine.cost import Costs, Interconnect, Job, efficient, fastest, predict

FIGURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "scaling.png"
RANKS = (1, 2, 64, 1024, 16384)
BATCHES = (1, 4, 16)
LARGE = 16384  # hidden cells of the network that is worth so many ranks
PER_RANK = 16  # hidden cells per rank of weak scaling


def levers(job: Job, costs: Costs) -> dict[str, tuple[Job, Costs, Interconnect]]:
    """Return a job as it is, and with each thing changed that might let it scale further."""
    net = Interconnect()
    return {
        "as it is": (job, costs, net),
        "delays of 5 ms, counters of five steps together": (replace(job, steps_per_exchange=5), costs, net),
        "counters of two bits": (job, costs, replace(net, counter_bytes=0.25)),
        "a network of half the latency": (job, costs, replace(net, latency=net.latency / 2)),
        "dt 0.25 ms (four times the work per cell)": (replace(job, dt=0.25), costs, net),
        "a look at a counter in a quarter of the time": (job, replace(costs, counter=costs.counter / 4), net),
    }


def with_replicas(name: str, job: Job, costs: Costs) -> list[dict[str, Any]]:
    """Return predictions for batches, each with the number of replicas that is best for it."""
    rows = []
    for batch in BATCHES:
        shown = replace(job, batch=batch)
        row: dict[str, Any] = {"network": f"{name}, {job.hidden} cells, batch of {batch} (ms)"}
        for ranks in RANKS[1:]:
            ways = [2**k for k in range(15) if 2**k <= min(batch, ranks)]
            best = min(ways, key=lambda n: predict(shown, costs, ranks, replicas=n).total)
            row[f"{ranks} ranks"] = 1e3 * predict(shown, costs, ranks, replicas=best).total
            row[f"replicas on {ranks}"] = best
        rows.append(row)
    return rows


def tables(fits: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return tables: the model against what was measured, predictions, and what moves the point where scaling stops."""
    checks, predictions, moved, constants = [], [], [], []
    shared: list[dict[str, Any]] = []
    for name, fit in fits.items():
        job, costs = Job(**fit["job"]), Costs(**fit["costs"])
        constants.append({"network": name, **{f"c_{key} (us)": 1e6 * value for key, value in fit["costs"].items()}})
        twice = replace(job, hidden=2 * job.hidden)
        for (side, milliseconds), (model_job, ranks) in zip(
            fit["measured_ms"].items(), ((job, 1), (job, 2), (twice, 2)), strict=True
        ):
            modelled = 1e3 * predict(model_job, costs, ranks).total
            checks.append({"network": f"{name}, {side}", "measured (ms)": milliseconds, "model (ms)": modelled})
        large = replace(job, hidden=LARGE)
        shared += with_replicas(name, job, costs) + with_replicas(name, large, costs)
        for what, sized in (
            (f"{job.hidden} cells", job),
            (f"{LARGE} cells", large),
            (f"{PER_RANK} cells a rank", None),
        ):
            row: dict[str, Any] = {"network": f"{name}, {what} (ms)"}
            for ranks in RANKS:
                asked = sized or replace(job, hidden=PER_RANK * ranks)
                row[f"{ranks} ranks"] = 1e3 * predict(asked, costs, ranks).total
            row["fastest on"] = fastest(sized, costs) if sized else "-"
            row["efficiency of a half up to"] = efficient(sized, costs) if sized else "-"
            predictions.append(row)
        for lever, (changed, paid, net) in levers(large, costs).items():
            parts = predict(changed, paid, 1024, net)
            moved.append(
                {
                    "network": f"{name}, {LARGE} cells: {lever}",
                    "fastest on": fastest(changed, paid, net),
                    "efficiency of a half up to": efficient(changed, paid, net),
                    "on 1024 ranks (ms)": 1e3 * parts.total,
                    "of it exchange": 1e3 * parts.exchange,
                    "receiving": 1e3 * parts.receiving,
                }
            )
    return {
        "Constants of the scaling model": constants,
        "Model and measurement": checks,
        "Predicted time of a training image": predictions,
        "Predicted time of a training image, with replicas": shared,
        "What moves the end of scaling": moved,
    }


def draw(fits: dict[str, Any]) -> None:
    """Draw time against ranks, measured and predicted."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    powers = [2**k for k in range(15)]
    figure, axes = plt.subplots(1, len(fits), figsize=(5 * len(fits), 4), sharey=True, layout="constrained")
    for axis, (name, fit) in zip(axes, fits.items(), strict=True):
        job, costs = Job(**fit["job"]), Costs(**fit["costs"])
        large = replace(job, hidden=LARGE)
        lines = {
            f"{job.hidden} cells": [job] * len(powers),
            f"{LARGE} cells": [large] * len(powers),
            f"{PER_RANK} cells a rank": [replace(job, hidden=PER_RANK * ranks) for ranks in powers],
        }
        for label, jobs in lines.items():
            times = [1e3 * predict(one, costs, ranks).total for one, ranks in zip(jobs, powers, strict=True)]
            axis.loglog(powers, times, label=label)
        seen = [fit["measured_ms"][side] for side in ("1 rank", "2 ranks")]
        axis.loglog([1, 2], seen, "ko", label=f"measured, {job.hidden} cells")
        axis.set(title=name, xlabel="MPI ranks")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7)
    axes[0].set_ylabel("ms per training image")
    FIGURE.parent.mkdir(exist_ok=True)
    figure.savefig(FIGURE, dpi=120)
    plt.close(figure)


def main() -> None:
    """Draw the figure and renew the tables from what was measured."""
    file = measure.RESULTS / "ranks.json"
    result = json.loads(file.read_text(encoding="utf-8"))
    result["tables"] |= tables(result["model"])
    measure.write(result)
    draw(result["model"])


if __name__ == "__main__":
    main()
