"""Cable cells: impedances against cable theory, and what calibration promises against the simulator."""

import math

import numpy as np
import pytest

from segdend_plugin.cells import electrotonics
from segdend_plugin.experiment import config
from segdend_plugin.model.streams import Purpose
from segdend_plugin.rule import phases


def test_transfer_impedance_of_a_sealed_cylinder(ranks):
    """Z(0, x) = r_inf cosh((l - x)/lambda) / sinh(l/lambda) for current at one sealed end (Rall 1959)."""
    from neuron import h

    section = h.Section(name="cylinder")
    section.L, section.diam, section.Ra, section.cm, section.nseg = 900.0, 1.2, 120.0, 1.0, 301
    section.insert("pas")
    section.g_pas = 1e-4
    h.finitialize(-70)
    diameter = section.diam * 1e-4
    resistance = 1 / 1e-4
    length_constant = math.sqrt(resistance * diameter / (4 * 120.0)) * 1e4
    infinite = math.sqrt(resistance * 120.0) * 2 / (math.pi * diameter**1.5) * 1e-6
    places = [0.5 / 301, 0.25, 0.5, 0.75, 1 - 0.5 / 301]
    measured = electrotonics.transfer_impedance(section(places[0]), [section(x) for x in places])
    total = section.L / length_constant
    expected = [infinite * math.cosh(total * (1 - x)) / math.sinh(total) for x in places]
    np.testing.assert_allclose(measured, expected, rtol=5e-3)


@pytest.fixture(scope="module")
def cable_network(ranks):
    from segdend_plugin.experiment import network

    experiment = config.load(settings=["cell=mouse_v1_l4_scnn1a", "layers.hidden=[3]"])
    return network.build(experiment, 10, 3)


def steady(network, drive):
    """Show nothing, with bias `drive`, until nothing moves any more."""
    hidden = network.hidden[0].populations[0]
    hidden.inbound.weights[:] = 0
    hidden.feedback.weights[:] = 0
    hidden.inbound.biases[:] = drive
    schedule = phases.test_schedule(dt=1.0, duration=260.0, settle=240.0)
    network.show(np.zeros(10), schedule, Purpose.TEST_SPIKES, 0)
    return hidden.averages(schedule)


def test_unit_drive_moves_every_soma_by_the_same_potential(cable_network):
    """Each cell has its own eight sites, at its own distances; the calibration makes them equal."""
    np.testing.assert_allclose(steady(cable_network, 1.0).forward_potential, 0.6 / 0.7, rtol=1e-6)
    np.testing.assert_allclose(steady(cable_network, -2.0).forward_potential, -2 * 0.6 / 0.7, rtol=1e-6)


def test_unit_feedback_moves_the_tuft_by_one(cable_network):
    hidden = cable_network.hidden[0].populations[0]
    hidden.feedback.biases[:] = 1.0
    try:
        seen = steady(cable_network, 0.0)
    finally:
        hidden.feedback.biases[:] = 0.0
    np.testing.assert_allclose(seen.forward_apical, 1.0, rtol=1e-6)
    np.testing.assert_allclose(seen.forward_potential, hidden.calibration.segregation.tuft_to_soma, rtol=1e-6)


def test_somatic_potential_invades_the_tuft_as_the_segregation_says(cable_network):
    """The soma is depolarised from the basal tree, so the tuft sees at most what somatic current would make."""
    hidden = cable_network.hidden[0].populations[0]
    ratio = steady(cable_network, 1.0).forward_apical / (0.6 / 0.7)
    np.testing.assert_allclose(ratio, hidden.calibration.segregation.soma_to_tuft, rtol=0.02)


def test_one_spike_makes_the_kernel_of_the_paper_at_the_soma(ranks):
    """On a membrane of 10 ms an exponential current of 3 ms is kappa, up to the spread of charge along the tree.

    The integral, which sets the averages that the rule uses, must be k_b within 1 %; the shape within 15 % of its peak,
    at a fine step and grid.
    """
    from neuron import h

    from segdend_plugin.experiment import network

    experiment = config.load(
        settings=["cell=mouse_v1_l4_nr5a1", "layers.hidden=[1]", "phases.dt=0.1", "cable.d_lambda=0.05"]
    )
    net = network.build(experiment, 8, 2)
    hidden = net.hidden[0].populations[0]
    hidden.inbound.biases[:] = 0
    hidden.inbound.weights[:] = 1.0
    hidden.feedback.weights[:] = 0
    trace = h.Vector().record(hidden.spike_sources()[0][1]._ref_potential)
    times, gids = h.Vector(), h.Vector()
    net.announce_spikes()
    ranks.pc.spike_record(-1, times, gids)
    schedule = phases.test_schedule(dt=0.1, duration=150.0, settle=30.0)
    image = np.zeros(8)
    image[3] = 0.1
    net.show(image, schedule, Purpose.TEST_SPIKES, 5)
    arrived = [t + 1.0 for t, gid in zip(times, gids, strict=True) if gid < 8]
    assert arrived
    t = np.arange(len(trace)) * 0.1
    kappa = sum(np.where(t > a, np.exp(-(t - a) / 10) - np.exp(-(t - a) / 3), 0) / 7 for a in arrived)
    potential = np.array(trace)
    assert potential.sum() == pytest.approx(0.6 / 0.7 * kappa.sum(), rel=0.01)
    assert np.abs(potential - 0.6 / 0.7 * kappa).max() < 0.15 * 0.6 / 0.7 * kappa.max()


def test_a_refined_grid_gives_the_same_averages(ranks):
    """The default grid against one six times finer: somatic averages within 0.5 %, tuft averages within 2 %."""
    from segdend_plugin.experiment import network

    seen = []
    for settings in ([], ["cable.d_lambda=0.03"]):
        experiment = config.load(settings=["cell=mouse_v1_l5_rbp4", "layers.hidden=[2]", *settings])
        net = network.build(experiment, 30, 3)
        schedule = phases.training_schedule(0, 0, dt=1.0, forward=50.0, target=50.0, settle=30.0, jitter=False)
        net.show(np.linspace(0, 1, 30), schedule, Purpose.TRAINING_SPIKES, 0, 1)
        seen.append(net.hidden[0].populations[0].averages(schedule))
    for name, tolerance in (("forward_potential", 0.005), ("forward_apical", 0.02), ("target_apical", 0.02)):
        coarse, fine = (getattr(averages, name) for averages in seen)
        assert np.abs(coarse - fine).max() < tolerance * np.abs(fine).max(), name
