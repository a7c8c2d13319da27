"""The paper's network in NumPy: the oracle that physics tests compare NEURON with.

Written from the equations of Guerguiev, Lillicrap & Richards (2017) eLife 6:e22901, and sharing no code
with the NMODL mechanisms or with `rule/targets.py`. One trial at a time, all cells of a layer at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from segdend_plugin.rule.phases import Schedule
from segdend_plugin.types import Array

TAU_LONG = 10.0  # ms, tau_L
TAU_SHORT = 3.0  # ms, tau_s
RATE_MAX = 0.2  # 1/ms
TEACHER = 8.0  # E_E = -E_I
TEACHER_CONDUCTANCE = 1.0  # 1/ms


@dataclass
class LayerRecord:
    """What one layer did in one trial; `n` cells, `T` steps.

    Attributes
    ----------
    soma, apical
        Potentials at the end of each step, shape (T, n); the output layer has no apical potential.
    spikes
        Spikes emitted at the end of each step, shape (T, n), zero where trains were given.
    forward_soma, forward_rate, target_rate, alpha_forward, alpha_target, presynaptic
        Window averages; `presynaptic` is the filtered input of the forward window (1/ms).
    delta, weight_change, bias_change
        Error and the changes for learning rate 1.
    """

    soma: Array
    apical: Array
    spikes: Array
    forward_soma: Array = field(default_factory=lambda: np.empty(0))
    forward_rate: Array = field(default_factory=lambda: np.empty(0))
    target_rate: Array = field(default_factory=lambda: np.empty(0))
    alpha_forward: Array = field(default_factory=lambda: np.empty(0))
    alpha_target: Array = field(default_factory=lambda: np.empty(0))
    presynaptic: Array = field(default_factory=lambda: np.empty(0))
    delta: Array = field(default_factory=lambda: np.empty(0))
    weight_change: Array = field(default_factory=lambda: np.empty(0))
    bias_change: Array = field(default_factory=lambda: np.empty(0))


@dataclass
class ReferenceNetwork:
    """Lumped three-compartment cells, fully connected, with broadcast feedback.

    Parameters
    ----------
    weights, biases
        Per layer from the first hidden one to the output: shapes (n_pre, n_post) and (n_post,).
    feedback
        Per hidden layer, shape (n_output, n_hidden).
    leak, basal, apical
        g_l, g_b (= g_d of output cells) and g_a in 1/ms, with C_m = 1.
    integrator
        ``"implicit"`` Euler, as NEURON integrates, or ``"explicit"`` Euler, as the paper does.
    delay_steps
        Whole steps between the end of the step in which a cell fires and the step in which the spike acts.
    """

    weights: list[Array]
    biases: list[Array]
    feedback: list[Array]
    leak: float = 0.1
    basal: float = 0.6
    apical: float = 0.0
    integrator: Literal["implicit", "explicit"] = "implicit"
    delay_steps: int = 1

    def trial(
        self,
        schedule: Schedule,
        inputs: Array,
        label: int | None = None,
        *,
        given: Sequence[Array] | None = None,
        rng: np.random.Generator | None = None,
    ) -> list[LayerRecord]:
        """Show one example.

        Parameters
        ----------
        schedule
            Times of the phases.
        inputs
            Input spikes that act in each step, shape (T, n_input).
        label
            Which output cell the teacher excites in the target phase.
        given
            Spikes of every layer (hidden and output) that act in each step, shape (T, n) each: the network is
            then driven with these trains instead of its own.
        rng
            Draws the cells' own spikes; needed without `given`.

        Returns
        -------
        list of LayerRecord
            From the first hidden layer to the output.
        """
        steps, dt, depth = schedule.end, schedule.dt, len(self.weights)
        sizes = [len(b) for b in self.biases]
        decay_long, decay_short = np.exp(-dt / TAU_LONG), np.exp(-dt / TAU_SHORT)
        trains = [inputs, *(given if given is not None else [np.zeros((steps, n)) for n in sizes])]
        long = [np.zeros(train.shape[1]) for train in trains]
        short = [np.zeros(train.shape[1]) for train in trains]
        soma = [np.zeros(n) for n in sizes]
        sums = [np.zeros(train.shape[1]) for train in trains]
        records = [LayerRecord(np.zeros((steps, n)), np.zeros((steps, n)), np.zeros((steps, n))) for n in sizes]
        for step in range(steps):
            for k, train in enumerate(trains):
                long[k] = (long[k] + train[step]) * decay_long
                short[k] = (short[k] + train[step]) * decay_short
            filtered = [(a - b) / (TAU_LONG - TAU_SHORT) for a, b in zip(long, short, strict=True)]
            if schedule.settle <= step < schedule.forward_end:
                for total, s in zip(sums, filtered, strict=True):
                    total += s
            for k in range(depth):
                is_output = k == depth - 1
                dendrite = filtered[k] @ self.weights[k] + self.biases[k]
                source, conductance = self.basal * dendrite, self.leak + self.basal
                if is_output:
                    if label is not None and step >= schedule.forward_end:
                        teacher = np.where(np.arange(sizes[k]) == label, TEACHER, -TEACHER)
                        source, conductance = source + TEACHER_CONDUCTANCE * teacher, conductance + TEACHER_CONDUCTANCE
                else:
                    tuft = filtered[-1] @ self.feedback[k]
                    records[k].apical[step] = tuft
                    source, conductance = source + self.apical * tuft, conductance + self.apical
                if self.integrator == "implicit":
                    soma[k] = (soma[k] + dt * source) / (1.0 + dt * conductance)
                else:
                    soma[k] = soma[k] + dt * (source - conductance * soma[k])
                records[k].soma[step] = soma[k]
                if given is None and rng is not None:
                    spikes = rng.poisson(RATE_MAX * dt / (1.0 + np.exp(-soma[k])))
                    records[k].spikes[step] = spikes
                    if step + 1 + self.delay_steps < steps:
                        trains[k + 1][step + 1 + self.delay_steps] = spikes
        for k, record in enumerate(records):
            record.presynaptic = sums[k] / schedule.forward_steps
            self._conclude(record, schedule, is_output=k == depth - 1)
        return records

    def _conclude(self, record: LayerRecord, schedule: Schedule, *, is_output: bool) -> None:
        """Fill in averages, plateaus, error and changes (eqs 5, 8, 23, 30)."""
        forward = slice(schedule.settle, schedule.forward_end)
        target = slice(schedule.forward_end + schedule.settle, schedule.end)
        rate = RATE_MAX / (1.0 + np.exp(-record.soma))
        record.forward_soma = record.soma[forward].mean(axis=0)
        record.forward_rate = rate[forward].mean(axis=0)
        record.alpha_forward = 1.0 / (1.0 + np.exp(-record.apical[forward].mean(axis=0)))
        if not schedule.has_target:
            return
        record.target_rate = rate[target].mean(axis=0)
        record.alpha_target = 1.0 / (1.0 + np.exp(-record.apical[target].mean(axis=0)))
        activation = 1.0 / (1.0 + np.exp(-record.forward_soma))
        slope = activation * (1.0 - activation)
        if is_output:
            gain = self.basal / (self.leak + self.basal)
            # phi_max cancels between P1 = 20/phi_max^2, the error and the slope of the rate
            change = 20.0 * gain * (record.target_rate / RATE_MAX - activation) * slope
            record.delta = -change * RATE_MAX**2 / 20.0
        else:
            gain = self.basal / (self.leak + self.basal + self.apical)
            change = 20.0 * gain * (record.alpha_target - record.alpha_forward) * slope
            record.delta = -change * RATE_MAX / 20.0
        record.weight_change = np.outer(record.presynaptic, change)
        record.bias_change = change
