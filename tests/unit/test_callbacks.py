import importlib.util
import logging
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from segdend_plugin.callbacks import Checkpoint, Evaluate, Progress, Record, Report, Stop, Watch
from segdend_plugin.errors import ConfigError
from segdend_plugin.learner import Learner

_spec = importlib.util.spec_from_file_location("fake_network", Path(__file__).with_name("fake_network.py"))
fake = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = fake  # dataclasses look their module up
_spec.loader.exec_module(fake)


def learner():
    return Learner(fake.Network(fake.graph()), fake.Delta(), learning_rates={"hidden": 0.05, "output": 0.1})


def test_progress_reports_at_multiples_and_at_the_end(caplog):
    caplog.set_level(logging.INFO)
    progress = Progress([10, 25])
    learner().fit(fake.Points(33), callbacks=[progress])
    assert [(r.example, r.images) for r in progress.reports] == [(10, 10), (20, 10), (25, 5), (30, 5), (33, 3)]
    assert "after 33 examples: score" in caplog.text


def test_progress_scores_each_example_before_it_was_learned():
    one, progress = learner(), Progress(10)
    task, answers, labels = fake.Points(10), [], []

    class Own(Watch):
        def batch(self, learner, outcomes):
            answers.extend(outcome.answer["output"] for outcome in outcomes)
            labels.extend(task._one(outcome.number)[1] for outcome in outcomes)
            return False

    one.fit(task, callbacks=[progress, Own()])
    wrong = int(np.sum(np.argmax(answers, axis=1) != labels))
    assert progress.reports[0].error == wrong / 10


def test_an_error_is_the_exact_fraction():
    for wrong in range(100):
        assert Report(100, 100, (100 - wrong) / 100, 1.0).error == wrong / 100


def test_an_evaluation_is_made_where_it_is_due():
    asked, not_last = Evaluate(fake.Points(9, seed=1), 4, first=5), Evaluate(fake.Points(9, seed=1), 5, last=False)
    one = learner().fit(fake.Points(10), callbacks=[asked, not_last])
    assert [example for example, _ in asked.results] == [4, 8, 10]
    assert [example for example, _ in not_last.results] == [5]
    assert asked.results[-1][1] == fake.Points(9, seed=1).score(one.answers(fake.Points(9, seed=1), range(5)), range(5))


def test_checkpoints_come_last_and_keep_the_one_before(tmp_path):
    path, asked = tmp_path / "a.h5", Evaluate(fake.Points(4), 3)
    learner().fit(fake.Points(10), batch=2, callbacks=[Checkpoint(path, 3), asked])
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.h5", "a.h5.old"]
    again = Evaluate(fake.Points(4), 3)
    learner().fit(fake.Points(10), batch=2, callbacks=[again], resume=path)
    assert again.results == asked.results


def test_a_checkpoint_where_nothing_can_be_written_is_refused_before_anything_is_shown(tmp_path):
    for path in (tmp_path, tmp_path / "none" / "a.h5"):
        one = learner()
        with pytest.raises(ConfigError, match="Checkpoint"):
            one.fit(fake.Points(3), callbacks=[Checkpoint(path, 1)])
        assert not one.network.shown


def test_stop_ends_learning_and_only_then_ranks_agree_each_batch():
    one = learner().fit(fake.Points(20), callbacks=[Stop(lambda learner, outcomes: outcomes[-1].example == 6)])
    assert one.example == 7
    assert one.network.ranks.talks >= 7
    quiet = learner().fit(fake.Points(20), callbacks=[Record("hidden", "potential")])
    assert quiet.network.ranks.talks == 1


def test_a_callback_needs_no_more_than_the_four_methods():
    class Own:
        seen = 0

        def wants(self, graph, example):
            return ()

        def batch(self, learner, outcomes):
            self.seen += len(outcomes)
            return self.seen >= 4

        def state(self):
            return {}

        def rewind(self, example, state):
            pass

    own = Own()
    assert learner().fit(fake.Points(9), batch=2, callbacks=[own]).example == 4


def test_what_began_is_finished_even_after_an_error():
    class Own(Watch):
        finished = False

        def batch(self, learner, outcomes):
            raise RuntimeError("own")

        def finish(self, learner):
            self.finished = True

    own = Own()
    with pytest.raises(RuntimeError, match="own"):
        learner().fit(fake.Points(3), callbacks=[own])
    assert own.finished


def test_traces_of_chosen_cells_in_chosen_examples(tmp_path):
    record, last = (
        Record("hidden", "potential", cells=[3, 0], examples=[1, 4]),
        Record("hidden", "rate", examples="last"),
    )
    one = learner().fit(fake.Points(6), callbacks=[record, last])
    assert list(record.values) == [1, 4]
    assert list(last.values) == [5]
    assert last.values[5].shape[1] == 4
    assert not last.millivolts
    trial = one.network.shown[4][0]
    assert record.values[4].shape == (trial.end, 2)
    assert (record.millivolts[4] == -70.0 + 10.0 * record.values[4]).all()
    longest = max(len(values) for values in record.values.values())
    assert (record.times == np.arange(1, longest + 1) * 1.0).all()
    record.save(tmp_path / "traces.h5")
    with h5py.File(tmp_path / "traces.h5") as file:
        assert (file["examples/4/values"][()] == record.values[4]).all()
        assert file["cells"][()].tolist() == [3, 0]
        assert file.attrs["quantity"] == "potential"
    record.rewind(4, {})
    assert list(record.values) == list(record.millivolts) == [1]


def test_averages_over_a_window():
    record = Record("output", "potential", window="forward")
    one = learner().fit(fake.Points(3), callbacks=[record])
    assert [values.shape for values in record.values.values()] == [(2,)] * 3
    assert len(record.times) == 0
    assert len(one.network.shown[0][2]) == 3  # whole cells, beside this rank's


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Record("hidden", "potential", cells=[4]), "no cell 4 in 'hidden': give 0 to 3"),
        (lambda: Record("hiden", "potential"), "hiden"),
        (lambda: Record("hidden", "potential", examples="first"), "examples='first'"),
        (lambda: Progress(0), "every=0"),
        (lambda: Evaluate(fake.Points(3), 1, first=0), "first=0"),
    ],
)
def test_wrong_choices_are_refused_before_anything_is_shown(make, message):
    one = learner()
    with pytest.raises(ConfigError, match=message):
        one.fit(fake.Points(3), callbacks=[make()])
    assert not one.network.shown
