"""What a cell's shape does to signals between its basal dendrites, its soma and the tuft: what people are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from segdend_plugin.cells import cable
from segdend_plugin.cells.cable import Complex
from segdend_plugin.cells.electrotonics import Port, Segregation, port_impedance, probe_from, segregation_of
from segdend_plugin.errors import MorphologyError
from segdend_plugin.types import Array, Section, Segment

FREQUENCIES = np.concatenate([np.arange(0, 50, 5.0), np.arange(50, 100, 10.0), np.arange(100, 501, 25.0)])
"""Where a cell is measured unless other frequencies are given (Hz)."""
AC_LENGTH = 100.0
"""Frequency of the electrotonic lengths beside those for steady currents (Hz)."""
PORTS = ("basal", "soma", "tuft")
"""The groups of places between which a cell is measured."""


@dataclass(frozen=True)
class Branch:
    """A dendritic section as steady signals see it.

    Attributes
    ----------
    region
        basal, trunk, oblique or tuft.
    distance
        Path length from the soma (um) of the place that it starts from, the middle of each segment, and its end,
        shape (2 + n_segments,).
    length, length_ac
        The same in length constants, of steady currents and at `AC_LENGTH`.
    from_soma
        Potential there for a somatic potential of 1 that somatic current makes.
    to_soma
        Somatic potential for a potential there of 1 that current there makes.
    """

    region: str
    distance: Array
    length: Array
    length_ac: Array
    from_soma: Array
    to_soma: Array


@dataclass(frozen=True)
class Site:
    """A place where feedback lands; the numbers are those of `Branch`, and the input impedance (MOhm)."""

    section: str
    x: float
    distance: float
    length: float
    length_ac: float
    input: float
    from_soma: float
    to_soma: float


@dataclass(frozen=True)
class Electrotonics:
    """What a cell's shape does to signals between its basal dendrites, its soma and the tuft.

    Attributes
    ----------
    frequencies
        In Hz, shape (n,); the first is 0.
    impedance
        Complex impedances (MOhm) of the ports `PORTS`, shape (n, 3, 3). The basal port is all of the basal dendrites,
        evenly by length; the tuft is all sites of feedback, evenly.
    sites
        These.
    branches
        All dendrites.
    """

    frequencies: Array
    impedance: Complex
    sites: Sequence[Site]
    branches: Sequence[Branch]

    def between(self, first: str, second: str) -> Complex:
        """Return the transfer impedance (MOhm) of two ports, or the input impedance of one, shape (n,)."""
        return self.impedance[:, PORTS.index(first), PORTS.index(second)]

    def attenuation(self, source: str, target: str) -> Array:
        """Return which part of the potential of a port, made by current there, arrives at another, shape (n,)."""
        return cable.attenuation(self.between(source, source), self.between(source, target))

    def index(self, first: str, second: str) -> Array:
        """Return the segregation index of two ports at each frequency, shape (n,)."""
        return cable.segregation_index(*self._pair(first, second))

    def independence(self, first: str, second: str) -> Array:
        """Return the independence index of two ports at each frequency, shape (n,)."""
        return cable.independence_index(*self._pair(first, second))

    def segregation(self) -> Segregation:
        """Return the steady numbers that calibration and the summary of a run hold."""
        order = [PORTS.index(port) for port in ("tuft", "soma", "basal")]
        return segregation_of(self.impedance[0][np.ix_(order, order)], len(self.sites))

    def extent(self) -> dict[str, dict[str, float]]:
        """Return distances and electrotonic lengths from the soma.

        Returns
        -------
        dict
            For ``distance``, ``length`` and ``length_ac``: mean, least and greatest of the tuft sites, mean (over
            the length of dendrite) and greatest of the basal dendrites, and the greatest of the apical one.
        """
        basal = [branch for branch in self.branches if branch.region == "basal"]
        apical = [branch for branch in self.branches if branch.region != "basal"]
        found = {}
        for measure in ("distance", "length", "length_ac"):
            sites = [getattr(site, measure) for site in self.sites]
            middle = np.concatenate([getattr(branch, measure)[1:-1] for branch in basal])
            weight = np.concatenate([np.full(len(b.distance) - 2, _step(b)) for b in basal])
            found[measure] = {
                "tuft_mean": float(np.mean(sites)),
                "tuft_least": float(min(sites)),
                "tuft_greatest": float(max(sites)),
                "basal_mean": float(np.average(middle, weights=weight)),
                "basal_greatest": float(max(getattr(branch, measure)[-1] for branch in basal)),
                "apical_greatest": float(max(getattr(branch, measure)[-1] for branch in apical)),
            }
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the single branches as plain data: MOhm, um, Hz, and fractions."""
        pairs = [(a, b) for k, a in enumerate(PORTS) for b in PORTS[k + 1 :]]
        return {
            "frequency": self.frequencies.tolist(),
            "input": {port: np.abs(self.between(port, port)).tolist() for port in PORTS},
            "transfer": {f"{a}-{b}": np.abs(self.between(a, b)).tolist() for a, b in pairs},
            "attenuation": {f"{a}->{b}": self.attenuation(a, b).tolist() for a in PORTS for b in PORTS if a != b},
            "segregation_index": {f"tuft-{b}": self.index("tuft", b).tolist() for b in ("basal", "soma")},
            "independence_index": {f"tuft-{b}": self.independence("tuft", b).tolist() for b in ("basal", "soma")},
            "extent": self.extent(),
            "tuft_sites": [asdict(site) for site in self.sites],
        }

    def _pair(self, first: str, second: str) -> tuple[Complex, Complex, Complex]:
        return self.between(first, first), self.between(second, second), self.between(first, second)


