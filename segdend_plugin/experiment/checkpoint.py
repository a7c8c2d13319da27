"""Weights in HDF5, and files that are written whole or not at all."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from pathlib import Path

import h5py

from segdend_plugin.engine.state import weights_sha256
from segdend_plugin.errors import DataError
from segdend_plugin.types import Array

FORMAT = 1
Weights = dict[str, tuple[Array, Array]]


@dataclass(frozen=True)
class State:
    """All that a run needs to go on: everything else is a function of the description and the example's number.

    Attributes
    ----------
    weights
        Population -> weights (n_pre, n_post) and biases (n_post,), postsynaptic cells in the order of gids.
    feedback
        Population -> feedback weights (n_source, n_post) where these learn.
    example
        Training examples shown.
    seconds
        Time spent on training them.
    """

    weights: Weights
    feedback: dict[str, Array] = field(default_factory=dict)
    example: int = 0
    seconds: float = 0.0

    @property
    def sha256(self) -> str:
        """Digest of weights and biases."""
        return weights_sha256(self.weights)


def save(path: Path, state: State) -> None:
    """Write a state; an older file is replaced in one step."""
    content = io.BytesIO()  # so that a full disk is met by an ordinary write
    with h5py.File(content, "w", track_order=True) as file:
        file.attrs.update(
            {"format": FORMAT, "sha256": state.sha256, "example": state.example, "seconds": state.seconds}
        )
        for name, (matrix, biases) in state.weights.items():
            arrays = {"weights": matrix, "biases": biases}
            if name in state.feedback:
                arrays["feedback"] = state.feedback[name]
            for key, array in arrays.items():
                file.create_dataset(f"{name}/{key}", data=array, fletcher32=True)  # damage is noticed
    write_whole(path, content.getvalue())


def read(path: Path) -> Weights:
    """Return the weights of a run."""
    return load(path, "give the folder of a run").weights


def load(path: Path, remedy: str) -> State:
    """Return the state that :func:`save` wrote.

    Parameters
    ----------
    path
        The file.
    remedy
        What the user can do where it cannot be read.

    Raises
    ------
    DataError
        If the file is missing, damaged or not one of ours.
    """
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise OSError(f"its format is not {FORMAT}")
            return State(
                {name: (group["weights"][()], group["biases"][()]) for name, group in file.items()},
                {name: group["feedback"][()] for name, group in file.items() if "feedback" in group},
                int(file.attrs["example"]),
                float(file.attrs.get("seconds", 0.0)),
            )
    except (OSError, KeyError, RuntimeError) as error:
        problem = " ".join(str(error).split())
        raise DataError(f"The weights {str(path)!r} cannot be read ({problem}): {remedy}.") from None


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, or leave the older one as it was."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
