"""What populations are made of, and how hosts hand cells over: public names of :mod:`segdend_plugin.engine.kinds`."""

from segdend_plugin.cells.calibration import Synapse
from segdend_plugin.cells.templates import Membrane
from segdend_plugin.cells.units import Scale
from segdend_plugin.engine.kinds.base import Active, CellHandle
from segdend_plugin.engine.kinds.cable import Cable
from segdend_plugin.engine.kinds.generator import Generator
from segdend_plugin.engine.kinds.linear import Linear
from segdend_plugin.engine.kinds.lumped import Lumped
from segdend_plugin.engine.kinds.own import Own
from segdend_plugin.engine.kinds.poisson import Poisson

__all__ = [
    "Active",
    "Cable",
    "CellHandle",
    "Generator",
    "Linear",
    "Lumped",
    "Membrane",
    "Own",
    "Poisson",
    "Scale",
    "Synapse",
]
