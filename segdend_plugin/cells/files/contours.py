"""The sphere that a soma drawn as an outline, or of several points, stands for."""

from __future__ import annotations

import math

import numpy as np

from segdend_plugin.cells.files.draft import XYZ

SLICES = 40
"""Slices of the solid that an outline sweeps when it turns about its long axis."""


def is_outline(xyz: np.ndarray) -> bool:
    """Whether the points of a soma, in the order of the file, run around it rather than through it.

    Parameters
    ----------
    xyz : ndarray, shape (n, 3)

    Returns
    -------
    bool
        For five points or more whose last lies next to the first, on a way at least 1.8 times as long as the soma.
    """
    if len(xyz) < 5:
        return False
    steps = np.linalg.norm(np.diff(xyz, axis=0), axis=1)
    gap = float(np.linalg.norm(xyz[-1] - xyz[0]))
    extent = 2 * float(np.linalg.norm(xyz - xyz.mean(axis=0), axis=1).max())
    return gap <= 1.5 * steps.max() and float(steps.sum()) >= 1.8 * extent


def of_outline(outline: np.ndarray) -> tuple[XYZ, float]:
    """Return centre and radius (um) of the sphere with the membrane area of an outline turned about its long axis.

    Parameters
    ----------
    outline : ndarray, shape (n, 3)
        Points around the soma (um).
    """
    ring = _evenly(outline)
    centre = ring.mean(axis=0)
    if not np.ptp(ring, axis=0).any():
        return _xyz(centre), 0.0
    axes = np.linalg.svd(ring - centre, full_matrices=False)[2]
    along, across = (ring - centre) @ axes[0], (ring - centre) @ axes[1]
    # the width of the outline at each slice: its edges cross it at least twice
    nodes = np.linspace(along.min(), along.max(), SLICES + 1)
    radius = np.zeros(SLICES + 1)
    near, far = along, np.roll(along, -1)
    for k in range(1, SLICES):
        crosses = (near - nodes[k]) * (far - nodes[k]) <= 0
        span = np.where(far == near, 1.0, far - near)
        at = across + (nodes[k] - near) / span * (np.roll(across, -1) - across)
        radius[k] = np.ptp(at[crosses & (far != near)]) / 2
    slant = np.hypot(np.diff(nodes), np.diff(radius))
    area = math.pi * float(((radius[1:] + radius[:-1]) * slant).sum())
    return _xyz(centre), math.sqrt(area / (4 * math.pi))


def of_points(xyz: np.ndarray, radius: np.ndarray, parent: list[int]) -> tuple[XYZ, float]:
    """Return centre and radius (um) of the sphere with the membrane area of a soma of several points.

    Parameters
    ----------
    xyz, radius : ndarray, shapes (n, 3) and (n,)
        Points of the soma (um); outlines are turned about their long axis, other points are the ends of frusta.
    parent : list of int, length n
        Index of the point each is connected to, -1 for none.
    """
    if is_outline(xyz):
        return of_outline(xyz)
    points = np.flatnonzero(np.array(parent) >= 0)
    above = np.array(parent)[points]
    usable = np.where(np.isfinite(radius) & (radius > 0), radius, 0.0)
    length = np.linalg.norm(xyz[points] - xyz[above], axis=1)
    area = ((usable[points] + usable[above]) * np.hypot(length, usable[points] - usable[above])).sum() / 4
    return _xyz(xyz.mean(axis=0)), max(math.sqrt(float(area)), 0.0) or float(usable.max())


def _evenly(outline: np.ndarray, points: int = 200) -> np.ndarray:
    closed = np.vstack([outline, outline[:1]])
    arc = np.concatenate([[0.0], np.linalg.norm(np.diff(closed, axis=0), axis=1).cumsum()])
    places = np.linspace(0, arc[-1], points, endpoint=False)
    return np.stack([np.interp(places, arc, closed[:, k]) for k in range(3)], axis=1)


def _xyz(point: np.ndarray) -> XYZ:
    return float(point[0]), float(point[1]), float(point[2])
