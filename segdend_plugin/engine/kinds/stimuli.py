"""Stimuli of a host's model whose sizes and times are written before a trial: currents, and spikes onto synapses."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

from segdend_plugin.errors import ConfigError
from segdend_plugin.types import HocObject, is_number

NEVER = 1e9
"""When a NetStim starts (ms) that is to be silent."""
DELAY = 0.1
"""Of our own teachers' spikes (ms)."""
_GOLDEN = 0.6180339887498949


@dataclass(frozen=True, eq=False)
class Teacher:
    """A current of the host's that flows into a taught cell while a teacher speaks.

    Attributes
    ----------
    clamp
        An IClamp.
    strongest, weakest
        Its amplitude (nA) at levels of 1 and 0; between these it is proportional.
    """

    clamp: HocObject
    strongest: float
    weakest: float = 0.0

    def misfit(self) -> str | None:
        """Return what is wrong with it, as the rest of a sentence."""
        return None if hasattr(self.clamp, "amp") else f"is {self.clamp}: give an IClamp"

    def silence(self) -> None:
        """Let it do nothing."""
        self.clamp.amp = self.clamp.dur = 0.0

    def speak(self, level: float, begin: float, length: float, phase: int) -> None:
        """Write what the next trial wants of its cell.

        Parameters
        ----------
        level
            0 to 1.
        begin, length
            When it flows, and how long (ms).
        phase
            Of regular spikes; currents have none.
        """
        self.clamp.delay, self.clamp.dur = begin, length
        self.clamp.amp = self.weakest + (self.strongest - self.weakest) * level


@dataclass(frozen=True, eq=False)
class SpikeTeacher:
    """Regular spikes of a NetStim of the host's onto a synapse of a taught cell while a teacher speaks.

    Attributes
    ----------
    stim, netcon
        A NetStim without noise, and the NetCon from it, whose weight is how strong it is.
    rate
        Its largest rate (Hz).
    silences
        Whether that is its rate at level 0, as of an inhibitory synapse, instead of at level 1; between these it is
        proportional.
    synapse
        What it reaches, if nobody else holds it.
    """

    stim: HocObject
    netcon: HocObject
    rate: float
    silences: bool = False
    synapse: HocObject = None

    def __post_init__(self) -> None:
        if not is_number(self.rate) or self.rate <= 0:
            raise ConfigError(f"rate={self.rate!r}: give a teacher's rate of more than 0 Hz.")

    def misfit(self) -> str | None:
        """Return what is wrong with it, as the rest of a sentence."""
        if not hasattr(self.stim, "interval"):
            return f"is {self.stim}: give a NetStim"
        return None if self.stim.noise == 0.0 else f"has noise={self.stim.noise:g}: set it to 0"

    def silence(self) -> None:
        """Let it do nothing."""
        self.stim.number, self.stim.start = 0, NEVER

    def speak(self, level: float, begin: float, length: float, phase: int) -> None:
        """Write what the next trial wants of its cell; the parameters are those of :meth:`Teacher.speak`."""
        share = 1.0 - level if self.silences else level
        if share <= 0.0:
            self.silence()
            return
        interval = 1000.0 / (self.rate * share)
        first = (phase * _GOLDEN) % 1.0 * interval  # cells of one class do not all fire at once
        self.stim.interval, self.stim.start = interval, begin + first
        self.stim.number = floor((length - first) / interval) + 1 if first < length else 0


Stimulus = Teacher | SpikeTeacher

EXCITES, SILENCES = (50.0, 0.0), (200.0, -80.0)
"""Rate (Hz) and reversal potential (mV) of the spikes that tell a cell to fire, and not to."""
DECAY = 5.0
"""Of their conductances (ms)."""
STRENGTH = 0.02
"""Of their NetCons, as long as nobody has measured what it takes (uS)."""


def made_for(target: HocObject) -> tuple[SpikeTeacher, SpikeTeacher]:
    """Return teachers of a cell that its owner gave none: regular spikes that excite at level 1, or inhibit at level 0.

    Parameters
    ----------
    target
        The segment that they act on, or an artificial cell, which takes the one with a negative weight.
    """
    from neuron import h

    made = []
    for (rate, reversal), silences in ((EXCITES, False), (SILENCES, True)):
        stim, synapse = h.NetStim(), None
        stim.noise, stim.number, stim.start = 0.0, 0, NEVER
        if hasattr(target, "sec"):
            synapse = h.ExpSyn(target)
            synapse.e, synapse.tau = reversal, DECAY
        netcon = h.NetCon(stim, target if synapse is None else synapse)
        netcon.delay, netcon.weight[0] = DELAY, -STRENGTH if silences and synapse is None else STRENGTH
        made.append(SpikeTeacher(stim, netcon, rate, silences, synapse))
    return made[0], made[1]
