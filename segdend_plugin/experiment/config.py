"""The description of an experiment: plain, frozen, validated data from YAML or Python."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from segdend_plugin.cells.calibration import Equalised
from segdend_plugin.cells.catalogue import names_a_file
from segdend_plugin.cells.sites import Inputs as PerInput
from segdend_plugin.cells.sites import Landing, Region, Weighting
from segdend_plugin.errors import ConfigError
from segdend_plugin.experiment.parts import InhibitionPart, Part, SynapsePart
from segdend_plugin.rule.plateau import READOUTS, Kind
from segdend_plugin.rule.rates import PUBLISHED, learning_rates
from segdend_plugin.rule.variant import Feedback, Initial, Location, Route, Signal, Variant

LUMPED = "three_compartment"
DIGITS_EPOCHS = 6
LARGEST_ACTIVE_STEP = 0.1
"""Longest time step (ms) that resolves an action potential."""
REPORT_EVERY = 100
"""Training examples between two reports of the running error."""


class HiddenLayer(Part):
    """One hidden layer; without `cell` or `cells` it is made of the experiment's."""

    size: int = Field(gt=0, description="number of cells")
    cell: str | None = Field(None, description="catalogue name, file or id in an archive")
    cells: dict[str, float] | None = Field(None, description="fraction of each cell")


class Layers(Part):
    """The sizes of the network."""

    hidden: tuple[HiddenLayer, ...] = Field((HiddenLayer(size=50),), description="hidden layers, [] for none")
    output: int | None = Field(None, gt=0, description="classes of the output; by default those of the data")
    cells_per_class: int = Field(1, gt=0, description="output cells per class; their mean potential decides")

    @field_validator("hidden", mode="before")
    @classmethod
    def _sizes_are_layers(cls, value: Any) -> Any:
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [{"size": layer} if type(layer) is int else layer for layer in value]
        return value


