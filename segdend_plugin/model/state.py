"""All that a run needs to go on, and its file; files that are written whole or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType
from typing import Any

import h5py
import numpy as np

from segdend_plugin.errors import ConfigError, DataError
from segdend_plugin.model.graph import Graph
from segdend_plugin.types import Array

FORMAT = 2
"""Format 1 were the files of version 0.2."""
_PARTS = {
    "rates": "other learning rates",
    "phases": "other phases",
    "batch": "batches of another size",
    "total": "another number of examples",
}
"""What messages say of a part of a fingerprint, where that is not "another" and its name."""
_ARRAYS = ("weights", "biases", "rule", "derived", "host")
_DAMAGE = (OSError, KeyError, RuntimeError, ValueError, TypeError)
"""What h5py and json raise of files that are missing, cut short or of another kind."""


@dataclass(frozen=True, eq=False)
class State:
    """All that a run needs to go on: everything else is a function of seed and the example's number.

    Attributes
    ----------
    fingerprint
        Digests of what the run is made of, by name (see :func:`fingerprint`).
    example
        Training examples shown.
    weights
        Set -> weights (n_pre, n_post), postsynaptic cells in the order of the graph: of all forward sets, and of those
        others that learn.
    biases
        Population -> biases (n,).
    rule
        What the rule keeps between examples.
    derived
        Numbers that were computed on one machine (calibrations, reductions), to be read instead of computed again.
    callbacks
        Callback -> its state, plain data.
    host
        Weights that other plasticity of a host's model changes.
    seconds
        Time spent on training the examples.
    """

    fingerprint: Mapping[str, str]
    example: int
    weights: Mapping[str, Array]
    biases: Mapping[str, Array]
    rule: Mapping[str, Array] = field(default_factory=dict)
    derived: Mapping[str, Array] = field(default_factory=dict)
    callbacks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    host: Mapping[str, Array] = field(default_factory=dict)
    seconds: float = 0.0


def weights_sha256(graph: Graph, weights: Mapping[str, Array], biases: Mapping[str, Array]) -> str:
    """Return a digest of forward weights and biases, population by population, the same for any number of ranks."""
    digest = hashlib.sha256()
    for population in graph.populations:
        sets = [c.name for c in graph.onto(population.name, "forward") if c.name in weights]
        if not sets:
            continue
        digest.update(population.name.encode())
        for name in sets:
            digest.update(np.ascontiguousarray(weights[name].T).tobytes())
        if population.name in biases:
            digest.update(np.ascontiguousarray(biases[population.name]).tobytes())
    return digest.hexdigest()


def fingerprint(graph: Graph, **parts: object) -> dict[str, str]:
    """Return a digest of the graph and of each named part of a run, so that a mismatch can be said by name.

    Parameters
    ----------
    graph
        The network.
    parts
        Rule, digest of the task, phases, learning rates, size of batches, number of examples.
    """
    found = {"graph": graph.fingerprint}
    for name, part in parts.items():
        found[name] = hashlib.sha256(_describe(part).encode()).hexdigest()
    return found


def compare(saved: Mapping[str, str], now: Mapping[str, str], path: str | Path) -> None:
    """Raise DataError if a state was made with something else than there is now."""
    for name, digest in now.items():
        if saved.get(name) != digest:
            raise DataError(
                f"The state {str(path)!r} was made with {_PARTS.get(name, 'another ' + name)}: "
                f"give that of its run, or take the weights alone with Learner.load(path, other=True)."
            )


def save(path: Path, state: State) -> None:
    """Write a state in one step; an older file becomes ``<name>.old``.

    Raises
    ------
    ConfigError
        If a callback's state is not plain data, weights are not finite, or the path is a folder.
    OSError
        If it cannot be written; the older file is then as it was.
    """
    if path.is_dir():
        raise ConfigError(f"The state {str(path)!r} is a folder: give the name of a file.")
    for what, values in (*state.weights.items(), *state.biases.items()):
        if not np.isfinite(values).all():
            raise ConfigError(f"The state {str(path)!r}: weights of {what!r} are not finite: lower the learning rates.")
    arrays, said = dict(_flat(state)), _said(state)
    content = io.BytesIO()  # so that a full disk is met by an ordinary write
    with h5py.File(content, "w", track_order=True) as file:
        file.attrs.update({"format": FORMAT, "sha256": _digest(said, arrays)})
        _write(file, "run", np.frombuffer(said, dtype=np.uint8))  # an attribute holds 64 KiB at most
        for kind in dict.fromkeys(name.partition("/")[0] for name in arrays):
            file.create_group(kind, track_order=True)  # names are read in the order in which they are written
        for name, array in arrays.items():
            _write(file, name, array)
    write_whole(path, content.getvalue(), keep=True)


def load(path: Path, remedy: str) -> State:
    """Return the state that :func:`save` wrote, the one before where the last file is damaged.

    Parameters
    ----------
    path
        The file.
    remedy
        What the user can do where it cannot be read.

    Raises
    ------
    DataError
        If there is no such file, or it is damaged, edited, or of another format.
    """
    try:
        return _read(path, remedy)
    except _DAMAGE as error:
        problem = " ".join(str(error).split())
    try:
        state = _read(_old(path), remedy)
    except _DAMAGE:
        raise DataError(f"The state {str(path)!r} cannot be read ({problem}): {remedy}.") from None
    warnings.warn(
        f"The state {str(path)!r} cannot be read ({problem}): the one before it is taken, of example {state.example}.",
        stacklevel=2,
    )
    return state


def write_whole(path: Path, content: bytes, *, keep: bool = False) -> None:
    """Write a file, or leave the older one as it was; `keep` the older one as ``<name>.old``."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if keep and path.exists():
            os.replace(path, _old(path))
        os.replace(part, path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def write_result(path: Path, content: bytes) -> None:
    """Write a file that a user has asked for as :func:`write_whole` does, or raise ConfigError."""
    try:
        write_whole(path, content)
    except OSError as error:
        raise ConfigError(f"{str(path)!r} cannot be written ({error.strerror}): give another path.") from None


def append(path: Path, content: bytes) -> None:
    """Add to a file, which is then as safe as what :func:`write_whole` writes; what stood there stays as it is."""
    with path.open("ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _old(path: Path) -> Path:
    return path.with_name(path.name + ".old")


def _read(path: Path, remedy: str) -> State:
    with h5py.File(path, "r") as file:
        found = int(file.attrs.get("format", 0))
        if found != FORMAT:
            raise DataError(
                f"The state {str(path)!r} is of format {found or 'unknown'}, and this version reads format {FORMAT}: "
                f"{remedy}."
            )
        said = file["run"][()].tobytes()
        arrays = {
            f"{kind}/{name}": dataset[()] for kind in _ARRAYS if kind in file for name, dataset in file[kind].items()
        }
        if file.attrs["sha256"] != _digest(said, arrays):
            raise ValueError("its content does not match its digest")
    kinds: dict[str, dict[str, Array]] = {kind: {} for kind in _ARRAYS}
    for key, array in arrays.items():
        kind, name = key.split("/")
        kinds[kind][_unescape(name)] = array
    run = json.loads(said)
    return State(run["fingerprint"], run["example"], callbacks=run["callbacks"], seconds=run["seconds"], **kinds)


def _flat(state: State) -> Iterator[tuple[str, Array]]:
    """Yield the arrays and the paths at which the file has them."""
    for kind in _ARRAYS:
        for name, array in getattr(state, kind).items():
            yield f"{kind}/{_escape(name)}", np.asarray(array)


def _said(state: State) -> bytes:
    """Return what is not arrays."""
    run = {
        "fingerprint": dict(state.fingerprint),
        "example": state.example,
        "seconds": state.seconds,
        "callbacks": {name: dict(own) for name, own in state.callbacks.items()},
    }
    try:
        return json.dumps(run).encode()
    except (TypeError, ValueError) as error:
        raise ConfigError(f"callbacks: a state is not plain data ({error}): return what JSON can write.") from None


def _digest(said: bytes, arrays: Mapping[str, Array]) -> str:
    digest = hashlib.sha256(said)
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _write(file: h5py.File, name: str, array: Array) -> None:
    file.create_dataset(name, data=array, fletcher32=array.ndim > 0 and array.size > 0)  # damage is noticed


def _escape(name: str) -> str:
    """Return a name that HDF5 does not take for a path."""
    return name.replace("%", "%25").replace("/", "%2F")


def _unescape(name: str) -> str:
    return name.replace("%2F", "/").replace("%25", "%")


def _describe(part: object) -> str:
    """Return what an object says of itself, in full and without addresses in memory."""
    if isinstance(part, (type, FunctionType)):
        return f"{part.__module__}.{part.__qualname__}"
    if type(part).__repr__ is object.__repr__:
        return f"{_describe(type(part))} {sorted(vars(part).items())}"
    with np.printoptions(threshold=sys.maxsize, floatmode="unique"):
        return repr(part)