def measure(
    soma: Segment,
    regions: Mapping[str, Sequence[Section]],
    tuft: Sequence[Segment],
    frequencies: Array = FREQUENCIES,
) -> Electrotonics:
    """Measure a cell whose root section is its soma, and which has a leak `pas` everywhere.

    Parameters
    ----------
    soma
        The segment that spikes.
    regions
        Sections by region: ``basal``, and at least one of ``trunk``, ``oblique`` and ``tuft``.
    tuft
        Segments that feedback lands on.
    frequencies
        In Hz, the first 0.
    """
    basal = [segment for section in regions["basal"] for segment in section]
    if not basal or not tuft:
        raise MorphologyError("The cell has no basal dendrite or no tuft site: give it sections of SWC types 3 and 4.")
    ports = [Port.by_length(basal), Port.evenly([soma]), Port.evenly(tuft)]
    tree = _Tree(soma)
    return Electrotonics(
        np.asarray(frequencies, dtype=float),
        np.array([port_impedance(ports, frequency) for frequency in frequencies]),
        [tree.site(place) for place in tuft],
        [tree.branch(name, section) for name, sections in regions.items() for section in sections],
    )


class _Tree:
    """Paths from a soma, and steady signals along them."""

    def __init__(self, soma: Segment) -> None:
        self.soma = soma
        self.probe = probe_from(soma, 0.0)
        self.own = self.probe.input(soma)

    def site(self, place: Segment) -> Site:
        name = place.sec.name().rsplit(".", 1)[-1]
        own = self.probe.input(place)
        distance, length, length_ac = map(float, self._paths(place))
        from_soma, to_soma = self._signals(place)
        return Site(name, place.x, distance, length, length_ac, own, from_soma, to_soma)

    def branch(self, region: str, section: Section) -> Branch:
        places = [section.parentseg(), *section, section(1 - section.orientation())]
        paths = np.array([self._paths(place) for place in places])
        signals = np.array([self._signals(place) for place in places])
        return Branch(region, *paths.T, *signals.T)

    def _signals(self, place: Segment) -> tuple[float, float]:
        transfer = self.probe.transfer(place)
        return transfer / self.own, transfer / self.probe.input(place)

    def _paths(self, place: Segment) -> Array:
        """Return the path from the soma in um, in steady length constants and in those at `AC_LENGTH`."""
        section, x, total = place.sec, place.x, np.zeros(3)
        while section != self.soma.sec:
            total += _along(section, section.orientation(), x)
            above = section.parentseg()
            if above is None:
                raise MorphologyError(f"The section {section.name()!r} does not hang on the soma: make that the root.")
            section, x = above.sec, above.x
        return total + _along(section, self.soma.x, x)


def _along(section: Section, begin: float, end: float) -> Array:
    """Return the length of a piece of a section in um, in steady length constants and in those at `AC_LENGTH`.

    Between traced points the diameter is linear, and the integral of dx / sqrt(d) is 2 dx / (sqrt(d0) + sqrt(d1)).
    """
    arcs, diameters = _traced(section)
    low, high = (np.clip(x * section.L, arcs[:-1], arcs[1:]) for x in sorted((begin, end)))
    is_inside = high > low
    slope = np.diff(diameters)[is_inside] / np.diff(arcs)[is_inside]
    low, high, near = low[is_inside], high[is_inside], arcs[:-1][is_inside]
    ends = (diameters[:-1][is_inside] + slope * (x - near) for x in (low, high))
    diameter = (sum(np.sqrt(d) for d in ends) / 2) ** 2
    membrane = (section.Ra, section(0.5).pas.g, section(0.5).cm)
    constants = [cable.length_constant(diameter, *membrane, frequency) for frequency in (0.0, AC_LENGTH)]
    return np.array([np.sum((high - low) / constant) for constant in (np.ones(len(low)), *constants)])


def _traced(section: Section) -> tuple[Array, Array]:
    """Return arc lengths and diameters (um) of the points of a section, of its ends where it has no points."""
    n = section.n3d()
    if n < 2:
        return np.array([0.0, section.L]), np.full(2, section.diam)
    return np.array([section.arc3d(k) for k in range(n)]), np.array([section.diam3d(k) for k in range(n)])


def _step(branch: Branch) -> float:
    """Return the length of the segments of a branch (um), twice the way to the middle of the first."""
    return 2 * float(branch.distance[1] - branch.distance[0])
