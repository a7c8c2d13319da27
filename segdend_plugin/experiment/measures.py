"""Numbers of a finished run, by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segdend_plugin.errors import DataError
from segdend_plugin.experiment.config import Experiment

INDEX = "segregation_index"
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
        ``test_error`` (in percent), ``segregation_index``, or the path of a number in `summary.json`. What
        `segregation` holds per kind of cell is averaged over the hidden cells: ``segregation.tuft_to_soma``.
    summary, experiment
        Result and description of the run.

    Returns
    -------
    float
        NaN for the segregation of a network without hidden cells.

    Raises
    ------
    DataError
        If the run has no such number.
    """
    if name == INDEX:
        name = "segregation.index"
    if name.startswith("segregation."):
        return _over_hidden_cells(name.split(".")[-1], summary, experiment)
    value: Any = summary
    for step in name.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"summary.json has no number {name!r}: name one that it has.")
    return 100.0 * value if name == "test_error" else float(value)


def _over_hidden_cells(name: str, summary: Mapping[str, Any], experiment: Experiment) -> float:
    total, cells = 0.0, 0.0
    for depth, layer in enumerate(experiment.layers.hidden):
        for cell, fraction in experiment.mixture(depth).items():
            total += layer.size * fraction * _of_cell(name, cell, summary)
            cells += layer.size * fraction
    return total / cells if cells else float("nan")


def _of_cell(name: str, cell: str, summary: Mapping[str, Any]) -> float:
    entries = summary["segregation"]
    found = entries.get(cell) or entries.get(Path(cell).stem) or {}
    value = found.get(name)
    if value is None:
        raise DataError(f"A run has no segregation.{name} of {cell!r}: name one of {', '.join(found) or 'none'}.")
    return float(value)
