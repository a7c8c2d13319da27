"""Reconstructed neurons as arrays: the shipped catalogue, reading and checking of SWC files, dendritic regions.

Pure Python and NumPy. Lengths, coordinates and radii are in um throughout.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from segdend_plugin.errors import MorphologyError
from segdend_plugin.resources import folder

SOMA, AXON, BASAL, APICAL = 1, 2, 3, 4
TYPE_NAMES: dict[int, str] = {SOMA: "soma", AXON: "axon", BASAL: "basal", APICAL: "apical"}

NEXUS_REACH = 0.75
"""A side branch belongs to the tuft if it reaches this fraction of the greatest apical path distance."""
NEXUS_DISTANCE = 1 / 3
"""The nexus lies beyond this fraction of the greatest apical path distance."""


@dataclass(frozen=True)
class CatalogueEntry:
    """A shipped reconstruction and where it comes from.

    Attributes
    ----------
    name, file : str
        Name to ask for; file name in ``templates/morphologies``.
    species, area, layer : str
        Animal, cortical area and cortical layer of the soma.
    specimen, reconstruction : int
        Identifiers of the Allen Cell Types Database.
    source, licence, description : str
        Package and file it was taken from; licence and the file that holds its text; one line for people.
    """

    name: str
    file: str
    species: str
    area: str
    layer: str
    specimen: int
    reconstruction: int
    source: str
    licence: str
    description: str


_BMTK = "bmtk 1.2.0, bmtk/utils/scripts/bionet/morphologies/"
_ALLEN_LICENCE = "BSD-3-Clause (LICENSE-Allen-Institute-BSD-3-Clause.txt)"

CATALOGUE: dict[str, CatalogueEntry] = {
    entry.name: entry
    for entry in (
        CatalogueEntry(
            name="mouse_v1_l4_nr5a1",
            file="mouse_v1_l4_nr5a1.swc",
            species="mouse",
            area="VISp",
            layer="4",
            specimen=318808427,
            reconstruction=471087815,
            source=_BMTK + "Nr5a1_471087815_m.swc",
            licence=_ALLEN_LICENCE,
            description="Layer 4 pyramidal cell of an Nr5a1-Cre mouse: small, with a short apical dendrite",
        ),
        CatalogueEntry(
            name="mouse_v1_l4_rorb",
            file="mouse_v1_l4_rorb.swc",
            species="mouse",
            area="VISp",
            layer="4",
            specimen=314804042,
            reconstruction=325404214,
            source=_BMTK + "Rorb_325404214_m.swc",
            licence=_ALLEN_LICENCE,
            description="Layer 4 pyramidal cell of a Rorb-Cre mouse",
        ),
        CatalogueEntry(
            name="mouse_v1_l4_scnn1a",
            file="mouse_v1_l4_scnn1a.swc",
            species="mouse",
            area="VISp in one source, a lateral visual area in another",
            layer="4",
            specimen=395830185,
            reconstruction=473845048,
            source=_BMTK + "Scnn1a_473845048_m.swc",
            licence=_ALLEN_LICENCE,
            description="Layer 4 pyramidal cell of an Scnn1a-Cre mouse, visual cortex (the sources differ on the area)",
        ),
        CatalogueEntry(
            name="mouse_v1_l5_rbp4",
            file="mouse_v1_l5_rbp4.swc",
            species="mouse",
            area="VISp",
            layer="5",
            specimen=488683425,
            reconstruction=527109145,
            source="arbor 0.12.1 sdist, python/example/single_cell_allen.swc",
            licence="BSD-3-Clause (LICENSE-Arbor-BSD-3-Clause.txt)",
            description="Layer 5 thick-tufted pyramidal cell of an Rbp4-Cre mouse, the nearest to the paper's Fig 3A",
        ),
    )
}


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


def find(name_or_file: str) -> Path:
    """Return the SWC file of a catalogue name, or the given path of an existing SWC file.

    Raises
    ------
    MorphologyError
        If it is neither.
    """
    if name_or_file in CATALOGUE:
        return folder("templates") / "morphologies" / CATALOGUE[name_or_file].file
    if name_or_file == "three_compartment":
        raise MorphologyError(
            "morphology: 'three_compartment' is the lumped cell and has no shape; "
            f"name one of {', '.join(CATALOGUE)} or an .swc file"
        )
    path = Path(name_or_file).expanduser()
    if path.suffix.lower() == ".swc":
        if path.is_file():
            return path
        raise MorphologyError(f"morphology: there is no file '{name_or_file}'; check the path")
    if path.is_file() or path.suffix.lower() in {".asc", ".hoc", ".xml", ".nml", ".dat"}:
        raise MorphologyError(f"morphology: only SWC files are read, so convert '{name_or_file}' to .swc")
    near = difflib.get_close_matches(name_or_file, CATALOGUE, n=1)
    remedy = f"did you mean '{near[0]}'?" if near else f"name one of {', '.join(CATALOGUE)} or an .swc file"
    raise MorphologyError(f"morphology: '{name_or_file}' is not known; {remedy}")


class _Point(NamedTuple):
    id: int
    type: int
    xyz: tuple[float, float, float]
    radius: float
    parent: int


def read_swc(path: str | Path) -> Morphology:
    """Read an SWC file and check that a learning pyramidal cell can be built from it; nothing is repaired.

    Parameters
    ----------
    path : str or Path
        An SWC file: ``id type x y z radius parent`` a line, ``#`` before comments, further columns ignored.

    Raises
    ------
    MorphologyError
        If the file cannot be read or parsed, if its points are not one tree rooted at the soma with every parent
        before its children, if a coordinate, radius or type is out of range, or if a basal
        or apical dendrite is missing.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8", errors="replace")
    except OSError as error:
        raise MorphologyError(f"{path}: cannot be read ({error.strerror}); check path and permissions") from error
    # Only newlines separate lines, as for Import3d, which reads the same file afterwards.
    points = [_point(path, number, line) for number, line in enumerate(text.split("\n"), 1) if _has_data(line)]
    if not points:
        raise MorphologyError(f"{path}: holds no points; give an SWC file with lines of 'id type x y z radius parent'")
    parent = _check_tree(path, points)
    _check_types(path, points, parent)
    _check_stems(path, points, parent)
    morphology = Morphology(
        name=path.stem,
        path=path,
        ids=np.array([point.id for point in points]),
        types=np.array([point.type for point in points]),
        xyz=np.array([point.xyz for point in points]),
        radius=np.array([point.radius for point in points]),
        parent=np.array(parent),
    )
    _check_lengths(path, morphology)
    return morphology


