"""What calibration reaches, by impedances measured anew and by constant drive; and learning that knows of it."""

import numpy as np
import pytest

from segdend_plugin.engine import calibrated
from segdend_plugin.experiment import config
from segdend_plugin.model.streams import Purpose
from segdend_plugin.rule import phases

GAIN = 0.6 / 0.7
N_INPUT, CELLS, SITES = 16, 3, 8


def build(*settings):
    from segdend_plugin.experiment import network

    experiment = config.load(
        settings=[
            "cell=mouse_v1_l4_scnn1a",
            "cable.nseg=1",
            f"layers.hidden=[{CELLS}]",
            "rule.feedforward=rates",
            "cable.unit=2",
            *settings,
        ]
    )
    return network.build(experiment, N_INPUT, 3)


def effects(population):
    """Somatic potential (units) for unit drive of every feed-forward site by NEURON's Impedance, and the currents."""
    from neuron import h

    sites = [m for m in population._mechanisms if m.hname().startswith("SegDendSite")]
    per_cell = len(sites) // len(population.cells)
    moved, currents = np.zeros((2, len(population.cells), SITES))
    assert per_cell == SITES + len(population.calibration.port.places)
    # all feed-forward sites of all cells are made before the feedback sites
    for index, site in enumerate(sites[: SITES * len(population.cells)]):
        cell = population.cells[index // SITES]
        impedance = h.Impedance()
        impedance.loc(cell.soma.x, sec=cell.soma.sec)
        impedance.compute(0.0, 0)
        place = site.get_segment()
        moved[index // SITES, index % SITES] = site.gain * impedance.transfer(place.x, sec=place.sec) / 2.0
        currents[index // SITES, index % SITES] = site.gain
    return moved, currents


def test_every_site_or_the_mean_of_a_cell_has_the_gain(ranks):
    hidden = build().hidden[0].populations[0]
    moved, currents = effects(hidden)
    np.testing.assert_allclose(moved, GAIN, rtol=1e-6)
    assert np.ptp(currents) > 0.05 * currents.mean()
    del hidden
    hidden = build("cable.calibration=per_cell").hidden[0].populations[0]
    moved, currents = effects(hidden)
    np.testing.assert_allclose(moved.mean(axis=1), GAIN, rtol=1e-6)
    np.testing.assert_allclose(np.ptp(currents, axis=1), 0.0, atol=1e-12)
    np.testing.assert_allclose(moved / GAIN, hidden.slot_gains.T, rtol=1e-6)
    assert moved.min() < 0.97 * GAIN < 1.03 * GAIN < moved.max()


@pytest.mark.parametrize("calibration", ["per_site", "per_cell"])
def test_the_report_says_what_is_there(ranks, calibration):
    network = build(f"cable.calibration={calibration}")
    hidden = network.hidden[0].populations[0]
    found = calibrated.report(network.ranks, {"cell": [hidden.calibrated]}, GAIN, -70.0)["cell"]
    moved, currents = effects(hidden)
    last = moved[-1]
    assert found["somatic_gain"]["asked"] == GAIN
    for name, wanted in (("min", last.min()), ("mean", last.mean()), ("max", last.max())):
        assert found["somatic_gain"][name] == pytest.approx(wanted, rel=1e-9)
    assert found["feedforward_current_nA"]["min"] == pytest.approx(currents.min(), rel=1e-9)
    assert found["feedforward_current_nA"]["median"] == pytest.approx(np.median(currents), rel=1e-9)
    assert found["relative_gain"]["max"] == pytest.approx(hidden.slot_gains.max(), rel=1e-9)
    assert found["feedback_gain"]["mean"] == pytest.approx(1.0, rel=1e-6)
    assert not calibrated.failures({"cell": found})


def test_a_calibration_that_fails_is_reported(ranks):
    network = build()
    hidden = network.hidden[0].populations[0]
    for cell in hidden.cells:
        for section in cell.soma.sec.wholetree():
            section.g_pas *= 1.1
    # what was measured is what the first cell was; what is measured anew is not
    found = calibrated.report(network.ranks, {"cell": [hidden.calibrated]}, GAIN, -70.0)
    assert len(calibrated.failures(found)) == 2
    assert "somatic_gain of 'cell'" in calibrated.failures(found)[0]


def steady(network, weights):
    hidden = network.hidden[0].populations[0]
    hidden.inbound.weights[:], hidden.inbound.biases[:], hidden.feedback.weights[:] = weights, 0, 0
    schedule = phases.test_schedule(dt=1.0, duration=260.0, settle=240.0)
    network.show(np.ones(N_INPUT), schedule, Purpose.TEST_SPIKES, 0)
    return hidden.averages(schedule).forward_potential


def changes(network):
    schedule = phases.training_schedule(0, 0, dt=1.0, forward=50.0, target=50.0, settle=30.0, jitter=False)
    network.show(np.linspace(0.1, 1, N_INPUT), schedule, Purpose.TRAINING_SPIKES, 0, 1)
    hidden = network.hidden[0].populations[0]
    weights, biases = hidden.inbound.weights.copy(), hidden.inbound.biases.copy()
    network.learn(schedule, [1.0, 1.0], 0, train_hidden=True)
    return hidden.inbound.weights - weights, hidden.inbound.biases - biases


def test_learning_in_proportion_to_the_gain_is_the_gradient(ranks):
    """With one current per cell, a weight moves the soma by k_b times the relative gain of its place (simulated)."""
    blind, blind_biases = changes(build("cable.calibration=per_cell"))
    network = build("cable.calibration=per_cell", "rule.location=gain")
    scaled, biases = changes(network)
    np.testing.assert_array_equal(biases, blind_biases)
    assert np.abs(blind).min() > 0
    gradient = np.zeros((N_INPUT, CELLS))
    for pre in range(N_INPUT):
        weights = np.zeros((N_INPUT, CELLS))
        weights[pre] = 10.0
        gradient[pre] = steady(network, weights) / (10.0 * 0.2)
    np.testing.assert_allclose(scaled / blind, gradient / GAIN, rtol=1e-6)
    assert np.ptp(scaled / blind) > 0.03
    hidden = network.hidden[0].populations[0]
    hidden.inbound.weights[:] = 2.0
    np.testing.assert_allclose(hidden.effective_weights(), 2.0 * gradient / GAIN, rtol=1e-6)
