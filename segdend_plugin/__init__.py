"""Teach networks of realistic neurons with segregated dendrites, in NEURON and NetPyNE.

The public names are imported when they are first used, so that ``import segdend_plugin`` costs nothing and MPI can
still be started in the right order.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from segdend_plugin.engine.mpi import abort_on_error
    from segdend_plugin.engine.mpi import start as start_mpi
    from segdend_plugin.experiment.config import Experiment
    from segdend_plugin.experiment.config import load as load_experiment
    from segdend_plugin.experiment.network import electrotonics
    from segdend_plugin.experiment.run import evaluate, train
    from segdend_plugin.hosts.netpyne import create as create_netpyne

__all__ = [
    "Experiment",
    "abort_on_error",
    "create_netpyne",
    "electrotonics",
    "evaluate",
    "load_experiment",
    "start_mpi",
    "train",
]

_HOMES = {
    "Experiment": ("segdend_plugin.experiment.config", "Experiment"),
    "load_experiment": ("segdend_plugin.experiment.config", "load"),
    "train": ("segdend_plugin.experiment.run", "train"),
    "evaluate": ("segdend_plugin.experiment.run", "evaluate"),
    "electrotonics": ("segdend_plugin.experiment.network", "electrotonics"),
    "create_netpyne": ("segdend_plugin.hosts.netpyne", "create"),
    "abort_on_error": ("segdend_plugin.engine.mpi", "abort_on_error"),
    "start_mpi": ("segdend_plugin.engine.mpi", "start"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)
