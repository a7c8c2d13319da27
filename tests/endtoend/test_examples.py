"""The examples run as they stand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        pytest.param("nosuch", ("cell 'nosuch'", "mouse_v1_l5_rbp4"), id="no such cell"),
        pytest.param("broken.swc", ("broken.swc", "holds no points", "give an SWC file"), id="broken file"),
        pytest.param("tuftless.swc", ("tuftless.swc", "no apical one"), id="no tuft"),
    ],
)
def test_active_cell_says_what_is_wrong(tmp_path: Path, cell: str, words: tuple[str, ...]) -> None:
    (tmp_path / "broken.swc").write_text("1 1 0 0 0 one -1\n")
    (tmp_path / "tuftless.swc").write_text("1 1 0 0 0 8 -1\n2 3 0 -20 0 1 1\n3 3 0 -60 0 1 2\n")
    done = run("active_cell.py", cell, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    said = done.stderr.splitlines()[-1]
    assert said.startswith("segdend: ")
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in said
