"""Parts of the description that change what cells are connected by: synapses and interneurons."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from segdend_plugin.rule.inhibition import Onto, Silence, Source

REST = -70.0  # mV


class Part(BaseModel):
    """Base of every part of a description: frozen, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


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
