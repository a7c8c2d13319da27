"""Interneurons: what one spike of theirs does to a cell, when they are silent, and that nothing else changes."""

import numpy as np
import pytest

from segdend_plugin.engine.kinds.lumped import Lumped
from segdend_plugin.engine.layered import chain
from segdend_plugin.engine.session import session
from segdend_plugin.errors import ConfigError
from segdend_plugin.experiment import config
from segdend_plugin.experiment.graph import graph
from segdend_plugin.hosts import description
from segdend_plugin.hosts.connections import take_rules
from segdend_plugin.learner import Learner
from segdend_plugin.model.places import Place
from segdend_plugin.model.streams import Purpose
from segdend_plugin.model.trial import Stimulus
from segdend_plugin.model.wants import Average, Trace
from segdend_plugin.rule.guerguiev import Guerguiev
from segdend_plugin.rule.inhibition import Inhibition
from segdend_plugin.rule.phases import TwoPhase
from segdend_plugin.rule.weights import initial_weights

SETTLE, END = 60, 300
PHASES = TwoPhase(settle=30.0, jitter=False)
TESTING = TwoPhase(test=float(END), settle=float(SETTLE))
EXPERIMENT = config.load(
    settings=["cell=three_compartment", "layers.hidden=[2]"], inhibition=[{"name": "pv", "size": 2, "onto": "soma"}]
)


@pytest.fixture
def build(ranks):
    """Return a function that builds a network of two hidden cells with one population of interneurons."""

    def make(cell, *settings, **interneurons):
        own = {"name": "inter", "size": 4} | interneurons
        experiment = config.load(settings=[f"cell={cell}", "layers.hidden=[2]", *settings], inhibition=[own])
        return description.build(graph(experiment, 8, 3))

    return make


def stimulus(network, brightness):
    classes = network.graph["output"].size
    return Stimulus({"input": np.full(8, brightness)}, {"output": np.eye(classes)[1]})


def record_spikes(network):
    """Return the Vectors that the times and gids of all spikes will be in."""
    from neuron import h

    times, gids = h.Vector(), h.Vector()
    network.announce_spikes()
    network.ranks.pc.spike_record(-1, times, gids)
    return times, gids


def run(network, onto, brightness=0.0):
    """Silence everything but the interneurons; return their spikes and the potentials of the hidden cells (units)."""
    from neuron import h

    (hidden,) = network.graph.hidden
    inter = network.cells["inter"]
    for role in ("forward", "feedback"):
        for connections in network.graph.onto(hidden.name, role):
            one = network.sets[connections.name]
            one.weights[:] = 0
            one.constant[:] = 0
    times, gids = record_spikes(network)
    back = network.graph.onto(hidden.name, "feedback")[0].name
    places = [Place(), *([Place(of=back)] if onto == "tuft" else [])]
    traces = [Trace(hidden.name, "potential", place) for place in places]
    potential = h.Vector().record(inter.somas[0]._ref_potential)
    trial = TESTING.resolve(network.graph).trial(network.graph, stimulus(network, brightness), 1, taught=False)
    seen = network.run(trial, Purpose.TEST_SPIKES, traces)
    mine = [(t, inter.gids.index(int(gid))) for t, gid in zip(times, gids, strict=True) if int(gid) in inter.gids]
    soma, *tuft = (np.vstack([np.zeros((1, hidden.size)), seen[trace]]).T for trace in traces)
    return mine, soma, *(tuft or [None]), np.array(potential)


