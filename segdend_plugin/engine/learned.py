"""One set on this rank, behind one interface: what acts in a trial, and what a rule changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np

from segdend_plugin.errors import ConfigError
from segdend_plugin.model.changes import Along, Decay, Outer
from segdend_plugin.model.graph import Connections
from segdend_plugin.model.trial import Trial
from segdend_plugin.types import Array, Integers

Factors: TypeAlias = "int | Array | tuple[Array | Integers, ...] | None"
"""What a change needs of its trial: a window whose averages are still there, filtered trains, arrivals, or nothing."""


@dataclass(frozen=True, eq=False)
class Bound:
    """One change with all that it needs: applied later, in the order of examples.

    Attributes
    ----------
    decay
        Set and factor, where that is the change.
    add
        Applies it.
    """

    decay: tuple[str, float] | None
    add: Callable[[], None]


def check_outer(change: Outer, n_pre: int, windows: Mapping[str, int]) -> None:
    """Raise `ConfigError` if a set of `n_pre` presynaptic cells has not what a change is made of."""
    if change.pre is not None and change.pre.shape != (n_pre,):
        raise ConfigError(f"rule: pre of {change.connections!r} has shape {change.pre.shape}: give ({n_pre},).")
    if change.pre is None and change.window not in windows:
        raise ConfigError(f"rule: the trial has no window {change.window!r}: take one of {', '.join(windows)}.")


class Learned(Protocol):
    """A set, dense or sparse."""

    connections: Connections
    weights: Array
    """Of the cells of this rank, a view: (n_pre, n) or (n_synapses,)."""
    constant: Array
    """Steady drive of the cells of this rank that comes with the set, a view: biases, where they are learned."""

    @property
    def post(self) -> str:
        """Name of the postsynaptic population."""
        ...

    def prepare(self, trial: Trial, *, keep: bool, begin: float = 0.0) -> None:
        """Make ready for a trial that begins at NEURON's time `begin`, and say whether arriving spikes are kept."""
        ...

    def restart(self) -> None:
        """Begin a trial without initialisation."""
        ...

    def filtered(self, window: int) -> Array:
        """Return the mean filtered trains (1/ms) of a window: by presynaptic cell, or by synapse."""
        ...

    def effective(self) -> Array:
        """Return the weights times their effect on the soma relative to k_b."""
        ...

    def factors(self, change: Outer | Along | Decay, windows: Mapping[str, int], *, keep: bool) -> Factors:
        """Return what a change needs of the trial that has run.

        Parameters
        ----------
        change
            Of this set.
        windows
            Index of each window of the trial.
        keep
            Whether presynaptic factors are copied, because other trials run before it is applied, or because it is
            applied to another replica, too.
        """
        ...

    def bind(self, change: Outer | Along | Decay, factors: Factors, positions: Integers) -> Bound:
        """Return a change with what was taken of its trial.

        Parameters
        ----------
        change
            Of this set.
        factors
            What :meth:`factors` gave here, or on the rank with the same cells of another replica.
        positions
            Where the cells of this rank stand in the postsynaptic population.
        """
        ...

    def bound(self) -> None:
        """Keep the weights within their bounds."""
        ...

    def not_finite(self) -> int | None:
        """Return the first cell of this rank with a weight that is not finite, None where all are."""
        ...

    def columns(self, positions: Integers) -> Integers:
        """Return where the last axis of this rank's weights stands among that of all ranks."""
        ...

    def matrix(self, whole: Array) -> Array:
        """Return the weights of all ranks as a matrix, shape (n_pre, n_post), 0 where there is no synapse."""
        ...

    def synapses(self, whole: Array) -> tuple[Integers, Integers, Array]:
        """Return where both cells of every synapse stand, and its weight, of the weights of all ranks."""
        ...

    def take(self, whole: Array, columns: Integers, size: int) -> None:
        """Take this rank's part of the weights of all ranks."""
        ...

    def close(self) -> None:
        """Give up every NEURON object."""
        ...


def first_not_finite(values: Array) -> int | None:
    """Return the first column of weights, or the first of other values, that is not finite, None where all are."""
    if np.isfinite(values).all():
        return None
    return int(np.argwhere(~np.isfinite(values))[:, -1].min())


def joined(parts: Sequence[tuple[Integers, Array]]) -> Array:
    """Return values of all cells from positions and values of each rank's; the last axis counts cells."""
    filled = [part for part in parts if len(part[0])]
    order = np.argsort(np.concatenate([part[0] for part in filled]))
    result: Array = np.concatenate([part[1] for part in filled], axis=-1)[..., order]
    return result
