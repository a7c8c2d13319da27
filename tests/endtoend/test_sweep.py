"""`segdend sweep` trains real runs: after a kill, beside one that fails, on MPI ranks and as tasks of Slurm."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from segdend_plugin import cli

BASE = (
    "cell: three_compartment, layers.hidden: [4], data.test: 4, training.epochs: 1, phases.settle: 30, phases.test: 60"
)


def write(folder: Path, text: str, train: int = 8) -> str:
    (folder / "s.yaml").write_text(f"base: {{{BASE}, data.train: {train}}}\n{text}")
    return str(folder / "s.yaml")


def digests(folder: Path) -> dict[str, str]:
    return {path.parent.name: json.loads(path.read_text())["weights_sha256"] for path in folder.glob("*/summary.json")}


def test_two_at_a_time_and_one_that_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path, "vary: {layers.output: [10, 4]}\ncontrols: [frozen_hidden]")
    arguments = ["sweep", file, "--out", str(tmp_path / "out"), "--jobs", "2"]
    assert cli.main(arguments) == 2
    said = capsys.readouterr()
    last = said.err.splitlines()[-1]
    assert last.startswith("segdend: The run ")
    assert "layers.output=4 has no cell for label" in last
    assert "1 more of 4 failed" in last
    assert "| output=10 |" in said.out
    assert "| 0 of 1 | - | - |" in said.out
    trained = digests(tmp_path / "out")
    assert set(trained) == {"output=10-0", "output=10,frozen_hidden-0"}
    assert len(set(trained.values())) == 2, "the control does not learn the same"
    before = (tmp_path / "out" / "table.md").read_text()
    assert cli.main([*arguments, "--collect"]) == 0
    assert (tmp_path / "out" / "table.md").read_text() == before


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "asked to end"])
def test_resumed_after_an_interrupt(how: signal.Signals, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path, "seeds: [3]", train=1400)
    command = [sys.executable, "-m", "segdend_plugin", "sweep", file, "--set", "checkpoint.every=100", "--out"]
    if how == signal.SIGTERM:
        command[5:5] = ["--set", "training.epochs=100"]  # so that it is still at work when it is asked to end
    process = subprocess.Popen([*command, tmp_path / "out"], start_new_session=True, stderr=subprocess.PIPE, text=True)
    run = tmp_path / "out" / "all-3"
    deadline = time.monotonic() + 60
    while not (run / "checkpoint.h5").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    if how == signal.SIGKILL:
        os.killpg(process.pid, how)
    else:
        process.send_signal(how)  # to the sweep alone, which ends its runs
    said = process.communicate(timeout=30)[1]
    assert process.returncode == (-9 if how == signal.SIGKILL else 130), said
    assert (run / "checkpoint.h5").exists()
    assert not (run / "summary.json").exists()
    if how == signal.SIGTERM:
        assert said.splitlines()[-1] == "segdend: interrupted"
        return
    assert cli.main(["sweep", file, "--set", "checkpoint.every=100", "--out", str(tmp_path / "out")]) == 0
    settings = BASE.replace(": ", "=").split(", ")
    words = [word for setting in [*settings, "data.train=1400", "seed=3"] for word in ("--set", setting)]
    assert cli.main(["train", "--quiet", "--out", str(tmp_path / "whole"), *words]) == 0
    assert digests(tmp_path / "out")["all-3"] == digests(tmp_path)["whole"]
    assert "| all |" in capsys.readouterr().out


def test_each_run_on_two_ranks(mpiexec: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path, "seeds: 1")
    assert cli.main(["sweep", file, "--out", str(tmp_path / "out"), "--ranks", "2"]) == 0
    assert json.loads((tmp_path / "out" / "all-0" / "summary.json").read_text())["ranks"] == 2
    assert cli.main(["sweep", file, "--out", str(tmp_path / "x"), "--ranks", "2", "--list"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("mpiexec -n 2 segdend train --quiet --out ")


def test_a_task_of_an_array_job_is_the_run_of_the_sweep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path, "vary: {lumped.g_apical: [0, 0.05]}")
    out = tmp_path / "out"
    assert cli.main(["sweep", file, "--out", str(out), "--slurm"]) == 0
    script = out / "array.sh"
    assert capsys.readouterr().out == f"2 runs: sbatch {script}\n"
    task = subprocess.run(
        ["bash", script], env=os.environ | {"SLURM_ARRAY_TASK_ID": "2"}, capture_output=True, text=True, timeout=120
    )
    assert task.returncode == 0, task.stderr
    assert set(digests(out)) == {"g_apical=0.05-0"}
    assert cli.main(["sweep", file, "--out", str(out), "--collect"]) == 0
    assert "| g_apical=0 | - | - | 0 of 1 | - | - |" in capsys.readouterr().out
