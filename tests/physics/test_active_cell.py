"""Active cells: densities, published behaviour, and their place in a network."""

import numpy as np
import pytest

from segdend_plugin.cells import active, behaviour, schematic, templates
from segdend_plugin.cells.files import catalogue
from segdend_plugin.experiment import config
from segdend_plugin.experiment.graph import graph
from segdend_plugin.hosts import description
from segdend_plugin.model.streams import Purpose
from segdend_plugin.model.trial import Stimulus
from segdend_plugin.model.wants import Average
from segdend_plugin.rule.guerguiev import Guerguiev
from segdend_plugin.rule.phases import TwoPhase


@pytest.fixture(scope="module")
def h(ranks):
    from segdend_plugin.engine import mechanisms

    mechanisms.load()
    from neuron import h

    yield h
    h.celsius = 6.3


@pytest.fixture(scope="module")
def layer_5(h, tmp_path_factory):
    """The schematic cell of the fit's dimensions, at rest."""
    path = schematic.write_layer_5(tmp_path_factory.mktemp("cells") / "layer_5.swc")
    cell = templates.pyramidal_active(path, templates.Membrane(d_lambda=0.4))
    return behaviour.Preparation(cell, 0.05)


@pytest.fixture(scope="module")
def pulse(layer_5):
    return behaviour.smallest_pulse(layer_5)


def test_densities(h):
    cell = templates.pyramidal_active(catalogue.find("mouse_v1_l5_rbp4"), templates.Membrane(nseg=3))
    soma, axon, basal = cell.soma[0](0.5), cell.axon[1](0.5), cell.dend[0](0.5)
    assert soma.SegDendNaT.gbar == 2.04
    assert axon.SegDendKP.gbar == 0.973
    assert soma.SegDendKM.gbar == 0 if cell.soma[0].has_membrane("SegDendKM") else True
    assert (soma.cm, axon.cm, basal.cm) == (1, 1, 2)
    assert (soma.ena, soma.ek, soma.pas.e) == (50, -85, -90)
    assert not cell.dend[0].has_membrane("SegDendNaT")
    near, far = active.hot_zone(cell)
    longest = max(h.distance(soma, section(1)) for section in cell.apical)
    nexus = min(h.distance(soma, section(0)) for section in cell.tuft)
    assert near == pytest.approx(nexus)
    assert far == pytest.approx(nexus + 0.15 * longest)
    inside = 0
    for section in cell.apical:
        for segment in section:
            d = h.distance(soma, segment)
            hot = near <= d <= far
            inside += hot
            assert segment.SegDendCaLVA.gbar == pytest.approx(0.0187 * (1 if hot else 0.01))
            assert segment.SegDendCaHVA.gbar == pytest.approx(5.55e-4 * (1 if hot else 0.1))
            assert segment.SegDendH.gbar == pytest.approx(2e-4 * (-0.8696 + 2.087 * np.exp(3.6161 * d / longest)))
    assert inside > 5


def test_rest_and_input_resistance(layer_5):
    """Rat, thick-tufted: about -75 mV and 30 to 50 MOhm (Hay et al. 2011, Larkum et al. 2001)."""
    assert -82 < layer_5.rest[str(layer_5.soma)] < -70
    assert layer_5.rest[str(layer_5.apical)] > layer_5.rest[str(layer_5.soma)] + 2, "Ih depolarises the tuft"
    assert 25 < behaviour.input_resistance(layer_5) < 60


def test_action_potential(layer_5, pulse):
    """At 34 degrees C a height of 80 to 110 mV and half a millisecond to 2 ms wide."""
    spike = behaviour.action_potential(layer_5, pulse)
    assert -62 < spike.threshold < -42
    assert 75 < spike.height < 115
    assert 0.4 < spike.width < 2.0


def test_firing_rates_rise_with_current(layer_5):
    """Silent at 0.2 nA, 5 to 40 Hz between 0.8 and 1.6 nA."""
    rates = behaviour.firing_rates(layer_5, [0.2, 0.8, 1.6])
    assert rates[0] == 0
    assert 5 <= rates[1] < rates[2] <= 40


