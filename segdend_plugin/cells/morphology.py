"""Reconstructed neurons as arrays: their points, unbranched sections, dendritic regions and sizes.

Pure Python and NumPy. Lengths, coordinates and radii are in um throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SOMA, AXON, BASAL, APICAL = 1, 2, 3, 4
TYPE_NAMES: dict[int, str] = {SOMA: "soma", AXON: "axon", BASAL: "basal", APICAL: "apical"}

NEXUS_REACH = 0.75
"""A side branch belongs to the tuft if it reaches this fraction of the greatest apical path distance."""
NEXUS_DISTANCE = 1 / 3
"""The nexus lies beyond this fraction of the greatest apical path distance."""


@dataclass(frozen=True, eq=False)
class Morphology:
    """The points of one checked reconstruction, in the order of its file, every parent before its children.

    Attributes
    ----------
    name : str
        File name without its ending.
    path : Path
        The file.
    ids, types : ndarray of int, shape (n,)
        Identifier of each point in the file; 1 soma, 2 axon, 3 basal, 4 apical dendrite.
    xyz : ndarray of float, shape (n, 3)
        Coordinates (um).
    radius : ndarray of float, shape (n,)
        Radii (um).
    parent : ndarray of int, shape (n,)
        Index (not identifier) of the parent point, -1 for the root.
    """

    name: str
    path: Path
    ids: np.ndarray
    types: np.ndarray
    xyz: np.ndarray
    radius: np.ndarray
    parent: np.ndarray

    @property
    def soma_centre(self) -> np.ndarray:
        """Mean of the soma points, shape (3,) (um)."""
        centre: np.ndarray = self.xyz[self.types == SOMA].mean(axis=0)
        return centre


@dataclass(frozen=True)
class Section:
    """An unbranched run of points of one type.

    Attributes
    ----------
    type : int
        1 soma, 2 axon, 3 basal, 4 apical dendrite.
    points : tuple of int
        Indices of its points; the first is the point of the parent section that it starts from, if it starts from one.
    parent : int
        Index of the parent section, -1 for the soma.
    length : float
        Path length (um).
    """

    type: int
    points: tuple[int, ...]
    parent: int
    length: float


def sections(morphology: Morphology) -> list[Section]:
    """Split the points into unbranched sections, the soma first and every parent before its children.

    The soma is one section whatever the number of its points. Elsewhere a section ends at a branch point or where the
    type changes. As in NEURON's Import3d, a neurite begins at its own first point, not inside the soma (unless it has
    only that one), and where it forks at this very first point, both branches count as connected to the soma. With a
    soma of several points Import3d may start a neurite at the soma point instead, which makes it longer by the gap.
    """
    types, parent, xyz = morphology.types, morphology.parent.tolist(), morphology.xyz
    children = children_of(parent)
    runs: list[list[int]] = [[point for point in range(len(types)) if types[point] == SOMA]]
    parents: list[int] = [-1]
    home = np.zeros(len(types), dtype=int)  # section in which each point was met first
    for point, above in enumerate(parent):
        if types[point] == SOMA:
            continue
        leaves_soma = types[above] == SOMA
        at_stem = not leaves_soma and types[parent[above]] == SOMA
        alone = len(children[above]) == 1 or (at_stem and children[above][0] == point)
        if not leaves_soma and alone and types[above] == types[point]:
            home[point] = home[above]
            runs[home[point]].append(point)
            continue
        home[point] = len(runs)
        starts_at_parent = not leaves_soma or not _goes_on(point, children, types)
        runs.append([above, point] if starts_at_parent else [point])
        parents.append(0 if at_stem and len(children[above]) > 1 else int(home[above]))

    lengths = [_soma_length(morphology)] + [_length(xyz[run]) for run in runs[1:]]
    return [
        Section(int(types[run[-1]]), tuple(run), above, length)
        for run, above, length in zip(runs, parents, lengths, strict=True)
    ]


def _goes_on(point: int, children: Sequence[Sequence[int]], types: np.ndarray) -> bool:
    """Whether the section that starts at this neighbour of the soma has a second point of its own."""
    return bool(children[point]) and types[children[point][0]] == types[point]


def _length(xyz: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(xyz, axis=0), axis=1).sum())


def _soma_edges(morphology: Morphology) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the soma points that have a parent, and of these parents."""
    points = np.flatnonzero((morphology.types == SOMA) & (morphology.parent >= 0))
    return points, morphology.parent[points]


def _soma_length(morphology: Morphology) -> float:
    """Length of the soma (um): the diameter of a soma of one point, which stands for a sphere."""
    points, above = _soma_edges(morphology)
    if not len(points):
        return 2 * float(morphology.radius[morphology.types == SOMA][0])
    return float(np.linalg.norm(morphology.xyz[points] - morphology.xyz[above], axis=1).sum())


def soma_diameter(morphology: Morphology) -> float:
    """Return the diameter (um) of the sphere with the membrane area of the soma."""
    points, above = _soma_edges(morphology)
    if not len(points):
        return _soma_length(morphology)
    width = morphology.radius[points] + morphology.radius[above]
    slant = np.hypot(
        np.linalg.norm(morphology.xyz[points] - morphology.xyz[above], axis=1),
        morphology.radius[points] - morphology.radius[above],
    )
    return float(np.sqrt((width * slant).sum()))


