"""Windows of trials, and the schedules of the oracle."""

from dataclasses import replace

import numpy as np
import pytest

from segdend_plugin import kinds
from segdend_plugin.cells.calibration import Synapse
from segdend_plugin.cells.templates import Membrane
from segdend_plugin.engine.layered import layered
from segdend_plugin.errors import ConfigError
from segdend_plugin.experiment import config
from segdend_plugin.experiment.graph import graph as config_graph
from segdend_plugin.model.graph import Connections, Graph
from segdend_plugin.model.trial import Signal, Stimulus, Trains, Window
from segdend_plugin.rule import phases
from segdend_plugin.rule.phases import OnePhase, TwoPhase, Windows
from segdend_plugin.rule.settling import settling

PAPER = {"dt": 1.0, "forward": 50.0, "target": 50.0, "settle": 30.0}
STILL = Stimulus({"input": np.zeros(3)}, {"output": np.ones(2)})


def graph(seed=0, dt=1.0):
    return Graph(seed, dt, (), ())


def two(phases=None, dt=1.0, seed=0, **times):
    """Return two phases with all times as numbers."""
    return (phases or TwoPhase(settle=times.pop("settle", 30.0), **times)).resolve(graph(seed, dt))


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
    taught = two(jitter=jitter).trials(graph(3, dt), [STILL] * 20, numbers, taught=True)
    for k, trial in zip(numbers, taught, strict=True):
        s = phases.training_schedule(3, k, jitter=jitter, **{**PAPER, "dt": dt})
        assert trial.windows == (
            Window("forward", s.settle, s.forward_end),
            Window("target", s.forward_end + s.settle, s.end, s.forward_end, True),
        )
        assert (trial.end, trial.dt, trial.example, trial.taught) == (s.end, dt, k, True)
        assert trial.stimulus is STILL
    alone = two(jitter=jitter).trial(graph(3, dt), STILL, 4, taught=False)
    s = phases.test_schedule(dt=dt, duration=250.0, settle=30.0)
    assert alone.windows == (Window("forward", s.settle, s.forward_end),)
    assert (alone.end, alone.taught) == (s.end, False)


def test_each_phase_settles_for_its_own_time():
    trial = two(settle=(30.0, 10.0), jitter=False).trial(graph(), STILL, 0, taught=True)
    assert [(w.first, w.last) for w in trial.windows] == [(30, 50), (60, 80)]


def test_a_stimulus_with_a_duration_is_presented_once_in_each_phase():
    drive = {
        "course": Signal(np.array([10.0, 50.0, 80.0]), np.array([[0.2], [0.4]])),
        "spikes": Trains(np.array([5.0, 99.0, 120.0]), np.array([1, 0, 1])),
        "still": np.array([0.5]),
    }
    target = {"a": Signal(np.array([40.0, 100.0]), np.array([[1.0]])), "b": np.array([0.0])}
    stimulus = Stimulus(drive, target, 100.0, {"answer": 40.0})
    assert two().trial(graph(), stimulus, 0, taught=False).windows == (Window("forward", 40, 100),)
    trial = two().trial(graph(), stimulus, 0, taught=True)
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
    trial = two(dt=0.5).trial(graph(dt=0.5), stimulus, 0, taught=True)
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
        (TwoPhase(50.0, settle=50.0), "'forward' of 50 ms leaves no window after settle=50 ms"),
        (TwoPhase(50.0, 50.0, settle=(10.0, 60.0)), "'target' of 50 ms"),
        (TwoPhase(test=20.0, settle=30.0), "'test' of 20 ms"),
        (TwoPhase(settle="long"), "'long': give a time"),
        (TwoPhase(window=0.0), "window=0.0"),
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
        two().trial(graph(), late, 0, taught=False)


def test_all_phases_resolve_to_what_they_say():
    for known in (two(), OnePhase(), Windows((("a", 1.0, 0.0, True),))):
        assert known.resolve(graph()) == known


def test_phases_without_lengths_are_a_window_longer_than_cells_settle():
    assert two(settle=30.0) == TwoPhase(50.0, 50.0, (30.0, 30.0))
    found = TwoPhase(target=100.0, settle=("auto", 40.0), window=25.0).resolve(layered([3, 4, 2], "three_compartment"))
    assert found == TwoPhase(found.settle[0] + 25.0, 100.0, (found.settle[0], 40.0), 25.0)
    late = TwoPhase(forward=found.settle[0] + 5.0)  # as long as a phase of 30 and 50 ms once was
    with pytest.raises(ConfigError, match=r"leaves a window of 5 ms after settle='auto', which takes \d+ ms"):
        late.resolve(layered([3, 4, 2], "three_compartment"))
    late = TwoPhase(forward=found.settle[0] + 5.0, settle=(found.settle[0], "auto"))
    assert late.resolve(layered([3, 4, 2], "three_compartment")).forward == late.forward
    with pytest.raises(ConfigError, match="depend on the graph"):
        TwoPhase(settle="auto").trial(graph(), STILL, 0, taught=True)


