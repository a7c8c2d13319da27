"""Table and figure of a sweep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox, ScaledTranslation

from segdend_plugin.campaign.measures import LABELS
from segdend_plugin.campaign.runs import Row
from segdend_plugin.campaign.sweep import CONDITION, Condition, Control, Sweep, as_yaml, description
from segdend_plugin.views.figures import COLOURS, save
from segdend_plugin.views.report import markdown, number

GREY = "#888888"
SERIES = (*(colour for colour in COLOURS if colour != "#999999"), "#56B4E9", "#E69F00", "#000000")
MARKERS = "osD^vPX*"
CONTROLS: dict[str | None, str] = {"frozen_hidden": "frozen hidden weights", "no_hidden": "no hidden layer"}
BESIDE = 5
"""Points by which single seeds are drawn beside their mean."""
MANY = 8
"""Values of a numeric axis that each get a tick."""
SHORT = 20
"""Characters of a description that is a unit rather than a sentence."""
RADIUS = 5
"""Pixels around a point that its neighbours' names keep away from."""
TICKS = (0.5, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100)


def table(sweep: Sweep, rows: Sequence[Row]) -> str:
    """Return the table of a sweep in Markdown."""
    measured = sweep.is_measured()
    head = ["condition", *([_label(sweep.x())] if measured else []), f"{_label(sweep.figure.y)}: mean", "SD"]
    lines = [
        (
            row.condition.name,
            *([number(float(np.mean(row.at))) if row.at else "-"] if measured else []),
            number(row.mean),
            number(row.sd),
            len(row.values) if len(row.values) == row.planned else f"{len(row.values)} of {row.planned}",
            row.examples or "-",
            row.images or "-",
        )
        for row in rows
    ]
    return f"{sweep.title}\n\n".lstrip("\n") + markdown([*head, "seeds", "examples", "images"], lines)


def plot(sweep: Sweep, rows: Sequence[Row], path: Path) -> None:
    """Draw the results of a sweep, mean and SD over the seeds, with the controls in grey.

    Parameters
    ----------
    sweep
        What was trained, and what to show.
    rows
        The table.
    path
        Target.
    """
    canvas = Figure(figsize=(7.2, 4.8), layout="constrained")
    axes = canvas.add_subplot()
    axes.set_xlabel("" if sweep.x() == CONDITION else _label(sweep.x()))
    axes.set_ylabel(_label(sweep.figure.y))
    axes.grid(alpha=0.3)
    if sweep.figure.log_x:
        axes.set_xscale("log")
    if sweep.figure.log_y:
        axes.set_yscale("log")
    there = [row for row in rows if not np.isnan(row.mean)]
    if sweep.figure.y == "test_error" and not sweep.figure.log_y:
        axes.set_ylim(0, 1.08 * max(max(row.values) for row in there))
    canvas.suptitle("\n".join(filter(None, [sweep.title, _note(rows)])), fontsize=10)
    if sweep.is_measured():
        _scatter(axes, there)
    else:
        _along(axes, sweep, there)
    if sweep.figure.log_y:
        low, high = axes.get_ylim()
        axes.set_yticks(ticks := [tick for tick in TICKS if low <= tick <= high], [f"{tick:g}" for tick in ticks])
        axes.set_yticks([], minor=True)
    if axes.get_legend_handles_labels()[0]:
        canvas.legend(fontsize=8, loc="outside lower center", ncols=3)  # where it covers no point
    save(canvas, path)


def _note(rows: Sequence[Row]) -> str:
    """Return how much was trained."""
    done, planned = sum(len(row.values) for row in rows), sum(row.planned for row in rows)
    examples = _span([row.examples for row in rows if row.values])
    images = _span([row.images for row in rows if row.values])
    seeds = _span([len(row.values) for row in rows if row.values])
    spread = "mean and SD of" if any(len(row.values) > 1 for row in rows) else "only"
    unfinished = f"\nUNFINISHED: {done} of {planned} runs" if done < planned else ""
    plural = "" if seeds == "1" else "s"
    return f"{examples} training examples, {images} images; {spread} {seeds} seed{plural}{unfinished}"


