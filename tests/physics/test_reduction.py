"""Reduced cells against the full ones: NEURON's impedances, simulations, and weights that are carried over."""

import cmath

import numpy as np
import pytest

from segdend_plugin.cells.files import catalogue
from segdend_plugin.cells.sites import StandIn, draw, most_distal_tips
from segdend_plugin.experiment import config
from segdend_plugin.experiment.parts import Cable
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.rule import phases

BETWEEN = (37.0, 73.0)
"""Frequencies (Hz) that no reduction was fitted at."""
LIMIT = 0.02
LARGEST = {"mouse_v1_l4_nr5a1": 7, "mouse_v1_l4_rorb": 7, "mouse_v1_l4_scnn1a": 8, "mouse_v1_l5_rbp4": 14}


@pytest.fixture(scope="module")
def rule(ranks):
    """Return a function that gives the NetPyNE rule of a reduced cell, fitted once."""
    from segdend_plugin.experiment import network

    made = {}

    def get(name):
        if name not in made:
            made[name] = network.cell_rule(name, Cable(reduced=True))
        return made[name]

    return get


def sections_of(rule):
    """Build the sections that a rule describes, by hand."""
    from neuron import h

    built = {}
    for name, description in rule["secs"].items():
        section = built[name] = h.Section(name=name)
        for key, value in description["geom"].items():
            setattr(section, key, value)
        section.insert("pas")
        section.g_pas, section.e_pas = description["mechs"]["pas"]["g"], description["mechs"]["pas"]["e"]
        if description["topol"]:
            assert (description["topol"]["parentX"], description["topol"]["childX"]) == (0.5, 0.0)
            section.connect(built[description["topol"]["parentSec"]](0.5), 0)
    return built


def transfer(source, targets, frequency):
    from neuron import h

    probe = h.Impedance()
    probe.loc(source.x, sec=source.sec)
    probe.compute(frequency, 0)
    return np.array([cmath.rect(probe.transfer(t.x, sec=t.sec), probe.transfer_phase(t.x, sec=t.sec)) for t in targets])


def steady(source, targets):
    return transfer(source, targets, 0.0).real


def off(found, wanted):
    return np.abs(found / wanted - 1).max()


@pytest.mark.parametrize("name", catalogue.CATALOGUE)
def test_soma_and_tuft_answer_as_in_the_full_cell(rule, name):
    """At frequencies between those of the fit, to every basal place and to the tuft sites."""
    from segdend_plugin.experiment import network

    reduction = rule(name)["reduction"]
    small = sections_of(rule(name))
    cell = network.pyramidal(name, Cable())
    soma, tips = cell.soma[0](0.5), most_distal_tips(list(cell.tuft), cell.soma[0](0.5), 4)
    places = [segment for section in cell.basal for segment in section]
    shares = np.concatenate(reduction["shares"])
    assert len(shares) == len(places)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-12)
    small_places = [small[place](0.5) for place in reduction["places"]]
    # the current into each compartment for 1 nA at each place
    currents = shares * steady(soma, places)[:, None] / steady(small["soma"](0.5), small_places)
    for frequency in BETWEEN:
        at_soma = currents @ transfer(small["soma"](0.5), small_places, frequency)
        at_tuft = currents @ transfer(small["tuft"](0.5), small_places, frequency)
        from_tips = np.array([transfer(tip, [soma, *tips, *places], frequency) for tip in tips]).mean(axis=0)
        (tuft_to_soma, tuft_to_tuft) = transfer(small["tuft"](0.5), [small["soma"](0.5), small["tuft"](0.5)], frequency)
        errors = {
            "basal_to_soma": off(at_soma, transfer(soma, places, frequency)),
            "basal_to_tuft": off(at_tuft, from_tips[1 + len(tips) :]),
            "tuft_to_soma": off(tuft_to_soma, from_tips[0]),
            "tuft_to_tuft": off(tuft_to_tuft, from_tips[1 : 1 + len(tips)].mean()),
        }
        for response, error in errors.items():
            assert error < LIMIT, response
            assert error < 1.05 * reduction["report"]["errors"][response] + 1e-4, response


@pytest.mark.parametrize("name", catalogue.CATALOGUE)
def test_compartments_are_few(rule, name):
    report = rule(name)["reduction"]["report"]
    assert report["compartments"] <= LARGEST[name]
    assert report["full_compartments"] > 10 * report["compartments"]
    assert report["largest_error"] == max(report["errors"].values()) < LIMIT


def test_the_same_reduction_again(rule):
    from segdend_plugin.experiment import network

    assert network.cell_rule("mouse_v1_l4_nr5a1", Cable(reduced=True)) == rule("mouse_v1_l4_nr5a1")


def test_sites_are_those_of_the_full_cell(rule):
    """A gid draws the same places, and a place has the shares of the segment that it lies in."""
    from segdend_plugin.experiment import network

    cell = network.pyramidal("mouse_v1_l5_rbp4", Cable())
    sections = list(cell.basal)
    reduction = rule("mouse_v1_l5_rbp4")["reduction"]
    shares, impedance = ([np.array(values) for values in reduction[name]] for name in ("shares", "impedance"))
    stand_in = StandIn(reduction["pieces"], shares, impedance, {})
    to_soma = np.concatenate([steady(cell.soma[0](0.5), list(section)) for section in sections])
    starts = np.cumsum([0, *(section.nseg for section in sections)])
    everywhere = np.concatenate(reduction["shares"])
    for gid in (3, 4):
        whole = [(k, 0.0, 1.0, section.L) for k, section in enumerate(sections)]
        drawn = draw(whole, 8, stream(0, Purpose.SITES, gid))
        rows = [starts[k] + list(sections[k]).index(sections[k](x)) for k, x in drawn]
        found, of_full = stand_in.spread(8, stream(0, Purpose.SITES, gid))
        np.testing.assert_array_equal(found, everywhere[rows])
        np.testing.assert_allclose(of_full, to_soma[rows], rtol=1e-9)


