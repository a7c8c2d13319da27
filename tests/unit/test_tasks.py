"""Tasks: what they show and want, how answers are decoded and scored, and what is refused."""

import pickle
import re
from dataclasses import replace

import h5py
import numpy as np
import pytest

from segdend_plugin import tasks
from segdend_plugin.engine.kinds.lumped import Lumped
from segdend_plugin.errors import DataError
from segdend_plugin.model.graph import Connections, Graph, Population
from segdend_plugin.model.trial import Signal, Stimulus, Trains
from segdend_plugin.rule.targets import RATE_MAX
from segdend_plugin.tasks import Classes, Courses, Examples, Images, Rates, SpikeTrains, TwoOrders


def graph(inputs, outputs):
    sizes = {**inputs, **outputs}
    populations, first = [], 0
    for name, size in sizes.items():
        populations.append(Population(name, size, Lumped(), first, teacher=name in outputs))
        first += size
    return Graph(0, 1.0, tuple(populations), tuple(Connections(f"to {p}", tuple(inputs), p) for p in outputs))


IMAGES = Images(np.array([[0.0, 0.5, 1.0], [1.0, 0.0, 0.25]]), np.array([1, 0]), cells_per_class=2)
STEPS = Signal(np.array([0.0, 20.0, 50.0]), np.array([[0.1, 0.2], [0.3, 0.4]]))


def recording():
    trains = {"a": Trains(np.array([0.0, 4.0, 10.0, 19.5]), np.array([0, 1, 1, 0]))}
    return SpikeTrains(trains, {"a": 2}, np.array([0.0, 10.0]), np.array([10.0, 20.0]), Classes(np.array([0, 1])))


def courses():
    levels = {"a": np.arange(12.0).reshape(2, 3, 2) / 12, "b": np.full((2, 3, 1), 0.5)}
    return Courses(np.array([0.0, 10.0, 20.0, 60.0]), levels, Rates({"x": np.eye(2)}), answer_from=20.0)


def examples():
    return Examples(Stimulus({"a": STEPS}, {"x": np.array([k / 2])}, 50.0) for k in range(2))


ALL = [IMAGES, recording(), courses(), examples(), TwoOrders(n=4)]


def content(stimulus, task):
    return Examples([stimulus], inputs=task.inputs).digest


@pytest.mark.parametrize("task", ALL, ids=lambda task: type(task).__name__)
def test_every_task_fits_its_graph_and_repeats_itself(task):
    assert isinstance(task, tasks.Task)
    tasks.check(task, graph(task.inputs, task.outputs))
    again = pickle.loads(pickle.dumps(task))
    assert again.digest == task.digest
    assert len(again) == len(task)
    later, earlier = task.stimuli([1, 0])
    assert content(again.stimuli([0])[0], task) == content(earlier, task) != content(later, task)
    assert set(later.drive) == set(task.inputs)
    assert {name: len(wanted) for name, wanted in later.target.items()} == task.outputs


@pytest.mark.parametrize("task", ALL, ids=lambda task: type(task).__name__)
def test_a_task_that_does_not_fit_is_refused(task):
    name, output = next(iter(task.inputs)), next(iter(task.outputs))
    for inputs, outputs, words in (
        (
            {**task.inputs, name: 7},
            task.outputs,
            f"input '{name}' has {task.inputs[name]} cells and that of the graph 7",
        ),
        ({"other": 3}, task.outputs, f"no input population '{name}', but 'other'"),
        ({**task.inputs, "cue": 3}, task.outputs, "nothing for the input population 'cue'"),
        (task.inputs, {output: 9}, f"output '{output}' has"),
    ):
        with pytest.raises(DataError) as caught:
            tasks.check(task, graph(inputs, outputs))
        assert words in str(caught.value)


def test_images():
    shown = IMAGES.stimuli([0])[0]
    np.testing.assert_array_equal(shown.drive["input"], [0.0, 0.5, 1.0])
    np.testing.assert_array_equal(shown.target["output"], [0.0, 0.0, 1.0, 1.0])
    answers = {"output": np.array([[0.0, 3.0, 1.0, 1.0], [0.0, 0.0, 9.0, -8.0]])}
    np.testing.assert_array_equal(IMAGES.decode(answers), [0, 1])
    assert IMAGES.score(answers, [0, 1]) == 0.0
    assert IMAGES.score(answers, [1, 0]) == 1.0
    assert IMAGES.score({"output": answers["output"][:1]}, range(1, 2)) == 1.0


