"""Numbers of a finished run, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from math import nan
from pathlib import Path
from typing import Any

from segdend_plugin.cells.electrotonics import Segregation
from segdend_plugin.experiment.config import Experiment
from segdend_plugin.experiment.summary import Summary

INDEX = "segregation_index"
NUMBERS = (
    INDEX,
    *(field.name for field in fields(Summary) if field.type in ("int", "float")),
    *(f"segregation.{field.name}" for field in fields(Segregation)),
)
"""What can be measured."""
LABELS = {
    "test_error": "test error (%)",
    INDEX: "segregation index (0: one place, 1: apart)",
    "segregation.tuft_to_soma": "attenuation from tuft to soma",
    "segregation.soma_to_tuft": "attenuation from soma to tuft",
}
"""What to write at an axis, where it is not the name itself."""


def measure(name: str, summary: Mapping[str, Any], experiment: Experiment) -> float:
    """Return a number of a run.

    Parameters
    ----------
    name
        One of `NUMBERS`. The test error is in percent; what `segregation` holds per kind of cell is averaged over the
        hidden cells.
    summary, experiment
        Result and description of the run.

    Returns
    -------
    float
        NaN where the run has no such number, as for the segregation of a network without hidden cells.
    """
    if name == INDEX:
        name = "segregation.index"
    if name.startswith("segregation."):
        return _over_hidden_cells(name.split(".")[-1], summary, experiment)
    value = _number(summary.get(name))
    return 100.0 * value if name == "test_error" else value


def _over_hidden_cells(name: str, summary: Mapping[str, Any], experiment: Experiment) -> float:
    total, cells = 0.0, 0.0
    for depth, layer in enumerate(experiment.layers.hidden):
        for cell, fraction in experiment.mixture(depth).items():
            total += layer.size * fraction * _of_cell(name, cell, summary)
            cells += layer.size * fraction
    return total / cells if cells else nan


def _of_cell(name: str, cell: str, summary: Mapping[str, Any]) -> float:
    entries = summary["segregation"]
    found = entries.get(cell) or entries.get(Path(cell).stem) or {}
    return _number(found.get(name))


def _number(value: float | None) -> float:
    return nan if value is None else float(value)
