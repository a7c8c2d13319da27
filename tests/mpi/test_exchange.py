"""Spikes between ranks: counters that are gathered, or events where these cannot be had."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

SETTINGS = [
    "cell=three_compartment",
    "layers.hidden=[9,5]",
    "phases.delay=2.6",
    "phases.settle=30",
    "phases.test=60",
    "training.epochs=1",
]
EVENTS = "from segdend_plugin.engine import mpi\nmpi.allgather_in_c = lambda ranks: None\n"
MAIN = "import sys\nfrom segdend_plugin.cli import main\nstatus = main(sys.argv[1:])\n"
TOLD = """
from segdend_plugin.engine import mpi
from neuron import h
sent, most, received, useful = (h.ref(0) for _ in range(4))
mpi.start().pc.spike_statistics(sent, most, received, useful)
print("received", int(received[0]), flush=True)
"""


def command(out, images, code, *changes):
    settings = [f"data.train={images}", "data.test=4", *SETTINGS, *changes]
    arguments = [word for setting in settings for word in ("--set", setting)]
    return [sys.executable, "-c", code, "train", "--out", str(out), "--quiet", *arguments]


def train(launcher, out, code):
    """Run `segdend train` and return its summary, and how many spikes each rank received as events."""
    done = subprocess.run([*launcher, *command(out, 6, code)], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    received = [int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("received")]
    return json.loads((out / "summary.json").read_text())["weights_sha256"], received


def test_counters_and_events_give_the_same_weights(mpiexec, tmp_path):
    two = [*mpiexec, "-n", "2"]
    alone, _ = train([], tmp_path / "alone", MAIN)
    counted, none = train(two, tmp_path / "counted", MAIN + TOLD)
    told, some = train(two, tmp_path / "told", EVENTS + MAIN + TOLD)
    assert counted == told == alone
    assert none == [0, 0]
    assert min(some) > 0


@pytest.mark.parametrize("how", ["ctrl-c", "error"])
def test_a_run_ends_on_all_ranks_in_the_middle_of_exchanges(mpiexec, tmp_path, how):
    """Ctrl-C, or an error on one rank while the other waits for its counters."""
    fail = (
        "from segdend_plugin.engine import mpi\nfrom segdend_plugin.engine.network import Network\n"
        "run = Network.run\n"
        "def shown(self, trial, *more, **named):\n"
        "    if trial.example == 3 and self.ranks.rank == 1: raise ValueError('only here')\n"
        "    return run(self, trial, *more, **named)\n"
        "Network.run = shown\n"
    )
    code = (fail if how == "error" else "") + MAIN
    process = subprocess.Popen(
        [*mpiexec, "-n", "2", *command(tmp_path / "run", 1000, code, "training.epochs=10000")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        if how == "ctrl-c":
            end = time.monotonic() + 120
            while not (tmp_path / "run").exists() and time.monotonic() < end:
                time.sleep(0.1)
            time.sleep(3.0)
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode != 0
