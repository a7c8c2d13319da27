"""Graphs that are no chain of layers: the same weights and answers, bit for bit, on any number of ranks.

Run as a script, this file trains one of its graphs and prints what came of it.
"""

import json
import subprocess
import sys

import numpy as np
import pytest

from segdend_plugin.cells.templates import Membrane
from segdend_plugin.engine.kinds.cable import Cable
from segdend_plugin.engine.kinds.lumped import Lumped
from segdend_plugin.engine.kinds.poisson import Poisson
from segdend_plugin.learner import Learner
from segdend_plugin.model.graph import Connections, Graph, Initial, Population
from segdend_plugin.model.places import FEEDBACK, FORWARD, Landing
from segdend_plugin.model.state import weights_sha256
from segdend_plugin.model.trial import Stimulus, Trains
from segdend_plugin.rule.guerguiev import Guerguiev
from segdend_plugin.rule.phases import TwoPhase
from segdend_plugin.tasks.trains import Examples

SOMA = Landing("soma", 1)
SIZES = {"image": 9, "sound": 5, "first": 7, "second": 6, "output": 4, "pv": 2}  # fewer pv cells than ranks
INPUTS = {name: SIZES[name] for name in ("image", "sound")}
KINDS = {"lumped": Lumped(), "mixed": Cable("mouse_v1_l4_nr5a1", "mouse_v1_l4_nr5a1", Membrane(nseg=1))}
EXAMPLES, SHOWN = 6, 60.0  # of how many ms


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

    def forward(pre, post, place=FORWARD, **more):
        return Connections(f"{'+'.join(pre)}->{post}", pre, post, place, **more)

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
        forward(("second",), "output", SOMA),
        forward(("first", "image"), "output", SOMA),
        feedback("first"),
        feedback("second"),
        Connections("first->pv", ("first",), "pv", SOMA, "fixed", False, initial=excitation),
        Connections("pv->second", ("pv",), "second", SOMA, "fixed", False, initial=inhibition),
        Connections("pv->first", ("pv",), "first", SOMA, "fixed", False, initial=inhibition),
    )
    return Graph(5, 1.0, tuple(populations), sets)


def stimulus(number):
    """Constant levels of one input, spikes of the other, and a class."""
    draw = np.random.default_rng(number)
    times, cells = np.sort(draw.uniform(0.0, SHOWN, 40)), draw.integers(0, SIZES["sound"], 40)
    levels = draw.uniform(0.0, 1.0, SIZES["image"])
    target = np.eye(SIZES["output"])[number % SIZES["output"]]
    return Stimulus({"image": levels, "sound": Trains(times, cells)}, {"output": target}, duration=SHOWN)


def learn(name):
    """Return what is compared after a few examples, in batches of two."""
    task = Examples([stimulus(k) for k in range(EXAMPLES)], inputs=INPUTS)
    learner = Learner(graph(KINDS[name]), Guerguiev(phases=TwoPhase(settle=20.0)), learning_rates=0.3)
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


@pytest.mark.parametrize("name", KINDS)
def test_one_to_three_ranks(mpiexec, name):
    alone = trained([], name)
    assert alone["unchanged"] == []
    assert alone["largest recurrent weight"] == 0.5, "bounds act"
    for n in (2, 3):
        assert trained([*mpiexec, "-n", str(n)], name) == alone | {"ranks": n}


@pytest.fixture(scope="module")
def learner(ranks):
    return Learner(graph(KINDS["lumped"]), Guerguiev(phases=TwoPhase(settle=20.0)), learning_rates=0.3)


def test_a_batch_adds_what_its_examples_change(learner):
    """Both examples meet the same weights, and each one learns from its own trains."""
    first = learner.network.gather()

    def learned(*numbers):
        learner.network.scatter(*first)
        learner.example = numbers[0]
        task = Examples([stimulus(k) for k in numbers], inputs=INPUTS)
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


if __name__ == "__main__":
    found = learn(sys.argv[1])
    if found is not None:
        print(json.dumps(found))
