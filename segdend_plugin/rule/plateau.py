"""From windowed averages of an apical dendrite to its plateau: what a hidden cell learns from.

Every kind of plateau is a :class:`Readout`: what is averaged over the window of a phase, and where; it makes alpha,
between 0 and 1, of that average.

``average``
    alpha = sigma(g V), V the mean potential of the feedback sites, g the gain (1 in the paper). Guerguiev et al. (2017)
    eLife 6:e22901, eqs 5 and 21.
``bursts``
    Poisson numbers with mean alpha: :func:`burst_difference`. The same, eqs 36-37.
``axial``
    alpha = sigma(g (V - V_trunk)/d), V_trunk the potential where the trunk ends, d what unit drive makes of the
    difference. By Ohm's law the difference is proportional to the axial current that leaves the tuft, which a tuft can
    know by itself (Rall 1962, Ann N Y Acad Sci 96:1071: axial current is the gradient of the potential; its use as a
    plateau is this project's). The soma invades it with the opposite sign: its depolarisation flows into the tuft.
``local``
    alpha = sigma(g (V - rho V_trunk)/d), rho what the tuft has of a steady potential of the trunk's end, so that all
    that comes up the trunk drops out at steady state, whatever the cell's shape; what is left is what synapses in the
    tuft make there by themselves (this project's).
``nmda``
    alpha = mean of B(v), B(v) = 1/(1 + [Mg]/3.57 exp(-0.062 v)), v in mV, [Mg] = 1 mM: the fraction of the NMDA
    channels at the feedback sites that magnesium does not block. Jahr & Stevens (1990) J Neurosci 10:3178, eq 4a.
``calcium``
    alpha = mean of m_inf(v) where the trunk ends: the steady activation of the high-voltage-activated calcium channels
    that carry a plateau there, m_inf = a/(a + b), a = 0.055 (-27 - v)/(exp((-27 - v)/3.8) - 1),
    b = 0.94 exp((-75 - v)/17), v in mV (half at -33 mV). Reuveni et al. (1993) J Neurosci 13:4609; plateaus at the
    nexus: Larkum, Zhu & Sakmann (1999) Nature 398:338.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import exp

import numpy as np
from scipy.special import expit

from segdend_plugin.errors import ConfigError
from segdend_plugin.model.graph import Kind
from segdend_plugin.model.places import NEXUS, SOMA, Place
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.model.wants import Average, Quantity
from segdend_plugin.types import Array, Integers

LATEST = 5
"""Most milliseconds by which a jittered plateau precedes the end of its phase."""
NMDA_SLOPE = 0.062
"""Of the block of NMDA channels by magnesium (1/mV; Jahr & Stevens 1990, eq 4a)."""
NMDA_HALF = 3.57
"""Concentration of magnesium (mM) that blocks half of them at 0 mV (the same)."""


def unblocked(v: float, magnesium: float = 1.0) -> float:
    """Return the fraction of NMDA channels without a magnesium ion at `v` mV and so many mM (Jahr & Stevens 1990)."""
    return 1.0 / (1.0 + magnesium / NMDA_HALF * exp(-NMDA_SLOPE * v))


def nmda_steepness(rest: float, unit: float) -> float:
    """Return how steeply the unblocked fraction of NMDA channels rises at rest per unit, relative to sigma at 0.

    Parameters
    ----------
    rest, unit
        Potential that the rule calls 0, and what it calls 1 (mV).
    """
    at_rest = unblocked(rest)
    return 4.0 * NMDA_SLOPE * unit * at_rest * (1.0 - at_rest)


@dataclass(frozen=True)
class Readout:
    """How one kind of plateau is read, what alpha is of it, and how fast cells learn from it: all that is to be known.

    Attributes
    ----------
    quantity
        What is averaged over the window of a phase.
    at_sites, at_nexus
        Where it is read: at the feedback sites, whose mean counts, and where the trunk ends. With both, the difference
        counts, in units of what unit drive makes of it.
    attenuated
        Whether the potential where the trunk ends counts as much as the tuft has of it at steady state.
    poisson
        Whether cells learn from Poisson numbers with mean alpha instead of alpha itself.
    steepness
        How steeply alpha rises at rest relative to sigma, by rest and unit (mV) of the cells; None: as steeply.
    """

    quantity: Quantity = "potential"
    at_sites: bool = True
    at_nexus: bool = False
    attenuated: bool = False
    poisson: bool = False
    steepness: Callable[[float, float], float] | None = None

    @property
    def is_fraction(self) -> bool:
        """Whether the average is alpha already, not the argument of a sigmoid."""
        return self.quantity != "potential"

    @property
    def region(self) -> str:
        """Where it is read, as kinds of cells offer it."""
        if not self.at_nexus:
            return "tuft"
        if not self.at_sites:
            return "nexus"
        return "tuft:local" if self.attenuated else "tuft:axial"

    def offered_by(self, kind: Kind) -> bool:
        """Whether it can be read of cells of a kind."""
        return (self.quantity, self.region) in kind.offers

    def average(self, population: str, feedback: str, window: str) -> Average:
        """Return what is to be read of a population, where the set `feedback` lands or where the trunk ends."""
        if not self.at_sites:
            return _average(population, self.quantity, NEXUS.region, None, window)
        return _average(population, self.quantity, self.region if self.at_nexus else SOMA.region, feedback, window)

    def alpha(self, apical_average: Array, gain: float = 1.0) -> Array:
        """Return the plateau potential of averages over a window; `gain` is a factor of the sigmoid's argument."""
        return apical_average if self.is_fraction else sigma(gain * apical_average)

    def steepness_on(self, kind: Kind) -> float:
        """Return how steeply alpha rises in cells of a kind, relative to sigma."""
        if self.steepness is None:
            return 1.0
        scale = getattr(kind, "scale", None)
        if scale is None:
            raise ConfigError(
                f"learning_rates: {kind.label} cells do not say what a unit is (`scale`), on which the default rate "
                "depends: give learning rates."
            )
        return self.steepness(scale.rest, scale.unit)


