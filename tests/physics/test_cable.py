"""Cable cells: impedances against cable theory, and what calibration promises against the simulator."""

import math

import numpy as np
import pytest

from segdend_plugin.cells import electrotonics
from segdend_plugin.model.wants import Trace


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


@pytest.fixture
def bench(build):
    return build(10, 3, "cell=mouse_v1_l4_scnn1a", "layers.hidden=[3]")


def steady(bench, **drive):
    """Show nothing, with a steady drive, until nothing moves any more."""
    bench.fill(**drive)
    return bench.averages(bench.show(np.zeros(10), 0, test=260.0, settle=240.0))


def test_unit_drive_moves_every_soma_by_the_same_potential(bench):
    """Each cell has its own eight sites, at its own distances; the calibration makes them equal."""
    np.testing.assert_allclose(steady(bench, biases=1.0).forward_potential, 0.6 / 0.7, rtol=1e-6)
    np.testing.assert_allclose(steady(bench, biases=-2.0).forward_potential, -2 * 0.6 / 0.7, rtol=1e-6)


def test_unit_feedback_moves_the_tuft_by_one(bench):
    seen = steady(bench, apical=1.0)
    np.testing.assert_allclose(seen.forward_apical, 1.0, rtol=1e-6)
    np.testing.assert_allclose(seen.forward_potential, bench.cells.segregation.tuft_to_soma, rtol=1e-6)


def test_somatic_potential_invades_the_tuft_as_the_segregation_says(bench):
    """The soma is depolarised from the basal tree, so the tuft sees at most what somatic current would make."""
    ratio = steady(bench, biases=1.0).forward_apical / (0.6 / 0.7)
    np.testing.assert_allclose(ratio, bench.cells.segregation.soma_to_tuft, rtol=0.02)


def test_one_spike_makes_the_kernel_of_the_paper_at_the_soma(build, spikes):
    """On a membrane of 10 ms an exponential current of 3 ms is kappa, up to the spread of charge along the tree.

    The integral, which sets the averages that the rule uses, must be k_b within 1 %; the shape within 15 % of its peak,
    at a fine step and grid.
    """
    bench = build(8, 2, "cell=mouse_v1_l4_nr5a1", "layers.hidden=[1]", "phases.dt=0.1", "cable.d_lambda=0.05")
    bench.fill(weights=1.0)
    times, gids = spikes(bench)
    image, wanted = np.zeros(8), Trace(bench.layers[0], "potential")
    image[3] = 0.1
    seen = bench.show(image, 5, traces=[wanted], test=150.0)
    arrived = [t + 1.0 for t, gid in zip(times, gids, strict=True) if gid < 8]
    assert arrived
    potential = seen[wanted][:, 0]
    t = np.arange(1, len(potential) + 1) * 0.1
    kappa = sum(np.where(t > a, np.exp(-(t - a) / 10) - np.exp(-(t - a) / 3), 0) / 7 for a in arrived)
    assert potential.sum() == pytest.approx(0.6 / 0.7 * kappa.sum(), rel=0.01)
    assert np.abs(potential - 0.6 / 0.7 * kappa).max() < 0.15 * 0.6 / 0.7 * kappa.max()


def test_a_refined_grid_gives_the_same_averages(build):
    """The default grid against one six times finer: somatic averages within 0.5 %, tuft averages within 2 %."""
    seen = []
    for settings in ([], ["cable.d_lambda=0.03"]):
        bench = build(30, 3, "cell=mouse_v1_l5_rbp4", "layers.hidden=[2]", *settings)
        seen.append(bench.averages(bench.show(np.linspace(0, 1, 30), 0, 1)))
    for name, tolerance in (("forward_potential", 0.005), ("forward_apical", 0.02), ("target_apical", 0.02)):
        coarse, fine = (getattr(averages, name) for averages in seen)
        assert np.abs(coarse - fine).max() < tolerance * np.abs(fine).max(), name
