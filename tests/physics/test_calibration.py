"""What calibration reaches, by impedances measured anew and by constant drive; and learning that knows of it."""

import numpy as np
import pytest

from segdend_plugin.engine import calibrated

GAIN = 0.6 / 0.7
N_INPUT, CELLS, SITES = 16, 3, 8


@pytest.fixture
def cable(build):
    """Return a function that builds a network of a few cells, whose inputs send rates."""

    def make(*settings):
        own = ["cell=mouse_v1_l4_scnn1a", "cable.nseg=1", "cable.unit=2", f"layers.hidden=[{CELLS}]"]
        return build(N_INPUT, 3, *own, "rule.feedforward=rates", *settings)

    return make


def effects(bench):
    """Somatic potential (units) for unit drive of every feed-forward site by NEURON's Impedance, and the currents."""
    from neuron import h

    own, feedback = bench.cells, bench.set_onto(0, "feedback").connections.name
    sites = [m for m in own._mechanisms if m.hname().startswith("SegDendSite")]
    moved, currents = np.zeros((2, own.n, SITES))
    assert len(sites) // own.n == SITES + len(own.calibrations[feedback].port.places)
    # all feed-forward sites of all cells are made before the feedback sites
    for index, site in enumerate(sites[: SITES * own.n]):
        cell = own.handles[index // SITES]
        impedance = h.Impedance()
        impedance.loc(cell.soma.x, sec=cell.soma.sec)
        impedance.compute(0.0, 0)
        place = site.get_segment()
        moved[index // SITES, index % SITES] = site.gain * impedance.transfer(place.x, sec=place.sec) / 2.0
        currents[index // SITES, index % SITES] = site.gain
    return moved, currents


def test_every_site_or_the_mean_of_a_cell_has_the_gain(cable):
    moved, currents = effects(cable())
    np.testing.assert_allclose(moved, GAIN, rtol=1e-6)
    assert np.ptp(currents) > 0.05 * currents.mean()
    bench = cable("cable.calibration=per_cell")
    moved, currents = effects(bench)
    np.testing.assert_allclose(moved.mean(axis=1), GAIN, rtol=1e-6)
    np.testing.assert_allclose(np.ptp(currents, axis=1), 0.0, atol=1e-12)
    np.testing.assert_allclose(moved / GAIN, bench.set_onto(0).place_gains.T, rtol=1e-6)
    assert moved.min() < 0.97 * GAIN < 1.03 * GAIN < moved.max()


@pytest.mark.parametrize("calibration", ["per_site", "per_cell"])
def test_the_report_says_what_is_there(cable, calibration):
    bench = cable(f"cable.calibration={calibration}")
    found = calibrated.report(bench.network.ranks, {"cell": [bench.cells.calibrated]}, GAIN, -70.0)["cell"]
    moved, currents = effects(bench)
    last = moved[-1]
    assert found["somatic_gain"]["asked"] == GAIN
    for name, wanted in (("min", last.min()), ("mean", last.mean()), ("max", last.max())):
        assert found["somatic_gain"][name] == pytest.approx(wanted, rel=1e-9)
    assert found["feedforward_current_nA"]["min"] == pytest.approx(currents.min(), rel=1e-9)
    assert found["feedforward_current_nA"]["median"] == pytest.approx(np.median(currents), rel=1e-9)
    assert found["relative_gain"]["max"] == pytest.approx(bench.set_onto(0).place_gains.max(), rel=1e-9)
    assert found["feedback_gain"]["mean"] == pytest.approx(1.0, rel=1e-6)
    assert not calibrated.failures({"cell": found})


def test_a_calibration_that_fails_is_reported(cable):
    bench = cable()
    for cell in bench.cells.handles:
        for section in cell.soma.sec.wholetree():
            section.g_pas *= 1.1
    # what was measured is what the first cell was; what is measured anew is not
    found = calibrated.report(bench.network.ranks, {"cell": [bench.cells.calibrated]}, GAIN, -70.0)
    assert len(calibrated.failures(found)) == 2
    assert "somatic_gain of 'cell'" in calibrated.failures(found)[0]


def steady(bench, weights):
    bench.fill(weights=weights)
    return bench.averages(bench.show(np.ones(N_INPUT), 0, test=260.0, settle=240.0)).forward_potential


def changes(bench):
    seen, inbound = bench.show(np.linspace(0.1, 1, N_INPUT), 0, 1), bench.set_onto(0)
    weights, biases = inbound.weights.copy(), inbound.constant.copy()
    bench.learn(seen)
    return inbound.weights - weights, inbound.constant - biases


def test_learning_in_proportion_to_the_gain_is_the_gradient(cable):
    """With one current per cell, a weight moves the soma by k_b times the relative gain of its place (simulated)."""
    blind, blind_biases = changes(cable("cable.calibration=per_cell"))
    bench = cable("cable.calibration=per_cell", "rule.location=gain")
    scaled, biases = changes(bench)
    np.testing.assert_array_equal(biases, blind_biases)
    assert np.abs(blind).min() > 0
    gradient = np.zeros((N_INPUT, CELLS))
    for pre in range(N_INPUT):
        weights = np.zeros((N_INPUT, CELLS))
        weights[pre] = 10.0
        gradient[pre] = steady(bench, weights) / (10.0 * 0.2)
    np.testing.assert_allclose(scaled / blind, gradient / GAIN, rtol=1e-6)
    assert np.ptp(scaled / blind) > 0.03
    inbound = bench.set_onto(0)
    inbound.weights[:] = 2.0
    np.testing.assert_allclose(inbound.effective(), 2.0 * gradient / GAIN, rtol=1e-6)
