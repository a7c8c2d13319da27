"""Trains what a figure of the paper compares, one process per run, and collects the results."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from math import hypot, sqrt
from pathlib import Path
from typing import Any

import numpy as np

from segdend_plugin.campaign import jobs
from segdend_plugin.campaign.figures import FIGURES, Condition, Figure, Scale
from segdend_plugin.errors import ConfigError
from segdend_plugin.experiment import diagnostics, keys
from segdend_plugin.experiment.folder import read_summary, read_weights
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.rule.diagnostics import best_matches, loss_correlations
from segdend_plugin.types import Array

MNIST_SIZES = {"one": 500, "two": 100}
DIGITS_SIZES = {"one": 60, "two": 30}
DIGITS_EPOCHS = {"quick": 2, "hour": 30, "full": 60}
SMOOTHING = 100
"""Examples that an angle is averaged over (Fig 7A)."""


Job = jobs.Job[Condition]
Row = jobs.Row[Condition]


def find(name: str) -> Figure:
    """Return a figure by its name."""
    if name not in FIGURES:
        raise ConfigError(f"FIGURE={name!r} is unknown: give one of {', '.join(FIGURES)}.")
    return FIGURES[name]


def plan(figure: Figure, scale: Scale, out: Path, data: Path | None, changes: Sequence[str] = ()) -> list[Job]:
    """Return the runs of a figure, the seeds of all conditions one after the other.

    Parameters
    ----------
    figure, scale
        What to train, and how much.
    out
        Folder of the figure; every run gets a folder of its own in it.
    data
        MNIST; the embedded digits, with smaller layers, without.
    changes
        Further settings for all runs, which win; none of what is compared.

    Raises
    ------
    ConfigError
        If a change is of the seed, or of what is compared.
    """
    _check_changes(figure, changes)
    plan = figure.plan(scale)
    common = ["cell=three_compartment", "phases.settle=30", *figure.settings]
    if data is None:
        common += [f"training.epochs={DIGITS_EPOCHS[scale]}"]
    else:
        common += [f"data.path={data.expanduser().absolute()}", f"training.epochs={plan.epochs}"]
        common += [f"data.{part}={n}" for part, n in (("train", plan.train), ("test", plan.test)) if n is not None]
        common += ["training.evaluate_images=1000"]
    sizes = DIGITS_SIZES if data is None else MNIST_SIZES
    return [
        Job(
            condition,
            seed,
            out / f"{condition.name}-{seed}",
            (*common, *(setting.format(**sizes) for setting in condition.settings), f"seed={seed}", *changes),
        )
        for seed in range(plan.seeds)
        for condition in figure.conditions
    ]


def collect(figure: Figure, done: Sequence[Job]) -> list[Row]:
    """Return the table of a figure from its finished runs."""
    rows = []
    for condition in figure.conditions:
        mine = [job for job in done if job.condition == condition]
        summaries = [read_summary(job.folder) for job in mine]
        values = tuple(_measure(figure, job, summary, done) for job, summary in zip(mine, summaries, strict=True))
        rows.append(Row(condition, values, summaries[0]["train_examples"], summaries[0]["test_examples"]))
    return rows


def order(rows: Sequence[Row]) -> str:
    """Return whether results come in the published order, as a sentence; nothing where fewer than two are published.

    A difference below two standard errors of the seeds is called level.
    """
    known = [row for row in rows if row.condition.published is not None]
    if len(known) < 2:
        return ""
    if min(len(row.values) for row in known) < 2:
        return "One seed tells no order."
    wrong, level = [], []
    for above, below in itertools.permutations(known, 2):
        if above.condition.published <= below.condition.published:  # type: ignore[operator]  # both have one
            continue
        difference = above.mean - below.mean
        errors = [row.sd / sqrt(len(row.values)) for row in (above, below)]
        names = below.condition.name, above.condition.name
        if abs(difference) <= 2 * hypot(*errors):
            level.append("{} and {}".format(*names))
        elif difference < 0:
            wrong.append(f"{names[0]} ({below.mean:.1f}) is above {names[1]} ({above.mean:.1f})")
    if wrong:
        return f"NOT in the published order: {', '.join(wrong)}."
    if level:
        return f"The published order is not shown: {', '.join(level)} are level."
    return "In the published order."


def smoothed_angle(folder: Path) -> tuple[Array, Array]:
    """Return examples and the angle of the first hidden layer (degrees), averaged over 100 examples each."""
    record = diagnostics.read(folder)
    n = len(record["example"]) // SMOOTHING
    rows = record["angle"][: n * SMOOTHING, 0].reshape(n, SMOOTHING)
    return record["example"][SMOOTHING - 1 : n * SMOOTHING : SMOOTHING] + 1, np.nanmean(rows, axis=1)


def coordination(folder: Path) -> dict[str, dict[int, float]]:
    """Return per class the correlation of L0 and L1 in the last half of training, and with the pairs shuffled."""
    record = diagnostics.read(folder)
    last = record["example"] >= record["example"][-1] // 2
    hidden, output, labels = record["hidden_loss"][last, 0], record["output_loss"][last], record["label"][last]
    shuffled = hidden.copy()
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        shuffled[of_class] = hidden[stream(0, Purpose.SHUFFLE, int(label)).permutation(of_class)]
    return {
        "paired": loss_correlations(hidden, output, labels),
        "shuffled": loss_correlations(shuffled, output, labels),
    }


def fields(folder: Path) -> Array:
    """Return the weights onto the first hidden layer, shape (n_input, n_hidden): its receptive fields."""
    return next(matrix for name, (matrix, _) in read_weights(folder).items() if name.startswith("hidden1"))


def field_matches(folder: Path, reference: Path) -> tuple[Array, Array]:
    """Return the best matches of the first layer's receptive fields with those of a reference run, and shuffled."""
    mine, others = fields(folder), fields(reference)
    shuffled = np.stack([stream(0, Purpose.SHUFFLE, k).permutation(column) for k, column in enumerate(mine.T)], axis=1)
    return best_matches(mine, others), best_matches(shuffled, others)