@pytest.mark.parametrize(
    ("cell", "onto", "settings", "tolerance"),
    [
        ("mouse_v1_l4_scnn1a", "tuft", ["phases.delay=5"], 1e-5),
        ("mouse_v1_l4_scnn1a", "soma", [], 1e-5),
        ("mouse_v1_l4_scnn1a", "basal", [], 1e-5),
        ("mouse_v1_l4_scnn1a", "tuft", ["phases.delay=5", "cable.solver=neuron"], 1e-6),
        ("mouse_v1_l4_scnn1a", "soma", ["cable.solver=neuron"], 1e-6),
        ("mouse_v1_l4_scnn1a", "basal", ["cable.solver=neuron"], 1e-6),
        ("mouse_v1_l4_scnn1a", "tuft", ["synapse.model=conductance"], 0.02),
        ("mouse_v1_l4_scnn1a", "soma", ["synapse.model=conductance"], 0.02),
        ("three_compartment", "soma", [], 1e-6),
    ],
)
def test_a_spike_lowers_the_place_by_the_calibrated_amount(build, cell, onto, settings, tolerance):
    """The area under the potential is the sum of the weights of all spikes: unit drive is one unit at steady state."""
    strength = 0.05 if tolerance > 1e-3 else 2.0
    network = build(cell, *settings, onto=onto, strength=strength, fraction=0.5, bias=2.0, silent_in="window")
    spikes, soma, tuft, _ = run(network, onto)
    weights = network.sets[f"inter->{network.graph.hidden[0].name}"].weights
    np.testing.assert_allclose(weights.sum(axis=0), -strength / 0.2)
    assert ((weights == 0).sum(axis=0) == 2).all()
    counts = np.bincount([k for _, k in spikes], minlength=4)
    assert counts.sum() > 10
    seen = (tuft if onto == "tuft" else soma).sum(axis=1)
    np.testing.assert_allclose(seen, counts @ weights, rtol=tolerance)
    if "phases.delay=5" in settings:
        first = int(spikes[0][0])
        assert np.abs(tuft[:, : first + 6]).max() < 1e-9
        assert (tuft[:, first + 7] < -1e-3).any()


def test_inhibition_of_the_tuft_is_felt_there(build):
    network = build("mouse_v1_l5_rbp4", onto="tuft", strength=2.0, bias=2.0)
    _, soma, tuft, _ = run(network, "tuft")
    assert (tuft.mean(axis=1) < -1.0).all()
    assert (np.abs(soma).max(axis=1) < 0.1).all()


@pytest.mark.parametrize(
    ("silent_in", "lead", "silent"),
    [
        ("none", 0, []),
        ("window", 0, [(30, 50), (80, 100)]),
        ("window", 10, [(20, 50), (70, 100)]),
        ("forward", 0, [(0, 50)]),
        ("target", 5, [(45, 100)]),
    ],
)
def test_when_they_are_silent(build, silent_in, lead, silent):
    """Driven to 200 Hz; the soma recovers from the gate with C/(g_l + g_b) = 1.4 ms."""
    own = {"size": 200, "onto": "soma", "bias": 6.0, "excitation": 0.0, "silent_in": silent_in, "silent_lead": lead}
    network = build("three_compartment", **own)
    times, gids = record_spikes(network)
    trial = PHASES.resolve(network.graph).trial(network.graph, stimulus(network, 0.0), 0, taught=True)
    network.run(trial, Purpose.TRAINING_SPIKES, ())
    mine = set(network.cells["inter"].gids)
    steps = np.array([round(t) for t, gid in zip(times, gids, strict=True) if int(gid) in mine])
    counts = np.bincount(steps, minlength=101)[1:]  # spikes at the end of each step
    ends = np.arange(1, 101)
    quiet = np.any([(ends > first) & (ends <= last) for first, last in silent] or [np.zeros(100, bool)], axis=0)
    assert counts[quiet].sum() == 0
    recovering = np.any([(ends > last) & (ends <= last + 8) for _, last in silent] or [ends <= 8], axis=0) | (ends <= 8)
    loud = counts[~quiet & ~recovering]
    assert loud.mean() == pytest.approx(200 * 0.2 / (1 + np.exp(-6 * 6 / 7)), rel=0.1)


def test_excitation_is_the_potential_that_full_rates_add(build):
    """Inputs at 200 Hz: the soma is at k_d (bias + excitation), up to the noise of 8 Poisson trains over 240 ms."""
    network = build("three_compartment", onto="soma", driven_by="input", excitation=5.0, bias=-2.0)
    _, _, _, potential = run(network, "soma", brightness=1.0)
    assert potential[SETTLE:].mean() == pytest.approx(6 / 7 * 3.0, rel=0.15)
    inbound = network.sets["input->inter"]
    np.testing.assert_allclose(inbound.weights.sum(axis=0), 5.0 / 0.2)
    assert (inbound.weights > 0).all()


@pytest.mark.parametrize("driven_by", ["hidden", "output"])
def test_sources(build, driven_by):
    network = build("three_compartment", onto="soma", driven_by=driven_by)
    assert network.sets[f"{driven_by}->inter"].n_pre == {"hidden": 2, "output": 3}[driven_by]


