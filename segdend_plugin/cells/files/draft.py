"""A reconstruction as its file holds it, before anything is checked, and what was found in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

XYZ = tuple[float, float, float]


@dataclass(frozen=True)
class Finding:
    """Something in a file that a learning cell cannot be built with as it stands.

    Attributes
    ----------
    problem, action
        What is there, and what is made of it; two halves of one line.
    changes
        Whether that changes the cell: such a repair has to be accepted, others are only reported.
    """

    problem: str
    action: str
    changes: bool

    def __str__(self) -> str:
        return f"{self.problem}: {self.action}"


@dataclass(eq=False)
class Node:
    """One point, mutable while it is being mended.

    Attributes
    ----------
    label
        Where it stands in the file, as in 'point 7'.
    type
        1 soma, 2 axon, 3 basal, 4 apical dendrite; anything else is not known.
    xyz, radius
        In um.
    parent
        The point it hangs on, None for a root.
    """

    label: str
    type: int
    xyz: XYZ
    radius: float
    parent: Node | None = None


@dataclass(eq=False)
class Draft:
    """The points of a file.

    Attributes
    ----------
    path
        The file.
    nodes
        All points of trees, in the order of the file.
    contours
        Outlines of cell bodies, each of shape (n, 3).
    trees_are_separate
        Whether the format stores every neurite apart from the soma.
    findings
        What was found so far.
    """

    path: Path
    nodes: list[Node]
    contours: list[np.ndarray] = field(default_factory=list)
    trees_are_separate: bool = False
    findings: list[Finding] = field(default_factory=list)

    def note(self, problem: str, action: str) -> None:
        """Report something that leaves the cell as it is."""
        self.findings.append(Finding(problem, action, changes=False))

    def repair(self, problem: str, action: str) -> None:
        """Report something that changes the cell."""
        self.findings.append(Finding(problem, action, changes=True))


def count(number: int, noun: str) -> str:
    """Return '1 point' or '3 points'."""
    return f"{number} {noun}{'s' * (number != 1)}"


def some(nodes: Sequence[Node]) -> str:
    """Name the first of several points."""
    return nodes[0].label + (f" and {len(nodes) - 1} more" if len(nodes) > 1 else "")


def children_of(nodes: Iterable[Node]) -> dict[Node, list[Node]]:
    """Return the children of every point, in the order of the points."""
    nodes = list(nodes)
    children: dict[Node, list[Node]] = {node: [] for node in nodes}
    for node in nodes:
        if node.parent is not None:
            children[node.parent].append(node)
    return children


def parents_first(nodes: Iterable[Node]) -> list[Node]:
    """Return what is reached from the roots, branch by branch: a first child comes right after its parent."""
    nodes = list(nodes)
    children = children_of(nodes)
    waiting = [node for node in reversed(nodes) if node.parent is None]
    order: list[Node] = []
    while waiting:
        order.append(waiting.pop())
        waiting.extend(reversed(children[order[-1]]))
    return order
