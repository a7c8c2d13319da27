"""The worlds that the plugin lives in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segdend_plugin.engine.mpi import Ranks
    from segdend_plugin.engine.network import Network


def start(replicas: int | None = None) -> Ranks:
    """Start MPI and NEURON together and load the mechanisms, before ``neuron`` is imported.

    Only a script that wants MPI, or that makes cells of our mechanisms itself, needs it. Every rank must call this.

    Parameters
    ----------
    replicas
        How many groups of ranks hold the whole network each, to show several examples at a time: those of a batch, or
        those of a test. To be chosen before anything is built, 1 by default; it must divide the number of ranks.

    Returns
    -------
    Ranks
        This process and its peers.

    Raises
    ------
    ParallelError
        If the launcher, mpi4py and NEURON do not agree on the number of processes, or replicas do not fit.
    MechanismError
        If the mechanisms cannot be built or loaded.
    """
    from segdend_plugin.engine import session
    from segdend_plugin.hosts import unclaimed

    ranks = session.start(replicas)
    unclaimed.watch()
    return ranks


def attach(model: Any, *args: Any, **options: Any) -> Network:
    """Take a model of somebody's as it is, so that a rule may change its weights; every rank calls this.

    Parameters
    ----------
    model
        ``netpyne.sim``, as :func:`segdend_plugin.hosts.netpyne.attach` takes it, or populations in plain NEURON, as
        :func:`segdend_plugin.hosts.neuron.attach` does.
    args, options
        What these take beside.
    """
    if hasattr(model, "net") and hasattr(model, "cfg"):
        from segdend_plugin.hosts import netpyne

        return netpyne.attach(model, *args, **options)
    from segdend_plugin.hosts import neuron

    return neuron.attach(model, *args, **options)
