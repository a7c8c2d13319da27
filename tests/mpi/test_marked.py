"""Weights of NetCons that NetPyNE made: surveyed, placed and learned alike on any number of ranks."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
CHILD = """
import hashlib, json, sys
sys.path.insert(0, sys.argv[1])
import segdend_plugin
ranks = segdend_plugin.start()
from netpyne_model import parameters, task
from segdend_plugin import Learner, rules

net, config = parameters()
network = segdend_plugin.create(net, config, seed=3)
phases = rules.TwoPhase(forward=30.0, target=30.0, settle=5.0, test=30.0)
learner = Learner(network, rules.Measured(phases=phases))
survey = learner.survey(task(8), tune=True)
placed = {name: learner.weights(name) for name in ("in->mid", "mid->out", "out->mid")}
learner.fit(task(4, seed=1), batch=2)
answers = learner.answers(task(3, seed=2))["out"]
learned = {name: learner.weights(name) for name in placed}
if ranks.is_root:
    digest = lambda arrays: hashlib.sha256(b"".join(a.tobytes() for a in arrays.values())).hexdigest()
    print("RESULT" + json.dumps({
        "ranks": ranks.size, "survey": str(survey), "placed": digest(placed), "learned": digest(learned),
        "answers": answers.tolist(),
    }))
sys.stdout.flush()
ranks.barrier()
"""


def run(n, mpiexec):
    start = [] if n == 1 else [*mpiexec, "-n", str(n)]
    done = subprocess.run(
        [*start, sys.executable, "-c", CHILD, str(TESTS)], capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    return json.loads(line.removeprefix("RESULT"))


@pytest.fixture(scope="module")
def single():
    return run(1, [])


@pytest.mark.parametrize("n", [2, 3])
def test_the_same_bits_on_any_number_of_ranks(n, single, mpiexec):
    result = run(n, mpiexec)
    assert result.pop("ranks") == n
    assert result == {key: value for key, value in single.items() if key != "ranks"}
    assert result["placed"] != result["learned"]


GRAPH = """
import sys
sys.path.insert(0, sys.argv[1])
import segdend_plugin
ranks = segdend_plugin.start()
from netpyne_model import parameters
graph = segdend_plugin.create(*parameters(), seed=3).graph
if ranks.is_root:
    print("RESULT", [c.bounds for c in graph.connections])
ranks.barrier()
"""


def test_a_rank_without_a_cell_of_a_population_knows_that_weights_are_signed(mpiexec):
    command = [*mpiexec, "-n", "5", sys.executable, "-c", GRAPH, str(TESTS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert f"RESULT {[(-float('inf'), float('inf'))] * 3}" in done.stdout
