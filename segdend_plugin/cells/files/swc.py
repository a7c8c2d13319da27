"""SWC files: read strictly, as NEURON's Import3d needs them; read as they come, to be mended; and written.

Pure Python and NumPy. Lengths, coordinates and radii are in um throughout.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from segdend_plugin.cells.files import contours
from segdend_plugin.cells.files.draft import Draft, Node, count, some
from segdend_plugin.cells.morphology import APICAL, AXON, BASAL, SOMA, TYPE_NAMES, Morphology, children_of, sections
from segdend_plugin.errors import MorphologyError

SHORTEST = 1e-3
"""A branch shorter than this (um) has no length: NEURON keeps points in single precision."""
THINNEST, THICKEST = 0.01, 100.0
"""Radii (um) outside these are mistakes, of units perhaps."""
FARTHEST, FARTHEST_AXON = 5000.0, 20000.0
"""No dendrite, no axon leads farther away from the soma than this (um)."""
_LARGEST_ID = 1_000_000  # Import3d has a table of all ids up to the largest


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
    text = read_bytes(path).decode("utf-8", errors="replace")
    # Only newlines separate lines, as for Import3d, which reads the same file afterwards.
    points = [_point(path, number, line) for number, line in enumerate(text.split("\n"), 1) if _has_data(line)]
    if not points:
        raise MorphologyError(f"{path}: holds no points; give an SWC file with lines of 'id type x y z radius parent'")
    parent = _check_tree(path, points)
    _check_types(path, points, parent)
    _check_soma(path, points, parent)
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


def read_bytes(path: Path) -> bytes:
    """Return what a file holds.

    Raises
    ------
    MorphologyError
        If it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise MorphologyError(f"{path}: cannot be read ({error.strerror}); check path and permissions") from error


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
    if not THINNEST <= radius <= THICKEST:
        raise MorphologyError(
            f"{path}: line {number} has the radius {fields[5]}; give it in um, from {THINNEST:g} to {THICKEST:g}"
        )
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
        if not 0 <= point.id <= _LARGEST_ID:
            raise MorphologyError(f"{path}: the id {point.id} is out of range; renumber the points from 1")
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


def _check_soma(path: Path, points: Sequence[_Point], parent: Sequence[int]) -> None:
    """Refuse a soma of which Import3d would make several sections, or a cable along its outline."""
    soma = [k for k, point in enumerate(points) if point.type == SOMA]
    chain = soma == list(range(len(soma))) and all(parent[k] == k - 1 for k in soma)
    if not chain and not _is_sphere_of_three(points, parent, soma):
        raise MorphologyError(
            f"{path}: the {len(soma)} soma points are not one chain at the beginning; make them one, or one point"
        )
    if contours.is_outline(np.array([points[k].xyz for k in soma])):
        raise MorphologyError(f"{path}: the {len(soma)} soma points run around it; make them one point")


def _is_sphere_of_three(points: Sequence[_Point], parent: Sequence[int], soma: Sequence[int]) -> bool:
    """Whether Import3d knows the soma as the sphere of NeuroMorpho.Org: its centre, and points above and below."""
    if list(soma) != [0, 1, 2] or list(parent[:3]) != [-1, 0, 0] or {1, 2} & set(parent):
        return False
    centre, *poles = points[:3]
    height = sum(math.dist(centre.xyz, pole.xyz) for pole in poles)
    return all(pole.radius == centre.radius for pole in poles) and abs(height / (2 * centre.radius) - 1) < 0.01


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
    # NEURON keeps single precision
    stored = replace(morphology, xyz=morphology.xyz.astype(np.float32).astype(float))
    for section in sections(stored):
        if section.length < SHORTEST:
            raise MorphologyError(
                f"{path}: the branch that ends at point {morphology.ids[section.points[-1]]} has no length; remove it"
            )
    away = np.abs(morphology.xyz - morphology.soma_centre).max(axis=1)
    limit = np.where(morphology.types == AXON, FARTHEST_AXON, FARTHEST)
    if (away > limit).any():
        point = int(np.argmax(away / limit))
        raise MorphologyError(
            f"{path}: point {morphology.ids[point]} is {away[point]:.3g} um away from the soma; give coordinates in um"
        )


def draft_swc(path: Path, data: bytes) -> Draft:
    """Read an SWC file as it comes: only a file without points is refused.

    Parameters
    ----------
    path
        Where it was read, for messages.
    data
        What it holds.
    """
    if b"\0" in data and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise MorphologyError(f"{path}: is a binary file; give an SWC file, which is text")
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = data.decode("utf-16" if wide else "utf-8-sig", errors="replace")
    lines = [line.strip().replace(",", " ") for line in text.replace("\r", "\n").split("\n")]
    rows = [(line, _numbers(line)) for line in lines if line and not line.startswith("#")]
    points = [row for _, row in rows if row is not None]
    if len(points) < len(rows) / 2 or not points:
        raise MorphologyError(f"{path}: holds no points; give an SWC file with lines of 'id type x y z radius parent'")
    draft = Draft(path, [Node(f"point {row.id}", row.type, row.xyz, row.radius) for row in points])
    if unreadable := [line for line, row in rows if row is None]:
        draft.repair(
            f"{count(len(unreadable), 'line')} (the first is '{unreadable[0][:40]}') are not seven numbers", "left out"
        )
    _connect(draft, points)
    return draft


def _numbers(line: str) -> _Point | None:
    try:
        values = [float(field) for field in line.split()[:7]]
    except ValueError:
        return None
    if len(values) < 7 or not all(value.is_integer() for value in (values[0], values[1], values[6])):
        return None
    return _Point(int(values[0]), int(values[1]), (values[2], values[3], values[4]), values[5], int(values[6]))


def _connect(draft: Draft, points: Sequence[_Point]) -> None:
    """Find the parent of every point: of several with its id the last before the point, else the first after it."""
    places: dict[int, list[int]] = {}
    for k, point in enumerate(points):
        places.setdefault(point.id, []).append(k)
    late = 0
    for k, point in enumerate(points):
        if point.parent in places:
            before = [place for place in places[point.parent] if place < k]
            late += not before
            draft.nodes[k].parent = draft.nodes[before[-1] if before else places[point.parent][0]]
    if twice := [same[1] for same in places.values() if len(same) > 1]:
        nodes = [draft.nodes[k] for k in twice]
        draft.repair(
            f"the id of {some(nodes)} occurs twice", "each point hangs on the last of its parent's id before it"
        )
    if late:
        draft.note(f"{count(late, 'point')} before their parents", "sorted, parents first")


def swc_text(nodes: Sequence[Node]) -> str:
    """Return an SWC file of points whose parents come first."""
    number = {node: k for k, node in enumerate(nodes, 1)}
    rows = [
        f"{number[node]} {node.type} {' '.join(f'{value:.9g}' for value in node.xyz)} {node.radius:.9g} "
        f"{-1 if node.parent is None else number[node.parent]}\n"
        for node in nodes
    ]
    return "# id type x y z radius parent\n" + "".join(rows)
