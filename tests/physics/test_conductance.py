"""Conductance synapses: sums by sign, what a drive opens, and what calibration promises against the simulator."""

import math

import numpy as np
import pytest

from segdend_plugin.cells.calibration import Synapse
from segdend_plugin.cells.units import Scale
from segdend_plugin.engine.dense import Dense, Kernel
from segdend_plugin.engine.synapses import Synapses
from segdend_plugin.errors import ConfigError
from segdend_plugin.experiment import config
from segdend_plugin.experiment.graph import graph
from segdend_plugin.hosts import description
from segdend_plugin.learner import Learner
from segdend_plugin.model.graph import Connections
from segdend_plugin.model.streams import Purpose
from segdend_plugin.model.trial import Stimulus, Trial, Window
from segdend_plugin.model.wants import Average
from segdend_plugin.rule.guerguiev import Guerguiev
from segdend_plugin.rule.phases import TwoPhase

SET = Connections("pre->post", ("pre",), "post")


@pytest.fixture
def h(ranks):
    from segdend_plugin.engine import mechanisms

    mechanisms.load()
    from neuron import h

    ranks.pc.gid_clear(3)  # variables that a network of another test transferred between ranks
    h.dt = 1.0
    return h


def tell(h, steps):
    """Tell all mechanisms of a trial of so many steps with one window."""
    h.SegDendTrial(h.Vector([h.dt, 0, 0, 0, steps, 1, 0, steps, 0, 0]))


def split(weights, constant, slots, n_slots=1):
    return Dense(SET, weights, constant, np.asarray(slots), n_slots, Kernel.CURRENT, split=True)


def run(h, dense, events, steps):
    """Return the two drives after every step, shape (steps, 2, n_slots, n_post), for events (step, pre)."""
    netcons = {}
    for pre in {pre for _, pre in events}:
        netcons[pre] = h.NetCon(None, dense._mechanism)
        netcons[pre].weight[0] = pre
    tell(h, steps)
    h.finitialize(-70)
    for step, pre in events:
        netcons[pre].event(step * h.dt)
    seen = []
    for _ in range(steps):
        h.fadvance()
        seen.append(dense._out.as_numpy().reshape(2, -1, dense.n_post).copy())
    return np.array(seen)


def test_weights_of_either_sign_are_summed_apart(h):
    """Against NumPy, before and after learning has taken weights through 0."""
    rng = np.random.default_rng(1)
    weights, constant, slots = rng.normal(size=(9, 4)), rng.normal(size=4), rng.integers(0, 2, 9)
    events = [(int(step), int(pre)) for step, pre in zip(rng.integers(1, 12, 60), rng.integers(0, 9, 60), strict=True)]
    dense = split(weights, constant, slots, 2)

    def expected():
        left = math.exp(-1 / 3)
        counts = np.zeros((15, 9))
        for step, pre in events:
            counts[step, pre] += 1
        fast, result = np.zeros((2, 2, 4)), []
        for step in range(15):
            for side, sign in enumerate((1, -1)):
                rows = np.maximum(sign * dense.weights, 0)
                for slot in range(2):
                    fast[side, slot] += counts[step, slots == slot] @ rows[slots == slot]
            fast *= left
            steady = np.array([np.maximum(dense.constant, 0), np.maximum(-dense.constant, 0)])
            result.append(fast * (1 - left) / left + steady[:, None] / 2)
        return np.array(result)

    before = run(h, dense, events, 15)
    np.testing.assert_allclose(before, expected(), rtol=1e-12, atol=1e-14)
    dense.prepare(Trial(0, Stimulus({}), (Window("forward", 0, 15),), 15, h.dt, False), keep=False)
    dense.traces[0] = 1.0
    dense.learn(np.array([2.0, -2.0, 0.5, -0.5]), 0)
    assert (np.sign(dense.weights) != np.sign(weights)).sum() > 5
    after = run(h, dense, events, 15)
    np.testing.assert_allclose(after, expected(), rtol=1e-12, atol=1e-14)
    signed = Dense(SET, dense.weights, dense.constant, slots, 2, Kernel.CURRENT)
    difference = after[:, 0] - after[:, 1]
    whole = run(h, signed, events, 15).reshape(15, 2, 4)
    np.testing.assert_allclose(difference, whole, rtol=1e-9, atol=1e-12)


def test_rates_are_summed_apart(h):
    rng = np.random.default_rng(2)
    weights, constant = rng.normal(size=(5, 3)), rng.normal(size=3)
    dense = split(weights, constant, np.zeros(5, dtype=int))
    rates = dense.constant_rates()
    rates[:] = [0.1, 0.0, 0.2, 0.05, 0.2]
    seen = run(h, dense, [], 3)[-1, :, 0]
    for side, sign in enumerate((1, -1)):
        wanted = rates @ np.maximum(sign * weights, 0) + np.maximum(sign * constant, 0)
        np.testing.assert_allclose(seen[side], wanted, rtol=1e-12)


