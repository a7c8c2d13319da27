"""Faults that were found by reading, each with the test that would have caught it: descriptions, seeds and rules."""

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import segdend_plugin
from segdend_plugin.cells.units import TAU_SHORT
from segdend_plugin.engine.kinds.cable import Cable
from segdend_plugin.engine.kinds.linear import Linear
from segdend_plugin.engine.kinds.lumped import Lumped
from segdend_plugin.engine.kinds.own import Own
from segdend_plugin.engine.kinds.poisson import Poisson
from segdend_plugin.engine.kinds.reconstruction import Reconstruction
from segdend_plugin.engine.layered import chain, layered
from segdend_plugin.errors import ConfigError
from segdend_plugin.experiment import config, graph
from segdend_plugin.hosts.connections import take_rules
from segdend_plugin.model.graph import Connections, Graph, Initial, Population
from segdend_plugin.model.places import FEEDBACK, FORWARD
from segdend_plugin.model.streams import KEYS_PER_SEED, LARGEST_SEED, Purpose, check_seed, spike_key
from segdend_plugin.rule import plateau, weights
from segdend_plugin.rule.guerguiev import Guerguiev

CABLE = Cable("cell", "mouse_v1_l5_rbp4")
TOO_LARGE = [2**26, 2**26 + 1, 2**27, 2**28 + 5]
NO_SEEDS = [*TOO_LARGE, -1, True, 1.0]


def one_sentence(error):
    said = str(error.value)
    assert "\n" not in said
    assert said.rstrip().endswith(".")
    return said


# ---- the membrane time constant


@pytest.mark.parametrize("tau", [10.0, 30.0])
def test_time_constant_of_a_description_is_that_of_its_cells(tau):
    """The traces of learning had 10 ms, whatever the membrane."""
    experiment = config.load(settings=[f"cable.time_constant={tau}"])
    (hidden,) = (p for p in graph.graph(experiment, 4, 2).populations if isinstance(p.kind, Reconstruction))
    assert hidden.kind.time_constants == (tau, TAU_SHORT)


def test_time_constant_like_that_of_synapses():
    """3 ms is that of the synapses, where the kernel was 0/0."""
    experiment = config.load(settings=["cable.time_constant=3"])
    (hidden,) = (p for p in graph.graph(experiment, 4, 2).populations if isinstance(p.kind, Reconstruction))
    long, short = hidden.kind.time_constants
    assert long > short
    assert long == pytest.approx(3.0, rel=1e-5)


# ---- seeds


@pytest.mark.parametrize("seed", NO_SEEDS)
def test_a_seed_that_is_none(seed):
    """Seeds of 2**26 and more gave the spikes of smaller ones."""
    with pytest.raises(ConfigError) as error:
        check_seed(seed)
    assert f"seed={seed!r}" in one_sentence(error)
    with pytest.raises(ConfigError) as error:
        spike_key(seed, Purpose.TRAINING_SPIKES, 0)
    one_sentence(error)
    with pytest.raises(ConfigError) as error:
        layered([4, 3, 2], "three_compartment", seed=seed)
    assert f"seed={seed!r}" in one_sentence(error)


@pytest.mark.parametrize("seed", [*TOO_LARGE, -1, 1.5])
def test_a_seed_that_is_none_in_a_description(seed):
    """A description took any seed."""
    with pytest.raises(ConfigError) as error:
        config.load(settings=[f"seed={seed}"])
    assert "seed" in one_sentence(error)


def test_distinct_seeds_have_distinct_streams():
    """The key of the last seed wrapped around to that of another."""
    seeds = [0, 1, 2**25, LARGEST_SEED - 1, LARGEST_SEED]
    keys = {spike_key(seed, purpose, 0) for seed in seeds for purpose in Purpose}
    assert len(keys) == len(seeds) * len(Purpose)
    assert max(keys) < 2**32, "the identity has 32 bits"
    assert max(Purpose) < KEYS_PER_SEED
    assert layered([4, 3, 2], "three_compartment", seed=LARGEST_SEED).seed == LARGEST_SEED


@pytest.mark.parametrize("example", [-1, 2**32])
def test_an_example_that_has_no_stream(example):
    """The third identity has 32 bits, too."""
    with pytest.raises(ConfigError) as error:
        spike_key(0, Purpose.TEST_SPIKES, example)
    one_sentence(error)


# ---- where synapses land


def marked(role, **params):
    conditions = {"preConds": {"pop": "a"}, "postConds": {"pop": "b"}}
    return {"rule": {**conditions, "plast": {"mech": "SegDend", "params": {"role": role, **params}}}}


@pytest.mark.parametrize(("role", "place"), [("forward", FORWARD), ("feedback", FEEDBACK)])
def test_sites_are_the_same_in_every_world(role, place):
    """A NetPyNE rule without `sites` got another number of them than a description or plain NEURON."""
    (made,) = take_rules(marked(role))["rule"].sets()
    chained = chain(0, 1.0, 4, [[("hidden", 3, CABLE)]], ("output", 2, Lumped()))
    described = graph.graph(config.load(settings=["cell=mouse_v1_l5_rbp4"]), 4, 2)
    named = described.hidden[0].name
    assert made.place == chained.onto("hidden", role)[0].place == described.onto(named, role)[0].place == place
    assert place.sites == {"forward": 8, "feedback": 4}[role]
    (made,) = take_rules(marked(role, sites=3))["rule"].sets()
    assert made.place == replace(place, sites=3)


# ---- plateaus under other names


@pytest.fixture
def nmda(monkeypatch):
    """The row of NMDA channels under a name of the user's."""
    monkeypatch.setitem(plateau.READOUTS, "mine", plateau.READOUTS["nmda"])
    return layered([64, 20, 10], CABLE)