def _has_data(line: str) -> bool:
    stripped = line.strip()
    return bool(stripped) and not stripped.startswith("#")


def _point(path: Path, number: int, line: str) -> _Point:
    """Parse one line of numbers and check what one line can tell."""
    fields = line.split()[:7]
    try:
        values = [float(field) for field in fields]
    except ValueError:
        values = []
    if len(values) < 7:
        raise MorphologyError(
            f"{path}: line {number} is '{line.strip()[:60]}'; write seven numbers 'id type x y z radius parent'"
        )
    identifiers, xyz, radius = (values[0], values[1], values[6]), (values[2], values[3], values[4]), values[5]
    if not all(value.is_integer() for value in identifiers):
        raise MorphologyError(
            f"{path}: line {number} has id {fields[0]}, type {fields[1]} and parent {fields[6]}; write integers"
        )
    if not all(math.isfinite(value) for value in xyz):
        raise MorphologyError(f"{path}: line {number} has the coordinates {' '.join(fields[2:5])}; write finite um")
    if not (math.isfinite(radius) and radius > 0):
        raise MorphologyError(f"{path}: line {number} has the radius {fields[5]}; give it a finite radius above 0 um")
    return _Point(int(values[0]), int(values[1]), xyz, radius, int(values[6]))


def _check_tree(path: Path, points: Sequence[_Point]) -> list[int]:
    """Return the index of each point's parent (-1: root) of one tree in an order that Import3d survives."""
    index: dict[int, int] = {}
    for position, point in enumerate(points):
        if point.id in index:
            raise MorphologyError(f"{path}: the id {point.id} occurs twice; give each point an id of its own")
        index[point.id] = position
    if all(point.type != SOMA for point in points):
        raise MorphologyError(f"{path}: no point has type 1 (soma); mark the soma points with type 1")
    roots = [point.id for point in points if point.parent == -1 or point.parent not in index]
    if len(roots) > 1:
        shown = ", ".join(map(str, roots[:5])) + (", ..." if len(roots) > 5 else "")
        raise MorphologyError(
            f"{path}: has {len(roots)} roots (points {shown} have parent -1 or a parent that does not exist); "
            "connect them into one tree"
        )
    if roots and points[index[roots[0]]].parent != -1:
        root = points[index[roots[0]]]
        raise MorphologyError(f"{path}: the parent {root.parent} of point {root.id} does not exist; a root has -1")
    looped = _on_or_behind_cycle(points)
    if looped:
        raise MorphologyError(
            f"{path}: the parents of point {min(looped)} run in a cycle and never reach a root; correct its parent"
        )
    parent = [index.get(point.parent, -1) for point in points]
    for position, point in enumerate(points):
        if parent[position] >= position:
            raise MorphologyError(
                f"{path}: point {point.id} comes before its parent {point.parent}; sort the points, parents first"
            )
        if position and point.id < points[position - 1].id:
            raise MorphologyError(
                f"{path}: the id {point.id} follows {points[position - 1].id}; renumber the points in ascending order"
            )
    return parent


def _on_or_behind_cycle(points: Sequence[_Point]) -> set[int]:
    """Return the ids of the points from which no walk over the parents reaches the root."""
    children: dict[int, list[int]] = {}
    for point in points:
        children.setdefault(point.parent, []).append(point.id)
    reached: set[int] = set()
    front = children.get(-1, [])
    while front:
        reached.update(front)
        front = [child for point in front for child in children.get(point, [])]
    return {point.id for point in points} - reached


