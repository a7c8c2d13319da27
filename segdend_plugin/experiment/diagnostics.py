"""Records how a network learns, example by example, into the folder of its run."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from segdend_plugin.engine.network import Observation
from segdend_plugin.errors import DataError
from segdend_plugin.rule import diagnostics
from segdend_plugin.types import Array

WINDOW = 100
"""Examples over which Jacobians are averaged (eLife 22901, Fig 5 - figure supplement 1)."""
FILE = "diagnostics.h5"
COUNTERS = ("example", "eigenvalue_example")


class Recorder:
    """Appends what whole layers did to `diagnostics.h5`; used by rank 0 alone.

    Datasets, one row per recorded example; a column per hidden layer from the input on:

    ``example``, ``label``; ``output_loss`` (1/ms^2), ``hidden_loss``; ``angle`` to backpropagation (degrees); ``rate``
    (1/ms; hidden layers and output); ``difference_sd`` and ``difference_max``, spread and largest size of
    alpha_t - alpha_f; ``apical_sd``, spread of the forward apical averages; with interneurons, ``interneuron_rate``
    (1/ms; per population, in the forward and the target window). Another, shorter one holds
    ``eigenvalue`` with ``eigenvalue_example``: of Theorem 1, from Jacobians averaged over 100 examples.

    Parameters
    ----------
    folder
        Folder of the run.
    output_gain
        k_d.
    example
        Where training begins: rows of later examples are removed.
    plateau_gain
        Of the plateau's sigmoid.
    """

    def __init__(self, folder: Path, output_gain: float, example: int = 0, plateau_gain: float = 1.0) -> None:
        self.path, self._gain, self._plateau_gain = folder / FILE, output_gain, plateau_gain
        self._rows: list[dict[str, Array]] = []
        self._forwards: list[Array] = []
        self._backwards: list[Array] = []
        if self.path.exists():
            try:
                self._cut_back(example)
            except (OSError, KeyError, ValueError):
                raise DataError(f"{str(self.path)!r} is damaged: remove it; records then begin anew.") from None

    def _cut_back(self, example: int) -> None:
        with h5py.File(self.path, "a") as file:
            kept = {counter: int(np.sum(file[counter][()] < example)) for counter in COUNTERS if counter in file}
            for key, dataset in file.items():
                dataset.resize(kept[COUNTERS[key.startswith("eigenvalue")]], axis=0)

    def add(self, example: int, label: int, seen: Observation) -> None:
        """Take one example."""
        hidden, output = seen.averages[:-1], seen.averages[-1]
        self._rows.append(
            {
                "example": np.array(example),
                "label": np.array(label),
                "output_loss": np.array(diagnostics.output_loss(output.target_rate, output.forward_potential)),
                "hidden_loss": np.array(
                    [
                        diagnostics.hidden_loss(layer.forward_rate, difference, layer.forward_potential)
                        for layer, difference in zip(hidden, seen.differences, strict=True)
                    ]
                ),
                "angle": np.array(
                    [
                        diagnostics.angle(local, exact)
                        for local, exact in zip(seen.hidden_deltas, seen.backprop_deltas, strict=True)
                    ]
                ),
                "rate": np.array([layer.forward_rate.mean() for layer in seen.averages]),
                "difference_sd": np.array([difference.std() for difference in seen.differences]),
                "difference_max": np.array([np.abs(difference).max() for difference in seen.differences]),
                "apical_sd": np.array([layer.forward_apical.std() for layer in hidden]),
            }
        )
        if len(seen.interneuron_rates):
            self._rows[-1]["interneuron_rate"] = seen.interneuron_rates
        if hidden:
            forwards, backwards = diagnostics.jacobians(
                seen.forward[-1], seen.feedback[-1], output.forward_potential, self._gain, self._plateau_gain
            )
            self._forwards.append(forwards)
            self._backwards.append(backwards)

    def flush(self, example: int) -> None:
        """Write what was taken, at an example counter that is a multiple of `WINDOW` or the end of a stretch."""
        if not self._rows:
            return
        with h5py.File(self.path, "a") as file:
            for key in self._rows[0]:
                _append(file, key, np.array([row[key] for row in self._rows]))
            if self._forwards:
                forwards, backwards = np.mean(self._forwards, axis=0), np.mean(self._backwards, axis=0)
                _append(file, "eigenvalue", np.array([diagnostics.largest_eigenvalue(forwards, backwards)]))
                _append(file, "eigenvalue_example", np.array([example - 1]))
        self._rows, self._forwards, self._backwards = [], [], []


def read(folder: Path) -> dict[str, Array]:
    """Return the datasets of a run's `diagnostics.h5`.

    Raises
    ------
    DataError
        If the run has recorded none.
    """
    try:
        with h5py.File(folder / FILE, "r") as file:
            return {key: dataset[()] for key, dataset in file.items()}
    except OSError:
        raise DataError(f"{str(folder)!r} holds no {FILE}: train with diagnostics.every=1.") from None


def _append(file: h5py.File, key: str, values: Array) -> None:
    if key not in file:
        file.create_dataset(key, data=values, maxshape=(None, *values.shape[1:]), chunks=(1024, *values.shape[1:]))
        return
    dataset = file[key]
    dataset.resize(len(dataset) + len(values), axis=0)
    dataset[-len(values) :] = values
