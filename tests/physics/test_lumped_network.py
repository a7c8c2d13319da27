"""NEURON's lumped network against the NumPy oracle, driven with the very spike trains that NEURON produced."""

import numpy as np
import pytest

RELATIVE = 1e-9


@pytest.mark.parametrize(
    "settings",
    [
        ["layers.hidden=[8]"],
        ["layers.hidden=[8]", "lumped.g_apical=0.6"],
        ["layers.hidden=[9,7]", "lumped.g_apical=0.05", "phases.jitter=false"],
        ["layers.hidden=[]"],
        ["layers.hidden=[60]"],  # more than four spikes in a step
    ],
)
def test_potentials_plateaus_and_changes(drive, settings):
    trial = drive(*settings)
    records, averages, changes, soma = trial.oracle(), trial.averages, trial.changes, trial.soma
    assert all(train.sum() > 10 for train in trial.trains), "every layer must have spiked for the test to say anything"
    for record, seen, (dw, db), trace in zip(records, averages, changes, soma, strict=True):
        np.testing.assert_allclose(trace, record.soma, rtol=RELATIVE, atol=1e-11)
        np.testing.assert_allclose(seen.forward_potential, record.forward_soma, rtol=RELATIVE)
        np.testing.assert_allclose(seen.forward_rate, record.forward_rate, rtol=RELATIVE)
        np.testing.assert_allclose(seen.target_rate, record.target_rate, rtol=RELATIVE)
        np.testing.assert_allclose(dw, record.weight_change, rtol=RELATIVE, atol=1e-13)
        np.testing.assert_allclose(db, record.bias_change, rtol=RELATIVE, atol=1e-13)
        assert np.abs(dw).max() > 1e-4
    for record, seen in zip(records[:-1], averages[:-1], strict=True):
        alpha = 1 / (1 + np.exp(-np.array([seen.forward_apical, seen.target_apical])))
        np.testing.assert_allclose(alpha, [record.alpha_forward, record.alpha_target], rtol=RELATIVE)
        assert np.abs(alpha[1] - alpha[0]).max() > 1e-3


def test_at_a_finer_step(drive):
    """The same at dt = 0.25 ms, where windows and arrivals fall on other steps."""
    trial = drive("layers.hidden=[8]", dt=0.25)
    for record, (dw, _) in zip(trial.oracle(), trial.changes, strict=True):
        # the delay of 1 ms is four steps and a bit; the trains given to the oracle already contain it
        np.testing.assert_allclose(dw, record.weight_change, rtol=RELATIVE, atol=1e-13)


def test_teacher_drives_the_output_to_the_published_rates(drive, build):
    """V = (0.6 V1b +- 8)/1.7: 198 and 1.8 Hz at V1b = 0; the code was seen at 193 and 0.9 Hz in a real run."""
    averages = drive("layers.hidden=[8]", label=2).averages
    assert averages[-1].target_rate[2] > 0.17
    assert averages[-1].target_rate[:2].max() < 0.02
    bench = build(4, 3, "layers.hidden=[]")
    inbound = bench.set_onto(0)
    inbound.weights[:] = inbound.constant[:] = 0
    seen = bench.show(np.zeros(4), 0, 2)
    np.testing.assert_allclose(bench.averages(seen).target_rate, [0.0018, 0.0018, 0.1982], atol=5e-5)


def test_firing_rate_is_the_sigmoid_of_the_potential(build, spikes):
    """Without input and with bias 1, potential k_b and Poisson spikes at 0.2 sigma(k_b) per ms."""
    bench = build(4, 2, "layers.hidden=[40]")
    inbound = bench.set_onto(0)
    inbound.weights[:], inbound.constant[:] = 0, 1
    times, gids = spikes(bench)
    seen = bench.averages(bench.show(np.zeros(4), 0, test=2000.0))
    gain = 0.6 / 0.7
    np.testing.assert_allclose(seen.forward_potential, gain, rtol=1e-9)
    expected = 0.2 / (1 + np.exp(-gain))
    numbers = bench.graph[bench.layers[0]].numbers
    mine = np.isin(np.array(gids), numbers)
    counts = np.bincount(np.array(gids)[mine].astype(int) - numbers[0], minlength=40)
    mean = expected * 2000
    assert counts.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / 40))
    assert 0.5 < counts.var() / mean < 1.7
    first = np.array(times)[mine][np.array(gids)[mine] == numbers[0]]
    assert np.any(np.diff(np.sort(first)) == 0), "two spikes in one step"


def test_input_rate_is_proportional_to_the_pixel(build, spikes):
    bench = build(200, 2, "layers.hidden=[]")
    _, gids = spikes(bench)
    bench.show(np.repeat([0.0, 0.25, 0.5, 1.0], 50), 0, test=1000.0)
    counts = np.bincount(np.array(gids).astype(int), minlength=202)[:200].reshape(4, 50)
    assert counts[0].sum() == 0
    for row, level in zip(counts[1:], (0.25, 0.5, 1.0), strict=True):
        assert row.mean() == pytest.approx(200 * level, abs=4 * np.sqrt(200 * level / 50))
        assert 0.5 < row.var() / row.mean() < 1.7


def test_an_example_depends_on_weights_seed_and_example_alone(build):
    bench = build(12, 3, "layers.hidden=[8]")

    def shown(example):
        seen = bench.show(np.linspace(0, 1, 12), example, 0)
        return bench.averages(seen).forward_potential

    first = shown(1)
    other = shown(2)
    np.testing.assert_array_equal(shown(1), first)
    assert not np.any(first == other)
