"""The cell templates as NEURON objects, and as rules for NetPyNE.

NEURON is imported inside the functions, so that importing this module costs nothing.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from segdend_plugin.cells.active import AXIAL_RESISTIVITY, PARAMETERS, REVERSALS, SPINY, activate, settle
from segdend_plugin.cells.electrotonics import responses, segregation
from segdend_plugin.cells.files.swc import read_swc
from segdend_plugin.cells.morphology import apical_regions
from segdend_plugin.cells.reduction import FREQUENCIES, Reduction, reduce
from segdend_plugin.cells.sites import ground
from segdend_plugin.errors import MechanismError, MorphologyError
from segdend_plugin.model.places import FEEDBACK, FORWARD, Landing
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


def reduced_cell_params(
    cell: Any, membrane: Membrane, feedforward: Landing = FORWARD, feedback: Landing = FEEDBACK
) -> dict[str, Any]:
    """Describe a few compartments that answer like a SegDendPyramidalPassive as a cell rule of NetPyNE.

    Parameters
    ----------
    cell : SegDendPyramidalPassive (hoc object)
        The full cell, left as it is.
    membrane : Membrane
        The one it was made with.
    feedforward : Landing
        Where on the basal dendrites of the full cell its synapses would land.
    feedback : Landing
        Where feedback would land, at places that are not drawn; the section `tuft` stands for all of them.

    Returns
    -------
    dict
        ``secs`` and ``secLists`` as of :func:`netpyne_cell_params`, each compartment a section whose near end sits on
        the middle of its parent; and ``reduction``, which says what it stands for. Plain numbers and strings.

        ``places``: names of the sections that basal synapses act on. ``pieces``: of the full cell's basal sections,
        from which its places are drawn. For each of these sections and each of its segments, ``shares``: the share of
        each place, and ``impedance``: to the soma of the full cell (MOhm). ``report``: compartments of the full cell
        and of this one, the `segdend_plugin.cells.reduction.Errors` with the largest of them, and the
        `segdend_plugin.cells.electrotonics.Segregation` of the full cell.
    """
    soma, regions = cell.soma[0](0.5), {region: list(getattr(cell, region)) for region in REGION_LISTS}
    forward = ground(cell.hname(), soma, regions, feedforward, "feedforward")
    back = ground(cell.hname(), soma, regions, feedback, "feedback")
    basal, port = forward.sections, [back.segment(place) for place in back.fixed()]
    places = [segment for section in basal for segment in section]
    full = responses(soma, places, port, FREQUENCIES)
    reduction = reduce(full, membrane.time_constant)
    near, far = 1 + reduction.basal, len(reduction.leak) - 1
    chains = [f"basal_{k}" for k in range(1, near)] + [f"apical_{k}" for k in range(1, far - near + 1)]
    names = ["soma", *chains, "tuft"]
    ends = np.cumsum([section.nseg for section in basal])[:-1]
    return {
        "secs": {name: _compartment(reduction, k, names, membrane) for k, name in enumerate(names)},
        "secLists": {
            **{region: [] for region in REGION_LISTS},
            "all": names,
            "somatic": names[:1],
            "basal": names[1:near],
            "apical": names[near:],
            "trunk": names[near:-1],
            "tuft": names[-1:],
        },
        "reduction": {
            "places": names[:near],
            "pieces": [list(piece) for piece in forward.pieces()],
            "shares": [shares.tolist() for shares in np.split(reduction.shares, ends)],
            "impedance": [steady.tolist() for steady in np.split(full.basal[0].real, ends)],
            "report": {
                "full_compartments": sum(section.nseg for section in cell.all),
                "compartments": len(names),
                "largest_error": reduction.errors.largest,
                "errors": asdict(reduction.errors),
                "segregation": segregation(soma, port, places).to_dict(),
            },
        },
    }


def _compartment(reduction: Reduction, k: int, names: Sequence[str], membrane: Membrane) -> dict[str, Any]:
    """Return compartment `k` as a cylinder as long as wide; the axial conductance is that of its near half."""
    leak = membrane.capacitance / (1000 * membrane.time_constant)  # S/cm2
    diameter = math.sqrt(float(reduction.leak[k]) / (1e-2 * leak) / math.pi)  # um; 1 uS is 1e-2 S/cm2 um2
    parent = int(reduction.parent[k])
    resistivity = membrane.axial_resistivity if parent < 0 else 50 * math.pi * diameter / float(reduction.axial[k])
    return {
        "geom": {"L": diameter, "diam": diameter, "nseg": 1, "Ra": resistivity, "cm": membrane.capacitance},
        "topol": {} if parent < 0 else {"parentSec": names[parent], "parentX": 0.5, "childX": 0.0},
        "mechs": {"pas": {"g": leak, "e": membrane.rest}},
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
