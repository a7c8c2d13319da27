"""Where feed-forward and feedback synapses land on a cell's tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, get_args

import numpy as np

from segdend_plugin.errors import MorphologyError
from segdend_plugin.model.places import Landing, Region
from segdend_plugin.types import Section, Segment

Place: TypeAlias = tuple[int, float]
"""Index of a section of the region and position along it, 0 to 1."""
Piece: TypeAlias = tuple[int, float, float, float]
"""Index of a section, where the piece begins and ends along it, and its weight in random draws."""

FIXED = ("tips", "nexus", "soma")
"""Regions whose places are not drawn."""


@dataclass(frozen=True)
class Candidates:
    """What the places of every cell of a kind are chosen from: plain data, which needs no cell.

    Attributes
    ----------
    sites
        Places per cell.
    fixed
        Those that follow from the shape alone, to be taken in turns.
    pieces
        What they are drawn from where there are no fixed ones.
    """

    sites: int
    fixed: tuple[Place, ...]
    pieces: tuple[Piece, ...]

    def places(self, rng: np.random.Generator) -> list[Place]:
        """Return the places of the cell that has this stream."""
        if self.pieces:
            return draw(self.pieces, self.sites, rng)
        return [self.fixed[k % len(self.fixed)] for k in range(self.sites)]


@dataclass(frozen=True)
class Ground:
    """The sections of one cell that synapses may land on, in an order that is the same in every cell of a kind.

    Attributes
    ----------
    sections
        Those of the region.
    soma
        Where distance is measured from.
    landing
        What is wanted of them.
    what
        How messages speak of cell and region.
    """

    sections: Sequence[Section]
    soma: Segment
    landing: Landing
    what: str

    @property
    def is_fixed(self) -> bool:
        """Whether places follow from the shape alone."""
        return self.landing.region in FIXED

    def segment(self, place: Place) -> Segment:
        """Return the segment that a place lies in."""
        k, x = place
        return self.sections[k](x)

    def segments(self) -> list[Place]:
        """Return the middle of every segment, section by section."""
        return [(k, segment.x) for k, section in enumerate(self.sections) for segment in section]

    def pieces(self) -> list[Piece]:
        """Return what places are drawn from: whole sections, or the segments that the range leaves."""
        landing = self.landing
        if landing.weighting == "length" and not landing.has_range:
            return [(k, 0.0, 1.0, section.L) for k, section in enumerate(self.sections)]
        found = []
        for k, section in enumerate(self.sections):
            half = 0.5 / section.nseg
            for segment in section:
                if landing.reaches(self._distance(segment)):
                    weight = segment.area() if landing.weighting == "area" else section.L / section.nseg
                    found.append((k, segment.x - half, segment.x + half, float(weight)))
        return self._some(found)

    def fixed(self) -> list[Place]:
        """Return the places of a region whose places are not drawn."""
        landing, index = self.landing, {section.name(): k for k, section in enumerate(self.sections)}
        if landing.region == "soma":
            found = [self.soma]
        elif landing.region == "nexus":
            found = [section(1.0 - 0.5 / section.nseg) for section in self.sections]
        else:
            found = most_distal_tips(self.sections, self.soma, len(self.sections))
        allowed = [(index[s.sec.name()], s.x) for s in found if landing.reaches(self._distance(s))]
        return self._some(allowed)[: landing.sites]

    def candidates(self) -> Candidates:
        """Return what the places of any cell of the kind are chosen from."""
        fixed, pieces = (self.fixed(), []) if self.is_fixed else ([], self.pieces())
        return Candidates(self.landing.sites, tuple(fixed), tuple(pieces))

    def _distance(self, segment: Segment) -> float:
        from neuron import h

        return float(h.distance(self.soma, segment))

    def _some(self, found: list[Any]) -> list[Any]:
        if found:
            return found
        distances = [self._distance(self.segment(place)) for place in self.segments()]
        wanted = f"{self.landing.nearest:g} um" + (f" to {self.landing.farthest:g} um" if self.landing.farthest else "")
        raise MorphologyError(
            f"{self.what} has nothing {wanted} from the soma, it spans {min(distances):.0f} to {max(distances):.0f} um:"
            " change nearest or farthest."
        )


def ground(kind: str, soma: Segment, regions: Mapping[str, Sequence[Section]], landing: Landing, role: str) -> Ground:
    """Return the sections of a cell that a landing speaks of.

    Parameters
    ----------
    kind
        What messages call the cell.
    soma
        The segment that spikes.
    regions
        Sections of the cell by region.
    landing
        What is wanted.
    role
        ``"feedforward"`` or ``"feedback"``.

    Raises
    ------
    MorphologyError
        If the cell has no such region.
    """
    region = landing.region
    if region == "soma":
        sections = [soma.sec]
    elif region == "nexus":
        sections = _nexus(regions)
    else:
        sections = list(regions.get("tuft" if region == "tips" else region, ()))
    if not sections:
        has = [name for name in get_args(Region) if regions.get(name)]
        raise MorphologyError(
            f"placement.{role}.region={region!r}: the cell {kind!r} has none, it has {', '.join(has) or 'only a soma'}:"
            " choose another region or cell."
        )
    return Ground(sections, soma, landing, f"placement.{role}: the region {region!r} of the cell {kind!r}")


def nexus(regions: Mapping[str, Sequence[Section]]) -> Segment | None:
    """Return the last segment of the trunk, where the tuft begins; None in a cell without a trunk or a tuft."""
    return next((section(1.0 - 0.5 / section.nseg) for section in _nexus(regions)), None)


def _nexus(regions: Mapping[str, Sequence[Section]]) -> list[Section]:
    tuft = {section.name() for section in regions.get("tuft", ())}
    ends = [s for s in regions.get("trunk", ()) if any(child.name() in tuft for child in s.children())]
    return ends[:1]


def segment_at(x: float, count: int) -> int:
    """Return which of a section's `count` segments the position `x`, 0 to 1, lies in."""
    return min(int(x * count), count - 1)


def draw(pieces: Sequence[Piece], count: int, rng: np.random.Generator) -> list[Place]:
    """Return `count` places, drawn with probability proportional to the weights of the pieces.

    Parameters
    ----------
    pieces
        In an order that is the same in every cell of a kind.
    count
        How many places.
    rng
        Stream of this cell.
    """
    ends = np.cumsum([weight for *_, weight in pieces])
    drawn = rng.uniform(0.0, ends[-1], count)
    places = []
    for chosen, place in zip(np.searchsorted(ends, drawn, side="right"), drawn, strict=True):
        k, start, end, weight = pieces[int(chosen)]
        along = float(1.0 - (ends[chosen] - place) / weight)
        places.append((k, start + along * (end - start)))
    return places


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
