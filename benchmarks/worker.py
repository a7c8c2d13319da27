"""One side of a comparison: a process that prepares a piece of work and repeats it whenever it is asked to.

``python -m benchmarks.worker MODULE:FUNCTION JSON`` calls the function with the JSON object as keyword arguments. The
function returns its tasks by name, each a callable without arguments; what a task returns travels back with its times.
Commands and answers are lines of JSON. Under mpiexec rank 0 reads them, and the other ranks sleep in between, so that
a job that is not asked takes no processor time from one that is.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PAUSE = 0.002  # s between two looks of a rank that has nothing to do

Task = Callable[[], Any]


def resident_megabytes() -> float:
    """Return how much memory this process holds now; where /proc is absent, the most that it has held."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    except OSError:
        return peak_megabytes()
    return pages * resource.getpagesize() / 2**20


def peak_megabytes() -> float:
    """Return the peak of this process's resident memory (MB), on Linux without what its parent had before."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if "VmHWM" in line) / 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def timed(task: Task) -> dict[str, Any]:
    """Run a task and return its wall-clock and processor time (s) and what it returned."""
    cpu, wall = time.process_time(), time.perf_counter()
    value = task()
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "value": value}


def main() -> None:
    """Prepare, then serve until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever libraries print does not mix with the answers
    name, arguments = sys.argv[1], json.loads(sys.argv[2])
    module, function = name.split(":")
    tasks: dict[str, Task] = getattr(importlib.import_module(module), function)(**arguments)
    ranks = sys.modules["segdend_plugin.engine.mpi"].start() if "segdend_plugin.engine.mpi" in sys.modules else None
    if ranks is None or ranks.size == 1:
        print(json.dumps({"tasks": list(tasks)}), file=answers)
        for line in sys.stdin:
            print(json.dumps(timed(tasks[line.strip()])), file=answers)
        return
    if ranks.is_root:
        print(json.dumps({"tasks": list(tasks)}), file=answers)
    while True:
        line = sys.stdin.readline().strip() if ranks.is_root else ""
        ranks.barrier(PAUSE)
        if not (line := ranks.broadcast(line)):
            return
        everyone = ranks.gather(timed(tasks[line]))
        if everyone is not None:
            slowest = max(times["wall"] for times in everyone)
            together = {"wall": slowest, "cpu": sum(times["cpu"] for times in everyone)}
            print(json.dumps(together | {"value": [times["value"] for times in everyone]}), file=answers)


if __name__ == "__main__":
    main()
