"""One run from description to results: what the command line and scripts call."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segdend_plugin.engine import mpi
from segdend_plugin.engine.network import Network, weights_sha256
from segdend_plugin.errors import ConfigError, DataError
from segdend_plugin.experiment import checkpoint, config, datasets
from segdend_plugin.experiment.config import Experiment
from segdend_plugin.experiment.datasets import Dataset
from segdend_plugin.experiment.trainer import Metric, Progress, Trainer


@dataclass(frozen=True)
class Summary:
    """What `summary.json` holds.

    Attributes
    ----------
    cell
        Cell of the hidden layers, or the fraction of each.
    layers
        Cells per layer, input first.
    train_examples
        Training examples shown, all epochs together.
    test_examples, test_error
        Held-out images of the final evaluation and the fraction that was wrong; `evaluated_on` says whether
        they are the test images or validation images.
    train_images_per_second, build_seconds
        Wall-clock speed of training, and time to build the network beyond imports.
    compartments
        Segments of all cells on all ranks.
    segregation
        Per kind of cable cell: impedances (MOhm) and attenuation between soma and tuft.
    weights_sha256
        Digest of all weights and biases in the order of gids.
    """

    cell: str | dict[str, float]
    layers: list[int]
    ranks: int
    seed: int
    train_examples: int
    test_examples: int
    test_error: float
    evaluated_on: str
    train_images_per_second: float
    build_seconds: float
    compartments: int
    segregation: dict[str, dict[str, float]]
    weights_sha256: str


class Folder:
    """The folder of a run. Only rank 0 writes; a folder that holds a run is never written to.

    Parameters
    ----------
    path
        Where; None for the next free ``runs/NNN``.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path if path is not None else _next_free(Path("runs"))
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise ConfigError(f"--out {str(self.path)!r} is not empty: choose another folder, or remove it.")

    def create(self, experiment: Experiment) -> None:
        """Make the folder and write the resolved description."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / "config.yaml").write_text(experiment.to_yaml(), encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                f"--out {str(self.path)!r} cannot be written ({error.strerror}): choose another folder."
            ) from None

    def append(self, metric: Metric) -> None:
        """Add a line to `metrics.jsonl`."""
        with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(metric.to_dict()) + "\n")

    def write_summary(self, summary: Summary) -> None:
        """Write `summary.json` whole or not at all; its presence means that the run is complete."""
        part = self.path / "summary.json.part"
        part.write_text(json.dumps(asdict(summary), indent=2) + "\n", encoding="utf-8")
        os.replace(part, self.path / "summary.json")


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
    if ranks.is_root:
        folder.create(experiment)
    trainer = Trainer(experiment, dataset, network, _Recorder(observer, folder if ranks.is_root else None))
    trainer.train()
    error = trainer.evaluate(dataset.held_out, trainer.total)
    weights = network.gather_weights()
    compartments = sum(ranks.allgather(_local_compartments()))
    segregation = _segregation(network)
    summary: Summary | None = None
    if weights is not None:
        sha256 = weights_sha256(weights)
        checkpoint.save(folder.path / "weights.h5", weights, sha256, trainer.total)
        summary = Summary(
            cell=experiment.cells if experiment.cells is not None else experiment.cell,
            layers=network.sizes,
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
    built = network.build(experiment, dataset.train.rates.shape[1], experiment.layers.output or dataset.classes)
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


def _next_free(parent: Path) -> Path:
    number = 1
    while (parent / f"{number:03d}").exists():
        number += 1
    return parent / f"{number:03d}"


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
