"""Readouts, bursts and desynchronised plateaus."""

import math

import numpy as np
import pytest

from segdend_plugin.model.places import NEXUS, Place
from segdend_plugin.model.wants import Average
from segdend_plugin.rule.plateau import (
    READOUTS,
    burst_difference,
    nmda_steepness,
    plateau,
    plateau_difference,
    plateau_leads,
    sigma,
)


def test_bursts_have_the_expectation_of_the_plateau_difference():
    forward, target = plateau(np.array([-2.0, 0.0, 1.0])), plateau(np.array([1.5, 0.0, -1.0]))
    drawn = np.array([burst_difference(forward, target, 0, example, [5, 6, 7]) for example in range(3000)])
    alpha = 1 / (1 + np.exp(-np.array([[-2.0, 0.0, 1.0], [1.5, 0.0, -1.0]])))
    # N_t - N_f has variance alpha_t + alpha_f
    error = 4 * np.sqrt(alpha.sum(axis=0) / 3000)
    assert np.all(np.abs(drawn.mean(axis=0) - (alpha[1] - alpha[0])) < error)
    np.testing.assert_allclose(drawn.var(axis=0), alpha.sum(axis=0), rtol=0.15)
    np.testing.assert_array_equal(drawn, np.round(drawn))
    np.testing.assert_allclose(plateau_difference(forward, target), alpha[1] - alpha[0], rtol=1e-12)


def test_the_bursts_of_a_cell_do_not_depend_on_its_neighbours():
    apical = plateau(np.linspace(0.0, 3.0, 40))
    together = burst_difference(apical, apical[::-1], 2, 9, list(range(40)))
    alone = [burst_difference(apical[[k]], apical[::-1][[k]], 2, 9, [k])[0] for k in range(40)]
    np.testing.assert_array_equal(together, alone)
    assert np.any(together != burst_difference(apical, apical[::-1], 2, 10, list(range(40))))
    assert np.any(together != burst_difference(apical, apical[::-1], 3, 9, list(range(40))))
    assert np.any(together != burst_difference(apical, apical[::-1], 2, 9, list(range(100, 140))))
    assert burst_difference(np.empty(0), np.empty(0), 0, 0, []).shape == (0,)


def test_leads_are_a_folded_normal_in_whole_milliseconds():
    """P(0..5 ms) = .26, .23, .19, .13, .09, .10 for a standard deviation of 3 ms."""
    leads = plateau_leads(0, 0, 0, 50000, 3.0)
    assert leads.shape == (2, 50000)
    below = [math.erf(ms / 3 / math.sqrt(2)) for ms in range(6)]
    expected = [*np.diff(below), 1 - below[5]]
    assert expected == pytest.approx([0.26, 0.23, 0.19, 0.13, 0.09, 0.10], abs=0.006)
    for phase in leads:
        np.testing.assert_allclose(np.bincount(phase) / 50000, expected, atol=0.008)
    assert abs(np.corrcoef(leads)[0, 1]) < 0.02


def test_leads_are_keyed_by_layer_and_example():
    usual = plateau_leads(0, 0, 4, 40, 3.0)
    np.testing.assert_array_equal(plateau_leads(0, 0, 4, 40, 3.0), usual)
    for other in ((1, 0, 4), (0, 1, 4), (0, 0, 5)):
        assert np.any(plateau_leads(*other, 40, 3.0) != usual)


@pytest.mark.parametrize(
    ("name", "quantity", "place"),
    [
        ("average", "potential", Place(of="back")),
        ("bursts", "potential", Place(of="back")),
        ("axial", "potential", Place("tuft:axial", of="back")),
        ("local", "potential", Place("tuft:local", of="back")),
        ("nmda", "nmda", Place(of="back")),
        ("calcium", "calcium", NEXUS),
    ],
)
def test_what_each_readout_reads_and_where(name, quantity, place):
    row = READOUTS[name]
    assert row.average("cells", "back", "target") == Average("cells", quantity, place, "target")
    assert row.region == ("tuft" if place.of and place.region == "soma" else place.region)


def test_fractions_are_plateaus_already():
    read = np.array([0.2, 0.9])
    for name in ("nmda", "calcium"):
        np.testing.assert_array_equal(plateau(read, name), read)
    np.testing.assert_array_equal(plateau(read, "axial", 2.0), sigma(2 * read))


def test_steepness_of_the_nmda_block_is_its_derivative_relative_to_sigma():
    def open_fraction(v):
        return 1 / (1 + math.exp(-0.062 * v) / 3.57)

    for rest, unit in ((-70.0, 1.0), (-65.0, 15.0)):
        slope = (open_fraction(rest + 1e-5 * unit) - open_fraction(rest - 1e-5 * unit)) / 2e-5
        assert nmda_steepness(rest, unit) == pytest.approx(slope / 0.25, rel=1e-6)
