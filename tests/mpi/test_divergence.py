"""Divergence is told alike on any number of ranks."""

import subprocess
import sys

import pytest

SETTINGS = ["cell=three_compartment", "layers.hidden=[7]", "data.train=120", "data.test=2", "training.epochs=1"]


@pytest.mark.parametrize("rate", ["1e308", "3000"])
def test_one_and_two_ranks(mpiexec, tmp_path, rate):
    arguments = [word for s in (*SETTINGS, f"rule.learning_rates=[{rate},{rate}]") for word in ("--set", s)]
    said = []
    for n in (1, 2):
        command = [*mpiexec, "-n", str(n), sys.executable, "-m", "segdend_plugin", "train", "--quiet"]
        done = subprocess.run(
            [*command, "--out", str(tmp_path / str(n)), *arguments], capture_output=True, text=True, timeout=600
        )
        assert done.returncode != 0
        said.append({line for line in done.stderr.splitlines() if "learning diverges" in line})
    assert len(said[0]) == 1
    assert said[0] == said[1]
    assert "gid" in said[0].pop() or rate == "3000"