def write(figure: Figure, scale: Scale, rows: Sequence[Row], out: Path) -> None:
    """Write the table as `table.json`."""
    table = {
        "figure": figure.name,
        "source": f"eLife 22901, {figure.source}",
        "scale": scale,
        "measure": figure.measure,
        "order": order(rows),
        "rows": [
            {
                "condition": row.condition.name,
                "published": row.condition.published,
                "published_remark": row.condition.remark,
                **row.numbers(),
            }
            for row in rows
        ],
    }
    (out / "table.json").write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


def _check_changes(figure: Figure, changes: Sequence[str]) -> None:
    for change in changes:
        key, _ = keys.parse_setting(change)
        if key == "seed":
            raise ConfigError(f"--set {change}: a figure has the seeds of its --scale: leave it out.")
        for compared in sorted(figure.compared()):
            if keys.covers(key, compared):
                raise ConfigError(f"--set {change}: {figure.name} compares {compared}: leave it out.")


def _measure(figure: Figure, job: Job, summary: dict[str, Any], done: Sequence[Job]) -> float:
    if figure.measure == "angle":
        return float(smoothed_angle(job.folder)[1].min())
    if figure.measure == "coordination":
        return float(np.mean(list(coordination(job.folder)["paired"].values())))
    if figure.measure == "fields":
        reference = next(other for other in _references(job, done))
        return float(np.median(field_matches(job.folder, reference.folder)[0]))
    return 100.0 * float(summary["test_error"])


def _references(job: Job, done: Sequence[Job]) -> Iterator[Job]:
    """Yield backpropagation runs to compare fields with: of another seed, so that initial weights are not shared."""
    others = [other for other in done if other.condition.name == "backprop"]
    yield from (other for other in others if other.seed != job.seed)
    yield from others
