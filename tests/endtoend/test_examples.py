"""The examples run as they stand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import segdend_plugin

CHECKOUT = Path(segdend_plugin.__file__).parents[1]


def run(example: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(CHECKOUT / "examples" / example), *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_own_netpyne_model(tmp_path: Path) -> None:
    done = run("own_netpyne_model.py", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    shapes, others = done.stdout.splitlines()
    assert shapes == "{'cortex': (64, 50), 'choice': (50, 10)}"
    assert others.startswith("NetPyNE still holds its own 57 connections")