def _span(values: Sequence[int]) -> str:
    return f"{min(values):,}" if min(values) == max(values) else f"{min(values):,} to {max(values):,}"


def _label(name: str) -> str:
    unit = description(name)
    return LABELS.get(name, f"{name} ({unit})" if unit and len(unit) <= SHORT else name)


def _scatter(axes: Axes, rows: Sequence[Row]) -> None:
    """Draw results against a number that came out of the runs, those that have none as lines across.

    Single conditions are named at their points; in a grid, the values of its first key have colours.
    """
    placed = [row for row in rows if not np.isnan(row.at).any()]
    is_grid = any(len(row.condition.parts) > 1 for row in placed)
    groups: dict[tuple[Control | None, str], list[Row]] = {}
    for row in placed:
        control, parts = row.condition.control, row.condition.parts
        groups.setdefault((control, parts[0].label if is_grid and not control else ""), []).append(row)
    for k, ((control, name), mine) in enumerate(groups.items()):
        colour, marker = (GREY, "s") if control else (SERIES[k % len(SERIES)], MARKERS[k % len(MARKERS)])
        label = CONTROLS[control] if control else name or "trained"
        for row in mine:
            axes.errorbar(
                float(np.mean(row.at)),
                row.mean,
                xerr=_sd(row.at),
                yerr=_sd(row.values),
                fmt=marker,
                color=colour,
                capsize=3,
                label=label if row is mine[0] else None,
            )
            axes.plot(row.at, row.values, marker, color=colour, alpha=0.3, markersize=3, linestyle="none")
    _levels(axes, [row for row in rows if row not in placed])
    if not is_grid:
        _name_points(axes, [row for row in placed if row.condition.control is None], placed)


def _along(axes: Axes, sweep: Sweep, rows: Sequence[Row]) -> None:
    """Draw results against what was varied: a line per combination of the rest, or points where it is no number."""
    key = sweep.x()
    whole = key == CONDITION and not sweep.conditions  # the conditions are the combinations themselves
    plain = [row.condition for row in rows if row.condition.control is None]
    names = list(dict.fromkeys(_place(condition, key, whole) for condition in plain or [row.condition for row in rows]))
    series = list(dict.fromkeys(_rest(condition, key, whole) for condition in plain))
    numeric = all(isinstance(name, int | float) and not isinstance(name, bool) for name in names)
    for (control, rest), mine in _grouped(rows, key, whole):
        if control == "no_hidden" and any(_place(row.condition, key, whole) not in names for row in mine):
            _levels(axes, mine)
            continue
        k = series.index(rest) if rest in series else 0
        dodge = 0.0 if numeric else 0.12 * (k - (len(series) - 1) / 2)
        places = [_place(row.condition, key, whole) for row in mine]
        xs = [float(place) if numeric else names.index(place) + dodge for place in places]
        order = np.argsort(xs)
        label = CONTROLS[control] if control else rest or ("trained" if len(plain) < len(rows) else "")
        known = axes.get_legend_handles_labels()[1]
        _points(
            axes,
            [xs[n] for n in order],
            [mine[n] for n in order],
            colour=GREY if control else SERIES[k % len(SERIES)],
            style=("--" if control else "-") if numeric else "none",
            marker=MARKERS[k % len(MARKERS)] if rest or not control else "s",
            label=label if label and label not in known else None,
        )
    if not numeric:
        texts = [name if isinstance(name, str) else as_yaml(name) for name in names]
        long = sum(map(len, texts)) > 60
        axes.set_xticks(range(len(names)), texts, rotation=20 if long else 0, ha="right" if long else "center")
        axes.set_xlim(-0.5, len(names) - 0.5)
    elif len(names) <= MANY:
        axes.set_xticks([float(name) for name in names], [f"{name:g}" for name in names])
        axes.set_xticks([], minor=True)


