"""Graphs that are no chain of layers: the same weights and answers, bit for bit, on any number of ranks.

Run as a script, this file trains one of its graphs and prints what came of it.
"""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from segdend_plugin.cells.templates import Membrane
from segdend_plugin.engine.kinds.cable import Cable
from segdend_plugin.engine.kinds.lumped import Lumped
from segdend_plugin.engine.kinds.poisson import Poisson
from segdend_plugin.engine.sparse import Sparse
from segdend_plugin.learner import Learner
from segdend_plugin.model.graph import Connections, Graph, Initial, Population
from segdend_plugin.model.places import FEEDBACK, FORWARD, Landing
from segdend_plugin.model.state import weights_sha256
from segdend_plugin.model.streams import Purpose
from segdend_plugin.model.trial import Stimulus, Trains
from segdend_plugin.rule.guerguiev import Guerguiev
from segdend_plugin.rule.phases import TwoPhase
from segdend_plugin.tasks.trains import Examples

SOMA = Landing("soma", 1)
SIZES = {"image": 9, "sound": 5, "first": 7, "second": 6, "output": 4, "pv": 2}  # fewer pv cells than ranks
EXAMPLES, SHOWN = 6, 60.0
BRIGHT = {"image": np.ones(SIZES["image"]), "sound": np.ones(SIZES["sound"])}


def graph(kind):
    """Two inputs, two hidden populations, sets that skip one of them, recurrence, and interneurons onto somas."""
    gated = Lumped(label="gated", silent_in="window")
    kinds = {"image": Poisson(), "sound": Poisson(), "first": kind, "pv": gated}
    populations, number = [], 0
    for name, size in SIZES.items():
        own = kinds.get(name, Lumped())
        learns = name in ("first", "second", "output")
        populations.append(Population(name, size, own, number, teacher=name == "output", bias=learns))
        number += size

    def forward(pre, post, place=FORWARD, name="", **more):
        return Connections(name or f"{'+'.join(pre)}->{post}", pre, post, place, **more)

    def feedback(post):
        drawn = Initial("feedback")
        return Connections(f"output->{post}", ("output",), post, FEEDBACK, "feedback", False, initial=drawn)

    excitation = Initial("excitation", total=40.0, constant=-1.0)
    inhibition = Initial("inhibition", total=-5.0, fraction=0.5)
    sets = (
        forward(("image", "sound"), "first"),
        forward(("first",), "second", delay=2.0),
        forward(("second",), "second", delay=3.0, bounds=(-0.5, 0.5)),
        forward(("sound",), "second"),
        forward(("first",), "second", delay=3.0, name="first->late"),
        forward(("second",), "output", SOMA),
        forward(("first", "image"), "output", SOMA),
        feedback("first"),
        feedback("second"),
        Connections("first->pv", ("first",), "pv", SOMA, "fixed", False, initial=excitation),
        Connections("pv->second", ("pv",), "second", SOMA, "fixed", False, initial=inhibition),
        Connections("pv->first", ("pv",), "first", SOMA, "fixed", False, initial=inhibition),
    )
    return Graph(5, 1.0, tuple(populations), sets)


GRAPHS = {
    "lumped": lambda: graph(Lumped()),
    "mixed": lambda: graph(Cable("mouse_v1_l4_nr5a1", "mouse_v1_l4_nr5a1", Membrane(nseg=1))),
}


def stimulus(number):
    """Constant levels of one input, spikes of the other, and a class."""
    draw = np.random.default_rng(number)
    times, cells = np.sort(draw.uniform(0.0, SHOWN, 40)), draw.integers(0, SIZES["sound"], 40)
    levels = draw.uniform(0.0, 1.0, SIZES["image"])
    target = np.eye(SIZES["output"])[number % SIZES["output"]]
    return Stimulus({"image": levels, "sound": Trains(times, cells)}, {"output": target}, duration=SHOWN)


def learn(name):
    """Return what is compared after a few examples, in batches of two."""
    task = Examples([stimulus(k) for k in range(EXAMPLES)], inputs={"image": 9, "sound": 5})
    learner = Learner(GRAPHS[name](), Guerguiev(phases=TwoPhase(settle=20.0)), learning_rates=0.3)
    before = learner.network.gather()
    learner.fit(task, epochs=2, batch=2)
    after, answers = learner.network.gather(), learner.answers(task)
    if after is None:
        return None
    return {
        "ranks": learner.network.ranks.size,
        "weights_sha256": weights_sha256(learner.graph, *after),
        "answers": answers["output"].tolist(),
        "unchanged": [key for key in after[0] if (after[0][key] == before[0][key]).all()],
        "largest recurrent weight": float(np.abs(after[0]["second->second"]).max()),
    }


def trained(command, name):
    done = subprocess.run([*command, sys.executable, __file__, name], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", GRAPHS)
def test_one_to_three_ranks(mpiexec, name):
    alone = trained([], name)
    assert alone["unchanged"] == []
    assert alone["largest recurrent weight"] == 0.5, "bounds act"
    for n in (2, 3):
        assert trained([*mpiexec, "-n", str(n)], name) == alone | {"ranks": n}


@pytest.fixture(scope="module")
def learner(ranks):
    return Learner(GRAPHS["lumped"](), Guerguiev(phases=TwoPhase(settle=20.0)), learning_rates=0.3)


def test_a_batch_adds_what_its_examples_change(learner):
    """Both examples meet the same weights, and each one learns from its own trains."""
    first, size = learner.network.gather(), SIZES["sound"]

    def learned(*numbers):
        learner.network.scatter(*first)
        learner.example = numbers[0]
        task = Examples([stimulus(k) for k in numbers], inputs={"image": 9, "sound": size})
        learner.partial_fit(task, batch=len(numbers))
        return {
            name: array - before[name]
            for before, after in zip(first, learner.network.gather(), strict=True)
            for name, array in after.items()
        }

    one, other, both = learned(0), learned(1), learned(0, 1)
    for name, change in both.items():
        if name != "second->second":  # its bounds act
            np.testing.assert_allclose(change, one[name] + other[name], rtol=1e-9, atol=1e-12)
            assert (one[name] != other[name]).any()


def test_netcons_bring_the_trains_of_a_dense_set(learner, ranks):
    """Synapses with delays of their own: one of 2 ms has the trace of its cell in a dense set with this delay."""
    from neuron import h

    network = learner.network
    network.announce_spikes()
    target, sources = h.Section(name="target"), network.cells["first"].gids
    synapse = h.ExpSyn(target(0.5))
    made = []
    for pre, gid in enumerate(sources):
        for post, delay in enumerate((2.0, 3.0)):
            netcon = ranks.pc.gid_connect(gid, synapse)
            netcon.delay, netcon.weight[0] = delay + 1e-6, 0.0
            made.append((pre, post, netcon))
    own = Connections("netcons", ("first",), "second", form="sparse", delay=None)
    sparse = Sparse(ranks, learner.graph, own, made, np.arange(2), sources)
    shown = learner.rule.phases.trial(learner.graph, replace(stimulus(0), duration=None, drive=BRIGHT), 0, taught=True)
    sparse.prepare(shown, keep=True)
    network.run(shown, Purpose.TEST_SPIKES, ())
    for window in (0, 1):
        for post, dense in enumerate(("first->second", "first->late")):
            expected = network.sets[dense].filtered(window)
            assert expected.max() > 0.01
            np.testing.assert_allclose(sparse.filtered(window)[sparse.column == post], expected, rtol=1e-9)
    sparse.close()


if __name__ == "__main__":
    found = learn(sys.argv[1])
    if found is not None:
        print(json.dumps(found))
