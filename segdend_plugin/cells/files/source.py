"""From whatever names a cell to its points, and to an SWC file that NEURON reads.

A name of the catalogue, an SWC or Neurolucida ASC file, or an id of an archive. A file that NEURON can read goes to it
as it is. Of any other one a clean SWC file is written into the user's cache, named after what it holds.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from segdend_plugin.cells.files import archives, catalogue
from segdend_plugin.cells.files.asc import draft_asc
from segdend_plugin.cells.files.draft import Finding, count
from segdend_plugin.cells.files.repair import mend
from segdend_plugin.cells.files.soma import TOUCH
from segdend_plugin.cells.files.swc import draft_swc, read_bytes, read_swc, swc_text
from segdend_plugin.cells.morphology import SOMA, Morphology
from segdend_plugin.errors import MorphologyError
from segdend_plugin.resources import cache

_BLANK_LINE = re.compile(rb"^[ \t\r]*\n|\n[ \t\r]+$|\r(?!\n)", re.MULTILINE)  # over which NEURON complains on stdout


@dataclass(frozen=True, eq=False)
class Source:
    """A cell that was found and read.

    Attributes
    ----------
    given
        The file, or the id with its archive.
    morphology
        Its points.
    swc
        The file for NEURON: the given one, or a clean copy.
    findings
        What is different there, and why, and what else one should know.
    """

    given: str
    morphology: Morphology
    swc: Path
    findings: tuple[Finding, ...] = ()

    def lines(self) -> list[str]:
        """Return what is different, a line each."""
        return [f"{self.given}: {finding}" for finding in self.findings]


def name_of(cell: str) -> str:
    """Return the name of a cell without fetching it: that of the catalogue, the file or the archive's id.

    Raises
    ------
    MorphologyError
        If there is no such cell.
    """
    archived = archives.archive_of(cell)
    return catalogue.find(cell).stem if archived is None else re.sub(r"[^\w\-]", "_", "_".join(archived))


def load(cell: str, repair: bool = False) -> Source:
    """Find a cell and read it.

    Parameters
    ----------
    cell
        A name of the catalogue, a file, ``allen:SPECIMEN`` or ``neuromorpho:NAME``.
    repair
        Whether changes of the cell are accepted.

    Raises
    ------
    MorphologyError
        If there is no such cell, or none can be built of it, or only with repairs that were not accepted.
    """
    archived = archives.archive_of(cell)
    path = catalogue.find(cell) if archived is None else archives.fetch(*archived)
    given = str(path) if archived is None else cell
    data, reason = read_bytes(path), ""
    if path.suffix.lower() == ".asc":
        draft = draft_asc(path, data)
    else:
        try:
            morphology = replace(read_swc(path), name=name_of(cell))
        except MorphologyError as error:
            reason = str(error).removeprefix(f"{path}: ").partition(";")[0]
        else:
            if not _BLANK_LINE.search(data):
                return Source(given, morphology, path, tuple(_gaps(morphology)))
            reason = "there are empty lines"
        draft = draft_swc(path, data)
    text = swc_text(mend(draft))
    changes = [finding for finding in draft.findings if finding.changes]
    if changes and not repair:
        raise _refusal(given, cell, changes)
    if reason and not draft.findings:
        draft.note(reason, "written anew for NEURON, the same cell")
    swc = _clean_copy(text, path.stem)
    try:
        morphology = replace(read_swc(swc), name=name_of(cell), path=path)
    except MorphologyError as error:
        detail = str(error).removeprefix(f"{swc}: ").partition(";")[0]
        raise MorphologyError(f"{given}: cannot be repaired ({detail}); mend the file") from error
    return Source(given, morphology, swc, (*draft.findings, *_gaps(morphology)))


def _gaps(morphology: Morphology) -> list[Finding]:
    """Note neurites that begin far from the soma that they are connected with: NEURON does not count the way."""
    soma, above = morphology.types == SOMA, morphology.parent
    stems = np.flatnonzero(~soma & soma[above])
    gap = np.linalg.norm(morphology.xyz[stems] - morphology.xyz[above[stems]], axis=1) - morphology.radius[above[stems]]
    far = gap > np.maximum(TOUCH, morphology.radius[above[stems]])
    if not far.any():
        return []
    problem = f"{count(int(far.sum()), 'neurite')} up to {gap.max():.3g} um off the soma"
    return [Finding(problem, "connected with it as in the file, the way between not counted", changes=False)]


def _refusal(given: str, cell: str, changes: list[Finding]) -> MorphologyError:
    more = f", and {len(changes) - 1} more" if len(changes) > 1 else ""
    return MorphologyError(
        f"{given}: {changes[0].problem}{more}; mend the file, or accept the repair ({changes[0].action}{more}) that "
        f"'segdend morphology info {cell} --repair' reports, in training with cable.repair=true"
    )


def _clean_copy(text: str, name: str) -> Path:
    """Write a file into the cache unless it is there."""
    data = text.encode()
    folder = cache().absolute() / "morphologies" / "clean"
    path = folder / f"{re.sub(r'[^A-Za-z0-9_-]', '_', name)[:60]}-{hashlib.sha256(data).hexdigest()[:16]}.swc"
    try:
        if not (path.is_file() and path.read_bytes() == data):
            folder.mkdir(parents=True, exist_ok=True)
            archives.write_whole(path, data)
    except OSError as error:
        raise MorphologyError(
            f"{path} cannot be written ({error.strerror or error}); set SEGDEND_CACHE to a writable folder"
        ) from None
    return path
