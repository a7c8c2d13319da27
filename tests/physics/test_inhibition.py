"""Interneurons: what one spike of theirs does to a cell, when they are silent, and that nothing else changes."""

import numpy as np
import pytest

from segdend_plugin.errors import ConfigError
from segdend_plugin.experiment import config
from segdend_plugin.hosts.inhibition import read_inhibition
from segdend_plugin.model.streams import Purpose
from segdend_plugin.rule import inhibition as rule
from segdend_plugin.rule import phases

SETTLE, END = 60, 300
EXPERIMENT = config.load(
    settings=["cell=three_compartment", "layers.hidden=[2]"], inhibition=[{"name": "pv", "size": 2, "onto": "soma"}]
)


@pytest.fixture
def build(ranks):
    """Return a function that builds a network of two hidden cells with one population of interneurons."""
    from segdend_plugin.engine import mechanisms

    mechanisms.load()
    from segdend_plugin.experiment import network

    def make(cell, *settings, **interneurons):
        own = {"name": "inter", "size": 4} | interneurons
        experiment = config.load(settings=[f"cell={cell}", "layers.hidden=[2]", *settings], inhibition=[own])
        return network.build(experiment, 8, 3)

    return make


def run(ranks, network, schedule, brightness=0.0):
    """Silence everything but the interneurons; return their spikes and the potentials of the hidden cells (units)."""
    from neuron import h

    hidden, own = network.hidden[0].populations[0], network.interneurons[0]
    for projection in (hidden.inbound, hidden.feedback):
        projection.weights[:] = 0
        projection.biases[:] = 0
    times, gids = h.Vector(), h.Vector()
    network.announce_spikes()
    ranks.pc.spike_record(-1, times, gids)
    somas = [h.Vector().record(cell.soma._ref_v) for cell in hidden.cells]
    tufts = [[h.Vector().record(site.place._ref_v) for site in hidden.landed["tuft"][post]] for post in range(2)]
    inter = h.Vector().record(own.spike_sources()[0][1]._ref_potential)
    network.show(np.full(8, brightness), schedule, Purpose.TEST_SPIKES, 1)
    mine = [(t, own.gids.index(int(gid))) for t, gid in zip(times, gids, strict=True) if int(gid) in own.gids]
    soma = np.array([list(trace) for trace in somas]) + 70
    tuft = np.array([np.mean([list(trace) for trace in traces], axis=0) for traces in tufts if traces]) + 70
    return mine, soma, tuft, np.array(inter)


@pytest.mark.parametrize(
    ("cell", "onto", "settings", "tolerance"),
    [
        ("mouse_v1_l4_scnn1a", "tuft", ["phases.delay=5"], 1e-6),
        ("mouse_v1_l4_scnn1a", "soma", [], 1e-6),
        ("mouse_v1_l4_scnn1a", "basal", [], 1e-6),
        ("mouse_v1_l4_scnn1a", "tuft", ["cable.reduced=true"], 1e-6),
        ("mouse_v1_l4_scnn1a", "tuft", ["synapse.model=conductance"], 0.02),
        ("mouse_v1_l4_scnn1a", "soma", ["synapse.model=conductance"], 0.02),
        ("three_compartment", "soma", [], 1e-6),
    ],
)
def test_a_spike_lowers_the_place_by_the_calibrated_amount(ranks, build, cell, onto, settings, tolerance):
    """The area under the potential is the sum of the weights of all spikes: unit drive is one unit at steady state."""
    strength = 0.05 if tolerance > 1e-3 else 2.0
    network = build(cell, *settings, onto=onto, strength=strength, fraction=0.5, bias=2.0, silent_in="window")
    schedule = phases.test_schedule(dt=1.0, duration=END, settle=SETTLE)
    spikes, soma, tuft, _ = run(ranks, network, schedule)
    weights = network.interneurons[0]._onto[0].weights
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


