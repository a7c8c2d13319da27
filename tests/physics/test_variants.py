"""The variants of the algorithm in NEURON against the NumPy oracle, driven with NEURON's own spikes."""

import numpy as np
import pytest

from segdend_plugin.rule import phases
from segdend_plugin.rule.plateau import plateau_leads
from segdend_plugin.rule.reference import ReferenceNetwork

RELATIVE = 1e-9


def agrees(trial, records):
    """Compare everything that a trial leaves behind."""
    for record, seen, (dw, db), trace in zip(records, trial.averages, trial.changes, trial.soma, strict=True):
        np.testing.assert_allclose(trace, record.soma, rtol=RELATIVE, atol=1e-11)
        np.testing.assert_allclose(seen.forward_potential, record.forward_soma, rtol=RELATIVE)
        np.testing.assert_allclose(seen.forward_rate, record.forward_rate, rtol=RELATIVE)
        np.testing.assert_allclose(seen.target_rate, record.target_rate, rtol=RELATIVE)
        np.testing.assert_allclose(dw, record.weight_change, rtol=RELATIVE, atol=1e-13)
        np.testing.assert_allclose(db, record.bias_change, rtol=RELATIVE, atol=1e-13)
        assert np.abs(dw).max() > 1e-4
    for record, seen in zip(records[:-1], trial.averages[:-1], strict=True):
        alpha = 1 / (1 + np.exp(-np.array([seen.forward_apical, seen.target_apical])))
        np.testing.assert_allclose(alpha, [record.alpha_forward, record.alpha_target], rtol=RELATIVE)


def differ(records, others):
    """Whether two variants can be told apart; else a test of one would say nothing."""
    pairs = [(getattr(a, name), getattr(b, name)) for a, b in zip(records, others, strict=True) for name in COMPARED]
    return not all(np.allclose(one, other, rtol=1e-3) for one, other in pairs)


COMPARED = ("soma", "weight_change")
WITHIN_A_TRIAL = {
    "memory": (["rule.psp_memory=10"], {"memory": 0.0}),
    "feedforward rates": (["rule.feedforward=rates", "layers.hidden=[8,6]"], {"feedforward": "spikes"}),
    "feedback rates": (["feedback.signal=rates"], {"feedback_signal": "spikes"}),
    "only rates": (["rule.feedforward=rates", "feedback.signal=rates"], {"delay_steps": 2}),
    "rates with memory": (["feedback.signal=rates", "rule.psp_memory=10", "layers.hidden=[8,6]"], {"memory": 11.0}),
    "layerwise": (["feedback.route=layerwise", "layers.hidden=[3,3]"], {"route": "broadcast"}),
    "layerwise rates": (
        ["feedback.route=layerwise", "feedback.signal=rates", "layers.hidden=[9,7]"],
        {"feedback_signal": "spikes"},
    ),
    "cells per class": (["layers.cells_per_class=2"], {"cells_per_class": 1}),
    "backprop": (["rule.name=backprop", "layers.hidden=[9,7]"], {"hidden_error": "plateau"}),
    "released code": (
        ["rule.initial_weights=released_code", "feedback.fraction=0.2", "feedback.scale=5", "rule.psp_memory=10"],
        {"memory": 9.0},
    ),
}


@pytest.mark.parametrize("name", WITHIN_A_TRIAL)
def test_variant(drive, name):
    settings, otherwise = WITHIN_A_TRIAL[name]
    sizes = {"n_output": 6} if name == "cells per class" else {}
    trial = drive("layers.hidden=[8]", "lumped.g_apical=0.05", *settings, **sizes)
    records = trial.oracle()
    agrees(trial, records)
    assert differ(records, trial.oracle(**otherwise)), "the variant makes no difference here"


@pytest.mark.parametrize(("dt", "delay"), [(0.5, 1.0), (1.0, 3.0), (1.0, 0.2)])
def test_rates_take_as_long_as_spikes(drive, dt, delay):
    """The delay counts in steps, at least one; the oracle has one latency for both."""
    settings = ["rule.feedforward=rates", "feedback.signal=rates", "lumped.g_apical=0.05", f"phases.delay={delay}"]
    trial = drive("layers.hidden=[8]", *settings, dt=dt)
    agrees(trial, trial.oracle())
    spiking = drive("layers.hidden=[8]", "lumped.g_apical=0.05", f"phases.delay={delay}", dt=dt)
    agrees(spiking, spiking.oracle())


@pytest.mark.parametrize("dt", [1.0, 0.5])
def test_plateaus_that_precede_the_ends_of_phases(drive, dt):
    trial = drive("layers.hidden=[9,7]", "rule.plateau_jitter=3", dt=dt)
    assert any(leads.any() for leads in trial.leads)
    agrees(trial, trial.oracle())
    synchronous = drive("layers.hidden=[9,7]", dt=dt)
    for early, usual, (forward, target) in zip(trial.averages, synchronous.averages, trial.leads, strict=False):
        np.testing.assert_array_equal(early.forward_apical != usual.forward_apical, forward > 0)
        np.testing.assert_array_equal(early.target_apical != usual.target_apical, target > 0)


