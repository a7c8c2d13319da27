"""Active membranes: which channels are where, applied to a cell that a passive template has made.

Densities are those that Hay et al. (2011) PLoS Comput Biol 7:e1002107 fitted to somatic firing, back-propagation and
calcium spikes of a thick-tufted layer 5 pyramidal neuron of the rat (Table 3, "BAC firing and step current firing").
They are facts about that cell; what they do in another is for `segdend_plugin.cells.behaviour` to measure.

NEURON is imported inside the functions, so that importing this module costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from segdend_plugin.errors import MechanismError, MorphologyError
from segdend_plugin.types import Section, Segment

CELSIUS = 34.0
"""Temperature of the fit (degrees C); the kinetics of the channels depend on NEURON's `celsius`."""
REVERSALS: Mapping[str, float] = MappingProxyType({"na": 50.0, "k": -85.0})
E_LEAK = -90.0
"""Reversal potentials (mV); that of calcium follows from its concentration."""
AXIAL_RESISTIVITY = 100.0
"""Ohm cm."""
SPINY = 2.0
"""Capacitance of dendrites (uF/cm2), whose spines double the membrane."""

HOT_ZONE = 0.15
"""Length of the calcium hot zone beyond the nexus, as a fraction of the longest apical path: 200 of 1300 um."""
LVA_OUTSIDE, HVA_OUTSIDE = 0.01, 0.1
"""Calcium channels outside the hot zone, as a fraction of those inside."""


@dataclass(frozen=True)
class Patch:
    """The membrane of one region.

    Attributes
    ----------
    capacitance
        uF/cm2.
    leak
        Of `pas` (S/cm2).
    densities
        Mechanism -> gbar (S/cm2).
    calcium
        Fraction of the calcium current that is not buffered, and time constant of removal (ms); None without calcium.
    """

    capacitance: float
    leak: float
    densities: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    calcium: tuple[float, float] | None = None


LAYER_5: Mapping[str, Patch] = MappingProxyType(
    {
        "somatic": Patch(
            1.0,
            3.38e-5,
            {
                "SegDendNaT": 2.04,
                "SegDendNaP": 1.72e-3,
                "SegDendKT": 0.0812,
                "SegDendKP": 2.23e-3,
                "SegDendKv3": 0.693,
                "SegDendCaHVA": 9.92e-4,
                "SegDendCaLVA": 3.43e-3,
                "SegDendSK": 0.0441,
                "SegDendH": 2e-4,
            },
            (5.01e-4, 460.0),
        ),
        "axonal": Patch(
            1.0,
            3.25e-5,
            {
                "SegDendNaT": 3.14,
                "SegDendNaP": 6.83e-3,
                "SegDendKT": 0.0893,
                "SegDendKP": 0.973,
                "SegDendKv3": 1.02,
                "SegDendCaHVA": 9.9e-4,
                "SegDendCaLVA": 8.75e-3,
                "SegDendSK": 7.1e-3,
            },
            (2.91e-3, 287.0),
        ),
        "apical": Patch(
            SPINY,
            5.89e-5,
            {
                "SegDendNaT": 0.0213,
                "SegDendKv3": 2.61e-4,
                "SegDendCaHVA": 5.55e-4,
                "SegDendCaLVA": 0.0187,
                "SegDendSK": 1.2e-3,
                "SegDendKM": 6.75e-5,
                "SegDendH": 2e-4,
            },
            (5.09e-4, 122.0),
        ),
        "basal": Patch(SPINY, 4.67e-5, {"SegDendH": 2e-4}),
    }
)
"""Section list -> membrane. Ih and calcium channels of the apical dendrite depend on the distance, too."""


CHANNELS = tuple(f"SegDend{name}" for name in ("NaT", "NaP", "KT", "KP", "Kv3", "KM", "H", "CaHVA", "CaLVA", "SK"))
PARAMETERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {**dict.fromkeys(CHANNELS, ("gbar",)), "SegDendCaDynamics": ("gamma", "decay")}
)
"""Mechanisms of an active membrane beside `pas`, and what differs from place to place."""

SETTLE = 1000.0
"""Time after which a cell is at rest (ms): the slowest gate that moves there needs some 100."""
SETTLE_STEP = 0.1
"""Step of that (ms)."""


