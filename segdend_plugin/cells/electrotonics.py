"""How a cell's shape passes signals on: input and transfer impedance, measured in NEURON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from segdend_plugin.types import Array, Segment

Complex = NDArray[np.complex128]


def transfer_impedance(source: Segment, targets: Sequence[Segment], frequency: float = 0.0) -> Array:
    """Return the transfer impedance between one place and others.

    Parameters
    ----------
    source
        Where current is injected.
    targets
        Where the potential is read; by reciprocity the same holds the other way round.
    frequency
        In Hz, 0 for steady currents.

    Returns
    -------
    Array
        Magnitudes in MOhm (mV/nA), shape (len(targets),).
    """
    from neuron import h

    probe = h.Impedance()
    probe.loc(source.x, sec=source.sec)
    probe.compute(frequency, 0)
    return np.array([probe.transfer(target.x, sec=target.sec) for target in targets])


@dataclass(frozen=True)
class Segregation:
    """How far tuft and soma are apart electrically, at steady state.

    Attributes
    ----------
    soma_input
        Input impedance at the soma (MOhm).
    tuft_input
        Potential of the tuft for unit current spread over its sites (MOhm).
    tuft_to_soma
        Somatic potential for a tuft potential of 1 that tuft current makes.
    soma_to_tuft
        Tuft potential for a somatic potential of 1 that somatic current makes.
    tuft_sites
        How many sites that is the mean of.
    """

    soma_input: float
    tuft_input: float
    tuft_to_soma: float
    soma_to_tuft: float
    tuft_sites: int

    def to_dict(self) -> dict[str, float]:
        """Return the numbers as plain data."""
        return asdict(self)


def segregation(soma: Segment, tuft: Sequence[Segment]) -> Segregation:
    """Measure how segregated the tuft sites are from the soma.

    Parameters
    ----------
    soma
        The somatic segment that spikes.
    tuft
        Segments that feedback lands on.
    """
    own = float(transfer_impedance(soma, [soma])[0])
    to_soma = float(np.mean(transfer_impedance(soma, tuft)))
    within = float(np.mean([transfer_impedance(site, tuft) for site in tuft]))
    return Segregation(own, within, to_soma / within, to_soma / own, len(tuft))


@dataclass(frozen=True)
class Responses:
    """Complex impedances (MOhm) of a cell with one soma, many basal places and a tuft.

    The tuft is one port: current spreads evenly over its sites, and their mean potential is read.

    Attributes
    ----------
    frequencies
        In Hz, shape (n,).
    soma, between, tuft
        Input impedance of the soma, transfer impedance from soma to tuft, input impedance of the tuft, shape (n,).
    basal
        Transfer impedance from every basal place to the soma, shape (n, n_places).
    """

    frequencies: Array
    soma: Complex
    between: Complex
    tuft: Complex
    basal: Complex


def responses(soma: Segment, basal: Sequence[Segment], tuft: Sequence[Segment], frequencies: Array) -> Responses:
    """Measure how soma and tuft of a cell answer to current at the soma, at basal places and in the tuft.

    Parameters
    ----------
    soma
        The segment that spikes.
    basal
        Places of feed-forward synapses.
    tuft
        Segments that feedback lands on.
    frequencies
        In Hz.
    """
    from_soma = np.array([_complex_transfer(soma, [soma, *tuft, *basal], frequency) for frequency in frequencies])
    within = [[np.mean(_complex_transfer(site, tuft, frequency)) for site in tuft] for frequency in frequencies]
    return Responses(
        np.asarray(frequencies, dtype=float),
        from_soma[:, 0],
        from_soma[:, 1 : 1 + len(tuft)].mean(axis=1),
        np.mean(within, axis=1),
        from_soma[:, 1 + len(tuft) :],
    )


def _complex_transfer(source: Segment, targets: Sequence[Segment], frequency: float) -> Complex:
    from neuron import h

    probe = h.Impedance()
    probe.loc(source.x, sec=source.sec)
    probe.compute(frequency, 0)
    size = np.array([probe.transfer(target.x, sec=target.sec) for target in targets])
    phase = np.array([probe.transfer_phase(target.x, sec=target.sec) for target in targets])
    return size * np.exp(1j * phase)
