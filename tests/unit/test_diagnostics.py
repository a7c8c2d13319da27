"""Angles, losses, Jacobians and receptive fields against computations of their own."""

import errno

import h5py
import numpy as np
import pytest

from segdend_plugin.engine.layered import layered
from segdend_plugin.errors import ConfigError, DataError
from segdend_plugin.experiment import diagnostics as record
from segdend_plugin.model.changes import Changes
from segdend_plugin.model.outcome import Outcome
from segdend_plugin.model.trial import Stimulus
from segdend_plugin.model.wants import Average
from segdend_plugin.rule import diagnostics
from segdend_plugin.rule.guerguiev import Guerguiev
from segdend_plugin.rule.phases import TwoPhase
from segdend_plugin.tasks.images import arrays


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


class Made:
    """Stands for a learner: what a recorder asks of one."""

    def __init__(self, graph, end):
        self.graph, self.end, self.example = graph, end, 0
        self.network = self
        self.task = arrays(np.zeros((end, 3)), np.arange(end) % 2)

    def gain(self, population, *, whole=False):
        return np.full(self.graph[population].size, 0.857)

    def whole(self, population, values):
        return values


def recorder(tmp_path, graph, evaluated=1000):
    return record.Recorder(tmp_path, record.Layers(graph, Guerguiev()), 1, evaluated)


def shape_of(graph, want):
    if isinstance(want, Average):
        return (graph[want.population].size,)
    return graph.n_pre(graph.set(want.connections)), graph[graph.set(want.connections).post].size


def show(recorder, learner, example):
    """Let a recorder take an example in which every reading is its number over 300, and hidden errors are 1."""
    wants = recorder.wants(learner.graph, example)
    seen = {want: np.full(shape_of(learner.graph, want), example / 300) for want in wants}
    errors = {p.name: np.ones(p.size) for p in learner.graph.populations if p.bias}
    trial = TwoPhase(50.0, 50.0, (30.0, 30.0)).trial(learner.graph, Stimulus({}), example, taught=True)
    learner.example = example + 1
    recorder.batch(learner, [Outcome(example, example, trial, {}, seen, Changes((), errors))])


def test_records_of_examples_after_a_checkpoint_are_removed(tmp_path):
    learner = Made(layered([3, 4, 2], "three_compartment"), 300)
    first = recorder(tmp_path, learner.graph)
    for example in range(300):
        show(first, learner, example)
    before = record.read(tmp_path)
    assert before["angle"].shape == (300, 1)
    assert before["rate"].shape == (300, 2)
    np.testing.assert_array_equal(before["label"], np.arange(300) % 2)
    np.testing.assert_array_equal(before["eigenvalue_example"], [99, 199, 299])
    recorder(tmp_path, learner.graph).cut_back(200)
    after = record.read(tmp_path)
    np.testing.assert_array_equal(after["example"], np.arange(200))
    for key, values in after.items():
        np.testing.assert_array_equal(values, before[key][: len(values)])
        assert len(values) == (2 if key.startswith("eigenvalue") else 200)


def test_records_are_written_before_evaluations_and_at_the_end(tmp_path):
    learner = Made(layered([3, 4, 2], "three_compartment"), 25)
    taking = recorder(tmp_path, learner.graph, evaluated=10)
    for example, rows in ((9, 10), (14, 10), (19, 20), (24, 25)):
        while learner.example <= example:
            show(taking, learner, learner.example)
        assert len(record.read(tmp_path)["example"]) == rows


def test_a_network_without_hidden_layers_has_no_columns_of_them(tmp_path):
    learner = Made(layered([3, 2]), 5)
    taking = recorder(tmp_path, learner.graph)
    for example in range(5):
        show(taking, learner, example)
    assert record.read(tmp_path).keys() == {"example", "label", "output_loss", "rate"}


def test_only_every_so_many_examples_are_read(tmp_path):
    graph = layered([3, 4, 2], "three_compartment")
    taking = record.Recorder(tmp_path, record.Layers(graph, Guerguiev()), 3, 1000)
    assert [bool(taking.wants(graph, example)) for example in range(4)] == [True, False, False, True]
    assert taking.wants(graph, 0) is taking.wants(graph, 3)


def taught(tmp_path, n=120, end=120):
    learner = Made(layered([3, 4, 2], "three_compartment"), end)
    taking = recorder(tmp_path, learner.graph)
    for example in range(n):
        show(taking, learner, example)
    return learner, taking


def test_records_are_lines_until_all_examples_have_been_shown(tmp_path):
    learner, taking = taught(tmp_path, n=100)
    taking.finish(learner)  # interrupted
    assert [path.name for path in tmp_path.iterdir()] == [record.LINES]
    before = record.read(tmp_path)
    with (tmp_path / record.LINES).open("a") as file:
        file.write('{"example": 100, "lab')  # killed while it was writing
    after = record.read(tmp_path)
    assert after.keys() == before.keys()
    for key, values in after.items():
        np.testing.assert_array_equal(values, before[key])
    taking.cut_back(100)
    for example in range(100, 120):
        show(taking, learner, example)
    taking.finish(learner)
    assert [path.name for path in tmp_path.iterdir()] == [record.FILE]
    (tmp_path / "whole").mkdir()
    whole, its = taught(tmp_path / "whole")
    its.finish(whole)
    expected, found = record.read(tmp_path / "whole"), record.read(tmp_path)
    assert found.keys() == expected.keys()
    for key, values in found.items():
        assert values.dtype == expected[key].dtype
        np.testing.assert_array_equal(values, expected[key])


def test_a_run_that_is_killed_after_its_records_were_completed_goes_on_from_its_checkpoint(tmp_path):
    learner, taking = taught(tmp_path)
    taking.finish(learner)
    taking.cut_back(50)
    assert [path.name for path in tmp_path.iterdir()] == [record.LINES]
    np.testing.assert_array_equal(record.read(tmp_path)["example"], np.arange(50))
    assert "eigenvalue" not in record.read(tmp_path)


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(record, "append", full)
    with pytest.raises(ConfigError, match=r"cannot be written \(No space left on device\): free some room"):
        taught(tmp_path)


@pytest.mark.parametrize("content", [b"nothing\n", b'{"x": 1}\n', b"[1]\n", b"\xff\n"])
def test_damaged_lines_are_one_sentence(tmp_path, content):
    (tmp_path / record.LINES).write_bytes(content)
    taking = recorder(tmp_path, layered([3, 4, 2], "three_compartment"))
    for broken in (lambda: taking.cut_back(100), lambda: record.read(tmp_path)):
        with pytest.raises(DataError, match="damaged: remove"):
            broken()


def test_a_damaged_record_is_one_sentence(tmp_path):
    with pytest.raises(DataError, match=r"diagnostics\.every"):
        record.read(tmp_path)
    (tmp_path / record.FILE).write_bytes(b"nothing")
    taking = recorder(tmp_path, layered([3, 4, 2], "three_compartment"))
    for broken in (lambda: taking.cut_back(100), lambda: record.read(tmp_path)):
        with pytest.raises(DataError, match="damaged: remove"):
            broken()
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = [1]
    (tmp_path / "other.h5").replace(tmp_path / record.FILE)
    with pytest.raises(DataError, match="damaged"):
        taking.cut_back(100)