def h_profile(distance: float, longest: float) -> float:
    """Return the density of Ih at an apical distance from the soma, in units of the somatic one (Kole et al. 2006).

    Parameters
    ----------
    distance, longest
        Of the place and of the farthest apical tip (um).
    """
    return -0.8696 + 2.087 * math.exp(3.6161 * distance / longest)


def calcium_profile(distance: float, zone: tuple[float, float]) -> tuple[float, float]:
    """Return the densities of high- and low-voltage-activated calcium channels, as fractions of the hot zone's."""
    inside = zone[0] <= distance <= zone[1]
    return (1.0, 1.0) if inside else (HVA_OUTSIDE, LVA_OUTSIDE)


def hot_zone(cell: Any) -> tuple[float, float]:
    """Return the distances from the soma between which calcium channels are dense: beyond the nexus (um)."""
    nexus = nexus_of(cell)
    from neuron import h

    start = float(h.distance(cell.soma[0](0.5), nexus))
    return start, start + HOT_ZONE * longest_path(cell)


def nexus_of(cell: Any) -> Segment:
    """Return where the tuft begins: the near end of the first tuft section.

    Raises
    ------
    MorphologyError
        If the cell has no tuft.
    """
    tuft = list(cell.tuft)
    if not tuft:
        raise MorphologyError("The cell has no apical tuft for a calcium hot zone: give it sections of SWC type 4.")
    return tuft[0](0.0)


def longest_path(cell: Any) -> float:
    """Return the distance from the soma to the farthest apical tip (um)."""
    from neuron import h

    soma = cell.soma[0](0.5)
    return float(max(h.distance(soma, section(1.0)) for section in cell.apical))


def activate(cell: Any, patches: Mapping[str, Patch] = LAYER_5) -> None:
    """Give every section of a SegDendPyramidalPassive its channels, in place.

    Raises
    ------
    MechanismError
        If the mechanisms of this project are not loaded.
    """
    from neuron import h

    if not hasattr(h, "SegDendNaT"):
        raise MechanismError("the mechanism SegDendNaT is not loaded; load the mechanisms before building cells")
    for region, patch in patches.items():
        for section in getattr(cell, region):
            _cover(section, patch)
    soma, longest, zone = cell.soma[0](0.5), longest_path(cell), hot_zone(cell)
    for section in cell.apical:
        for segment in section:
            distance = h.distance(soma, segment)
            high, low = calcium_profile(distance, zone)
            segment.SegDendH.gbar *= h_profile(distance, longest)
            segment.SegDendCaHVA.gbar *= high
            segment.SegDendCaLVA.gbar *= low


def _cover(section: Section, patch: Patch) -> None:
    section.cm, section.Ra = patch.capacitance, AXIAL_RESISTIVITY
    for mechanism, density in patch.densities.items():
        section.insert(mechanism)
        for segment in section:
            getattr(segment, mechanism).gbar = density
    if patch.calcium is not None:
        section.insert("SegDendCaDynamics")
        for segment in section:
            segment.SegDendCaDynamics.gamma, segment.SegDendCaDynamics.decay = patch.calcium
    for segment in section:
        segment.pas.g, segment.pas.e = patch.leak, E_LEAK
    if "SegDendNaT" in patch.densities:
        section.ena, section.ek = REVERSALS["na"], REVERSALS["k"]


def settle(cell: Any, tonic: float) -> dict[Section, list[float]]:
    """Let a cell come to rest and return the potentials (mV) of the segments of each section.

    All that NEURON holds is simulated; `h.celsius` is set to the temperature of the fit.

    Parameters
    ----------
    cell
        One of :func:`activate`.
    tonic
        Steady current into the soma (nA).

    Raises
    ------
    MorphologyError
        If the cell fires by itself.
    """
    from neuron import h

    soma = cell.soma[0](0.5)
    clamp = h.IClamp(soma)
    clamp.dur, clamp.amp = 1e9, tonic
    h.celsius, h.dt = CELSIUS, SETTLE_STEP
    h.finitialize(-80.0)
    steps = round(SETTLE / SETTLE_STEP)
    for step in range(steps):
        h.fadvance()
        if 2 * step > steps and soma.v > -30.0:
            raise MorphologyError(f"The cell fires by itself with a tonic current of {tonic:g} nA: lower it.")
    return {section: [segment.v for segment in section] for section in cell.all}
