"""Diagnostics are the same on any number of ranks."""

import subprocess
import sys

import numpy as np

from segdend_plugin.experiment import diagnostics

SETTINGS = [
    "cell=three_compartment",
    "layers.hidden=[7,5]",
    "data.train=12",
    "data.test=2",
    "training.epochs=1",
    "phases.settle=30",
    "phases.test=60",
    "diagnostics.every=1",
]


def test_one_and_two_ranks(mpiexec, tmp_path):
    arguments = [word for setting in SETTINGS for word in ("--set", setting)]
    records = []
    for n in (1, 2):
        out = tmp_path / str(n)
        command = [*mpiexec, "-n", str(n), sys.executable, "-m", "segdend_plugin", "train", "--quiet"]
        done = subprocess.run([*command, "--out", str(out), *arguments], capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        records.append(diagnostics.read(out))
    assert len(records[0]["angle"]) == 12
    for key, values in records[0].items():
        np.testing.assert_array_equal(values, records[1][key], err_msg=key)
