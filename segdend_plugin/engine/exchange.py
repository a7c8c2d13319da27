"""Counters of spikes that ranks gather from each other in every step, instead of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from segdend_plugin.engine import mpi
from segdend_plugin.types import HocObject

_alive: list[Exchange] = []  # on all ranks the same ones take part, whatever Python has collected on each


class Exchange:
    """What all ranks tell each other about the spikes of one network's cells; collective.

    Parameters
    ----------
    ranks
        The MPI job.
    sources
        The cells that projections listen to, on any rank; the same on every rank.
    here
        gid -> spiking mechanism of the cells on this rank.
    """

    def __init__(self, ranks: mpi.Ranks, sources: Sequence[int], here: Mapping[int, HocObject]) -> None:
        from neuron import h

        collective = mpi.allgather_in_c(ranks)
        everyone = ranks.allgather([gid for gid in sources if gid in here])
        most = max(len(gids) for gids in everyone)
        self._here = here
        self._place: dict[int, int] = {}
        if collective is None or most == 0:
            return
        self._section: HocObject = h.Section(name="segdend_exchange")
        self._mechanism: HocObject = h.SegDendExchange(self._section(0.5))
        self._counters = h.Vector(ranks.size * most)
        self._mechanism.join(self._counters, most, *collective)
        for gid in everyone[ranks.rank]:
            self._mechanism.send(here[gid]._ref_spikes)
        self._place = {gid: rank * most + k for rank, gids in enumerate(everyone) for k, gid in enumerate(gids)}
        _alive.append(self)

    def counter(self, gid: int) -> HocObject | None:
        """Return a reference to how many spikes left a cell in the last step, None where only events tell."""
        if gid in self._here:
            return self._here[gid]._ref_spikes
        return self._counters._ref_x[self._place[gid]] if gid in self._place else None


def timed(wanted: bool = True) -> None:
    """Choose whether exchanges are measured."""
    for exchange in _alive:
        exchange._mechanism.timed = float(wanted)


def seconds() -> float:
    """Return how long this rank has spent in exchanges while they were measured, with the wait for slower ranks."""
    return float(sum(exchange._mechanism.spent for exchange in _alive))


def restart() -> None:
    """Begin a trial without initialisation."""
    for exchange in _alive:
        exchange._mechanism.restart()


def clear() -> None:
    """End all exchanges, on every rank at the same time, before their networks are given up."""
    for exchange in _alive:
        exchange._mechanism = exchange._section = None
    _alive.clear()