def test_the_rule_and_the_other_cells_do_not_know_them(build):
    """The same numbers and initial weights as without; fixed weights; their rates can be read like any other."""
    bare = description.build(graph(config.load(settings=["cell=three_compartment", "layers.hidden=[2]"]), 8, 3))
    first = {p.name: p.first for p in bare.graph.populations}
    before = bare.gather()
    network = build("three_compartment", onto="soma", strength=3.0)
    assert first == {p.name: p.first for p in network.graph.populations if p.name != "inter"}
    for old, new in zip(before, network.gather(), strict=True):
        assert old.keys() == new.keys()
        for name in old:
            np.testing.assert_array_equal(old[name], new[name])
    own = [one for one in network.sets.values() if one.connections.role == "fixed"]
    assert [one.connections.name for one in own] == ["hidden->inter", "inter->hidden1_three_compartment"]
    fixed = [(one.weights.copy(), one.constant.copy()) for one in own]
    rule = Guerguiev()
    trial = PHASES.resolve(network.graph).trial(network.graph, stimulus(network, 1.0), 0, taught=True)
    wanted = [Average("inter", "rate", window=window) for window in ("forward", "target")]
    rates = dict.fromkeys([*network.cells, *network.sets], 1.0)
    seen = network.run(trial, Purpose.TRAINING_SPIKES, (*rule.wants(network.graph), *wanted), rates=rates)
    network.apply([network.bind([seen], rule.change([seen]))])
    assert (
        network.gather()[0]["input->hidden1_three_compartment"] != before[0]["input->hidden1_three_compartment"]
    ).all()
    for (weights, constant), one in zip(fixed, own, strict=True):
        np.testing.assert_array_equal(weights, one.weights)
        np.testing.assert_array_equal(constant, one.constant)
    for want in wanted:
        assert 0 < seen[want].mean() < 0.2


def test_weights_belong_to_their_cells():
    """They do not depend on which other cells share the rank, and differ between populations."""
    lumped = Lumped()
    inter = [(name, 10, lumped, Inhibition(onto="soma", fraction=0.5)) for name in ("a", "b")]
    made = chain(3, 1.0, 7, [[("hidden", 6, lumped)]], ("output", 3, lumped), interneurons=inter)
    from_a, from_b, onto_a = (made.set(name) for name in ("a->hidden", "b->hidden", "hidden->a"))
    together = initial_weights(made, from_a, [3, 4, 5])
    np.testing.assert_array_equal(together[:, [1]], initial_weights(made, from_a, [4]))
    assert (together != initial_weights(made, from_b, [3, 4, 5])).any()
    assert initial_weights(made, from_a, []).shape == (10, 0)
    np.testing.assert_array_equal(initial_weights(made, onto_a, [0, 1])[:, [1]], initial_weights(made, onto_a, [1]))


@pytest.mark.parametrize(
    ("own", "settings", "says"),
    [
        ({"name": "hidden1"}, [], "taken"),
        ({"name": "output"}, [], "taken"),
        ({"layer": 2}, [], "there are 1 hidden layers"),
        ({"onto": "tuft"}, ["cell=three_compartment"], "three_compartment"),
        ({"onto": "axon"}, [], "inhibition.0.onto='axon'"),
        ({"strenght": 2}, [], "did you mean 'strength'"),
        ({"fraction": 0}, [], "inhibition.0.fraction=0"),
        ({"size": 0}, [], "inhibition.0.size=0"),
    ],
)
def test_mistakes_in_a_description(own, settings, says):
    with pytest.raises(ConfigError) as caught:
        config.load(settings=["layers.hidden=[2]", *settings], inhibition=[{"name": "a", "size": 2} | own])
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_populations_need_two_names():
    with pytest.raises(ConfigError, match="taken"):
        config.load(inhibition=[{"name": "a", "size": 2}] * 2)


@pytest.mark.parametrize(
    ("params", "post", "says"),
    [
        ({"onto": "axon"}, "hidden1_three_compartment", "give one of tuft, soma, basal"),
        ({"layer": 1}, "hidden1_three_compartment", "unknown key 'layer'"),
        ({"onto": "soma"}, "output", "mend the postConds"),
        ({"onto": "tuft"}, "hidden1_three_compartment", "take onto='soma'"),
        ({"onto": "soma"}, (), "name whole populations"),
        *(
            ({"onto": "soma", key: value}, "hidden1_three_compartment", f"{key}={value!r}: give ")
            for key, values in {
                "strength": [-1, "x", float("nan"), float("inf"), None, True],
                "fraction": [0, 2, -0.5],
                "excitation": [-1],
                "bias": ["x"],
                "silent_lead": ["a", -1],
            }.items()
            for value in values
        ),
    ],
)
def test_mistakes_in_a_netpyne_model(ranks, params, post, says):
    model, own = netpyne_model()
    own["plast"]["params"] = {"role": "inhibition", **params}
    own["postConds"] = {"pop": post}
    refuse(model, says)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sec": "tuft"}, "sec='tuft' is not onto='soma'"),
        ({"preConds": {"pop": ["pv", "hidden1_three_compartment"]}}, "name one population"),
        ({"preConds": {"pop": "pv", "x": [0, 100]}}, "name whole populations"),
        ({"weight": 0.5}, "weight=0.5 is not read.*: remove it"),
        ({"delay": "dist_3D"}, "delay='dist_3D': give one number"),
    ],
)
def test_mistakes_in_a_rule_of_interneurons(ranks, changes, says):
    model, own = netpyne_model()
    own.update(changes)
    refuse(model, says)


