"""The description of an experiment: plain, frozen, validated data from YAML or Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, model_validator

from segdend_plugin.cells.files.catalogue import names_a_file
from segdend_plugin.cells.units import REST
from segdend_plugin.engine.kinds.linear import Linear
from segdend_plugin.engine.layered import LUMPED
from segdend_plugin.errors import ConfigError
from segdend_plugin.experiment import keys
from segdend_plugin.experiment.parts import (
    Cable,
    Checkpoint,
    Data,
    Diagnostics,
    FeedbackPart,
    InhibitionPart,
    Layers,
    Lumped,
    Parallel,
    Part,
    Phases,
    Placement,
    Rule,
    SynapsePart,
    Training,
)
from segdend_plugin.model.streams import LARGEST_SEED
from segdend_plugin.rule.guerguiev import Guerguiev
from segdend_plugin.rule.plateau import READOUTS
from segdend_plugin.rule.rates import PUBLISHED, learning_rates
from segdend_plugin.rules import RULES

DIGITS_EPOCHS = 6
LARGEST_ACTIVE_STEP = 0.1
"""Longest time step (ms) that resolves an action potential."""


class Experiment(Part):
    """Everything that decides the outcome of a run, apart from the number of ranks, which does not."""

    seed: int = Field(0, ge=0, le=LARGEST_SEED, description="seed of all random streams")
    cell: str = Field(
        "mouse_v1_l5_rbp4",
        description="catalogue name, 'three_compartment', .swc or .asc file, allen:ID or neuromorpho:NAME",
    )
    cells: dict[str, float] | None = Field(None, description="fraction of each cell, instead of `cell`")
    layers: Layers = Layers()
    data: Data = Data()
    training: Training = Training()
    parallel: Parallel = Parallel()
    checkpoint: Checkpoint = Checkpoint()
    diagnostics: Diagnostics = Diagnostics()
    rule: Rule = Rule()
    feedback: FeedbackPart = FeedbackPart()
    phases: Phases = Phases()
    lumped: Lumped = Lumped()
    cable: Cable = Cable()
    placement: Placement = Placement()
    synapse: SynapsePart = SynapsePart()
    inhibition: tuple[InhibitionPart, ...] = Field((), description="populations of interneurons")

    @model_validator(mode="after")
    def _parts_fit(self) -> Experiment:
        for k, layer in enumerate(self.layers.hidden):
            if layer.cell is not None and layer.cells is not None:
                raise ValueError(f"layers.hidden.{k} has both cell={layer.cell} and cells: give one of them")
        for where, mixture in self._mixtures():
            if not mixture or min(mixture.values()) <= 0:
                raise ValueError(f"{where}={mixture}: give every cell a fraction greater than 0")
            if abs(sum(mixture.values()) - 1.0) > 1e-6:
                raise ValueError(f"{where}: the fractions add up to {sum(mixture.values()):g}: make them add up to 1")
        bent = self._not_linear()
        if self.cable.solver == "linear" and bent is not None:
            raise ValueError(f"cable.solver=linear cannot follow {bent}: set it to neuron, or leave it out")
        if self.feedback.learning_rate and (self.feedback.weights != "random" or self.feedback.noise):
            raise ValueError(
                f"feedback.learning_rate={self.feedback.learning_rate:g} needs random feedback without noise: "
                "set feedback.weights=random and feedback.noise=0"
            )
        if self.diagnostics.every and not issubclass(RULES[self.rule.name], Guerguiev):
            raise ValueError(
                f"diagnostics.every={self.diagnostics.every} records plateaus, which rule.name={self.rule.name} does "
                "not read: set it to 0, or take another rule"
            )
        self._suits_cells()
        if self.rule.plateau_gain != 1.0 and READOUTS[self.rule.plateau].is_fraction:
            raise ValueError(f"rule.plateau_gain={self.rule.plateau_gain:g}: {self.rule.plateau} has no sigmoid: set 1")
        if self.cable.membrane == "active":
            self._suits_active_cells()
        rates, wanted = self.rule.learning_rates, len(self.layers.hidden) + 1
        if rates == "published" and wanted - 1 not in PUBLISHED:
            raise ValueError(
                f"rule.learning_rates: none published for {wanted - 1} hidden layers: give {wanted} numbers"
            )
        if isinstance(rates, tuple) and rates and min(rates) < 0:
            raise ValueError(f"rule.learning_rates has {min(rates):g}: give 0 or more")
        if isinstance(rates, tuple) and len(rates) != wanted:
            raise ValueError(
                f"rule.learning_rates has {len(rates)} values: give {wanted}, one per hidden layer and the output's"
            )
        return self

    @model_validator(mode="after")
    def _interneurons_fit(self) -> Experiment:
        names = [own.name for own in self.inhibition]
        for k, own in enumerate(self.inhibition):
            where, depth = f"inhibition.{k}", len(self.layers.hidden)
            if names.count(own.name) > 1 or own.name in ("input", "output") or own.name.startswith("hidden"):
                raise ValueError(f"{where}.name={own.name!r} is taken: choose another")
            if own.layer > depth:
                remedy = "choose one of them" if depth else "set inhibition=[]"
                raise ValueError(f"{where}.layer={own.layer}: there are {depth} hidden layers: {remedy}")
            if own.onto != "soma" and LUMPED in self.mixture(own.layer - 1):
                raise ValueError(
                    f"{where}.onto={own.onto!r} needs dendrites with a membrane, which {LUMPED} cells have not: take "
                    "'soma', or reconstructed cells"
                )
        return self

    def _suits_cells(self) -> None:
        plateau = self.rule.plateau
        cells = self.kinds()
        if plateau not in ("average", "bursts") and LUMPED in cells:
            raise ValueError(
                f"rule.plateau={plateau}: three-compartment cells have no such thing: take average or bursts, or "
                "reconstructed cells"
            )
        if self.rule.psp_memory and cells - {LUMPED}:
            raise ValueError(
                f"rule.psp_memory={self.rule.psp_memory:g}: the membrane of reconstructed cells filters spikes by "
                "itself: set it to 0, or take three-compartment cells"
            )

    def _suits_active_cells(self) -> None:
        if self.phases.dt > LARGEST_ACTIVE_STEP:
            raise ValueError(
                f"phases.dt={self.phases.dt:g} is too long for cable.membrane=active: give "
                f"{LARGEST_ACTIVE_STEP:g} ms or less"
            )
        for key, signal in (("rule.feedforward", self.rule.feedforward), ("feedback.signal", self.feedback.signal)):
            if signal == "rates":
                raise ValueError(f"{key}=rates, but active cells have spikes only: set it to spikes")

    def _not_linear(self) -> str | None:
        """Return what makes reconstructed cells something else than a linear system, None where nothing does."""
        if self.cable.membrane == "active":
            return "cable.membrane=active"
        if self.synapse.model == "conductance":
            return "synapse.model=conductance"
        if not READOUTS[self.rule.plateau].offered_by(Linear("")):
            return f"rule.plateau={self.rule.plateau}"
        return None

    def is_linear(self) -> bool:
        """Return whether reconstructed cells are advanced as linear systems."""
        return self.cable.solver != "neuron" and self._not_linear() is None

    def _mixtures(self) -> list[tuple[str, dict[str, float]]]:
        own = [("cells", self.cells)] if self.cells is not None else []
        layers = [(f"layers.hidden.{k}.cells", layer.cells) for k, layer in enumerate(self.layers.hidden)]
        return [(where, mixture) for where, mixture in [*own, *layers] if mixture is not None]

    def mixture(self, layer: int) -> dict[str, float]:
        """Return the fraction of each cell in hidden layer `layer`."""
        own = self.layers.hidden[layer]
        if own.cells is not None:
            return own.cells
        if own.cell is not None:
            return {own.cell: 1.0}
        return self.cells if self.cells is not None else {self.cell: 1.0}

    def kinds(self) -> set[str]:
        """Return the cells that hidden layers are made of."""
        return {cell for depth in range(len(self.layers.hidden)) for cell in self.mixture(depth)}

    def learning_rates(self, n_input: int, n_output: int) -> tuple[float, ...]:
        """Return the learning rate of each hidden layer and of the output layer."""
        given = self.rule.learning_rates
        if given == "published":
            return PUBLISHED[len(self.layers.hidden)]
        steepens = READOUTS[self.rule.plateau].steepness
        steepness = 1.0 if steepens is None else steepens(REST, self.cable.unit)
        return given or learning_rates([n_input, *(layer.size for layer in self.layers.hidden), n_output], steepness)

    def output_cells(self, classes: int) -> int:
        """Return the number of output cells for data with so many classes."""
        return (self.layers.output or classes) * self.layers.cells_per_class

    def hidden_cells(self) -> str | list[dict[str, float]] | None:
        """Return the one cell of all hidden layers, or else the mixture in each; None without hidden layers."""
        mixtures = [self.mixture(layer) for layer in range(len(self.layers.hidden))]
        names = self.kinds()
        return names.pop() if len(names) == 1 else mixtures or None

    def epochs(self) -> int:
        """Return the number of passes through the training images."""
        if self.training.epochs is not None:
            return self.training.epochs
        return DIGITS_EPOCHS if self.data.path is None else 1

    def with_absolute_paths(self) -> Experiment:
        """Return the same description, valid in any working folder."""
        data = self.data
        if data.path is not None:
            data = data.model_copy(update={"path": str(Path(data.path).expanduser().absolute())})
        layers = [
            layer.model_copy(update={"cell": _absolute(layer.cell), "cells": _absolute_keys(layer.cells)})
            for layer in self.layers.hidden
        ]
        return self.model_copy(
            update={
                "cell": _absolute(self.cell),
                "cells": _absolute_keys(self.cells),
                "data": data,
                "layers": self.layers.model_copy(update={"hidden": tuple(layers)}),
            }
        )

    def to_yaml(self) -> str:
        """Return the fully resolved description as YAML that :func:`load` reads."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def _absolute(cell: str | None) -> str | None:
    return str(Path(cell).expanduser().absolute()) if cell is not None and names_a_file(cell) else cell


def _absolute_keys(cells: dict[str, float] | None) -> dict[str, float] | None:
    return None if cells is None else {_absolute(cell) or cell: fraction for cell, fraction in cells.items()}


def load(path: str | Path | None = None, settings: Sequence[str] = (), **overrides: Any) -> Experiment:
    """Read a description.

    Parameters
    ----------
    path
        YAML file; without one the embedded default is taken.
    settings
        Changes as ``"key.path=value"``, the value in YAML.
    overrides
        Top-level fields that replace what file and settings say.

    Raises
    ------
    ConfigError
        If a file cannot be read, a key is unknown or a value does not fit.
    """
    tree = keys.read_yaml(path) if path is not None else {}
    for setting in settings:
        keys.assign(tree, setting)
    tree.update(overrides)
    try:
        return Experiment.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(keys.sentence(error.errors()[0], Experiment)) from None
