"""What a network has learned: collected on rank 0, spread again, and its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from segdend_plugin.engine.mpi import Ranks
from segdend_plugin.engine.population import Population
from segdend_plugin.engine.projection import Projection
from segdend_plugin.errors import DataError
from segdend_plugin.types import Array, Integers


def gather(
    ranks: Ranks, populations: Sequence[Population], projection_of: Callable[[Population], Projection | None]
) -> dict[str, tuple[Array, Array]] | None:
    """Collect weights and biases of one projection onto each population, in the order of gids.

    Returns
    -------
    dict or None
        Population name -> weights (n_pre, n_post), biases (n_post,); None on other ranks than 0.
    """
    mine = {
        population.name: (population.local_gids, projection.weights, projection.biases)
        for population in populations
        if (projection := projection_of(population)) is not None
    }
    everyone = ranks.gather(mine)
    if everyone is None:
        return None
    collected = {}
    for population in populations:
        parts = [part[population.name] for part in everyone if population.name in part]
        if parts:
            order = np.argsort(np.concatenate([part[0] for part in parts]))
            collected[population.name] = (
                np.concatenate([part[1] for part in parts], axis=1)[:, order],
                np.concatenate([part[2] for part in parts])[order],
            )
    return collected


def local_columns(population: Population, projection: Projection, matrix: Array) -> Integers:
    """Return which columns of a gathered matrix belong to this rank."""
    wanted = (projection.n_pre, len(population.gids))
    if matrix.shape != wanted:
        raise DataError(f"The weights of {population.name!r} have shape {matrix.shape}: {wanted} is needed.")
    return np.searchsorted(population.gids, population.local_gids)


def weights_sha256(weights: dict[str, tuple[Array, Array]]) -> str:
    """Return a digest of all weights and biases, the same for any number of ranks."""
    digest = hashlib.sha256()
    for name, (matrix, biases) in weights.items():
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(matrix.T).tobytes())
        digest.update(np.ascontiguousarray(biases).tobytes())
    return digest.hexdigest()
