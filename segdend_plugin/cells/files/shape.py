"""Which dendrite is the apical one, where a file does not say: told by shape."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from segdend_plugin.cells.files.draft import Node, children_of, parents_first

DISTINCT = 1.5
"""The apical dendrite stands out if its score is this many times that of the next."""


def most_apical(nodes: Sequence[Node], soma: Node, neurites: Sequence[Node]) -> tuple[Node, float]:
    """Return the dendrite that looks apical, and how many times more than the next.

    The score of a dendrite is the greatest path length from where it begins to a tip, times the distance of that tip
    from the mean of all tips of the other dendrites: long, and leading where the others do not.

    Parameters
    ----------
    nodes
        All points of the cell.
    soma
        Its soma.
    neurites
        First points of two dendrites or more.
    """
    children = children_of(nodes)
    home: dict[Node, Node] = {node: node for node in neurites}
    path: dict[Node, float] = dict.fromkeys(neurites, 0.0)
    tips: dict[Node, list[Node]] = {node: [] for node in neurites}
    for node in parents_first(nodes):
        above = node.parent
        if node not in home and above in home and above is not None:
            home[node] = home[above]
            path[node] = path[above] + math.dist(node.xyz, above.xyz)
        if node in home and not children[node]:
            tips[home[node]].append(node)
    scores: dict[Node, float] = {}
    for neurite in neurites:
        far = max(tips[neurite], key=path.__getitem__)
        others = [tip.xyz for other in neurites if other is not neurite for tip in tips[other]]
        scores[neurite] = path[far] * math.dist(far.xyz, np.mean(others, axis=0))
    best, second = sorted(neurites, key=scores.__getitem__, reverse=True)[:2]
    return best, scores[best] / scores[second] if scores[second] > 0 else math.inf
