"""Where on a cell synapses land, and where something is read: plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from segdend_plugin.errors import ConfigError
from segdend_plugin.types import is_number

Region = Literal["tips", "tuft", "nexus", "trunk", "oblique", "apical", "basal", "soma"]
Weighting = Literal["length", "area"]
Inputs = Literal["one", "all"]


@dataclass(frozen=True)
class Landing:
    """Where one kind of synapses lands.

    Attributes
    ----------
    region
        A list of sections of the cell, from which places are drawn; or ``"tips"``, the ends of the tuft branches that
        are farthest from the soma, ``"nexus"``, the end of the trunk where the tuft begins, and ``"soma"``.
    sites
        Places per cell; a tuft with fewer tips gives all it has, nexus and soma are one place.
    weighting
        Whether places are drawn in proportion to dendritic length or to membrane area.
    nearest, farthest
        Path distances from the soma (um) between which a segment's middle must lie.
    per_input
        Whether a presynaptic cell lands on ``"one"`` of the places, or on ``"all"``, its weight shared equally.

    Raises
    ------
    ConfigError
        If a value is not allowed.
    """

    region: str = "basal"
    sites: int = 8
    weighting: Weighting = "length"
    nearest: float = 0.0
    farthest: float | None = None
    per_input: Inputs = "one"

    def __post_init__(self) -> None:
        if not isinstance(self.sites, int) or self.sites < 1:
            raise ConfigError(f"sites={self.sites!r}: give 1 or more.")
        for field, allowed in (("weighting", ("length", "area")), ("per_input", ("one", "all"))):
            if getattr(self, field) not in allowed:
                raise ConfigError(f"{field}={getattr(self, field)!r}: give {' or '.join(map(repr, allowed))}.")
        for field in ("nearest", *(["farthest"] if self.farthest is not None else [])):
            if not is_number(getattr(self, field)):
                raise ConfigError(f"{field}={getattr(self, field)!r}: give a number, in um.")
        if self.nearest < 0 or (self.farthest is not None and self.farthest <= self.nearest):
            raise ConfigError(f"nearest={self.nearest}, farthest={self.farthest}: give 0 um or more, the larger last.")

    @property
    def slots(self) -> int:
        """How many places a set tells apart."""
        return 1 if self.per_input == "all" else self.sites

    @property
    def has_range(self) -> bool:
        """Whether only some distances from the soma are allowed."""
        return self.nearest > 0 or self.farthest is not None

    def reaches(self, distance: float) -> bool:
        """Whether a path distance from the soma (um) is allowed."""
        return self.nearest <= distance and (self.farthest is None or distance <= self.farthest)

    def __str__(self) -> str:
        return f"{self.sites} x {self.region}"


FORWARD, FEEDBACK = Landing(), Landing("tips", 4)
"""Where forward and feedback synapses land if nobody says otherwise: the one home of these defaults."""


@dataclass(frozen=True)
class Place:
    """Where something is read.

    Attributes
    ----------
    region
        ``"soma"``; ``"basal"``, ``"tuft"`` for the sites of the sets that land there; ``"nexus"``, the trunk's end.
    of
        Name of a set instead: where its synapses landed.
    """

    region: str = "soma"
    of: str | None = None


SOMA, NEXUS = Place("soma"), Place("nexus")
