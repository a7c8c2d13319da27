"""What all cases share: processes that take turns, medians with their spread, the machine, results as JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any

RESULTS = Path(__file__).parent / "results"
REPETITIONS = 7
QUICK_REPETITIONS = 3
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM")}
PACKAGES = ("neuron", "netpyne", "numpy", "mpi4py", "mpich", "openmpi", "jaxley")


@dataclass(frozen=True)
class Spread:
    """Median of repetitions, and the least and the greatest of them."""

    median: float
    low: float
    high: float
    repetitions: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of some values."""
        return cls(statistics.median(values), min(values), max(values), len(values))


@dataclass(frozen=True)
class Times:
    """Seconds per item of every repetition, in order.

    Attributes
    ----------
    cpu, wall
        Processor time (of all ranks together) and wall-clock time.
    values
        What the task returned.
    """

    cpu: list[float]
    wall: list[float]
    values: list[Any]

    def spreads(self) -> dict[str, dict[str, float]]:
        """Return the spread of processor and wall-clock time, as plain data."""
        return {"cpu": asdict(Spread.of(self.cpu)), "wall": asdict(Spread.of(self.wall))}


class Worker:
    """A process that repeats work on demand; see `benchmarks.worker`.

    Parameters
    ----------
    function
        ``"module:function"`` that prepares the tasks.
    arguments
        Its keyword arguments, plain data.
    ranks
        MPI processes; None starts without mpiexec.
    python
        Interpreter.
    """

    def __init__(
        self, function: str, *, ranks: int | None = None, python: str = sys.executable, **arguments: Any
    ) -> None:
        command = [python, "-m", "benchmarks.worker", function, json.dumps(arguments)]
        if ranks is not None:
            command = [*mpiexec(), "-n", str(ranks), *command]
        root = Path(__file__).resolve().parents[1]
        path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            cwd=root,
            env=os.environ | ONE_THREAD | {"PYTHONPATH": path},
        )
        self._name = f"{function} {arguments}"
        self.tasks: list[str] = self._answer()["tasks"]

    def __enter__(self) -> Worker:
        """Return the worker, which is ready."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        """Let the process end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def run(self, task: str) -> dict[str, Any]:
        """Run a task once and return ``wall``, ``cpu`` (s) and ``value``."""
        assert self._process.stdin is not None
        self._process.stdin.write(task + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"benchmarks: {self._name} ended with status {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def take_turns(
    workers: Mapping[str, Worker], tasks: Mapping[str, Mapping[str, int] | int], repetitions: int
) -> dict[tuple[str, str], Times]:
    """Let workers do the same tasks in turn (A B A B ...), after one round that does not count.

    Parameters
    ----------
    workers
        By name.
    tasks
        Name of each task, and the number of items that it goes through (of each worker, where they differ).
    repetitions
        Rounds that count.

    Returns
    -------
    dict
        Times per item, by task and name of the worker.
    """
    times = {(task, name): Times([], [], []) for task in tasks for name in workers}
    for repetition in range(repetitions + 1):
        for task, items in tasks.items():
            for name, worker in workers.items():
                done = worker.run(task)
                if repetition:
                    kept, count = times[task, name], items if isinstance(items, int) else items[name]
                    kept.cpu.append(done["cpu"] / count)
                    kept.wall.append(done["wall"] / count)
                    kept.values.append(done["value"])
    return times


def start_in_turn(function: str, sides: Mapping[str, dict[str, Any]], repetitions: int) -> dict[str, list[Any]]:
    """Start a new process for every repetition of every side in turn, and return what their task ``all`` returned."""
    found: dict[str, list[Any]] = {name: [] for name in sides}
    for _ in range(repetitions):
        for name, arguments in sides.items():
            with Worker(function, **arguments) as worker:
                found[name].append(worker.run("all")["value"])
    return found


def comparison(what: str, here: Times, beside: Times, names: tuple[str, str], unit: str = "s/image") -> dict[str, Any]:
    """Return a row that compares two sides; its ratio says how many times as long the second takes, round by round."""
    pairs = {clock: list(zip(getattr(here, clock), getattr(beside, clock), strict=True)) for clock in ("cpu", "wall")}
    return {
        "what": what,
        "unit": unit,
        "here": {"name": names[0], **here.spreads()},
        "beside": {"name": names[1], **beside.spreads()},
        "ratio": {clock: asdict(Spread.of([b / a for a, b in pair])) for clock, pair in pairs.items()},
    }


def figure(what: str, unit: str, values: Sequence[float], **more: Any) -> dict[str, Any]:
    """Return a row with the spread of one measured quantity."""
    return {"what": what, "unit": unit, "value": asdict(Spread.of(values)), **more}


def mpiexec() -> list[str]:
    """Return the launcher beside this interpreter, or the one on the path."""
    beside = Path(sys.executable).parent / "mpiexec"
    return [str(beside) if beside.is_file() else "mpiexec"]


def machine() -> dict[str, str | int]:
    """Describe the machine and the software, in plain words."""
    described: dict[str, str | int] = {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB",
        "system": f"{_distribution()}, {platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "project": _git_version(),
    }
    for package in PACKAGES:
        try:
            described[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return described


def run_case(name: str, measure: Callable[[bool], dict[str, Any] | None]) -> None:
    """Run one case from the command line and write ``results/<name>.json``.

    Parameters
    ----------
    name
        Of the case.
    measure
        Takes whether to be quick, returns ``rows`` and whatever else belongs to the results; None if it was skipped.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions of less work, to see that it runs")
    quick = parser.parse_args().quick
    load, start = os.getloadavg()[0], time.perf_counter()
    print(f"{name}: measuring{' quickly' if quick else ''}, load average {load:.1f}", flush=True)
    found = measure(quick)
    if found is None:
        return
    result = {
        "case": name,
        "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "quick": quick,
        "load_average": [round(load, 2), round(os.getloadavg()[0], 2)],
        "seconds": round(time.perf_counter() - start, 1),
        "machine": machine(),
        **found,
    }
    write(result)
    from benchmarks import table

    print(table.of_case(result), flush=True)
    print(f"{name}: {result['seconds']} s", flush=True)


def write(result: Mapping[str, Any]) -> None:
    """Write the results of a case."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(_rounded(result), indent=1)
    (RESULTS / f"{result['case']}.json").write_text(text + "\n", encoding="utf-8")


def workers(stack: ExitStack, sides: Mapping[str, tuple[str, dict[str, Any]]]) -> dict[str, Worker]:
    """Start one worker per side, closed with the stack: name -> (function, arguments)."""
    return {name: stack.enter_context(Worker(function, **given)) for name, (function, given) in sides.items()}


def _rounded(value: Any) -> Any:
    """Return plain data with its numbers at five significant digits."""
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(part) for part in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.platform()


def _git_version() -> str:
    command = ["git", "describe", "--always", "--dirty", "--tags"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return metadata.version("segdend_plugin")
    return done.stdout.strip()
