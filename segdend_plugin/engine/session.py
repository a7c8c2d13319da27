"""What belongs to the process and to no network: MPI, mechanisms, gids, exchanges of spikes and the live network."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from segdend_plugin.engine import exchange, mechanisms, mpi
from segdend_plugin.errors import ConfigError, ParallelError
from segdend_plugin.model import streams
from segdend_plugin.model.streams import Purpose
from segdend_plugin.model.trial import Trial
from segdend_plugin.types import Array, HocObject

if TYPE_CHECKING:
    from segdend_plugin.engine.network import Network


class Session:
    """The one of this process; private to the engine and the hosts.

    Parameters
    ----------
    replicas
        How many groups of ranks hold a network each.
    """

    def __init__(self, replicas: int = 1) -> None:
        mpi.start()
        mechanisms.load()
        self.ranks = mpi.split(replicas)
        self.network: Network | None = None
        self._owns_gids = False

    def begin(self, *, owns_gids: bool) -> None:
        """Make room for a new network, on every rank: the one before gives up its NEURON objects, and its gids.

        Parameters
        ----------
        owns_gids
            Whether all gids of the process are ours to give up when the next one is built.
        """
        self.close()
        self._owns_gids = owns_gids

    def close(self) -> None:
        """Let a new network find NEURON as the first one did."""
        if self.network is not None:
            self.network.close()
            self.network = None
        exchange.clear()
        if self._owns_gids:
            self.ranks.pc.gid_clear()
            self._owns_gids = False

    @property
    def owns_gids(self) -> bool:
        """Whether the gids of the process are those of a network of ours, which go with it."""
        return self._owns_gids

    @property
    def needs_events(self) -> bool:
        """Whether spikes of cells reach other ranks as events, because these cannot gather counters."""
        return self.ranks.size > 1 and mpi.allgather_in_c(self.ranks) is None

    def restart(self) -> None:
        """Begin a trial without initialisation: what other ranks have told belongs to the one before."""
        exchange.restart()

    def tell(self, trial: Trial, seed: int, purpose: Purpose, begin: float = 0.0) -> None:
        """Tell all mechanisms of the trial that is to run: windows, end, and the key of its random streams.

        Parameters
        ----------
        trial
            The trial.
        seed, purpose
            With the example's number the key: the same key gives the same spikes on any number of ranks.
        begin
            Where NEURON's time stands when it begins (ms).
        """
        key = streams.spike_key(seed, purpose, trial.example)
        said = [trial.dt, begin, key, trial.example, trial.end, len(trial.windows)]
        for window in trial.windows:
            said += (window.first, window.last, window.start, window.taught)
        vector, view, take = _vector(len(said))
        view[:] = said
        take(vector)


@functools.cache
def _vector(size: int) -> tuple[HocObject, Array, HocObject]:
    """Return a Vector of this size, its view, and the function that tells all mechanisms what it holds."""
    from neuron import h

    vector = h.Vector(size)
    return vector, vector.as_numpy(), h.SegDendTrial


_sessions: list[Session] = []


def session() -> Session:
    """Return the session of this process, which starts MPI and loads the mechanisms at the first call."""
    if not _sessions:
        _sessions.append(Session())
    return _sessions[0]


def start(replicas: int | None = None) -> mpi.Ranks:
    """Do what :func:`segdend_plugin.start` says."""
    if replicas is not None and (isinstance(replicas, bool) or not isinstance(replicas, int) or replicas < 1):
        raise ConfigError(f"replicas={replicas!r}: give a whole number, 1 or more.")
    if not _sessions:
        _sessions.append(Session(replicas or 1))
    ranks = _sessions[0].ranks
    if replicas not in (None, ranks.replicas):
        raise ParallelError(
            f"replicas={replicas}: this process has begun with {ranks.replicas}: choose them before anything is built."
        )
    return ranks


def begin(replicas: int) -> None:
    """Begin with as many replicas as divide the ranks, at most so many, unless the process has begun already."""
    if not _sessions:
        start(mpi.replicas_for(replicas, mpi.start().size))
