"""What rules and callbacks may want to be read of a trial, or before it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

from segdend_plugin.model.places import SOMA, Place

Quantity = Literal["potential", "rate", "spikes", "drive", "nmda", "calcium"]
"""Potentials and drives in units of the rule, rates in 1/ms, spikes per step; ``nmda``: unblocked fraction of NMDA
channels; ``calcium``: steady activation of high-voltage-activated calcium channels."""


@dataclass(frozen=True)
class Average:
    """Mean of a quantity over a window, shape (n,).

    Attributes
    ----------
    population, quantity, place, window
        What. Where a place has several sites, their mean.
    whole
        Of all cells on every rank, in the graph's order; else of those of this rank.
    """

    population: str
    quantity: Quantity
    place: Place = SOMA
    window: str = "forward"
    whole: bool = False

    def __hash__(self) -> int:  # once: rules look up the same wants in every example
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.population, self.quantity, self.place, self.window, self.whole))

    def __getstate__(self) -> dict[str, object]:  # hashes of text differ between processes
        return {name: self.__dict__[name] for name in self.__dataclass_fields__}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)


@dataclass(frozen=True)
class Trace:
    """A quantity at the end of every step of the trial, shape (steps, n)."""

    population: str
    quantity: Quantity
    place: Place = SOMA
    whole: bool = False


@dataclass(frozen=True)
class Filtered:
    """Mean filtered train (1/ms) of the presynaptic cells of a set in a window, shape (n_pre,)."""

    connections: str
    window: str = "forward"


@dataclass(frozen=True)
class Weights:
    """Weights of a set, all of them on every rank, shape (n_pre, n_post); `effective`: as the soma feels them."""

    connections: str
    effective: bool = True


Want: TypeAlias = Average | Trace | Filtered | Weights
