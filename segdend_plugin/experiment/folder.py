"""The folder of a run: what is written there, by rank 0 alone, and how it is read again."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from segdend_plugin.errors import ConfigError, DataError
from segdend_plugin.experiment.config import Experiment
from segdend_plugin.experiment.summary import Summary
from segdend_plugin.model import state as states
from segdend_plugin.model.state import State
from segdend_plugin.types import Array

if TYPE_CHECKING:
    from segdend_plugin.experiment.reports import Metric

CHECKPOINT, WEIGHTS = "checkpoint.h5", "weights.h5"
LOCK = ".lock"


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
            states.write_whole(self.path / "config.yaml", experiment.with_absolute_paths().to_yaml().encode())

    def append(self, metric: Metric) -> None:
        """Add a line to `metrics.jsonl`."""
        with self._writing():  # and it is there before the checkpoint that follows
            states.append(self.path / "metrics.jsonl", f"{json.dumps(metric.to_dict())}\n".encode())

    def cut_back(self, example: int) -> None:
        """Drop what training after `example` has added to `metrics.jsonl`."""
        path = self.path / "metrics.jsonl"
        with self._writing():
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
            whole = [line for line in lines if line.endswith("\n")]  # the last one may have been cut short
            kept = [line for line in whole if 0 < _json(line, self.path)["example"] <= example]
            states.write_whole(path, "".join(kept).encode())

    def write_state(self, name: str, state: State) -> None:
        """Write `checkpoint.h5`, from which the run can be resumed, or `weights.h5`."""
        with self._writing():
            states.save(self.path / name, state)

    def read_state(self, name: str, remedy: str) -> State | None:
        """Return what :meth:`write_state` wrote, None where nothing is there."""
        path = self.path / name
        return states.load(path, remedy) if path.exists() else None

    def write_summary(self, summary: Summary) -> None:
        """Write `summary.json`; its presence means that the run is complete, and needs no checkpoint any more."""
        with self._writing():
            content = json.dumps(asdict(summary), indent=2) + "\n"
            states.write_whole(self.path / "summary.json", content.encode())
            for name in (CHECKPOINT, f"{CHECKPOINT}.old", f"{CHECKPOINT}.part"):  # the last of a killed process
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

    def _writing(self) -> AbstractContextManager[None]:
        return writing(f"{self._option} {str(self.path)!r}")


@contextmanager
def writing(where: str) -> Iterator[None]:
    """Turn what keeps a file from being written into a sentence about the folder."""
    try:
        yield
    except OSError as error:
        problem = error.strerror or " ".join(str(error).split())
        raise ConfigError(f"{where} cannot be written ({problem}): free some room or choose another folder.") from None


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
    required = [field.name for field in fields(Summary) if field.default is field.default_factory is MISSING]
    missing = [name for name in required if name not in summary]
    if missing:
        raise DataError(f"summary.json in {str(folder)!r} has no {missing[0]!r}: give the folder of a finished run.")
    return summary


def read_weights(folder: Path) -> dict[str, tuple[Array, Array]]:
    """Return weights (n_pre, n) and biases (n,) of the first forward set onto every population of a run.

    Raises
    ------
    DataError
        If the folder holds no finished run.
    """
    state = states.load(folder / WEIGHTS, "give the folder of a finished run")
    found: dict[str, tuple[Array, Array]] = {}
    for name, weights in state.weights.items():  # forward sets come first
        post = name.rpartition("->")[2]
        if post in state.biases and post not in found:
            found[post] = weights, state.biases[post]
    return found


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