def _points(
    axes: Axes, xs: Sequence[float], rows: Sequence[Row], *, colour: str, style: str, marker: str, label: str | None
) -> None:
    spread = [0.0 if np.isnan(row.sd) else row.sd for row in rows]
    axes.errorbar(
        xs,
        [row.mean for row in rows],
        yerr=spread if any(spread) else None,
        marker=marker,
        linestyle=style,
        color=colour,
        capsize=3,
        label=label,
    )
    figure = axes.get_figure()
    beside = axes.transData + ScaledTranslation(BESIDE / 72, 0, figure.dpi_scale_trans)  # type: ignore[union-attr]
    for x, row in zip(xs, rows, strict=True):
        if len(row.values) > 1:
            axes.plot(
                [x] * len(row.values),
                row.values,
                marker,
                color=colour,
                alpha=0.35,
                markersize=3,
                transform=beside,
            )


def _levels(axes: Axes, rows: Sequence[Row]) -> None:
    """Draw what has no place on the axis as lines across it."""
    for row in rows:
        control = CONTROLS.get(row.condition.control)
        name = ", ".join([*(part.label for part in row.condition.parts), *([control] if control else [])])
        axes.axhline(row.mean, color=GREY, linestyle=":", label=name)
        if len(row.values) > 1:
            axes.axhspan(row.mean - row.sd, row.mean + row.sd, color=GREY, alpha=0.15, linewidth=0)


def _place(condition: Condition, key: str, whole: bool) -> Any:
    """Return where a condition is on the axis."""
    if whole:
        return ", ".join(part.label for part in condition.parts)
    part = condition.part(key)
    if part is None:
        return None
    value = part.label if key == CONDITION else part.settings[key]
    return as_yaml(value) if isinstance(value, list | dict) else value


def _rest(condition: Condition, key: str, whole: bool) -> str:
    """Return what else a condition is."""
    return "" if whole else ", ".join(part.label for part in condition.parts if part.key != key)


def _grouped(rows: Sequence[Row], key: str, whole: bool) -> Iterator[tuple[tuple[str | None, str], list[Row]]]:
    """Yield control, name and rows of each series."""
    groups: dict[tuple[str | None, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.condition.control, _rest(row.condition, key, whole)), []).append(row)
    yield from groups.items()


def _name_points(axes: Axes, rows: Sequence[Row], others: Sequence[Row]) -> None:
    """Write the names of points beside them, where they cover neither points nor other names."""
    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    axes.margins(0.08)
    figure.draw_without_rendering()
    frame = axes.get_window_extent()
    taken = [line.get_window_extent() for line in axes.lines if line.get_linestyle() == ":"]
    for row in others:
        x, dx, dy = float(np.mean(row.at)), _sd(row.at) or 0.0, _sd(row.values) or 0.0
        corners = axes.transData.transform(np.array([(x - dx, row.mean - dy), (x + dx, row.mean + dy)]))
        taken.append(Bbox([corners[0] - RADIUS, corners[1] + RADIUS]))
    for row in rows:
        point = (float(np.mean(row.at)), row.mean)
        text = axes.annotate(row.condition.name, point, (0, 0), textcoords="offset points", fontsize=8, va="center")
        for side, x, y in _sides():
            text.set_horizontalalignment(side)
            text.xyann = (x, y)
            box = text.get_window_extent()
            inside = frame.containsx(box.x0) and frame.containsx(box.x1) and frame.containsy(box.y0)
            if inside and frame.containsy(box.y1) and not any(box.overlaps(other) for other in taken):
                break
        taken.append(text.get_window_extent())


def _sides() -> Iterator[tuple[Literal["left", "center", "right"], float, float]]:
    """Yield alignments and offsets in points, the nearest first."""
    for away in (0, 9, 18, 27):
        for sign in (1, -1):
            yield "left", 7, sign * away
            yield "right", -7, sign * away
        yield "center", 0, away + 11
        yield "center", 0, -away - 11


def _sd(values: Sequence[float]) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None
