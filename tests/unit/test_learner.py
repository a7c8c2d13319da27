import contextlib
import importlib.util
import sys
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from segdend_plugin.callbacks import Checkpoint, Evaluate, Progress, Record, Stop
from segdend_plugin.errors import ConfigError, DataError, SegDendError
from segdend_plugin.learner import Learner
from segdend_plugin.model import state as states
from segdend_plugin.model.changes import Along, Bias, Changes, Outer
from segdend_plugin.model.places import SOMA
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.model.trial import Stimulus
from segdend_plugin.model.wants import Average, Trace
from segdend_plugin.schedules import linear

_spec = importlib.util.spec_from_file_location("fake_network", Path(__file__).with_name("fake_network.py"))
fake = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = fake  # dataclasses look their module up
_spec.loader.exec_module(fake)


def learner(rule=None, graph=None, **options):
    options.setdefault("learning_rates", {"hidden": 0.05, "output": 0.1})
    return Learner(fake.Network(graph or fake.graph()), rule or fake.Delta(), **options)


def bits(one):
    return {name: array.tobytes() for name, array in (one.network.weights | one.network.biases).items()} | {
        name: array.tobytes() for name, array in one.rule_state.items()
    }


def returning(*changes):
    @dataclass(frozen=True)
    class Odd(fake.Delta):
        def change(self, seens):
            return Changes(changes, notes={"mean": np.zeros(2)})

    return Odd()


STIMULUS = fake.Points().stimuli([0])[0]


# ---- order, numbers, epochs


def test_each_epoch_has_its_own_order_and_numbers_run_on():
    one = learner().fit(fake.Points(5), epochs=2)
    drives = [s.drive["input"] for s in fake.Points(5).stimuli(range(5))]
    order = [k for epoch in (0, 1) for k in stream(0, Purpose.ORDER, epoch).permutation(5)]
    shown = one.network.shown
    assert [trial.example for trial, *_ in shown] == list(range(10))
    assert all(purpose is Purpose.TRAINING_SPIKES for _, purpose, *_ in shown)
    for (trial, *_), k in zip(shown, order, strict=True):
        assert (trial.stimulus.drive["input"] == drives[k]).all()


def test_it_learns_and_goes_on_from_where_it_is():
    task, at_once, twice = fake.Points(20), learner(), learner()
    before = at_once.score(task)
    at_once.fit(task, epochs=6)
    twice.fit(task, epochs=2).fit(task, epochs=4)
    assert bits(at_once) == bits(twice)
    assert at_once.example == twice.example == 120
    assert at_once.score(task) > before


def test_evaluating_changes_nothing():
    task, quiet, asked = fake.Points(20), learner(), learner()
    quiet.fit(task)
    asked.fit(task, callbacks=[Evaluate(fake.Points(8, seed=1), every=3)])
    assert bits(quiet) == bits(asked)
    tests = [trial.example for trial, purpose, *_ in asked.network.shown if purpose is Purpose.TEST_SPIKES]
    assert tests == [*range(8)] * 7


def test_examples_of_a_batch_meet_the_same_weights():
    one, seen = learner(batch_rule := fake.Delta()), []

    class Watching(fake.Delta):
        def change(self, seens):
            seen.append(one.network.weights["hidden->output"].copy())
            return super().change(seens)

    one.rule = Watching(batch_rule.phases)
    one.fit(fake.Points(5), batch=2)
    assert [(a == b).all() for a, b in pairwise(seen)] == [True, False, True, False]
    assert one.example == 5


def test_learning_rates_fall_with_the_schedule():
    one = learner(schedule=linear(to=0.1)).fit(fake.Points(4), epochs=2)
    factors = [1.0 - (1.0 - 0.1) * example / 8 for example in range(8)]
    assert [rates["output"] for *_, rates in one.network.shown] == [factor * 0.1 for factor in factors]


def test_partial_fit_keeps_the_order_and_wants_the_length_of_a_run_whose_rates_fall():
    one = learner().partial_fit(fake.Points(3))
    drives = [s.drive["input"] for s in fake.Points(3).stimuli(range(3))]
    assert all((t.stimulus.drive["input"] == d).all() for (t, *_), d in zip(one.network.shown, drives, strict=True))
    with pytest.raises(ConfigError, match="total"):
        learner(schedule=linear(to=0.1)).partial_fit(fake.Points(3))


# ---- learning rates


def test_a_set_overrides_its_population_and_defaults_fill():
    given = learner(learning_rates={"hidden": 2.0, "input->hidden": 3.0}).rates
    assert given["hidden"] == 2.0
    assert given["input->hidden"] == 3.0
    assert given["output"] == given["hidden->output"] == 1.0
    assert learner(learning_rates=0.5).rates["hidden->output"] == 0.5


