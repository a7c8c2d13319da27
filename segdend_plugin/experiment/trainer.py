"""Examples, epochs and evaluations of one network, the same on every rank."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np

from segdend_plugin.engine.network import Network
from segdend_plugin.errors import SegDendError
from segdend_plugin.experiment.config import Experiment
from segdend_plugin.experiment.datasets import Dataset, Images
from segdend_plugin.experiment.diagnostics import Recorder
from segdend_plugin.experiment.parts import REPORT_EVERY
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.rule import phases
from segdend_plugin.types import Array, Integers


@dataclass(frozen=True)
class Metric:
    """One line of `metrics.jsonl`.

    Attributes
    ----------
    kind
        ``"train"``: error over the training examples since the last such line, each predicted before it was
        learned; ``"test"`` or ``"validation"``: error on held-out images.
    example
        Training examples shown so far.
    images
        How many images the error is over.
    error
        Fraction that was classified wrongly.
    images_per_second
        Over these images, evaluation time excluded from training and the reverse.
    """

    kind: str
    example: int
    images: int
    error: float
    images_per_second: float

    def to_dict(self) -> dict[str, str | int | float]:
        """Return the metric as plain data."""
        return asdict(self)


class Progress(Protocol):
    """Where a trainer reports; every rank reports, what is shown is the observer's choice."""

    def start(self, total: int, what: str) -> None:
        """Begin a loop over `total` images; loops may be nested."""

    def advance(self) -> None:
        """Count one more image."""

    def finish(self) -> None:
        """End the innermost loop."""

    def report(self, metric: Metric) -> None:
        """Take a new figure."""


class Trainer:
    """Shows a dataset to a network.

    Parameters
    ----------
    experiment
        The description.
    dataset
        Training and held-out images.
    network
        This rank's part of the network.
    progress
        Observer.
    recorder
        Takes the diagnostics, on rank 0.
    """

    def __init__(
        self,
        experiment: Experiment,
        dataset: Dataset,
        network: Network,
        progress: Progress,
        recorder: Recorder | None = None,
    ) -> None:
        self.experiment, self.dataset, self.network, self.progress = experiment, dataset, network, progress
        self.recorder = recorder
        self.rates = experiment.learning_rates(network.sizes[0], network.sizes[-1])
        self.seconds_training = 0.0

    @property
    def total(self) -> int:
        """Training examples of the whole run."""
        return self.experiment.epochs() * len(self.dataset.train)

    def train(self, first: int = 0, save: Callable[[int], None] | None = None) -> None:
        """Run all epochs, with an evaluation on held-out images now and then (not after the last example).

        Parameters
        ----------
        first
            Examples that the network has seen before.
        save
            Called on every rank with the number of examples seen when a checkpoint is due.
        """
        training, saving = self.experiment.training, self.experiment.checkpoint.every
        every = training.evaluate_every or len(self.dataset.train)
        seen = self.dataset.held_out.first(training.evaluate_images)
        example, total = first, self.total
        self.progress.start(total - first, "train")
        while example < total:
            stop = min(total, *((example // step + 1) * step for step in (every, saving) if step))
            self._train_until(example, stop)
            example = stop
            if example < total and example % every == 0:
                self.evaluate(seen, example)
            if save is not None and example < total and saving and example % saving == 0:
                save(example)
        self.progress.finish()

    def evaluate(self, images: Images, example: int) -> float:
        """Classify images without teacher and learning, and return the fraction that is wrong.

        The predicted class is the output cell with the highest mean somatic potential. Neither weights nor
        any later training example are affected.
        """
        p = self.experiment.phases
        schedule = phases.test_schedule(dt=p.dt, duration=p.test, settle=p.settle)
        name = self.dataset.held_out_name
        start = time.perf_counter()
        self.progress.start(len(images), name)
        seen = []
        for k, image in enumerate(images.rates):
            self.network.show(image, schedule, Purpose.TEST_SPIKES, k)
            seen.append(self.network.output.averages(schedule).forward_potential)
            self.progress.advance()
        self.progress.finish()
        wrong = self._count_wrong(seen, images.labels)
        seconds = time.perf_counter() - start
        error = wrong / len(images)
        self.progress.report(Metric(name, example, len(images), error, len(images) / seconds))
        return error

    def _train_until(self, first: int, stop: int) -> None:
        seen: list[Array] = []
        labels: list[int] = []
        start = time.perf_counter()
        recorded = self.experiment.diagnostics.every
        order = list(self._order(first, stop))
        schedules = [self._schedule(example) for example, _ in order]  # all at once costs a fifth of one by one
        for (example, index), schedule in zip(order, schedules, strict=True):
            label = int(self.dataset.train.labels[index])
            self.network.show(self.dataset.train.rates[index], schedule, Purpose.TRAINING_SPIKES, example, label)
            averages, observation = self.network.learn(
                schedule,
                self._rates(example),
                example,
                train_hidden=self.experiment.rule.train_hidden,
                observe=recorded > 0 and example % recorded == 0,
            )
            if observation is not None and self.recorder is not None:
                self.recorder.add(example, label, observation)
            seen.append(averages.forward_potential)
            labels.append(label)
            self.progress.advance()
            if (example + 1) % REPORT_EVERY == 0 or example + 1 == stop:
                wrong = self._count_wrong(seen, np.array(labels))
                seconds = time.perf_counter() - start
                self.seconds_training += seconds
                self.progress.report(Metric("train", example + 1, len(seen), wrong / len(seen), len(seen) / seconds))
                if self.recorder is not None:
                    self.recorder.flush(example + 1)
                seen, labels, start = [], [], time.perf_counter()

    def _order(self, first: int, stop: int) -> Iterator[tuple[int, int]]:
        """Yield example number and image index; each epoch has its own order."""
        n = len(self.dataset.train)
        for epoch in range(first // n, -(-stop // n)):
            order = stream(self.experiment.seed, Purpose.ORDER, epoch).permutation(n)
            for example in range(max(first, epoch * n), min(stop, (epoch + 1) * n)):
                yield example, int(order[example - epoch * n])

    def _rates(self, example: int) -> list[float]:
        """Return the learning rates of an example; they fall linearly over the run."""
        factor = 1.0 - (1.0 - self.experiment.rule.final_rate) * example / self.total
        return [factor * rate for rate in self.rates]

    def _schedule(self, example: int) -> phases.Schedule:
        p = self.experiment.phases
        return phases.training_schedule(
            self.experiment.seed,
            example,
            dt=p.dt,
            forward=p.forward,
            target=p.target,
            settle=p.settle,
            jitter=p.jitter,
        )

    def _count_wrong(self, seen: list[Array], labels: Integers) -> int:
        """Return how many of the images were classified wrongly, known to every rank."""
        output = self.network.output
        parts = self.network.ranks.allgather((output.local_gids, np.array(seen)))
        gids = np.concatenate([np.array(part[0], dtype=int) for part in parts])
        potentials = np.concatenate([part[1] for part in parts], axis=1)[:, np.argsort(gids)]
        potentials = potentials.reshape(len(labels), -1, self.experiment.layers.cells_per_class)
        if not np.isfinite(potentials).all():
            cell = int(np.argwhere(~np.isfinite(potentials.reshape(len(labels), -1)))[0, 1])
            raise SegDendError(
                f"rule.learning_rates={list(self.rates)}: the potential of output cell "
                f"{cell} (gid {output.gids[cell]}) is no longer finite: lower the learning rates."
            )
        return int(np.sum(potentials.mean(axis=2).argmax(axis=1) != labels))
