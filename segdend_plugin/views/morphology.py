"""Pictures of reconstructed neurons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle

from segdend_plugin.cells.morphology import APICAL, SOMA, Morphology, sections, soma_diameter
from segdend_plugin.views.figures import save

# From the palette of Okabe and Ito, which people with any colour vision tell apart; in drawing order.
COLOURS: dict[str, str] = {
    "axon": "#999999",
    "basal": "#0072B2",
    "oblique": "#009E73",
    "trunk": "#222222",
    "tuft": "#D55E00",
    "soma": "#222222",
}
LEGEND = ("tuft", "oblique", "trunk", "soma", "basal", "axon")
HEIGHT = 7.0
"""Height of the picture (inch)."""
MARGIN = 0.06
"""Empty border, as a fraction of the larger extent."""
THINNEST = 0.8
"""Dendrites are drawn to scale, but not below this width (pt)."""


def plot(morphology: Morphology, regions: Sequence[str], path: str | Path) -> None:
    """Draw a neuron in the plane of the section, its apical dendrite upwards, and save the picture.

    Parameters
    ----------
    morphology : Morphology
    regions : sequence of str
        Region of each section, as `segdend_plugin.cells.morphology.regions` returns them.
    path : str or Path
        File to write; its ending chooses the format.
    """
    xy = upright(morphology)
    low, high = xy.min(axis=0), xy.max(axis=0)
    border = MARGIN * (high - low).max()
    low, high = low - border, high + border
    points_per_um = 72 * HEIGHT / (high - low)[1]

    # Room for the legend at the right, a quarter of the height.
    drawing = max(points_per_um * (high - low)[0] / 72, 2.0)
    legend = 0.25 * HEIGHT
    figure = Figure(figsize=(drawing + legend, HEIGHT), facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, drawing / (drawing + legend), 1.0))
    axes.set_axis_off()
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])

    _draw_neurites(axes, morphology, regions, xy, points_per_um)
    axes.add_patch(Circle(_soma(morphology, xy), soma_diameter(morphology) / 2, color=COLOURS["soma"], zorder=9))
    _draw_scale_bar(axes, high[0], low[1] + border / 2, high[1] - low[1])
    shown = [region for region in LEGEND if region in regions]
    figure.legend(
        handles=[_key(region) for region in shown],
        loc="upper right",
        bbox_to_anchor=(0.98, 0.97),
        frameon=False,
        title=morphology.name,
    )
    save(figure, path)


def upright(morphology: Morphology) -> np.ndarray:
    """Project the points on x and y and turn them so that the mean vector from the soma to the apical tips points up.

    Returns
    -------
    ndarray, shape (n, 2)
        Coordinates (um), the soma at the origin.
    """
    xy = morphology.xyz[:, :2] - morphology.soma_centre[:2]
    tip = morphology.types == APICAL
    tip[morphology.parent[morphology.parent >= 0]] = False
    x, y = xy[tip].mean(axis=0)
    angle = math.pi / 2 - math.atan2(y, x)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    turned: np.ndarray = xy @ turn.T
    return turned


def _soma(morphology: Morphology, xy: np.ndarray) -> tuple[float, float]:
    x, y = xy[morphology.types == SOMA].mean(axis=0)
    return float(x), float(y)


def _draw_neurites(
    axes: Axes, morphology: Morphology, regions: Sequence[str], xy: np.ndarray, points_per_um: float
) -> None:
    order = list(COLOURS)
    for section, region in zip(sections(morphology), regions, strict=True):
        if section.type == SOMA:
            continue
        # A neurite begins outside the soma; the line runs on to its centre, so that nothing seems to float.
        ends = np.array(section.points)
        begin = ends[0]
        line = xy[ends]
        if morphology.types[begin] != SOMA and morphology.types[morphology.parent[begin]] == SOMA:
            line = np.vstack([xy[morphology.parent[begin]], line])
            ends = np.concatenate([[begin], ends])
        axes.add_collection(
            LineCollection(
                np.stack([line[:-1], line[1:]], axis=1).tolist(),
                linewidths=np.maximum(2 * morphology.radius[ends[1:]] * points_per_um, THINNEST).tolist(),
                colors=COLOURS[region],
                capstyle="round",
                zorder=2 + order.index(region),
            ),
            autolim=False,
        )


def _draw_scale_bar(axes: Axes, right: float, bottom: float, height: float) -> None:
    """Draw a bar of 50, 100 or 200 um, whichever is nearest to an eighth of the height."""
    bar = min((50, 100, 200), key=lambda length: abs(length - height / 8))
    axes.plot([right - bar, right], [bottom, bottom], color="black", linewidth=2, solid_capstyle="butt", clip_on=False)
    axes.annotate(
        f"{bar} µm", (right - bar / 2, bottom), xytext=(0, 4), textcoords="offset points", ha="center", va="bottom"
    )


def _key(region: str) -> Line2D:
    if region == "soma":
        return Line2D([], [], color=COLOURS[region], marker="o", linestyle="none", markersize=8, label=region)
    return Line2D([], [], color=COLOURS[region], linewidth=2.5, label=region)
