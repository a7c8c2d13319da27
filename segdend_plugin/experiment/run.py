"""One run from description to results: what the command line and scripts call."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any

from segdend_plugin.cells.cable import segregation_lumped
from segdend_plugin.engine import calibrated, mpi
from segdend_plugin.engine.network import Network
from segdend_plugin.errors import DataError, SegDendError
from segdend_plugin.experiment import checkpoint, config, datasets
from segdend_plugin.experiment.checkpoint import State
from segdend_plugin.experiment.config import LUMPED, Experiment
from segdend_plugin.experiment.datasets import Dataset
from segdend_plugin.experiment.diagnostics import Recorder
from segdend_plugin.experiment.folder import Folder, Summary, read_summary
from segdend_plugin.experiment.parts import Lumped
from segdend_plugin.experiment.trainer import Metric, Progress, Trainer


class _Reports:
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
    with _open(ranks, lambda: Folder(out)) as folder:
        network, build_seconds = _build(experiment, dataset)
        _on_root(ranks, lambda: folder.create(experiment))
        return _run(experiment, dataset, network, build_seconds, folder, None, observer)


def resume(path: Path, observer: Progress) -> tuple[Summary, Path]:
    """Continue an interrupted run from its last checkpoint, with the results of a run that never stopped.

    Parameters
    ----------
    path
        Folder of the run; one that is finished is left as it is.
    observer
        Shows progress.

    Returns
    -------
    Summary, Path
        As of :func:`train`.

    Raises
    ------
    SegDendError
        If the folder holds no run, or something that :func:`train` would not allow.
    """
    ranks = mpi.start()
    with _open(ranks, lambda: Folder(path, resume=True)) as folder:
        summary = ranks.broadcast(_on_root(ranks, lambda: read_summary(path) if folder.is_finished else None))
        if summary is not None:
            known = {field.name for field in fields(Summary)} & summary.keys()
            return Summary(**{name: summary[name] for name in known}), path
        state = ranks.broadcast(_on_root(ranks, lambda: folder.read_checkpoint()))
        experiment = config.load(path / "config.yaml")
        dataset = _data(experiment)
        network, build_seconds = _build(experiment, dataset)
        if state is not None:
            _restore(network, state)
        _on_root(ranks, lambda: folder.cut_back(state.example if state is not None else 0))
        return _run(experiment, dataset, network, build_seconds, folder, state, observer)


def _run(
    experiment: Experiment,
    dataset: Dataset,
    network: Network,
    build_seconds: float,
    folder: Folder | None,
    state: State | None,
    observer: Progress,
) -> tuple[Summary, Path]:
    """Train from a state, or from the beginning, and write the results on the rank that has the folder."""
    ranks = network.ranks
    first = 0 if state is None else state.example
    recorder = None
    if folder is not None and experiment.diagnostics.every:
        recorder = Recorder(folder.path, network.output.somatic_gain, first, network.variant.plateau_gain)
    calibration = _calibration(network)
    if ranks.is_root:
        for failure in calibrated.failures(calibration):
            print(f"segdend: {failure}", file=sys.stderr)
    trainer = Trainer(experiment, dataset, network, _Reports(observer, folder), recorder)

    def save(example: int) -> None:
        reached = _state(network, example, trainer.seconds_training)
        if folder is not None and reached is not None:
            folder.write_checkpoint(reached)

    if state is not None:
        trainer.seconds_training = state.seconds
    trainer.train(first, save)
    error = trainer.evaluate(dataset.held_out, trainer.total)
    final = _state(network, trainer.total, trainer.seconds_training)
    compartments = sum(ranks.allgather(_local_compartments()))
    segregation = _segregation(network, experiment.lumped)
    result: tuple[Summary, Path] | None = None
    if folder is not None and final is not None:
        folder.write_weights(final)
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
            weights_sha256=final.sha256,
            reduction=_reduction(network),
            repairs=_repairs(experiment),
            calibration=calibration,
        )
        folder.write_summary(summary)
        result = summary, folder.path
    known: tuple[Summary, Path] = ranks.broadcast(result)  # type: ignore[assignment]  # rank 0 has one
    return known


def evaluate(path: Path, observer: Progress, settings: Sequence[str] = ()) -> dict[str, Any]:
    """Classify the held-out images with the weights of a run.

    Parameters
    ----------
    path
        Folder of a run.
    observer
        Shows progress.
    settings
        Changes of the run's description, ``"key.path=value"``: other images, full cells instead of reduced ones.

    Returns
    -------
    dict
        ``test_error``, ``test_examples``, ``evaluated_on`` and ``weights_sha256``.
    """
    if not (path / "weights.h5").is_file():
        raise DataError(f"{str(path)!r} holds no weights.h5: give the folder of a finished run.")
    experiment = config.load(path / "config.yaml", settings)
    state = checkpoint.load(path / "weights.h5", "give the folder of a run")
    dataset = _data(experiment)
    network, _ = _build(experiment, dataset)
    _restore(network, state)
    error = Trainer(experiment, dataset, network, observer).evaluate(dataset.held_out, state.example)
    return {
        "test_error": error,
        "test_examples": len(dataset.held_out),
        "evaluated_on": dataset.held_out_name,
        "weights_sha256": state.sha256,
    }


def _state(network: Network, example: int, seconds: float) -> State | None:
    """Return what rank 0 writes, None on other ranks."""
    weights, feedback = network.gather_weights(), network.gather_feedback()
    return None if weights is None or feedback is None else State(weights, feedback, example, seconds)


def _restore(network: Network, state: State) -> None:
    network.set_weights(state.weights)
    network.renew_feedback(state.example)
    network.set_feedback(state.feedback)


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


def _open(ranks: mpi.Ranks, make: Callable[[], Folder]) -> Any:
    """Return the context of the folder on rank 0, that of None on others."""
    return _on_root(ranks, make) or nullcontext()


def _on_root(ranks: mpi.Ranks, make: Callable[[], Any]) -> Any:
    """Return on rank 0 what it makes, None on others; an error of rank 0 is raised on every rank."""
    result, error = None, None
    if ranks.is_root:
        try:
            result = make()
        except SegDendError as caught:
            error = caught
    error = ranks.broadcast(error)
    if error is not None:
        raise error
    return result


def _local_compartments() -> int:
    from neuron import h

    return sum(section.nseg for section in h.allsec() if not section.name().startswith("segdend_"))


def _segregation(network: Network, lumped: Lumped) -> dict[str, dict[str, float | None]]:
    """Return the electrical distance of the tuft, per kind of cell."""
    found = {}
    for population in (population for layer in network.hidden for population in layer.populations):
        if population.kind == LUMPED:
            found[LUMPED] = segregation_lumped(lumped.g_leak, lumped.g_basal, lumped.g_apical)
        elif population.calibration is not None and population.calibration.segregation is not None:
            found[population.kind] = population.calibration.segregation.to_dict()
    return found


def _repairs(experiment: Experiment) -> dict[str, list[str]]:
    from segdend_plugin.experiment import network

    return network.repairs(experiment)


def _calibration(network: Network) -> dict[str, dict[str, Any]]:
    """Return what calibration did to each kind of cell."""
    kinds: dict[str, list[calibrated.Calibrated]] = {}
    gain = 0.0
    for population in (population for layer in network.hidden for population in layer.populations):
        if population.calibration is not None:
            kinds.setdefault(population.kind, []).append(population.calibrated)
            gain = population.somatic_gain
    return calibrated.report(network.ranks, kinds, gain, network.output.scale.rest)


def _reduction(network: Network) -> dict[str, dict[str, Any]]:
    """Return what the reduction of each kind of cell is worth."""
    return {
        population.kind: dict(population.stand_in.report)
        for layer in network.hidden
        for population in layer.populations
        if population.stand_in is not None
    }