@pytest.fixture
def patch(h):
    """Return a function that puts a site with signed steady drives on one compartment and returns both."""

    def make(drive, inhibition, synapse, nmda=0.0):
        section = h.Section(name="patch")
        section.L = section.diam = 20.0
        section.insert("pas")
        section.g_pas, section.e_pas = 1e-4, -70.0
        leak = 1e-4 * section(0.5).area() * 1e-2  # uS
        # two presynaptic cells that send rates, so that both drives can be steady at once
        weights = np.array([[drive], [-inhibition]])
        dense = split(weights, np.zeros(1), np.zeros(2, dtype=int))
        dense.constant_rates()[:] = 1.0
        site = Synapses(synapse, Scale()).site(section(0.5), dense, 0, 0, leak, nmda)  # 1 nA/(1/leak) is 1 mV
        tell(h, 2000)
        h.finitialize(-70)
        for _ in range(2000):
            h.fadvance()
        return section(0.5).v, leak, site, (section, dense)

    return make


@pytest.mark.parametrize("drive", [0.05, -0.05, 5.0, 40.0, -5.0, -40.0])
def test_one_compartment_saturates_as_its_steady_state_says(patch, drive):
    """V = (g_l E_l + g E)/(g_l + g) with g = drive g_l/|E - E_l|: unit drive is 1 mV, far drive approaches E."""
    synapse = Synapse(model="conductance")
    v, _, _, _keep = patch(max(drive, 0.0), max(-drive, 0.0), synapse)
    away = 70.0 if drive > 0 else -10.0
    assert v + 70 == pytest.approx(drive / (1 + drive / away), rel=1e-9)
    if abs(drive) < 0.1:
        assert v + 70 == pytest.approx(drive, rel=0.01)


def test_inhibition_shunts_what_excitation_does(patch):
    """Equal drives cancel at rest only: with both, the potential is that of the conductances together."""
    v, leak, site, _keep = patch(30.0, 10.0, Synapse(model="conductance", e_inhibitory=-75.0))
    excitatory, inhibitory = 30 * leak / 70, 10 * leak / 5
    assert (site.g_e, site.g_i) == pytest.approx((excitatory, inhibitory), rel=1e-12)
    assert v == pytest.approx((-70 * leak - 75 * inhibitory) / (leak + excitatory + inhibitory), rel=1e-9)


@pytest.mark.parametrize("drive", [0.02, 10.0, 25.0])
def test_nmda_balances_at_the_potential_that_jahr_and_stevens_give(patch, drive):
    """Leak, AMPA and NMDA currents add up to 0; a small drive moves the cell by itself, whatever the share of NMDA."""
    v, leak, _, _keep = patch(drive, 0.0, Synapse(model="conductance"), nmda=0.7)
    t = np.linspace(0, 200, 2_000_001)
    ampa, slow = np.exp(-t / 3) / 3, (np.exp(-t / 43) - np.exp(-t / 3)) / 40
    share = 0.7 * ampa.max() / slow.max()  # of charge, for a peak of 0.7
    block = 1 / (1 + np.exp(-0.062 * np.array([-70.0, v])) / 3.57)
    excitatory = drive * leak / 70 / (1 + share * block[0])
    balance = leak * (v + 70) + excitatory * (1 + share * block[1]) * v
    assert balance == pytest.approx(0, abs=1e-6 * leak * (v + 70))
    if drive == 0.02:
        assert v + 70 == pytest.approx(drive, rel=0.01)


def test_nmda_opens_and_closes_in_its_own_time(h):
    """One spike: two exponentials, with a peak of `nmda` times that of AMPA where nothing blocks."""
    h.dt = 0.025
    section = h.Section(name="patch")
    dense = split(np.ones((1, 1)), np.zeros(1), np.zeros(1, dtype=int))
    synapse = Synapse(model="conductance", tau_nmda=50.0)
    fast, slow = (Synapses(synapse, Scale()).site(section(0.5), dense, 0, 0, 1e-6, x) for x in (0.0, 1.5))
    slow.gain_excitatory, slow.mg = fast.gain_excitatory, 0.0  # NMDA without block, beside AMPA of unit peak
    charge = slow.gain_nmda
    peak = charge / synapse.conductances(1e-6, 1.5, Scale())[0]
    netcon = h.NetCon(None, dense._mechanism)
    tell(h, 8000)
    h.finitialize(-70)
    netcon.event(1.0)
    ampa, nmda = [], []
    while h.t < 200:
        h.fadvance()
        ampa.append(fast.g_e)
        nmda.append(slow.g_e - fast.g_e)
    ampa, nmda = np.array(ampa) / fast.gain_excitatory, np.array(nmda) / charge
    t = (np.arange(len(nmda)) + 1) * h.dt - 1.0
    two = np.where(t > 0, np.exp(-t / 50) - np.exp(-t / 3), 0) / 47
    np.testing.assert_allclose(nmda, two, atol=0.01 * two.max())
    assert peak * nmda.max() / ampa.max() == pytest.approx(1.5, rel=0.01)


