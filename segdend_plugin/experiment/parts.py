"""The parts of the description of an experiment: what can be set, with defaults, units and sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from segdend_plugin.cells.units import REST, SOMATIC_GAIN, TAU_LONG, Equalised
from segdend_plugin.model.graph import Signal
from segdend_plugin.model.places import FEEDBACK, FORWARD, Landing, Region, Weighting
from segdend_plugin.model.places import Inputs as PerInput
from segdend_plugin.rule.feedback import FeedbackKind
from segdend_plugin.rule.inhibition import Onto, Silence, Source
from segdend_plugin.rule.kolen_pollack import DECAY
from segdend_plugin.rule.phases import Settle
from segdend_plugin.rule.plateau import READOUTS
from segdend_plugin.rules import RULES
from segdend_plugin.schedules import SCHEDULES
from segdend_plugin.types import is_number

Spread = Literal["paper", "released_code"]
Location = Literal["blind", "gain"]
Route = Literal["broadcast", "layerwise"]
REPORT_EVERY = 100
"""Training examples between two reports of the running error."""


class Part(BaseModel):
    """Base of every part of a description: frozen, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


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
    shift: int = Field(
        0, ge=0, description="pixels by which training images are shifted at most, each time anew; square ones only"
    )

    @field_validator("classes")
    @classmethod
    def _classes_differ(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if value is not None and (len(value) < 2 or len(set(value)) < len(value)):
            raise ValueError(f"{list(value)} are not two or more different labels: name each once")
        return value


class Training(Part):
    """How long to train and when to look."""

    batch: int = Field(1, ge=1, le=1000, description="examples that meet the same weights, before these change")
    epochs: int | None = Field(None, ge=0, description="passes through the images; by default 6 for the digits, else 1")
    evaluate_every: int | None = Field(None, gt=0, description="examples between evaluations; by default an epoch")
    evaluate_images: int = Field(100, gt=0, description="held-out images of an evaluation during training")


class Parallel(Part):
    """How MPI ranks share the work; it changes no result."""

    replicas: int = Field(
        1, ge=1, le=100_000, description="groups of ranks that hold the whole network each; training uses batch at most"
    )


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

    name: str = Field(
        "guerguiev",
        description="guerguiev: differences of plateaus; kolen_pollack: the same, with feedback that learns to be "
        "aligned; backprop: exact errors, a reference; urbanczik_senn: output cells predict their taught somas",
    )
    train_hidden: bool = Field(True, description="false freezes the hidden weights: the usual control")
    learning_rates: tuple[float, ...] | Literal["published"] | None = Field(
        None, description="of each hidden layer and the output; by default scaled to layers and plateaus"
    )
    schedule: str = Field("linear", description="how the learning rate falls over the run: linear or cosine")
    final_rate: float = Field(
        0.1, ge=0, le=1, description="fraction to which the learning rate falls; 1 keeps it, as in the paper"
    )
    initial_weights: Spread = Field("paper", description="paper, or released_code: all initial weights twice as wide")
    psp_memory: float = Field(
        0.0,
        ge=0,
        description="age in ms at which a synaptic potential is cut off, 0 never; 10 in the released code",
    )
    plateau: str = Field(
        "average",
        description="average: sigmoid of the mean apical potential; bursts with that mean (eqs 36-37); axial: sigmoid "
        "of the current that leaves the tuft; local: of what the tuft makes itself; nmda: opening of its NMDA "
        "channels; calcium: plateau at its nexus",
    )
    plateau_gain: float = Field(1.0, gt=0, description="factor of that sigmoid's argument")
    plateau_jitter: float = Field(
        0.0, ge=0, description="SD in ms by which plateaus precede the end of a phase; 3 in Fig 6 - figure supplement 1"
    )
    baseline: float = Field(
        0.0,
        ge=0,
        le=1,
        description="rate at which each cell follows its mean plateau difference, which is taken off; 0 for none",
    )
    location: Location = Field(
        "blind", description="learning blind to a synapse's place on the cell, or in proportion to its relative gain"
    )
    feedforward: Signal = Field("spikes", description="what cells send upwards: spikes, or rates (released code)")

    @model_validator(mode="before")
    @classmethod
    def _old_keys(cls, value: Any) -> Any:
        if isinstance(value, dict) and "hidden_error" in value:
            new = "backprop" if value["hidden_error"] == "backprop" else "guerguiev"
            raise ValueError(f"hidden_error is now called name: write rule.name={new}")
        return value

    @field_validator("name", "schedule")
    @classmethod
    def _is_registered(cls, value: str, info: ValidationInfo) -> str:
        known = RULES if info.field_name == "name" else SCHEDULES
        if value not in known:
            raise ValueError(f"{value!r} is unknown: give one of {', '.join(known)}")
        return value

    @field_validator("plateau")
    @classmethod
    def _plateau_is_known(cls, value: str) -> str:
        if value not in READOUTS:
            *names, last = map(repr, READOUTS)
            raise PydanticCustomError("readout", "Input should be {names}", {"names": f"{', '.join(names)} or {last}"})
        return value


class FeedbackPart(Part):
    """The way back to the tufts."""

    weights: FeedbackKind = Field(
        "random", description="fixed; transposed forward weights (Fig 8D); random with their signs (Liao et al. 2016)"
    )
    route: Route = Field("broadcast", description="from the output, or layerwise from the layer above (released code)")
    fraction: float = Field(1.0, gt=0, le=1, description="fraction of feedback weights kept; 0.2 in Fig 8B")
    scale: float = Field(1.0, gt=0, description="factor of the kept weights; 5 in Fig 8B")
    noise: float = Field(0.0, ge=0, description="SD of noise on feedback weights; 0.05 in Fig 8D")
    noise_redrawn: bool = Field(True, description="noise anew for every example (released code), or drawn once")
    learning_rate: float = Field(0.0, ge=0, description="of the feedback weights, 0 for fixed (released code)")
    decay: float = Field(
        DECAY,
        ge=0,
        lt=1,
        description="fraction of feedback and output weights that is lost with every example, in kolen_pollack",
    )
    signal: Signal = Field("spikes", description="what the source sends back: spikes, or rates (Fig 7A)")


class Phases(Part):
    """Times in ms (eLife 22901, Methods; the test phase is the released code's)."""

    dt: float = Field(1.0, gt=0, le=5, description="time step")
    settle: Settle = Field(
        "auto",
        description="part of a phase before its window opens; auto: as long as filters of cells and synapses need",
    )
    settle_forward: Settle | None = Field(None, description="that of the forward phase; by default settle")
    settle_target: Settle | None = Field(None, description="that of the target phase; by default settle")
    window: float = Field(20.0, gt=0, description="shortest window, of phases whose length is not given")
    forward: float | None = Field(None, gt=0, description="shortest forward phase; by default settle and window")
    target: float | None = Field(None, gt=0, description="shortest target phase; by default settle and window")
    jitter: bool = Field(True, description="add Wald(2, 1) ms to each phase")
    test: float = Field(250.0, gt=0, description="forward phase when classifying")
    delay: float = Field(1.0, ge=0, description="conduction delay of all projections, at least one step")

    @field_validator("settle", "settle_forward", "settle_target", mode="plain")
    @classmethod
    def _is_time_or_auto(cls, value: Any, info: ValidationInfo) -> Any:
        if is_number(value) and value >= 0:
            return float(value)
        if value == "auto":
            return value
        if value is None and info.field_name != "settle":
            return None
        raise ValueError(f"{value!r} is no time: give 0 ms or more, or auto")

    @model_validator(mode="after")
    def _windows_are_open(self) -> Phases:
        first, second = self.settles()
        for length, settle in ((self.forward, first), (self.target, second), (self.test, first)):
            if length is None or settle == "auto":
                continue  # the latter is known, and looked at, as soon as there is a graph
            if round(length / self.dt) <= round(settle / self.dt):
                raise ValueError(f"settle={settle:g} ms leaves no window in a phase of {length:g} ms: lower it")
        return self

    def settles(self) -> tuple[Settle, Settle]:
        """Return how long cells settle in the forward and in the target phase."""
        first, second = (self.settle if own is None else own for own in (self.settle_forward, self.settle_target))
        return first, second


class Lumped(Part):
    """Conductances of three-compartment cells, in 1/ms with C_m = 1 (eLife 22901, Table 1)."""

    g_leak: float = Field(0.1, gt=0, description="leak")
    g_basal: float = Field(0.6, gt=0, description="basal dendrite to soma, also of output cells")
    g_apical: float = Field(0.0, ge=0, description="apical dendrite to soma: 0, 0.05 or 0.6 in the paper")


class Cable(Part):
    """Passive membrane and discretisation of reconstructed cells, and how the rule's units map onto them."""

    axial_resistivity: float = Field(100.0, ge=1, le=100_000, description="Ohm cm")
    capacitance: float = Field(1.0, ge=0.01, le=100, description="uF/cm2")
    time_constant: float = Field(
        TAU_LONG, ge=0.1, le=1000, description="membrane time constant, ms; tau_L of the paper"
    )
    d_lambda: float = Field(0.2, ge=0.001, le=10, description="largest segment, in length constants at `frequency`")
    frequency: float = Field(100.0, ge=1, le=10_000, description="Hz")
    nseg: int | None = Field(None, ge=1, le=1001, description="segments of every section instead of the d_lambda rule")
    solver: Literal["linear", "neuron"] | None = Field(
        None,
        description="linear: few states that follow a passive cell within 1e-5; neuron: NEURON's; by default linear "
        "where membrane, synapses and plateau are",
    )
    repair: bool = Field(False, description="accept repairs of a cell's file that change the cell")
    apical_length: float = Field(1.0, ge=0.01, le=10, description="factor of the lengths of all apical sections")
    apical_diameter: float = Field(1.0, ge=0.01, le=10, description="factor of the diameters of all apical sections")
    membrane: Literal["passive", "active"] = Field(
        "passive", description="active: channels of a layer 5 cell, which spikes by itself; needs phases.dt <= 0.1"
    )
    tonic: float = Field(0.0, description="steady current into active somas, nA")
    unit: float = Field(1.0, gt=0, description="millivolts that the rule calls 1, in every cell")
    somatic_gain: float = Field(SOMATIC_GAIN, gt=0, le=1, description="steady somatic potential for unit basal drive")
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

    region: Region = Field(
        FORWARD.region,  # type: ignore[arg-type]  # one of these
        description="basal, soma, trunk, oblique, nexus, tuft, tips (of the tuft), apical",
    )
    sites: int = Field(FORWARD.sites, ge=1, le=10_000, description="places of feed-forward synapses per cell")
    per_input: PerInput = Field("one", description="one place per presynaptic cell, or all, its weight shared equally")


class FeedbackPlacement(_Landing):
    """Where feedback lands on reconstructed cells, and where their plateau is read."""

    region: Region = Field(
        FEEDBACK.region,  # type: ignore[arg-type]  # one of these
        description="tips: ends of the tuft farthest from the soma; or as in feedforward",
    )
    sites: int = Field(
        FEEDBACK.sites,
        ge=1,
        le=10_000,
        description="places of feedback per cell; a tuft with fewer tips gives all it has",
    )


class Placement(Part):
    """Where synapses land on reconstructed cells."""

    feedforward: FeedforwardPlacement = FeedforwardPlacement()
    feedback: FeedbackPlacement = FeedbackPlacement()


class SynapsePart(Part):
    """What synapses open on reconstructed cells; three-compartment cells ignore it."""

    model: Literal["current", "conductance"] = Field(
        "current",
        description="current, as in the paper, or conductances of excitation and inhibition by a weight's sign",
    )
    e_excitatory: float = Field(0.0, description="mV, above rest (-70)")
    e_inhibitory: float = Field(-80.0, description="mV, below rest: at rest a conductance would only shunt")
    nmda_feedforward: float = Field(0.0, ge=0, description="peak of NMDA relative to AMPA conductance, unblocked")
    nmda_feedback: float = Field(0.0, ge=0, description="the same in the tuft; 0.71 in Markram et al. 2015")
    tau_nmda: float = Field(43.0, ge=5, description="decay of the NMDA conductance, ms (Markram et al. 2015)")

    @model_validator(mode="after")
    def _drives_both_ways(self) -> SynapsePart:
        if not self.e_inhibitory < REST < self.e_excitatory:
            raise ValueError(
                f"e_inhibitory={self.e_inhibitory:g} and e_excitatory={self.e_excitatory:g} must lie below and above "
                f"rest ({REST:g} mV), where a conductance only shunts and none has unit strength: move them"
            )
        if self.model == "current" and (self.nmda_feedforward or self.nmda_feedback):
            raise ValueError("nmda channels need conductances: set synapse.model=conductance")
        return self


class InhibitionPart(Part):
    """One population of interneurons, with fixed weights."""

    name: str = Field(pattern=r"^[A-Za-z]\w*$", description="of the population, such as sst or pv")
    size: int = Field(gt=0, description="number of cells")
    layer: int = Field(1, gt=0, description="hidden layer that it inhibits, 1 for the first")
    onto: Onto = Field("tuft", description="tuft (as SST cells), soma (as PV cells) or basal")
    driven_by: Source = Field("hidden", description="the cells that excite it: hidden (of that layer), input or output")
    strength: float = Field(1.0, ge=0, description="units by which all of it at 200 Hz lowers that place")
    fraction: float = Field(1.0, gt=0, le=1, description="of it that reaches each cell, at the same strength in all")
    excitation: float = Field(8.0, ge=0, description="potential that all sources at 200 Hz add in its dendrite")
    bias: float = Field(-4.0, description="potential of its dendrite without input")
    silent_in: Silence = Field("none", description="silent never, in the windows of both phases, or in one phase")
    silent_lead: float = Field(0.0, ge=0, description="ms by which the silence precedes that")
