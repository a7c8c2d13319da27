"""How far windows are from settled, measured in a network: long trials of the same examples, repeated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from segdend_plugin.rule.backprop import Backprop
from segdend_plugin.rule.guerguiev import Guerguiev
from segdend_plugin.rule.phases import TwoPhase, Windows
from segdend_plugin.types import Array

if TYPE_CHECKING:
    from segdend_plugin.learner import Learner
    from segdend_plugin.tasks.base import Task

LATER = 250.0
"""Time (ms) by which a phase is prolonged."""
REST = 150.0
"""Of this, how long cells settle: what is read after that is what they settle to."""


@dataclass(frozen=True)
class Settled:
    """By how much plateaus, as they are read, differ from settled ones, relative to the settled teaching signal.

    The teaching signal is the difference of the settled plateaus of the two phases. Sizes are root mean squares over
    examples and hidden cells, from products of different repeats, in which the noise of spikes averages out.

    Attributes
    ----------
    forward, target
        Difference in the forward and in the target window; None where the signal is not above the noise.
    forward_at_most, target_at_most
        What it is at most, with two standard errors over examples (jackknife).
    signal
        Size of the teaching signal.
    examples, repeats
        How many examples were shown, and how often each.
    """

    forward: float | None
    forward_at_most: float | None
    target: float | None
    target_at_most: float | None
    signal: float
    examples: int
    repeats: int


def settled(learner: Learner, task: Task, trials: int) -> Settled | None:
    """Show the first examples of a task repeatedly, learn nothing, and return how settled their windows are.

    Every rank must call this; the result is the same on any number of them.

    Parameters
    ----------
    learner
        Its rule reads plateaus in two phases; None is returned for another one, and without hidden cells.
    task
        Examples with targets.
    trials
        About how many pairs of trials to show, at least four.
    """
    rule, phases = learner.rule, learner.phases or task.phases or learner.rule.phases
    if (
        not isinstance(rule, Guerguiev)
        or isinstance(rule, Backprop)
        or not isinstance(phases, TwoPhase)
        or not learner.graph.hidden
    ):
        return None
    repeats = max(round(np.sqrt(trials / 6)), 2)  # more examples than repeats: signals differ widely between these
    images = min(max(trials // repeats, 2), len(task))
    times = phases.resolve(learner.graph)
    read = np.array(
        [
            [_plateaus(learner, task, times, image, image + images * repeat) for repeat in range(repeats)]
            for image in range(images)
        ]
    )  # (images, repeats, what, cells)
    forward, forward_end, target, target_end = np.moveaxis(read, 2, 0)
    signal = target_end - forward_end
    sizes = _size(forward - forward_end, signal), _size(target - target_end, signal)
    return Settled(*sizes[0], *sizes[1], float(np.sqrt(max(_power(signal), 0.0))), images, repeats)


def _size(early: Array, signal: Array) -> tuple[float | None, float | None]:
    """Return the size of a difference relative to the signal, and what it is at most."""
    wholes = [_power(values) for values in (early, signal)]
    parts = [[_power(np.delete(values, k, 0)) for k in range(len(values))] for values in (early, signal)]
    if min(wholes[1], *parts[1]) <= 0.0:
        return None, None
    ratio, left_out = wholes[0] / wholes[1], np.array(parts[0]) / np.array(parts[1])
    error = np.sqrt((len(left_out) - 1) * np.var(left_out))
    return float(np.sqrt(max(ratio, 0.0))), float(np.sqrt(max(ratio, 0.0) + 2.0 * error))


def _plateaus(learner: Learner, task: Task, times: TwoPhase, number: int, example: int) -> Sequence[Array]:
    """Return plateaus of all hidden cells in both windows, each before what they settle to, in that order."""
    rule, forward_and_target = learner.rule, times.laid()
    assert isinstance(rule, Guerguiev)
    (stimulus,) = task.stimuli([number])
    found = []
    for window, laid in (("forward", forward_and_target[:1]), ("target", forward_and_target)):
        taught = window == "target"
        shown = Windows((*laid, ("later", LATER, REST, taught)))
        wants = {
            (p.name, w): replace(rule.apical(learner.graph, p.name, w), whole=True)
            for p in learner.graph.hidden
            for w in (window, "later")
        }
        outcome = learner.present(stimulus, record=[*wants.values()], taught=taught, phases=shown, example=example)
        for w in (window, "later"):
            values = [outcome.seen[wants[p.name, w]] for p in learner.graph.hidden]
            found.append(rule.readout.alpha(np.concatenate(values), rule.plateau_gain))
    return found


def _power(values: Array) -> float:
    """Return the mean square of what repeats have in common, values of shape (images, repeats, cells)."""
    total, each = values.sum(axis=1), (values**2).sum(axis=1)
    repeats = values.shape[1]
    return float(((total**2 - each) / (repeats * (repeats - 1))).mean())
