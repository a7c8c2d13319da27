"""Definitions of electrotonics, on numbers made by hand."""

import numpy as np
import pytest

from segdend_plugin.cells import cable


def test_length_constant_of_a_known_cylinder():
    """1 um, 100 Ohm cm and 10 kOhm cm2: sqrt(1e-4 cm * 1e4 / 400) = 0.05 cm."""
    assert cable.length_constant(1.0, 100.0, 1e-4, 1.0) == pytest.approx(500.0)
    np.testing.assert_allclose(cable.length_constant(np.array([1.0, 4.0]), 100.0, 1e-4, 1.0), [500.0, 1000.0])


def test_length_constant_at_high_frequencies_forgets_the_leak():
    """NEURON's lambda_f = 1/2 sqrt(d / (pi f Ra Cm)) (Hines & Carnevale 2001) is the limit."""
    frequency, resistivity = 1e5, 150.0
    limit = 0.5 * np.sqrt(2e-4 / (np.pi * frequency * resistivity * 0.9e-6)) * 1e4
    for leak in (1e-5, 1e-4):
        found = cable.length_constant(2.0, resistivity, leak, 0.9, frequency)
        assert found == pytest.approx(limit, rel=1e-3)


def resistors(leaks, axials):
    """Impedances of a chain of compartments."""
    n = len(leaks)
    conductance = np.diag(np.asarray(leaks, dtype=float))
    for k, axial in enumerate(axials):
        conductance[np.ix_([k, k + 1], [k, k + 1])] += axial * np.array([[1, -1], [-1, 1]])
    assert conductance.shape == (n, n)
    return np.linalg.inv(conductance)


def both(impedance, a, b):
    entries = impedance[a, a], impedance[b, b], impedance[a, b]
    return float(cable.segregation_index(*entries)), float(cable.independence_index(*entries))


def test_two_compartments_come_apart_with_their_coupling():
    """With leaks 1 and 1: Z_aa = (1 + g)/(1 + 2 g), Z_ab = g/(1 + 2 g), so that the index is 1 / (1 + g), I_Z = 1/g."""
    for coupling in (1e-3, 1.0, 20.0):
        index, independence = both(resistors([1, 1], [coupling]), 0, 1)
        assert index == pytest.approx(1 / (1 + coupling))
        assert independence == pytest.approx(1 / coupling)


def test_the_index_is_bounded_and_indifferent_to_scale():
    impedance = resistors([1.0, 0.3, 4.0, 0.1], [0.5, 2.0, 0.2])
    scaled = impedance * np.outer([1, 7, 0.2, 3], [1, 7, 0.2, 3])
    for a, b in ((0, 1), (0, 3), (1, 2)):
        index, independence = both(impedance, a, b)
        assert 0 < index < independence / (1 + independence) < 1
        assert both(scaled, a, b)[0] == pytest.approx(index)
    assert both(impedance, 2, 2) == pytest.approx((0, 0))


def test_couplings_in_a_row_multiply():
    impedance = resistors([1.0, 0.3, 4.0], [0.5, 2.0])
    through = (1 - both(impedance, 0, 1)[0]) * (1 - both(impedance, 1, 2)[0])
    assert 1 - both(impedance, 0, 2)[0] == pytest.approx(through)


def test_attenuation_is_that_of_a_voltage_divider():
    impedance = resistors([1.0, 0.25], [0.5])
    assert cable.attenuation(impedance[0, 0], impedance[0, 1]) == pytest.approx(0.5 / 0.75)
    assert cable.attenuation(impedance[1, 1], impedance[0, 1]) == pytest.approx(0.5 / 1.5)


def test_the_lumped_cell_is_the_reciprocal_one_of_equal_attenuations():
    g_leak, g_basal, g_apical = 0.1, 0.6, 0.6
    rest = g_leak + g_basal  # what else loads the soma; the same leak in the tuft attenuates as much the other way
    assert cable.segregation_index_lumped(g_leak, g_basal, g_apical, at="soma") == pytest.approx(
        both(resistors([rest, rest], [g_apical]), 0, 1)[0]
    )
    coupling = g_apical / 1.3 * g_basal / 1.3
    assert cable.segregation_index_lumped(g_leak, g_basal, g_apical) == pytest.approx(1 - coupling)


@pytest.mark.parametrize(("g_apical", "arrives"), [(0.0, 0.0), (0.05, 0.05 / 0.75), (0.6, 0.6 / 1.3)])
def test_the_lumped_cell_of_the_paper(g_apical, arrives):
    found = cable.segregation_lumped(0.1, 0.6, g_apical)
    assert found["tuft_to_soma"] == pytest.approx(arrives)
    assert found["soma_to_tuft"] == 0
    assert found["index_soma"] == pytest.approx(1 - arrives)
    assert found["index_soma"] <= found["index"] <= 1
    assert (found["index"] == 1) == (g_apical == 0)
