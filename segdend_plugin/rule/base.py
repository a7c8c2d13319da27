"""What a rule is: what it wants to be read, and, as a pure function of that, what changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from segdend_plugin.model.changes import Before, Changes
from segdend_plugin.model.graph import Graph
from segdend_plugin.model.operating import OperatingPoint
from segdend_plugin.model.trial import Stimulus, Trains, Trial
from segdend_plugin.model.wants import Want
from segdend_plugin.types import Array, Integers


class Phases(Protocol):
    """The windows of a trial; a rule has a default, a task or a user may give another."""

    def resolve(self, graph: Graph) -> Phases:
        """Return the same with everything that depends on the graph as numbers; raise ConfigError where none fit."""
        ...

    def trial(self, graph: Graph, stimulus: Stimulus, example: int, *, taught: bool) -> Trial:
        """Return the trial of an example; its jitter is keyed by seed and example."""
        ...

    def trials(
        self, graph: Graph, stimuli: Sequence[Stimulus], examples: Sequence[int], *, taught: bool
    ) -> list[Trial]:
        """Return those of a block of examples."""
        ...


class Seen(Protocol):
    """What a trial has left, and only of that trial."""

    @property
    def trial(self) -> Trial:
        """What was shown."""
        ...

    @property
    def graph(self) -> Graph:
        """The network's."""
        ...

    @property
    def rates(self) -> Mapping[str, float]:
        """Learning rate of every set and population, of this example."""
        ...

    @property
    def state(self) -> Mapping[str, Array]:
        """What the rule keeps between examples, as it was before the batch."""
        ...

    def stream(self, purpose: int, *identity: int) -> np.random.Generator:
        """Return a generator keyed by the network's seed, a purpose of the rule's own, and identity."""
        ...

    def __getitem__(self, want: Want) -> Array:
        """Return what was wanted; anything else is an error."""
        ...

    def spikes(self, *populations: str) -> Trains:
        """Return all spikes of populations whose spikes are traced whole, cells counted through."""
        ...

    def local(self, population: str) -> Integers:
        """Return where the cells of this rank stand in their population, shape (n,)."""
        ...

    def gain(self, population: str, *, whole: bool = False) -> Array:
        """Return k_b, the steady somatic potential for unit basal drive, of each cell."""
        ...

    def point(self, population: str) -> OperatingPoint:
        """Return where the cells of a population fire, as it was measured (`Learner.survey`)."""
        ...


@runtime_checkable
class Rule(Protocol):
    """A learning rule. `Local` has defaults for all but `phases`, `wants` and `change`."""

    needs_teacher: bool

    @property
    def phases(self) -> Phases:
        """The windows that it needs."""
        ...

    def wants(self, graph: Graph) -> Sequence[Want]:
        """Return what is to be read after a trial; raise ConfigError where the graph does not suit the rule."""
        ...

    def wants_before(self, graph: Graph) -> Sequence[Want]:
        """Return what is to be read before a trial."""
        ...

    def learning_rates(self, graph: Graph) -> Mapping[str, float]:
        """Return default learning rates by population or set."""
        ...

    def start(self, graph: Graph) -> Mapping[str, Array]:
        """Return the rule's state before the first example; the last axis counts whole populations, or a set."""
        ...

    def trials(self, trial: Trial) -> Sequence[Trial]:
        """Return the trials in which an example is shown, usually one."""
        ...

    def before(self, trial: Trial, seen: Seen) -> Before:
        """Return what is set before a trial."""
        ...

    def change(self, seen: Sequence[Seen]) -> Changes:
        """Return what an example changes; pure."""
        ...

    def fold(self, state: Mapping[str, Array], notes: Sequence[Mapping[str, Array]]) -> Mapping[str, Array]:
        """Return the state after a batch, from the notes of its examples in order."""
        ...


class Local:
    """What most rules leave as it is."""

    needs_teacher = True

    def wants_before(self, graph: Graph) -> Sequence[Want]:
        """Want nothing."""
        return ()

    def learning_rates(self, graph: Graph) -> Mapping[str, float]:
        """Return 1 for every population that learned sets land on."""
        return {c.post: 1.0 for c in graph.connections if c.learned}

    def start(self, graph: Graph) -> Mapping[str, Array]:
        """Keep nothing between examples."""
        return {}

    def trials(self, trial: Trial) -> Sequence[Trial]:
        """Show an example once."""
        return (trial,)

    def before(self, trial: Trial, seen: Seen) -> Before:
        """Set nothing."""
        return Before()

    def fold(self, state: Mapping[str, Array], notes: Sequence[Mapping[str, Array]]) -> Mapping[str, Array]:
        """Keep the state as it is."""
        return state