class Data(Part):
    """Which images, how many, and what is to be learned of them."""

    name: Literal["digits", "mnist"] = Field(
        "digits", description="embedded 8x8 digits, or mnist from data.path; data.path decides where it is given"
    )
    path: str | None = Field(None, description=".npz file with x_train, y_train, x_test, y_test")
    train: int | None = Field(None, gt=0, description="training images to use; by default all")
    test: int | None = Field(None, gt=0, description="test images to use; by default all")
    validation: int = Field(0, ge=0, description="training images held out, evaluated instead of the test images")
    classes: tuple[int, ...] | None = Field(None, description="labels of the images to keep, as [3, 8]; by default all")
    labels: Literal["class", "parity", "low_high"] = Field("class", description="ten digits, odd/even, or 0-4/5-9")

    @field_validator("classes")
    @classmethod
    def _classes_differ(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if value is not None and (len(value) < 2 or len(set(value)) < len(value)):
            raise ValueError(f"{list(value)} are not two or more different labels: name each once")
        return value


class Training(Part):
    """How long to train and when to look."""

    epochs: int | None = Field(None, ge=0, description="passes through the images; by default 6 for the digits, else 1")
    evaluate_every: int | None = Field(None, gt=0, description="examples between evaluations; by default an epoch")
    evaluate_images: int = Field(100, gt=0, description="held-out images of an evaluation during training")


class Diagnostics(Part):
    """What is recorded of training."""

    every: int = Field(0, ge=0, description="examples between records of angles, losses, rates and plateaus; 0: none")


class Checkpoint(Part):
    """How often a run is saved so that it can be resumed."""

    every: int = Field(
        1000, ge=0, multiple_of=REPORT_EVERY, description="examples between checkpoints, a multiple of 100; 0 for none"
    )


class Rule(Part):
    """The learning rule."""

    train_hidden: bool = Field(True, description="false freezes the hidden weights: the usual control")
    learning_rates: tuple[float, ...] | Literal["published"] | None = Field(
        None, description="of each hidden layer and the output; by default scaled to the sizes of the layers"
    )
    final_rate: float = Field(
        0.1, ge=0, le=1, description="learning rate falls linearly to this fraction; 1 keeps it, as in the paper"
    )

    initial_weights: Initial = Field("paper", description="paper, or released_code: all initial weights twice as wide")
    psp_memory: float = Field(
        0.0,
        ge=0,
        description="age in ms at which a synaptic potential is cut off, 0 never; 10 in the released code",
    )
    plateau: Kind = Field(
        "average",
        description="average: sigmoid of the mean apical potential; bursts with that mean (eqs 36-37); axial: sigmoid "
        "of the current that leaves the tuft; local: of what the tuft makes itself; nmda: opening of its NMDA "
        "channels; calcium: plateau at its nexus",
    )
    plateau_gain: float = Field(1.0, gt=0, description="factor of that sigmoid's argument")
    plateau_jitter: float = Field(
        0.0, ge=0, description="SD in ms by which plateaus precede the end of a phase; 3 in Fig 6 - figure supplement 1"
    )
    hidden_error: Literal["plateau", "backprop"] = Field(
        "plateau", description="difference of plateaus, or exact backpropagation as a reference"
    )
    location: Location = Field(
        "blind", description="learning blind to a synapse's place on the cell, or in proportion to its relative gain"
    )
    feedforward: Signal = Field("spikes", description="what cells send upwards: spikes, or rates (released code)")


class FeedbackPart(Part):
    """The way back to the tufts."""

    weights: Literal["random", "symmetric", "sign_concordant"] = Field(
        "random", description="fixed; transposed forward weights (Fig 8D); random with their signs (Liao et al. 2016)"
    )
    route: Route = Field("broadcast", description="from the output, or layerwise from the layer above (released code)")
    fraction: float = Field(1.0, gt=0, le=1, description="fraction of feedback weights kept; 0.2 in Fig 8B")
    scale: float = Field(1.0, gt=0, description="factor of the kept weights; 5 in Fig 8B")
    noise: float = Field(0.0, ge=0, description="SD of noise on feedback weights; 0.05 in Fig 8D")
    noise_redrawn: bool = Field(True, description="noise anew for every example (released code), or drawn once")
    learning_rate: float = Field(0.0, ge=0, description="of the feedback weights, 0 for fixed (released code)")
    signal: Signal = Field("spikes", description="what the source sends back: spikes, or rates (Fig 7A)")


class Phases(Part):
    """Times in ms (eLife 22901, Methods; the test phase is the released code's)."""

    dt: float = Field(1.0, gt=0, le=5, description="time step")
    forward: float = Field(50.0, gt=0, description="shortest forward phase")
    target: float = Field(50.0, gt=0, description="shortest target phase")
    settle: float = Field(30.0, ge=0, description="part of a phase before its window opens")
    jitter: bool = Field(True, description="add Wald(2, 1) ms to each phase")
    test: float = Field(250.0, gt=0, description="forward phase when classifying")
    delay: float = Field(1.0, ge=0, description="conduction delay of all projections, at least one step")

    @model_validator(mode="after")
    def _windows_are_open(self) -> Phases:
        shortest = min(self.forward, self.target, self.test)
        if round(shortest / self.dt) <= round(self.settle / self.dt):
            raise ValueError(f"settle={self.settle:g} ms leaves no window in a phase of {shortest:g} ms: lower it")
        return self


class Lumped(Part):
    """Conductances of three-compartment cells, in 1/ms with C_m = 1 (eLife 22901, Table 1)."""

    g_leak: float = Field(0.1, gt=0, description="leak")
    g_basal: float = Field(0.6, gt=0, description="basal dendrite to soma, also of output cells")
    g_apical: float = Field(0.0, ge=0, description="apical dendrite to soma: 0, 0.05 or 0.6 in the paper")


class Cable(Part):
    """Passive membrane and discretisation of reconstructed cells, and how the rule's units map onto them."""

    axial_resistivity: float = Field(100.0, gt=0, description="Ohm cm")
    capacitance: float = Field(1.0, gt=0, description="uF/cm2")
    time_constant: float = Field(10.0, gt=0, description="membrane time constant, ms; tau_L of the paper")
    d_lambda: float = Field(0.2, gt=0, description="largest segment, in length constants at `frequency`")
    frequency: float = Field(100.0, gt=0, description="Hz")
    nseg: int | None = Field(None, gt=0, description="segments of every section instead of the d_lambda rule")
    reduced: bool = Field(
        False, description="few compartments that answer at soma and tuft within 2 % up to 100 Hz: for searching"
    )
    repair: bool = Field(False, description="accept repairs of a cell's file that change the cell")
    apical_length: float = Field(1.0, gt=0, le=10, description="factor of the lengths of all apical sections")
    apical_diameter: float = Field(1.0, gt=0, le=10, description="factor of the diameters of all apical sections")
    membrane: Literal["passive", "active"] = Field(
        "passive", description="active: channels of a layer 5 cell, which spikes by itself; needs phases.dt <= 0.1"
    )
    tonic: float = Field(0.0, description="steady current into active somas, nA")
    unit: float = Field(1.0, gt=0, description="millivolts that the rule calls 1, in every cell")
    somatic_gain: float = Field(0.6 / 0.7, gt=0, le=1, description="steady somatic potential for unit basal drive")
    calibration: Equalised = Field(
        "per_site", description="somatic_gain of every feed-forward site, or (per_cell) of the mean of a cell's sites"
    )


class _Landing(Part):
    weighting: Weighting = Field("length", description="draws in proportion to dendritic length, or membrane area")
    nearest: float = Field(0.0, ge=0, description="least path distance from the soma, um")
    farthest: float | None = Field(None, gt=0, description="greatest path distance from the soma, um")

    @model_validator(mode="after")
    def _range_is_open(self) -> _Landing:
        if self.farthest is not None and self.farthest <= self.nearest:
            raise ValueError(f"farthest={self.farthest:g} um is not beyond nearest={self.nearest:g} um: enlarge it")
        return self

    def landing(self) -> Landing:
        """Return the same for the engine."""
        return Landing(**self.model_dump())


class FeedforwardPlacement(_Landing):
    """Where feed-forward synapses land on reconstructed cells."""

    region: Region = Field("basal", description="basal, soma, trunk, oblique, nexus, tuft, tips (of the tuft), apical")
    sites: int = Field(8, gt=0, description="places of feed-forward synapses per cell")
    per_input: PerInput = Field("one", description="one place per presynaptic cell, or all, its weight shared equally")


class FeedbackPlacement(_Landing):
    """Where feedback lands on reconstructed cells, and where their plateau is read."""

    region: Region = Field("tips", description="tips: ends of the tuft farthest from the soma; or as in feedforward")
    sites: int = Field(4, gt=0, description="places of feedback per cell; a tuft with fewer tips gives all it has")


class Placement(Part):
    """Where synapses land on reconstructed cells."""

    feedforward: FeedforwardPlacement = FeedforwardPlacement()
    feedback: FeedbackPlacement = FeedbackPlacement()


class Experiment(Part):
    """Everything that decides the outcome of a run, apart from the number of ranks, which does not."""

    seed: int = Field(0, ge=0, lt=2**25, description="seed of all random streams")
    cell: str = Field(
        "mouse_v1_l5_rbp4",
        description="catalogue name, 'three_compartment', .swc or .asc file, allen:ID or neuromorpho:NAME",
    )
    cells: dict[str, float] | None = Field(None, description="fraction of each cell, instead of `cell`")
    layers: Layers = Layers()
    data: Data = Data()
    training: Training = Training()
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
        if self.synapse.model == "conductance" and self.cable.reduced:
            raise ValueError(
                "synapse.model=conductance needs the full cells, because the compartments of a reduced cell share "
                "synapses: set cable.reduced=false"
            )
        if self.feedback.learning_rate and (self.feedback.weights != "random" or self.feedback.noise):
            raise ValueError(
                f"feedback.learning_rate={self.feedback.learning_rate:g} needs random feedback without noise: "
                "set feedback.weights=random and feedback.noise=0"
            )
        if self.rule.plateau_gain != 1.0 and READOUTS[self.rule.plateau].is_fraction:
            raise ValueError(f"rule.plateau_gain={self.rule.plateau_gain:g}: {self.rule.plateau} has no sigmoid: set 1")
        forward, back = self.placement.feedforward.region, self.placement.feedback.region
        if self.cable.reduced and (forward != "basal" or back not in ("tips", "nexus")):
            raise ValueError(
                f"cable.reduced: reduced cells have no places for {forward} synapses with feedback to {back}: take "
                "placement.feedforward.region=basal with placement.feedback.region=tips or nexus"
            )
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
                raise ValueError(f"{where}.layer={own.layer}: there are {depth} hidden layers: choose one of them")
            if own.onto != "soma" and LUMPED in self.mixture(own.layer - 1):
                raise ValueError(
                    f"{where}.onto={own.onto!r} needs dendrites with a membrane, which {LUMPED} cells have not: take "
                    "'soma', or reconstructed cells"
                )
            if own.onto == "basal" and self.cable.reduced:
                raise ValueError(
                    f"{where}.onto='basal' needs the basal dendrites that reduced cells have not: take 'soma' or 'tuft'"
                )
        return self

    def _suits_active_cells(self) -> None:
        if self.phases.dt > LARGEST_ACTIVE_STEP:
            raise ValueError(
                f"phases.dt={self.phases.dt:g} is too long for cable.membrane=active: give "
                f"{LARGEST_ACTIVE_STEP:g} ms or less"
            )
        if self.cable.reduced:
            raise ValueError("cable.reduced=true is for passive cells: set it to false, or cable.membrane to passive")
        for key, signal in (("rule.feedforward", self.rule.feedforward), ("feedback.signal", self.feedback.signal)):
            if signal == "rates":
                raise ValueError(f"{key}=rates, but active cells have spikes only: set it to spikes")

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

    def learning_rates(self, n_input: int, n_output: int) -> tuple[float, ...]:
        """Return the learning rate of each hidden layer and of the output layer."""
        given = self.rule.learning_rates
        if given == "published":
            return PUBLISHED[len(self.layers.hidden)]
        return given or learning_rates([n_input, *(layer.size for layer in self.layers.hidden), n_output])

    def variant(self) -> Variant:
        """Return the form of the algorithm."""
        rule = self.rule
        return Variant(
            initial=rule.initial_weights,
            memory=rule.psp_memory,
            feedforward=rule.feedforward,
            feedback=Feedback(**self.feedback.model_dump()),
            plateau=rule.plateau,
            plateau_gain=rule.plateau_gain,
            plateau_jitter=rule.plateau_jitter,
            hidden_error=rule.hidden_error,
            cells_per_class=self.layers.cells_per_class,
            location=rule.location,
        )

    def output_cells(self, classes: int) -> int:
        """Return the number of output cells for data with so many classes."""
        return (self.layers.output or classes) * self.layers.cells_per_class

    def hidden_cells(self) -> str | list[dict[str, float]] | None:
        """Return the one cell of all hidden layers, or else the mixture in each; None without hidden layers."""
        mixtures = [self.mixture(layer) for layer in range(len(self.layers.hidden))]
        names = {name for mixture in mixtures for name in mixture}
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
    tree = read_yaml(path) if path is not None else {}
    for setting in settings:
        _assign(tree, setting)
    tree.update(overrides)
    try:
        return Experiment.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(sentence(error.errors()[0])) from None


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Return the keys of a YAML file.

    Raises
    ------
    ConfigError
        If it cannot be read or holds none.
    """
    try:
        tree = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"The configuration {str(path)!r} cannot be read ({error.strerror}): give a file.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = " ".join(str(error).split())
        raise ConfigError(f"The configuration {str(path)!r} is not valid YAML ({problem}): mend it there.") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"The configuration {str(path)!r} holds no keys: write 'key: value' lines.")
    return tree


def parse_setting(setting: str) -> tuple[str, Any]:
    """Return key and value of ``"key.path=value"``, the value in YAML.

    Raises
    ------
    ConfigError
        If it is not of that form.
    """
    key, separator, text = setting.partition("=")
    if not separator or not all(key.strip().split(".")):
        raise ConfigError(f"--set {setting!r} is not of the form key.path=value: write for example --set seed=1.")
    try:
        return key.strip(), yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"--set {setting!r} has a value that is not valid YAML: quote it.") from None


def _assign(tree: dict[str, Any], setting: str) -> None:
    key, value = parse_setting(setting)
    parts = key.split(".")
    for part in parts[:-1]:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"--set {setting!r}: {part!r} is a value, not a group of keys: shorten the path.")
    tree[parts[-1]] = value


def sentence(error: ErrorDetails, model: type[BaseModel] = Experiment) -> str:
    """Return what is wrong with a field of a description, and the remedy, in one sentence."""
    location = [part for part in error["loc"] if part != "[key]" and not _is_union_tag(part)]
    field = ".".join(str(part) for part in location) or "The configuration"
    if error["type"] == "extra_forbidden":
        return f"{field}: unknown key; {_nearest(location, model)}."
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error":
        return f"{field}: {message}." if location else f"{message}."
    if error["type"] == "missing":
        return f"{field}: missing; give it a value."
    return f"{field}={error['input']!r}: {message[:1].lower()}{message[1:]}; change the value."


def _is_union_tag(part: str | int) -> bool:
    return isinstance(part, str) and ("[" in part or part == "str")


def _nearest(location: Sequence[str | int], model: type[BaseModel]) -> str:
    part: type[BaseModel] | None = model
    for step in location[:-1]:
        if isinstance(step, str) and part is not None and step in part.model_fields:
            annotation = part.model_fields[step].annotation
            part = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
    items = InhibitionPart if location[0] == "inhibition" else HiddenLayer
    known = list((part or items).model_fields)
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    return f"did you mean {near[0]!r}" if near else f"the keys here are {', '.join(known)}"
