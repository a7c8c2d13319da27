"""From a description to what a learner needs beside the network: rule, learning rates, and images."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from segdend_plugin.experiment.config import Experiment
from segdend_plugin.experiment.parts import Data
from segdend_plugin.learner import Learner
from segdend_plugin.rule.base import Rule
from segdend_plugin.rule.feedback import Feedback
from segdend_plugin.rule.guerguiev import Guerguiev
from segdend_plugin.rule.kolen_pollack import KolenPollack
from segdend_plugin.rule.phases import TwoPhase
from segdend_plugin.rules import RULES
from segdend_plugin.schedules import SCHEDULES
from segdend_plugin.tasks import images
from segdend_plugin.tasks.images import Dataset

if TYPE_CHECKING:
    from segdend_plugin.engine.network import Network


def rule(experiment: Experiment) -> Rule:
    """Return the rule that a description asks for."""
    own = experiment.rule
    made = RULES[own.name]
    if made is KolenPollack and not experiment.layers.hidden:
        made = Guerguiev  # there is no feedback to be aligned
    if not issubclass(made, Guerguiev):
        other: Rule = made(phases=phases(experiment))
        return other
    options = {"decay": experiment.feedback.decay} if made is KolenPollack else {}
    return made(
        plateau=own.plateau,
        plateau_gain=own.plateau_gain,
        desynchronised=own.plateau_jitter,
        baseline=own.baseline,
        feedback=_feedback(experiment),
        phases=phases(experiment),
        **options,
    )


def _feedback(experiment: Experiment) -> Feedback:
    """Return what becomes of feedback weights; noise that is drawn once is the graph's."""
    back = experiment.feedback
    return Feedback(
        back.weights,
        back.noise if back.noise_redrawn else 0.0,
        back.learning_rate if experiment.layers.hidden else 0.0,
    )


def phases(experiment: Experiment) -> TwoPhase:
    """Return the two phases of a description."""
    own = experiment.phases
    return TwoPhase(own.forward, own.target, own.settles(), own.window, own.test, own.jitter)


def learner(experiment: Experiment, network: Network) -> Learner:
    """Return the learner of a description's network; learning rates fall to a fraction."""
    graph = network.graph
    own, made = experiment.rule, rule(experiment)
    rates: dict[str, float] | None = None
    if isinstance(made, Guerguiev) or own.learning_rates is not None:  # another rule has defaults of its own
        chosen = experiment.learning_rates(graph.sizes[0], graph.sizes[-1])
        rates = {p.name: rate for layer, rate in zip(graph.layers, chosen, strict=True) for p in layer}
    return Learner(network, made, learning_rates=rates, schedule=SCHEDULES[own.schedule](own.final_rate))


def by_layer(learner: Learner) -> list[float]:
    """Return the learning rate of each hidden layer and the output layer."""
    return [learner.rates[layer[0].name] for layer in learner.graph.layers]


def load(data: Data) -> Dataset:
    """Return the images that a description asks for.

    Raises
    ------
    DataError
        If a file is missing or damaged, or there are too few images.
    """
    return images.load(
        data.name,
        path=data.path,
        train=data.train,
        test=data.test,
        validation=data.validation,
        classes=data.classes,
        labels=data.labels,
        shift=data.shift,
    )


def dataset(experiment: Experiment) -> Dataset:
    """Return the images of a description, for the output cells of its network.

    Raises
    ------
    DataError
        As of :func:`load`, or if a label has no output cells.
    """
    found, layers = load(experiment.data), experiment.layers
    classes = layers.output or found.classes
    images.check_fits(found, classes)
    train, held_out = (
        replace(part, classes=classes, cells_per_class=layers.cells_per_class) for part in (found.train, found.held_out)
    )
    return replace(found, train=train, held_out=held_out)