def build(name, hidden, n_input, n_output, *settings):
    from segdend_plugin.experiment import network

    experiment = config.load(settings=[f"cell={name}", f"layers.hidden=[{hidden}]", *settings])
    return network.build(experiment, n_input, n_output)


def averages(network, image):
    schedule = phases.training_schedule(0, 0, dt=1.0, forward=50.0, target=50.0, settle=30.0, jitter=False)
    network.show(image, schedule, Purpose.TRAINING_SPIKES, 0, 1)
    return [layer.populations[0].averages(schedule) for layer in network.layers]


@pytest.mark.parametrize("name", ["mouse_v1_l4_scnn1a", "mouse_v1_l5_rbp4"])
def test_the_same_spikes_give_the_same_averages(name, ranks):
    """Window averages of soma and tuft, from the same weights and the same input spikes."""
    full, reduced = (
        averages(build(name, 3, 30, 3, f"cable.reduced={flag}"), np.linspace(0, 1, 30))[0] for flag in (False, True)
    )
    for quantity in ("forward_potential", "forward_apical", "target_apical"):
        wanted, found = getattr(full, quantity), getattr(reduced, quantity)
        assert np.abs(wanted).max() > 0.01
        assert np.abs(found - wanted).max() < LIMIT * np.abs(wanted).max(), quantity


def test_a_network_after_another_has_the_same_bits(ranks):
    """Rates leave transfers behind in NEURON, and reduced cells another order of compartments."""
    rates = ["cable.reduced=true", "rule.feedforward=rates", "feedback.signal=rates"]
    first, _, again = (
        averages(build("mouse_v1_l4_rorb", 3, 30, 3, *settings), np.linspace(0, 1, 30))[0]
        for settings in (rates, ["cable.nseg=1"], rates)
    )
    np.testing.assert_array_equal(first.forward_potential, again.forward_potential)
    np.testing.assert_array_equal(first.target_apical, again.target_apical)


def test_unit_drive_moves_every_soma_by_the_same_potential(ranks):
    network = build("mouse_v1_l4_nr5a1", 3, 10, 3, "cable.reduced=true")
    hidden = network.hidden[0].populations[0]
    hidden.inbound.weights[:] = 0
    hidden.feedback.weights[:] = 0
    for bias, expected in ((hidden.inbound.biases, 0.6 / 0.7), (hidden.feedback.biases, 1.0)):
        hidden.inbound.biases[:] = hidden.feedback.biases[:] = 0
        bias[:] = 1.0
        schedule = phases.test_schedule(dt=1.0, duration=260.0, settle=240.0)
        network.show(np.zeros(10), schedule, Purpose.TEST_SPIKES, 0)
        seen = hidden.averages(schedule)
        found = seen.forward_potential if bias is hidden.inbound.biases else seen.forward_apical
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_weights_carry_over_to_the_full_cell(ranks):
    """Trained with reduced cells, the output potentials of the full ones are nearly the same."""
    from segdend_plugin.experiment import datasets

    images = datasets.load(config.load().data).train
    seen = []
    weights = None
    for flag in (True, False):
        network = build("mouse_v1_l4_nr5a1", 8, 64, 10, f"cable.reduced={flag}")
        if weights is None:
            for example in range(10):
                schedule = phases.training_schedule(
                    0, example, dt=1.0, forward=50.0, target=50.0, settle=30.0, jitter=True
                )
                network.show(
                    images.rates[example],
                    schedule,
                    Purpose.TRAINING_SPIKES,
                    example,
                    int(images.labels[example]),
                )
                network.learn(schedule, [1.0, 0.5], example, train_hidden=True)
            weights = network.gather_weights()
        network.set_weights(weights)
        schedule = phases.test_schedule(dt=1.0, duration=250.0, settle=30.0)
        potentials = []
        for example in range(10, 14):
            network.show(images.rates[example], schedule, Purpose.TEST_SPIKES, example)
            potentials.append(network.output.averages(schedule).forward_potential)
        seen.append(np.array(potentials))
    reduced, full = seen
    assert np.abs(reduced - full).max() < 0.05 * np.ptp(full)
    np.testing.assert_array_equal(reduced.argmax(axis=1), full.argmax(axis=1))


def test_lumped_cells_are_not_reduced(ranks):
    from segdend_plugin.experiment import network

    experiments = [
        config.load(settings=["cell=three_compartment", f"cable.reduced={flag}"]) for flag in ("true", "false")
    ]
    first, second = (dict(network.net_params(experiment, 4, 2).cellParams) for experiment in experiments)
    assert first
    assert first == second


def test_a_reduction_out_of_tolerance_says_so(ranks, monkeypatch, capsys):
    from segdend_plugin.experiment import network

    monkeypatch.setattr(network, "TOLERANCE", 0.001)
    network.cell_rule("mouse_v1_l4_rorb", Cable(reduced=True))
    (line,) = capsys.readouterr().err.splitlines()
    assert "cable.reduced" in line
    assert "0.6 % off" in line
