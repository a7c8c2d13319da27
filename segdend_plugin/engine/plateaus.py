"""What the cells of one population tell of their plateaus: probes in the tuft, or where the trunk ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from segdend_plugin.cells import sites
from segdend_plugin.cells.calibration import Port, Scale
from segdend_plugin.engine.probe import Probe
from segdend_plugin.engine.resting import RestingState
from segdend_plugin.errors import ConfigError
from segdend_plugin.model.places import Landing
from segdend_plugin.rule.plateau import READOUTS, Kind, Quantity
from segdend_plugin.types import Array, HocObject, Integers, Section, Segment


class Plateaus:
    """Reads the plateaus of the local cells of a population.

    Parameters
    ----------
    kind
        What is read.
    n_cells
        Local cells.
    """

    def __init__(self, kind: Kind, n_cells: int) -> None:
        self.kind, self.readout = kind, READOUTS[kind]
        self._n_cells = n_cells
        self.probes: list[HocObject] = []
        self._trunk: list[tuple[float, float]] = []  # per cell, how the end of the trunk counts, and what is left then

    def add_lumped(self, cells: Sequence[HocObject]) -> None:
        """Take three-compartment cells, which sum their apical potentials themselves."""
        if self.readout.quantity != Quantity.POTENTIAL or self.readout.at_nexus:
            raise ConfigError(
                f"rule.plateau={self.kind!r}: three-compartment cells have no such thing: take 'average' or 'bursts',"
                " or reconstructed cells."
            )
        self.probes = list(cells)

    def add(
        self,
        places: Sequence[Segment],
        end: Segment | None,
        port: Port,
        index: Sequence[int],
        scale: Scale,
        rest: RestingState,
    ) -> None:
        """Take one more cell.

        Parameters
        ----------
        places
            Where its feedback lands.
        end
            Where its trunk ends, for readouts that look there.
        port, index
            Where feedback may land in these cells, and which of these places are the cell's.
        scale, rest
            What its potentials mean.
        """
        from neuron import h

        seen = list(places) if self.readout.at_sites else []
        if end is not None:
            seen.append(end)
            if self.readout.at_sites:
                share = port.received(index) if self.readout.attenuated else 1.0
                self._trunk.append((share, port.left(index, scale, share)))
        for place in seen:
            probe = h.SegDendProbe(place)
            probe.rest, probe.unit = rest.at(place, scale.rest), scale.unit
            probe.quantity = int(self.readout.quantity)
            self.probes.append(probe)

    def connect(self) -> None:
        """Gather what has been added, once and for all."""
        self._sites = len(self.probes) // self._n_cells if self._n_cells else 1
        self._sums = [Probe(self.probes, name) for name in ("forward_apical", "target_apical")]
        self._leads = [Probe(self.probes, name) for name in ("forward_lead", "target_lead")]

    def set_leads(self, leads: Integers) -> None:
        """Set by how many milliseconds the plateaus precede the ends of phases, shape (2, n)."""
        for probe, lead in zip(self._leads, leads, strict=True):
            probe.write(np.repeat(lead, self._sites).astype(float))

    def sums(self) -> tuple[Array, Array]:
        """Return what forward and target windows have summed, each of shape (n,)."""
        forward, target = (self._of_cells(probe.read()) for probe in self._sums)
        return forward, target

    def _of_cells(self, sums: Array) -> Array:
        """Return what the probes of each cell have seen: the mean of its sites, less the end of the trunk if read."""
        seen = sums.reshape(self._n_cells, self._sites)
        if self._trunk:
            share, left = np.array(self._trunk).T
            difference: Array = (seen[:, :-1].mean(axis=1) - share * seen[:, -1]) / left
            return difference
        mean: Array = seen.mean(axis=1)
        return mean


def end_of_trunk(cell: str, regions: Mapping[str, Sequence[Section]], feedback: Landing, kind: Kind) -> Segment:
    """Return where the trunk of a cell ends.

    Raises
    ------
    ConfigError
        If it has none, or this kind of plateau makes no sense there.
    """
    place = sites.nexus(regions)
    if place is None:
        raise ConfigError(
            f"rule.plateau={kind!r}: the cell {cell!r} has no trunk that ends in a tuft: take 'average', or"
            " another cell (not a reduced one)."
        )
    if kind != "calcium" and feedback.region not in ("tips", "tuft"):
        raise ConfigError(
            f"rule.plateau={kind!r} compares the tuft with the trunk: let feedback land in the tuft "
            "(placement.feedback.region: tips or tuft)."
        )
    if kind == "calcium" and not _has_calcium(place.sec):
        raise ConfigError(
            f"rule.plateau='calcium': the cell {cell!r} has no calcium channels where its trunk ends: take "
            "active cells, or another plateau."
        )
    return place


def _has_calcium(section: Section) -> bool:
    from neuron import h

    return bool(h.ismembrane("ca_ion", sec=section))