def path_distances(parent: Sequence[int], length: Sequence[float]) -> list[float]:
    """Return the path distance (um) from the roots (parent -1) to the far end of each section."""
    distance = [0.0] * len(parent)
    for section in _parents_first(parent):
        distance[section] = length[section] + (distance[parent[section]] if parent[section] >= 0 else 0.0)
    return distance


def _parents_first(parent: Sequence[int]) -> list[int]:
    children = children_of(parent)
    order = [section for section, above in enumerate(parent) if above < 0]
    for section in order:  # grows while it is walked
        order.extend(children[section])
    return order


def children_of(parent: Sequence[int]) -> list[list[int]]:
    """Return the children of each point or section, in ascending order, from the index of each one's parent (-1: none).

    Inverts ``Morphology.parent`` as well as the parents of `sections`.
    """
    children: list[list[int]] = [[] for _ in parent]
    for child, above in enumerate(parent):
        if above >= 0:
            children[above].append(child)
    return children


def apical_regions(parent: Sequence[int], length: Sequence[float]) -> list[str]:
    """Name each section of the apical dendrite ``'trunk'``, ``'oblique'`` or ``'tuft'``.

    The *main path* runs from a root to the tip with the greatest path distance D. The *nexus* is the first branch point
    on it that lies beyond D/3 and sends off a side branch with a tip at 0.75 D or farther; the bound of D/3 keeps a
    bifurcation close to the soma from turning the whole dendrite into tuft. The main path up to the nexus is trunk,
    everything beyond the nexus is tuft, all else is oblique: side branches before the nexus and apical trees other
    than the one with the main path. Where there is no nexus, the last section of the main path is the tuft.
    (Of the shipped cells only `mouse_v1_l4_nr5a1` has no nexus. Its main path does not
    branch beyond 48 um, so that its "tuft" is one section from there to the tip: choose sites in it by distance, too.)

    Parameters
    ----------
    parent : sequence of int, length n
        Index of each section's parent, or -1 if that is the soma or lies outside the apical dendrite.
    length : sequence of float, length n
        Length of each section (um).

    Returns
    -------
    list of str, length n
    """
    if not len(parent):
        return []
    children = children_of(parent)
    distance = path_distances(parent, length)
    reach = list(distance)  # path distance of the farthest tip behind each section
    for section in reversed(_parents_first(parent)):
        reach[section] = max([distance[section], *(reach[child] for child in children[section])])

    main = [max((section for section, above in enumerate(parent) if above < 0), key=reach.__getitem__)]
    while children[main[-1]]:
        main.append(max(children[main[-1]], key=reach.__getitem__))

    greatest = reach[main[0]]
    trunk, tuft = main, {main[-1]}
    for position, section in enumerate(main[:-1]):
        sides = [reach[child] for child in children[section] if child != main[position + 1]]
        if distance[section] > NEXUS_DISTANCE * greatest and sides and max(sides) >= NEXUS_REACH * greatest:
            trunk, tuft = main[: position + 1], set(children[section])
            break

    names = ["oblique"] * len(parent)
    for section in _parents_first(parent):
        if section in tuft or (parent[section] >= 0 and names[parent[section]] == "tuft"):
            names[section] = "tuft"
        elif section in trunk:
            names[section] = "trunk"
    return names


def regions(morphology: Morphology) -> list[str]:
    """Return the region of each of `sections`: soma, axon, basal, trunk, oblique or tuft."""
    parts = sections(morphology)
    apical = [index for index, part in enumerate(parts) if part.type == APICAL]
    local = {index: position for position, index in enumerate(apical)}
    names = [TYPE_NAMES[part.type] for part in parts]
    labels = apical_regions(
        [local.get(parts[index].parent, -1) for index in apical], [parts[index].length for index in apical]
    )
    for index, label in zip(apical, labels, strict=True):
        names[index] = label
    return names


def summary(morphology: Morphology) -> dict[str, Any]:
    """Return the figures that describe a morphology.

    Returns
    -------
    dict
        ``name``; ``points``; ``soma_diameter_um``; ``sections`` and ``length_um``, each a dict by type (soma, axon,
        basal, apical); ``apical_length_um``, a dict by region (trunk, oblique, tuft); ``longest_apical_path_um``, from
        where the apical dendrite begins.
    """
    parts, labels = sections(morphology), regions(morphology)
    apical = [part.type == APICAL for part in parts]
    distance = path_distances(
        [part.parent if part.parent >= 0 and apical[part.parent] else -1 for part in parts],
        [part.length for part in parts],
    )
    return {
        "name": morphology.name,
        "points": len(morphology.ids),
        "soma_diameter_um": soma_diameter(morphology),
        "sections": {name: sum(part.type == kind for part in parts) for kind, name in TYPE_NAMES.items()},
        "length_um": {
            name: sum((part.length for part in parts if part.type == kind), 0.0) for kind, name in TYPE_NAMES.items()
        },
        "apical_length_um": {
            region: sum((part.length for part, label in zip(parts, labels, strict=True) if label == region), 0.0)
            for region in ("trunk", "oblique", "tuft")
        },
        "longest_apical_path_um": max(far for far, is_apical in zip(distance, apical, strict=True) if is_apical),
    }
