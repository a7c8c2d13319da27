"""Weights in HDF5, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import h5py

from segdend_plugin.errors import DataError
from segdend_plugin.types import Array

FORMAT = 1
Weights = dict[str, tuple[Array, Array]]


def save(path: Path, weights: Weights, sha256: str, example: int) -> None:
    """Write weights and biases of every population.

    Parameters
    ----------
    path
        Target file; an older one is replaced in one step.
    weights
        Population -> weights (n_pre, n_post) and biases (n_post,), postsynaptic cells in the order of gids.
    sha256
        Digest of the weights.
    example
        Training examples they have seen.
    """
    part = path.with_name(path.name + ".part")
    with h5py.File(part, "w", track_order=True) as file:
        file.attrs.update({"format": FORMAT, "sha256": sha256, "example": example})
        for name, (matrix, biases) in weights.items():
            group = file.create_group(name)
            group.create_dataset("weights", data=matrix)
            group.create_dataset("biases", data=biases)
    os.replace(part, path)


def read(path: Path) -> Weights:
    """Return the weights that :func:`save` wrote.

    Raises
    ------
    DataError
        If the file is missing or is not one of ours.
    """
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise OSError(f"its format is not {FORMAT}")
            return {name: (group["weights"][()], group["biases"][()]) for name, group in file.items()}
    except (OSError, KeyError) as error:
        problem = " ".join(str(error).split())
        raise DataError(f"The weights {str(path)!r} cannot be read ({problem}): give the folder of a run.") from None
