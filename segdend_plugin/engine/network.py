"""A layered network on this rank: shows examples, reads the windows, applies the rule."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segdend_plugin.engine.mpi import Ranks
from segdend_plugin.engine.population import Averages, Inputs, Population
from segdend_plugin.engine.windows import announce
from segdend_plugin.errors import DataError
from segdend_plugin.rule.phases import Schedule
from segdend_plugin.rule.random import Purpose
from segdend_plugin.rule.targets import (
    hidden_delta,
    hidden_scale,
    output_delta,
    output_scale,
    postsynaptic_change,
)
from segdend_plugin.types import Array


@dataclass(frozen=True)
class Layer:
    """The populations of one layer; together they are what the next layer sees, in this order."""

    populations: tuple[Population, ...]

    @property
    def gids(self) -> list[int]:
        """All cells of the layer."""
        return [gid for population in self.populations for gid in population.gids]


class Network:
    """Inputs, hidden layers and output layer of this rank.

    Parameters
    ----------
    ranks
        The MPI job.
    inputs, hidden, output
        The layers, built and connected.
    seed
        Seed of the experiment.
    """

    def __init__(
        self,
        ranks: Ranks,
        inputs: Inputs,
        hidden: Sequence[Layer],
        output: Population,
        seed: int,
    ) -> None:
        self.ranks, self.inputs, self.hidden, self.output = ranks, inputs, tuple(hidden), output
        self.seed = seed

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Hidden layers and the output layer, from the input on."""
        return (*self.hidden, Layer((self.output,)))

    @property
    def sizes(self) -> list[int]:
        """Number of cells in every layer, input first."""
        return [len(self.inputs.gids), *(len(layer.gids) for layer in self.layers)]

    def show(self, image: Array, schedule: Schedule, purpose: Purpose, example: int, label: int | None = None) -> None:
        """Run one trial from rest; it depends on weights, seed and example alone.

        Parameters
        ----------
        image
            Brightness of every input, shape (n_input,), 0 to 1.
        schedule
            Times of the phases.
        purpose, example
            Key of the random streams.
        label
            Position of the output cell that the teacher excites in the target phase.
        """
        from neuron import h

        self.inputs.show(image)
        if label is not None:
            self.output.teach(label)
        announce(schedule, self.seed, purpose, example, teach=label is not None)
        h.dt = schedule.dt
        h.finitialize(self.output.scale.rest)
        self.ranks.pc.psolve(schedule.time(schedule.end))

    def learn(self, schedule: Schedule, rates: Sequence[float], *, train_hidden: bool) -> Averages:
        """Change the weights by what the last trial left in the windows (eqs 10 and 26).

        Parameters
        ----------
        schedule
            Times of the trial.
        rates
            Learning rate of each hidden layer and of the output layer.
        train_hidden
            Whether hidden weights change, too; False freezes them, the usual control.

        Returns
        -------
        Averages
            Those of the local output cells.
        """
        averages = self.output.averages(schedule)
        if self.output.inbound is not None:
            delta = output_delta(averages.target_rate, averages.forward_potential, self.output.somatic_gain)
            self.output.inbound.learn(postsynaptic_change(delta, rates[-1], output_scale()))
        if train_hidden:
            for layer, rate in zip(self.hidden, rates, strict=False):
                for population in layer.populations:
                    self._learn_hidden(population, schedule, rate)
        return averages

    def _learn_hidden(self, population: Population, schedule: Schedule, rate: float) -> None:
        if population.inbound is None:
            return
        seen = population.averages(schedule)
        delta = hidden_delta(seen.forward_apical, seen.target_apical, seen.forward_potential, population.somatic_gain)
        population.inbound.learn(postsynaptic_change(delta, rate, hidden_scale()))

    def gather_weights(self) -> dict[str, tuple[Array, Array]] | None:
        """Collect all weights and biases on rank 0, in the order of gids.

        Returns
        -------
        dict or None
            Population name -> weights (n_pre, n_post), biases (n_post,); None on other ranks.
        """
        mine = {
            population.name: (population.local_gids, population.inbound.weights, population.inbound.biases)
            for layer in self.layers
            for population in layer.populations
            if population.inbound is not None
        }
        everyone = self.ranks.gather(mine)
        if everyone is None:
            return None
        collected = {}
        for layer in self.layers:
            for population in layer.populations:
                parts = [part[population.name] for part in everyone if population.name in part]
                gids = np.concatenate([part[0] for part in parts])
                order = np.argsort(gids)
                collected[population.name] = (
                    np.concatenate([part[1] for part in parts], axis=1)[:, order],
                    np.concatenate([part[2] for part in parts])[order],
                )
        return collected

    def set_weights(self, weights: dict[str, tuple[Array, Array]]) -> None:
        """Take weights and biases as :meth:`gather_weights` gives them; every rank keeps its own cells'."""
        for layer in self.layers:
            for population in layer.populations:
                if population.name not in weights:
                    raise DataError(f"The weights have no population {population.name!r}: take those of this network.")
                if population.inbound is not None:
                    shape, wanted = weights[population.name][0].shape, (population.inbound.n_pre, len(population.gids))
                    if shape != wanted:
                        raise DataError(f"The weights of {population.name!r} have shape {shape}: {wanted} is needed.")
                    columns = np.searchsorted(population.gids, population.local_gids)
                    population.inbound.weights[:] = weights[population.name][0][:, columns]
                    population.inbound.biases[:] = weights[population.name][1][columns]


def weights_sha256(weights: dict[str, tuple[Array, Array]]) -> str:
    """Return a digest of all weights and biases, the same for any number of ranks."""
    digest = hashlib.sha256()
    for name, (matrix, biases) in weights.items():
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(matrix.T).tobytes())
        digest.update(np.ascontiguousarray(biases).tobytes())
    return digest.hexdigest()
