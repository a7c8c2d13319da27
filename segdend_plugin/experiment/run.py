"""One run from description to results: what the command line and scripts call."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from segdend_plugin.engine import mpi
from segdend_plugin.engine.network import Network, weights_sha256
from segdend_plugin.errors import ConfigError, DataError
from segdend_plugin.experiment import checkpoint, config, datasets
from segdend_plugin.experiment.config import Experiment
from segdend_plugin.experiment.datasets import Dataset
from segdend_plugin.experiment.folder import Folder, Summary
from segdend_plugin.experiment.trainer import Metric, Progress, Trainer


class _Recorder:
    """Passes reports on to the observer and, on rank 0, into the folder."""

    def __init__(self, observer: Progress, folder: Folder | None) -> None:
        self.observer, self.folder = observer, folder
        self.start, self.advance, self.finish = observer.start, observer.advance, observer.finish

    def report(self, metric: Metric) -> None:
        self.observer.report(metric)
        if self.folder is not None:
            self.folder.append(metric)


def train(experiment: Experiment, out: Path | None, observer: Progress) -> tuple[Summary, Path]:
    """Train a network and write the results.

    Parameters
    ----------
    experiment
        The description.
    out
        Folder for the results, None for the next free one under ``runs``.
    observer
        Shows progress.

    Returns
    -------
    Summary, Path
        What was found, and where it is written.

    Raises
    ------
    SegDendError
        If anything in the description, the data or the machine does not allow the run; nothing has been
        written then.
    """
    ranks = mpi.start()
    dataset = _data(experiment)
    folder = _on_root(ranks, lambda: Folder(out))
    network, build_seconds = _build(experiment, dataset)
    folder.path = _on_root(ranks, lambda: _created(folder, experiment))
    trainer = Trainer(experiment, dataset, network, _Recorder(observer, folder if ranks.is_root else None))
    trainer.train()
    error = trainer.evaluate(dataset.held_out, trainer.total)
    weights = network.gather_weights()
    compartments = sum(ranks.allgather(_local_compartments()))
    segregation = _segregation(network)
    summary: Summary | None = None
    if weights is not None:
        sha256 = weights_sha256(weights)
        folder.write_weights(weights, sha256, trainer.total)
        summary = Summary(
            cell=experiment.hidden_cells(),
            layers=network.sizes,
            learning_rates=list(trainer.rates),
            train_hidden=experiment.rule.train_hidden,
            ranks=ranks.size,
            seed=experiment.seed,
            train_examples=trainer.total,
            test_examples=len(dataset.held_out),
            test_error=error,
            evaluated_on=dataset.held_out_name,
            train_images_per_second=trainer.total / trainer.seconds_training if trainer.total else 0.0,
            build_seconds=build_seconds,
            compartments=compartments,
            segregation=segregation,
            weights_sha256=sha256,
        )
        folder.write_summary(summary)
    known: Summary = ranks.broadcast(summary)  # type: ignore[assignment]  # rank 0 has one
    return known, folder.path


def evaluate(path: Path, observer: Progress) -> dict[str, Any]:
    """Classify the held-out images with the weights of a run.

    Parameters
    ----------
    path
        Folder of a run.
    observer
        Shows progress.

    Returns
    -------
    dict
        ``test_error``, ``test_examples``, ``evaluated_on`` and ``weights_sha256``.
    """
    if not (path / "weights.h5").is_file():
        raise DataError(f"{str(path)!r} holds no weights.h5: give the folder of a finished run.")
    experiment = config.load(path / "config.yaml")
    weights = checkpoint.read(path / "weights.h5")
    dataset = _data(experiment)
    network, _ = _build(experiment, dataset)
    network.set_weights(weights)
    error = Trainer(experiment, dataset, network, observer).evaluate(dataset.held_out, 0)
    return {
        "test_error": error,
        "test_examples": len(dataset.held_out),
        "evaluated_on": dataset.held_out_name,
        "weights_sha256": weights_sha256(weights),
    }


def _created(folder: Folder, experiment: Experiment) -> Path:
    folder.create(experiment)
    return folder.path


def _data(experiment: Experiment) -> Dataset:
    dataset = datasets.load(experiment.data)
    datasets.check_fits(dataset, experiment.layers.output or dataset.classes)
    return dataset


def _build(experiment: Experiment, dataset: Dataset) -> tuple[Network, float]:
    mpi.start()
    import netpyne.sim  # noqa: F401  imports are not building

    from segdend_plugin.engine import mechanisms
    from segdend_plugin.experiment import network

    mechanisms.load()
    start = time.perf_counter()
    built = network.build(experiment, dataset.train.rates.shape[1], experiment.output_cells(dataset.classes))
    return built, time.perf_counter() - start


def _on_root(ranks: mpi.Ranks, make: Any) -> Any:
    """Return what rank 0 makes; an error of rank 0 is raised on every rank."""
    result = None
    if ranks.is_root:
        try:
            result = make()
        except ConfigError as error:
            result = error
    result = ranks.broadcast(result)
    if isinstance(result, ConfigError):
        raise result
    return result


def _local_compartments() -> int:
    from neuron import h

    return sum(section.nseg for section in h.allsec() if not section.name().startswith("segdend_"))


def _segregation(network: Network) -> dict[str, dict[str, float]]:
    """Return the electrical distance of the tuft, per kind of cell."""
    return {
        population.kind: population.calibration.segregation.to_dict()
        for layer in network.hidden
        for population in layer.populations
        if population.calibration is not None and population.calibration.segregation is not None
    }
