"""What else of a host's model a trial depends on: its noise, keyed by example, and delays that put events in order."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping

from segdend_plugin.engine.mpi import Ranks
from segdend_plugin.errors import ConfigError
from segdend_plugin.model.streams import Purpose, spike_key
from segdend_plugin.types import HocObject

STEP = 1e-9
"""By how many ms the delays of a cell are longer than those of the cell before it."""

log = logging.getLogger("segdend_plugin")


class Background:
    """Artificial cells of a host's model that spike by themselves.

    Parameters
    ----------
    sources
        Those of this rank, by number: the first identity of their random streams, beside the cells of the graph.
    ordered
        Delays that were changed for this network, None if none were.
    """

    def __init__(self, sources: Mapping[int, HocObject], ordered: Ordered | None = None) -> None:
        self._sources = {number: source for number, source in sources.items() if _is_keyed(source)}
        self._ordered = ordered
        names = {source.hname() for source in self._sources.values()}
        left = [stim.hname() for stim in _all("NetStim") if stim.noise > 0.0 and stim.hname() not in names]
        if left:
            warnings.warn(
                f"background: {', '.join(left[:3])}{', ...' if len(left) > 3 else ''} send the same noisy train in "
                "every trial: give each NetStim a number.",
                stacklevel=3,
            )

    def key(self, seed: int, purpose: Purpose, example: int) -> None:
        """Let all sources draw the trains of an example, which do not depend on how cells are spread over ranks."""
        key = spike_key(seed, purpose, example)
        for number, source in self._sources.items():
            source.noiseFromRandom123(number, key, example)

    def close(self) -> None:
        """Give back the delays, and give up every NEURON object."""
        self._sources = {}
        if self._ordered is not None:
            self._ordered.restore()
            self._ordered = None


class Ordered:
    """Delays of NetCons that are longer by the number of their source times `STEP`, until they are restored.

    NEURON adds events that reach a synapse at one time in an order that depends on ranks; with these delays they come
    one after the other, within the same step.

    Parameters
    ----------
    ranks
        The MPI job.
    gids
        Number of each source that has a gid.
    sources
        Those of this rank that have none, by number.
    dt
        Time step (ms), of which all numbers must remain a small part.

    Raises
    ------
    ConfigError
        If a number is too large for that.
    """

    def __init__(self, ranks: Ranks, gids: Mapping[int, int], sources: Mapping[int, HocObject], dt: float) -> None:
        largest = max(ranks.allgather(max((*gids.values(), *sources), default=0)))
        if largest * STEP > 0.1 * dt:
            raise ConfigError(
                f"exact=True: the cell of number {largest} would have delays longer by {largest * STEP:g} ms, no small "
                f"part of dt={dt:g} ms: number cells from 0 on, or set exact=False."
            )
        self._changed: dict[str, tuple[float, float]] = {}
        without = 0
        points = {source.hname(): number for number, source in sources.items()}
        for netcon in _all("NetCon"):
            if netcon.syn() is None:
                continue
            gid, point = int(netcon.srcgid()), netcon.pre()
            number = gids.get(gid) if gid >= 0 else points.get(point.hname()) if point is not None else None
            if number is None:
                without += 1
                continue
            plain = netcon.delay
            netcon.delay = plain + number * STEP
            self._changed[netcon.hname()] = plain, netcon.delay
        changed, left = (sum(part) for part in zip(*ranks.allgather((len(self._changed), without)), strict=True))
        if ranks.is_root:
            log.info(
                "exact=True: the delays of %d NetCons are longer by up to %g ms, so that events have one order on any "
                "number of ranks; those of %d, whose sources have no number, are left.",
                changed,
                largest * STEP,
                left,
            )

    def restore(self) -> None:
        """Give the NetCons that are still there, and have the delays they were given, those that they had."""
        for netcon in _all("NetCon"):
            plain, longer = self._changed.get(netcon.hname(), (0.0, None))
            if longer is None or (netcon.srcgid() < 0 and netcon.pre() is None):
                continue  # not ours, or its source has gone: to set its delay would end the process
            if netcon.delay == longer:
                netcon.delay = plain
        self._changed = {}


def _is_keyed(source: HocObject) -> bool:
    return hasattr(source, "noiseFromRandom123")


def _all(kind: str) -> Iterator[HocObject]:
    from neuron import h

    return iter(h.List(kind))
