"""Figures and tables of reproduced results, the published value beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from segdend_plugin.campaign import reproduce
from segdend_plugin.campaign.figures import Figure, Scale
from segdend_plugin.campaign.reproduce import Job, Row
from segdend_plugin.experiment import diagnostics
from segdend_plugin.experiment.folder import read_metrics
from segdend_plugin.types import Array
from segdend_plugin.views.figures import COLOURS, save
from segdend_plugin.views.report import markdown, number

MEASURES = {
    "error": "test error (%)",
    "angle": "lowest angle to backprop (°)",
    "coordination": "mean r of hidden and output loss",
    "fields": "median best match of fields (r)",
}
SHOWN = 8
"""Receptive fields that are drawn."""
RUNNING = 10
"""Training reports (of 100 examples) that one point of a curve is averaged over."""


def table(figure: Figure, scale: Scale, rows: Sequence[Row]) -> str:
    """Return the table of a figure in Markdown."""
    title = f"{figure.title} (eLife 22901, {figure.source}; scale {scale}); {MEASURES[figure.measure]}"
    head = (
        "condition",
        f"published ({figure.published_epochs} epochs)",
        "here: mean",
        "SD",
        "seeds",
        "examples",
        "images",
    )
    lines = []
    for row in rows:
        published = [] if row.condition.published is None else [f"{row.condition.published:g}"]
        said = "; ".join([*published, *([row.condition.remark] if row.condition.remark else [])]) or "-"
        measured = (number(row.mean), number(row.sd), len(row.values), row.examples, row.images)
        lines.append((row.condition.name, said, *measured))
    order = reproduce.order(rows)
    return f"{title}\n\n{markdown(head, lines)}" + (f"\n\n{order}" if order else "")


def plot(figure: Figure, scale: Scale, rows: Sequence[Row], done: Sequence[Job], path: Path) -> None:
    """Draw the curves of all runs, and beside them what was measured with the published value.

    Parameters
    ----------
    figure, scale
        What was trained, and how much.
    rows
        The table.
    done
        Its runs.
    path
        Target.
    """
    canvas = Canvas(figsize=(10.0, 4.4), layout="constrained")
    left, right = canvas.subplots(1, 2, width_ratios=(1.7, 1.0))
    {
        "error": _errors,
        "angle": _angles,
        "coordination": _eigenvalues,
        "fields": _fields,
    }[figure.measure](left, figure, done)
    if figure.measure == "coordination":
        _correlations(right, figure, done)
    else:
        _compare(right, figure, rows)
    unfinished, order = scale != "full", reproduce.order(rows)
    note = f"{rows[0].examples} examples, {len(rows[0].values)} seed(s)"
    canvas.suptitle(
        f"{figure.title} (eLife 22901, {figure.source})\n{note}"
        + (f"; NOT CONVERGED, the paper trains {figure.published_epochs} epochs of 60,000" if unfinished else "")
        + (f"\n{order}" if order else ""),
        fontsize=10,
    )
    save(canvas, path)


def _runs(figure: Figure, done: Sequence[Job]) -> list[tuple[str, str, list[Job]]]:
    """Return colour, name and runs of each condition."""
    return [
        (COLOURS[k % len(COLOURS)], condition.name, [job for job in done if job.condition == condition])
        for k, condition in enumerate(figure.conditions)
    ]


def _errors(axes: Axes, figure: Figure, done: Sequence[Job]) -> None:
    for colour, name, runs in _runs(figure, done):
        for k, job in enumerate(runs):
            training = [m for m in read_metrics(job.folder) if m["kind"] == "train"]
            errors = np.convolve([100 * m["error"] for m in training], np.ones(RUNNING) / RUNNING, "valid")
            examples = [m["example"] for m in training][RUNNING - 1 :]
            axes.plot(examples, errors[: len(examples)], color=colour, linewidth=1, label=name if k == 0 else None)
    axes.set_yscale("log")
    axes.set_yticks([2, 3, 5, 10, 20, 50, 100], ["2", "3", "5", "10", "20", "50", "100"])
    axes.set_ylabel(f"error on training images before learning them (%),\nmean of {RUNNING * 100}")
    _finish(axes)


def _angles(axes: Axes, figure: Figure, done: Sequence[Job]) -> None:
    for colour, name, runs in _runs(figure, done):
        for k, job in enumerate(runs):
            examples, angle = reproduce.smoothed_angle(job.folder)
            axes.plot(examples, angle, color=colour, linewidth=1, label=name if k == 0 else None)
    axes.axhline(90, color="grey", linewidth=0.8, linestyle=":")
    axes.set_ylim(0, 100)
    axes.set_ylabel("angle to backprop (°), mean of 100")
    _finish(axes)


def _eigenvalues(axes: Axes, figure: Figure, done: Sequence[Job]) -> None:
    for colour, name, runs in _runs(figure, done):
        for k, job in enumerate(runs):
            record = diagnostics.read(job.folder)
            label = name if k == 0 else None
            axes.plot(record["eigenvalue_example"] + 1, record["eigenvalue"], color=colour, linewidth=1, label=label)
    axes.axhline(1, color="grey", linewidth=0.8, linestyle=":")
    axes.set_ylabel("largest eigenvalue of (I - JbJg)ᵀ(I - JbJg)")
    _finish(axes)


def _correlations(axes: Axes, figure: Figure, done: Sequence[Job]) -> None:
    for k, job in enumerate(done):
        found = reproduce.coordination(job.folder)
        for colour, (pairing, marker) in zip(COLOURS, (("paired", "o"), ("shuffled", "x")), strict=False):
            label = pairing if k == 0 else None
            axes.plot(list(found[pairing]), list(found[pairing].values()), marker, color=colour, label=label)
    axes.plot([1.6, 2.4], [0.61, 0.61], color="black", linewidth=2, label="published, class 2, second epoch")
    axes.axhline(0, color="grey", linewidth=0.6)
    axes.set_xticks(range(10))
    axes.set_ylim(top=0.95)  # room for the legend
    axes.set_xlabel("class")
    axes.set_ylabel("r of hidden and output loss, last half of training")
    axes.legend(fontsize=8)


def _fields(axes: Axes, figure: Figure, done: Sequence[Job]) -> None:
    local = [job for job in done if job.condition.name == "local"]
    references = [job for job in done if job.condition.name == "backprop"]
    bins = [k / 50 for k in range(51)]
    matched: list[Array] = []
    shuffled: list[Array] = []
    for job in local:
        reference = next((other for other in references if other.seed != job.seed), references[0])
        found = reproduce.field_matches(job.folder, reference.folder)
        matched.append(found[0])
        shuffled.append(found[1])
    axes.hist(np.concatenate(matched), bins, color=COLOURS[0], alpha=0.7, label="local rule against backprop")
    axes.hist(np.concatenate(shuffled), bins, color=COLOURS[3], alpha=0.7, label="its pixels shuffled")
    axes.set_ylim(top=1.9 * axes.get_ylim()[1])
    axes.set_xlabel("best match with a field of backprop (Pearson's r)")
    axes.set_ylabel("hidden cells")
    axes.legend(fontsize=8, loc="center right")
    for row, (name, job) in enumerate((("local", local[0]), ("backprop", references[0]))):
        _examples(axes, reproduce.fields(job.folder), name, bottom=0.8 - 0.19 * row)


def _examples(axes: Axes, fields: Array, name: str, bottom: float) -> None:
    """Draw the receptive fields of the first cells as pictures, red for positive and blue for negative weights."""
    side = round(len(fields) ** 0.5)
    if side * side != len(fields):
        return
    axes.text(0.02, bottom + 0.08, name, fontsize=8, transform=axes.transAxes)
    for k, field in enumerate(fields.T[:SHOWN]):
        picture = axes.inset_axes((0.13 + 0.85 / SHOWN * k, bottom, 0.8 / SHOWN, 0.18))
        largest = np.abs(field).max()
        picture.imshow(field.reshape(side, side), cmap="RdBu_r", vmin=-largest, vmax=largest)
        picture.set_axis_off()


def _compare(axes: Axes, figure: Figure, rows: Sequence[Row]) -> None:
    for k, row in enumerate(rows):
        colour = COLOURS[k % len(COLOURS)]
        axes.bar(k, row.mean, 0.6, color=colour, alpha=0.5, yerr=None if np.isnan(row.sd) else row.sd, capsize=4)
        axes.plot([k] * len(row.values), row.values, "o", color=colour, markersize=4)
        if row.condition.published is not None:
            axes.plot([k - 0.35, k + 0.35], [row.condition.published] * 2, color="black", linewidth=2)
    if any(row.condition.published is not None for row in rows):
        axes.plot([], [], color="black", linewidth=2, label=f"published, {figure.published_epochs} epochs")
    axes.plot([], [], "o", color="grey", label="here: seeds, mean, SD")
    axes.set_xticks(range(len(rows)), [row.condition.name for row in rows], rotation=20, ha="right")
    axes.set_ylabel(MEASURES[figure.measure])
    axes.set_ylim(bottom=min(0.0, *(row.mean for row in rows)))
    axes.legend(fontsize=8)


def _finish(axes: Axes) -> None:
    axes.set_xlabel("training examples")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower left")
