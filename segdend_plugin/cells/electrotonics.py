"""How a cell's shape passes signals on: input and transfer impedance, measured in NEURON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from segdend_plugin.types import Array, Segment


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
