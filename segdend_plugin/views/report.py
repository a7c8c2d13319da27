"""Results as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from segdend_plugin.cells import morphology as morphologies
from segdend_plugin.cells.cable import segregation_lumped
from segdend_plugin.cells.files import source
from segdend_plugin.cells.survey import Electrotonics
from segdend_plugin.engine.cost import RankCost
from segdend_plugin.engine.layered import LUMPED
from segdend_plugin.experiment.config import Experiment
from segdend_plugin.experiment.folder import read_summary


def table(folders: Sequence[Path]) -> str:
    """Return a table of the results of runs.

    Raises
    ------
    DataError
        If a folder holds no finished run.
    """
    head = ("run", "network", "examples", "error", "of images", "images/s")
    rows = [head]
    for folder in folders:
        run = read_summary(folder)
        rows.append(
            (
                folder.name,
                "-".join(map(str, run["layers"])),
                str(run["train_examples"]),
                f"{100 * run['test_error']:.1f} %",
                f"{run['test_examples']} {run['evaluated_on']}",
                f"{run['train_images_per_second']:.1f}",
            )
        )
    return columns(rows)


def costs(found: Sequence[RankCost]) -> str:
    """Return a table of what each rank would have to do."""
    head = ("rank", "cells", "memory (MB)", "ms per training image (estimated)")
    rows = [
        (str(k), str(own.cells), f"{own.bytes / 1e6:.1f}", f"{own.milliseconds:.2g}") for k, own in enumerate(found)
    ]
    return columns([head, *rows])


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as text, every column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def markdown(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def number(value: float) -> str:
    """Return a measured number as text, a dash for NaN."""
    return "-" if np.isnan(value) else f"{value:.2f}"


def morphology(cell: str, experiment: Experiment) -> tuple[dict[str, Any], Electrotonics | None]:
    """Return sizes of a cell and how far its tuft is apart, and what was measured of its shape.

    Parameters
    ----------
    cell
        'three_compartment', or what `segdend_plugin.cells.files.source.load` takes.
    experiment
        Its membrane and sites (`cable`), or the conductances of the lumped cell (`lumped`), which has no shape.
    """
    if cell == LUMPED:
        lumped = experiment.lumped
        return {
            "name": cell,
            "lumped": lumped.model_dump(),
            "segregation": segregation_lumped(lumped.g_leak, lumped.g_basal, lumped.g_apical),
        }, None
    from segdend_plugin.engine import mpi

    mpi.start()
    from segdend_plugin.experiment import cells

    cable = experiment.cable
    file = source.load(cell, cable.repair)
    summary = morphologies.summary(file.morphology)
    summary["source"] = file.given
    summary["repairs"] = [asdict(finding) for finding in file.findings]
    found = cells.electrotonics(cell, cable, experiment.placement)
    built = cells.pyramidal(cell, cable)
    summary["regions"] = {region: len(list(getattr(built, region))) for region in ("basal", "trunk", "oblique", "tuft")}
    summary["compartments"] = sum(section.nseg for section in built.all)
    summary["cable"] = cable.model_dump()
    summary["segregation"] = found.segregation().to_dict()
    summary["electrotonics"] = found.to_dict()
    summary["linear"] = cells.linear(cell, cable, experiment.placement, experiment.phases.dt)
    return summary, found
