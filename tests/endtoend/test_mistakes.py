"""A mistake of the user ends with status 2 and one line that names field and remedy, and nothing has been written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import segdend_plugin
from segdend_plugin.cli import main

CHECKOUT = Path(segdend_plugin.__file__).parents[1]
ALONE = "segdend: no MPI library found, running as one process"
"""Not about the mistake: an environment without MPI says so first."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes | None]:
    """Return every file under a folder with its bytes, every folder with None."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def check(stderr: str, words: tuple[str, ...]) -> None:
    lines = [line for line in stderr.splitlines() if line != ALONE]
    assert len(lines) == 1, stderr
    assert lines[0].startswith("segdend: ")
    for word in words:
        assert word in lines[0]


def check_train(folder: Path, words: tuple[str, ...], *settings: str) -> None:
    """Let `segdend train --set ...` fail in a process of its own: these mistakes are found after NEURON has started."""
    before = contents(folder)
    arguments = [word for setting in settings for word in ("--set", setting)]
    done = subprocess.run(
        [sys.executable, "-m", "segdend_plugin", "train", "--out", "run", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    check(done.stderr, words)
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["--set", "layers.hiden=[3]"], ("layers.hiden", "did you mean 'hidden'"), id="unknown key"),
        pytest.param(["--set", "layers.hidden=[0]"], ("layers.hidden.0.size=0", "change the value"), id="no cells"),
        pytest.param(["broken.yaml"], ("'broken.yaml'", "not valid YAML", "mend it"), id="unreadable YAML"),
        pytest.param(["binary.yaml"], ("'binary.yaml'", "not valid YAML", "mend it"), id="not even text"),
        pytest.param(["absent.yaml"], ("'absent.yaml'", "give a file"), id="no such description"),
    ],
)
def test_the_description(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: tuple[str, ...]
) -> None:
    (folder / "broken.yaml").write_text("layers: {hidden: [3\nseed: 1\n")
    (folder / "binary.yaml").write_bytes(b"\xff\xfe\x00seed")
    before = contents(folder)
    assert main(["train", "--out", "run", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    check(captured.err, words)
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        pytest.param("mouse_v1_l5_rpb4", ("cell 'mouse_v1_l5_rpb4'", "did you mean 'mouse_v1_l5_rbp4'"), id="typo"),
        pytest.param("no/such.swc", ("cell 'no/such.swc'", "check the path"), id="no such file"),
        pytest.param("headless.swc", ("headless.swc", "soma", "type 1"), id="no soma"),
    ],
)
def test_the_cell(folder: Path, cell: str, words: tuple[str, ...]) -> None:
    (folder / "headless.swc").write_text("1 3 0 0 0 1 -1\n2 3 0 -20 0 1 1\n3 4 0 9 0 1 1\n4 4 0 90 0 1 3\n")
    check_train(folder, words, f"cell={cell}", "layers.hidden=[3]")


def test_the_placement(folder: Path) -> None:
    words = ("placement.feedback", "'oblique'", "'mouse_v1_l4_scnn1a'", "nothing 5000 um from the soma", "nearest")
    settings = ("cell=mouse_v1_l4_scnn1a", "layers.hidden=[3]", "cable.nseg=1")
    check_train(folder, words, *settings, "placement.feedback={region: oblique, nearest: 5000}")


@pytest.mark.parametrize(
    ("part", "pixel", "words"),
    [
        pytest.param("x_train", 1.5, ("data.path", "x_train", "1.5", "scale them to 0..1"), id="too bright"),
        pytest.param("x_train", -0.5, ("data.path", "x_train", "-0.5", "scale them to 0..1"), id="negative"),
        pytest.param("x_test", np.nan, ("data.path", "x_test", "NaN", "replace them"), id="NaN"),
    ],
)
def test_the_pixels(folder: Path, part: str, pixel: float, words: tuple[str, ...]) -> None:
    labels = np.arange(10)
    arrays = {"x_train": np.full((10, 4), 0.5), "y_train": labels, "x_test": np.full((10, 4), 0.5), "y_test": labels}
    arrays[part][3, 2] = pixel
    np.savez(folder / "images.npz", **arrays)
    check_train(folder, words, "data.path=images.npz")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        pytest.param("layers.output=2", ("layers.output=2", "label 9", "at least 10"), id="labels without a cell"),
        pytest.param("data.path=absent.npz", ("data.path='absent.npz'", "give an .npz file"), id="no such data"),
        pytest.param("data.name=mnist", ("data.name='mnist'", "data.path", "give an .npz file"), id="no data.path"),
    ],
)
def test_the_data(folder: Path, setting: str, words: tuple[str, ...]) -> None:
    check_train(folder, words, setting)


def test_an_earlier_run_is_left_alone(folder: Path) -> None:
    run = folder / "run"
    run.mkdir()
    for name in ("config.yaml", "metrics.jsonl", "summary.json", "weights.h5"):
        (run / name).write_text(f"an earlier {name}")
    check_train(folder, ("--out 'run'", "not empty", "choose another folder"))


def test_a_reader_that_has_seen_enough() -> None:
    command = [sys.executable, "-m", "segdend_plugin", "sweep", "attenuation", "--list"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141
