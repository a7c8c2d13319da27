"""Sites on cable cells: the current or the conductances that a set's drive opens at one place."""

from __future__ import annotations

from typing import NamedTuple

from segdend_plugin.cells.calibration import Synapse
from segdend_plugin.cells.units import Scale
from segdend_plugin.engine.dense import Dense
from segdend_plugin.types import HocObject, Segment


class Landed(NamedTuple):
    """A place on a cell where synapses have landed, and the current (nA) for unit drive there."""

    place: Segment
    current: float


class Synapses:
    """Makes the sites of one population.

    Parameters
    ----------
    synapse
        What a drive opens.
    scale
        Meaning of the rule's units.
    """

    def __init__(self, synapse: Synapse, scale: Scale) -> None:
        self._synapse, self._scale = synapse, scale

    @property
    def split(self) -> bool:
        """Whether sites need the drives of excitation and inhibition apart."""
        return self._synapse.model == "conductance"

    def nmda(self, role: str) -> float:
        """Return the share of NMDA channels at the sites of forward or feedback sets."""
        return self._synapse.nmda_feedback if role == "feedback" else self._synapse.nmda_feedforward

    def site(self, place: Segment, dense: Dense, post: int, slot: int, current: float, nmda: float = 0.0) -> HocObject:
        """Let one slot of one local cell act on a place, and return the mechanism, which the caller keeps.

        Parameters
        ----------
        place
            Where on the cell.
        dense, post, slot
            Whose drive.
        current
            Current (nA) for unit drive; conductances give it at rest.
        nmda
            Peak of NMDA relative to AMPA conductance.
        """
        from neuron import h

        if not dense.split:
            site = h.SegDendSite(place)
            site.gain = current
            h.setpointer(dense.drive(post, slot), "drive", site)
            return site
        site = h.SegDendConductance(place)
        excitatory, inhibitory, slow = self._synapse.conductances(current, nmda, self._scale)
        site.gain_excitatory, site.gain_inhibitory, site.gain_nmda = excitatory, inhibitory, slow
        site.e_excitatory, site.e_inhibitory = self._synapse.e_excitatory, self._synapse.e_inhibitory
        site.tau_nmda = self._synapse.tau_nmda
        h.setpointer(dense.drive(post, slot), "excitation", site)
        h.setpointer(dense.inhibition(post, slot), "inhibition", site)
        return site