def test_inhibition_of_the_tuft_is_felt_there(ranks, build):
    network = build("mouse_v1_l5_rbp4", onto="tuft", strength=2.0, bias=2.0)
    _, soma, tuft, _ = run(ranks, network, phases.test_schedule(dt=1.0, duration=END, settle=SETTLE))
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
def test_when_they_are_silent(ranks, build, silent_in, lead, silent):
    """Driven to 200 Hz; the soma recovers from the gate with C/(g_l + g_b) = 1.4 ms."""
    from neuron import h

    own = {"size": 200, "onto": "soma", "bias": 6.0, "excitation": 0.0, "silent_in": silent_in, "silent_lead": lead}
    network = build("three_compartment", **own)
    times, gids = h.Vector(), h.Vector()
    network.announce_spikes()
    ranks.pc.spike_record(-1, times, gids)
    schedule = phases.training_schedule(0, 0, dt=1.0, forward=50.0, target=50.0, settle=30.0, jitter=False)
    network.show(np.zeros(8), schedule, Purpose.TRAINING_SPIKES, 0, 1)
    mine = set(network.interneurons[0].gids)
    steps = np.array([round(t) for t, gid in zip(times, gids, strict=True) if int(gid) in mine])
    counts = np.bincount(steps, minlength=101)[1:]  # spikes at the end of each step
    ends = np.arange(1, 101)
    quiet = np.any([(ends > first) & (ends <= last) for first, last in silent] or [np.zeros(100, bool)], axis=0)
    assert counts[quiet].sum() == 0
    recovering = np.any([(ends > last) & (ends <= last + 8) for _, last in silent] or [ends <= 8], axis=0) | (ends <= 8)
    loud = counts[~quiet & ~recovering]
    assert loud.mean() == pytest.approx(200 * 0.2 / (1 + np.exp(-6 * 6 / 7)), rel=0.1)


def test_excitation_is_the_potential_that_full_rates_add(ranks, build):
    """Inputs at 200 Hz: the soma is at k_d (bias + excitation), up to the noise of 8 Poisson trains over 240 ms."""
    network = build("three_compartment", onto="soma", driven_by="input", excitation=5.0, bias=-2.0)
    schedule = phases.test_schedule(dt=1.0, duration=END, settle=SETTLE)
    _, _, _, potential = run(ranks, network, schedule, brightness=1.0)
    assert potential[SETTLE:].mean() == pytest.approx(6 / 7 * 3.0, rel=0.15)
    inbound = network.interneurons[0].inbound
    np.testing.assert_allclose(inbound.weights.sum(axis=0), 5.0 / 0.2)
    assert (inbound.weights > 0).all()


@pytest.mark.parametrize("driven_by", ["hidden", "output"])
def test_sources(build, driven_by):
    network = build("three_compartment", onto="soma", driven_by=driven_by)
    assert network.interneurons[0].inbound.n_pre == {"hidden": 2, "output": 3}[driven_by]


def test_the_rule_and_the_other_cells_do_not_know_them(ranks, build):
    """The same gids and initial weights as without; fixed weights; rates in what is observed."""
    from segdend_plugin.experiment import network as description

    bare = description.build(config.load(settings=["cell=three_compartment", "layers.hidden=[2]"]), 8, 3)
    before = bare.gather_weights()
    network = build("three_compartment", onto="soma", strength=3.0)
    after = network.gather_weights()
    assert before.keys() == after.keys()
    for name in before:
        np.testing.assert_array_equal(before[name][0], after[name][0])
    own = network.interneurons[0]
    fixed = own.inbound.weights.copy(), own.inbound.biases.copy(), own._onto[0].weights.copy()
    schedule = phases.training_schedule(0, 0, dt=1.0, forward=50.0, target=50.0, settle=30.0, jitter=False)
    network.show(np.ones(8), schedule, Purpose.TRAINING_SPIKES, 0, 1)
    _, seen = network.learn(schedule, [1.0, 1.0], 0, train_hidden=True, observe=True)
    for old, new in zip(fixed, (own.inbound.weights, own.inbound.biases, own._onto[0].weights), strict=True):
        np.testing.assert_array_equal(old, new)
    averages = own.averages(schedule)
    wanted = [averages.forward_rate.mean(), averages.target_rate.mean()]
    np.testing.assert_allclose(seen.interneuron_rates, [wanted])
    assert 0 < wanted[0] < 0.2


