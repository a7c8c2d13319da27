"""A network learns the same bits through the command line, through NetPyNE and in plain NEURON."""

import json
import subprocess
import sys

import numpy as np
import pytest

HIDDEN = "hidden1_three_compartment"  # as the command line calls it
RATES = [1.5, 0.2]
START = f"""
import sys
import segdend_plugin
ranks = segdend_plugin.start()
from neuron import h
from netpyne import specs
from segdend_plugin import Learner, rules, schedules, tasks
from segdend_plugin.model.state import weights_sha256

HIDDEN, RATES = {HIDDEN!r}, {RATES}
"""
NETPYNE = """
def plastic(pre, post, sec, role="forward"):
    plast = {"mech": "SegDend", "params": {"role": role}}
    return {"preConds": {"pop": pre}, "postConds": {"pop": post}, "sec": sec, "delay": 1.0, "plast": plast}

net, config = specs.NetParams(), specs.SimConfig()
net.popParams["input"] = {"cellModel": "SegDendInput", "numCells": 8}
net.popParams[HIDDEN] = {"cellModel": "SegDendLinear", "numCells": 5}
point = {"mod": "SegDendLumped", "loc": 0.5, "g_leak": 0.01, "g_basal": 0.06, "g_apical": 0.0}
soma = {"geom": {"L": 56.4189583548, "diam": 56.4189583548, "cm": 1.0, "nseg": 1}, "pointps": {"neuron": point}}
net.cellParams["out"] = {"secs": {"soma": soma}}
net.popParams["output"] = {"cellType": "out", "numCells": 2}
net.connParams[f"input->{HIDDEN}"] = plastic("input", HIDDEN, "basal")
net.connParams[f"{HIDDEN}->output"] = plastic(HIDDEN, "output", "basal")
net.connParams[f"output->{HIDDEN}"] = plastic("output", HIDDEN, "tuft", "feedback")
config.dt, config.hParams = 1.0, {"v_init": -70.0, "celsius": 6.3}
network = segdend_plugin.create(net, config, seed=3)
"""
NEURON = """
from segdend_plugin import kinds
from segdend_plugin.engine.kinds.base import CellHandle
from segdend_plugin.engine.layered import chain
from segdend_plugin.hosts import neuron as host

cell = kinds.Lumped()
graph = chain(3, 1.0, 8, [[(HIDDEN, 5, cell)]], ("output", 2, cell))
section = h.Section()
cells = {
    "input": [CellHandle(k, point=h.SegDendInput()) for k in graph["input"].numbers],
    HIDDEN: [CellHandle(k, section(0.5), point=h.SegDendLinear(section(0.5))) for k in graph[HIDDEN].numbers],
    "output": [],
}
for k in graph["output"].numbers:
    soma = h.Section()
    soma.L = soma.diam = 56.4189583548
    point = h.SegDendLumped(soma(0.5))
    point.g_leak, point.g_basal, point.g_apical = 0.01, 0.06, 0.0
    cells["output"].append(CellHandle(k, soma(0.5), point=point, owner=soma))
network = host.create(graph, cells)
"""
LEARN = """
images = tasks.load("mnist", path=sys.argv[1]).train
rates = dict(zip([HIDDEN, "output"], RATES))
learner = Learner(network, rules.Guerguiev(), learning_rates=rates, schedule=schedules.linear(0.1))
learner.fit(images, epochs=2)
weights, biases = network.gather()
print("HASH", weights_sha256(network.graph, weights, biases))
"""


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "images.npz"
    draw = np.random.default_rng(0)
    pixels, labels = draw.integers(256, size=(60, 2, 4)).astype(np.uint8), np.arange(60) % 2
    np.savez(path, x_train=pixels[:40], y_train=labels[:40], x_test=pixels[40:], y_test=labels[40:])
    return path


@pytest.fixture(scope="module")
def described(images, tmp_path_factory):
    """Return the hash that the command line says."""
    out = tmp_path_factory.mktemp("runs") / "run"
    settings = {
        "seed": 3,
        "cell": "three_compartment",
        "layers.hidden": [5],
        "data.name": "mnist",
        "data.path": images,
        "rule.learning_rates": RATES,
        "training.epochs": 2,
    }
    said = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "segdend_plugin", "train", *said, "--out", out]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads((out / "summary.json").read_text())["weights_sha256"]


@pytest.mark.parametrize("host", [NETPYNE, NEURON], ids=["netpyne", "neuron"])
def test_the_same_hash(host, images, described):
    script = START + host + LEARN
    done = subprocess.run([sys.executable, "-c", script, images], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"HASH {described}" in done.stdout
