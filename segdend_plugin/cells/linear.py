"""Passive cells as the recursion that implicit Euler makes of them, and the few states that follow it.

A passive tree with current synapses is linear. With a fixed step, NEURON's implicit Euler is

    (C/dt + G) v[n + 1] = C/dt v[n] + i[n + 1],

v being potentials above rest, C the capacitances of the compartments and G leaks and axial conductances. What a network
sees of a cell is little: currents at its synapses go in, the potentials of a few places come out. Such a system has
few states that matter (its Hankel singular values fall by a decade every second one), and balanced truncation finds
them: Moore (1981) IEEE Trans Automat Contr 26:17, by square roots of the Gramians as in Laub et al. (1987) IEEE Trans
Automat Contr 32:115. Before it, the tree is projected onto the Krylov space of its outputs, which costs little and
changes them by rounding only. The truncated system is brought to blocks of two states, so that a step costs two
multiplications for each state and one for each state and input.

How many states are kept is decided by the error, which is measured against the full recursion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from segdend_plugin.errors import MorphologyError
from segdend_plugin.types import Array, Integers, Section, Segment

TOLERANCE = 1e-5
"""Largest error of a potential that is accepted, relative to the drive, which may be anything between -1 and 1."""
POWERS = 40
"""Steps of the Krylov space; a tree with fewer compartments than that many times its outputs is taken as it is."""
MEMORY = 20.0
"""Membrane time constants after which nothing is left of an impulse (2e-9)."""


@dataclass(frozen=True, eq=False)
class Recursion:
    """A passive tree as NEURON cuts it; potentials are above rest.

    Attributes
    ----------
    capacitance
        Of each compartment (nF), shape (n,).
    conductance
        G (uS), shape (n, n), sparse and symmetric: axial currents between compartments and through the membrane.
    nodes
        By the name of a section, the numbers of its compartments from its near to its far end.
    """

    capacitance: Array
    conductance: Any
    nodes: Mapping[str, Integers]

    def node(self, place: Segment) -> int:
        """Return the number of the compartment that a segment is."""
        own = self.nodes[place.sec.name()]
        return int(own[min(int(place.x * len(own)), len(own) - 1)])

    def steady(self, current: Array) -> Array:
        """Return the potentials (mV) that steady currents (nA) make, shape (n,) or (n, k)."""
        return np.asarray(splu(self.conductance.tocsc()).solve(current))

    def run(self, current: Array, dt: float) -> Array:
        """Return the potentials (mV) at the end of each step of `dt` ms, from rest, for currents (nA) in it.

        Parameters
        ----------
        current
            Shape (steps, n).
        dt
            In ms.

        Returns
        -------
        Array
            Shape (steps, n).
        """
        by_step = self.capacitance / dt
        solver = splu((sparse.diags(by_step) + self.conductance).tocsc())
        v, found = np.zeros(len(self.capacitance)), []
        for one in current:
            v = solver.solve(by_step * v + one)
            found.append(v)
        return np.array(found)


def recursion(sections: Sequence[Section]) -> Recursion:
    """Read a passive cell's tree from NEURON, which has cut it.

    Nodes without a membrane, where sections end or the tree begins, are eliminated exactly, as NEURON's solver does.

    Parameters
    ----------
    sections
        All of one cell, with the mechanism ``pas``; each hangs on another with its near end.
    """
    numbers: dict[tuple[str, int], int] = {}
    capacitance: dict[int, float] = {}
    leak: dict[int, float] = {}
    links: list[tuple[int, int, float]] = []

    def number(section: Section, k: int) -> int:
        return numbers.setdefault((section.name(), k), len(numbers))

    def at(section: Section, x: float) -> int:
        if x >= 1:
            return number(section, section.nseg)
        if x > 0:
            return number(section, min(int(x * section.nseg), section.nseg - 1))
        parent = section.parentseg()
        return number(section, -1) if parent is None else at(parent.sec, parent.x)

    for section in sections:
        near = at(section, 0.0)
        for k, segment in enumerate(section):
            here = number(section, k)
            capacitance[here] = 1e-5 * segment.area() * section.cm  # um2 uF/cm2 are 1e-5 nF
            leak[here] = 1e-2 * segment.area() * segment.pas.g  # um2 S/cm2 are 1e-2 uS
            links.append((near, here, 1 / segment.ri()))
            near = here
        links.append((near, number(section, section.nseg), 1 / section(1).ri()))
    return _eliminated(numbers, capacitance, leak, links)


def _eliminated(
    numbers: Mapping[tuple[str, int], int],
    capacitance: Mapping[int, float],
    leak: Mapping[int, float],
    links: Sequence[tuple[int, int, float]],
) -> Recursion:
    """Return the recursion of compartments alone."""
    n = len(numbers)
    one, other, axial = (np.array(values) for values in zip(*links, strict=True))
    rows, columns = np.concatenate([one, other, one, other]), np.concatenate([one, other, other, one])
    whole = sparse.coo_matrix((np.concatenate([axial, axial, -axial, -axial]), (rows, columns)), (n, n)).tocsr()
    mine = np.array(sorted(capacitance))
    ends = np.setdiff1d(np.arange(n), mine)  # no two of them are neighbours
    back = whole[ends][:, mine]
    g = whole[mine][:, mine] - back.T @ sparse.diags(1 / whole.diagonal()[ends]) @ back
    g = g + sparse.diags([leak[k] for k in mine.tolist()])
    place = {k: position for position, k in enumerate(mine.tolist())}
    found: dict[str, list[int]] = {}
    for (section, k), node in sorted(numbers.items(), key=lambda item: item[0][1]):
        if node in place and k >= 0:
            found.setdefault(section, []).append(place[node])
    nodes = {section: np.array(own, dtype=np.int64) for section, own in found.items()}
    return Recursion(np.array([capacitance[k] for k in mine.tolist()]), g.tocsr(), nodes)


@dataclass(frozen=True, eq=False)
class System:
    """Few states that follow a recursion: x[n + 1] = A x[n] + B i[n + 1], and the potential of an output is c x.

    Attributes
    ----------
    blocks
        A is block-diagonal, with these blocks of two states each, shape (n_states/2, 2, 2).
    into
        B for a current (nA) at each compartment, shape (n_states, n).
    out
        A row c (mV) for each output, shape (n_outputs, n_states).
    """

    blocks: Array
    into: Array
    out: Array

    @property
    def states(self) -> int:
        """How many there are."""
        return len(self.into)

    def run(self, current: Array) -> Array:
        """Return the outputs (mV) at the end of each step, from rest, for currents (nA) of shape (steps, n)."""
        x, found = np.zeros((self.states // 2, 2)), []
        for one in current:
            x = np.einsum("kij,kj->ki", self.blocks, x) + (self.into @ one).reshape(-1, 2)
            found.append(self.out @ x.ravel())
        return np.array(found)

    def errors(self, full: Array, drives: Array) -> Array:
        """Return how far an output can be from the full recursion for a drive between -1 and 1, whatever its course.

        That is the sum over time of the absolute differences of the responses to an impulse.

        Parameters
        ----------
        full
            The outputs after an impulse of each drive, shape (steps, n_outputs, n_drives).
        drives
            Currents (nA) of unit drive, shape (n, n_drives).

        Returns
        -------
        Array
            In mV, shape (n_outputs, n_drives).
        """
        x, worst = (self.into @ drives).reshape(len(self.blocks), 2, -1), np.zeros(full.shape[1:])
        for wanted in full:
            worst += np.abs(self.out @ x.reshape(self.states, -1) - wanted)
            x = self.blocks @ x
        return worst


def reduce(
    tree: Recursion, dt: float, drives: Array, outputs: Array, time_constant: float, tolerance: float = TOLERANCE
) -> tuple[System, Array]:
    """Return the smallest system within a tolerance.

    Parameters
    ----------
    tree
        The full recursion.
    dt
        Time step (ms).
    drives
        Currents (nA) that unit drive of each place makes, shape (n, n_drives).
    outputs
        Potentials that come out, as weights of those of the compartments, shape (n_outputs, n); errors are in their
        unit.
    time_constant
        Of the membrane (ms).
    tolerance
        Largest error for drives between -1 and 1.

    Returns
    -------
    System
        With an even number of states.
    Array
        Its errors, shape (n_outputs, n_drives).

    Raises
    ------
    MorphologyError
        If no system with fewer states than compartments is within the tolerance.
    """
    steps = int(np.ceil(MEMORY * time_constant / dt))
    symmetric, adjoint, full = _responses(tree, dt, drives, outputs, steps)
    balanced = _Balanced(symmetric, adjoint, tree, dt, drives)
    least = tolerance * np.sqrt(drives.shape[1] * len(outputs))
    for states in range(2, balanced.rank + 2, 2):
        if balanced.hankel[states : states + 1].max(initial=0.0) > least:
            continue  # one of the pairs is farther off than the tolerance, whatever the others are
        system = balanced.truncated(states)
        errors = system.errors(full, drives)
        if errors.max() <= tolerance:
            return system, errors
    raise MorphologyError(
        f"cable.solver: no linear system of up to {balanced.rank} states follows this cell within {tolerance:g}: set "
        "cable.solver to neuron."
    )


def _responses(tree: Recursion, dt: float, drives: Array, outputs: Array, steps: int) -> tuple[Any, Array, Array]:
    """Return the step as a symmetric operator, the outputs in its coordinates, and the full responses to impulses.

    With w = C^(1/2) v the step is w[n + 1] = S (w[n] + dt C^(-1/2) i), S = (1 + dt C^(-1/2) G C^(-1/2))^(-1).
    """
    root = 1 / np.sqrt(tree.capacitance)
    scaled = sparse.diags(root) @ tree.conductance @ sparse.diags(root)
    solver = splu((sparse.identity(len(root)) + dt * scaled).tocsc())
    adjoint = root[:, None] * outputs.T
    entering = dt * root[:, None] * drives
    full, seen = [], adjoint
    for _ in range(steps):
        seen = solver.solve(np.ascontiguousarray(seen))  # S is symmetric: what an output sees of each compartment
        full.append(seen.T @ entering)
    return solver, adjoint, np.array(full)


class _Balanced:
    """A tree in the coordinates in which its states count in order."""

    def __init__(self, solver: Any, adjoint: Array, tree: Recursion, dt: float, drives: Array) -> None:
        n, n_outputs = adjoint.shape
        space = np.eye(n) if POWERS * n_outputs >= n else _krylov(solver, adjoint, POWERS)
        step = space.T @ solver.solve(space)
        poles, modes = np.linalg.eigh((step + step.T) / 2)
        self.poles = np.clip(poles, 0.0, None)  # of a decay; those that rounding takes below 0 do not count
        space = space @ modes
        root = 1 / np.sqrt(tree.capacitance)
        self.into = self.poles[:, None] * space.T * (dt * root)
        self.out = adjoint.T @ space
        left = 1 - np.outer(self.poles, self.poles)
        driven = self.into @ drives
        observed, reached = _root(self.out.T @ self.out / left), _root(driven @ driven.T / left)
        before, self.hankel, after = np.linalg.svd(observed.T @ reached)
        self.rank = int(np.sum(self.hankel > 1e-14 * self.hankel[0]))
        self.left, self.right = observed @ before[:, : self.rank], reached @ after[: self.rank].T

    def truncated(self, states: int) -> System:
        """Return the system of the first states, in blocks of two."""
        kept = min(states, self.rank)  # one more than that is a state that nothing reaches
        left, right = np.zeros((len(self.poles), states)), np.zeros((len(self.poles), states))
        left[:, :kept] = self.left[:, :kept] / np.sqrt(self.hankel[:kept])
        right[:, :kept] = self.right[:, :kept] / np.sqrt(self.hankel[:kept])
        step = left.T @ (self.poles[:, None] * right)
        to, blocks = _blocks(step)
        return System(blocks, np.linalg.solve(to, left.T @ self.into), self.out @ right @ to)


def _krylov(solver: Any, start: Array, powers: int) -> Array:
    """Return an orthonormal basis of what a symmetric step makes of some columns in so many steps."""
    newest = np.linalg.qr(start)[0]
    space = newest
    for _ in range(powers - 1):
        newest = solver.solve(np.ascontiguousarray(newest))
        for _ in range(2):  # once is not enough for rounding
            newest = newest - space @ (space.T @ newest)
        newest = np.linalg.qr(newest)[0]
        space = np.hstack([space, newest])
    return space


def _root(gramian: Array) -> Array:
    values, vectors = np.linalg.eigh(gramian)
    return np.asarray(vectors * np.sqrt(np.clip(values, 0.0, None)))


def _blocks(step: Array) -> tuple[Array, Array]:
    """Return coordinates (columns) in which a matrix has blocks of two states, and these, shape (n/2, 2, 2).

    A pair of complex poles p ± iq is the block ((p, q), (-q, p)); real poles stand in twos.
    """
    poles, vectors = np.linalg.eig(step)
    columns: list[Array] = []
    blocks: list[Array] = []
    for k in np.flatnonzero(poles.imag > 0):
        p, q = poles[k].real, poles[k].imag
        columns += [vectors[:, k].real, vectors[:, k].imag]
        blocks.append(np.array([[p, q], [-q, p]]))
    real = sorted(np.flatnonzero(poles.imag == 0), key=lambda k: poles[k].real)
    for one, other in zip(real[::2], real[1::2], strict=True):
        columns += [vectors[:, one].real, vectors[:, other].real]
        blocks.append(np.diag([poles[one].real, poles[other].real]))
    return np.array(columns).T, np.array(blocks)
