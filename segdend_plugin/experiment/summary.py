"""What `summary.json` holds of a run: its figures, and what made it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from segdend_plugin.cells.cable import segregation_lumped
from segdend_plugin.engine import calibrated
from segdend_plugin.engine.kinds.linear import LinearCells
from segdend_plugin.engine.kinds.reconstruction import ReconstructedCells
from segdend_plugin.engine.layered import LUMPED
from segdend_plugin.engine.network import Network
from segdend_plugin.experiment import teaching
from segdend_plugin.experiment.cells import repairs
from segdend_plugin.experiment.config import Experiment
from segdend_plugin.experiment.parts import Lumped
from segdend_plugin.experiment.provenance import provenance
from segdend_plugin.learner import Learner
from segdend_plugin.model.state import weights_sha256
from segdend_plugin.rule.phases import TwoPhase
from segdend_plugin.settled import Settled
from segdend_plugin.tasks.images import Dataset
from segdend_plugin.tasks.scores import Evaluation


@dataclass(frozen=True)
class Summary:
    """What `summary.json` holds.

    Attributes
    ----------
    cell
        Cell of the hidden layers; for mixtures the fraction of each in every layer; None without hidden layers.
    layers
        Cells per layer, input first.
    learning_rates
        Of each hidden layer and the output layer, as used.
    train_examples
        Training examples shown, all epochs together.
    test_examples, test_error
        Held-out images of the final evaluation and the fraction that was wrong; `evaluated_on` says whether
        they are the test images or validation images.
    train_images_per_second, build_seconds
        Wall-clock speed of training, and time to build the network beyond imports.
    compartments
        Segments of all cells on all ranks; of linear cells those that they follow.
    segregation
        Per kind of cell: impedances (MOhm), attenuation and indices of segregation of tuft, soma and basal dendrites;
        of a three-compartment cell what there is of these.
    ranks, replicas
        MPI processes, and groups of them that held the network.
    weights_sha256
        Digest of all forward weights and biases, in the order of the graph.
    reduction
        Per kind of linear cell: compartments of the cell, states that follow it, and the largest error of the
        potentials for a drive between -1 and 1, for each pair of places and over all.
    repairs
        Per cell whose file did not go to NEURON as it is: what was different there, and what was made of it.
    calibration
        Per kind of cable cell: currents (nA) for unit drive of all feed-forward and feedback sites; transfer impedance
        of feed-forward sites relative to the mean of their cell; gains that were asked for and, measured anew at the
        last cell, reached.
    phases
        Times (ms) of the phases, as taken: shortest phases, how long cells settle in each, and the test.
    settled
        How far plateaus in the windows are from settled ones (:class:`~segdend_plugin.settled.Settled`), after
        training; None where that was not measured: in runs of less than 1000 examples, and of other rules.
    provenance
        Versions and commit, processor, command, when it began and ended, and digests of the data.
    """

    cell: str | list[dict[str, float]] | None
    layers: list[int]
    learning_rates: list[float]
    train_hidden: bool
    ranks: int
    seed: int
    train_examples: int
    test_examples: int
    test_error: float
    evaluated_on: str
    train_images_per_second: float
    build_seconds: float
    compartments: int
    segregation: dict[str, dict[str, float | None]]
    weights_sha256: str
    replicas: int = 1
    reduction: dict[str, dict[str, Any]] = field(default_factory=dict)
    repairs: dict[str, list[str]] = field(default_factory=dict)
    calibration: dict[str, dict[str, Any]] = field(default_factory=dict)
    phases: dict[str, float] = field(default_factory=dict)
    settled: dict[str, Any] | None = None
    provenance: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Ended:
    """A run that has ended: what its summary is made of.

    Attributes
    ----------
    experiment, dataset, learner
        What was trained on what.
    evaluation
        What it makes of the held-out images.
    build_seconds, began
        How long the network took to build, and when the run was started or resumed.
    calibration
        As of :func:`calibration`.
    settled
        How far windows are from settled.
    """

    experiment: Experiment
    dataset: Dataset
    learner: Learner
    evaluation: Evaluation
    build_seconds: float
    began: datetime
    calibration: dict[str, dict[str, Any]]
    settled: Settled | None


def collect(run: Ended) -> Summary:
    """Return the summary of a run; every rank must call this. A new column is a field above and a line here."""
    experiment, dataset, learner = run.experiment, run.dataset, run.learner
    network, graph = learner.network, learner.graph
    data = {"train": dataset.train.digest, dataset.held_out_name: dataset.held_out.digest}
    return Summary(
        cell=experiment.hidden_cells(),
        layers=graph.sizes,
        learning_rates=teaching.by_layer(learner),
        train_hidden=experiment.rule.train_hidden,
        ranks=network.ranks.total,
        replicas=network.ranks.replicas,
        seed=experiment.seed,
        train_examples=learner.end,
        test_examples=len(dataset.held_out),
        test_error=run.evaluation.error,
        evaluated_on=dataset.held_out_name,
        train_images_per_second=learner.end / learner.seconds if learner.end else 0.0,
        build_seconds=run.build_seconds,
        compartments=compartments(network),
        segregation=segregation(network, experiment.lumped),
        weights_sha256=sha256(learner),
        reduction=reduction(network),
        repairs=network.ranks.broadcast(repairs(experiment) if network.ranks.is_root else {}),
        calibration=run.calibration,
        phases=times(teaching.phases(experiment).resolve(graph)),
        settled=None if run.settled is None else asdict(run.settled),
        provenance=provenance(run.began, data),
    )


def times(phases: TwoPhase) -> dict[str, float]:
    """Return the times of phases (ms)."""
    (_, forward, first, _), (_, target, second, _) = phases.laid()
    return {
        "forward": forward,
        "settle_forward": first,
        "target": target,
        "settle_target": second,
        "test": phases.test,
    }


def sha256(learner: Learner) -> str:
    """Return the digest of forward weights and biases; every rank must call this."""
    gathered = learner.network.gather()
    return learner.network.ranks.broadcast("" if gathered is None else weights_sha256(learner.graph, *gathered))


def segregation(network: Network, lumped: Lumped) -> dict[str, dict[str, float | None]]:
    """Return the electrical distance of the tuft, per kind of hidden cell."""
    found: dict[str, dict[str, float | None]] = {}
    for population in network.graph.hidden:
        cells, label = network.cells[population.name], population.kind.label
        if label == LUMPED:
            found[label] = segregation_lumped(lumped.g_leak, lumped.g_basal, lumped.g_apical)
        elif isinstance(cells, ReconstructedCells) and cells.segregation is not None:
            found[label] = cells.segregation.to_dict()
    return found


def calibration(network: Network) -> dict[str, dict[str, Any]]:
    """Return what calibration did to each kind of cell; every rank must call this."""
    kinds: dict[str, list[calibrated.Calibrated]] = {}
    gain, rest = 0.0, 0.0
    for cells in (network.cells[population.name] for population in network.graph.hidden):
        if isinstance(cells, ReconstructedCells):
            kinds.setdefault(cells.population.kind.label, []).append(cells.calibrated)
            gain, rest = cells.gain, cells.scale.rest
    return calibrated.report(network.ranks, kinds, gain, rest) if kinds else {}


def reduction(network: Network) -> dict[str, dict[str, Any]]:
    """Return what the reduction of each kind of cell is worth."""
    own = [cells for cells in network.cells.values() if isinstance(cells, LinearCells)]
    return {cells.kind.label: dict(cells.measured.report) for cells in own}


def compartments(network: Network) -> int:
    """Return the segments of all cells on all ranks; every rank must call this."""
    from neuron import h

    mine = sum(section.nseg for section in h.allsec() if not section.name().startswith("segdend_"))
    linear = (cells for cells in network.cells.values() if isinstance(cells, LinearCells))
    mine += sum(cells.n * cells.measured.report["compartments"] for cells in linear)
    return sum(network.ranks.allgather(mine))
