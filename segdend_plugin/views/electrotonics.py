"""How cells pass on signals, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from segdend_plugin.cells.survey import AC_LENGTH, Electrotonics
from segdend_plugin.errors import ConfigError
from segdend_plugin.views.figures import save
from segdend_plugin.views.morphology import COLOURS
from segdend_plugin.views.report import columns

NOTHING = "-"
SHOWN = (20.0, 100.0)
"""Frequencies of the table beside 0 (Hz), if they were measured."""
REGIONS = ("basal", "oblique", "trunk", "tuft")
BASAL, SOMA, TUFT = COLOURS["basal"], COLOURS["soma"], COLOURS["tuft"]
PURPLE = "#CC79A7"
WIDTH, HEIGHT = 3.3, 2.9
"""Of a panel (inch)."""
FAINTEST = 1e-3
"""Fractions below this are not drawn: no reader of the tuft could tell them from nothing."""

Cell = Mapping[str, Any]


def table(cells: Sequence[Cell]) -> str:
    """Return a table with a column for each cell and a row for each quantity.

    Parameters
    ----------
    cells
        What `segdend_plugin.views.report.morphology` says of each.
    """
    rows = [("", *(cell["name"] for cell in cells))]
    for label, value in _ROWS:
        shown = [_or_dash(value, cell) for cell in cells]
        if any(text != NOTHING for text in shown):
            rows.append((label, *shown))
    return columns(rows) + "\n\n" + _NOTE


def _or_dash(value: Callable[[Cell], str], cell: Cell) -> str:
    """Return what the cell has of a quantity; a lumped cell has no shape."""
    try:
        return value(cell)
    except (KeyError, TypeError, ValueError):
        return NOTHING


def _steady(group: str, key: str, digits: int) -> Callable[[Cell], str]:
    return lambda cell: f"{cell['electrotonics'][group][key][0]:.{digits}f}"


def _segregation(key: str) -> Callable[[Cell], str]:
    return lambda cell: f"{cell['segregation'][key]:.3f}"


def _at(key: str, frequency: float) -> Callable[[Cell], str]:
    def value(cell: Cell) -> str:
        measured = cell["electrotonics"]
        return f"{measured['segregation_index'][key][measured['frequency'].index(frequency)]:.3f}"

    return value


def _range(measure: str, digits: int) -> Callable[[Cell], str]:
    def value(cell: Cell) -> str:
        extent = cell["electrotonics"]["extent"][measure]
        mean, least, greatest = (f"{extent[f'tuft_{which}']:.{digits}f}" for which in ("mean", "least", "greatest"))
        return mean if least == greatest else f"{mean} ({least} to {greatest})"

    return value


def _farthest(measure: str, digits: int) -> Callable[[Cell], str]:
    def value(cell: Cell) -> str:
        extent = cell["electrotonics"]["extent"][measure]
        return f"{extent['basal_greatest']:.{digits}f}, {extent['apical_greatest']:.{digits}f}"

    return value


_AC = f"at {AC_LENGTH:g} Hz"
_ROWS: list[tuple[str, Callable[[Cell], str]]] = [
    ("basal dendrites (um)", lambda cell: f"{cell['length_um']['basal']:.0f}"),
    ("apical dendrite (um)", lambda cell: f"{cell['length_um']['apical']:.0f}"),
    ("compartments", lambda cell: str(cell["compartments"])),
    ("  followed by", lambda cell: f"{cell['linear']['states']} states (within {cell['linear']['largest_error']:.0e})"),
    ("tuft sites", lambda cell: str(cell["segregation"]["tuft_sites"])),
    ("path from the soma (um): tuft sites", _range("distance", 0)),
    ("  farthest basal, farthest apical", _farthest("distance", 0)),
    ("electrotonic length: tuft sites", _range("length", 2)),
    (f"  {_AC}", _range("length_ac", 2)),
    ("  farthest basal, farthest apical", _farthest("length", 2)),
    ("input impedance (MOhm): basal", _steady("input", "basal", 0)),
    ("  soma", _steady("input", "soma", 0)),
    ("  tuft", _steady("input", "tuft", 0)),
    ("transfer impedance (MOhm): tuft, soma", _steady("transfer", "soma-tuft", 1)),
    ("  tuft, basal", _steady("transfer", "basal-tuft", 1)),
    ("  basal, soma", _steady("transfer", "basal-soma", 0)),
    ("potential that arrives: tuft to soma", _segregation("tuft_to_soma")),
    ("  soma to tuft", _segregation("soma_to_tuft")),
    ("  basal to soma", _steady("attenuation", "basal->soma", 3)),
    ("  soma to basal", _steady("attenuation", "soma->basal", 3)),
    ("  tuft to basal", _steady("attenuation", "tuft->basal", 3)),
    ("  basal to tuft", _steady("attenuation", "basal->tuft", 3)),
    ("segregation index: tuft, basal", _segregation("index")),
    *[(f"  at {frequency:g} Hz", _at("tuft-basal", frequency)) for frequency in SHOWN],
    ("  tuft, soma", _segregation("index_soma")),
    *[(f"  at {frequency:g} Hz", _at("tuft-soma", frequency)) for frequency in SHOWN],
    ("independence index: tuft, basal", lambda cell: f"{cell['segregation']['independence']:.1f}"),
]
_NOTE = (
    "Steady state unless a frequency is given. The tuft is all sites of feedback as one, basal all basal dendrites.\n"
    "Segregation index 1 - |Zab|/sqrt(|Zaa||Zbb|): 0 one place, 1 apart; independence index (Zaa+Zbb)/(2 Zab) - 1 "
    "(Wybo et al. 2019)."
)


def plot(cells: Sequence[tuple[str, Electrotonics]], path: str | Path) -> None:
    """Draw a row of panels for each cell: over frequency, and along the dendrites; the scales are the same for all.

    Parameters
    ----------
    cells
        Name of each, and what was measured of it.
    path
        Target, by its ending PNG, PDF or SVG.

    Raises
    ------
    ConfigError
        If there is nothing to draw, or the place cannot be written.
    """
    if not cells:
        raise ConfigError("--plot: the lumped cell has no shape to draw; name a reconstructed cell.")
    panels = (_impedances, _fractions, _indices, _outwards, _inwards)
    figure = Figure(figsize=(WIDTH * len(panels), HEIGHT * len(cells) + 0.6), layout="constrained")
    grid = figure.subplots(len(cells), len(panels), squeeze=False, sharex="col", sharey="col")
    for row, (name, cell) in zip(grid, cells, strict=True):
        for axes, draw in zip(row, panels, strict=True):
            draw(axes, cell)
            axes.grid(alpha=0.3)
            axes.tick_params(labelleft=True)
        row[0].annotate(
            name,
            (0, 0.5),
            xytext=(-52, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            rotation=90,
            ha="right",
            va="center",
            fontweight="bold",
        )
    for axes in grid[0]:
        axes.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, columnspacing=1.2, frameon=False)
    farthest = max(branch.distance[-1] for _, cell in cells for branch in cell.branches)
    for axes, label in zip(grid[-1], ["frequency (Hz)"] * 3 + ["path distance from soma (µm)"] * 2, strict=True):
        axes.set_xlabel(label)
        axes.set_xlim(0, 1.03 * (farthest if "path" in label else cells[0][1].frequencies[-1]))
    save(figure, path, option="--plot")


def _impedances(axes: Axes, cell: Electrotonics) -> None:
    for (first, second), colour, style in (
        (("tuft", "tuft"), TUFT, "-"),
        (("basal", "basal"), BASAL, "-"),
        (("soma", "soma"), SOMA, ":"),
        (("tuft", "soma"), PURPLE, "--"),
    ):
        label = first if first == second else f"{first} to {second}"
        axes.plot(cell.frequencies, np.abs(cell.between(first, second)), label=label, color=colour, linestyle=style)
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.1)
    axes.set_ylabel("input, transfer impedance (MΩ)")


def _fractions(axes: Axes, cell: Electrotonics) -> None:
    for (source, target), colour, style in (
        (("tuft", "soma"), TUFT, "-"),
        (("soma", "tuft"), TUFT, "--"),
        (("basal", "soma"), BASAL, "-"),
        (("soma", "basal"), BASAL, "--"),
    ):
        axes.plot(
            cell.frequencies,
            cell.attenuation(source, target),
            label=f"{source} → {target}",
            color=colour,
            linestyle=style,
        )
    axes.set_yscale("log")
    axes.set_ylim(FAINTEST, 1.1)
    axes.set_ylabel("fraction of potential that arrives")


def _indices(axes: Axes, cell: Electrotonics) -> None:
    for (first, second), colour, style in (
        (("tuft", "basal"), TUFT, "-"),
        (("tuft", "soma"), PURPLE, "--"),
        (("basal", "soma"), BASAL, ":"),
    ):
        axes.plot(
            cell.frequencies, cell.index(first, second), label=f"{first}, {second}", color=colour, linestyle=style
        )
    axes.set_ylim(0, 1.02)
    axes.set_ylabel("segregation index")


def _outwards(axes: Axes, cell: Electrotonics) -> None:
    _tree(axes, cell, "from_soma")
    axes.set_ylabel("potential there, of 1 at the soma")


def _inwards(axes: Axes, cell: Electrotonics) -> None:
    _tree(axes, cell, "to_soma")
    axes.set_ylabel("potential at the soma, of 1 there")


def _tree(axes: Axes, cell: Electrotonics, signal: str) -> None:
    for branch in cell.branches:
        axes.plot(branch.distance, getattr(branch, signal), color=COLOURS[branch.region], linewidth=1)
    for region in REGIONS:
        axes.plot([], [], color=COLOURS[region], label=region)
    axes.plot(
        [site.distance for site in cell.sites],
        [getattr(site, signal) for site in cell.sites],
        "o",
        markersize=5,
        markerfacecolor="white",
        color=TUFT,
        zorder=3,
        label="sites of feedback",
    )
    axes.set_yscale("log")
    axes.set_ylim(FAINTEST, 1.1)
