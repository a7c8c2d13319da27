"""One run from description to results: what the command line and scripts call. A caller of `Learner`."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from segdend_plugin import settled
from segdend_plugin.callbacks import Callback, Progress
from segdend_plugin.engine import calibrated, cost, mpi, session
from segdend_plugin.engine.cost import RankCost
from segdend_plugin.errors import DataError, SegDendError
from segdend_plugin.experiment import config, graph, summary, teaching
from segdend_plugin.experiment.config import Experiment
from segdend_plugin.experiment.diagnostics import Layers, Recorder
from segdend_plugin.experiment.folder import CHECKPOINT, WEIGHTS, Folder, read_summary
from segdend_plugin.experiment.parts import REPORT_EVERY
from segdend_plugin.experiment.provenance import now
from segdend_plugin.experiment.reports import Counts, Evaluations, Observer, Reports, Saves, Silent, evaluate_images
from segdend_plugin.experiment.summary import Summary
from segdend_plugin.hosts import description
from segdend_plugin.learner import Learner
from segdend_plugin.model import state as states
from segdend_plugin.model.graph import Graph
from segdend_plugin.model.state import State, weights_sha256
from segdend_plugin.model.trial import Stimulus
from segdend_plugin.tasks.images import Dataset

log = logging.getLogger("segdend_plugin")
EXAMPLES_PER_TRIAL, MOST_TRIALS = 500, 300
"""Training examples for each pair of trials that measure how settled windows are: about a hundredth of the time."""


@dataclass(frozen=True)
class _Run:
    """A run whose network is built."""

    experiment: Experiment
    dataset: Dataset
    learner: Learner
    build_seconds: float
    began: datetime


def train(experiment: Experiment, out: Path | None = None, observer: Observer | None = None) -> tuple[Summary, Path]:
    """Train a network and write the results.

    Parameters
    ----------
    experiment
        The description.
    out
        Folder for the results, None for the next free one under ``runs``.
    observer
        Shows progress; nothing is shown without one.

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
    dataset = teaching.dataset(experiment)
    with _open(ranks, lambda: Folder(out)) as folder:
        run = _build(experiment, dataset, experiment.training.batch)
        _on_root(ranks, lambda: folder.create(experiment))
        return _train(run, folder, None, observer or Silent())