def test_back_propagation(layer_5, pulse):
    """The action potential reaches the nexus with 25 to 80 mV (45 +- 10 mV at 620 um in the fit's targets)."""
    distance, height = behaviour.back_propagation(layer_5, pulse)
    assert distance[-1] > 550
    assert height[0] > 90
    assert 25 < height[-1] < 80
    assert height[-1] < 0.8 * height[0]


def test_bac_firing(layer_5, pulse):
    """Larkum et al. 1999: apical current and action potential together make a burst, neither alone does."""
    apical = 1.0
    alone = behaviour.calcium_spike(layer_5, 0.0, apical, 80.0)
    single = behaviour.calcium_spike(layer_5, pulse, 0.0, 80.0)
    both = behaviour.calcium_spike(layer_5, pulse, apical, 80.0)
    assert (alone.spikes, single.spikes) == (0, 1)
    assert both.spikes >= 2
    assert alone.plateau < 5
    assert 15 < both.plateau < 70
    assert both.apical.max() > single.apical.max() + 5


def test_without_calcium_channels_there_is_no_burst(h, layer_5, pulse):
    tuft = [segment for section in layer_5.cell.apical for segment in section]
    before = [(s.SegDendCaLVA.gbar, s.SegDendCaHVA.gbar) for s in tuft]
    for segment in tuft:
        segment.SegDendCaLVA.gbar = segment.SegDendCaHVA.gbar = 0
    try:
        both = behaviour.calcium_spike(layer_5, pulse, 1.0, 60.0)
    finally:
        for segment, (low, high) in zip(tuft, before, strict=True):
            segment.SegDendCaLVA.gbar, segment.SegDendCaHVA.gbar = low, high
    assert both.spikes == 1
    assert both.plateau < 15


SETTINGS = (
    "cable.membrane=active",
    "cable.nseg=1",
    "cable.tonic=0.1",
    "cable.unit=30",
    "phases.dt=0.1",
    "phases.jitter=false",
    "layers.hidden=[2]",
)


RULE = Guerguiev()


def build(settings):
    return description.build(graph(config.load(settings=settings), 8, 2))


@pytest.fixture(scope="module")
def network(h):
    return build(SETTINGS)


def test_one_network_after_another(h):
    """What makes the cells of the first begin at rest goes with them."""
    for _ in range(2):
        built = build([*SETTINGS, "cell=mouse_v1_l4_nr5a1", "cable.tonic=0", "layers.hidden=[1]"])
        show(built, 0.0, forward=25)
        del built


def sets_onto(network):
    """Return the name of the hidden population, and its sets from the input and from the output."""
    name = network.graph.hidden[0].name
    forward, back = (network.graph.onto(name, role)[0].name for role in ("forward", "feedback"))
    return name, network.sets[forward], network.sets[back]


def show(network, image, biases=None, feedback=None, forward=60, target=0):
    """Run one trial with given biases and feedback weights, without feed-forward weights, and return what was seen."""
    name, inbound, tips = sets_onto(network)
    inbound.weights[:] = 0
    network.biases(name)[:] = 0 if biases is None else biases
    tips.weights[:] = 0 if feedback is None else feedback
    stimulus = Stimulus({"input": np.full(8, image)}, {"output": np.array([0.0, 1.0])})
    phases = TwoPhase(float(forward), float(target), settle=20.0, test=float(forward), jitter=False)
    trial = phases.trial(network.graph, stimulus, 0, taught=target > 0)
    wants = (*RULE.wants(network.graph), Average(name, "rate"))
    ones = dict.fromkeys([*network.cells, *network.sets], 1.0)
    return network.run(trial, Purpose.TRAINING_SPIKES, wants, rates=ones)


def plateaus(network, seen, window="forward"):
    return seen[RULE.apical(network.graph, sets_onto(network)[0], window)]


def cells_of(network):
    return network.cells[sets_onto(network)[0]]


