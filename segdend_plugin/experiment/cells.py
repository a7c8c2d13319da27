"""The reconstructed cells of a description, one by one: what was repaired, what their shape does to signals."""

from __future__ import annotations

from typing import Any

from segdend_plugin.cells.files import source as sources
from segdend_plugin.cells.sites import ground
from segdend_plugin.cells.survey import FREQUENCIES, Electrotonics, measure
from segdend_plugin.engine import mpi
from segdend_plugin.engine.kinds import measured
from segdend_plugin.engine.kinds.linear import Linear
from segdend_plugin.engine.kinds.lumped import Lumped
from segdend_plugin.engine.layered import LUMPED, Wiring, chain
from segdend_plugin.errors import ConfigError
from segdend_plugin.experiment import graph
from segdend_plugin.experiment.config import Experiment
from segdend_plugin.experiment.parts import Cable, Placement
from segdend_plugin.hosts import description
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.types import Array, HocObject


def pyramidal(cell: str, cable: Cable) -> HocObject:
    """Build one reconstructed cell with the membrane and discretisation of a description."""
    return description.pyramidal(graph.cable(cell, cable))


def repairs(experiment: Experiment) -> dict[str, list[str]]:
    """Return what is different in each reconstructed cell than in its file; only one rank should ask.

    Cells that go to NEURON as they are do not occur.
    """
    cells = experiment.kinds() - {LUMPED}
    found = {sources.name_of(cell): sources.load(cell, experiment.cable.repair).findings for cell in sorted(cells)}
    return {name: [str(finding) for finding in findings] for name, findings in found.items() if findings}


def linear(cell: str, cable: Cable, placement: Placement, dt: float) -> dict[str, Any]:
    """Return how well a linear system follows a cell with the sites of a description, in steps of `dt` ms."""
    wiring = Wiring(placement.feedforward.landing(), placement.feedback.landing())
    output = ("output", 1, Lumped())
    kind = Linear(**graph.shape(cell, cable))
    made = chain(0, dt, 1, [[("hidden", 1, kind)]], output, wiring)
    return dict(measured.measure(made, "hidden", kind).report)


def electrotonics(
    cell: str,
    cable: Cable = Cable(),  # noqa: B008  frozen
    placement: Placement = Placement(),  # noqa: B008  frozen
    frequencies: Array = FREQUENCIES,
) -> Electrotonics:
    """Measure what the shape of a reconstructed cell does to signals, with the membrane and sites of a description.

    Parameters
    ----------
    cell
        What `segdend_plugin.cells.files.source.load` takes.
    cable
        Its membrane.
    placement
        Where feedback lands.
    frequencies
        In Hz, the first 0.

    Raises
    ------
    ConfigError
        If the cell is to be active.
    """
    if cable.membrane == "active":
        raise ConfigError("cable.membrane='active': impedances are shown of passive cells: set it to 'passive'.")
    mpi.start()
    built = pyramidal(cell, cable)
    soma = built.soma[0](0.5)
    regions = {region: list(getattr(built, region)) for region in ("basal", "trunk", "oblique", "tuft")}
    landing = placement.feedback.landing()
    back = ground(cell, soma, regions | {"apical": list(built.apical)}, landing, "feedback")
    places = back.fixed() if back.is_fixed else back.candidates().places(stream(0, Purpose.SITES, 0, 1))
    return measure(soma, regions, [back.segment(place) for place in places], frequencies)
