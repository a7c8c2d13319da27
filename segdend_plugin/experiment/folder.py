"""The folder of a run: what is written there, by rank 0 alone, and how it is read again."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, asdict, dataclass, fields
from dataclasses import field as dataclass_field
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout

from segdend_plugin.errors import ConfigError, DataError
from segdend_plugin.experiment import checkpoint
from segdend_plugin.experiment.checkpoint import State
from segdend_plugin.experiment.config import Experiment
from segdend_plugin.experiment.trainer import Metric

CHECKPOINT = "checkpoint.h5"
LOCK = ".lock"


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
        Per kind of cell: impedances (MOhm), attenuation and indices of segregation of tuft, soma and basal dendrites;
        of a three-compartment cell what there is of these.
    weights_sha256
        Digest of all weights and biases in the order of gids.
    reduction
        Per kind of reduced cell: compartments of the full and the reduced one, and largest relative errors of the
        responses of soma and tuft up to 100 Hz.
    repairs
        Per cell whose file did not go to NEURON as it is: what was different there, and what was made of it.
    calibration
        Per kind of cable cell: currents (nA) for unit drive of all feed-forward and feedback sites; transfer impedance
        of feed-forward sites relative to the mean of their cell; gains that were asked for and, measured anew at the
        last cell, reached.
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
    segregation: dict[str, dict[str, float | None]]
    weights_sha256: str
    reduction: dict[str, dict[str, Any]] = dataclass_field(default_factory=dict)
    repairs: dict[str, list[str]] = dataclass_field(default_factory=dict)
    calibration: dict[str, dict[str, Any]] = dataclass_field(default_factory=dict)


class Folder:
    """A folder to write a run into; one that holds a run is only written to by resuming that run.

    No other process can train into it until the ``with`` statement ends.

    Parameters
    ----------
    path
        Where; None for the next free ``runs/NNN``.
    resume
        Whether the run that the folder holds goes on.
    """

    def __init__(self, path: Path | None, *, resume: bool = False) -> None:
        self._is_numbered = path is None
        self.path = path if path is not None else _next_free(Path("runs"))
        self._option = "--resume" if resume else "--out"
        self._lock: FileLock | None = None
        with self._writing():
            if resume:
                if not (self.path / "config.yaml").is_file():
                    raise ConfigError(f"--resume {str(self.path)!r} holds no config.yaml: give the folder of a run.")
                self._acquire()
            elif self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
                raise ConfigError(
                    f"--out {str(self.path)!r} is not empty: choose another folder, remove it, or --resume its run."
                )

    def __enter__(self) -> Folder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            self._lock.release()
            if self.is_finished:  # otherwise another process may be waiting to resume the run
                (self.path / LOCK).unlink(missing_ok=True)

    @property
    def is_finished(self) -> bool:
        """Whether the run is complete."""
        return is_finished(self.path)

    def create(self, experiment: Experiment) -> None:
        """Make the folder and write the resolved description, with absolute paths."""
        with self._writing():
            if self._is_numbered:
                self.path = _claim_next(self.path.parent)
            self.path.mkdir(parents=True, exist_ok=True)
            self._acquire()
            if (self.path / "config.yaml").exists():
                raise FileExistsError(errno.EEXIST, "another run has taken it")
            checkpoint.write_whole(self.path / "config.yaml", experiment.with_absolute_paths().to_yaml().encode())

    def append(self, metric: Metric) -> None:
        """Add a line to `metrics.jsonl`."""
        with self._writing(), (self.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(metric.to_dict()) + "\n")
            file.flush()
            os.fsync(file.fileno())  # before the checkpoint that follows it

    def cut_back(self, example: int) -> None:
        """Drop what training after `example` has added to `metrics.jsonl`."""
        path = self.path / "metrics.jsonl"
        with self._writing():
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
            whole = [line for line in lines if line.endswith("\n")]  # the last one may have been cut short
            kept = [line for line in whole if 0 < _json(line, self.path)["example"] <= example]
            checkpoint.write_whole(path, "".join(kept).encode())

    def write_checkpoint(self, state: State) -> None:
        """Write `checkpoint.h5`, from which the run can be resumed."""
        with self._writing():
            checkpoint.save(self.path / CHECKPOINT, state)

    def read_checkpoint(self) -> State | None:
        """Return where the run stopped, None for its beginning."""
        path = self.path / CHECKPOINT
        if not path.exists():
            return None
        return checkpoint.load(path, "remove it to begin the run anew with the same command")

    def write_weights(self, state: State) -> None:
        """Write `weights.h5`."""
        with self._writing():
            checkpoint.save(self.path / "weights.h5", state)

    def write_summary(self, summary: Summary) -> None:
        """Write `summary.json`; its presence means that the run is complete, and needs no checkpoint any more."""
        with self._writing():
            content = json.dumps(asdict(summary), indent=2) + "\n"
            checkpoint.write_whole(self.path / "summary.json", content.encode())
            for name in (CHECKPOINT, f"{CHECKPOINT}.part"):  # the latter of a process that was killed
                (self.path / name).unlink(missing_ok=True)

    def _acquire(self) -> None:
        """Keep other processes from training into the folder; the system ends that with this process."""
        self._lock = FileLock(self.path / LOCK)
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            raise ConfigError(
                f"{self._option} {str(self.path)!r} is in use by another process that trains into it: "
                "let that one end, or choose another folder."
            ) from None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            problem = error.strerror or " ".join(str(error).split())
            raise ConfigError(
                f"{self._option} {str(self.path)!r} cannot be written ({problem}): "
                "free some room or choose another folder."
            ) from None


def is_finished(folder: Path) -> bool:
    """Return whether the run in a folder is complete."""
    return (folder / "summary.json").is_file()


def read_summary(folder: Path) -> dict[str, Any]:
    """Return the contents of a run's `summary.json`.

    Raises
    ------
    DataError
        If the folder holds no finished run.
    """
    summary: dict[str, Any] = _json(_text(folder, "summary.json"), folder)
    required = [field.name for field in fields(Summary) if field.default_factory is MISSING]
    missing = [name for name in required if name not in summary]
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
