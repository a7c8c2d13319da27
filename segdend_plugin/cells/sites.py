"""Where feed-forward and feedback synapses land on a cell's tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from segdend_plugin.errors import MorphologyError
from segdend_plugin.types import Array, Section, Segment


@dataclass(frozen=True)
class StandIn:
    """The basal dendrites of a full cell, for which a few places on a reduced cell stand.

    Attributes
    ----------
    lengths
        Of the full cell's basal sections (um).
    shares
        For each of these sections, how each of its segments divides among the places, shape (n_segments, n_places);
        rows add up to 1.
    report
        What people want to know of the reduction: numbers of compartments, and errors.
    """

    lengths: Sequence[float]
    shares: Sequence[Array]
    report: Mapping[str, Any]

    def spread(self, count: int, rng: np.random.Generator) -> Array:
        """Return the shares of places drawn as :func:`spread_by_length` draws them, shape (count, n_places)."""
        drawn = spread_by_length(self.lengths, count, rng)
        return np.array([self.shares[k][segment_at(x, len(self.shares[k]))] for k, x in drawn])


def segment_at(x: float, count: int) -> int:
    """Return which of a section's `count` segments the position `x`, 0 to 1, lies in."""
    return min(int(x * count), count - 1)


def spread_by_length(lengths: Sequence[float], count: int, rng: np.random.Generator) -> list[tuple[int, float]]:
    """Return `count` places, drawn with probability proportional to dendritic length.

    Parameters
    ----------
    lengths
        Of the sections of the region (um), in an order that is the same in every cell of a kind.
    count
        How many places.
    rng
        Stream of this cell.

    Returns
    -------
    list of (int, float)
        Index of the section and position along it, 0 to 1.
    """
    if not lengths:
        raise MorphologyError("The cell has no basal dendrite to put synapses on: give it sections of SWC type 3.")
    ends = np.cumsum(lengths)
    places = rng.uniform(0.0, ends[-1], count)
    chosen = np.searchsorted(ends, places, side="right")
    return [(int(k), float(1.0 - (ends[k] - place) / lengths[k])) for k, place in zip(chosen, places, strict=True)]


def most_distal_tips(sections: Sequence[Section], soma: Segment, count: int) -> list[Segment]:
    """Return the last segments of the `count` terminal sections that are farthest from the soma by path.

    Parameters
    ----------
    sections
        The region, usually the tuft.
    soma
        Where distance is measured from.
    count
        How many tips at most; a region with fewer tips gives all of them.
    """
    from neuron import h

    if not sections:
        raise MorphologyError("The cell has no apical tuft for feedback to land on: give it sections of SWC type 4.")
    names = {section.name() for section in sections}
    tips = [s for s in sections if not any(child.name() in names for child in s.children())]
    tips.sort(key=lambda section: -h.distance(soma, section(1)))
    return [section(1.0 - 0.5 / section.nseg) for section in tips[:count]]
