"""The cell templates as NEURON objects, and as rules for NetPyNE.

NEURON is imported inside the functions, so that importing this module costs nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from segdend_plugin.cells.active import AXIAL_RESISTIVITY, PARAMETERS, REVERSALS, SPINY, activate, settle
from segdend_plugin.cells.files.swc import read_swc
from segdend_plugin.cells.morphology import apical_regions
from segdend_plugin.errors import MechanismError, MorphologyError
from segdend_plugin.resources import folder

REGION_LISTS = ("all", "somatic", "basal", "apical", "axonal", "trunk", "oblique", "tuft")
"""The section lists of a pyramidal cell."""
MOST_COMPARTMENTS = 5000
"""Of one cell; twenty times the default of the largest shipped one."""


@dataclass(frozen=True)
class Membrane:
    """Passive properties, the same everywhere in the cell, and how finely it is cut.

    Attributes
    ----------
    axial_resistivity : float
        Ra (ohm cm).
    capacitance : float
        cm (uF/cm2).
    time_constant : float
        Membrane time constant (ms); the leak conductance is ``capacitance / time_constant``.
    rest : float
        Resting potential (mV).
    d_lambda : float
        Longest segment, in AC length constants.
    frequency : float
        Frequency at which these are taken (Hz).
    nseg : int or None
        Number of segments of every section, made odd; None: the d_lambda rule.
    """

    axial_resistivity: float = 100.0
    capacitance: float = 1.0
    time_constant: float = 10.0
    rest: float = -70.0
    d_lambda: float = 0.1
    frequency: float = 100.0
    nseg: int | None = None

    def __post_init__(self) -> None:
        for field in ("axial_resistivity", "capacitance", "time_constant", "d_lambda", "frequency"):
            if not 0 < getattr(self, field) < float("inf"):
                raise MorphologyError(f"membrane.{field}: is {getattr(self, field)}; give it a finite value above 0")
        if not abs(self.rest) < float("inf"):
            raise MorphologyError(f"membrane.rest: is {self.rest}; give it a finite potential in mV")
        if self.nseg is not None and not 1 <= self.nseg < 32768:
            raise MorphologyError(f"membrane.nseg: is {self.nseg}; give 1 or more, or None for the d_lambda rule")


def pyramidal_passive(
    path: str | Path, membrane: Membrane = Membrane(), apical_length: float = 1.0, apical_diameter: float = 1.0
) -> Any:
    """Build a passive cell from an SWC file, with its trunk, oblique and tuft sections listed.

    Parameters
    ----------
    path : str or Path
        An SWC file; `segdend_plugin.cells.files.swc.read_swc` says what it must hold.
    membrane : Membrane
    apical_length, apical_diameter : float
        Factors of the lengths and of the diameters of all apical sections; nothing else changes, except for nseg.

    Returns
    -------
    SegDendPyramidalPassive (hoc object)
        The cell; its sections live as long as it does.

    Raises
    ------
    MorphologyError
        If the file cannot be used.
    """
    from neuron import h

    read_swc(path)
    _load("SegDendPyramidalPassive", "pyramidal_passive.hoc")
    with _named_in_ascii(Path(path)) as readable:
        cell = h.SegDendPyramidalPassive(
            readable,
            membrane.axial_resistivity,
            membrane.capacitance,
            membrane.time_constant,
            membrane.rest,
            membrane.d_lambda,
            membrane.frequency,
            membrane.nseg or 0,
        )
    if (apical_length, apical_diameter) != (1.0, 1.0):
        _scale(list(cell.apical), apical_length, apical_diameter)
        cell.set_nseg(membrane.d_lambda, membrane.frequency, membrane.nseg or 0)
    compartments = sum(section.nseg for section in cell.all)
    if compartments > MOST_COMPARTMENTS:
        raise MorphologyError(
            f"{path}: would have {compartments} compartments, more than {MOST_COMPARTMENTS}; make d_lambda larger, or "
            "frequency, axial_resistivity, capacitance or nseg smaller"
        )
    _list_apical_regions(cell)
    return cell


def pyramidal_active(
    path: str | Path, membrane: Membrane = Membrane(), apical_length: float = 1.0, apical_diameter: float = 1.0
) -> Any:
    """Build an active cell: the passive template's tree with the channels of `segdend_plugin.cells.active`.

    Parameters
    ----------
    path : str or Path
        An SWC file; `segdend_plugin.cells.files.swc.read_swc` says what it must hold.
    membrane : Membrane
        How finely it is cut; capacitance, leak and axial resistivity are those of the published fit.
    apical_length, apical_diameter : float
        Factors of the lengths and diameters of all apical sections.

    Returns
    -------
    SegDendPyramidalPassive (hoc object)
        The cell; its sections live as long as it does.

    Raises
    ------
    MorphologyError
        If the file cannot be used.
    MechanismError
        If the mechanisms of this project are not loaded.
    """
    published = replace(membrane, axial_resistivity=AXIAL_RESISTIVITY, capacitance=SPINY)
    cell = pyramidal_passive(path, published, apical_length, apical_diameter)
    activate(cell)
    return cell


def active_cell_params(cell: Any, tonic: float) -> dict[str, Any]:
    """Describe a cell of :func:`pyramidal_active` as a cell rule of NetPyNE.

    Parameters
    ----------
    cell : SegDendPyramidalPassive (hoc object)
        It is brought to rest; so is all that NEURON holds.
    tonic : float
        Steady current into the soma (nA).

    Returns
    -------
    dict
        ``secs`` and ``secLists`` as of :func:`netpyne_cell_params`; and ``active``, with ``tonic`` and ``rest``, the
        resting potentials (mV) of the segments of each section.
    """
    rest = settle(cell, tonic)
    return netpyne_cell_params(cell) | {
        "active": {"tonic": tonic, "rest": {_name(section): values for section, values in rest.items()}}
    }


def three_compartment() -> Any:
    """Build the lumped cell of the paper (hoc object of SegDendThreeCompartment).

    Raises
    ------
    MechanismError
        If the mechanisms of this project are not loaded.
    """
    from neuron import h

    # HOC resolves the name while it parses the template, so that it cannot be loaded earlier.
    if not hasattr(h, "SegDendLumped"):
        raise MechanismError("the mechanism SegDendLumped is not loaded; load the mechanisms before building cells")
    _load("SegDendThreeCompartment", "three_compartment.hoc")
    return h.SegDendThreeCompartment()


def netpyne_cell_params(cell: Any) -> dict[str, Any]:
    """Describe a SegDendPyramidalPassive as a cell rule of NetPyNE (an entry of ``netParams.cellParams``).

    Parameters
    ----------
    cell : SegDendPyramidalPassive (hoc object)
        Left as it is.

    Returns
    -------
    dict
        ``secs``: geometry with the 3-D points (um, the centre of the soma at the origin), connections and the passive
        mechanism of each section, parents first; ``secLists``: names of sections by region. Plain numbers and strings.
    """
    centre = _soma_centre(cell)
    return {
        "secs": {_name(section): _section_rule(section, centre) for section in cell.all},
        "secLists": {region: [_name(section) for section in getattr(cell, region)] for region in REGION_LISTS},
    }


def _load(template: str, file: str) -> None:
    from neuron import h

    if not hasattr(h, template):
        with _named_in_ascii(folder("templates") / file) as readable:
            h.load_file(readable)


@contextmanager
def _named_in_ascii(path: Path) -> Iterator[str]:
    """Yield the name of a file, or of a copy: HOC knows no other letters than those of ASCII."""
    if str(path).isascii():
        yield str(path)
        return
    with TemporaryDirectory() as there:
        yield str(shutil.copyfile(path, Path(there) / f"copy{path.suffix}"))


def _scale(sections: Sequence[Any], length: float, diameter: float) -> None:
    """Stretch sections from where they begin and widen them; those that hang on others of them move along."""
    moved: dict[Any, list[tuple[np.ndarray, np.ndarray]]] = {}  # section -> its ends, before and after
    for section in sections:  # parents first
        points = np.array([(section.x3d(i), section.y3d(i), section.z3d(i)) for i in range(section.n3d())])
        parent = section.parentseg()
        before, after = moved[parent.sec][round(parent.x)] if parent.sec in moved else (points[0], points[0])
        new = after + (points[0] - before) + length * (points - points[0])
        moved[section] = [(points[0], new[0]), (points[-1], new[-1])]
        for i, (x, y, z) in enumerate(new.tolist()):
            section.pt3dchange(i, x, y, z, diameter * section.diam3d(i))


def _list_apical_regions(cell: Any) -> None:
    sections = list(cell.apical)
    index = {section: position for position, section in enumerate(sections)}
    # trueparentseg looks through sections that hang on the near end of their parent, since those are siblings.
    # It finds nothing behind the near end of the soma.
    parents = [segment and segment.sec for segment in (section.trueparentseg() for section in sections)]
    labels = apical_regions([index.get(parent, -1) for parent in parents], [section.L for section in sections])
    for section, label in zip(sections, labels, strict=True):
        getattr(cell, label).append(section)


def _name(section: Any) -> str:
    """Turn ``Template[0].dend[3]`` into ``dend_3`` and the first soma section into ``soma``."""
    name = section.name().rsplit(".", 1)[-1].replace("[", "_").rstrip("]")
    return "soma" if name == "soma_0" else name


def _soma_centre(cell: Any) -> tuple[float, float, float]:
    """Return the point halfway along the soma (um)."""
    soma = cell.soma[0]
    points = [(soma.x3d(i), soma.y3d(i), soma.z3d(i)) for i in range(soma.n3d())]
    arcs = [soma.arc3d(i) for i in range(soma.n3d())]
    middle = soma.L / 2
    far = next(i for i, arc in enumerate(arcs) if arc >= middle)
    share = (middle - arcs[far - 1]) / (arcs[far] - arcs[far - 1])
    x, y, z = (near + share * (end - near) for near, end in zip(points[far - 1], points[far], strict=True))
    return x, y, z


def _section_rule(section: Any, centre: tuple[float, float, float]) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "geom": {
            "L": section.L,
            "diam": section.diam,
            "nseg": section.nseg,
            "Ra": section.Ra,
            "cm": section.cm,
            "pt3d": [
                (
                    section.x3d(i) - centre[0],
                    section.y3d(i) - centre[1],
                    section.z3d(i) - centre[2],
                    section.diam3d(i),
                )
                for i in range(section.n3d())
            ],
        },
        "topol": {},
        "mechs": {"pas": {"g": section(0.5).pas.g, "e": section(0.5).pas.e}},
    }
    for mechanism in PARAMETERS:
        if section.has_membrane(mechanism):
            rule["mechs"][mechanism] = {
                parameter: [getattr(getattr(segment, mechanism), parameter) for segment in section]
                for parameter in PARAMETERS[mechanism]
            }
    ions = {ion: {"e": e} for ion, e in REVERSALS.items() if section.has_membrane(f"{ion}_ion")}
    if ions:
        rule["ions"] = ions
    parent = section.parentseg()
    if parent is not None:
        rule["topol"] = {"parentSec": _name(parent.sec), "parentX": parent.x, "childX": float(section.orientation())}
    return rule
