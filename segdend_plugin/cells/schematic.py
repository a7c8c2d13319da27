"""A schematic pyramidal cell with the dimensions of a thick-tufted layer 5 neuron of the rat.

The published fit of the active membrane belongs to such a cell (Hay et al. 2011 PLoS Comput Biol 7:e1002107); here its
behaviour can be checked without any reconstruction. Pure Python.
"""

from __future__ import annotations

import math
from pathlib import Path

SOMA = 11.0
"""Radius (um)."""
TRUNK, TRUNK_NEAR, TRUNK_FAR = 650.0, 4.5, 2.6
"""Length of the trunk from soma to nexus, and diameters there (um)."""
POINTS = 6
"""Points per branch beside the first."""


def write_layer_5(path: str | Path) -> Path:
    """Write the cell as an SWC file: 8 basal stems that fork, a trunk with 6 obliques, a tuft of 8 tips.

    Returns
    -------
    Path
        The file.
    """
    up = math.pi / 2
    tree = _Tree()
    for k in range(8):
        angle = math.pi * (1 + (k + 0.5) / 8)
        stem = tree.grow(3, tree.stem(angle), angle, 60, 1.8, 1.4)
        for turn in (-0.3, 0.3):
            tree.grow(3, stem, angle + turn, 180, 1.0, 0.8)
    trunk = tree.grow(4, tree.stem(up), up, 50, TRUNK_NEAR, 0.9 * TRUNK_NEAR)
    pieces = 6
    for k in range(pieces):
        near, far = (0.9 * TRUNK_NEAR + (TRUNK_FAR - 0.9 * TRUNK_NEAR) * f / pieces for f in (k, k + 1))
        tree.grow(4, trunk, up + (1.2 if k % 2 else -1.2), 180, 1.2, 0.8)
        trunk = tree.grow(4, trunk, up, (TRUNK - 60) / pieces, near, far)
    for first in (-0.35, 0.35):
        main = tree.grow(4, trunk, up + first, 150, 1.8, 1.6)
        for second in (-0.3, 0.3):
            branch = tree.grow(4, main, up + first + second, 120, 1.2, 1.1)
            for third in (-0.2, 0.2):
                tree.grow(4, branch, up + first + second + third, 330, 1.0, 0.7)
    path = Path(path)
    path.write_text("\n".join(tree.lines) + "\n", encoding="utf-8")
    return path


class _Tree:
    """Lines of an SWC file, and where each point is."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._places: list[tuple[float, float]] = []
        self._add(1, 0.0, 0.0, SOMA, -1)

    def stem(self, angle: float) -> tuple[int, float, float]:
        """Return a place on the surface of the soma."""
        return 1, SOMA * math.cos(angle), SOMA * math.sin(angle)

    def grow(
        self, kind: int, start: int | tuple[int, float, float], angle: float, length: float, near: float, far: float
    ) -> int:
        """Add a straight branch with diameters that change evenly, and return its last point."""
        at_soma = isinstance(start, tuple)
        last, x, y = start if isinstance(start, tuple) else (start, *self._places[start - 1])
        for k in range(0 if at_soma else 1, POINTS + 1):
            share = k / POINTS
            way = length * share
            last = self._add(
                kind, x + way * math.cos(angle), y + way * math.sin(angle), (near + (far - near) * share) / 2, last
            )
        return last

    def _add(self, kind: int, x: float, y: float, radius: float, parent: int) -> int:
        self._places.append((x, y))
        self.lines.append(f"{len(self._places)} {kind} {x:.3f} {y:.3f} 0 {radius:.3f} {parent}")
        return len(self._places)
