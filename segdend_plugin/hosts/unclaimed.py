"""NetPyNE's own calls on a model whose rules are marked: NetPyNE would run it, and nothing would learn."""

from __future__ import annotations

import logging
import sys
import weakref
from typing import Any

from segdend_plugin.engine import mpi
from segdend_plugin.hosts import connections

log = logging.getLogger("segdend_plugin")
_claimed: weakref.WeakSet[Any] = weakref.WeakSet()
_handlers: list[Any] = []


def claim(net: Any) -> None:
    """Say nothing of a model of NetPyNE's: the plugin has it."""
    _claimed.add(net)


def watch() -> None:
    """Let NEURON ask at the beginning of every run whether somebody has forgotten the plugin."""
    from neuron import h

    if not _handlers:
        _handlers.append(h.FInitializeHandler(0, _warn))


def _warn() -> None:
    net = getattr(sys.modules.get("netpyne.sim"), "net", None)
    if net is None or net in _claimed:
        return
    claim(net)  # said once
    label = next((label for label, rule in net.params.connParams.items() if connections.is_ours(rule)), None)
    if label is not None and mpi.start().is_root:
        log.warning(
            f"connParams[{label!r}] is marked, but NetPyNE alone does not teach: call segdend_plugin.create(netParams, "
            "simConfig) instead of sim.create, or segdend_plugin.attach(sim) after it, and fit a Learner."
        )
