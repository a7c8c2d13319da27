"""Where learning has gone astray: numbers that are no longer finite, and layers whose cells can learn nothing more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from segdend_plugin.model.places import SOMA
from segdend_plugin.model.wants import Average, Want
from segdend_plugin.types import Array

if TYPE_CHECKING:
    from segdend_plugin.engine.network import Network

FLAT = 37.0
"""Potential (units) beyond which the slope of the rate is lost in rounding: exp(-37) < 2^-53."""
Recent: TypeAlias = "Sequence[tuple[int, Mapping[Average, Array]]]"
"""Numbers of examples, and the :func:`readings` of each."""
Finding: TypeAlias = "tuple[int, int, int, str]"
"""Example, population, cell and a sentence: of several, the smallest is the one to tell, on any number of ranks."""
Counts: TypeAlias = "dict[str, tuple[int, int]]"
"""Population -> how many of its cells on this rank are beyond `FLAT`, and how many there are."""


def readings(seen: Mapping[Want, Array]) -> dict[Average, Array]:
    """Return what is looked at of what was seen: averages, which take little room until then."""
    return {want: values for want, values in seen.items() if isinstance(want, Average)}


def look(network: Network, recent: Recent) -> tuple[Finding | None, Counts]:
    """Return what is not finite on this rank, of weights, biases and readings, and which cells are on the flat.

    Parameters
    ----------
    network
        Its weights are looked at as they are now.
    recent
        What was seen since the last look, at least one example.
    """
    found = [*_in_readings(network, recent), *_in_weights(network, recent[-1][0])]
    return min(found, default=None), _on_the_flat(network, recent[-1][1])


def sentence(looks: Sequence[tuple[Finding | None, Counts]], example: int) -> str | None:
    """Return what is wrong from what every rank has found, None where nothing is.

    Parameters
    ----------
    looks
        Of every rank.
    example
        The last one, of which cells were counted.
    """
    findings = [finding for finding, _ in looks if finding is not None]
    if findings:
        return min(findings)[-1]
    for name in looks[0][1]:
        flat, n = np.sum([counts[name] for _, counts in looks], axis=0)
        if 2 * flat > n:
            return (
                f"in example {example}, {flat} of {n} cells of {name!r} are more than {FLAT:g} units from rest, where "
                "their rate is flat and nothing can be learned"
            )
    return None


def _in_readings(network: Network, recent: Recent) -> list[Finding]:
    found: list[Finding] = []
    order = {p.name: k for k, p in enumerate(network.graph.populations)}
    for want in dict.fromkeys(want for _, seen in recent for want in seen):
        examples = [example for example, seen in recent if want in seen]
        values = np.array([seen[want] for _, seen in recent if want in seen])
        if np.isfinite(values).all():
            continue
        row, cell = np.argwhere(~np.isfinite(values))[0].tolist()
        local = network.local(want.population)
        position = cell if want.whole else int(local[cell])
        place = "" if want.place == SOMA else f" of its {want.place.region if want.place.of is None else 'tuft'}"
        text = (
            f"in example {examples[row]} the {want.quantity}{place} of {_cell(network, want.population, position)} is "
            f"{values[row, cell]}"
        )
        found.append((examples[row], order[want.population], position, text))
    return found


def _in_weights(network: Network, example: int) -> list[Finding]:
    order = {p.name: k for k, p in enumerate(network.graph.populations)}
    return [
        (
            example,
            order[population],
            position,
            f"after example {example} a {what} onto {_cell(network, population, position)} is not finite",
        )
        for what, population, position in network.not_finite()
    ]


def _on_the_flat(network: Network, seen: Mapping[Average, Array]) -> Counts:
    counts: Counts = {}
    for want, values in seen.items():
        if want.quantity == "potential" and want.place == SOMA:
            local = values[network.local(want.population)] if want.whole else values
            counts.setdefault(want.population, (int(np.sum(np.abs(local) > FLAT)), len(local)))
    return counts


def _cell(network: Network, population: str, position: int) -> str:
    """Return how messages call a cell; one of another rank without its gid."""
    gid = dict(zip(network.local(population).tolist(), network.gids(population), strict=True)).get(position)
    return f"cell {position} of {population!r}" + ("" if gid is None else f" (gid {gid})")