def resume(path: Path, observer: Observer | None = None) -> tuple[Summary, Path]:
    """Continue an interrupted run from its last checkpoint, with the results of a run that never stopped.

    Parameters
    ----------
    path
        Folder of the run; one that is finished is left as it is.
    observer
        Shows progress; nothing is shown without one.

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
        done = ranks.broadcast(_on_root(ranks, lambda: read_summary(path) if folder.is_finished else None))
        if done is not None:
            known = {field.name for field in fields(Summary)} & done.keys()
            return Summary(**{name: done[name] for name in known}), path
        remedy = "remove it to begin the run anew with the same command"
        state = ranks.broadcast(_on_root(ranks, lambda: folder.read_state(CHECKPOINT, remedy)))
        experiment = config.load(path / "config.yaml")
        run = _build(experiment, teaching.dataset(experiment), experiment.training.batch)
        _on_root(ranks, lambda: folder.cut_back(state.example if state is not None else 0))
        return _train(run, folder, state, observer or Silent())


def _train(run: _Run, folder: Folder | None, state: State | None, observer: Observer) -> tuple[Summary, Path]:
    """Train from a state, or from the beginning, and write the results on the rank that has the folder."""
    experiment, dataset, learner = run.experiment, run.dataset, run.learner
    ranks = learner.network.ranks
    calibration = summary.calibration(learner.network)
    if ranks.is_root:
        for failure in calibrated.failures(calibration):
            log.warning(failure)
    reports = Reports(observer, folder)
    gc.collect()
    gc.freeze()  # the network, which need not be searched for garbage as long as it learns
    learner.fit(
        dataset.train,
        epochs=experiment.epochs(),
        batch=experiment.training.batch,
        callbacks=_callbacks(run, reports, folder, 0 if state is None else state.example),
        resume=state,
    )
    evaluation = evaluate_images(learner, dataset.held_out, dataset.held_out_name, reports)
    trials = min(learner.end // EXAMPLES_PER_TRIAL, MOST_TRIALS)
    how = settled.settled(learner, dataset.train, trials) if trials > 1 else None
    gc.unfreeze()
    final = learner.state()
    result: tuple[Summary, Path] | None = None
    ended = summary.Ended(experiment, dataset, learner, evaluation, run.build_seconds, run.began, calibration, how)
    found = summary.collect(ended)
    if folder is not None and final is not None:
        folder.write_state(WEIGHTS, final)
        folder.write_summary(found)
        result = found, folder.path
    known: tuple[Summary, Path] = ranks.broadcast(result)  # type: ignore[assignment]  # rank 0 has one
    return known


def _callbacks(run: _Run, reports: Reports, folder: Folder | None, first: int) -> list[Callback]:
    """Return what happens between examples, checkpoints last."""
    experiment, dataset, learner = run.experiment, run.dataset, run.learner
    every = experiment.training.evaluate_every or len(dataset.train)
    found: list[Callback] = [
        Counts(reports.observer),
        Progress([REPORT_EVERY, every], report=reports.train),
        Evaluations(dataset.held_out, dataset.held_out_name, every, experiment.training.evaluate_images, reports),
    ]
    if experiment.diagnostics.every:
        layers = Layers(learner.graph, teaching.rule(experiment))
        recorder = Recorder(None if folder is None else folder.path, layers, experiment.diagnostics.every, every)
        _on_root(learner.network.ranks, lambda: recorder.cut_back(first))
        found.insert(0, recorder)
    found.append(Saves(folder, experiment.checkpoint.every))
    return found


def evaluate(path: Path, observer: Observer | None = None, settings: Sequence[str] = ()) -> dict[str, Any]:
    """Classify the held-out images with the weights of a run.

    Parameters
    ----------
    path
        Folder of a run.
    observer
        Shows progress; nothing is shown without one.
    settings
        Changes of the run's description, ``"key.path=value"``: other images, NEURON's solver instead of linear cells.

    Returns
    -------
    dict
        ``test_error``, ``test_examples``, ``evaluated_on`` and ``weights_sha256``.
    """
    ranks = mpi.start()
    if not (path / WEIGHTS).is_file():
        raise DataError(f"{str(path)!r} holds no {WEIGHTS}: give the folder of a finished run.")
    experiment = config.load(path / "config.yaml", settings)
    state = ranks.broadcast(_on_root(ranks, lambda: states.load(path / WEIGHTS, "give the folder of a run")))
    run = _build(experiment, teaching.dataset(experiment))
    run.learner.restore(state)
    held_out, name = run.dataset.held_out, run.dataset.held_out_name
    evaluation = evaluate_images(run.learner, held_out, name, Reports(observer or Silent(), None))
    return {
        "test_error": evaluation.error,
        "test_examples": len(held_out),
        "evaluated_on": name,
        "weights_sha256": weights_sha256(run.learner.graph, state.weights, state.biases),
    }


def dry(experiment: Experiment, ranks: int = 1) -> tuple[Graph, list[RankCost]]:
    """Return the graph of a description and what it would cost; images are read, and nothing is built or written.

    Parameters
    ----------
    experiment
        The description.
    ranks
        On how many MPI ranks it would run.
    """
    made = _graph(experiment, teaching.dataset(experiment))
    teaching.rule(experiment).wants(made)  # refuses a graph that does not suit it
    trial = teaching.phases(experiment).resolve(made).trial(made, Stimulus({}), 0, taught=True)
    batch = experiment.training.batch
    replicas = mpi.replicas_for(min(experiment.parallel.replicas, batch), ranks)
    return made, cost.estimate(made, trial.end, ranks, replicas, batch)


def _graph(experiment: Experiment, dataset: Dataset) -> Graph:
    return graph.graph(experiment, dataset.train.rates.shape[1], experiment.output_cells(dataset.classes))


def _build(experiment: Experiment, dataset: Dataset, at_once: int | None = None) -> _Run:
    """Build the network of a description, in as many replicas as ranks and examples that are shown `at_once` allow."""
    began = now()
    wanted = experiment.parallel.replicas
    session.begin(wanted if at_once is None else min(wanted, at_once))
    description.load()
    start = time.perf_counter()
    network = description.build(_graph(experiment, dataset))
    learner = teaching.learner(experiment, network)
    return _Run(experiment, dataset, learner, time.perf_counter() - start, began)


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
