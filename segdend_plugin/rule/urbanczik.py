"""Dendritic prediction of somatic spiking: Urbanczik & Senn (2014) Neuron 81:521.

The basal dendrite of a taught cell learns to predict the spikes that its soma fires while a teacher drives it:

    dw_j/dt = eta (S(t) - phi(V*)) h(V*) PSP_j(t),    V* = k_b V_basal,    h = phi'/phi,

with S the somatic spikes and V* the somatic potential that the dendrite alone would make. The paper filters this by an
exponential of 100 ms before weights take it; so each moment counts by what has come out of the filter at the end of the
trial. PSP is the set's own kernel, whose time constants (10 and 3 ms) are the paper's.

phi is the rate at which cells of this package spike, phi_max sigma(V). The paper has
phi_max/(1 + k exp(beta (theta - V))) with phi_max = 0.15/ms, k = 1/2, beta = 5 and theta = 1: `rate_max`, `k`, `beta`
and `theta`, for cells that spike like that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from segdend_plugin.errors import ConfigError
from segdend_plugin.model.changes import Along, Bias, Change, Changes
from segdend_plugin.model.graph import Graph
from segdend_plugin.model.places import SOMA, Place
from segdend_plugin.model.trial import Trial
from segdend_plugin.model.wants import Trace, Want
from segdend_plugin.rule.base import Local, Phases, Seen
from segdend_plugin.rule.guerguiev import check_taught
from segdend_plugin.rule.phases import OnePhase
from segdend_plugin.rule.plateau import sigma
from segdend_plugin.rule.rates import HIDDEN_POWER, INPUT_POWER
from segdend_plugin.rule.targets import RATE_MAX
from segdend_plugin.types import Array, is_number

BASAL = Place("basal")
STEP = 0.2
"""Size of a step: about that of a taught cell of the two-phase rule, in 200 ms."""


@dataclass(frozen=True)
class UrbanczikSenn(Local):
    """Taught cells learn to predict their own spikes; hidden cells do not learn.

    Attributes
    ----------
    filter
        Time constant (ms) of the filter between prediction errors and weights, 0 for none.
    rate_max, beta, theta, k
        Of phi: largest rate (1/ms), steepness (1/unit), threshold (units) and factor. The defaults are those of cells
        of this package, phi_max sigma(V).
    phases
        One window; any others in which the teacher speaks.

    Raises
    ------
    ConfigError
        If a value is not allowed.
    """

    filter: float = 100.0
    rate_max: float = RATE_MAX
    beta: float = 1.0
    theta: float = 0.0
    k: float = 1.0
    phases: Phases = OnePhase()  # noqa: RUF009  frozen

    def __post_init__(self) -> None:
        for field in ("filter", "rate_max", "beta", "theta", "k"):
            value = getattr(self, field)
            if not is_number(value):
                raise ConfigError(f"{field}={value!r}: give a number.")
            if field != "theta" and (value < 0 or (value == 0 and field != "filter")):
                raise ConfigError(f"{field}={value!r}: give {'0 or more' if field == 'filter' else 'more than 0'}.")

    def wants(self, graph: Graph) -> Sequence[Want]:
        """Want the spikes of taught cells and the drives of their basal dendrites, in every step.

        Raises
        ------
        ConfigError
            If no population is taught, one that is not taught shall learn, or cells do not offer what is read.
        """
        check_taught(graph)
        for c in graph.connections:
            if c.role == "forward" and c.learned and not graph[c.post].teacher:
                raise ConfigError(
                    f"set {c.name!r}: {c.post!r} has no teacher, whose spikes this rule learns from: set learned=False "
                    "or teacher=True."
                )
        wanted = [trace for p in graph.taught for trace in (_spikes(p.name), _drive(p.name))]
        for trace in wanted:
            kind = graph[trace.population].kind
            if (trace.quantity, trace.place.region) not in kind.offers:
                raise ConfigError(
                    f"population {trace.population!r}: {kind.label} cells do not offer the {trace.quantity} of "
                    f"{trace.place.region}, from which they learn: take other cells."
                )
        return wanted

    def learning_rates(self, graph: Graph) -> Mapping[str, float]:
        """Return rates that make a step of the same size whatever number of cells lands on a population."""
        inputs = {p.name for p in graph.inputs}
        power = {p.name: p.size * (INPUT_POWER if p.name in inputs else HIDDEN_POWER) for p in graph.populations}
        return {
            p.name: STEP / (1.0 + sum(power[name] for c in graph.onto(p.name, "forward") for name in c.pre))
            for p in graph.taught
        }

    def change(self, seen: Sequence[Seen]) -> Changes:
        """Return what an example changes: along its prediction errors, and their sum for biases."""
        (s,) = seen
        weight = self.weight(s.trial)[:, None]
        changes: list[Change] = []
        errors: dict[str, Array] = {}
        for p in s.graph.taught:
            error = weight * self.prediction_error(s, p.name)
            total = _total(error)
            errors[p.name] = -total
            sets = [c for c in s.graph.onto(p.name, "forward") if c.learned]
            changes += [Along(c.name, s.rates[c.name] * error) for c in sets]
            if sets and p.bias:
                changes.append(Bias(p.name, s.rates[p.name] * total))
        return Changes(tuple(changes), errors)

    def prediction_error(self, s: Seen, population: str) -> Array:
        """Return (S - phi) h of every step of the local cells, in spikes per unit, shape (steps, n)."""
        predicted = s.gain(population) * s[_drive(population)]
        fraction = sigma(self.beta * (predicted - self.theta) - log(self.k))
        surprise = s[_spikes(population)] - self.rate_max * s.trial.dt * fraction
        error: Array = surprise * (self.beta * (1.0 - fraction))
        return error

    def weight(self, trial: Trial) -> Array:
        """Return how much every step counts, shape (steps,).

        0 where no teacher speaks or cells settle; else what of it has come out of the filter at the end of the trial.
        """
        step = np.arange(trial.end)
        taught = np.zeros(trial.end, dtype=bool)
        for window in trial.windows:
            if window.taught:
                taught |= (step >= window.first) & (step < window.last)
        if not self.filter:
            return taught.astype(float)
        left = (trial.end - step) * trial.dt
        return np.where(taught, -np.expm1(-left / self.filter), 0.0)


def _spikes(population: str) -> Trace:
    return Trace(population, "spikes", SOMA)


def _drive(population: str) -> Trace:
    return Trace(population, "drive", BASAL)


def _total(error: Array) -> Array:
    """Return the sum over steps, shape (n,), in their order however many cells there are."""
    if not len(error):
        return np.zeros(error.shape[1])
    total: Array = np.cumsum(error, axis=0)[-1]
    return total
