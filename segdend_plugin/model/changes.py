"""What a rule may change: it returns these, the learner applies them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from segdend_plugin.model.trial import Trains
from segdend_plugin.types import Array


@dataclass(frozen=True, eq=False)
class Outer:
    """weights += outer(pre, post).

    Attributes
    ----------
    connections
        The set.
    post
        Of this rank's cells, or of all, shape (n,).
    window
        Window of the filtered trains.
    pre
        A vector of the rule's instead of the set's own filtered trains, shape (n_pre,), the same on every rank.
    """

    connections: str
    post: Array
    window: str = "forward"
    pre: Array | None = None


@dataclass(frozen=True, eq=False)
class Along:
    """weights[j, i] += sum over steps of post[t, i] times the filtered train of j at t.

    Attributes
    ----------
    connections
        The set.
    post
        Shape (steps, n), of this rank's cells.
    kernel
        Time constants (ms) of the filter, the slower first: (exp(-t/a) - exp(-t/b))/(a - b).
    trains
        Events to filter instead of the set's own spikes, cells counted through its populations.
    """

    connections: str
    post: Array
    kernel: tuple[float, float] | None = None
    trains: Trains | None = None


@dataclass(frozen=True, eq=False)
class Bias:
    """biases += change, shape (n,), of a population; of this rank's cells, or of all."""

    population: str
    change: Array


@dataclass(frozen=True, eq=False)
class Decay:
    """weights *= factor, once per batch, before its sum."""

    connections: str
    factor: float


Change: TypeAlias = Outer | Along | Bias | Decay


@dataclass(frozen=True, eq=False)
class Changes:
    """What one example changes.

    Attributes
    ----------
    changes
        In the order in which they are applied.
    errors
        By population, for callbacks.
    notes
        What `Rule.fold` needs of this example.
    """

    changes: tuple[Change, ...]
    errors: Mapping[str, Array] = field(default_factory=dict)
    notes: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Before:
    """What a rule sets before a trial.

    Attributes
    ----------
    leads
        (population, window) -> by how many ms the window of each local cell precedes that of the trial, shape (n,).
    weights
        Fixed set -> whole matrix, shape (n_pre, n_post).
    """

    leads: Mapping[tuple[str, str], Array] = field(default_factory=dict)
    weights: Mapping[str, Array] = field(default_factory=dict)
