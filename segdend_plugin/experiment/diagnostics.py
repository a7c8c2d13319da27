"""Records how a network learns, example by example, into the folder of its run."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from segdend_plugin.callbacks import Watch, is_time
from segdend_plugin.errors import ConfigError, DataError
from segdend_plugin.experiment.folder import writing
from segdend_plugin.experiment.parts import REPORT_EVERY
from segdend_plugin.model.graph import Graph, Population
from segdend_plugin.model.outcome import Outcome
from segdend_plugin.model.places import SOMA
from segdend_plugin.model.state import append, write_whole
from segdend_plugin.model.wants import Average, Quantity, Want, Weights
from segdend_plugin.rule import diagnostics
from segdend_plugin.rule.backprop import hidden_deltas
from segdend_plugin.rule.base import Rule
from segdend_plugin.rule.guerguiev import Guerguiev
from segdend_plugin.rule.plateau import burst_difference, plateau_difference
from segdend_plugin.rule.weights import joined_weights
from segdend_plugin.tasks.images import Images
from segdend_plugin.types import Array

if TYPE_CHECKING:
    from segdend_plugin.engine.network import Network
    from segdend_plugin.learner import Learner

FILE, LINES = "diagnostics.h5", "diagnostics.jsonl"
EIGENVALUES = ("eigenvalue", "eigenvalue_example")
"""Columns of a table of their own."""
Row = dict[str, Any]
Seen = Mapping[Want, Array]
Layer = Sequence[Population]


class Layers:
    """Reads what whole layers did in one training example, the same on every rank; hidden ones from the input on.

    Parameters
    ----------
    graph
        Of a layered network.
    rule
        Says how plateaus are read.
    """

    def __init__(self, graph: Graph, rule: Rule) -> None:
        if not isinstance(rule, Guerguiev):
            raise ConfigError(f"diagnostics: {type(rule).__name__} reads no plateaus: record nothing.")
        self.graph, self.rule = graph, rule
        self.hidden: tuple[Layer, ...] = graph.hidden_layers
        self.output: Layer = graph.taught
        self.wants = tuple(self._wants())

    def _wants(self) -> Iterator[Want]:
        for p in (p for layer in (*self.hidden, self.output) for p in layer):
            yield from (_soma(p, "potential"), _soma(p, "rate"))
        yield from (_soma(p, "rate", "target") for p in self.output)
        for p in (p for layer in self.hidden for p in layer):
            yield from (self._apical(p, "forward"), self._apical(p, "target"))
        for layer in (*self.hidden, self.output)[1:]:
            yield from (Weights(c.name) for p in layer for c in self.graph.onto(p.name, "forward"))
        for p in self.hidden[-1] if self.hidden else ():
            yield self._feedback(p)
        for p in self.interneurons:
            yield from (_soma(p, "rate"), _soma(p, "rate", "target"))

    @property
    def interneurons(self) -> list[Population]:
        """Those that belong to no layer."""
        inside = {p.name for layer in (self.graph.inputs, *self.graph.layers) for p in layer}
        return [p for p in self.graph.populations if p.name not in inside]

    def row(self, outcome: Outcome, network: Network) -> dict[str, Array]:
        """Return the figures of an example, as :class:`Recorder` writes them; every rank must call this."""
        seen = outcome.seen
        potentials, rates = self._somas(seen, "potential"), self._somas(seen, "rate")
        differences = [np.concatenate([self._difference(outcome, p) for p in layer]) for layer in self.hidden]
        target = np.concatenate([seen[_soma(p, "rate", "target")] for p in self.output])
        apical = [np.concatenate([seen[self._apical(p, "forward")] for p in layer]) for layer in self.hidden]
        *local, taught = self._errors(outcome, network)
        gains = [np.concatenate([network.gain(p.name, whole=True) for p in layer]) for layer in self.hidden]
        exact = hidden_deltas(self._forward(seen), taught, potentials[:-1], gains)
        layers = zip(rates[:-1], differences, potentials[:-1], strict=True)
        row = {
            "output_loss": np.array(diagnostics.output_loss(target, potentials[-1])),
            "hidden_loss": np.array([diagnostics.hidden_loss(*layer) for layer in layers]),
            "angle": np.array([diagnostics.angle(*errors) for errors in zip(local, exact, strict=True)]),
            "rate": np.array([layer.mean() for layer in rates]),
            "difference_sd": np.array([difference.std() for difference in differences]),
            "difference_max": np.array([np.abs(difference).max() for difference in differences]),
            "apical_sd": np.array([layer.std() for layer in apical]),
        }
        if self.interneurons:
            row["interneuron_rate"] = np.array([_mean_rates(seen, p) for p in self.interneurons])
        return {key: values for key, values in row.items() if values.size}  # no columns without hidden layers

    def jacobians(self, seen: Seen, network: Network) -> tuple[Array, Array]:
        """Return J_b and J_g of the last hidden layer (:func:`~segdend_plugin.rule.diagnostics.jacobians`)."""
        feedback = np.concatenate([seen[self._feedback(p)] for p in self.hidden[-1]], axis=1)
        gain = float(network.gain(self.output[0].name, whole=True)[0])
        potential = self._somas(seen, "potential")[-1]
        return diagnostics.jacobians(self._forward(seen)[-1], feedback, potential, gain, self.rule.plateau_gain)

    def _apical(self, population: Population, window: str) -> Average:
        return replace(self.rule.apical(self.graph, population.name, window), whole=True)

    def _feedback(self, population: Population) -> Weights:
        return Weights(self.graph.onto(population.name, "feedback")[0].name, effective=False)

    def _somas(self, seen: Seen, quantity: Quantity) -> list[Array]:
        """Return forward averages of every hidden layer and of the output."""
        return [np.concatenate([seen[_soma(p, quantity)] for p in layer]) for layer in (*self.hidden, self.output)]

    def _forward(self, seen: Seen) -> list[Array]:
        """Return the weights out of every hidden layer as somas feel them, shape (n_hidden, n_next)."""
        above = (*self.hidden, self.output)[1:]
        return [
            joined_weights(self.graph, lower, upper, lambda c: seen[Weights(c.name)])
            for lower, upper in zip(self.hidden, above, strict=True)
        ]

    def _errors(self, outcome: Outcome, network: Network) -> list[Array]:
        """Return the errors that the cells of every hidden layer and of the output learn from."""
        errors = outcome.changes.errors if outcome.changes is not None else {}
        return [
            np.concatenate([network.whole(p.name, errors[p.name]) for p in layer])
            for layer in (*self.hidden, self.output)
        ]

    def _difference(self, outcome: Outcome, population: Population) -> Array:
        """Return alpha_t - alpha_f, or that of bursts, of a whole population."""
        readout, gain = self.rule.readout, self.rule.plateau_gain
        forward, target = (
            readout.alpha(outcome.seen[self._apical(population, window)], gain) for window in ("forward", "target")
        )
        if readout.poisson:
            return burst_difference(forward, target, self.graph.seed, outcome.example, population.numbers)
        return plateau_difference(forward, target)


def _soma(population: Population, quantity: Quantity, window: str = "forward") -> Average:
    return Average(population.name, quantity, SOMA, window, whole=True)


def _mean_rates(seen: Seen, population: Population) -> Array:
    """Return the mean rate (1/ms) of all cells in the two windows."""
    rates = np.array([seen[_soma(population, "rate", window)] for window in ("forward", "target")])
    mean: Array = np.asfortranarray(rates).mean(axis=1)  # so that NumPy adds cell by cell, as in every record so far
    return mean


class Recorder(Watch):
    """Records what whole layers did, for `diagnostics.h5`; a callback, which writes on rank 0.

    While the run goes on, records are lines of `diagnostics.jsonl`, one after the other, so that nothing that has been
    written can be spoilt by what is; when all examples have been shown, the datasets are written at once.

    Datasets, one row per recorded example; a column per hidden layer from the input on:

    ``example``, ``label``; ``output_loss`` (1/ms^2), ``hidden_loss``; ``angle`` to backpropagation (degrees); ``rate``
    (1/ms; hidden layers and output); ``difference_sd`` and ``difference_max``, spread and largest size of
    alpha_t - alpha_f; ``apical_sd``, spread of the forward apical averages; with interneurons, ``interneuron_rate``
    (1/ms; per population, in the forward and the target window). Another, shorter one holds ``eigenvalue`` with
    ``eigenvalue_example``: of Theorem 1, from Jacobians averaged between two reports, which are 100 examples apart or
    less (eLife 22901, Fig 5 - figure supplement 1).

    Parameters
    ----------
    folder
        Folder of the run, None on other ranks than 0.
    layers
        Reads the network.
    every
        Examples between records.
    evaluated
        Examples between evaluations, before which records are written, as before every report.
    """

    def __init__(self, folder: Path | None, layers: Layers, every: int, evaluated: int) -> None:
        self._folder = folder
        self._layers, self._every, self._evaluated = layers, every, evaluated
        self._rows: list[Row] = []
        self._jacobians: list[tuple[Array, Array]] = []

    def cut_back(self, example: int) -> None:
        """Remove the records of this and later examples; those of a run that has ended become lines again.

        Raises
        ------
        DataError
            If a file is damaged.
        """
        if self._folder is None or not any((self._folder / name).exists() for name in (LINES, FILE)):
            return
        kept = [row for row in _rows(self._folder) if _counter(row) < example]
        with writing(f"The folder {str(self._folder)!r}"):
            write_whole(self._folder / LINES, _lines(kept))
            (self._folder / FILE).unlink(missing_ok=True)

    def wants(self, graph: Graph, example: int) -> Sequence[Want]:
        """Want whole layers in the examples that are recorded."""
        return self._layers.wants if example % self._every == 0 else ()

    def batch(self, learner: Learner, outcomes: Sequence[Outcome]) -> bool:
        """Take the recorded examples, and write where that is due."""
        for outcome in outcomes:
            if outcome.example % self._every == 0:
                self._add(learner, outcome)
        if any(is_time(learner, outcomes, every, last=True) for every in (REPORT_EVERY, self._evaluated)):
            self._flush(learner.example)
        return False

    def finish(self, learner: Learner) -> None:
        """Write the datasets, if all examples have been shown."""
        if self._folder is None or learner.example < learner.end or not (self._folder / LINES).exists():
            return
        content = io.BytesIO()
        with h5py.File(content, "w") as file:
            for key, values in read(self._folder).items():
                file.create_dataset(key, data=values)
        with writing(f"The folder {str(self._folder)!r}"):
            write_whole(self._folder / FILE, content.getvalue())
            (self._folder / LINES).unlink()

    def _add(self, learner: Learner, outcome: Outcome) -> None:
        row = self._layers.row(outcome, learner.network)
        if self._folder is None or not isinstance(learner.task, Images):
            return
        label = int(learner.task.labels[outcome.number])
        self._rows.append({"example": outcome.example, "label": label} | {k: v.tolist() for k, v in row.items()})
        if self._layers.hidden:
            self._jacobians.append(self._layers.jacobians(outcome.seen, learner.network))

    def _flush(self, example: int) -> None:
        if not self._rows or self._folder is None:
            return
        if self._jacobians:
            forwards, backwards = (np.mean(matrices, axis=0) for matrices in zip(*self._jacobians, strict=True))
            largest = float(diagnostics.largest_eigenvalue(forwards, backwards))
            self._rows.append({"eigenvalue": largest, "eigenvalue_example": example - 1})
        with writing(f"The folder {str(self._folder)!r}"):
            append(self._folder / LINES, _lines(self._rows))
        self._rows, self._jacobians = [], []


def read(folder: Path) -> dict[str, Array]:
    """Return what a run has recorded, as the datasets of `diagnostics.h5`; of one that goes on, what is there.

    Raises
    ------
    DataError
        If the run has recorded nothing, or its record is damaged.
    """
    found: dict[str, list[Any]] = {}
    for row in _rows(folder):
        for key, value in row.items():
            found.setdefault(key, []).append(value)
    return {key: np.array(values) for key, values in found.items()}


def _rows(folder: Path) -> Iterator[Row]:
    """Yield the records of a run: lines as far as they are whole, else the rows of the datasets."""
    try:
        if (folder / LINES).exists():
            text = (folder / LINES).read_text(encoding="utf-8")
            rows = [json.loads(line) for line in text.split("\n")[:-1]]  # the last one may have been cut short
        else:
            with h5py.File(folder / FILE, "r") as file:
                columns = {key: dataset[()].tolist() for key, dataset in file.items()}
            tables = [{k: v for k, v in columns.items() if (k in EIGENVALUES) is other} for other in (False, True)]
            rows = [dict(zip(table, row, strict=True)) for table in tables for row in zip(*table.values(), strict=True)]
        for row in rows:
            _counter(row)
    except FileNotFoundError:
        raise DataError(f"{str(folder)!r} holds no {FILE}: train with diagnostics.every=1.") from None
    except (OSError, KeyError, TypeError, ValueError):
        raise DataError(
            f"The records in {str(folder)!r} are damaged: remove its {LINES} and {FILE}; they then begin anew."
        ) from None
    yield from rows


def _counter(row: Row) -> int:
    """Return of which example a record is."""
    return int(row["eigenvalue_example" if "eigenvalue" in row else "example"])


def _lines(rows: Sequence[Row]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()