def test_a_copied_readout_learns_as_fast(nmda):
    """Default learning rates depended on the name of the readout."""
    rates = {name: Guerguiev(plateau=name).learning_rates(nmda) for name in ("average", "nmda", "mine")}
    assert rates["mine"] == rates["nmda"]
    steepness = plateau.nmda_steepness(CABLE.scale.rest, CABLE.scale.unit)
    assert rates["mine"]["hidden"] / rates["average"]["hidden"] == pytest.approx(1 / steepness, rel=1e-12)
    assert rates["mine"]["hidden"] / rates["average"]["hidden"] > 50, "at rest, few channels are free"
    assert rates["mine"]["output"] == rates["average"]["output"]


def test_a_copied_readout_is_read_alike(nmda):
    """What was read, and whether it was a fraction already, depended on the name."""
    mine, known = Guerguiev(plateau="mine"), Guerguiev(plateau="nmda")
    assert mine.wants(nmda) == known.wants(nmda)
    fractions = np.array([0.02, 0.5])
    np.testing.assert_array_equal(mine.readout.alpha(fractions), fractions)
    with pytest.raises(ConfigError) as error:
        Guerguiev(plateau="mine", plateau_gain=2.0)
    assert "'mine' has no sigmoid" in one_sentence(error)
    assert config.load(settings=["cell=mouse_v1_l5_rbp4", "rule.plateau=mine"]).rule.plateau == "mine"


def test_a_readout_at_the_nexus_is_taken_where_there_is_one(monkeypatch):
    """Only the shipped name `calcium` was known to be read where the trunk ends."""
    row = plateau.Readout("nmda", at_sites=False, at_nexus=True, steepness=plateau.nmda_steepness)
    monkeypatch.setitem(plateau.READOUTS, "block", row)
    wanted = Guerguiev(plateau="block").wants(layered([4, 3, 2], CABLE))
    assert any(want.quantity == "nmda" and want.place.region == "nexus" for want in wanted)
    for kind in (Lumped(), Linear("cell", "mouse_v1_l5_rbp4")):
        with pytest.raises(ConfigError) as error:
            Guerguiev(plateau="block").wants(layered([4, 3, 2], kind))
        assert "plateau='block'" in one_sentence(error)


# ---- several sets onto one population


def two_sets():
    """Six inputs onto a hidden population, as two sets."""
    populations = (
        Population("left", 4, Lumped(), 0, bias=False),
        Population("right", 2, Lumped(), 4, bias=False),
        Population("hidden", 300, Lumped(), 6),
        Population("output", 2, Lumped(), 306, teacher=True),
    )
    back = Connections("back", ("output",), "hidden", FEEDBACK, "feedback", False, initial=Initial("feedback"))
    sets = (Connections(f"{name}->hidden", (name,), "hidden") for name in ("left", "right"))
    return Graph(3, 1.0, populations, (*sets, Connections("hidden->output", ("hidden",), "output"), back))


def test_two_sets_have_weights_of_their_own_and_share_the_fan_in():
    """Two sets onto one population began with the same weights, each as large as if it were alone."""
    made = two_sets()
    left, right = (weights.initial_weights(made, made.set(f"{name}->hidden"), range(300)) for name in ("left", "right"))
    assert not np.isin(right, left).any()
    mean, sd = weights.weight_statistics(6)
    for matrix in (left, right):
        assert matrix.mean() == pytest.approx(mean, rel=0.1), (
            "of 4 or 2 inputs it would be half as large again, or more"
        )
        assert matrix.std() == pytest.approx(sd, rel=0.1)


def test_a_population_learns_its_bias_once():
    """With two sets a bias was drawn twice and learned at twice its rate."""
    made = two_sets()

    class Known:
        graph, rates, state = made, dict.fromkeys(["left->hidden", "right->hidden", "hidden"], 0.5), {}

    from segdend_plugin.model.changes import Bias, Outer
    from segdend_plugin.rule.guerguiev import descend

    changes = descend(Known(), "hidden", np.array([0.1, -0.2, 0.3]))
    outer = [change for change in changes if isinstance(change, Outer)]
    (bias,) = (change for change in changes if isinstance(change, Bias))
    assert [change.connections for change in outer] == ["left->hidden", "right->hidden"]
    for change in outer:
        np.testing.assert_array_equal(change.post, bias.change)


# ---- what is printed


def test_only_the_command_line_prints():
    """Library code wrote to the terminal by itself."""
    package = Path(segdend_plugin.__file__).parent
    printing = []
    for file in sorted(package.rglob("*.py")):
        if "cli" in file.relative_to(package).parts:
            continue
        calls = (node.func for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))
        if any(isinstance(called, ast.Name) and called.id == "print" for called in calls):
            printing.append(str(file.relative_to(package)))
    assert printing == []


# ---- what can land on which cells


@pytest.mark.parametrize(
    ("kind", "form", "said"),
    [
        (Poisson(), "dense", "nothing can land on 'cells'"),
        (Poisson(), "sparse", "nothing can land on 'cells'"),
        (Lumped(), "sparse", "takes 'dense' sets only"),
        (Own(), "dense", "takes 'sparse' sets only"),
    ],
)
def test_a_set_lands_only_on_cells_that_accept_it(kind, form, said):
    populations = (Population("in", 3, Poisson(), 0, bias=False), Population("cells", 2, kind, 3))
    with pytest.raises(ConfigError, match=said) as error:
        Graph(0, 1.0, populations, (Connections("set", ("in",), "cells", form=form),))
    one_sentence(error)
