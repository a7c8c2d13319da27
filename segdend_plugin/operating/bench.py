"""Shows stimuli of a task to a network, and keeps what was measured of its populations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from segdend_plugin.engine.kinds.own import OwnCells
from segdend_plugin.engine.sparse import Sparse
from segdend_plugin.model.graph import Population
from segdend_plugin.model.operating import OperatingPoint
from segdend_plugin.model.streams import LARGEST_NUMBER
from segdend_plugin.model.trial import Signal, Stimulus
from segdend_plugin.model.wants import Filtered, Want
from segdend_plugin.types import Array, Integers

if TYPE_CHECKING:
    from segdend_plugin.examiner import Examiner
    from segdend_plugin.tasks.base import Task

SHOWN = 8
"""Examples of the task that are shown at one place of weights."""


class Bench:
    """A network on which operating points are measured; every rank calls every method alike.

    Parameters
    ----------
    examiner
        Its network and phases.
    task
        Whose stimuli are shown.

    Attributes
    ----------
    points
        What was measured, by population.
    remarks
        What is to be known of it, a sentence each.
    """

    def __init__(self, examiner: Examiner, task: Task) -> None:
        self.network, self.graph = examiner.network, examiner.graph
        self.points: dict[str, OperatingPoint] = {}
        self.remarks: list[str] = []
        self._examiner, self._trials = examiner, 0
        self._phases = examiner.phases if examiner.phases is not None else task.phases
        self._stimuli = task.stimuli(_varied(task))
        self.groups, self.n_groups = self._grouped()

    def cells(self, p: Population) -> OwnCells:
        """Return the cells of a population on this rank."""
        found = self.network.cells[p.name]
        assert isinstance(found, OwnCells)  # populations of others are not surveyed
        return found

    def sets(self, p: Population, role: str) -> list[Sparse]:
        """Return the sets of a role onto a population."""
        found = (self.network.sets[c.name] for c in self.graph.onto(p.name) if c.role == role)
        return [one for one in found if isinstance(one, Sparse)]

    def keep(self, p: Population, point: OperatingPoint) -> None:
        """Let the network know a point."""
        self.points[p.name] = point
        self.cells(p).operate(point)

    # ---- showing

    def some(self, n: int) -> Iterator[Stimulus]:
        """Return so many stimuli in turn."""
        return (self._stimuli[k % len(self._stimuli)] for k in range(n))

    def show(self, stimulus: Stimulus, wants: Sequence[Want], target: Array | None = None) -> Mapping[Want, Array]:
        """Show a stimulus once, with noise of its own.

        Parameters
        ----------
        stimulus
            What is shown.
        wants
            What is read.
        target
            Levels of all taught cells, population by population; None for no teacher.
        """
        self._trials += 1
        if target is not None:
            first, targets = 0, {}
            for p in self.graph.taught:
                targets[p.name] = target[first : first + p.size]
                first += p.size
            stimulus = replace(stimulus, target=targets)
        return self._examiner.present(
            stimulus,
            record=wants,
            taught=target is not None,
            phases=self._phases,
            example=LARGEST_NUMBER - self._trials,  # no example of any task
        ).seen

    def trains(self, sets: Sequence[Sparse], n: int) -> list[Array]:
        """Return the mean filtered trains (1/ms) of every synapse of this rank in some trials, shape (n, synapses)."""
        wants = [Filtered(one.connections.name, "forward") for one in sets]
        seen = [self.show(stimulus, wants) for stimulus in self.some(n)]
        return [np.array([each[want] for each in seen]) for want in wants]

    def per_cell(self, p: Population, sets: Sequence[Sparse], values: Sequence[Array]) -> Array:
        """Return the sum of values of synapses over each cell of a population, the same on every rank, shape (n,)."""
        total = np.zeros(len(self.network.local(p.name)))
        for one, value in zip(sets, values, strict=True):
            np.add.at(total, one.column, value)
        return self.network.whole(p.name, total)

    def _grouped(self) -> tuple[dict[str, Integers], int]:
        """Return by taught population which group each cell belongs to, and how many groups there are.

        The cells of a group have the same target in every example, as those that stand for one class.
        """
        if not self.graph.taught or not all(stimulus.target for stimulus in self._stimuli):
            return {}, 0
        rows = [np.concatenate([_level(shown.target[p.name]) for p in self.graph.taught]) for shown in self._stimuli]
        group = np.ravel(np.unique(np.array(rows), axis=1, return_inverse=True)[1])
        first, found = 0, {}
        for p in self.graph.taught:
            found[p.name] = group[first : first + p.size]
            first += p.size
        return found, int(group.max()) + 1


def _varied(task: Task) -> list[int]:
    """Return numbers of some examples, with as many different targets as there are among the first."""
    first = min(len(task), 20 * SHOWN)
    by_target: dict[bytes, list[int]] = {}
    for number, stimulus in enumerate(task.stimuli(range(first))):
        key = b"".join(_level(level).tobytes() for level in stimulus.target.values())
        by_target.setdefault(key, []).append(number)
    turns = [numbers[k] for k in range(first) for numbers in by_target.values() if k < len(numbers)]
    return turns[: max(SHOWN, len(by_target))]


def _level(target: Signal | Array) -> Array:
    """Return the levels of a target, the means of one that changes in time."""
    return np.asarray(target.levels.mean(axis=0) if isinstance(target, Signal) else target, dtype=np.float64)