def test_digests_tell_tasks_apart():
    others = [replace(IMAGES, labels=np.array([0, 1])), replace(IMAGES, rates=IMAGES.rates[::-1]), IMAGES.first(1)]
    assert len({task.digest for task in (*others, IMAGES, *ALL[1:])}) == 3 + len(ALL)
    assert TwoOrders(n=4).digest != TwoOrders(n=4, noise=0.2).digest


def test_images_of_ones_own():
    pixels = np.full((2, 4, 4), 51, np.uint8)
    made = tasks.arrays(pixels, [1, 0], input="retina", output="answer", classes=3)
    np.testing.assert_array_equal(made.rates, np.full((2, 16), 0.2))
    assert (made.inputs, made.outputs) == ({"retina": 16}, {"answer": 3})


@pytest.mark.parametrize(
    ("images", "labels", "options", "words"),
    [
        ([[3.0]], [0], {}, "from 3 to 3"),
        ([[np.nan]], [0], {}, "not finite"),
        ([[0.5]], [0, 1], {}, "(2,)"),
        ([[0.5]], [4], {"classes": 3}, "give at least 5"),
        ([[0.5]], [-1], {}, "-1"),
        ([[0.5]], [0.5], {}, "whole number"),
        ([0.5], [0], {}, "(1,)"),
        ([["x"]], [0], {}, "numbers"),
    ],
)
def test_wrong_images_are_refused(images, labels, options, words):
    with pytest.raises(DataError) as caught:
        tasks.arrays(np.array(images), np.array(labels), **options)
    assert words in str(caught.value)


def test_rates_are_decoded_and_scored():
    wanted = Rates({"x": np.array([[0.0, 1.0], [1.0, 0.5]]), "y": np.array([[0.25], [0.75]])})
    right = {name: RATE_MAX * levels for name, levels in wanted.levels.items()}
    assert wanted.score(right, [0, 1]) == pytest.approx(1.0)
    assert wanted.decode(right).shape == (2, 3)
    means = {name: np.repeat(rates.mean(axis=0, keepdims=True), 2, axis=0) for name, rates in right.items()}
    assert wanted.score(means, [0, 1]) == pytest.approx(0.0)
    np.testing.assert_array_equal(
        replace(wanted, answer="potential").decode({"x": np.zeros((1, 2)), "y": np.zeros((1, 1))}), 0.5
    )
    with pytest.raises(DataError, match=r"from 0 to 2"):
        Rates({"x": np.array([[0.0, 2.0]])})


def test_scores():
    labels, predicted = np.array([0, 1, 2, 2]), np.array([0, 2, 2, 1])
    assert tasks.accuracy(predicted, labels) == 0.5
    np.testing.assert_array_equal(tasks.confusion(predicted, labels, 3), [[1, 0, 0], [0, 0, 1], [0, 1, 1]])
    assert np.isnan(tasks.r2(np.ones((2, 1)), np.ones((2, 1))))


def test_recordings_are_cut_into_examples():
    first, second = recording().stimuli([0, 1])
    np.testing.assert_array_equal(first.drive["a"].times, [0.0, 4.0])
    np.testing.assert_array_equal(second.drive["a"].times, [0.0, 9.5])
    np.testing.assert_array_equal(second.drive["a"].cells, [1, 0])
    assert second.duration == 10.0


@pytest.fixture
def spikes(tmp_path):
    def make(units="milliseconds", **datasets):
        path = tmp_path / "spikes.h5"
        with h5py.File(path, "w") as file:
            group = file.create_group("spikes/lgn")
            for name, values in {"timestamps": [12.0, 3.0, 3.0], "node_ids": [1, 0, 2], **datasets}.items():
                if values is not None:
                    group[name] = values
            if "timestamps" in group:
                group["timestamps"].attrs["units"] = units
        return path

    return make


def test_sonata_files(spikes):
    path, goal = spikes(), Classes(np.array([0, 1]))
    task = SpikeTrains.read(path, {"lgn": 3}, np.array([0.0, 10.0]), np.array([10.0, 20.0]), goal)
    np.testing.assert_array_equal(task.trains["lgn"].times, [3.0, 3.0, 12.0])
    np.testing.assert_array_equal(task.trains["lgn"].cells, [0, 2, 1])
    with pytest.raises(DataError, match="no population 'v1'"):
        SpikeTrains.read(path, {"v1": 3}, np.array([0.0]), np.array([10.0]), goal)
    with pytest.raises(DataError, match="spike of cell 2, of 2"):
        SpikeTrains.read(path, {"lgn": 2}, np.array([0.0, 10.0]), np.array([10.0, 20.0]), goal)


