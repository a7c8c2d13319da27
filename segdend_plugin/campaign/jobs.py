"""Many runs as one piece of work: their commands, their processes, and what was measured in them."""

from __future__ import annotations

import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Generic, Literal, TypeVar

import numpy as np

from segdend_plugin.errors import ConfigError, ParallelError, SegDendError
from segdend_plugin.experiment import config
from segdend_plugin.experiment.folder import is_finished

Launcher = Literal["mpiexec", "srun"]
"""What starts the ranks of a run."""
STOPPED = 75
"""Exit status of a run that a signal has ended, and that was saved."""
INTERRUPTED = (130, STOPPED, -signal.SIGINT, -signal.SIGTERM)
"""Exit statuses of a run that was asked to end, and can be resumed."""

C = TypeVar("C")
"""What the runs of a comparison differ in, apart from the seed."""


@dataclass(frozen=True)
class Job(Generic[C]):
    """One training: a folder and the settings of the run in it."""

    condition: C
    seed: int
    folder: Path
    settings: tuple[str, ...]


@dataclass(frozen=True)
class Row(Generic[C]):
    """One line of a table.

    Attributes
    ----------
    condition
        Which runs.
    values
        What was measured, one per seed.
    examples, images
        Training examples of each run, and held-out images of its evaluation.
    """

    condition: C
    values: tuple[float, ...]
    examples: int
    images: int

    @property
    def mean(self) -> float:
        """Mean over the seeds, NaN without any."""
        return float(np.mean(self.values)) if self.values else float("nan")

    @property
    def sd(self) -> float:
        """Standard deviation between the seeds (n - 1), NaN for a single one."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else float("nan")

    def numbers(self) -> dict[str, Any]:
        """Return what was measured as plain data."""
        return {
            "mean": or_null(self.mean),
            "sd": or_null(self.sd),
            "values": [or_null(value) for value in self.values],
            "seeds": len(self.values),
            "train_examples": self.examples,
            "test_images": self.images,
        }


def or_null(value: float) -> float | None:
    """Return a number as JSON has it: None for NaN."""
    return None if np.isnan(value) else value


def check(job: Job[Any]) -> None:
    """Refuse a folder that holds another run.

    Of a finished run files may have moved since: only their names are compared.

    Raises
    ------
    ConfigError
        If the run in the folder has other settings.
    """
    there = config.load(job.folder / "config.yaml")
    wanted = config.load(settings=job.settings).with_absolute_paths()
    if there == wanted:
        return
    if is_finished(job.folder) and _without_folders(there.model_dump()) == _without_folders(wanted.model_dump()):
        return
    raise ConfigError(f"{str(job.folder)!r} holds a run with other settings: choose another --out.")


def arguments(job: Job[Any]) -> list[str]:
    """Return the arguments of `segdend` that begin a run, or continue the run of the same description in its folder.

    Raises
    ------
    ConfigError
        If the folder holds another run.
    """
    start = ["train", "--quiet"]
    if not (job.folder / "config.yaml").is_file():
        return [*start, "--out", str(job.folder), *(word for setting in job.settings for word in ("--set", setting))]
    check(job)
    return [*start, "--resume", str(job.folder)]


def launcher(ranks: int, how: Launcher = "mpiexec") -> list[str]:
    """Return what starts a command on so many MPI ranks.

    Parameters
    ----------
    ranks
        How many.
    how
        ``"mpiexec"``, the one beside this Python before others, and nothing for a single rank; or ``"srun"``, a step of
        a Slurm allocation, which has the cores to itself.
    """
    _check_count("--ranks", ranks)
    if how == "mpiexec" and ranks == 1:
        return []
    found = (how == "mpiexec" and shutil.which(how, path=str(Path(sys.executable).parent))) or shutil.which(how)
    if not found:
        remedy = "install segdend_plugin[mpi] or load your MPI" if how == "mpiexec" else "run it where Slurm is"
        raise ParallelError(f"--ranks {ranks} with --launcher {how} needs {how}, which is not on PATH: {remedy}.")
    return [found, "-n", str(ranks), *(["--exact"] if how == "srun" else [])]


def _check_count(option: str, count: int) -> None:
    if count < 1:
        raise ConfigError(f"{option} {count}: give 1 or more.")


def command(job: Job[Any], ranks: int = 1, how: Launcher = "mpiexec") -> list[str]:
    """Return the command line of a run."""
    return [*launcher(ranks, how), sys.executable, "-m", "segdend_plugin", *arguments(job)]


def shown(job: Job[Any], ranks: int = 1, how: Launcher = "mpiexec") -> str:
    """Return the command line of a run as a user types it."""
    _check_count("--ranks", ranks)
    launched = [how, "-n", str(ranks), *(["--exact"] if how == "srun" else [])]
    return shlex.join([*(launched if ranks > 1 or how == "srun" else []), "segdend", *arguments(job)])


def run(
    todo: Sequence[Job[Any]],
    workers: int,
    report: Callable[[str], None],
    *,
    ranks: int = 1,
    how: Launcher = "mpiexec",
    keep_going: bool = False,
) -> None:
    """Train what is not yet trained, several runs at a time, each in a process of its own; an interrupt ends all.

    Parameters
    ----------
    todo
        The runs; those that are finished are left as they are.
    workers
        Runs at a time.
    report
        Told the result of each.
    ranks
        MPI ranks of each run.
    how
        What starts them.
    keep_going
        Train the others when a run fails, and raise the error afterwards.

    Raises
    ------
    SegDendError
        With the message of the first run that fails; the others are ended, or trained before.
    """
    _check_count("--jobs", workers)
    commands = {job.folder: command(job, ranks, how) for job in todo if not is_finished(job.folder)}
    processes = _Processes()
    failures: list[str] = []

    def train(folder: Path) -> None:
        status, said = processes.run(commands[folder])
        if status:
            failure = f"The run {str(folder)!r} failed ({said[-1].removeprefix('segdend: ')})"
            if not keep_going:
                raise SegDendError(failure)
            failures.append(failure)
            report(f"{folder.name}: {'interrupted' if status in INTERRUPTED or processes.ended else 'failed'}")
            return
        result = next((line for line in said if "; results in " in line), said[-1])
        report(f"{folder.name}: {result.split('; results in ')[0]}")

    with _termination_interrupts(), ThreadPoolExecutor(workers) as pool:
        try:
            for done in as_completed([pool.submit(train, folder) for folder in commands]):
                done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            processes.end()
            raise
    if failures:
        others = f"; {len(failures) - 1} more of {len(commands)} failed" if len(failures) > 1 else ""
        raise SegDendError(failures[0] + others)


class _Processes:
    """Processes that end together."""

    def __init__(self) -> None:
        self._all: list[subprocess.Popen[str]] = []
        self._lock = threading.Lock()
        self.ended = False

    def run(self, command: Sequence[str]) -> tuple[int, list[str]]:
        """Return the exit status of a command and the lines that it wrote."""
        with self._lock:
            if self.ended:
                return 1, ["it was not begun"]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            self._all.append(process)
        said = process.communicate()[0].strip().splitlines()
        return process.returncode, said or ["it was ended"]

    def end(self) -> None:
        """End them, and begin no more."""
        with self._lock:
            self.ended = True
            for process in self._all:
                process.terminate()


@contextmanager
def _termination_interrupts() -> Iterator[None]:
    """Let a request to terminate act as Ctrl-C, so that no process is left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _without_folders(value: Any) -> Any:
    """Return a description in which files have no folders."""
    if isinstance(value, dict):
        return {_without_folders(key): _without_folders(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_folders(inner) for inner in value]
    return PurePath(value).name if isinstance(value, str) else value
