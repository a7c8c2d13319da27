"""Results as text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segdend_plugin.cells import catalogue
from segdend_plugin.cells import morphology as morphologies
from segdend_plugin.cells.swc import read_swc
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
    widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
    return "\n".join("  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)) for row in rows)


def morphology(name_or_file: str) -> dict[str, Any]:
    """Return sizes of a cell and how far its tuft is apart from its soma, passive with default membrane."""
    from segdend_plugin.engine import mpi

    mpi.start()
    from segdend_plugin.cells.electrotonics import segregation
    from segdend_plugin.cells.sites import FEEDBACK, most_distal_tips
    from segdend_plugin.experiment import network
    from segdend_plugin.experiment.config import Cable

    summary = morphologies.summary(read_swc(catalogue.find(name_or_file)))
    cell = network.pyramidal(name_or_file, Cable())
    soma = cell.soma[0](0.5)
    tuft = most_distal_tips(list(cell.tuft), soma, FEEDBACK.sites)
    summary["regions"] = {region: len(list(getattr(cell, region))) for region in ("basal", "trunk", "oblique", "tuft")}
    summary["compartments"] = sum(section.nseg for section in cell.all)
    summary["segregation"] = segregation(soma, tuft).to_dict()
    summary["reduced"] = network.cell_rule(name_or_file, Cable(reduced=True))["reduction"]["report"]
    return summary