def _check_types(path: Path, points: Sequence[_Point], parent: Sequence[int]) -> None:
    for point, above in zip(points, parent, strict=True):
        if point.type not in TYPE_NAMES:
            raise MorphologyError(
                f"{path}: point {point.id} has type {point.type}; use 1 (soma), 2 (axon), 3 (basal) or 4 (apical)"
            )
        if above == -1 and point.type != SOMA:
            raise MorphologyError(f"{path}: the root, point {point.id}, has type {point.type}; root the tree in a soma")
        if above >= 0 and point.type == SOMA and points[above].type != SOMA:
            raise MorphologyError(
                f"{path}: the soma point {point.id} hangs on point {points[above].id} of type {points[above].type}; "
                "connect the soma points with each other"
            )
        if above >= 0 and points[above].type == AXON and point.type != AXON:
            raise MorphologyError(
                f"{path}: point {point.id} of type {point.type} hangs on the axon, which is replaced; move it"
            )
    types = {point.type for point in points}
    if BASAL not in types:
        raise MorphologyError(f"{path}: has no basal dendrite (type 3), where feed-forward synapses land; mark it")
    if APICAL not in types:
        raise MorphologyError(f"{path}: has no apical dendrite (type 4) and learning needs a tuft; mark its points")


def _check_stems(path: Path, points: Sequence[_Point], parent: Sequence[int]) -> None:
    """Refuse a neurite that is interrupted after its first point: Import3d would tie its branches to other sections."""
    children = _children(parent)
    for position, point in enumerate(points):
        is_stem = point.type != SOMA and points[parent[position]].type == SOMA
        if not is_stem or not children[position]:
            continue
        first = children[position][0]
        if first != position + 1:
            raise MorphologyError(
                f"{path}: point {points[first].id} does not follow its parent {point.id}, which begins a neurite; "
                "sort the points branch by branch"
            )
        others = [points[child].type for child in children[position] if points[child].type != point.type]
        if others and len(children[position]) > 1:
            raise MorphologyError(
                f"{path}: point {point.id} begins a neurite of type {point.type} and forks at once into type "
                f"{others[0]}; give both branches its type"
            )


def _check_lengths(path: Path, morphology: Morphology) -> None:
    for section in sections(morphology):
        if section.length == 0:
            raise MorphologyError(
                f"{path}: the branch that ends at point {morphology.ids[section.points[-1]]} has no length; remove it"
            )


def sections(morphology: Morphology) -> list[Section]:
    """Split the points into unbranched sections, the soma first and every parent before its children.

    The soma is one section whatever the number of its points. Elsewhere a section ends at a branch point or where the
    type changes. As in NEURON's Import3d, a neurite begins at its own first point, not inside the soma (unless it has
    only that one), and where it forks at this very first point, both branches count as connected to the soma. With a
    soma of several points Import3d may start a neurite at the soma point instead, which makes it longer by the gap.
    """
    types, parent, xyz = morphology.types, morphology.parent.tolist(), morphology.xyz
    children: list[list[int]] = [[] for _ in parent]
    for point, above in enumerate(parent):
        if above >= 0:
            children[above].append(point)

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
    children = _children(parent)
    order = [section for section, above in enumerate(parent) if above < 0]
    for section in order:  # grows while it is walked
        order.extend(children[section])
    return order


def _children(parent: Sequence[int]) -> list[list[int]]:
    children: list[list[int]] = [[] for _ in parent]
    for section, above in enumerate(parent):
        if above >= 0:
            children[above].append(section)
    return children


def apical_regions(parent: Sequence[int], length: Sequence[float]) -> list[str]:
    """Name each section of the apical dendrite ``'trunk'``, ``'oblique'`` or ``'tuft'``.

    The *main path* runs from a root to the tip with the greatest path distance D. The *nexus* is the first branch point
    on it that lies beyond D/3 and sends off a side branch with a tip at 0.75 D or farther; the bound of D/3 keeps a
    bifurcation close to the soma from turning the whole dendrite into tuft. The main path up to the nexus is trunk,
    everything beyond the nexus is tuft, all else is oblique: side branches before the nexus and apical trees other
    than the one with the main path. Where there is no nexus, the last section of the main path is the tuft; a main path
    of one section is all trunk. (Of the shipped cells only `mouse_v1_l4_nr5a1` has no nexus. Its main path does not
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
    children = _children(parent)
    distance = path_distances(parent, length)
    reach = list(distance)  # path distance of the farthest tip behind each section
    for section in reversed(_parents_first(parent)):
        reach[section] = max([distance[section], *(reach[child] for child in children[section])])

    main = [max((section for section, above in enumerate(parent) if above < 0), key=reach.__getitem__)]
    while children[main[-1]]:
        main.append(max(children[main[-1]], key=reach.__getitem__))

    greatest = reach[main[0]]
    trunk, tuft = main, set(main[-1:] if len(main) > 1 else [])
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
