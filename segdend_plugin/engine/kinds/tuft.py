"""Readers of cable cells: means over sites, alone or beside the end of the trunk; cells that spike by themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from segdend_plugin.cells import sites
from segdend_plugin.engine.kinds.base import Reader
from segdend_plugin.engine.readings import Group
from segdend_plugin.errors import ConfigError
from segdend_plugin.model.places import Landing
from segdend_plugin.model.trial import Window
from segdend_plugin.rule.targets import equivalent_potential
from segdend_plugin.types import Array, Section, Segment


class OfSites(Reader):
    """The mean over the sites of each cell, less the end of the trunk where that is read, too.

    Parameters
    ----------
    group
        References to the sites of all cells, cell by cell; with the end of the trunk last.
    n
        Cells.
    beside
        Per cell, how the end of the trunk counts, and what is left then for unit drive; None where it is not read.
    """

    def __init__(self, group: Group, n: int, beside: Sequence[tuple[float, float]] | None = None) -> None:
        super().__init__([group])
        self._n, self._sites = n, group.n // n
        self._beside = None if beside is None else np.array(beside).T

    def set_leads(self, window: int, leads: Array | None) -> None:
        """Let the window of each cell precede that of the trial by so many ms, shape (n,)."""
        super().set_leads(window, None if leads is None else np.repeat(leads, self._sites))

    def _of_cells(self, values: Sequence[Array]) -> Array:
        seen = values[0].reshape(*values[0].shape[:-1], self._n, self._sites)
        if self._beside is not None:
            share, left = self._beside
            difference: Array = (seen[..., :-1].mean(axis=-1) - share * seen[..., -1]) / left
            return difference
        mean: Array = seen.mean(axis=-1)
        return mean


class Equivalent(Reader):
    """Somatic potentials of cells that spike by themselves: at which an escape-rate soma would fire as they do."""

    def __init__(self, rates: Group, potentials: Group) -> None:
        super().__init__([rates, potentials])

    def average(self, index: int, window: Window, dt: float) -> Array:
        """Return the potential that the rate over a window speaks of."""
        return equivalent_potential(self.groups[0].sums(index) / window.steps, window.steps * dt)

    def trace(self) -> Array:
        """Return the potential itself, action potentials cut off."""
        return self.groups[1].trace()


class Apart(Reader):
    """One place of each cell beside another: the first less a share of the second.

    Parameters
    ----------
    first, second
        References of each cell.
    share, left
        Per cell, how the second counts, and what is left then for unit drive, shape (n,).
    """

    def __init__(self, first: Group, second: Group, share: Array, left: Array) -> None:
        super().__init__([first, second])
        self._share, self._left = share, left

    def _of_cells(self, values: Sequence[Array]) -> Array:
        difference: Array = (values[0] - self._share * values[1]) / self._left
        return difference


def check_trunk(cell: str, has_trunk: bool, feedback: Landing, what: str) -> None:
    """Raise ConfigError if the end of a cell's trunk makes no sense as a place to read.

    Parameters
    ----------
    cell
        What messages call it.
    has_trunk
        Whether it has a trunk that ends in a tuft.
    feedback
        Where its feedback lands.
    what
        What is read there: a quantity, or ``"axial"`` and ``"local"``, which compare the tuft with it.
    """
    if not has_trunk:
        raise ConfigError(
            f"rule.plateau: the cell {cell!r} has no trunk that ends in a tuft, where this plateau is read: take "
            "'average', or another cell."
        )
    if what in ("axial", "local") and feedback.region not in ("tips", "tuft"):
        raise ConfigError(
            f"rule.plateau={what!r} compares the tuft with the trunk: let feedback land in the tuft "
            "(placement.feedback.region: tips or tuft)."
        )


def end_of_trunk(cell: str, regions: Mapping[str, Sequence[Section]], feedback: Landing, what: str) -> Segment:
    """Return where the trunk of a cell with these sections ends; the other parameters are of :func:`check_trunk`."""
    place = sites.nexus(regions)
    check_trunk(cell, place is not None, feedback, what)
    return place