def test_bounds_are_those_of_a_description():
    """Least and greatest values are accepted, whatever kind of number they are."""
    params = {"onto": "soma", "strength": 0, "fraction": np.float32(1), "silent_lead": np.int64(0), "excitation": 0}
    rules = take_rules({"pv->hidden": our_rule("pv", "hidden", role="inhibition", **params)})
    assert rules["pv->hidden"].inhibition == Inhibition(**params)


def test_bounds_hold_in_plain_neuron_too():
    with pytest.raises(ConfigError, match="strength=-1: give 0 or more"):
        Inhibition(strength=-1)


def our_rule(pre, post, **params):
    return {"preConds": {"pop": pre}, "postConds": {"pop": post}, "plast": {"mech": "SegDend", "params": params}}


def netpyne_model():
    """A model with one rule of interneurons, and this rule."""
    hidden = "hidden1_three_compartment"
    model = description.net_params(graph(EXPERIMENT, 4, 2), sections=True)
    model.connParams["input->hidden"] = our_rule("input", hidden, role="forward")
    model.connParams["hidden->output"] = our_rule(hidden, "output", role="forward")
    model.connParams["output->hidden"] = our_rule("output", hidden, role="feedback")
    model.connParams["pv->hidden"] = our_rule("pv", hidden, role="inhibition", onto="soma")
    return model, model.connParams["pv->hidden"]


def refuse(model, says):
    from segdend_plugin.hosts import netpyne as host

    with pytest.raises(ConfigError, match=says) as caught:
        host.create(model, description.sim_config(graph(EXPERIMENT, 4, 2)))
    assert "\n" not in str(caught.value)


def test_a_netpyne_model_learns_the_same_weights(ranks):
    """The rule of interneurons and a description make one network."""
    from segdend_plugin.hosts import netpyne as host

    described = graph(EXPERIMENT, 4, 2)
    first = learned(description.build(described))
    second = learned(host.create(netpyne_model()[0], description.sim_config(described)))
    same(first, second)


def test_plain_neuron_learns_the_same_weights(ranks):
    """One population onto somas, driven by the input, in a network of the caller's cells."""
    from neuron import h

    from segdend_plugin.cells import templates
    from segdend_plugin.engine.kinds.base import CellHandle
    from segdend_plugin.hosts import neuron as host

    own = {"name": "pv", "size": 3, "onto": "soma", "driven_by": "input", "strength": 2.0, "silent_in": "target"}
    experiment = config.load(settings=["cell=three_compartment", "layers.hidden=[4]"], inhibition=[own])
    described = graph(experiment, 9, 3)
    first = learned(description.build(described))
    kept = []

    def lumped(gid):
        kept.append(templates.three_compartment())
        return CellHandle(gid, kept[-1].soma(0.5), point=kept[-1].neuron)

    cells = {p.name: [lumped(number) for number in p.numbers] for p in described.populations[1:]}
    cells["input"] = [CellHandle(number, point=h.SegDendInput()) for number in described["input"].numbers]
    second = learned(host.create(described, cells))
    same(first, second)
    session().close()  # before its cells go


def learned(network):
    """Return weights and biases after one example."""
    learner = Learner(network, Guerguiev(phases=TwoPhase(settle=30.0)), learning_rates=0.5)
    learner.partial_fit(np.linspace(0, 1, network.graph["input"].size)[None], np.array([1]))
    return network.gather()


def same(first, second):
    """The same arrays, whatever sets are called."""
    for old, new in zip(first, second, strict=True):
        assert len(old) == len(new) > 1
        for one, other in zip(old.values(), new.values(), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)  # ours have no compartments