@cache
def _average(population: str, quantity: Quantity, region: str, of: str | None, window: str) -> Average:
    return Average(population, quantity, Place(region, of), window)


READOUTS: dict[str, Readout] = {
    "average": Readout(),
    "bursts": Readout(poisson=True),
    "axial": Readout(at_nexus=True),
    "local": Readout(at_nexus=True, attenuated=True),
    "nmda": Readout("nmda", steepness=nmda_steepness),
    "calcium": Readout("calcium", at_sites=False, at_nexus=True),
}
"""By the names that a rule knows; whoever adds a row has said all about it."""


def sigma(x: Array) -> Array:
    """Return the logistic function of `x`, used for rates and plateaus alike (eqs 3, 5)."""
    result: Array = expit(x)
    return result


def sigma_slope(x: Array) -> Array:
    """Return the derivative of :func:`sigma` at `x`."""
    s = sigma(x)
    return s * (1.0 - s)


def plateau(apical_average: Array, kind: str = "average", gain: float = 1.0) -> Array:
    """Return alpha, the plateau potential at the end of a phase (eqs 5 and 21).

    Parameters
    ----------
    apical_average
        What was read of each cell on average in the window of the phase, shape (n,).
    kind
        Name of the readout.
    gain
        Factor of the sigmoid's argument.

    Returns
    -------
    Array
        alpha in (0, 1), shape (n,).
    """
    return READOUTS[kind].alpha(apical_average, gain)


def plateau_difference(forward: Array, target: Array) -> Array:
    """Return alpha_t - alpha_f from the plateaus of the two phases, shape (n,)."""
    return target - forward


def burst_difference(forward: Array, target: Array, seed: int, example: int, numbers: Sequence[int]) -> Array:
    """Return N_t - N_f, Poisson numbers of spikes in a burst with means alpha_t and alpha_f (eqs 36-37).

    Its expectation is alpha_t - alpha_f: a basal memory that goes down with every spike of a burst in the forward
    phase and up in the target phase realises the rule.

    Parameters
    ----------
    forward, target
        The plateaus alpha_f and alpha_t, shape (n,).
    seed, example, numbers
        Key of the random numbers of each cell; `numbers` of cells in the graph.
    """
    alphas = np.stack([forward, target], axis=1)
    pairs = zip(numbers, alphas, strict=True)
    drawn = [stream(seed, Purpose.BURSTS, number, example).poisson(pair) for number, pair in pairs]
    counts = np.array(drawn, dtype=float)
    difference: Array = counts.reshape(-1, 2) @ np.array([-1.0, 1.0])
    return difference


def plateau_leads(seed: int, depth: int, example: int, n: int, sd: float) -> Integers:
    """Return by how many whole milliseconds the plateaus of each cell precede the ends of the two phases.

    A folded normal, truncated to whole milliseconds and at most 5, as the released code draws it (the paper calls 3
    its variance, the code takes it as the standard deviation; eLife 22901, Fig 6 - figure supplement 1).

    Parameters
    ----------
    seed, depth, example
        Key of the random numbers; `depth` is the hidden layer.
    n
        Cells of the layer.
    sd
        Standard deviation (ms).

    Returns
    -------
    Integers
        Shape (2, n): forward and target phase.
    """
    drawn = stream(seed, Purpose.PLATEAUS, depth, example).normal(0.0, sd, size=(2, n))
    return np.minimum(np.abs(drawn).astype(np.int64), LATEST)
