"""Results as text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segdend_plugin.cells import catalogue
from segdend_plugin.cells import morphology as morphologies
from segdend_plugin.cells.swc import read_swc
from segdend_plugin.errors import DataError


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
        run = _summary(folder)
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
    widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
    return "\n".join("  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)) for row in rows)


def morphology(name_or_file: str) -> dict[str, Any]:
    """Return sizes of a cell and how far its tuft is apart from its soma, passive with default membrane."""
    from segdend_plugin.engine import mpi

    mpi.start()
    from segdend_plugin.cells import templates
    from segdend_plugin.cells.electrotonics import segregation
    from segdend_plugin.cells.sites import most_distal_tips
    from segdend_plugin.experiment.config import Cable

    path = catalogue.find(name_or_file)
    summary = morphologies.summary(read_swc(path))
    cell = templates.pyramidal_passive(path)
    soma = cell.soma[0](0.5)
    tuft = most_distal_tips(list(cell.tuft), soma, Cable().tuft_sites)
    summary["regions"] = {region: len(list(getattr(cell, region))) for region in ("basal", "trunk", "oblique", "tuft")}
    summary["compartments"] = sum(section.nseg for section in cell.all)
    summary["segregation"] = segregation(soma, tuft).to_dict()
    return summary


def _summary(folder: Path) -> dict[str, Any]:
    try:
        summary: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except OSError:
        raise DataError(f"{str(folder)!r} holds no summary.json: give the folder of a finished run.") from None
    return summary