def test_weights_belong_to_their_cells():
    """They do not depend on which other cells share the rank, and differ between populations."""
    what = rule.Inhibition(fraction=0.5)
    inter = list(range(20, 30))
    together = rule.inhibitory_weights(3, [4, 5, 6], inter, what)
    np.testing.assert_array_equal(together[:, [1]], rule.inhibitory_weights(3, [5], inter, what))
    assert (together != rule.inhibitory_weights(3, [4, 5, 6], list(range(30, 40)), what)).any()
    assert rule.inhibitory_weights(3, [], inter, what).shape == (10, 0)
    np.testing.assert_array_equal(
        rule.excitatory_weights(3, [20, 21], 7, what)[:, [1]], rule.excitatory_weights(3, [21], 7, what)
    )


@pytest.mark.parametrize(
    ("own", "settings", "says"),
    [
        ({"name": "hidden1"}, [], "taken"),
        ({"name": "output"}, [], "taken"),
        ({"layer": 2}, [], "there are 1 hidden layers"),
        ({"onto": "tuft"}, ["cell=three_compartment"], "three_compartment"),
        ({"onto": "basal"}, ["cable.reduced=true"], "reduced"),
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
    del own["sec"]
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
    own = read_inhibition("pv->hidden", ("pv",), ("hidden",), None, params, 1.0)
    assert own.inhibition([("hidden",)]) == rule.Inhibition(**params)


def test_bounds_hold_in_plain_neuron_too():
    with pytest.raises(ConfigError, match="strength=-1: give 0 or more"):
        rule.Inhibition(strength=-1)


def netpyne_model():
    """A model with one rule of interneurons, and this rule."""
    from segdend_plugin.experiment import network

    model = network.net_params(EXPERIMENT, 4, 2)
    return model, model.connParams["pv->hidden1_three_compartment"]


def refuse(model, says):
    from segdend_plugin.experiment import network
    from segdend_plugin.hosts import netpyne as host

    with pytest.raises(ConfigError, match=says) as caught:
        host.create(model, network.sim_config(EXPERIMENT), seed=0)
    assert "\n" not in str(caught.value)


def test_plain_neuron_learns_the_same_weights(ranks):
    """One population onto somas, driven by the input, in a network of the caller's cells."""
    from neuron import h

    from segdend_plugin.cells import templates
    from segdend_plugin.engine.population import CellHandle
    from segdend_plugin.experiment import network
    from segdend_plugin.hosts import neuron as host

    own = {"name": "pv", "size": 3, "onto": "soma", "driven_by": "input", "strength": 2.0, "silent_in": "target"}
    experiment = config.load(settings=["cell=three_compartment", "layers.hidden=[4]"], inhibition=[own])

    def learn(net):
        schedule = phases.training_schedule(0, 0, dt=1.0, forward=50.0, target=50.0, settle=30.0, jitter=True)
        net.show(np.linspace(0, 1, 9), schedule, Purpose.TRAINING_SPIKES, 0, 1)
        net.learn(schedule, [0.5, 0.5], 0, train_hidden=True)
        return net.gather_weights()

    built = network.build(experiment, 9, 3)
    first = learn(built)
    gids = [built.inputs.gids, built.hidden[0].gids, built.output.gids, built.interneurons[0].gids]
    del built
    ranks.pc.gid_clear()

    def lumped(gid):
        cell = templates.three_compartment()
        return cell, CellHandle(gid, cell.soma(0.5), lumped=cell.neuron)

    cells = [[lumped(gid) for gid in layer] for layer in gids[1:]]
    layers = [
        host.LayerOfCells(layer, [handle for _, handle in mine])
        for layer, mine in zip(gids[1:3], cells[:2], strict=True)
    ]
    inputs = [(gid, h.SegDendInput()) for gid in gids[0]]
    what = rule.Inhibition(onto="soma", driven_by="input", strength=2.0, silent_in="target")
    inter = host.InterneuronCells(gids[3], [handle for _, handle in cells[2]], what)
    second = learn(host.create(gids[0], inputs, layers, seed=0, interneurons=[inter]))
    for (matrix, _), (same, _) in zip(first.values(), second.values(), strict=True):
        np.testing.assert_array_equal(matrix, same)
    ranks.pc.gid_clear()
