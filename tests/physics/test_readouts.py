"""Readouts of the plateau against NumPy on recorded potentials, and what they promise."""

import numpy as np
import pytest

from segdend_plugin.errors import ConfigError
from segdend_plugin.model.streams import Purpose
from segdend_plugin.model.trial import Stimulus, Trial, Window
from segdend_plugin.rule.plateau import plateau_leads

COMPACT, TUFTED = "mouse_v1_l4_nr5a1", "mouse_v1_l4_scnn1a"
CELLS, EXAMPLE = 4, 5


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def blocked(v):
    """1/(1 + [Mg]/3.57 exp(-0.062 V)), Jahr & Stevens 1990, 1 mM."""
    return 1 / (1 + np.exp(-0.062 * v) / 3.57)


def activation(v):
    """m_inf of Ca_HVA, Reuveni et al. 1993."""
    alpha = 0.055 * (-27 - v) / (np.exp((-27 - v) / 3.8) - 1)
    return alpha / (alpha + 0.94 * np.exp((-75 - v) / 17))


@pytest.fixture
def small(build):
    """Return a function that builds a network of a few cells of one kind."""

    def make(*settings, cell=TUFTED):
        return build(12, 3, f"cell={cell}", "cable.nseg=1", f"layers.hidden=[{CELLS}]", *settings)

    return make


def end_of_trunk(cell):
    """Where the tuft begins, found from the tuft down."""
    tuft = {section.name() for section in cell.regions["tuft"]}
    below = {s.parentseg().sec for s in cell.regions["tuft"]} - set(cell.regions["tuft"])
    (trunk,) = [section for section in below if section.name() not in tuft]
    return trunk(1 - 0.5 / trunk.nseg)


def recorded(bench, jitter=3.0):
    """Run a training example; return plateaus as the network has them, and potentials of sites and nexus (mV)."""
    from neuron import h

    feedback = [m for m in bench.cells._mechanisms if m.hname().startswith("SegDendSite")][8 * CELLS :]
    sites = [h.Vector().record(m.get_segment()._ref_v) for m in feedback]
    trunk = [h.Vector().record(end_of_trunk(cell)._ref_v) for cell in bench.cells.handles]
    seen = bench.averages(bench.show(np.linspace(0, 1, 12), EXAMPLE, 1))
    leads = plateau_leads(0, 0, EXAMPLE, CELLS, jitter).T if jitter else np.zeros((CELLS, 2), dtype=int)
    assert leads.any() == bool(jitter)
    windows = [[slice(31 - f, 51 - f), slice(81 - t, 101 - t)] for f, t in leads]
    sites, trunk = np.array(sites).reshape(CELLS, -1, 101), np.array(trunk)

    def window_means(values):
        return np.array(
            [[value[window].mean() for window in own] for value, own in zip(values, windows, strict=True)]
        ).T

    return np.array([seen.forward_apical, seen.target_apical]), sites, trunk, window_means


@pytest.mark.parametrize("cell", [COMPACT, TUFTED])
def test_axial_is_the_difference_of_potentials(small, cell):
    found, sites, trunk, window_means = recorded(small("rule.plateau=axial", "rule.plateau_jitter=3", cell=cell))
    difference = window_means(sites.mean(axis=1) - trunk)
    ratio = found / difference
    # one factor for all cells and phases, greater than 1 because the trunk takes part of what the tuft gets
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-6)
    assert ratio[0, 0] > 1


def test_nmda_is_the_mean_opening_at_the_sites(small):
    found, sites, _, window_means = recorded(small("rule.plateau=nmda", "rule.plateau_jitter=3", "cable.unit=15"))
    np.testing.assert_allclose(found, window_means(blocked(sites).mean(axis=1)), rtol=1e-9)
    assert found.min() > 0
    assert found.max() < 1
    assert np.ptp(found) > 0.01


def test_calcium_is_the_mean_activation_at_the_nexus(small):
    """The cell is passive: what is read does not depend on channels."""
    found, _, trunk, window_means = recorded(small("rule.plateau=calcium", "rule.plateau_jitter=3", "cable.unit=40"))
    np.testing.assert_allclose(found, window_means(activation(trunk)), rtol=1e-9)
    assert np.ptp(found) > 1e-3


