"""From the points of any file to one tree of soma, basal and apical dendrites, each change of the cell reported.

What leaves the cell as it is (the order of points, a soma drawn as an outline) is noted; what changes it is a repair.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from statistics import median

import numpy as np

from segdend_plugin.cells.files.draft import Draft, Node, children_of, count, parents_first, some
from segdend_plugin.cells.files.shape import DISTINCT, most_apical
from segdend_plugin.cells.files.soma import TOUCH, one_soma
from segdend_plugin.cells.files.swc import FARTHEST, FARTHEST_AXON, THICKEST, THINNEST
from segdend_plugin.cells.morphology import APICAL, AXON, BASAL, SOMA, TYPE_NAMES
from segdend_plugin.errors import MorphologyError

SAME_PLACE = 0.01
"""Points nearer than this (um) are one: NEURON keeps points in single precision."""
_FORK, _END = 5, 6  # codes of old SWC files that say what a point is, not which dendrite it belongs to
_MOST = 1e6  # um; no microscope's coordinates


def mend(draft: Draft) -> list[Node]:
    """Make one tree of a draft, the soma one point at the origin, every parent before its children.

    Parameters
    ----------
    draft
        Its findings grow, its points are moved.

    Raises
    ------
    MorphologyError
        If there is no cell to be made of it.
    """
    _drop_unplaced(draft)
    _cut_cycles(draft)
    _name_types(draft)
    soma = one_soma(draft)
    _join_trees(draft, soma)
    _free_dendrites_from_axons(draft)
    _drop_repeated(draft, soma)
    _mend_radii(draft, soma)
    _check_reach(draft, soma)
    _find_dendrites(draft, soma)
    return _in_order(draft, soma)


def _report(draft: Draft, nodes: Sequence[Node], problem: str, action: str) -> None:
    """Report a repair of these points: if all are of the axon, which is replaced anyway, the cell stays as it is."""
    (draft.note if all(node.type == AXON for node in nodes) else draft.repair)(problem, action)


def _lift(draft: Draft, dropped: set[Node]) -> None:
    """Take points out; what hangs on them hangs on what these hung on."""
    for node in parents_first(draft.nodes):
        if node.parent in dropped:
            node.parent = node.parent.parent
    draft.nodes = [node for node in draft.nodes if node not in dropped]


def _drop_unplaced(draft: Draft) -> None:
    bad = [node for node in draft.nodes if not all(abs(value) <= _MOST for value in node.xyz)]
    if bad:
        _report(draft, bad, f"{some(bad)} {'has' if len(bad) == 1 else 'have'} no possible coordinates", "left out")
        _cut_cycles(draft)
        _lift(draft, set(bad))
    draft.contours = [outline[(np.abs(outline) <= _MOST).all(axis=1)] for outline in draft.contours]


def _cut_cycles(draft: Draft) -> None:
    reached = set(parents_first(draft.nodes))
    cut: list[Node] = []
    children = children_of(draft.nodes)
    for node in draft.nodes:
        if node in reached:
            continue
        walked: set[Node] = set()
        while node not in walked and node.parent is not None:
            walked.add(node)
            node = node.parent
        cut.append(node)
        node.parent = None
        front = [node]
        while front:
            here = front.pop()
            reached.add(here)
            front.extend(child for child in children[here] if child not in reached)
    if cut:
        draft.repair(f"the parents of {some(cut)} run in a cycle", "cut there")


def _name_types(draft: Draft) -> None:
    """Give a point of no known type that of its parent, else of its first child, else call it basal."""
    order = parents_first(draft.nodes)
    unknown = [node for node in order if node.type not in TYPE_NAMES]
    if not unknown:
        return
    marks = all(node.type in (_FORK, _END) for node in unknown)
    codes = ", ".join(f"{kind}" for kind in sorted({node.type for node in unknown}))
    children, open_ = children_of(order), set(unknown)

    def take(nodes: Sequence[Node], down: bool) -> None:
        for node in nodes:
            near = [node.parent] if down and node.parent is not None else [] if down else children[node]
            known = [other.type for other in near if other not in open_ and other.type != SOMA]
            if node in open_ and known:
                node.type = known[0]
                open_.discard(node)

    take(order, down=True)
    take(order[::-1], down=False)
    take(order, down=True)
    if len(open_) < len(unknown):
        say = draft.note if marks else draft.repair
        say(
            f"{count(len(unknown) - len(open_), 'point')} of unknown type ({codes})",
            "given the type of the next on the tree",
        )
    if open_:
        rest = [node for node in unknown if node in open_]
        for node in rest:
            node.type = BASAL
        draft.repair(f"neurites of unknown type ({codes}), as at {some(rest)}", "taken as basal dendrites")


# --------------------------------------------------------------------------------------------------------------- trees


def _join_trees(draft: Draft, soma: Node) -> None:
    """Connect trees that begin at the soma or at a branch of their type, and leave out the others."""
    trees: dict[Node, list[Node]] = {}
    home: dict[Node, Node] = {}
    for node in parents_first(draft.nodes):
        home[node] = node if node.parent is None else home[node.parent]
        trees.setdefault(home[node], []).append(node)
    cell = set(trees.pop(soma))
    radius = soma.radius if THINNEST <= soma.radius <= THICKEST else 0.0
    reach = radius + max(TOUCH, radius)
    at_soma = [root for root in trees if math.dist(root.xyz, soma.xyz) <= reach and len(trees[root]) > 1]
    for root in at_soma:
        root.parent = soma
        cell.update(trees.pop(root))
    if at_soma and not draft.trees_are_separate:
        problem = f"the neurites that begin at {some(at_soma)} are not connected"
        _report(draft, at_soma, problem, "joined to the soma, where they begin")
    joined = _join_pieces(draft.nodes, trees, cell)
    if joined:
        problem = f"the pieces that begin at {some(joined)} are not connected"
        _report(draft, joined, problem, "joined to the nearest branch of their type")
    if trees:
        points = [node for tree in trees.values() for node in tree]
        problem = f"the pieces that begin at {some(list(trees))} lie apart from the cell"
        _report(draft, points, problem, f"left out with {count(len(points), 'point')}")
        draft.nodes = [node for node in draft.nodes if node in cell]


def _join_pieces(nodes: Sequence[Node], trees: dict[Node, list[Node]], cell: set[Node]) -> list[Node]:
    """Move trees that begin near a branch of their type over to the cell, then those that begin near these, and on."""
    near = _neighbours([root for root, tree in trees.items() if len(tree) > 1], nodes)
    waiting: dict[Node, list[Node]] = {}  # point -> roots that it could be the parent of
    for root, points in near.items():
        for point in points:
            waiting.setdefault(point, []).append(root)
    front = deque(root for root, points in near.items() if cell.intersection(points))
    joined: list[Node] = []
    while front:
        root = front.popleft()
        if root in trees:
            root.parent = next(point for point in near[root] if point in cell)
            joined.append(root)
            piece = trees.pop(root)
            cell.update(piece)
            front.extend(other for point in piece for other in waiting.get(point, ()))
    return joined


def _neighbours(roots: Sequence[Node], nodes: Sequence[Node]) -> dict[Node, list[Node]]:
    """Return the points near each root that have its type, the nearest first."""
    from scipy.spatial import cKDTree

    near: dict[Node, list[Node]] = {}
    for kind in {root.type for root in roots}:
        same = [node for node in nodes if node.type == kind]
        space = cKDTree(np.array([node.xyz for node in same]))
        own = [root for root in roots if root.type == kind]
        _, found = space.query(np.array([root.xyz for root in own]), k=64, distance_upper_bound=TOUCH)
        for root, places in zip(own, found, strict=True):
            near[root] = [same[k] for k in places if k < len(same) and same[k] is not root]
    return near


def _free_dendrites_from_axons(draft: Draft) -> None:
    changed: list[Node] = []
    for node in parents_first(draft.nodes):
        above = node.parent
        while node.type != AXON and above is not None and above.type == AXON:
            above.type = node.type
            changed.append(above)
            above = above.parent
    if changed:
        draft.repair(f"a dendrite hangs on the axon at {some(changed)}", "the axon up to there taken as dendrite")


def _drop_repeated(draft: Draft, soma: Node) -> None:
    """Leave out points where their parent is, and neurites that are one point in the middle of the soma."""
    kept: dict[Node | None, Node | None] = {None: None}  # the point that each is one with
    repeated: set[Node] = set()
    for node in parents_first(draft.nodes):
        above = kept[node.parent]
        kept[node] = node
        if above is not None and above is not soma and _same_place(node, above):
            kept[node] = above
            repeated.add(node)
    if repeated:
        draft.note(f"{count(len(repeated), 'point')} where the one before is", "left out")
        _lift(draft, repeated)
    children = children_of(draft.nodes)
    alone = {node for node in children[soma] if _same_place(node, soma) and _has_no_section(node, children)}
    if alone:
        draft.note(f"{count(len(alone), 'point')} that repeat the soma", "left out")
        _lift(draft, alone)


def _same_place(node: Node, other: Node) -> bool:
    return math.dist(node.xyz, other.xyz) < SAME_PLACE


def _has_no_section(node: Node, children: dict[Node, list[Node]]) -> bool:
    """Whether the section that begins at this neighbour of the soma has no other point."""
    return not children[node] or (len(children[node]) == 1 and children[node][0].type != node.type)


def _mend_radii(draft: Draft, soma: Node) -> None:
    def fits(node: Node) -> bool:
        return THINNEST <= node.radius <= THICKEST

    order = parents_first(draft.nodes)
    children = children_of(order)
    if not fits(soma):
        reach = median([math.dist(node.xyz, soma.xyz) for node in children[soma]] or [0.0])
        if not 2 <= reach <= 50:
            raise MorphologyError(f"{draft.path}: the soma has the radius {soma.radius:g}; give it in um")
        draft.repair(f"the soma has the radius {soma.radius:g}", f"taken as {reach:.3g} um, where its neurites begin")
        soma.radius = reach
    bad = [node for node in order if not fits(node)]
    if not bad:
        return
    problem = f"{some(bad)} {'has' if len(bad) == 1 else 'have'} no possible radius"
    _report(draft, bad, problem, "given that of the next on the branch")
    for node in bad:
        if node.parent is not None and node.parent is not soma and fits(node.parent):
            node.radius = node.parent.radius
    for node in reversed(bad):
        if not fits(node):
            node.radius = next((child.radius for child in children[node] if fits(child)), node.radius)
    for node in bad:
        if not fits(node):
            node.radius = 0.5 if node.parent in (None, soma) else node.parent.radius


def _check_reach(draft: Draft, soma: Node) -> None:
    for node in draft.nodes:
        away = math.dist(node.xyz, soma.xyz)
        if away > (FARTHEST_AXON if node.type == AXON else FARTHEST):
            raise MorphologyError(
                f"{draft.path}: {node.label} is {away:.3g} um away from the soma; give coordinates in um"
            )


def _find_dendrites(draft: Draft, soma: Node) -> None:
    """See to it that there are basal and apical dendrites, by their shape where the types do not say."""
    kinds = {node.type for node in draft.nodes}
    if {BASAL, APICAL} <= kinds:
        return
    kind, other = (APICAL, "basal") if APICAL in kinds else (BASAL, "apical")
    neurites = [node for node in children_of(draft.nodes)[soma] if node.type == kind]
    if len(neurites) < 2:
        raise MorphologyError(
            f"{draft.path}: has {count(len(neurites), 'dendrite')} and no {other} one; learning needs both kinds"
        )
    best, ratio = most_apical(draft.nodes, soma, neurites)
    home: dict[Node, Node] = {}
    for node in parents_first(draft.nodes):
        home[node] = home.get(node.parent, node) if node.parent not in (None, soma) else node
        if node.type == kind:
            node.type = APICAL if home[node] is best else BASAL
    path = f"the dendrite that begins at {best.label}, {ratio:.1f} times as distinct as the next"
    if kind == APICAL:
        draft.repair("there is no basal dendrite", f"all apical ones taken as basal but {path}")
    elif ratio < DISTINCT:
        draft.repair("there is no apical dendrite and none stands out", f"taken as apical by its shape: {path}")
    else:
        draft.note("there is no apical dendrite", f"taken as apical by its shape: {path}")


def _in_order(draft: Draft, soma: Node) -> list[Node]:
    """Return the points parents first and branch by branch, the soma at the origin, forks at a first point undone.

    Where a neurite forks at its first point, Import3d connects both branches with the soma. Here each gets that point.
    """
    nodes = list(draft.nodes)
    children = children_of(nodes)
    for stem in children[soma]:
        branches = children[stem]
        if len(branches) > 1:
            for branch in branches:
                branch.parent = Node(stem.label, branch.type, stem.xyz, stem.radius, soma)
                nodes.append(branch.parent)
            nodes.remove(stem)
    x, y, z = soma.xyz
    for node in nodes:
        node.xyz = (node.xyz[0] - x, node.xyz[1] - y, node.xyz[2] - z)
    return parents_first(nodes)
