"""What a trial has left, for a rule: what was wanted, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from segdend_plugin.errors import ConfigError
from segdend_plugin.model.graph import Graph
from segdend_plugin.model.operating import OperatingPoint
from segdend_plugin.model.places import SOMA
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.model.trial import Trains, Trial
from segdend_plugin.model.wants import Trace, Want
from segdend_plugin.types import Array, Integers

if TYPE_CHECKING:
    from segdend_plugin.engine.network import Network


class Seen:
    """What was read of one trial of a network, or before it.

    Attributes
    ----------
    trial, graph
        What was shown to what.
    purpose
        What the trial was for: only of training trials can be learned.
    number
        Which trial of the network it was.
    values
        Want -> array.
    rates
        Learning rate of every set and population, of this example.
    state
        The rule's, as it was before the batch.
    """

    def __init__(
        self,
        network: Network,
        trial: Trial,
        purpose: Purpose,
        number: int,
        values: dict[Want, Array],
        rates: Mapping[str, float],
        state: Mapping[str, Array],
    ) -> None:
        self._network = network
        self.trial, self.purpose, self.number = trial, purpose, number
        self.values, self.rates, self.state = values, rates, state

    @property
    def graph(self) -> Graph:
        """The graph of the network."""
        return self._network.graph

    def belongs_to(self, network: Network) -> bool:
        """Whether this was seen of a network."""
        return self._network is network

    def __getitem__(self, want: Want) -> Array:
        try:
            return self.values[want]
        except KeyError:
            raise ConfigError(f"rule: {want} was read but not declared: add it to what the rule wants.") from None

    def spikes(self, *populations: str) -> Trains:
        """Return all spikes of populations whose spikes are traced whole, in order of time, cells counted through."""
        dt, times, cells, before = self.trial.dt, [], [], 0
        for name in populations:
            counts = self[Trace(name, "spikes", SOMA, whole=True)]
            steps, found = np.nonzero(counts)
            repeated = counts[steps, found].astype(np.int64)
            times.append(np.repeat((steps + 1) * dt, repeated))
            cells.append(np.repeat(found + before, repeated))
            before += counts.shape[1]
        when, who = np.concatenate(times), np.concatenate(cells)
        order = np.lexsort((who, when))
        return Trains(when[order], who[order].astype(np.int64))

    def local(self, population: str) -> Integers:
        """Return where the cells of this rank stand in their population, shape (n,)."""
        return self._network.local(population)

    def gain(self, population: str, *, whole: bool = False) -> Array:
        """Return k_b of each cell: of this rank's, or of all."""
        return self._network.gain(population, whole=whole)

    def point(self, population: str) -> OperatingPoint:
        """Return where the cells of a population fire, as it was measured."""
        return self._network.point(population)

    def stream(self, purpose: int, *identity: int) -> np.random.Generator:
        """Return a generator keyed by the network's seed, a purpose of the rule's own, and identity."""
        return stream(self.graph.seed, Purpose.RULE, purpose, *identity)
