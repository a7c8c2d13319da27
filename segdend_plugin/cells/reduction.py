"""Passive cells in a few compartments that answer at soma and tuft as the whole tree does.

The membrane is the same everywhere, so that a cell is a linear network of leaks g_k (each with the capacitance tau g_k)
and axial conductances, and its impedances at the frequency f are

    Z(f) = (s G + L)^-1,    s = 1 + 2 pi i f tau,

with G = diag(g) and L the graph Laplacian of the axial conductances. What a network of cells sees of the tree is Z
between soma and tuft (a two-port) and, for every basal place, Z from there to the soma; the way on from the soma to
the tuft is the same for all of them. Leaks and axial conductances of two chains of compartments, a basal and an apical
one, are fitted to these. A basal place of the full cell then acts on the soma and the compartments of the basal chain
at once, with shares that add up to one.

Sources: impedance matching of reduced neurons, Amsalem et al. (2020) Nat Commun 11:288 and Wybo et al. (2021) eLife
10:e60936. The shares of basal places, which need no compartment of their own, are this project's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segdend_plugin.cells.electrotonics import Responses
from segdend_plugin.types import Array, Integers

Complex = NDArray[np.complex128]

TOLERANCE = 0.02
"""Largest relative error of a response that a reduction may have, up to 100 Hz."""
FREQUENCIES = np.linspace(0.0, 100.0, 21)
"""Where responses are compared (Hz)."""
BASAL, APICAL = range(2, 5), range(3, 13)
"""Numbers of compartments that are tried in each chain."""
PRIOR = 1e-3
"""Pull of the logarithms of leaks and axial conductances towards where they start: it keeps what does not matter."""
REACH = 15.0
"""How far these logarithms go at most, so that a step too wide leaves numbers to go on with."""
RIDGE = 1e-5
"""Pull of the shares towards the soma's: large ones of opposite sign would gain little."""


@dataclass(frozen=True)
class Errors:
    """Largest relative errors of the complex responses from 0 to 100 Hz.

    Attributes
    ----------
    basal_to_soma, basal_to_tuft
        Of the potentials of soma and tuft for current at a basal place, the worst place; calibration makes the steady
        somatic response exact.
    tuft_to_soma, tuft_to_tuft
        Of the potentials of soma and tuft for current that all tuft sites share.
    """

    basal_to_soma: float
    basal_to_tuft: float
    tuft_to_soma: float
    tuft_to_tuft: float

    @property
    def largest(self) -> float:
        """The largest of the four."""
        return max(self.basal_to_soma, self.basal_to_tuft, self.tuft_to_soma, self.tuft_to_tuft)


@dataclass(frozen=True)
class Reduction:
    """A reduced cell: the soma, then a basal chain, then an apical chain that ends in the tuft.

    Attributes
    ----------
    leak
        Steady conductance (uS) of the membrane of each compartment, shape (n,).
    axial
        Conductance (uS) between each compartment and its parent, shape (n,); 0 for the soma.
    parent
        Index of each compartment's parent, shape (n,); the soma, the first, has -1.
    basal
        Compartments in the basal chain: numbers 1 to `basal`.
    shares
        How the effect of each basal place of the full cell on the soma divides among soma and basal chain at steady
        state, shape (n_places, 1 + basal); every row adds up to 1, and shares may be negative.
    errors
        What it is worth.
    """

    leak: Array
    axial: Array
    parent: Integers
    basal: int
    shares: Array
    errors: Errors


def reduce(full: Responses, time_constant: float) -> Reduction:
    """Return the smallest reduction within the tolerance, or the best one that was found.

    Parameters
    ----------
    full
        Responses of the full cell, the first at 0 Hz.
    time_constant
        Of its membrane (ms).
    """
    best: Reduction | None = None
    sizes = sorted(((basal, apical) for basal in BASAL for apical in APICAL), key=lambda size: (sum(size), size))
    for basal, apical in sizes:
        found = _Chains(full, time_constant, basal, apical).fit()
        if best is None or found.errors.largest < best.errors.largest:
            best = found
        if best.errors.largest <= TOLERANCE:
            break
    assert best is not None
    return best


