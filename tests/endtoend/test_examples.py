"""The examples run as they stand."""

from __future__ import annotations

import os
import re
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
        env=os.environ | {"PYTHONPATH": str(CHECKOUT), "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=240,
    )


def test_own_netpyne_model(tmp_path: Path) -> None:
    done = run("own_netpyne_model.py", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    shapes, others = done.stdout.splitlines()
    assert shapes == "{'retina->cortex': (64, 50), 'cortex->choice': (50, 10)}"
    assert others.startswith("NetPyNE still holds its own 57 connections")


def test_own_netpyne_netcons(tmp_path: Path) -> None:
    """A few trials, of which little is learned: the survey takes most of the time."""
    done = run("own_netpyne_netcons.py", "--trials", "8", "--test", "4", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["population", "hidden", "out"]
    assert lines[-1].startswith("seed 0: ")


def test_own_rule(tmp_path: Path) -> None:
    """Feedback that learns becomes more like the forward weights than these become like fixed feedback."""
    done = run("own_rule.py", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    fixed, learned = ([float(n) for n in re.findall(r"\d\.\d+", line)] for line in done.stdout.splitlines())
    assert max(fixed[0], learned[0]) < 0.5, "they recognise digits"
    assert 0.5 < fixed[1] < 0.8 < learned[1]


def test_library(tmp_path: Path) -> None:
    done = run("library.py", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split("%")[0]) > 60
    assert (tmp_path / "library.png").stat().st_size > 10_000


def test_two_orders(tmp_path: Path) -> None:
    """A few examples, of which nothing is learned; the figures of the page are made with the defaults."""
    done = run("two_orders.py", "--seeds", "1", "--examples", "10", "--test", "4", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [
        "hidden layer learns",
        "hidden layer frozen",
        "mean in time only",
    ]
    assert (tmp_path / "two_orders.png").stat().st_size > 10_000


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
