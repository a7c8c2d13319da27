"""Windows of trials, and the schedules of the oracle."""

import numpy as np
import pytest

from segdend_plugin.errors import ConfigError
from segdend_plugin.model.graph import Graph
from segdend_plugin.model.trial import Signal, Stimulus, Trains, Window
from segdend_plugin.rule import phases
from segdend_plugin.rule.phases import OnePhase, TwoPhase, Windows

PAPER = {"dt": 1.0, "forward": 50.0, "target": 50.0, "settle": 30.0}
STILL = Stimulus({"input": np.zeros(3)}, {"output": np.ones(2)})


def graph(seed=0, dt=1.0):
    return Graph(seed, dt, (), ())


def test_without_jitter():
    s = phases.training_schedule(0, 5, jitter=False, **PAPER)
    assert (s.settle, s.forward_end, s.end) == (30, 50, 100)
    assert s.forward_steps == 20


def test_phases_are_wald_distributed_above_50_ms():
    lengths = np.array(
        [
            (s.forward_end, s.end - s.forward_end)
            for s in (phases.training_schedule(1, k, jitter=True, **PAPER) for k in range(4000))
        ]
    )
    assert lengths.min() >= 50
    # Wald(mean 2, scale 1) has variance mean^3/scale = 8
    assert lengths.mean() == pytest.approx(52.0, abs=4 * np.sqrt(8 / 8000))
    assert abs(np.corrcoef(lengths.T)[0, 1]) < 0.06


def test_an_example_has_its_own_schedule_whatever_was_drawn_before():
    first = [phases.training_schedule(7, k, jitter=True, **PAPER) for k in range(10)]
    assert first[6] == phases.training_schedule(7, 6, jitter=True, **PAPER)


def test_finer_steps():
    s = phases.test_schedule(dt=0.1, duration=250.0, settle=30.0)
    assert (s.settle, s.forward_end, s.end) == (300, 2500, 2500)
    assert not s.has_target


@pytest.mark.parametrize("dt", [1.0, 0.1, 0.3])
@pytest.mark.parametrize("jitter", [True, False])
def test_two_phases_have_the_steps_of_the_schedules(dt, jitter):
    numbers = list(range(20))
    taught = TwoPhase(jitter=jitter).trials(graph(3, dt), [STILL] * 20, numbers, taught=True)
    for k, trial in zip(numbers, taught, strict=True):
        s = phases.training_schedule(3, k, jitter=jitter, **{**PAPER, "dt": dt})
        assert trial.windows == (
            Window("forward", s.settle, s.forward_end),
            Window("target", s.forward_end + s.settle, s.end, s.forward_end, True),
        )
        assert (trial.end, trial.dt, trial.example, trial.taught) == (s.end, dt, k, True)
        assert trial.stimulus is STILL
    alone = TwoPhase(jitter=jitter).trial(graph(3, dt), STILL, 4, taught=False)
    s = phases.test_schedule(dt=dt, duration=250.0, settle=30.0)
    assert alone.windows == (Window("forward", s.settle, s.forward_end),)
    assert (alone.end, alone.taught) == (s.end, False)


def test_each_phase_settles_for_its_own_time():
    trial = TwoPhase(settle=(30.0, 10.0), jitter=False).trial(graph(), STILL, 0, taught=True)
    assert [(w.first, w.last) for w in trial.windows] == [(30, 50), (60, 100)]


def test_a_stimulus_with_a_duration_is_presented_once_in_each_phase():
    drive = {
        "course": Signal(np.array([10.0, 50.0, 80.0]), np.array([[0.2], [0.4]])),
        "spikes": Trains(np.array([5.0, 99.0, 120.0]), np.array([1, 0, 1])),
        "still": np.array([0.5]),
    }
    target = {"a": Signal(np.array([40.0, 100.0]), np.array([[1.0]])), "b": np.array([0.0])}
    stimulus = Stimulus(drive, target, 100.0, {"answer": 40.0})
    assert TwoPhase().trial(graph(), stimulus, 0, taught=False).windows == (Window("forward", 40, 100),)
    trial = TwoPhase().trial(graph(), stimulus, 0, taught=True)
    assert trial.windows == (Window("forward", 40, 100), Window("target", 140, 200, 110, True))
    shown = trial.stimulus
    np.testing.assert_array_equal(shown.drive["course"].times, [10, 50, 80, 110, 150, 180])
    np.testing.assert_array_equal(shown.drive["course"].levels[:, 0], [0.2, 0.4, 0.0, 0.2, 0.4])
    np.testing.assert_array_equal(shown.drive["spikes"].times, [5, 99, 105, 199])
    np.testing.assert_array_equal(shown.drive["spikes"].cells, [1, 0, 1, 0])
    assert shown.drive["still"] is drive["still"]
    np.testing.assert_array_equal(shown.target["a"].times, [140, 200])
    assert shown.duration == 200.0


def test_without_a_mark_the_answer_is_read_as_soon_as_cells_have_settled():
    stimulus = Stimulus({"input": np.zeros(1)}, {}, 100.0)
    trial = TwoPhase().trial(graph(dt=0.5), stimulus, 0, taught=True)
    assert trial.windows == (Window("forward", 60, 200), Window("target", 260, 400, 200, True))


def test_one_phase():
    assert OnePhase().trial(graph(), STILL, 0, taught=True).windows == (Window("trial", 0, 200, 0, True),)
    assert OnePhase(settle=20.0).trial(graph(), STILL, 0, taught=False).windows == (Window("trial", 20, 200),)
    assert not OnePhase(taught=False).trial(graph(), STILL, 0, taught=True).taught
    timed = Stimulus({}, {}, 80.0, {"answer": 50.0})
    assert OnePhase(settle=20.0).trial(graph(), timed, 0, taught=True).windows == (Window("trial", 50, 80, 30, True),)


def test_windows_follow_each_other():
    three = Windows((("predict", 90.0, 50.0, False), ("teach", 10.0, 0.0, True)))
    trial = three.resolve(graph(dt=0.5)).trial(graph(dt=0.5), STILL, 0, taught=True)
    assert trial.windows == (Window("predict", 100, 180), Window("teach", 180, 200, 180, True))
    assert trial.duration == 100.0
    assert not three.trial(graph(), STILL, 0, taught=False).taught


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (TwoPhase(settle=50.0), "'forward' of 50 ms leaves no window after settle=50 ms"),
        (TwoPhase(settle=(10.0, 60.0)), "'target' of 50 ms"),
        (TwoPhase(test=20.0), "'test' of 20 ms"),
        (TwoPhase(settle=(1.0, 2.0, 3.0)), "one for each of the two"),
        (TwoPhase(settle=-1.0), "-1.0"),
        (OnePhase(duration=float("nan")), "nan"),
        (Windows(()), "one or more"),
        (Windows((("a", 1.0, 0.0, True), ("a", 1.0, 0.0, True))), "name of its own"),
        (Windows((("a", 10.0, 10.0, True),)), "'a' of 10 ms"),
    ],
)
def test_phases_without_a_window_are_refused(wrong, words):
    with pytest.raises(ConfigError) as caught:
        wrong.resolve(graph())
    assert words in str(caught.value)


def test_an_answer_after_the_end_is_refused():
    late = Stimulus({}, {}, 20.0)
    with pytest.raises(ConfigError, match="from 30 ms on has no window in a stimulus of 20 ms"):
        TwoPhase().trial(graph(), late, 0, taught=False)


def test_all_phases_resolve_to_what_they_say():
    for known in (TwoPhase(), OnePhase(), Windows((("a", 1.0, 0.0, True),))):
        assert known.resolve(graph()) == known
