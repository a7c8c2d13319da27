"""What replicas tell each other of an example, as plain bytes: a fraction of the time that objects take to travel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from segdend_plugin.model.changes import Along, Bias, Change, Changes, Decay, Outer
from segdend_plugin.model.trial import Trains
from segdend_plugin.model.wants import Want, Weights
from segdend_plugin.types import Array

Parcel: TypeAlias = "tuple[Any, ...]"
"""Strings, numbers, bytes and tuples of them."""
Learned: TypeAlias = "tuple[Mapping[Want, Array], Changes, Any]"
"""What was seen of an example, what it changes, and what applying that needs of its trials."""
Told: TypeAlias = "tuple[Sequence[Any], Changes, Sequence[Any]]"
"""Arrays that were seen, what an example changes, and what applying that needs: None, numbers, arrays, or tuples."""


def in_turn(
    mine: Sequence[Learned],
    wants: Sequence[Sequence[Want]],
    replica: int,
    replicas: int,
    across: Callable[[list[Parcel]], list[list[Parcel]]],
) -> Sequence[Learned]:
    """Return what all replicas have of a batch, in the order of its examples; weights, as seen, do not travel.

    Parameters
    ----------
    mine
        What this replica has of its examples: every one of `replicas`, from the one with its own number on.
    wants
        What was asked for in each example of the batch.
    replica, replicas
        Which one this is, and how many there are.
    across
        Returns what each replica gives to it, in their order.
    """
    if replicas == 1:
        return mine
    keys = [[want for want in each if not isinstance(want, Weights)] for each in wants]
    told = across(
        [
            pack(([seen[want] for want in each], changes, factors))
            for each, (seen, changes, factors) in zip(keys[replica::replicas], mine, strict=True)
        ]
    )
    found: list[Learned] = []
    for k, each in enumerate(keys):
        place, whose = divmod(k, replicas)
        if whose == replica:
            found.append(mine[place])
            continue
        values, changes, factors = unpack(told[whose][place])
        found.append((dict(zip(each, values, strict=True)), changes, factors))
    return found


def pack(told: Told) -> Parcel:
    """Return what is told of an example in a form that travels fast."""
    values, changes, factors = told
    return (
        _packed(tuple(values)),
        tuple(_pack_change(change) for change in changes.changes),
        _pack_named(changes.errors),
        _pack_named(changes.notes),
        _packed(tuple(factors)),
    )


def unpack(parcel: Parcel) -> Told:
    """Return what was packed; its arrays are not to be written to."""
    values, changes, errors, notes, factors = parcel
    made = Changes(tuple(_unpack_change(*change) for change in changes), _unpack_named(errors), _unpack_named(notes))
    return _unpacked(values), made, _unpacked(factors)


def _packed(value: Any) -> Any:
    """Return a value with arrays as (type, shape, bytes) within a list, which nothing else is."""
    if isinstance(value, np.ndarray):
        return [value.dtype.str, value.shape, value.tobytes()]
    if isinstance(value, tuple):
        return tuple(_packed(part) for part in value)
    return value


def _unpacked(value: Any) -> Any:
    if isinstance(value, list):
        kind, shape, content = value
        return np.frombuffer(content, kind).reshape(shape)
    if isinstance(value, tuple):
        return tuple(_unpacked(part) for part in value)
    return value


def _pack_named(arrays: Mapping[str, Any]) -> Parcel:
    return tuple((name, _packed(np.asarray(array))) for name, array in arrays.items())


def _unpack_named(parcel: Parcel) -> dict[str, Any]:
    return {name: _unpacked(array) for name, array in parcel}


def _pack_change(change: Change) -> Parcel:
    if isinstance(change, Outer):
        return "outer", change.connections, _packed(change.post), change.window, _packed(change.pre)
    if isinstance(change, Along):
        trains = None if change.trains is None else (_packed(change.trains.times), _packed(change.trains.cells))
        return "along", change.connections, _packed(change.post), change.kernel, trains
    if isinstance(change, Bias):
        return "bias", change.population, _packed(change.change)
    return "decay", change.connections, change.factor


def _unpack_change(kind: str, name: str, *more: Any) -> Change:
    if kind == "outer":
        post, window, pre = more
        return Outer(name, _unpacked(post), window, _unpacked(pre))
    if kind == "along":
        post, kernel, trains = more
        return Along(name, _unpacked(post), kernel, None if trains is None else Trains(*map(_unpacked, trains)))
    if kind == "bias":
        return Bias(name, _unpacked(more[0]))
    return Decay(name, more[0])


def answers_in_turn(parts: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Return the answers of all examples from those of replicas, which have shown them in turn."""
    if len(parts) == 1:
        return dict(parts[0])
    found = {}
    for name in parts[0]:
        found[name] = np.empty((sum(len(part[name]) for part in parts), *parts[0][name].shape[1:]))
        for replica, part in enumerate(parts):
            found[name][replica :: len(parts)] = part[name]
    return found
