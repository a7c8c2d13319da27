"""Cells that spike by themselves: what a population must know of them, and how they begin a trial."""

from __future__ import annotations

from collections.abc import Sequence

from segdend_plugin.engine.kinds.base import Active
from segdend_plugin.types import Segment


class RestingState:
    """Lets active cells begin every trial at rest: NEURON starts all segments at one potential.

    Gates begin at the steady state of these potentials.

    Parameters
    ----------
    cells
        Those on this rank; without any, nothing is done.
    """

    def __init__(self, cells: Sequence[Active]) -> None:
        from neuron import h

        places = [place for cell in cells for place in cell.rest]
        self._of = {str(segment): potential for segment, potential in places}
        pointers, values = h.PtrVector(max(len(places), 1)), h.Vector([v for _, v in places])
        for index, (segment, _) in enumerate(places):
            pointers.pset(index, segment._ref_v)

        def begin() -> None:  # without self, which would never be freed then, and outlive the cells
            pointers.scatter(values)

        # type 0: after all potentials are set and before any mechanism is initialised
        self._handler = h.FInitializeHandler(0, begin) if places else None

    def at(self, place: Segment, otherwise: float) -> float:
        """Return the resting potential (mV) at a place, `otherwise` where no active cell is."""
        return self._of.get(str(place), otherwise)

    def close(self) -> None:
        """Give up every NEURON object."""
        self._handler = None
