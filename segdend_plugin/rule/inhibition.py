"""Interneurons with fixed weights: what they do, and these weights, which the rule never changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from segdend_plugin.errors import ConfigError
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.rule.targets import RATE_MAX
from segdend_plugin.types import Array, is_number

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


def excitatory_weights(seed: int, gids: list[int], n_pre: int, inhibition: Inhibition) -> Array:
    """Return the weights onto interneurons, shape (n_pre, len(gids)): positive, their sum the same for each cell."""
    columns = [stream(seed, Purpose.INTERNEURONS, gid).uniform(0.5, 1.5, n_pre) for gid in gids]
    return _with_sum(columns, n_pre, inhibition.excitation / RATE_MAX)


def inhibitory_weights(seed: int, gids: list[int], interneurons: list[int], inhibition: Inhibition) -> Array:
    """Return the weights of interneurons onto cells, negative or 0, their sum the same for each cell.

    Parameters
    ----------
    seed
        Seed of the experiment.
    gids
        Postsynaptic cells.
    interneurons
        Presynaptic cells.
    inhibition
        What they do.

    Returns
    -------
    Array
        Shape (len(interneurons), len(gids)).
    """
    n_pre = len(interneurons)
    kept = max(round(inhibition.fraction * n_pre), 1)
    columns = []
    for gid in gids:
        draw = stream(seed, Purpose.INHIBITION, interneurons[0], gid)
        column = draw.uniform(0.5, 1.5, n_pre)
        column[draw.permutation(n_pre)[kept:]] = 0.0
        columns.append(column)
    return _with_sum(columns, n_pre, -inhibition.strength / RATE_MAX)


def _with_sum(columns: list[Array], n_pre: int, total: float) -> Array:
    if not columns:
        return np.empty((n_pre, 0))
    return np.stack([column * (total / column.sum()) for column in columns], axis=1)
