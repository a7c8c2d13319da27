"""What an active cell does: firing rates, action potentials, back-propagation, calcium spikes.

The protocols are those that published models are judged by (Larkum, Zhu & Sakmann 1999 Nature 398:338; Hay et al. 2011
PLoS Comput Biol 7:e1002107). NEURON is imported inside the functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from segdend_plugin.cells.active import CELSIUS, hot_zone, settle
from segdend_plugin.errors import MorphologyError
from segdend_plugin.types import Array, HocObject, Segment

THRESHOLD = -20.0
"""Potential whose upward crossing is an action potential (mV)."""
PLATEAU = -40.0
"""Potential above which a dendrite is in a calcium spike (mV)."""
PULSE, PULSE_AT = 5.0, 20.0
"""Somatic current pulse that evokes one action potential: length and onset (ms)."""
SYNAPSE_AFTER = 5.0
"""Onset of the apical current after that of the pulse (ms)."""
RISE, DECAY = 0.5, 5.0
"""Time constants of the apical current (ms)."""


@dataclass(frozen=True)
class ActionPotential:
    """Threshold (mV, where the slope passes 20 mV/ms), height above it (mV), width at half of that (ms)."""

    threshold: float
    height: float
    width: float


@dataclass(frozen=True)
class CalciumSpike:
    """Answers to a somatic pulse, an apical current, or both.

    Attributes
    ----------
    spikes
        Somatic action potentials.
    plateau
        Time that the hot zone spends above -40 mV (ms).
    times, soma, apical
        Traces (ms, mV), shape (n,).
    """

    spikes: int
    plateau: float
    times: Array
    soma: Array
    apical: Array


class Preparation:
    """An active cell on the bench: every run begins at rest.

    Parameters
    ----------
    cell
        As `segdend_plugin.cells.templates.pyramidal_active` builds it.
    step
        Time step (ms).
    """

    def __init__(self, cell: Any, step: float = 0.025) -> None:
        from neuron import h

        self.cell, self.step = cell, step
        self.soma: Segment = cell.soma[0](0.5)
        near, far = hot_zone(cell)
        places = [segment for section in cell.tuft for segment in section]
        inside = [segment for segment in places if near <= h.distance(self.soma, segment) <= far]
        self.apical: Segment = min(inside or places, key=lambda segment: h.distance(self.soma, segment))
        rest = [
            (segment, v)
            for section, values in settle(cell, 0.0).items()
            for segment, v in zip(section, values, strict=True)
        ]
        self.rest = {str(segment): v for segment, v in rest}
        self._segments = [segment for segment, _ in rest]

    def run(self, duration: float, currents: Sequence[tuple[Segment, Array]], places: Sequence[Segment]) -> Array:
        """Inject currents and return the potentials at some places.

        Parameters
        ----------
        duration
            In ms.
        currents
            Where, and how much in each step (nA).
        places
            Where potentials are recorded.

        Returns
        -------
        Array
            Shape (1 + places, steps + 1): times (ms), potentials (mV).
        """
        from neuron import h

        steps = round(duration / self.step)
        traces = [h.Vector().record(ref) for ref in (h._ref_t, *(place._ref_v for place in places))]
        clamps = []
        for place, amplitude in currents:
            clamp, wave = h.IClamp(place), h.Vector(amplitude)
            clamp.dur = 1e9
            wave.play(clamp._ref_amp, self.step)
            clamps.append((clamp, wave))
        h.celsius, h.dt = CELSIUS, self.step
        handler = h.FInitializeHandler(0, self._set)
        h.finitialize(-70.0)
        for _ in range(steps):
            h.fadvance()
        del handler
        return np.array([np.array(trace) for trace in traces])

    def _set(self) -> None:
        for segment in self._segments:
            segment.v = self.rest[str(segment)]

    def pulse(self, amplitude: float, start: float, length: float, duration: float) -> Array:
        """Return a rectangular current for `run` (nA)."""
        times = self.step * np.arange(round(duration / self.step))
        wave: Array = np.where((times >= start) & (times < start + length), amplitude, 0.0)
        return wave

    def synapse(self, peak: float, start: float, duration: float) -> Array:
        """Return the current of a synapse for `run`, a difference of two exponentials (nA)."""
        age = self.step * np.arange(round(duration / self.step)) - start
        wave: Array = np.where(age > 0, np.exp(-age / DECAY) - np.exp(-age / RISE), 0.0)
        wave *= peak / wave.max()
        return wave


def crossings(times: Array, potential: Array, level: float = THRESHOLD) -> Array:
    """Return the times at which a potential rises above a level (ms)."""
    return times[1:][(potential[1:] > level) & (potential[:-1] <= level)]


def input_resistance(preparation: Preparation, current: float = -0.02) -> float:
    """Return the somatic potential change per steady current after 500 ms (MOhm)."""
    _, soma = preparation.run(
        500.0, [(preparation.soma, preparation.pulse(current, 0.0, 500.0, 500.0))], [preparation.soma]
    )
    return float((soma[-1] - soma[0]) / current)


def firing_rates(preparation: Preparation, currents: Sequence[float], duration: float = 500.0) -> Array:
    """Return the firing rates (Hz) that steady somatic currents (nA) evoke, shape (len(currents),)."""
    rates = []
    for current in currents:
        wave = preparation.pulse(current, 0.0, duration, duration)
        times, soma = preparation.run(duration, [(preparation.soma, wave)], [preparation.soma])
        rates.append(1000.0 * len(crossings(times, soma)) / duration)
    return np.array(rates)


def smallest_pulse(preparation: Preparation) -> float:
    """Return the first of 0.25, 0.35, 0.5, 0.7 ... nA that evokes an action potential within a pulse of 5 ms."""
    for current in 0.25 * 2 ** (np.arange(10) / 2):
        wave = preparation.pulse(current, PULSE_AT, PULSE, 40.0)
        times, soma = preparation.run(40.0, [(preparation.soma, wave)], [preparation.soma])
        if len(crossings(times, soma)):
            return float(current)
    raise MorphologyError("No somatic pulse up to 5 nA makes the cell fire: look at its densities.")


def action_potential(preparation: Preparation, current: float) -> ActionPotential:
    """Measure the action potential that a somatic pulse (nA) evokes."""
    wave = preparation.pulse(current, PULSE_AT, PULSE, 60.0)
    times, soma = preparation.run(60.0, [(preparation.soma, wave)], [preparation.soma])
    slope = np.diff(soma) / preparation.step
    # charging by the pulse is fast, too: the last time before the peak at which the slope passes 20 mV/ms
    slow = np.flatnonzero((slope < 20.0) & (times[1:] < times[soma.argmax()]) & (soma[1:] < THRESHOLD))
    start = int(slow[-1]) + 1
    peak = float(soma.max())
    half = (soma[start] + peak) / 2
    above = times[soma > half]
    return ActionPotential(float(soma[start]), peak - float(soma[start]), float(above[-1] - above[0]))


def back_propagation(preparation: Preparation, current: float) -> tuple[Array, Array]:
    """Return distances from the soma along the trunk (um), and amplitudes there of a single action potential (mV)."""
    from neuron import h

    places = [preparation.soma, *(segment for section in preparation.cell.trunk for segment in section)]
    wave = preparation.pulse(current, PULSE_AT, PULSE, 60.0)
    potentials = preparation.run(60.0, [(preparation.soma, wave)], places)[1:]
    distances = np.array([h.distance(preparation.soma, place) for place in places])
    order = np.argsort(distances)
    return distances[order], (potentials.max(axis=1) - potentials[:, 0])[order]


def calcium_spike(preparation: Preparation, somatic: float, apical: float, duration: float = 150.0) -> CalciumSpike:
    """Pair an action potential with an apical current (BAC firing), or give one of them alone.

    Parameters
    ----------
    preparation
        The cell.
    somatic
        Pulse of 5 ms into the soma (nA), 0 for none.
    apical
        Peak of the synaptic current into the hot zone (nA), 5 ms later, 0 for none.
    duration
        In ms.
    """
    places: list[HocObject] = [preparation.soma, preparation.apical]
    currents = [
        (preparation.soma, preparation.pulse(somatic, PULSE_AT, PULSE, duration)),
        (preparation.apical, preparation.synapse(apical, PULSE_AT + SYNAPSE_AFTER, duration)),
    ]
    times, soma, tuft = preparation.run(duration, currents, places)
    plateau = preparation.step * float(np.count_nonzero(tuft > PLATEAU))
    return CalciumSpike(len(crossings(times, soma)), plateau, times, soma, tuft)