def test_reversal_potentials_lie_on_either_side_of_rest():
    with pytest.raises(ConfigError, match=r"only shunts"):
        Synapse(model="conductance", e_inhibitory=-70.0).conductances(1.0, 0.0, Scale())
    with pytest.raises(ConfigError, match=r"synapse: e_inhibitory=-60"):
        config.load(settings=["synapse.e_inhibitory=-60"])


@pytest.mark.parametrize(
    "setting", ["cable.reduced=true", "synapse.nmda_feedback=-1", "synapse.tau_nmda=2", "synapse.model=voltage"]
)
def test_mistakes(setting):
    with pytest.raises(ConfigError):
        config.load(settings=["synapse.model=conductance", setting])


def test_current_synapses_have_no_nmda_channels():
    with pytest.raises(ConfigError, match=r"set synapse.model=conductance"):
        config.load(settings=["synapse.nmda_feedback=1"])


@pytest.fixture(scope="module")
def cells(ranks):
    """Return a function that builds two hidden cells; with conductance synapses or currents, at the same places."""

    def make(*settings):
        experiment = config.load(settings=["cell=mouse_v1_l4_scnn1a", "layers.hidden=[2]", *settings])
        return description.build(graph(experiment, 10, 3))

    return make


HIDDEN = "hidden1_mouse_v1_l4_scnn1a"


def steady(network, basal, tuft):
    """Return the potentials of somas and tufts of the hidden cells for steady drives."""
    inbound, back = network.sets[f"input->{HIDDEN}"], network.sets[f"output->{HIDDEN}"]
    for one, drive in ((inbound, basal), (back, tuft)):
        one.weights[:], one.constant[:] = 0, drive
    phases = TwoPhase(test=760.0, settle=740.0).resolve(network.graph)
    trial = phases.trial(network.graph, Stimulus({"input": np.zeros(10)}), 0, taught=False)
    wants = Average(HIDDEN, "potential"), Guerguiev().apical(network.graph, HIDDEN, "forward")
    seen = network.run(trial, Purpose.TEST_SPIKES, wants)
    return np.array([seen[want] for want in wants])


@pytest.mark.parametrize("settings", [[], ["synapse.nmda_feedforward=0.7", "synapse.nmda_feedback=2"]])
def test_small_drives_mean_what_they_mean_to_current_synapses(cells, settings):
    """Within 2 % for drives of a hundredth, in the whole tree; large ones saturate, inhibition first."""
    small = [(0.02, 0.0), (-0.01, 0.0), (0.0, 0.02), (0.0, -0.01)]
    net = cells()
    currents = [steady(net, *drive) for drive in small]
    net = cells("synapse.model=conductance", *settings)
    for (basal, tuft), current in zip(small, currents, strict=True):
        np.testing.assert_allclose(steady(net, basal, tuft), current, rtol=0.02)
    large = steady(net, 8.0, 0.0)[0], steady(net, -8.0, 0.0)[0]
    assert (np.abs(large[0]) < 0.95 * 8 * 0.6 / 0.7).all() or settings
    assert (np.abs(large[1]) < 0.75 * 8 * 0.6 / 0.7).all()
    assert (steady(net, 0.0, -1e6)[1] > -10.0).all()


def test_a_network_learns(cells):
    """Somas within their range, and weights that move; the output's own three-compartment cells stay as they are."""
    network = cells("synapse.model=conductance", "synapse.nmda_feedback=0.7")
    inbound = network.sets[f"input->{HIDDEN}"]
    before = inbound.weights.copy()
    learner = Learner(network, Guerguiev(phases=TwoPhase(settle=30.0, jitter=False)), learning_rates=1.0)
    learner.partial_fit(np.linspace(0, 1, 10)[None], np.array([1]))
    assert np.isfinite(inbound.weights).all()
    assert (inbound.weights != before).any(axis=0).all()
    assert network.cells[HIDDEN].splits
    assert not network.cells["output"].splits
