"""One layer of a network, spread over ranks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from segdend_plugin.engine.mpi import Ranks
from segdend_plugin.engine.population import Population
from segdend_plugin.types import Array


@dataclass(frozen=True)
class Layer:
    """The populations of one layer; together they are what the next layer sees, in this order."""

    populations: tuple[Population, ...]

    @cached_property
    def gids(self) -> list[int]:
        """All cells of the layer."""
        return [gid for population in self.populations for gid in population.gids]

    def columns(self, population: Population) -> list[int]:
        """Return where the local cells of a population stand in the layer."""
        return [self.position[gid] for gid in population.local_gids]

    @cached_property
    def position(self) -> dict[int, int]:
        """Where each cell stands in the layer."""
        return {gid: k for k, gid in enumerate(self.gids)}

    def whole(self, ranks: Ranks, values: dict[str, Array]) -> Array:
        """Return values of all cells, in the order of the layer, on every rank.

        Parameters
        ----------
        ranks
            The MPI job.
        values
            By the name of each population, those of the local cells; the last axis counts cells.
        """
        parts = ranks.allgather([(population.local_gids, values[population.name]) for population in self.populations])
        pieces = [piece for part in parts for piece in part if len(piece[0])]
        gids = np.concatenate([piece[0] for piece in pieces])
        order = np.argsort([self.position[gid] for gid in gids.tolist()])
        return np.concatenate([piece[1] for piece in pieces], axis=-1)[..., order]
