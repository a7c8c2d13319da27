"""The worlds that the plugin lives in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segdend_plugin.engine.network import Network


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
