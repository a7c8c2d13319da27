"""The rule for cells of one's own, and operating points, against sums that are written out."""

from dataclasses import replace

import numpy as np
import pytest

from segdend_plugin.errors import ConfigError
from segdend_plugin.model.changes import Outer
from segdend_plugin.model.operating import SLOPE_LEAST, OperatingPoint, rise
from segdend_plugin.rule.base import Seen
from segdend_plugin.rule.check import check, graphs
from segdend_plugin.rule.measured import Measured


def test_it_does_the_same_on_any_number_of_ranks():
    check(Measured())
    check(Measured(baseline=0.0))


def test_the_rise_is_that_of_a_logistic_curve():
    """Its 10, 50 and 90 % points are known; what comes after the largest rate does not count."""
    drives = np.linspace(0.0, 12.0, 241)
    rates = 0.05 / (1 + np.exp(-2.0 * (drives - 4.0)))
    rates[drives > 8] = 0.0
    low, middle, high = rise(drives, rates)
    assert middle == pytest.approx(4.0, abs=0.01)
    assert (low, high) == (pytest.approx(4 - np.log(9) / 2, abs=0.02), pytest.approx(4 + np.log(9) / 2, abs=0.02))


def test_a_rise_begins_at_the_rate_without_drive():
    drives, rates = np.array([-2.0, -1.0, 0.0, 1.0]), np.array([0.01, 0.02, 0.03, 0.01])
    assert rise(drives, rates) == (pytest.approx(-1.8), pytest.approx(-1.0), pytest.approx(-0.2))


def point(**more):
    values = {"middle": 0.5, "peak": 0.04, "per_drive": 2.0, "unit": 4.0, "noise": 1.0, "taught": 0.05}
    return OperatingPoint(np.array([0.0, 1.0]), np.array([0.0, 0.04]), **(values | more))


def test_the_slope_is_a_bell_with_a_floor():
    assert point().slope(np.array([0.5, 1.5, 9.0])).tolist() == [1.0, pytest.approx(np.exp(-1.0)), SLOPE_LEAST]


def test_a_point_goes_through_a_state():
    before = point(steps={"a->b": 0.25}, limits={"a->b": 0.01, "c": 2.0})
    after = OperatingPoint.of_arrays(before.arrays())
    assert str(after) == str(before)


class Readings:
    """One trial of a graph, on one rank, as a rule sees it."""

    def __init__(self, graph, values, state, points):
        self.graph, self.values, self.state, self._points = graph, values, state, points
        self.rates = dict.fromkeys([*graph.set_names()], 0.3)

    def __getitem__(self, want):
        return self.values[want]

    def local(self, population):
        return np.arange(self.graph[population].size)

    def point(self, population):
        return self._points[population]


@pytest.fixture
def seen() -> Seen:
    """Two hidden populations and one that is taught; readings from a generator."""
    graph, rule = graphs()[2], Measured()
    draw = np.random.default_rng(0)
    values = {want: draw.normal(size=graph[want.population].size) for want in rule.wants(graph)}
    state = {name: draw.normal(size=array.shape) for name, array in rule.start(graph).items()}
    steps = {"in->h": 0.2, "in->g": 0.3, "h+g->out": 0.4}
    return Readings(graph, values, state, {p.name: point(steps=steps) for p in graph.populations})


def test_errors_and_changes_are_those_of_the_equations(seen):
    changes = Measured(largest=0.7).change([seen])
    by_set = {}
    for change in changes.changes:
        assert isinstance(change, Outer)
        by_set.setdefault(change.connections, {})[change.window] = change.post
    assert {name: sorted(windows) for name, windows in by_set.items()} == {
        "in->h": ["forward", "target"],
        "in->g": ["forward", "target"],
        "h+g->out": ["target"],
    }
    read = {(want.population, want.quantity, want.window): value for want, value in seen.values.items()}
    error = (read["out", "rate", "target"] - read["out", "rate", "forward"]) / 0.05
    slope = np.maximum(np.exp(-((read["out", "drive", "forward"] - 0.5) ** 2)), 0.1)
    np.testing.assert_allclose(by_set["h+g->out"]["target"], 0.3 * 0.4 * error * slope)
    difference = (read["h", "potential", "target"] - read["h", "potential", "forward"]) / 4.0
    np.testing.assert_allclose(changes.notes["baseline h"], difference)
    error = np.clip(difference - seen.state["baseline h"], -0.7, 0.7)
    assert {bool(large) for large in abs(error) == 0.7} == {True, False}
    slope = np.maximum(np.exp(-((read["h", "drive", "forward"] - 0.5) ** 2)), 0.1)
    for window in ("forward", "target"):
        np.testing.assert_allclose(by_set["in->h"][window], 0.5 * 0.3 * 0.2 * error * slope)


def test_the_baseline_is_a_mean_and_then_follows(seen):
    rule = Measured(baseline=0.25)
    state = rule.start(seen.graph)
    notes = [{"baseline h": np.full(4, float(k)), "baseline g": np.zeros(3)} for k in (1, 2, 3, 4, 9)]
    state = rule.fold(state, notes[:4])
    assert state["baseline h"].tolist() == [2.5] * 4
    state = rule.fold(state, notes[4:])
    assert state["baseline h"].tolist() == [2.5 + 0.25 * 6.5] * 4


@pytest.mark.parametrize(
    ("name", "words"), [("out", "what its teacher does was not measured"), ("h", "what its feedback does was not")]
)
def test_what_was_not_measured_is_said(seen, name, words):
    seen._points[name] = point(taught=0.0, unit=0.0, steps={})
    with pytest.raises(ConfigError, match=f"population '{name}': {words}"):
        Measured().change([seen])


@pytest.mark.parametrize(("field", "value"), [("largest", 0), ("largest", "2"), ("baseline", -1), ("baseline", 1.5)])
def test_values_that_are_not_allowed(field, value):
    with pytest.raises(ConfigError, match=f"{field}={value!r}"):
        Measured(**{field: value})


def test_a_population_that_cannot_learn_is_named():
    graph = graphs()[1]
    sets = tuple(c for c in graph.connections if c.role != "feedback" or c.post != "h1")
    without = replace(graph, connections=sets)
    with pytest.raises(ConfigError, match="neither taught nor has feedback"):
        Measured().wants(without)