# ---- how long cells settle


def waited(filters, n=400_000, seed=0):
    """Return waiting times in filters in a row, drawn."""
    draws = np.random.default_rng(seed)
    return sum(draws.exponential(tau, n) for tau in filters)


DEEP = ["layers.hidden=[5,4]", "cell=three_compartment"]
CELL = (10.0, 3.0, 1 / 0.7)


@pytest.mark.parametrize("hidden", [[], [5], [5, 4], [5, 4, 3]])
@pytest.mark.parametrize("left", [0.1, 0.02])
def test_cells_settle_when_a_chain_of_filters_has_passed_on_a_step(hidden, left):
    """From the inputs through every layer and back to the tufts; from the teacher at the output to the tufts."""
    forward, target = settling(layered([3, *hidden, 2], "three_compartment"), left)
    stages = len(hidden) + 1 + bool(hidden)
    assert forward == pytest.approx(np.quantile(waited(CELL * stages), 1 - left) + stages, abs=1.2)
    back = waited((CELL[2], *CELL)) + 1.0 if hidden else waited(CELL[2:])
    assert target == pytest.approx(np.quantile(back, 1 - left), abs=1.2)


def test_a_potential_settles_as_its_closed_form_says():
    graph = layered([3, 2], "three_compartment")
    own = kinds.Linear("cell")  # its filters are those of a postsynaptic potential
    plain = replace(graph, populations=(graph["input"], replace(graph["output"], kind=own, teacher=False)))
    for left in (0.1, 0.05):
        after = settling(plain, left)[0] - 1.0
        passed = [(10 * np.exp(-t / 10) - 3 * np.exp(-t / 3)) / 7 for t in (after - 1.0, after)]
        assert passed[0] > left >= passed[1]


def test_potentials_that_are_cut_off_settle_within_the_time_that_the_authors_gave_them():
    """Their code cuts them off at 10 ms, so that three of them are over when their windows open, after 30 ms."""
    whole = layered([784, 500, 10], "three_compartment")
    cut = replace(whole, connections=tuple(replace(c, memory=10.0) for c in whole.connections))
    assert settling(cut, 0.1)[0] <= 30.0 < 60.0 < settling(whole, 0.1)[0]
    draws = np.random.default_rng(1)
    one = draws.exponential(10.0, 3_000_000) + draws.exponential(3.0, 3_000_000)
    one = one[one < 10.0][: 3 * 10**5].reshape(3, -1).sum(axis=0)
    expected = np.quantile(one + waited(CELL[2:] * 3, n=10**5), 0.9) + 3
    assert settling(cut, 0.1)[0] == pytest.approx(expected, abs=1.2)


def test_the_slowest_way_counts_and_circles_are_gone_through_once():
    chain = layered([3, 5, 4, 2], "three_compartment")
    skip = replace(chain, connections=(*chain.connections, Connections("skip", ("input",), "output")))
    assert settling(skip) == settling(chain)
    first, second = (p.name for p in chain.hidden)
    back = Connections("back", (second,), first)
    circle = replace(chain, connections=(*chain.connections, back))
    assert settling(circle) == settling(chain)
    late = replace(chain, connections=tuple(replace(c, delay=7.0) for c in chain.connections))
    assert np.subtract(settling(late), settling(chain)).tolist() == [4 * 6, 6]
    layerwise = config_graph(config.load(settings=[*DEEP, "feedback.route=layerwise"]), 3, 2)
    assert settling(layerwise)[0] == settling(chain)[0]  # to the output and down to the second layer
    assert settling(layerwise)[1] > settling(chain)[1]  # down through both


def test_slower_cells_settle_later():
    def of(kind):
        chain = layered([3, 4, 2], "three_compartment")
        return settling(
            replace(
                chain,
                populations=tuple(
                    replace(p, kind=kind) if p.name.startswith("hidden") else p for p in chain.populations
                ),
            )
        )

    fast, slow = (of(kinds.Linear("cell", membrane=Membrane(time_constant=tau))) for tau in (10.0, 30.0))
    nmda = of(kinds.Cable("cell", synapse=Synapse("conductance", nmda_feedback=0.7)))
    assert fast[0] + 40 < slow[0]
    assert fast[1] + 40 < slow[1]
    assert nmda[1] > fast[1] + 60
