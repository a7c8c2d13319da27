"""Reduced cells against the full ones: NEURON's impedances, simulations, and weights that are carried over."""

import cmath
import logging

import numpy as np
import pytest

from segdend_plugin.cells.files import catalogue
from segdend_plugin.cells.sites import StandIn, draw, most_distal_tips
from segdend_plugin.experiment import cells, config
from segdend_plugin.experiment.graph import cable as kind_of
from segdend_plugin.experiment.graph import graph
from segdend_plugin.experiment.parts import Cable
from segdend_plugin.hosts import description
from segdend_plugin.learner import Learner
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.model.trial import Stimulus
from segdend_plugin.model.wants import Average
from segdend_plugin.rule.guerguiev import Guerguiev
from segdend_plugin.rule.phases import TwoPhase
from segdend_plugin.tasks.images import load

BETWEEN = (37.0, 73.0)
"""Frequencies (Hz) that no reduction was fitted at."""
LIMIT = 0.02
RULE = Guerguiev(phases=TwoPhase(jitter=False))
LARGEST = {"mouse_v1_l4_nr5a1": 7, "mouse_v1_l4_rorb": 7, "mouse_v1_l4_scnn1a": 8, "mouse_v1_l5_rbp4": 14}


@pytest.fixture(scope="module")
def rule(ranks):
    """Return a function that gives the NetPyNE rule of a reduced cell, fitted once."""
    made = {}

    def get(name):
        if name not in made:
            made[name] = cell_rule(name)
        return made[name]

    return get


def cell_rule(name):
    return description.cell_rule(kind_of(name, Cable(reduced=True)))


def sections_of(rule):
    """Build the sections that a rule describes, by hand."""
    from neuron import h

    built = {}
    for name, described in rule["secs"].items():
        section = built[name] = h.Section(name=name)
        for key, value in described["geom"].items():
            setattr(section, key, value)
        section.insert("pas")
        section.g_pas, section.e_pas = described["mechs"]["pas"]["g"], described["mechs"]["pas"]["e"]
        if described["topol"]:
            assert (described["topol"]["parentX"], described["topol"]["childX"]) == (0.5, 0.0)
            section.connect(built[described["topol"]["parentSec"]](0.5), 0)
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
    reduction = rule(name)["reduction"]
    small = sections_of(rule(name))
    cell = cells.pyramidal(name, Cable())
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
    assert cell_rule("mouse_v1_l4_nr5a1") == rule("mouse_v1_l4_nr5a1")


def test_sites_are_those_of_the_full_cell(rule):
    """A cell draws the same places, and a place has the shares of the segment that it lies in."""
    cell = cells.pyramidal("mouse_v1_l5_rbp4", Cable())
    sections = list(cell.basal)
    reduction = rule("mouse_v1_l5_rbp4")["reduction"]
    shares, impedance = ([np.array(values) for values in reduction[name]] for name in ("shares", "impedance"))
    stand_in = StandIn(reduction["pieces"], shares, impedance, {})
    to_soma = np.concatenate([steady(cell.soma[0](0.5), list(section)) for section in sections])
    starts = np.cumsum([0, *(section.nseg for section in sections)])
    everywhere = np.concatenate(reduction["shares"])
    for number in (3, 4):
        whole = [(k, 0.0, 1.0, section.L) for k, section in enumerate(sections)]
        drawn = draw(whole, 8, stream(0, Purpose.SITES, number))
        rows = [starts[k] + list(sections[k]).index(sections[k](x)) for k, x in drawn]
        found, of_full = stand_in.spread(8, stream(0, Purpose.SITES, number))
        np.testing.assert_array_equal(found, everywhere[rows])
        np.testing.assert_allclose(of_full, to_soma[rows], rtol=1e-9)


def build(name, hidden, n_input, n_output, *settings):
    experiment = config.load(settings=[f"cell={name}", f"layers.hidden=[{hidden}]", *settings])
    return description.build(graph(experiment, n_input, n_output))