def test_a_trial_begins_at_rest(h, network):
    handles = cells_of(network).handles
    places = [segment for cell in handles for segment, _ in cell.active.rest]
    rest = np.array([v for cell in handles for _, v in cell.active.rest])
    assert rest.max() - rest.min() > 5
    show(network, 0.0, forward=30)
    now = np.array([segment.v for segment in places])
    np.testing.assert_allclose(now, rest, atol=0.2)
    h.finitialize(-70)
    np.testing.assert_array_equal([segment.v for segment in places], rest)


def test_the_detector_counts_what_the_soma_does(h, network):
    name, cells = sets_onto(network)[0], cells_of(network)
    gid, detector = cells.gids[0], cells.somas[0]
    trace, times = h.Vector().record(cells.handles[0].soma._ref_v), h.Vector().record(h._ref_t)
    counted = h.Vector().record(detector._ref_spikes)
    heard, who = h.Vector(), h.Vector()
    network.announce_spikes()
    network.ranks.pc.spike_record(int(gid), heard, who)
    seen = show(network, 0.0, biases=[6.0, 0.0])
    v, t = np.array(trace), np.array(times)
    expected = t[1:][(v[1:] > -20) & (v[:-1] <= -20)]
    assert len(expected) >= 2
    np.testing.assert_allclose(t[np.array(counted) > 0], expected)
    np.testing.assert_allclose(heard, expected)
    inside = ((expected > 20.05) & (expected < 60.05)).sum()
    rate, potential = seen[Average(name, "rate")], seen[Average(name, "potential")]
    assert rate[0] == pytest.approx(inside / 40)
    assert rate[1] == 0
    np.testing.assert_allclose(1 / (1 + np.exp(-potential)), (np.array([inside, 0]) + 0.5) / (0.2 * 40 + 1), rtol=1e-9)
    assert v[(t > 20.05)].min() < -50, "it repolarises"


def test_drive_in_the_tuft_makes_plateaus_that_channels_carry(h, network):
    """Three times the current more than triples the answer, and the answer is less than linear without channels."""
    tips, handles = sets_onto(network)[2], cells_of(network).handles

    def answer(units):
        # a steady drive, by the constant that comes with the feedback set
        tips.constant[:] = units
        answered = plateaus(network, show(network, 0.0))[0]
        tips.constant[:] = 0
        return answered

    weak, strong = answer(0.25), answer(1.0)
    assert 0.15 < weak < 0.4
    assert strong > 1.3 * 4 * weak, "a plateau"
    assert strong > 1.3
    below = answer(-1.0)
    assert -0.8 < below < -0.2, "Ih and potassium channels resist"
    of_tuft = [segment for cell in handles for segment, _ in cell.active.rest if hasattr(segment, "SegDendCaLVA")]
    before = [(s.SegDendCaLVA.gbar, s.SegDendCaHVA.gbar, s.SegDendNaT.gbar) for s in of_tuft]
    soma = {str(cell.soma) for cell in handles}
    for segment in of_tuft:
        if str(segment) not in soma:
            segment.SegDendCaLVA.gbar = segment.SegDendCaHVA.gbar = segment.SegDendNaT.gbar = 0
    try:
        blocked = answer(1.0)
    finally:
        for segment, (low, high, sodium) in zip(of_tuft, before, strict=True):
            segment.SegDendCaLVA.gbar, segment.SegDendCaHVA.gbar, segment.SegDendNaT.gbar = low, high, sodium
    assert blocked < 0.75 * strong


def test_the_teacher_moves_plateaus_and_weights(h, network):
    """Feedback of the taught output cell raises the plateau of one cell and lowers that of the other."""
    # long phases, for feedback comes in Poisson spikes
    seen = show(network, 0.8, biases=[3.0, 3.0], feedback=[[0, 0], [6, -6]], forward=170, target=170)
    change = plateaus(network, seen, "target") - plateaus(network, seen)
    assert change[0] > 0.15
    assert change[1] < -0.05
    network.apply([network.bind([seen], RULE.change([seen]))])
    moved = sets_onto(network)[1].weights
    assert (moved[:, 0] >= 0).all()
    assert (moved[:, 1] <= 0).all()
    assert np.abs(moved).max() > 0
