"""Reading SWC files and checking that a learning pyramidal cell can be built from them.

Pure Python and NumPy. Lengths, coordinates and radii are in um throughout.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from segdend_plugin.cells.morphology import APICAL, AXON, BASAL, SOMA, TYPE_NAMES, Morphology, children_of, sections
from segdend_plugin.errors import MorphologyError


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
    children = children_of(parent)
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