@pytest.mark.parametrize(
    ("rates", "message"),
    [({"hiden": 1.0}, "no population or set 'hiden'"), ({"hidden": -1.0}, "'hidden' has -1.0"), (float("nan"), "nan")],
)
def test_wrong_learning_rates_are_refused(rates, message):
    with pytest.raises(ConfigError, match=message):
        learner(learning_rates=rates)


# ---- what a rule may change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (Outer("input->hidden", np.zeros(4)), "Odd: it changes 'input->hidden', which is frozen"),
        (Outer("nothing", np.zeros(4)), "'nothing': the graph has none"),
        (Outer("hidden->output", np.zeros(3)), "shape \\(3,\\): give \\(2,\\)"),
        (Outer("hidden->output", np.zeros(2), pre=np.zeros(3)), "pre of shape \\(3,\\): give \\(4,\\)"),
        (Along("hidden->output", np.zeros((5, 2))), "shape \\(5, 2\\)"),
        (Bias("hidden", np.zeros(4)), "bias of 'hidden', which is frozen"),
        (Bias("input", np.zeros(3)), "bias of 'input', which is not there"),
    ],
)
def test_changes_that_are_not_allowed_are_refused(change, message):
    one = learner(returning(change), fake.graph(frozen=True))
    before = bits(one)
    with pytest.raises(ConfigError, match=message):
        one.fit(fake.Points(3))
    assert bits(one) == before


def test_a_frozen_set_keeps_its_weights():
    one = learner(graph=fake.graph(frozen=True))
    before = one.network.weights["input->hidden"].copy()
    one.fit(fake.Points(20))
    assert (one.network.weights["input->hidden"] == before).all()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        (lambda one: one.network.weights["input->hidden"][1, 2:3], "weight of 'input->hidden' onto cell 2 of 'hidden'"),
        (lambda one: one.network.biases["hidden"][3:4], "bias of 'hidden' onto cell 3 of 'hidden'"),
        (
            lambda one: one.network.weights["output->hidden"][1, :1],
            "weight of 'output->hidden' onto cell 0 of 'hidden'",
        ),
    ],
)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_and_biases_that_are_not_finite_are_named_with_their_cell(place, sentence, value):
    class Once(fake.Delta):  # at the end of the batch in which it happens, before anything is seen of it
        def fold(self, state, notes):
            place(one)[:] = value
            return state

    one = learner(Once())
    cell = int(sentence.split("cell ")[1][0])
    with pytest.raises(
        SegDendError, match=rf"diverges: after example 0 a {sentence} \(gid {103 + cell}\) is not finite"
    ):
        one.fit(fake.Points(1))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_divergence_is_noticed_within_a_hundred_examples_and_told_of_where_it_began():
    one = learner(learning_rates={"output": 1e200})
    with pytest.raises(
        SegDendError, match=r"example \d+ the potential of cell \d of 'output' \(gid 10[78]\) is .*lower"
    ):
        one.fit(fake.Points(200))
    assert one.example <= 100
    first = next(k for k, (trial, *_) in enumerate(one.network.shown) if not answers_are_finite(one, k, trial))
    again = learner(learning_rates={"output": 1e200})
    with pytest.raises(SegDendError, match=rf"in example {first} the potential"):
        again.fit(fake.Points(200))


def answers_are_finite(one, k, trial):
    """Return whether the k-th example of the same training, by itself, is answered with finite numbers."""
    again = learner(learning_rates={"output": 1e200})
    outcomes = []

    class Keep(Stop):
        def batch(self, learner, now):
            outcomes.extend(now)
            return learner.example > k

    with contextlib.suppress(SegDendError):
        again.fit(fake.Points(200), callbacks=[Keep(lambda *_: False)])
    return all(np.isfinite(values).all() for values in outcomes[k].answer.values())


def test_a_layer_that_can_learn_nothing_any_more_is_named():
    one = learner(learning_rates={"output": 0.0})
    one.network.biases["output"][:] = -60.0, 20.0
    one.fit(fake.Points(100))  # half of them: not yet
    one.network.biases["output"][1] = 60.0
    with pytest.raises(SegDendError, match="in example 199, 2 of 2 cells of 'output' are more than 37 units"):
        one.fit(fake.Points(100))


def test_fold_keeps_names_and_shapes():
    class Growing(fake.Delta):
        def fold(self, state, notes):
            return {"mean": np.zeros(3)}

    with pytest.raises(ConfigError, match="Growing: fold made"):
        learner(Growing()).fit(fake.Points(2))