@pytest.mark.parametrize("cell", [COMPACT, TUFTED])
def test_what_feedback_and_the_soma_make_of_each_plateau(small, cell):
    """Unit feedback is one unit to all; what comes up the trunk reverses the axial current, and is nothing locally."""
    seen = {}
    for kind in ("average", "axial", "local"):
        bench = small(f"rule.plateau={kind}", cell=cell)
        for name, drive in (("feedback", {"apical": 1.0}), ("basal", {"biases": 1.0})):
            bench.fill(**drive)
            shown = bench.show(np.zeros(12), 0, test=260.0, settle=240.0)
            seen[kind, name] = bench.averages(shown).forward_apical
        np.testing.assert_allclose(seen[kind, "feedback"], 1.0, rtol=1e-6)
    assert np.all(seen["average", "basal"] > 0.25)
    assert np.all(seen["axial", "basal"] < -0.1)
    assert np.all(-seen["axial", "basal"] < 0.7 * seen["average", "basal"])
    np.testing.assert_allclose(seen["local", "basal"], 0.0, atol=1e-6)


@pytest.mark.parametrize(("kind", "unit"), [("average", 1), ("axial", 1), ("nmda", 15)])
def test_hidden_cells_learn_from_that_plateau(small, kind, unit):
    """Bias changes are eta P0 k_b phi_max (alpha_t - alpha_f) sigma'(V)."""
    gain = 1 if kind == "nmda" else 4
    bench = small(f"rule.plateau={kind}", f"rule.plateau_gain={gain}", f"cable.unit={unit}")
    shown = bench.show(np.linspace(0, 1, 12), EXAMPLE, 1, rate=0.5)
    seen = bench.averages(shown)
    apical = np.array([seen.forward_apical, seen.target_apical])
    forward, target = apical if kind == "nmda" else sigmoid(gain * apical)
    soma = sigmoid(seen.forward_potential)
    before = bench.set_onto(0).constant.copy()
    bench.learn(shown)
    wanted = 0.5 * 20 * (0.6 / 0.7) * (target - forward) * soma * (1 - soma)
    np.testing.assert_allclose(bench.set_onto(0).constant - before, wanted, rtol=1e-9, atol=1e-15)
    assert np.abs(wanted).max() > 1e-3


@pytest.mark.parametrize("v", [-90.0, -70.0, -33.3, -27.0, -20.0, 10.0])
def test_what_is_summed_of_a_potential(ranks, v):
    """On a patch without channels, where the potential stays; at -27 mV the formula of calcium is 0/0."""
    from segdend_plugin.engine.readings import Readings
    from segdend_plugin.engine.session import session

    own = session()
    from neuron import h

    section = h.Section(name="patch")
    readings = Readings()
    quantities = ("potential", "nmda", "calcium")
    groups = [readings.group([section(0.5)._ref_v], quantity, -65.0, 2.0) for quantity in quantities]
    trial = Trial(0, Stimulus({}), (Window("forward", 2, 5), Window("target", 6, 8)), 9, 1.0, False)
    own.tell(trial, 0, Purpose.TEST_SPIKES)
    readings.prepare(2, 9)
    h.dt = 1.0
    h.finitialize(v)
    while h.t < 9:
        h.fadvance()
    near = v + 1e-5 if v == -27 else v
    wanted = [(v + 65) / 2, blocked(v), activation(near)]
    for group, each in zip(groups, wanted, strict=True):
        assert group.sums(0)[0] == pytest.approx(3 * each, rel=1e-6)
        assert group.sums(1)[0] == pytest.approx(2 * each, rel=1e-6)
    if v == -33.3:
        assert wanted[2] == pytest.approx(0.5, abs=0.01)
    readings.close()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["rule.plateau=axial", "cell=three_compartment"], "three-compartment cells"),
        (["rule.plateau=nmda", "cell=three_compartment"], "three-compartment cells"),
        (["rule.plateau=axial", "placement.feedback.region=basal"], "placement.feedback.region"),
        (["rule.plateau=axial", "cable.solver=linear", "placement.feedback.region=basal"], "placement.feedback.region"),
    ],
)
def test_plateaus_that_a_cell_does_not_have(small, settings, words):
    with pytest.raises(ConfigError, match=words):
        small(*settings).show(np.zeros(12), 0)
