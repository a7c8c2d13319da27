"""What made a run: versions, processor, command, data, times."""

from __future__ import annotations

import platform
import subprocess
import sys
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import segdend_plugin


def provenance(began: datetime, data: dict[str, str]) -> dict[str, Any]:
    """Return what `summary.json` says of how a run was made.

    Parameters
    ----------
    began
        When it was started or resumed.
    data
        Digests (sha256) of the examples, by name.
    """
    return {
        "segdend_plugin": segdend_plugin.__version__,
        "commit": commit(),
        "python": platform.python_version(),
        **{name: _version(name) for name in ("neuron", "netpyne", "numpy", "scipy", "h5py")},
        "mpi": _mpi(),
        "processor": _processor(),
        "system": platform.platform(),
        "command": sys.argv,
        "began": began.isoformat(timespec="seconds"),
        "ended": now().isoformat(timespec="seconds"),
        "data_sha256": data,
    }


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(timezone.utc)


def commit() -> str | None:
    """Return the commit of the checkout that the package lies in, marked where it was changed; None outside of one."""
    here = Path(segdend_plugin.__file__).resolve().parents[1]
    if not (here / ".git").exists():
        return None
    said = [_git(here, "rev-parse", "HEAD"), _git(here, "status", "--porcelain", "--untracked-files=no")]
    return None if said[0] is None else said[0] + ("+changes" if said[1] else "")


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _mpi() -> str | None:
    mpi = sys.modules.get("mpi4py.MPI")
    return None if mpi is None else mpi.Get_library_version().splitlines()[0].strip(" \0")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