def averages(network):
    """Return the mean potentials of soma and tuft of the hidden cells in the windows of one trial."""
    (hidden,) = network.graph.hidden
    shown = Stimulus({"input": np.linspace(0, 1, network.graph["input"].size)}, {"output": np.array([0.0, 1.0, 0.0])})
    trial = RULE.phases.trial(network.graph, shown, 0, taught=True)
    wants = {
        "soma": Average(hidden.name, "potential"),
        "tuft": RULE.apical(network.graph, hidden.name, "forward"),
        "taught tuft": RULE.apical(network.graph, hidden.name, "target"),
    }
    seen = network.run(trial, Purpose.TRAINING_SPIKES, tuple(wants.values()))
    return {name: seen[want] for name, want in wants.items()}


@pytest.mark.parametrize("name", ["mouse_v1_l4_scnn1a", "mouse_v1_l5_rbp4"])
def test_the_same_spikes_give_the_same_averages(name, ranks):
    """Window averages of soma and tuft, from the same weights and the same input spikes."""
    of_full, of_reduced = (averages(build(name, 3, 30, 3, f"cable.reduced={flag}")) for flag in (False, True))
    for quantity, wanted in of_full.items():
        assert np.abs(wanted).max() > 0.01
        assert np.abs(of_reduced[quantity] - wanted).max() < LIMIT * np.abs(wanted).max(), quantity


def test_a_network_after_another_has_the_same_bits(ranks):
    """Rates leave transfers behind in NEURON, and reduced cells another order of compartments."""
    rates = ["cable.reduced=true", "rule.feedforward=rates", "feedback.signal=rates"]
    first, _, again = (
        averages(build("mouse_v1_l4_rorb", 3, 30, 3, *settings)) for settings in (rates, ["cable.nseg=1"], rates)
    )
    np.testing.assert_array_equal(first["soma"], again["soma"])
    np.testing.assert_array_equal(first["taught tuft"], again["taught tuft"])


def test_unit_drive_moves_every_soma_by_the_same_potential(ranks):
    network = build("mouse_v1_l4_nr5a1", 3, 10, 3, "cable.reduced=true")
    name = network.graph.hidden[0].name
    forward, back = (network.sets[network.graph.onto(name, role)[0].name] for role in ("forward", "feedback"))
    soma, tuft = Average(name, "potential"), RULE.apical(network.graph, name, "forward")
    trial = TwoPhase(test=260.0, settle=240.0).trial(network.graph, Stimulus({"input": np.zeros(10)}), 0, taught=False)
    forward.weights[:] = back.weights[:] = 0
    for driven, want, expected in ((forward, soma, 0.6 / 0.7), (back, tuft, 1.0)):
        forward.constant[:] = back.constant[:] = 0
        driven.constant[:] = 1.0
        seen = network.run(trial, Purpose.TEST_SPIKES, (soma, tuft))
        np.testing.assert_allclose(seen[want], expected, rtol=1e-6)


def test_weights_carry_over_to_the_full_cell(ranks):
    """Trained with reduced cells, the output potentials of the full ones are nearly the same."""
    images = load().train
    answers = []
    learned = None
    for flag in (True, False):
        network = build("mouse_v1_l4_nr5a1", 8, 64, 10, f"cable.reduced={flag}")
        hidden = network.graph.hidden[0].name
        learner = Learner(network, Guerguiev(), learning_rates={hidden: 1.0, "output": 0.5})
        if learned is None:
            learner.partial_fit(images.first(10))
            learned = network.gather()
        network.scatter(*learned)
        answers.append(learner.answers(images, range(10, 14))["output"])
    of_reduced, of_full = answers
    assert np.abs(of_reduced - of_full).max() < 0.05 * np.ptp(of_full)
    np.testing.assert_array_equal(of_reduced.argmax(axis=1), of_full.argmax(axis=1))


def test_lumped_cells_are_not_reduced(ranks):
    experiments = [
        config.load(settings=["cell=three_compartment", f"cable.reduced={flag}"]) for flag in ("true", "false")
    ]
    first, second = (dict(description.net_params(graph(experiment, 4, 2)).cellParams) for experiment in experiments)
    assert first
    assert first == second


def test_a_reduction_out_of_tolerance_says_so(ranks, monkeypatch, caplog):
    monkeypatch.setattr(description, "TOLERANCE", 0.001)
    with caplog.at_level(logging.WARNING, "segdend_plugin"):
        cell_rule("mouse_v1_l4_rorb")
    (line,) = caplog.messages
    assert "cable.reduced" in line
    assert "0.6 % off" in line
