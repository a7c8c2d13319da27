"""One soma of whatever a file draws: a point, several, outlines, or nothing."""

from __future__ import annotations

import math
from collections import Counter
from statistics import median

import numpy as np

from segdend_plugin.cells.files import contours
from segdend_plugin.cells.files.draft import XYZ, Draft, Node, children_of, count, parents_first, some
from segdend_plugin.cells.morphology import AXON, BASAL, SOMA
from segdend_plugin.errors import MorphologyError

TOUCH = 10.0
"""Points of the same type nearer than this (um) belong together; a neurite that begins within twice the radius of the
soma, or so near it, is its neurite."""


def one_soma(draft: Draft) -> Node:
    """Return the soma as one point: the given one, a sphere with the area of what is given, or a new one."""
    group = _soma_points(draft)
    if draft.contours:
        centre, radius = _of_contours(draft)
    elif len(group) == 1:
        _reroot(draft, group[0], group[0].parent)
        return group[0]
    elif group:
        number = {node: k for k, node in enumerate(group)}
        centre, radius = contours.of_points(
            np.array([node.xyz for node in group]),
            np.array([node.radius for node in group]),
            [-1 if node.parent is None else number.get(node.parent, -1) for node in group],
        )
        draft.note(f"a soma of {len(group)} points", f"taken as the sphere of the same area, {2 * radius:.3g} um wide")
    else:
        centre, radius = _of_roots(draft)
    soma = Node("the soma", SOMA, centre, radius)
    inside = set(group)
    above = [node.parent for node in group if node.parent is not None and node.parent not in inside]
    for node in draft.nodes:
        if node.parent in inside:
            node.parent = soma
    draft.nodes = [soma, *(node for node in draft.nodes if node not in inside)]
    for parent in above:
        if parent is not soma:
            _reroot(draft, soma, parent)
    return soma


def _soma_points(draft: Draft) -> list[Node]:
    """Return the points of the soma; others of type 1 become what they lie in."""
    nodes = [node for node in draft.nodes if node.type == SOMA]
    home: dict[Node, Node] = {}
    for node in parents_first(draft.nodes):
        if node.type == SOMA:
            home[node] = home[node.parent] if node.parent is not None and node.parent.type == SOMA else node
    sizes = Counter(home.values())
    if not sizes:
        return []
    first = max(sizes, key=lambda root: (sizes[root], root.radius if math.isfinite(root.radius) else 0.0))
    near = {
        root for root in sizes if root is first or (root.parent is None and math.dist(root.xyz, first.xyz) <= 4 * TOUCH)
    }
    group = [node for node in nodes if home[node] in near]
    if len(near) > 1:
        draft.repair(f"{len(near)} parts of the soma are not connected", "taken together")
    if strays := [node for node in nodes if home[node] not in near]:
        children = children_of(draft.nodes)
        for node in strays:
            known = [other.type for other in (node.parent, *children[node]) if other is not None and other.type != SOMA]
            node.type = known[0] if known else BASAL
        draft.repair(f"{some(strays)} of type 1 lies outside the soma", "given the type of the neurite")
    return group


def _of_contours(draft: Draft) -> tuple[XYZ, float]:
    spheres = [contours.of_outline(outline) for outline in draft.contours if len(outline) > 2]
    if not spheres:
        raise MorphologyError(f"{draft.path}: the outline of the soma has no finite points; draw it again")
    centre, radius = max(spheres, key=lambda sphere: sphere[1])
    outlines = "an outline" if len(spheres) == 1 else f"{len(spheres)} outlines, of which the widest counts"
    draft.note(f"the soma is {outlines}", f"taken as the sphere of the same area, {2 * radius:.3g} um wide")
    if apart := sum(math.dist(other, centre) > 2 * radius + TOUCH for other, _ in spheres):
        draft.repair(f"{count(apart, 'further cell body')} apart from the widest", "left out")
    return centre, radius


def _of_roots(draft: Draft) -> tuple[XYZ, float]:
    """Return the sphere that stands in for a soma: in the midst of the roots, which lie on it."""
    roots = [node for node in draft.nodes if node.parent is None and node.type != AXON]
    roots = roots or [node for node in draft.nodes if node.parent is None]
    if not roots:
        raise MorphologyError(f"{draft.path}: holds no points with coordinates in um; give a reconstruction")
    middle = [float(np.median([node.xyz[k] for node in roots])) for k in range(3)]
    centre = (middle[0], middle[1], middle[2])
    radius = min(max(median(math.dist(node.xyz, centre) for node in roots), 5.0), 15.0)
    draft.trees_are_separate = True  # the new soma is where they begin
    draft.repair(
        "there is no soma (no point of type 1, no outline)",
        f"a sphere of {2 * radius:.3g} um put in the midst of the {count(len(roots), 'root')}",
    )
    return centre, radius


def _reroot(draft: Draft, soma: Node, above: Node | None) -> None:
    """Turn the way from `above`, on which the soma hung, up to its root round, so that it leads away from the soma."""
    if above is None:
        return
    draft.note("the tree is not rooted in the soma", "turned round")
    soma.parent, new, here = None, soma, above
    while here is not None and here is not soma:
        here.parent, new, here = new, here, here.parent
