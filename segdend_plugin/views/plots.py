"""Figures of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from segdend_plugin.experiment.folder import read_metrics, read_summary
from segdend_plugin.views.figures import save

RUNNING_MEAN = 5
"""Training reports (of 100 examples each) that one point of the running error is averaged over."""


def learning_curve(folders: Sequence[Path], path: Path) -> None:
    """Plot error against examples of one or more runs.

    Parameters
    ----------
    folders
        Folders of runs; the first is drawn strongest.
    path
        Target, by its ending PNG, PDF or SVG.
    """
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.add_subplot()
    for folder in folders:
        metrics = read_metrics(folder)
        training = [m for m in metrics if m["kind"] == "train"]
        held_out = [m for m in metrics if m["kind"] != "train"]
        label = _label(folder)
        (line,) = axes.plot(
            [m["example"] for m in training],
            _running_mean([100 * m["error"] for m in training]),
            linewidth=1.2,
            alpha=0.5,
        )
        axes.plot(
            [m["example"] for m in held_out],
            [100 * m["error"] for m in held_out],
            "o-",
            color=line.get_color(),
            label=label,
        )
    axes.set_xlabel("training examples")
    axes.set_ylabel("error (%)")
    axes.set_ylim(0, 100)
    axes.set_yscale("symlog", linthresh=10)
    axes.set_yticks([0, 2, 5, 10, 20, 50, 100], ["0", "2", "5", "10", "20", "50", "100"])
    axes.grid(alpha=0.3)
    axes.legend(title="held-out images; pale: training images before learning them", title_fontsize=8, fontsize=9)
    save(figure, path)


def _label(folder: Path) -> str:
    if not (folder / "summary.json").is_file():
        return folder.name
    error = read_summary(folder)["test_error"]
    return f"{folder.name}: {100 * error:.1f} %"


def _running_mean(values: Sequence[float]) -> list[float]:
    return [
        sum(values[max(0, k - RUNNING_MEAN + 1) : k + 1]) / len(values[max(0, k - RUNNING_MEAN + 1) : k + 1])
        for k in range(len(values))
    ]