def test_wrong_spike_files_are_refused(spikes, tmp_path):
    with pytest.raises(DataError, match="in 'seconds': store ms"):
        tasks.read_spikes(spikes(units="seconds"))
    with pytest.raises(DataError, match="node_ids"):
        tasks.read_spikes(spikes(node_ids=None))
    with pytest.raises(DataError, match="3 timestamps and 2 node_ids"):
        tasks.read_spikes(spikes(node_ids=[0, 1]))
    (tmp_path / "x.h5").write_bytes(b"no")
    with pytest.raises(DataError, match=r"x\.h5"):
        tasks.read_spikes(tmp_path / "x.h5")


@pytest.mark.parametrize(
    ("stimulus", "words"),
    [
        (Stimulus({"a": np.array([0.5, 1.5])}), "from 0.5 to 1.5"),
        (Stimulus({"a": np.array([0.5, np.inf])}), "not finite"),
        (Stimulus({"a": np.array([0.5])}), "(2,)"),
        (Stimulus({"b": np.zeros(2)}), "drive is of ['b']"),
        (Stimulus({"a": STEPS}), "duration=None"),
        (Stimulus({"a": Signal(np.array([0.0, 2.0]), STEPS.levels)}, {}, 9.0), "give 3 times"),
        (Stimulus({"a": Signal(np.array([0.0, 3.0, 2.0]), STEPS.levels)}, {}, 9.0), "ascending"),
        (Stimulus({"a": Trains(np.array([2.0, 1.0]), np.array([0, 0]))}, {}, 9.0), "not ascending"),
        (Stimulus({"a": Trains(np.array([-1.0]), np.array([0]))}, {}, 9.0), "negative"),
        (Stimulus({"a": Trains(np.array([1.0]), np.array([2]))}, {}, 9.0), "cell 2, of 2"),
        (Stimulus({"a": Trains(np.array([1.0]), np.array([0.0]))}, {}, 9.0), "whole number"),
        (Stimulus({"a": np.zeros(2)}, {}, -1.0), "duration=-1.0"),
        (Stimulus({"a": np.zeros(2)}, {}, 9.0, {"answer": 10.0}), "mark 'answer'"),
    ],
)
def test_wrong_stimuli_are_refused(stimulus, words):
    with pytest.raises(DataError) as caught:
        Examples([replace(stimulus, target={"x": np.array([1.0])})], inputs={"a": 2})
    assert words in str(caught.value)
    assert str(caught.value).startswith("stimulus 0: ")


def test_a_target_is_looked_at_too():
    with pytest.raises(DataError, match="target of 'x'"):
        Examples([Stimulus({"a": np.zeros(2)}, {"x": np.array([-0.5])})])


def test_examples_of_ones_own():
    course = Signal(np.array([10.0, 30.0, 50.0]), np.array([[0.0], [1.0]]))
    task = Examples([Stimulus({"a": STEPS}, {"x": course}, 50.0, {"answer": 20.0})])
    assert (task.inputs, task.outputs, task.answer) == ({"a": 2}, {"x": 1}, "rate")
    np.testing.assert_allclose(task.goal.levels["x"], [[20 / 30]])
    spikes = Stimulus({"a": Trains(np.array([1.0]), np.array([0]))}, {}, 50.0)
    labelled = Examples([spikes, spikes], Classes(np.array([1, 0])), inputs={"a": 2})
    np.testing.assert_array_equal(labelled.stimuli([0])[0].target["output"], [0.0, 1.0])
    with pytest.raises(DataError, match="give inputs="):
        Examples([spikes], Classes(np.array([1])))
    with pytest.raises(DataError, match="2 examples"):
        Examples([spikes], Classes(np.array([1, 0])), inputs={"a": 2})
    with pytest.raises(DataError, match="none"):
        Examples([])


def test_courses():
    task = courses()
    shown = task.stimuli([1])[0]
    assert task.inputs == {"a": 2, "b": 1}
    assert (shown.duration, shown.marks) == (60.0, {"answer": 20.0})
    np.testing.assert_array_equal(shown.drive["a"].levels, task.levels["a"][1])
    with pytest.raises(DataError, match=r"give \(2, 3, cells\)"):
        replace(task, levels={"a": np.zeros((2, 2, 2))})
    with pytest.raises(DataError, match="answer_from=60"):
        replace(task, answer_from=60.0)