# ---- what must have been seen


def test_only_a_trial_that_was_seen_with_a_teacher_is_learned():
    one = learner()
    with pytest.raises(ConfigError, match="no trial has been shown"):
        one.end_trial()
    one.begin_trial(STIMULUS, taught=False)
    with pytest.raises(ConfigError, match="without a teacher"):
        one.end_trial()
    with pytest.raises(ConfigError, match="has no target"):
        one.begin_trial(Stimulus(STIMULUS.drive), taught=True)
    one.begin_trial(STIMULUS)
    with pytest.raises(ConfigError, match="still open"):
        one.begin_trial(STIMULUS)
    other = learner()
    other.network = one.network
    other.begin_trial(STIMULUS)
    with pytest.raises(ConfigError, match="another trial was shown"):
        one.end_trial()
    assert one.example == 0
    before = bits(one)
    assert other.end_trial().changes is not None
    assert bits(one) != before
    assert other.example == 1


def test_a_loop_of_ones_own_learns_as_fit_does():
    task, own, fitted = fake.Points(6), learner(), learner().partial_fit(fake.Points(6))
    for stimulus in task.stimuli(range(6)):
        own.begin_trial(stimulus)
        own.end_trial()
    assert bits(own) == bits(fitted)


def test_a_task_without_targets_is_refused():
    class Blind(fake.Points):
        def stimuli(self, numbers):
            return [replace(s, target={}) for s in super().stimuli(numbers)]

    with pytest.raises(SegDendError, match="target"):
        learner().fit(Blind(3))


def test_images_need_labels_to_be_learned_and_a_task_has_its_own():
    with pytest.raises(DataError, match="give one for each"):
        learner().fit(np.zeros((2, 3)))
    with pytest.raises(ConfigError, match="a task has its own"):
        learner().fit(fake.Points(2), np.zeros(2, dtype=int))


def test_phases_must_have_the_windows_that_the_rule_reads():
    with pytest.raises(ConfigError, match="no window 'forward', which Delta reads"):
        learner(phases=fake.Phases("other")).fit(fake.Points(3))