class _Chains:
    """Two chains of given sizes on a soma, to be fitted to the responses of a full cell.

    Their parameters are the logarithms of all leaks, then of all axial conductances.
    """

    def __init__(self, full: Responses, time_constant: float, basal: int, apical: int) -> None:
        self.full, self.basal, self.n = full, basal, 1 + basal + apical
        self.s = 1 + 2e-3j * np.pi * full.frequencies * time_constant
        self.child = np.arange(1, self.n)
        self.parent = np.array([*range(basal), 0, *range(basal + 1, self.n - 1)])
        # basal places relative to the soma itself, steady 1; how late they are at 100 Hz puts them in order
        relative = full.basal / full.soma[:, None]
        self.relative: Complex = relative / relative[0]
        delay = -_logarithm(self.relative)[-1].imag
        wanted = delay.max() * np.arange(1, basal + 1) / basal
        self.nodes = [int(np.argmin(np.abs(delay - late))) for late in wanted]
        self.start = np.log([*self._leaks(apical), *self._axials(apical)])

    def fit(self) -> Reduction:
        """Match soma and tuft, and let the basal chain answer like places that are ever later."""
        from scipy.optimize import least_squares

        # MINPACK, whose sums do not depend on the number of threads of a linear algebra library
        found = least_squares(self._misfit, self.start, jac=self._slopes, method="lm", max_nfev=300)
        impedance = self._impedance(found.x)
        leak, axial = self._conductances(found.x)
        shares = self._shares(self._relative(impedance))
        return Reduction(
            leak,
            np.concatenate([[0.0], axial]),
            np.concatenate([[-1], self.parent]),
            self.basal,
            shares,
            self._errors(impedance, shares),
        )

    def _leaks(self, apical: int) -> list[float]:
        """Return leaks to start from: a fifth, a half and the rest of the input conductance in soma and chains."""
        total = 1 / self.full.soma[0].real
        return [0.2 * total, *[0.5 * total / self.basal] * self.basal, *[0.3 * total / apical] * apical]

    def _axials(self, apical: int) -> list[float]:
        """Return axial conductances to start from: cylinders, the apical one as long as its attenuation says."""
        total = 1 / self.full.soma[0].real
        length = np.arccosh(max(self.full.soma[0].real / self.full.between[0].real, 1.05))
        basal, trunk = 0.5 * total * self.basal / 0.8**2, 0.3 * total * apical / length**2
        return [*[basal] * self.basal, *[float(trunk)] * apical]

    def _conductances(self, x: Array) -> tuple[Array, Array]:
        whole = np.exp(np.clip(x, self.start - REACH, self.start + REACH))
        return whole[: self.n], whole[self.n :]

    def _impedance(self, x: Array) -> Complex:
        """Return Z (MOhm) at all frequencies, shape (n_frequencies, n, n)."""
        leak, axial = self._conductances(x)
        laplacian = np.zeros((self.n, self.n))
        np.add.at(laplacian, (self.child, self.child), axial)
        np.add.at(laplacian, (self.parent, self.parent), axial)
        laplacian[self.child, self.parent] = laplacian[self.parent, self.child] = -axial
        return np.asarray(np.linalg.inv(self.s[:, None, None] * np.diag(leak) + laplacian), dtype=complex)

    def _relative(self, impedance: Complex) -> Complex:
        """Return the responses of the soma to the places, each as its own is to those of the full cell."""
        relative = impedance[:, : self.basal + 1, 0] / impedance[:, :1, 0]
        scaled: Complex = relative / relative[0]
        return scaled

    def _misfit(self, x: Array) -> Array:
        impedance, full = self._impedance(x), self.full
        ratios = [
            impedance[:, 0, 0] / full.soma,
            impedance[:, 0, -1] / full.between,
            impedance[:, -1, -1] / full.tuft,
            *(self._relative(impedance)[:, 1:] / self.relative[:, self.nodes]).T,
        ]
        misfit = np.concatenate([_logarithm(ratio) for ratio in ratios])
        return np.concatenate([misfit.real, misfit.imag, PRIOR * (x - self.start)])

    def _slopes(self, x: Array) -> Array:
        """Return the derivatives of the misfit.

        A leak changes Z_ab by -s Z_ai Z_ib, an axial conductance by -(Z_ai - Z_ap)(Z_ib - Z_pb).
        """
        impedance, (leak, axial) = self._impedance(x), self._conductances(x)

        def logarithmic(a: int, b: int) -> Complex:
            from_a, to_b = impedance[:, a, :], impedance[:, :, b]
            out, back = (ends[:, self.child] - ends[:, self.parent] for ends in (from_a, to_b))
            slopes = np.concatenate([self.s[:, None] * from_a * to_b * leak, out * back * axial], axis=1)
            return np.asarray(-slopes / impedance[:, a, b, None], dtype=complex)

        soma = logarithmic(0, 0)
        slopes = [soma, logarithmic(0, self.n - 1), logarithmic(self.n - 1, self.n - 1)]
        for place in range(1, self.basal + 1):
            relative = logarithmic(place, 0) - soma
            slopes.append(relative - relative[0])
        whole = np.concatenate(slopes)
        return np.concatenate([whole.real, whole.imag, PRIOR * np.eye(len(x))])

    def _shares(self, relative: Complex) -> Array:
        """Return the shares that approximate every place's relative response best, shape (n_places, 1 + basal)."""
        shares = []
        for wanted in self.relative.T:
            weight = 1 / np.abs(wanted)
            steps = (relative[:, 1:] - relative[:, :1]) * weight[:, None]
            rest = (wanted - relative[:, 0]) * weight
            equations = np.concatenate([steps.real, steps.imag, np.sqrt(RIDGE) * np.eye(self.basal)])
            solution = np.linalg.lstsq(
                equations, np.concatenate([rest.real, rest.imag, np.zeros(self.basal)]), rcond=None
            )
            shares.append([1 - solution[0].sum(), *solution[0]])
        return np.array(shares)

    def _errors(self, impedance: Complex, shares: Array) -> Errors:
        full = self.full
        # what a place of unit steady effect on the soma does there, and from there at the tuft
        at_soma, wanted = impedance[:, 0, 0] / impedance[0, 0, 0], full.soma / full.soma[0]
        at_tuft, wanted_at_tuft = impedance[:, 0, -1] / impedance[0, 0, 0], full.between / full.soma[0]
        places = self._relative(impedance) @ shares.T
        return Errors(
            _worst(places * at_soma[:, None], self.relative * wanted[:, None]),
            _worst(places * at_tuft[:, None], self.relative * wanted_at_tuft[:, None]),
            _worst(impedance[:, 0, -1], full.between),
            _worst(impedance[:, -1, -1], full.tuft),
        )


def _logarithm(values: Complex) -> Complex:
    """Return the logarithm whose imaginary part is a steady function of frequency, the first axis."""
    return np.asarray(np.log(np.abs(values)) + 1j * np.unwrap(np.angle(values), axis=0), dtype=complex)


def _worst(found: Complex, wanted: Complex) -> float:
    return float(np.abs(found / wanted - 1).max())
