"""Groups of ranks that hold the network each: batches and tests shared among them, and signals that end a run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

SETTINGS = [
    "cells={mouse_v1_l4_nr5a1: 0.6, three_compartment: 0.4}",
    "layers.hidden=[9]",
    "cable.nseg=1",
    "rule.plateau_jitter=3",
    "feedback.learning_rate=0.1",
    "data.train=10",
    "data.test=7",
    "training.epochs=2",
    "phases.settle=30",
    "phases.test=60",
]


def command(out, *settings):
    words = [word for setting in (*SETTINGS, *settings) for word in ("--set", setting)]
    return [sys.executable, "-m", "segdend_plugin", "train", "--out", str(out), "--quiet", *words]


def run(words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def train(launcher, out, *settings):
    run([*launcher, *command(out, *settings)])
    return json.loads((out / "summary.json").read_text())


@pytest.mark.parametrize("batch", [1, 4])
def test_bits_depend_on_the_batch_alone(mpiexec, tmp_path, batch):
    alone = train([], tmp_path / "alone", f"training.batch={batch}")
    for ranks, replicas in ((2, 2), (3, 3), (4, 2), (4, 4)):
        out = tmp_path / f"{ranks}x{replicas}"
        found = train([*mpiexec, "-n", str(ranks)], out, f"training.batch={batch}", f"parallel.replicas={replicas}")
        # never more than examples in a batch, and as many as divide the ranks
        assert (found["ranks"], found["replicas"]) == (ranks, replicas if batch > 1 else 1)
        for key in ("weights_sha256", "test_error", "segregation", "reduction", "calibration"):
            assert found[key] == alone[key], key
    result = json.loads(
        run(
            [
                *mpiexec,
                "-n",
                "2",
                sys.executable,
                "-m",
                "segdend_plugin",
                "evaluate",
                str(tmp_path / "alone"),
                "--quiet",
                "--set",
                "parallel.replicas=2",
            ]
        )
    )
    assert result["test_error"] == alone["test_error"]
    assert alone["weights_sha256"] == result["weights_sha256"]


def test_another_batch_gives_other_weights(tmp_path):
    one, four = (train([], tmp_path / str(b), f"training.batch={b}")["weights_sha256"] for b in (1, 4))
    assert one != four


RESUMED = """
import sys
import numpy as np
import segdend_plugin
ranks = segdend_plugin.start(replicas=int(sys.argv[1]))
from segdend_plugin import Learner, callbacks, layered, rules
from segdend_plugin.kinds import Linear, Membrane
from segdend_plugin.model.state import weights_sha256
path, resume = sys.argv[2], sys.argv[3] == "resume"
graph = layered([9, 5, 3], Linear("cell", "mouse_v1_l4_nr5a1", Membrane(nseg=1)), seed=2)
learner = Learner(graph, rules.Guerguiev())
images, labels = np.random.default_rng(0).random((12, 9)), np.arange(12) % 3
seen = callbacks.Record("hidden", "potential", window="forward")
stop = callbacks.Stop(lambda learner, outcomes: learner.example >= 6)
watching = [seen, callbacks.Checkpoint(path, 3)] + ([] if resume else [stop])
learner.fit(images, labels, batch=3, callbacks=watching, resume=path if resume else None)
answers = learner.answers(images)["output"]
if ranks.is_root and resume:
    bits = weights_sha256(learner.graph, *learner.network.gather())
    print(bits, sorted(seen.values), answers.tobytes().hex()[:200])
elif resume:
    learner.network.gather()
"""


def test_a_run_goes_on_in_another_arrangement(mpiexec, tmp_path):
    """Begun on one process, or on two replicas of two ranks; every replica knows what all have seen."""
    said = set()
    for k, (first, then) in enumerate((((1, 1), (4, 2)), ((4, 2), (3, 3)), ((2, 2), (1, 1)))):
        path = tmp_path / f"{k}.h5"
        for (ranks, replicas), how in ((first, "begin"), (then, "resume")):
            launcher = [*mpiexec, "-n", str(ranks)] if ranks > 1 else []
            told = run([*launcher, sys.executable, "-c", RESUMED, str(replicas), str(path), how])
        said.add("".join(line for line in told.splitlines() if "[" in line))
    (line,) = said
    assert "[6, 7, 8, 9, 10, 11]" in line


def test_replicas_that_do_not_fit_are_refused(mpiexec):
    code = "import segdend_plugin\nsegdend_plugin.start(replicas=2)"
    done = subprocess.run(
        [*mpiexec, "-n", "3", sys.executable, "-c", code], capture_output=True, text=True, timeout=120
    )
    assert done.returncode != 0
    assert "replicas=2 does not divide 3 ranks" in done.stderr
    again = (
        code
        + "\ntry:\n    segdend_plugin.start(replicas=1)\nexcept segdend_plugin.errors.ParallelError as e:\n    print(e)"
    )
    told = run([*mpiexec, "-n", "2", sys.executable, "-c", "import segdend_plugin.errors\n" + again])
    assert "this process has begun with 2" in told


@pytest.mark.parametrize(("name", "ranks"), [("SIGUSR1", 1), ("SIGTERM", 1), ("SIGUSR1", 2)])
def test_a_signal_saves_the_run_and_says_so(mpiexec, tmp_path, name, ranks):
    """What it resumes to is what a run would have been that nobody disturbed."""
    out, small = tmp_path / "run", ("data.train=100", "data.test=3", "training.epochs=1", "checkpoint.every=0")
    launcher = [*mpiexec, "-n", str(ranks)] if ranks > 1 else []
    process = subprocess.Popen(
        [*launcher, *command(out, *small, "training.epochs=40")], stderr=subprocess.PIPE, text=True
    )
    deadline = time.time() + 120
    while not (out / "metrics.jsonl").exists() and time.time() < deadline:
        time.sleep(0.1)
    os.kill(process.pid, getattr(signal, name))
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 75, said
    assert f"segdend: {name} after " in said
    assert f"go on with segdend train --resume {out}." in said
    assert (out / "checkpoint.h5").is_file()
    assert not (out / "summary.json").exists()
