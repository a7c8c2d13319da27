"""The folder of a run: what is written there, by rank 0 alone, and how it is read again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from segdend_plugin.errors import ConfigError, DataError
from segdend_plugin.experiment import checkpoint
from segdend_plugin.experiment.checkpoint import Weights
from segdend_plugin.experiment.config import Experiment
from segdend_plugin.experiment.trainer import Metric


@dataclass(frozen=True)
class Summary:
    """What `summary.json` holds.

    Attributes
    ----------
    cell
        Cell of the hidden layers; for mixtures the fraction of each in every layer; None without hidden layers.
    layers
        Cells per layer, input first.
    learning_rates
        Of each hidden layer and the output layer, as used.
    train_examples
        Training examples shown, all epochs together.
    test_examples, test_error
        Held-out images of the final evaluation and the fraction that was wrong; `evaluated_on` says whether
        they are the test images or validation images.
    train_images_per_second, build_seconds
        Wall-clock speed of training, and time to build the network beyond imports.
    compartments
        Segments of all cells on all ranks.
    segregation
        Per kind of cable cell: impedances (MOhm) and attenuation between soma and tuft.
    weights_sha256
        Digest of all weights and biases in the order of gids.
    """

    cell: str | list[dict[str, float]] | None
    layers: list[int]
    learning_rates: list[float]
    train_hidden: bool
    ranks: int
    seed: int
    train_examples: int
    test_examples: int
    test_error: float
    evaluated_on: str
    train_images_per_second: float
    build_seconds: float
    compartments: int
    segregation: dict[str, dict[str, float]]
    weights_sha256: str


class Folder:
    """A folder to write a run into; one that holds a run is never written to.

    Parameters
    ----------
    path
        Where; None for the next free ``runs/NNN``.
    """

    def __init__(self, path: Path | None) -> None:
        self._is_numbered = path is None
        self.path = path if path is not None else _next_free(Path("runs"))
        with self._writing():
            if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
                raise ConfigError(f"--out {str(self.path)!r} is not empty: choose another folder, or remove it.")

    def create(self, experiment: Experiment) -> None:
        """Make the folder and write the resolved description, with absolute paths."""
        with self._writing():
            if self._is_numbered:
                self.path = _claim_next(self.path.parent)
            self.path.mkdir(parents=True, exist_ok=True)
            with (self.path / "config.yaml").open("x", encoding="utf-8") as file:  # never over another run's
                file.write(experiment.with_absolute_paths().to_yaml())

    def append(self, metric: Metric) -> None:
        """Add a line to `metrics.jsonl`."""
        with self._writing(), (self.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(metric.to_dict()) + "\n")

    def write_weights(self, weights: Weights, sha256: str, example: int) -> None:
        """Write `weights.h5` whole or not at all."""
        with self._writing():
            checkpoint.save(self.path / "weights.h5", weights, sha256, example)

    def write_summary(self, summary: Summary) -> None:
        """Write `summary.json` whole or not at all; its presence means that the run is complete."""
        with self._writing():
            part = self.path / "summary.json.part"
            part.write_text(json.dumps(asdict(summary), indent=2) + "\n", encoding="utf-8")
            os.replace(part, self.path / "summary.json")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            problem = error.strerror or " ".join(str(error).split())
            raise ConfigError(
                f"--out {str(self.path)!r} cannot be written ({problem}): free some room or choose another folder."
            ) from None


def read_summary(folder: Path) -> dict[str, Any]:
    """Return the contents of a run's `summary.json`.

    Raises
    ------
    DataError
        If the folder holds no finished run.
    """
    summary: dict[str, Any] = _json(_text(folder, "summary.json"), folder)
    missing = [field.name for field in fields(Summary) if field.name not in summary]
    if missing:
        raise DataError(f"summary.json in {str(folder)!r} has no {missing[0]!r}: give the folder of a finished run.")
    return summary


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's `metrics.jsonl`.

    Raises
    ------
    DataError
        If the folder holds no run.
    """
    return [_json(line, folder) for line in _text(folder, "metrics.jsonl").splitlines()]


def _text(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise DataError(f"{str(folder)!r} holds no {name}: give the folder of a finished run.") from None


def _json(text: str, folder: Path) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise DataError(f"A result in {str(folder)!r} is not valid JSON: repeat the run.") from None


def _claim_next(parent: Path) -> Path:
    """Make the next free folder; another run may have taken the number in the meantime."""
    while True:
        path = _next_free(parent)
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        return path


def _next_free(parent: Path) -> Path:
    number = 1
    while (parent / f"{number:03d}").exists():
        number += 1
    return parent / f"{number:03d}"
