"""The rule of Guerguiev et al. (2017) for cells that spike as their owner made them: every quantity is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from segdend_plugin.errors import ConfigError
from segdend_plugin.model.changes import Change, Changes, Outer
from segdend_plugin.model.graph import Graph, Population
from segdend_plugin.model.places import SOMA, Place
from segdend_plugin.model.wants import Average, Want
from segdend_plugin.rule import baseline
from segdend_plugin.rule.base import Local, Phases, Seen
from segdend_plugin.rule.guerguiev import WINDOWS, check_taught
from segdend_plugin.rule.phases import TwoPhase
from segdend_plugin.types import Array, is_number

BASAL = Place("basal")


@dataclass(frozen=True)
class Measured(Local):
    """Taught cells learn from their rates in two phases, hidden cells from the potentials of their tufts.

    The errors are those of Guerguiev, Lillicrap & Richards (2017) eLife 6:e22901 (eqs 9, 23), without a model of the
    cell: of taught cells, the rate under the teacher less that before, over the teacher's rate; of hidden cells, the
    difference that the teacher makes to the potential where feedback lands, over what it usually makes, less the mean
    of that. Both count by the slope of the cell's measured rate at its drive. Presynaptic trains of taught cells are
    those of the target phase, and of hidden cells those of both: trains that share their noise with the forward part of
    an error would shrink every weight.

    Operating points (:meth:`segdend_plugin.Learner.survey`) say the scales.

    Attributes
    ----------
    largest
        At which the error of a hidden cell is cut off.
    baseline
        Rate, per example, at which a hidden cell follows the mean of its differences, which is taken off them. The
        first examples count equally.
    phases
        Windows named ``"forward"`` and ``"target"``.

    Raises
    ------
    ConfigError
        If a value is not allowed.
    """

    largest: float = 2.0
    baseline: float = 0.02
    phases: Phases = TwoPhase(forward=200.0, target=200.0, settle=50.0, test=200.0)  # noqa: RUF009  frozen

    def __post_init__(self) -> None:
        if not is_number(self.largest) or self.largest <= 0:
            raise ConfigError(f"largest={self.largest!r}: give a number above 0.")
        if not is_number(self.baseline) or not 0 <= self.baseline <= 1:
            raise ConfigError(f"baseline={self.baseline!r}: give a rate from 0 to 1.")

    def wants(self, graph: Graph) -> Sequence[Want]:
        """Want rates of taught cells, potentials where feedback lands on hidden ones, and drives of both.

        Raises
        ------
        ConfigError
            If no population is taught, one that is to learn is neither taught nor has feedback, or cells do not offer
            what is read.
        """
        check_taught(graph)
        suits = {p.name for p in (*graph.taught, *graph.hidden)}
        lost = next((c for c in graph.connections if c.role == "forward" and c.learned and c.post not in suits), None)
        if lost is not None:
            raise ConfigError(
                f"set {lost.name!r}: {lost.post!r} is neither taught nor has feedback, and cannot learn: mark a "
                "feedback rule onto it, or set learned=False."
            )
        found: list[Want] = [_rate_of(p.name, window) for p in graph.taught for window in WINDOWS]
        found += [tuft(graph, p.name, window) for p in graph.hidden for window in WINDOWS]
        found += [_drive_of(p.name) for p in _learning(graph)]
        for want in found:
            assert isinstance(want, Average)
            region = want.place.region if want.place.of is None else "tuft"
            if (want.quantity, region) not in graph[want.population].kind.offers:
                raise ConfigError(
                    f"population {want.population!r}: {graph[want.population].kind.label} cells do not offer the "
                    f"{want.quantity} of {region}: take rules.Guerguiev() for cells of the plugin's."
                )
        return found

    def learning_rates(self, graph: Graph) -> Mapping[str, float]:
        """Return 0.3 for every population that learns, which is to fall to a tenth (``schedules.linear``)."""
        return {p.name: 0.3 for p in _learning(graph)}

    def start(self, graph: Graph) -> Mapping[str, Array]:
        """Keep the mean differences of hidden cells."""
        if not self.baseline:
            return {}
        return baseline.start(graph.hidden)

    def change(self, seen: Sequence[Seen]) -> Changes:
        """Return what an example changes."""
        (s,) = seen
        errors, notes, changes = {}, {}, []
        for p in s.graph.taught:
            forward, target = (s[_rate_of(p.name, window)] for window in WINDOWS)
            errors[p.name] = (target - forward) / _scale(s, p, "taught")
        for p in s.graph.hidden:
            forward, target = (s[tuft(s.graph, p.name, window)] for window in WINDOWS)
            difference = (target - forward) * _unit(p) / _scale(s, p, "unit")
            notes[baseline.name(p.name)] = difference
            off = difference - s.state[baseline.name(p.name)] if self.baseline else difference
            errors[p.name] = np.clip(off[s.local(p.name)], -self.largest, self.largest)
        for p in _learning(s.graph):
            changes += self._descend(s, p, errors[p.name])
        return Changes(tuple(changes), errors, notes if self.baseline else {})

    def _descend(self, s: Seen, p: Population, error: Array) -> list[Change]:
        point = s.point(p.name)
        post = error * point.slope(s[_drive_of(p.name)])
        shares = {"target": 1.0} if p.teacher else {"forward": 0.5, "target": 0.5}
        return [
            Outer(c.name, s.rates[c.name] * share * point.steps[c.name] * post, window=window)
            for c in s.graph.onto(p.name, "forward")
            if c.learned
            for window, share in shares.items()
        ]

    def fold(self, state: Mapping[str, Array], notes: Sequence[Mapping[str, Array]]) -> Mapping[str, Array]:
        """Let baselines follow the differences of a batch."""
        if not self.baseline:
            return state
        return baseline.fold(state, notes, self.baseline)


def _learning(graph: Graph) -> list[Population]:
    """Return the populations that learn: hidden ones with learned sets, and taught ones."""
    return [p for p in graph.populations if any(c.learned for c in graph.onto(p.name, "forward"))]


@cache
def _rate_of(population: str, window: str) -> Average:
    return Average(population, "rate", SOMA, window)


@cache
def _drive_of(population: str) -> Average:
    return Average(population, "drive", BASAL, "forward")


def tuft(graph: Graph, population: str, window: str) -> Average:
    """Return what is read of the tufts of a population, of all cells: where its first feedback set lands."""
    return Average(population, "potential", Place(of=graph.onto(population, "feedback")[0].name), window, whole=True)


def _unit(p: Population) -> float:
    """Return how many mV the readings of a population call 1."""
    return float(p.kind.scale.unit)  # type: ignore[attr-defined]  # own cells have one


def _scale(s: Seen, p: Population, what: str) -> float:
    """Return a measured scale of a population, by the name of its field."""
    value = float(getattr(s.point(p.name), what))
    if value <= 0.0:
        raise ConfigError(
            f"population {p.name!r}: what its {'teacher' if p.teacher else 'feedback'} does was not measured, or is "
            "lost in the noise: call learner.survey(task, tune=True) first."
        )
    return value
