"""Angles, losses, Jacobians and receptive fields against computations of their own."""

import h5py
import numpy as np
import pytest

from segdend_plugin.engine.network import Observation
from segdend_plugin.engine.population import Averages
from segdend_plugin.errors import DataError
from segdend_plugin.experiment import diagnostics as record
from segdend_plugin.rule import diagnostics


def test_angles_of_known_vectors():
    assert diagnostics.angle(np.array([1.0, 0.0]), np.array([0.0, 2.0])) == pytest.approx(90)
    assert diagnostics.angle(np.array([1.0, 1.0]), np.array([3.0, 0.0])) == pytest.approx(45)
    assert diagnostics.angle(np.array([1.0, 2.0]), np.array([-1.0, -2.0])) == pytest.approx(180)
    assert np.isnan(diagnostics.angle(np.zeros(2), np.ones(2)))


def test_losses_at_known_rates():
    """sigma(0) = 0.5, so that a forward average of 0 stands for 0.1/ms."""
    assert diagnostics.output_loss(np.array([0.2, 0.1]), np.zeros(2)) == pytest.approx(0.01)
    hidden = diagnostics.hidden_loss(np.full(3, 0.1), np.array([0.2, 0.0, -0.1]), np.zeros(3))
    assert hidden == pytest.approx(0.04 + 0.01)


def test_jacobians_are_derivatives():
    """J_b: output rate by hidden rate; J_g: plateau by output rate; both against finite differences."""
    rng = np.random.default_rng(0)
    forward, feedback = rng.normal(size=(7, 3)), rng.normal(size=(3, 7))
    soma = rng.normal(size=3)
    gain, small = 0.6 / 0.7, 1e-6

    def rate(v):
        return 0.2 / (1 + np.exp(-v))

    def plateau(rates):
        return 1 / (1 + np.exp(-(rates @ feedback)))

    forwards, backwards = diagnostics.jacobians(forward, feedback, soma, gain)
    for i in range(7):
        # a change of the rate of hidden cell i moves the output somas by k_d W[i]
        moved = (rate(soma + small * gain * forward[i]) - rate(soma)) / small
        np.testing.assert_allclose(forwards[:, i], moved, rtol=1e-5)
    for k in range(3):
        step = np.zeros(3)
        step[k] = small
        np.testing.assert_allclose(
            backwards[:, k], (plateau(rate(soma) + step) - plateau(rate(soma))) / small, rtol=1e-5
        )


def test_the_eigenvalue_vanishes_for_an_exact_inverse():
    forwards = np.random.default_rng(1).normal(size=(3, 6))
    assert diagnostics.largest_eigenvalue(forwards, np.linalg.pinv(forwards)) == pytest.approx(0, abs=1e-12)
    assert diagnostics.largest_eigenvalue(forwards, np.zeros((6, 3))) == pytest.approx(1)
    assert diagnostics.largest_eigenvalue(forwards, -np.linalg.pinv(forwards)) == pytest.approx(4)


def test_correlations_are_per_class():
    labels = np.repeat([0, 1], 50)
    x = np.random.default_rng(2).normal(size=100)
    found = diagnostics.loss_correlations(np.where(labels == 0, x, -x), 5 * x + 100 * labels, labels)
    assert found == {0: pytest.approx(1), 1: pytest.approx(-1)}


def test_fields_match_themselves_and_not_noise():
    fields = np.random.default_rng(3).normal(size=(784, 20))
    np.testing.assert_allclose(diagnostics.best_matches(3 * fields[:, ::-1] + 1, fields), 1)
    noise = np.random.default_rng(4).normal(size=(784, 20))
    assert diagnostics.best_matches(noise, fields).max() < 0.25


def observation(value):
    seen = Averages(*(np.full(4, value) for _ in range(5)))
    output = Averages(*(np.full(2, value) for _ in range(5)))
    return Observation(
        output_delta=np.ones(2),
        hidden_deltas=[np.ones(4)],
        backprop_deltas=[np.ones(4)],
        averages=[seen, output],
        differences=[np.ones(4)],
        forward=[np.ones((4, 2))],
        feedback=[np.ones((2, 4))],
        interneuron_rates=np.empty((0, 2)),
    )


def test_records_of_examples_after_a_checkpoint_are_removed(tmp_path):
    recorder = record.Recorder(tmp_path, 0.857)
    for example in range(300):
        recorder.add(example, example % 10, observation(example / 300))
        if example % 100 == 99:
            recorder.flush(example + 1)
    before = record.read(tmp_path)
    assert before["angle"].shape == (300, 1)
    np.testing.assert_array_equal(before["eigenvalue_example"], [99, 199, 299])
    record.Recorder(tmp_path, 0.857, 200)
    after = record.read(tmp_path)
    np.testing.assert_array_equal(after["example"], np.arange(200))
    for key, values in after.items():
        np.testing.assert_array_equal(values, before[key][: len(values)])
        assert len(values) == (2 if key.startswith("eigenvalue") else 200)


def test_a_damaged_record_is_one_sentence(tmp_path):
    (tmp_path / record.FILE).write_bytes(b"nothing")
    with pytest.raises(DataError, match="damaged: remove it"):
        record.Recorder(tmp_path, 0.857, 100)
    with pytest.raises(DataError, match=r"diagnostics\.every"):
        record.read(tmp_path)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    (tmp_path / "other.h5").replace(tmp_path / record.FILE)
    with pytest.raises(DataError, match="damaged"):
        record.Recorder(tmp_path, 0.857, 100)