@pytest.mark.parametrize("options", [{"batch": 0}, {"epochs": -1}, {"batch": 1.5}])
def test_numbers_must_be_whole(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        learner().fit(fake.Points(3), **options)


# ---- before a trial


def test_feedback_that_follows_is_set_before_each_training_trial_and_once_before_tests():
    one = learner(fake.Delta(follows=True))
    one.fit(fake.Points(5))
    assert one.network.looks == 5
    one.score(fake.Points(4, seed=1))
    one.score(fake.Points(4, seed=1))
    assert one.network.looks == 6
    assert (one.network.weights["output->hidden"] == one.network.weights["hidden->output"].T).all()


def test_a_rule_that_sets_nothing_is_not_asked():
    class Plain(fake.Delta):
        before = fake.Local.before

    one = learner(Plain()).fit(fake.Points(5))
    assert one.network.looks == 0


# ---- one stimulus


def test_presenting_reads_and_learns_nothing():
    one, trace = learner(), Trace("hidden", "potential", whole=True)
    before = bits(one)
    outcome = one.present(STIMULUS, record=[trace])
    assert outcome.seen[trace].shape == (10, 4)
    assert outcome.answer["output"].shape == (2,)
    assert one.present(STIMULUS, taught=True).trial.taught
    assert bits(one) == before
    assert one.example == 0
    with pytest.raises(DataError, match="'cue'"):
        one.present(Stimulus({"cue": np.zeros(3)}))
    with pytest.raises(DataError, match="shape \\(2,\\)"):
        one.present(Stimulus({"input": np.zeros(2)}))


def test_answers_are_those_of_all_cells():
    one, steps = learner().fit(fake.Points(5)), []
    answers = one.answers(fake.Points(130, seed=1), advance=steps.append)
    assert answers["output"].shape == (130, 2)
    assert steps == [100, 30]
    assert (one.predict(fake.Points(130, seed=1)) == answers["output"].argmax(axis=1)).all()


def test_the_wants_of_all_trials_are_one_tuple_without_repetitions():
    one = learner().fit(fake.Points(5))
    wants = {id(wants) for _, _, wants, *_ in one.network.shown}
    assert len(wants) == 1
    assert one.network.shown[0][2] == (Average("hidden", "potential"), Average("output", "potential", SOMA, "forward"))


# ---- state


@pytest.mark.parametrize("batch", [1, 3])
def test_a_resumed_run_has_the_bits_of_one_that_never_stopped(tmp_path, batch):
    task, path = fake.Points(10), tmp_path / "a.h5"
    held_out = fake.Points(6, seed=1)

    def run(callbacks, resume=None):
        asked = Evaluate(held_out, every=4)
        one = learner(fake.Delta(follows=True), schedule=linear(to=0.1))
        one.fit(task, epochs=3, batch=batch, callbacks=[*callbacks, asked, Progress(10)], resume=resume)
        return one, asked.results

    whole, results = run([])
    saving = Checkpoint(path, every=7)
    stopped, some = run([saving, Stop(lambda learner, _: learner.example >= 16)])
    assert stopped.example < 20
    assert len(some) < len(results)
    resumed, again = run([saving, Stop(lambda learner, _: False)], path)
    assert bits(resumed) == bits(whole)
    assert again == results
    assert resumed.example == whole.example == 30
    assert len(resumed.network.shown) < len(whole.network.shown)
    known, _ = run([], states.load(path.with_name("a.h5.old"), ""))
    assert known.network.weights["hidden->output"].tobytes() == whole.network.weights["hidden->output"].tobytes()
    finished, _ = run([saving], path)
    assert finished.score(held_out) == whole.score(held_out)
    assert bits(finished) == bits(whole)


def test_a_state_of_something_else_is_refused(tmp_path):
    path = tmp_path / "a.h5"
    learner().fit(fake.Points(10), callbacks=[Checkpoint(path, every=5)])
    for options, fit, message in (
        ({}, {"task": fake.Points(11)}, "another task"),
        ({}, {"task": fake.Points(10), "batch": 5}, "batches of another size"),
        ({"learning_rates": 2.0}, {"task": fake.Points(10)}, "other learning rates"),
        ({"rule": fake.Delta(follows=True)}, {"task": fake.Points(10)}, "another rule"),
        ({"graph": fake.graph(seed=1)}, {"task": fake.Points(10)}, "another graph"),
    ):
        one = learner(**options)
        before = bits(one)
        with pytest.raises(DataError, match=message):
            one.fit(**fit, resume=path)
        assert bits(one) == before
    with pytest.raises(DataError, match="cannot be read"):
        learner().fit(fake.Points(10), resume=tmp_path / "none.h5")


def test_weights_are_loaded_into_a_learner_of_the_same_graph(tmp_path):
    one = learner().fit(fake.Points(10))
    one.save(tmp_path / "a.h5")
    other = learner(learning_rates=0.3).load(tmp_path / "a.h5")
    assert bits(other) == bits(one)
    assert other.example == 10
    assert other.score(fake.Points(9, seed=1)) == one.score(fake.Points(9, seed=1))
    with pytest.raises(DataError, match="another graph"):
        learner(graph=fake.graph(seed=1)).load(tmp_path / "a.h5")
    assert learner(graph=fake.graph(seed=1)).load(tmp_path / "a.h5", other=True).example == 10


def test_a_path_that_cannot_be_written_is_said_in_one_sentence(tmp_path):
    with pytest.raises(ConfigError, match="cannot be written"):
        learner().save(tmp_path / "none" / "a.h5")


def test_ranks_talk_once_per_hundred_examples():
    one = learner()
    one.fit(fake.Points(300))
    assert one.network.ranks.talks == 3


def test_images_are_arrays():
    random = np.random.default_rng(0)
    images = random.integers(0, 256, size=(7, 3)).astype(np.uint8)
    labels = random.integers(0, 2, size=7)
    one = learner().fit(images, labels, epochs=2)
    assert one.example == 14
    assert one.score(images, labels) == np.mean(one.predict(images) == labels)


@pytest.mark.parametrize("schedule", [lambda e, n: float("nan"), lambda e, n: -1.0, lambda e, n: None])
def test_a_schedule_gives_numbers(schedule):
    one = learner(schedule=schedule)
    before = bits(one)
    with pytest.raises(ConfigError, match=r"^schedule: it gives .* for example 0 of 5"):
        one.fit(fake.Points(5))
    assert bits(one) == before


@pytest.mark.parametrize("schedule", ["linear", 5, dict])
def test_a_schedule_is_a_function(schedule):
    with pytest.raises(ConfigError, match=r"^schedule="):
        learner(schedule=schedule)


def test_a_recording_of_a_window_that_there_is_not():
    """It ended in a KeyError after an example was learned."""
    one = learner()
    before = bits(one)
    with pytest.raises(ConfigError, match=r"^window='middle': .*forward"):
        one.fit(fake.Points(3), callbacks=[Record("hidden", "potential", window="middle")])
    assert bits(one) == before
    with pytest.raises(ConfigError, match=r"^window='middle'"):
        one.present(STIMULUS, record=[Average("hidden", "potential", SOMA, "middle")])
