"""What a population of interneurons does; its weights are fixed (:mod:`~segdend_plugin.rule.weights`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from segdend_plugin.errors import ConfigError
from segdend_plugin.types import is_number

Onto = Literal["tuft", "soma", "basal"]
Source = Literal["hidden", "input", "output"]
Silence = Literal["none", "window", "forward", "target"]
CHOICES = {"onto": get_args(Onto), "driven_by": get_args(Source), "silent_in": get_args(Silence)}


@dataclass(frozen=True)
class Inhibition:
    """One population of interneurons.

    Attributes
    ----------
    layer
        Which hidden layer it inhibits, 0 for the first.
    onto
        Where: on the tuft, as SST (Martinotti) cells do, on the soma, as PV (basket) cells do, or on basal dendrites.
    driven_by
        Whose spikes excite it: those of the layer that it inhibits, of the input or of the output.
    excitation, bias
        Its dendritic potential is the bias without input, and rises by the excitation when all sources fire at their
        largest rate.
    strength
        Units by which all of it, firing at the largest rate, lowers the place that it inhibits; conductances saturate.
    fraction
        Of the interneurons that reach each cell; those that do make up for the others.
    silent_in
        Part of each trial in which it is kept silent: never; in the windows of both phases, which the rule reads; in
        the forward phase; in the target phase.
    silent_lead
        By which the silence precedes that part (ms).

    Raises
    ------
    ConfigError
        If a value is not allowed.
    """

    layer: int = 0
    onto: Onto = "tuft"
    driven_by: Source = "hidden"
    excitation: float = 8.0
    bias: float = -4.0
    strength: float = 1.0
    fraction: float = 1.0
    silent_in: Silence = "none"
    silent_lead: float = 0.0

    def __post_init__(self) -> None:
        for field, allowed in CHOICES.items():
            if getattr(self, field) not in allowed:
                raise ConfigError(f"{field}={getattr(self, field)!r}: give one of {', '.join(allowed)}.")
        for field in ("excitation", "bias", "strength", "fraction", "silent_lead"):
            value = getattr(self, field)
            if not is_number(value):
                raise ConfigError(f"{field}={value!r}: give a number.")
            if field != "bias" and value < 0:
                raise ConfigError(f"{field}={value!r}: give 0 or more.")
        if not 0 < self.fraction <= 1:
            raise ConfigError(f"fraction={self.fraction!r}: give more than 0 and at most 1.")
