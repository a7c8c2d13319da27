"""How a cell's shape passes signals on: input and transfer impedance, measured in NEURON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from segdend_plugin.cells import cable
from segdend_plugin.cells.cable import Complex
from segdend_plugin.types import Array, HocObject, Segment


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
    probe = probe_from(source, frequency)
    return np.array([probe.transfer(target) for target in targets])


@dataclass(frozen=True)
class Port:
    """Places that act as one: current divides among them by weight, and the weighted mean of their potentials is read.

    Attributes
    ----------
    places
        Where.
    weights
        Of each, shape (n_places,); they add up to 1.
    """

    places: Sequence[Segment]
    weights: Array

    @classmethod
    def evenly(cls, places: Sequence[Segment]) -> Port:
        """Return the port of sites that all count the same."""
        return cls(places, np.full(len(places), 1 / len(places)))

    @classmethod
    def by_length(cls, places: Sequence[Segment]) -> Port:
        """Return the port of segments whose synapses are spread evenly over their length."""
        lengths = np.array([place.sec.L / place.sec.nseg for place in places])
        return cls(places, lengths / lengths.sum())


def port_impedance(ports: Sequence[Port], frequency: float = 0.0) -> Complex:
    """Return input and transfer impedances of ports.

    Parameters
    ----------
    ports
        Not empty.
    frequency
        In Hz.

    Returns
    -------
    ndarray of complex, shape (n_ports, n_ports)
        In MOhm; symmetric.
    """
    places = [place for port in ports for place in port.places]
    between = np.zeros((len(places), len(places)), dtype=complex)
    for k, place in enumerate(places):  # by reciprocity one half is enough
        between[k, k:] = between[k:, k] = _complex_transfer(place, places[k:], frequency)
    ends = np.cumsum([0, *(len(port.places) for port in ports)])
    weights = np.zeros((len(ports), len(places)))
    for row, port, begin, end in zip(weights, ports, ends[:-1], ends[1:], strict=True):
        row[begin:end] = port.weights
    return np.asarray(weights @ between @ weights.T, dtype=complex)


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
    index, independence
        Segregation index of tuft and basal dendrites, and their independence index I_Z
        (`segdend_plugin.cells.cable`); None where the basal dendrites were not measured.
    index_soma, independence_soma
        The same of tuft and soma.
    """

    soma_input: float
    tuft_input: float
    tuft_to_soma: float
    soma_to_tuft: float
    tuft_sites: int
    index: float | None = None
    independence: float | None = None
    index_soma: float | None = None
    independence_soma: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """Return the numbers as plain data."""
        return asdict(self)


def segregation(soma: Segment, tuft: Sequence[Segment], basal: Sequence[Segment] = ()) -> Segregation:
    """Measure how segregated the tuft sites are from soma and basal dendrites.

    Parameters
    ----------
    soma
        The somatic segment that spikes.
    tuft
        Segments that feedback lands on.
    basal
        All segments that feed-forward synapses may land on, evenly over their length.
    """
    ports = [Port.evenly(tuft), Port.evenly([soma]), *([Port.by_length(basal)] if basal else [])]
    return segregation_of(port_impedance(ports), len(tuft))


def segregation_of(impedance: Complex, tuft_sites: int) -> Segregation:
    """Return what steady impedances of the ports tuft, soma and, if there is a third one, basal dendrites say."""
    within, own, to_soma = (float(abs(impedance[pair])) for pair in ((0, 0), (1, 1), (0, 1)))

    def of(index: Callable[[Complex, Complex, Complex], Array], port: int) -> float | None:
        if port >= len(impedance):
            return None
        return float(index(impedance[0, 0], impedance[port, port], impedance[0, port]))

    return Segregation(
        soma_input=own,
        tuft_input=within,
        tuft_to_soma=to_soma / within,
        soma_to_tuft=to_soma / own,
        tuft_sites=tuft_sites,
        index=of(cable.segregation_index, 2),
        independence=of(cable.independence_index, 2),
        index_soma=of(cable.segregation_index, 1),
        independence_soma=of(cable.independence_index, 1),
    )


def probe_from(source: Segment, frequency: float) -> HocObject:
    """Return NEURON's ``Impedance`` for current at `source`, computed at `frequency` (Hz)."""
    from neuron import h

    probe = h.Impedance()
    probe.loc(source.x, sec=source.sec)
    probe.compute(frequency, 0)
    return probe


def _complex_transfer(source: Segment, targets: Sequence[Segment], frequency: float) -> Complex:
    probe = probe_from(source, frequency)
    size = np.array([probe.transfer(target) for target in targets])
    phase = np.array([probe.transfer_phase(target) for target in targets])
    return size * np.exp(1j * phase)
