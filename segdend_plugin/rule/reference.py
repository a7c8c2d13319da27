"""The paper's network in NumPy: the oracle that physics tests compare NEURON with, and a yardstick for its cost.

Written from the equations of Guerguiev, Lillicrap & Richards (2017) eLife 6:e22901, and sharing no code with the NMODL
mechanisms or with the rest of `rule` (targets, plateau, feedback, backprop). Synaptic potentials are explicit sums
over past spikes, where NMODL filters recursively. One trial at a time, all cells of a layer at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from segdend_plugin.model.graph import Signal
from segdend_plugin.rule.phases import Schedule
from segdend_plugin.types import Array, Integers

TAU_LONG = 10.0  # ms, tau_L
TAU_SHORT = 3.0  # ms, tau_s
RATE_MAX = 0.2  # 1/ms
TEACHER = 8.0  # E_E = -E_I
TEACHER_CONDUCTANCE = 1.0  # 1/ms


def logistic(x: Array) -> Array:
    """Return sigma(x) of equations 3 and 5."""
    result: Array = 1.0 / (1.0 + np.exp(-x))
    return result


def _nothing() -> Array:
    return np.empty(0)


@dataclass
class LayerRecord:
    """What one layer did in one trial; `n` cells, `T` steps.

    Attributes
    ----------
    soma, apical
        Potentials at the end of each step, shape (T, n); the output layer has no apical potential.
    spikes
        Spikes emitted at the end of each step, shape (T, n), zero where trains were given.
    forward_soma, forward_rate, target_rate, forward_apical, alpha_forward, alpha_target
        Window averages, and the plateaus of the two phases.
    presynaptic, feedback_source
        What arrived at basal and at apical dendrites on average in the forward window (1/ms).
    delta, weight_change, bias_change, feedback_change
        Error and the changes for learning rate 1; the last is used where feedback is learned.
    """

    soma: Array
    apical: Array
    spikes: Array
    forward_soma: Array = field(default_factory=_nothing)
    forward_rate: Array = field(default_factory=_nothing)
    target_rate: Array = field(default_factory=_nothing)
    forward_apical: Array = field(default_factory=_nothing)
    alpha_forward: Array = field(default_factory=_nothing)
    alpha_target: Array = field(default_factory=_nothing)
    presynaptic: Array = field(default_factory=_nothing)
    feedback_source: Array = field(default_factory=_nothing)
    delta: Array = field(default_factory=_nothing)
    weight_change: Array = field(default_factory=_nothing)
    bias_change: Array = field(default_factory=_nothing)
    feedback_change: Array = field(default_factory=_nothing)


@dataclass
class ReferenceNetwork:
    """Lumped three-compartment cells, fully connected.

    Parameters
    ----------
    weights, biases
        Per layer from the first hidden one to the output: shapes (n_pre, n_post) and (n_post,).
    feedback
        Per hidden layer, shape (n_source, n_hidden).
    leak, basal, apical
        g_l, g_b (= g_d of output cells) and g_a in 1/ms, with C_m = 1.
    integrator
        ``"implicit"`` Euler, as NEURON integrates, or ``"explicit"`` Euler, as the paper does.
    delay_steps
        Whole steps between the end of the step in which a cell fires and the step in which the spike acts; its rate
        takes as long. Nothing arrives before.
    memory
        Age (ms) of the oldest spike that counts, 0 for all.
    feedforward, feedback_signal
        What arrives at basal and at apical dendrites: filtered spikes or unfiltered rates.
    route
        Whether the output layer or the layer above feeds back.
    cells_per_class
        Output cells that the teacher excites together.
    hidden_error
        What hidden cells learn from.
    """

    weights: list[Array]
    biases: list[Array]
    feedback: list[Array]
    leak: float = 0.1
    basal: float = 0.6
    apical: float = 0.0
    integrator: Literal["implicit", "explicit"] = "implicit"
    delay_steps: int = 1
    memory: float = 0.0
    feedforward: Signal = "spikes"
    feedback_signal: Signal = "spikes"
    route: Literal["broadcast", "layerwise"] = "broadcast"
    cells_per_class: int = 1
    hidden_error: Literal["plateau", "backprop"] = "plateau"

    def trial(
        self,
        schedule: Schedule,
        inputs: Array,
        label: int | None = None,
        *,
        given: Sequence[Array] | None = None,
        rng: np.random.Generator | None = None,
        leads: Sequence[Integers] | None = None,
    ) -> list[LayerRecord]:
        """Show one example.

        Parameters
        ----------
        schedule
            Times of the phases.
        inputs
            What the inputs send to act in each step, shape (T, n_input): spikes, or rates (1/ms).
        label
            Which class the teacher excites in the target phase.
        given
            Spikes of every layer (hidden and output) that act in each step, shape (T, n) each: the network is
            then driven with these trains instead of its own.
        rng
            Draws the cells' own spikes; needed without `given`, unless only rates are sent.
        leads
            By how many milliseconds the apical windows of every cell precede those of the network, per hidden layer
            shape (2, n): forward and target phase.

        Returns
        -------
        list of LayerRecord
            From the first hidden layer to the output.
        """
        steps, dt, depth = schedule.end, schedule.dt, len(self.weights)
        sizes = [len(b) for b in self.biases]
        spikes = [inputs, *(given if given is not None else [np.zeros((steps, n)) for n in sizes])]
        rates = [inputs, *[np.zeros((steps, n)) for n in sizes]]
        sources = [k + 2 if self.route == "layerwise" else depth for k in range(depth - 1)]
        upward = [(rates if self.feedforward == "rates" else spikes)[k] for k in range(depth)]
        back = [(rates if self.feedback_signal == "rates" else spikes)[k] for k in sources]
        kappa = self._kappa(steps, dt)
        records = [LayerRecord(*(np.zeros((steps, n)) for _ in range(3))) for n in sizes]
        for record, train in zip(records, upward, strict=True):
            record.presynaptic = np.zeros(train.shape[1])
        for record, train in zip(records, back, strict=False):
            record.feedback_source = np.zeros(train.shape[1])
        soma = [np.zeros(n) for n in sizes]
        for step in range(steps):
            weight_in_window = float(schedule.settle <= step < schedule.forward_end) / schedule.forward_steps
            teaches = label is not None and step >= schedule.forward_end
            for k, record in enumerate(records):
                arriving = _arriving(upward[k], step, kappa, self.feedforward)
                record.presynaptic += weight_in_window * arriving
                drive = self.basal * (arriving @ self.weights[k] + self.biases[k])
                conductance = self.leak + self.basal
                if k < depth - 1:
                    returning = _arriving(back[k], step, kappa, self.feedback_signal)
                    record.feedback_source += weight_in_window * returning
                    record.apical[step] = returning @ self.feedback[k]
                    drive, conductance = drive + self.apical * record.apical[step], conductance + self.apical
                elif teaches:
                    excited = np.arange(sizes[k]) // self.cells_per_class == label
                    drive = drive + TEACHER_CONDUCTANCE * np.where(excited, TEACHER, -TEACHER)
                    conductance += TEACHER_CONDUCTANCE
                if self.integrator == "implicit":
                    soma[k] = (soma[k] + dt * drive) / (1.0 + dt * conductance)
                else:
                    soma[k] = soma[k] + dt * (drive - conductance * soma[k])
                record.soma[step] = soma[k]
                rate = RATE_MAX * logistic(soma[k])
                arrival = step + 1 + self.delay_steps
                if arrival < steps:
                    rates[k + 1][arrival] = rate
                if given is None and rng is not None:
                    record.spikes[step] = rng.poisson(rate * dt)
                    if arrival < steps:
                        spikes[k + 1][arrival] = record.spikes[step]
        for k, record in enumerate(records):
            _average(record, schedule, leads[k] if leads is not None and k < depth - 1 else None)
        if schedule.has_target:
            self._learn(records)
        return records

    def _kappa(self, steps: int, dt: float) -> Array:
        """Return the kernel at ages of one step, two steps and so on (eq 12), the oldest first."""
        age = dt * np.arange(1, (round(self.memory / dt) or steps) + 1)
        kappa: Array = (np.exp(-age / TAU_LONG) - np.exp(-age / TAU_SHORT)) / (TAU_LONG - TAU_SHORT)
        return kappa[::-1]

    def _learn(self, records: list[LayerRecord]) -> None:
        """Fill in errors and changes, from the output down (eqs 8, 10, 23, 30)."""
        above: LayerRecord | None = None
        for k, record in reversed(list(enumerate(records))):
            activation = logistic(record.forward_soma)
            slope = activation * (1.0 - activation)
            if above is None:
                # phi_max cancels between P1 = 20/phi_max^2, the error and the slope of the rate
                gain = self.basal / (self.leak + self.basal)
                change = 20.0 * gain * (record.target_rate / RATE_MAX - activation) * slope
                record.delta = -change * RATE_MAX**2 / 20.0
            else:
                gain = self.basal / (self.leak + self.basal + self.apical)
                if self.hidden_error == "backprop":
                    record.delta = gain * RATE_MAX * slope * (self.weights[k + 1] @ above.delta)
                else:
                    record.delta = -gain * RATE_MAX * slope * (record.alpha_target - record.alpha_forward)
                change = -20.0 / RATE_MAX * record.delta
                # the tuft learns to predict the rate of its soma (released code)
                missing = RATE_MAX * activation - record.alpha_forward
                apical_slope = record.alpha_forward * (1.0 - record.alpha_forward)
                record.feedback_change = np.outer(record.feedback_source, missing * apical_slope)
            record.weight_change = np.outer(record.presynaptic, change)
            record.bias_change = change
            above = record


def _arriving(train: Array, step: int, kappa: Array, signal: Signal) -> Array:
    """Return what acts in a step: the rates that stand in `train`, or its spikes so far, weighted by their ages."""
    if signal == "rates":
        result: Array = train[step]
    else:
        result = kappa[-(step + 1) :] @ train[max(0, step + 1 - len(kappa)) : step + 1]
    return result


def _average(record: LayerRecord, schedule: Schedule, leads: Integers | None) -> None:
    """Fill in the averages over the windows of the two phases, and the plateaus (eqs 5, 21)."""
    forward = slice(schedule.settle, schedule.forward_end)
    target = slice(schedule.forward_end + schedule.settle, schedule.end)
    early = np.zeros((2, record.soma.shape[1])) if leads is None else leads / schedule.dt
    step = np.arange(schedule.end)[:, None]

    def apical(window: slice, lead: Array) -> Array:
        inside = (step >= np.round(window.start - lead)) & (step < np.round(window.stop - lead))
        mean: Array = np.sum(record.apical, axis=0, where=inside) / (window.stop - window.start)
        return mean

    rate = RATE_MAX * logistic(record.soma)
    record.forward_soma = record.soma[forward].mean(axis=0)
    record.forward_rate = rate[forward].mean(axis=0)
    record.forward_apical = apical(forward, early[0])
    record.alpha_forward = logistic(record.forward_apical)
    if schedule.has_target:
        record.target_rate = rate[target].mean(axis=0)
        record.alpha_target = logistic(apical(target, early[1]))
