"""The shipped reconstructions by name, and the file behind a name or path that a user gives."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from pathlib import Path

from segdend_plugin.errors import MorphologyError
from segdend_plugin.resources import folder


@dataclass(frozen=True)
class CatalogueEntry:
    """A shipped reconstruction and where it comes from.

    Attributes
    ----------
    name, file : str
        Name to ask for; file name in ``templates/morphologies``.
    species, area, layer : str
        Animal, cortical area and cortical layer of the soma.
    specimen, reconstruction : int
        Identifiers of the Allen Cell Types Database.
    source, licence, description : str
        Package and file it was taken from; licence and the file that holds its text; one line for people.
    """

    name: str
    file: str
    species: str
    area: str
    layer: str
    specimen: int
    reconstruction: int
    source: str
    licence: str
    description: str


FILES = (".swc", ".asc")
"""Endings of the files that are read: SWC and Neurolucida ASC."""
ARCHIVES = ("allen", "neuromorpho")
"""What stands before the colon of an id."""
_LUMPED = "three_compartment"  # a cell, too, but not a reconstruction
_BMTK = "bmtk 1.2.0, bmtk/utils/scripts/bionet/morphologies/"
_ALLEN_LICENCE = "BSD-3-Clause (LICENSE-Allen-Institute-BSD-3-Clause.txt)"

CATALOGUE: dict[str, CatalogueEntry] = {
    entry.name: entry
    for entry in (
        CatalogueEntry(
            name="mouse_v1_l4_nr5a1",
            file="mouse_v1_l4_nr5a1.swc",
            species="mouse",
            area="VISp",
            layer="4",
            specimen=318808427,
            reconstruction=471087815,
            source=_BMTK + "Nr5a1_471087815_m.swc",
            licence=_ALLEN_LICENCE,
            description="Layer 4 pyramidal cell of an Nr5a1-Cre mouse: small, with a short apical dendrite",
        ),
        CatalogueEntry(
            name="mouse_v1_l4_rorb",
            file="mouse_v1_l4_rorb.swc",
            species="mouse",
            area="VISp",
            layer="4",
            specimen=314804042,
            reconstruction=325404214,
            source=_BMTK + "Rorb_325404214_m.swc",
            licence=_ALLEN_LICENCE,
            description="Layer 4 pyramidal cell of a Rorb-Cre mouse",
        ),
        CatalogueEntry(
            name="mouse_v1_l4_scnn1a",
            file="mouse_v1_l4_scnn1a.swc",
            species="mouse",
            area="VISp in one source, a lateral visual area in another",
            layer="4",
            specimen=395830185,
            reconstruction=473845048,
            source=_BMTK + "Scnn1a_473845048_m.swc",
            licence=_ALLEN_LICENCE,
            description="Layer 4 pyramidal cell of an Scnn1a-Cre mouse, visual cortex (the sources differ on the area)",
        ),
        CatalogueEntry(
            name="mouse_v1_l5_rbp4",
            file="mouse_v1_l5_rbp4.swc",
            species="mouse",
            area="VISp",
            layer="5",
            specimen=488683425,
            reconstruction=527109145,
            source="arbor 0.12.1 sdist, python/example/single_cell_allen.swc",
            licence="BSD-3-Clause (LICENSE-Arbor-BSD-3-Clause.txt)",
            description="Layer 5 thick-tufted pyramidal cell of an Rbp4-Cre mouse, the nearest to the paper's Fig 3A",
        ),
    )
}


def names_a_file(cell: str) -> bool:
    """Return whether a cell is named by a file, there or not."""
    return cell.lower().endswith(FILES) and cell.partition(":")[0].lower() not in ARCHIVES


def find(name_or_file: str) -> Path:
    """Return the SWC file of a catalogue name, or the given path of an existing SWC or Neurolucida ASC file.

    Raises
    ------
    MorphologyError
        If it is neither.
    """
    if name_or_file in CATALOGUE:
        return folder("templates") / "morphologies" / CATALOGUE[name_or_file].file
    if name_or_file == _LUMPED:
        raise MorphologyError(
            f"cell '{_LUMPED}' is the lumped cell and has no shape; "
            f"name one of {', '.join(CATALOGUE)} or an .swc or .asc file"
        )
    # Unlike pathlib's, these two take any string: an unknown ~user or a name too long is just not there.
    path = Path(os.path.expanduser(name_or_file))
    exists = os.path.isfile(path)
    if path.suffix.lower() in FILES:
        if exists:
            return path
        raise MorphologyError(f"cell '{name_or_file}' is not there: no such file; check the path")
    if exists or path.suffix.lower() in {".hoc", ".xml", ".nml", ".dat"}:
        raise MorphologyError(f"cell '{name_or_file}' is neither an .swc nor an .asc file; convert it to .swc")
    near = difflib.get_close_matches(name_or_file, [*CATALOGUE, _LUMPED], n=1)
    remedy = f"did you mean '{near[0]}'?" if near else f"name one of {', '.join(CATALOGUE)} or an .swc or .asc file"
    raise MorphologyError(f"cell '{name_or_file}' is not known; {remedy}")
