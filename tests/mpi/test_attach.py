"""Somebody's own cells learn the same weights on any number of ranks, and their model stays as it was."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
CHILD = """
import hashlib, json, sys
sys.path.insert(0, sys.argv[1])
from segdend_plugin.engine.session import session
ranks = session().ranks
import numpy as np
from neuron import h
from attached_model import HIDDEN, INPUTS, NOISY, OUTPUT, Model
from segdend_plugin.callbacks import Record, Watch
from segdend_plugin.learner import Learner
from segdend_plugin.model.places import Place
from segdend_plugin.rule.guerguiev import Guerguiev
from segdend_plugin.rule.phases import OnePhase, TwoPhase
from segdend_plugin.rule.urbanczik import UrbanczikSenn
from segdend_plugin.tasks.images import arrays

rule, exact = sys.argv[2], sys.argv[3] == "exact"
model = Model(ranks.pc)
times, gids = h.Vector(), h.Vector()
ranks.pc.spike_record(-1, times, gids)
potentials = {gid: h.Vector().record(model.somas[gid](0.5)._ref_v) for gid in (*HIDDEN, *OUTPUT) if gid in model.somas}
network = model.attach(seed=3, exact=exact, feedback=rule == "guerguiev")
rules = {
    "guerguiev": Guerguiev(phases=TwoPhase(60, 60, settle=20, test=80)),
    "urbanczik": UrbanczikSenn(phases=OnePhase(100, settle=20)),
}
learner = Learner(network, rules[rule], learning_rates=0.5)


class Raster(Watch):
    kept = []

    def batch(self, learner, outcomes):
        mine = sorted(zip(np.array(times).tolist(), np.array(gids).astype(int).tolist()))
        traces = {gid: hashlib.sha256(np.array(v).tobytes()).hexdigest() for gid, v in potentials.items()}
        everywhere = {gid: digest for part in ranks.allgather(traces) for gid, digest in part.items()}
        self.kept.append((sorted(sum(ranks.allgather(mine), [])), everywhere))
        return False


def whole():
    gathered = ranks.broadcast(network.gather())
    return {name: array.tolist() for name, array in gathered[0].items()}


images = np.random.default_rng(0).random((3, len(INPUTS)))
task = arrays(images, np.array([0, 2, 1]), input="inputs", output="out", classes=4)
before = whole()
drive = Record("hidden" if rule == "guerguiev" else "out", "drive", place=Place("basal"))
learner.fit(task, batch=1, callbacks=[Raster(), drive])
learner.fit(task, batch=2)
answers = learner.answers(task)["out"]
learned = whole()
per_rank = ranks.allgather({name: len(network.local(name)) for name in ("inputs", "noisy", "hidden", "out")})
if ranks.is_root:
    print("RESULT" + json.dumps({
        "ranks": ranks.size,
        "before": before,
        "learned": learned,
        "sha256": hashlib.sha256(json.dumps(learned).encode()).hexdigest(),
        "rasters": [raster for raster, _ in Raster.kept],
        "traces": [traces for _, traces in Raster.kept],
        "drive": hashlib.sha256(drive.values[2].tobytes()).hexdigest(),
        "answers": answers.tolist(),
        "cells": per_rank,
    }))
sys.stdout.flush()
ranks.barrier()
"""


def run(command, *arguments):
    done = subprocess.run(
        [*command, sys.executable, "-c", CHILD, str(TESTS), *arguments],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.split("RESULT")[1])


@pytest.mark.parametrize("rule", ["guerguiev", "urbanczik"])
def test_one_to_three_ranks(rule, mpiexec):
    alone = run([], rule, "exact")
    changed = {name for name in alone["learned"] if alone["learned"][name] != alone["before"][name]}
    assert changed == ({"in->hidden", "hidden->out"} if rule == "guerguiev" else {"hidden->out"})
    for raster in alone["rasters"]:  # every kind of cell, inputs too
        assert {gid // 10 for _, gid in raster} >= {0, 4, 10, 30}
    assert alone["rasters"][0] != alone["rasters"][1]
    for n in (2, 3):
        shared = run([*mpiexec, "-n", str(n)], rule, "exact")
        assert shared["ranks"] == n
        assert all(len(cells) == 4 for cells in shared["cells"])
        for key in ("before", "sha256", "rasters", "traces", "drive", "answers"):
            assert shared[key] == alone[key], key


def test_without_an_order_of_events_ranks_differ(mpiexec):
    """The test above can tell: only the delays are left out here. Equal ranks remain equal."""
    alone, shared, again = (run([*mpiexec, "-n", str(n)], "guerguiev", "as it was") for n in (1, 3, 3))
    assert shared["rasters"] == alone["rasters"]
    assert shared["traces"] != alone["traces"]
    assert shared["sha256"] == again["sha256"]
