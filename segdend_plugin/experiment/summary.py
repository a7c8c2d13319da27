"""What `summary.json` holds of a run: its figures, and what made it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from segdend_plugin.cells.cable import segregation_lumped
from segdend_plugin.engine import calibrated
from segdend_plugin.engine.kinds.cable import CableCells
from segdend_plugin.engine.layered import LUMPED
from segdend_plugin.engine.network import Network
from segdend_plugin.experiment.parts import Lumped


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
        Segments of all cells on all ranks.
    segregation
        Per kind of cell: impedances (MOhm), attenuation and indices of segregation of tuft, soma and basal dendrites;
        of a three-compartment cell what there is of these.
    weights_sha256
        Digest of all weights and biases in the order of gids.
    reduction
        Per kind of reduced cell: compartments of the full and the reduced one, and largest relative errors of the
        responses of soma and tuft up to 100 Hz.
    repairs
        Per cell whose file did not go to NEURON as it is: what was different there, and what was made of it.
    calibration
        Per kind of cable cell: currents (nA) for unit drive of all feed-forward and feedback sites; transfer impedance
        of feed-forward sites relative to the mean of their cell; gains that were asked for and, measured anew at the
        last cell, reached.
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
    reduction: dict[str, dict[str, Any]] = field(default_factory=dict)
    repairs: dict[str, list[str]] = field(default_factory=dict)
    calibration: dict[str, dict[str, Any]] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)


def segregation(network: Network, lumped: Lumped) -> dict[str, dict[str, float | None]]:
    """Return the electrical distance of the tuft, per kind of hidden cell."""
    found: dict[str, dict[str, float | None]] = {}
    for population in network.graph.hidden:
        cells, label = network.cells[population.name], population.kind.label
        if label == LUMPED:
            found[label] = segregation_lumped(lumped.g_leak, lumped.g_basal, lumped.g_apical)
        elif isinstance(cells, CableCells) and cells.segregation is not None:
            found[label] = cells.segregation.to_dict()
    return found


def calibration(network: Network) -> dict[str, dict[str, Any]]:
    """Return what calibration did to each kind of cell; every rank must call this."""
    kinds: dict[str, list[calibrated.Calibrated]] = {}
    gain, rest = 0.0, 0.0
    for cells in (network.cells[population.name] for population in network.graph.hidden):
        if isinstance(cells, CableCells):
            kinds.setdefault(cells.kind.label, []).append(cells.calibrated)
            gain, rest = cells.gain, cells.scale.rest
    return calibrated.report(network.ranks, kinds, gain, rest) if kinds else {}


def reduction(network: Network) -> dict[str, dict[str, Any]]:
    """Return what the reduction of each kind of cell is worth."""
    return {
        cells.kind.label: dict(cells.stand_in.report)
        for cells in network.cells.values()
        if isinstance(cells, CableCells) and cells.stand_in is not None
    }


def compartments(network: Network) -> int:
    """Return the segments of all cells on all ranks; every rank must call this."""
    from neuron import h

    mine = sum(section.nseg for section in h.allsec() if not section.name().startswith("segdend_"))
    return sum(network.ranks.allgather(mine))
