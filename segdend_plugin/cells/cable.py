"""What electrotonics is measured with: length constants, attenuation and indices of segregation. Pure NumPy.

Impedances are those of two places, or of two groups of places that each act as one: Z_aa and Z_bb are the input
impedances, Z_ab is the transfer impedance, which is the same both ways. With a frequency they are complex, and their
magnitudes count.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from segdend_plugin.types import Array

Complex = NDArray[np.complex128]
Numbers = TypeVar("Numbers", float, Array)


def length_constant(
    diameter: Numbers, axial_resistivity: float, leak: Numbers, capacitance: float, frequency: float = 0.0
) -> Numbers:
    """Return the length over which the potential falls e-fold in an endless cylinder.

    lambda = sqrt(d / (4 Ra g)) for steady currents; a sine wave of frequency f falls as
    exp(-x Re sqrt(1 + 2 pi i f tau) / lambda), so that its length constant is smaller by that real part
    (Koch 1999, Biophysics of Computation, ch 2).

    Parameters
    ----------
    diameter
        In um.
    axial_resistivity
        Ra (Ohm cm).
    leak
        Conductance g of the membrane (S/cm2).
    capacitance
        Of the membrane (uF/cm2).
    frequency
        In Hz.

    Returns
    -------
    float or Array
        In um.
    """
    steady = 1e4 * np.sqrt(1e-4 * diameter / (4 * axial_resistivity * leak))
    time_constant = 1e-6 * capacitance / leak  # s
    return steady / np.sqrt(1 + 2j * np.pi * frequency * time_constant).real  # type: ignore[no-any-return]


def attenuation(own: Complex, transfer: Complex) -> Array:
    """Return which part of the potential at a, made by current there, arrives at b: |Z_ab / Z_aa|.

    Parameters
    ----------
    own, transfer
        Z_aa and Z_ab (MOhm).
    """
    return np.asarray(np.abs(transfer) / np.abs(own), dtype=float)


def segregation_index(first: Complex, second: Complex, transfer: Complex) -> Array:
    """Return how far two places are apart: 0 if they are one, 1 if neither sees the other.

    1 - |Z_ab| / sqrt(|Z_aa| |Z_bb|), that is 1 minus the geometric mean of the attenuations both ways. At steady state
    Z is symmetric and positive definite, so that the index lies between 0 and 1 (Cauchy-Schwarz). It does not depend
    on how currents or potentials at either place are scaled, and so not on calibration. Where every path between
    a and b leads through one place c, coupling is a product: 1 - index(a, b) = (1 - index(a, c)) (1 - index(c, b)).

    The definition is this project's, motivated by the impedance trees of Wybo et al. (2019) Cell Rep 26:1759.

    Parameters
    ----------
    first, second, transfer
        Z_aa, Z_bb and Z_ab (MOhm).
    """
    return np.asarray(1 - np.abs(transfer) / np.sqrt(np.abs(first) * np.abs(second)), dtype=float)


def independence_index(first: Complex, second: Complex, transfer: Complex) -> Array:
    """Return the index I_Z of Wybo et al. (2019) Cell Rep 26:1759: (Z_aa + Z_bb) / (2 Z_ab) - 1.

    0 if the places are one, and without limit. As the arithmetic mean is at least the geometric one, the segregation
    index is at most I_Z / (1 + I_Z), and equal to it where both input impedances are the same.

    Parameters
    ----------
    first, second, transfer
        Z_aa, Z_bb and Z_ab (MOhm).
    """
    return np.asarray((np.abs(first) + np.abs(second)) / (2 * np.abs(transfer)) - 1, dtype=float)


def segregation_index_lumped(g_leak: float, g_basal: float, g_apical: float, at: str = "basal") -> float:
    """Return the segregation index of the paper's three-compartment cell, by a convention.

    Its dendrites are sources of potential that the soma never invades: one of the two attenuations is nought, and the
    definition for reciprocal cells would give 1 whatever g_apical. The one coupling that there is would not count,
    though it is what the paper varies (0, 0.05 and 0.6). So it counts for both ways: a tuft potential reaches the soma
    with g_a / (g_l + g_b + g_a), a basal one with g_b / (g_l + g_b + g_a), and the index is 1 minus these couplings, of
    which the way from tuft to basal dendrite takes both. It is that of a reciprocal cell whose soma attenuates
    towards a dendrite as this dendrite attenuates towards the soma; 1 for g_apical = 0.

    Parameters
    ----------
    g_leak, g_basal, g_apical
        Conductances of the cell, in any unit.
    at
        What the tuft is compared with: ``basal`` or ``soma``.
    """
    total = g_leak + g_basal + g_apical
    return 1 - g_apical / total * (g_basal / total if at == "basal" else 1.0)


def segregation_lumped(g_leak: float, g_basal: float, g_apical: float) -> dict[str, float | None]:
    """Return what the paper's three-compartment cell has of a `segdend_plugin.cells.electrotonics.Segregation`.

    Parameters
    ----------
    g_leak, g_basal, g_apical
        Conductances of the cell, in any unit.
    """
    return {
        "tuft_to_soma": g_apical / (g_leak + g_basal + g_apical),
        "soma_to_tuft": 0.0,
        "index": segregation_index_lumped(g_leak, g_basal, g_apical),
        "index_soma": segregation_index_lumped(g_leak, g_basal, g_apical, at="soma"),
    }