def shares(signal, begin, end):
    """For how much of a window each cell is shown what, on average."""
    borders = np.clip(signal.times, begin, end)
    return np.diff(borders) @ signal.levels / (end - begin)


@pytest.mark.parametrize("overlap", [0.0, 20.0])
def test_the_orders_differ_in_time_alone(overlap):
    task = TwoOrders(n=4, noise=0.0, overlap=overlap, after=5.0)
    one, other = task.stimuli([0, 1])
    assert one.duration == 125.0 - overlap
    one, other, answer = one.drive["input"], other.drive["input"], one.marks["answer"]
    np.testing.assert_allclose(shares(one, 0.0, 125.0), shares(other, 0.0, 125.0), rtol=1e-12)
    assert np.abs(shares(one, answer, 120.0) - shares(other, answer, 120.0)).max() > 0.2
    assert one.levels.max() <= 1.0


def test_held_out_examples_are_of_the_same_patterns_with_noise_of_their_own():
    every, later = TwoOrders(n=10), TwoOrders(n=4, first=6)
    for k in range(4):
        mine, theirs = later.stimuli([k])[0], every.stimuli([6 + k])[0]
        np.testing.assert_array_equal(mine.drive["input"].levels, theirs.drive["input"].levels)
        np.testing.assert_array_equal(mine.target["output"], theirs.target["output"])
    first, third = (s.drive["input"].levels for s in every.stimuli([0, 2]))
    assert 0 < np.abs(first - third).max() < 0.6


def test_numbers_of_orders_out_of_range_are_refused():
    for field, value in (
        ("n", 0),
        ("overlap", -1.0),
        ("length", 20.0),
        ("noise", float("nan")),
        ("answer_from", 100.0),
    ):
        with pytest.raises(DataError, match=field):
            TwoOrders(**{field: value})


# ---- shifted images


def test_images_that_are_learned_are_shifted_by_what_their_example_has_drawn():
    """Against np.roll of an image in a wide dark frame, which nothing comes around."""
    rng = np.random.default_rng(3)
    images = tasks.arrays(rng.random((4, 5, 7)), [0, 1, 0, 1], shift=2)
    numbers = [k % 4 for k in range(200)]
    shown = images.varied(numbers, 7, range(200))
    seen = set()
    for k, stimulus in zip(numbers, shown, strict=True):
        framed = np.pad(images.rates[k].reshape(5, 7), 2)
        fits = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-2, 3)
            if np.array_equal(np.roll(framed, (down, right), (0, 1))[2:-2, 2:-2].ravel(), stimulus.drive["input"])
        ]
        assert len(fits) == 1
        seen.update(fits)
        assert stimulus.target.keys() == {"output"}
    assert len(seen) == 25
    again = images.varied([numbers[150]], 7, [150])[0]
    np.testing.assert_array_equal(again.drive["input"], shown[150].drive["input"])
    other = [s.drive["input"] for s in images.varied(numbers, 8, range(200))]
    assert not np.array_equal(other, [s.drive["input"] for s in shown])
    np.testing.assert_array_equal(images.stimuli([2])[0].drive["input"], images.rates[2])  # as they are tested


def test_only_training_images_are_shifted_and_the_digest_says_so():
    plain, moved = tasks.load(), tasks.load(shift=1)
    assert (moved.train.shift, moved.held_out.shift, moved.train.shape) == (1, 0, (8, 8))
    assert moved.train.digest != plain.train.digest
    assert moved.held_out.digest == plain.held_out.digest


@pytest.mark.parametrize(
    ("pixels", "options", "words"),
    [
        ((2, 10), {"shift": 1}, "10 pixels: give rows and columns"),
        ((2, 12), {"shift": 1, "shape": (3, 5)}, "12 pixels"),
        ((2, 9), {"shift": 3}, "nothing is left"),
        ((2, 9), {"shift": -1}, "shift=-1"),
        ((2, 9), {"shift": 0.5}, "shift=0.5"),
        ((2, 9), {"shift": True}, "shift=True"),
    ],
)
def test_what_cannot_be_shifted_is_refused(pixels, options, words):
    with pytest.raises(DataError, match=re.escape(words)):
        tasks.Images(np.zeros(pixels), np.zeros(2, dtype=int), **options)