def test_early_plateaus_of_reconstructed_cells(build):
    """Averages over all tuft sites of a cell, in the windows of this cell."""
    from neuron import h

    bench = build(10, 3, "cell=mouse_v1_l4_scnn1a", "cable.nseg=1", "layers.hidden=[6]", "rule.plateau_jitter=3")
    tufts = bench.cells._tufts[bench.set_onto(0, "feedback").connections.name]
    traces = [h.Vector().record(place._ref_v) for places, _ in tufts for place in places]
    seen = bench.averages(bench.show(np.linspace(0, 1, 10), 4, 1))
    tuft = np.array([list(trace) for trace in traces]).reshape(6, -1, 101).mean(axis=1) + 70
    leads = plateau_leads(0, 0, 4, 6, 3.0)
    assert leads.any(axis=1).all()
    for k, (forward, target) in enumerate(leads.T):
        assert seen.forward_apical[k] == pytest.approx(tuft[k, 31 - forward : 51 - forward].mean(), rel=1e-9)
        assert seen.target_apical[k] == pytest.approx(tuft[k, 81 - target : 101 - target].mean(), rel=1e-9)


def test_bursts_stand_for_the_plateaus(drive):
    """The change is that of whole numbers of spikes instead of alpha_t - alpha_f, and of nothing else."""
    trial = drive("layers.hidden=[30]", "rule.plateau=bursts")
    hidden, _ = trial.oracle()
    per_difference = trial.changes[0][1] / hidden.bias_change * (hidden.alpha_target - hidden.alpha_forward)
    np.testing.assert_allclose(per_difference, np.round(per_difference), atol=1e-6)
    assert len(np.unique(np.round(per_difference))) > 1
    np.testing.assert_allclose(trial.changes[1][0], trial.oracle()[1].weight_change, rtol=RELATIVE, atol=1e-13)


@pytest.mark.parametrize("signal", ["spikes", "rates"])
def test_learned_feedback(drive, signal):
    trial = drive("layers.hidden=[9,7]", "feedback.learning_rate=0.5", f"feedback.signal={signal}")
    records = trial.oracle()
    agrees(trial, records)
    for record, change in zip(records[:-1], trial.feedback_changes, strict=True):
        np.testing.assert_allclose(change, 0.5 * record.feedback_change, rtol=1e-8, atol=1e-13)
        assert np.abs(change).max() > 1e-4


def test_rates_start_anew_in_every_trial(build):
    """What the trial before left in the rates of cells must not be met by the first step."""
    bench = build(6, 3, "layers.hidden=[5]", "rule.feedforward=rates", "feedback.signal=rates")

    def shown():
        seen = bench.show(np.linspace(0, 1, 6), 1, 1, settle=0.0)
        return np.concatenate([bench.averages(seen, 1).forward_potential, bench.set_onto(1).filtered(0)])

    np.testing.assert_array_equal(shown(), shown())
    np.testing.assert_allclose(bench.set_onto(0).filtered(0), 0.2 * np.linspace(0, 1, 6))


def test_both_integrators_have_the_same_averages(drive):
    """The paper's explicit Euler and NEURON's implicit one agree in window averages to a transient.

    Both have the steady state drive/g, with g the sum of conductances. Summed over a window of W steps,

        implicit  V(n) - V(n-1) = dt (drive(n) - g V(n))     mean V = mean drive/g - rise/(W g dt)
        explicit  V(n) - V(n-1) = dt (drive(n) - g V(n-1))   mean V = mean drive/g + rise (1 - 1/(g dt))/W

    where rise is V at the end of the window less V before it. So however the potentials differ on the way, and though
    explicit Euler rings with a factor of -0.7 in the target phase of output cells, the means differ by at most the
    boundary terms: about 1.4 steps' worth of the rise in a window of 20 or more.
    """
    trial = drive("layers.hidden=[8]", "lumped.g_apical=0.05")
    schedule = trial.schedule
    windows = [(schedule.settle, schedule.forward_end), (schedule.forward_end + schedule.settle, schedule.end)]
    conductances = [(0.75, 0.75), (0.7, 1.7)]  # hidden and output cells, forward and target phase
    for implicit, record, both in zip(trial.soma, trial.oracle("explicit"), conductances, strict=True):
        explicit = record.soma
        assert np.abs(implicit - explicit).max() > 0.3, "the trajectories must differ for the test to say anything"
        for (first, last), g in zip(windows, both, strict=True):
            rises = [np.abs(v[last - 1] - v[first - 1]) / (last - first) for v in (implicit, explicit)]
            difference = np.abs(implicit[first:last].mean(axis=0) - explicit[first:last].mean(axis=0))
            assert np.all(difference <= rises[0] / g + rises[1] * abs(1 - 1 / g) + 1e-9)
            assert difference.max() < 0.2


def test_explicit_euler_rings_in_the_target_phase():
    """1 - (g_l + g_d + g_E) dt = -0.7, against 1/2.7 in implicit Euler; both reach (0.6 V1b + 8)/1.7."""
    schedule = phases.training_schedule(0, 0, dt=1.0, forward=50.0, target=50.0, settle=30.0, jitter=False)
    for integrator, factor in (("explicit", -0.7), ("implicit", 1 / 2.7)):
        network = ReferenceNetwork([np.zeros((4, 1))], [np.ones(1)], [], integrator=integrator)
        (record,) = network.trial(schedule, np.zeros((100, 4)), 0)
        away = record.soma[50:60, 0] - 8.6 / 1.7
        np.testing.assert_allclose(away[1:] / away[:-1], factor, rtol=1e-9)
        np.testing.assert_allclose(record.forward_soma, 0.6 / 0.7, rtol=1e-7)
        np.testing.assert_allclose(record.soma[-1], 8.6 / 1.7, rtol=1e-6)
