"""Teach networks of realistic neurons with segregated dendrites, in NEURON and NetPyNE.

>>> from segdend_plugin import Learner, layered, tasks
>>> digits = tasks.load("digits")
>>> learner = Learner(layered([64, 50, 10])).fit(digits.train)
>>> learner.score(digits.held_out)

The public names are imported when they are first used, so that ``import segdend_plugin`` costs nothing and MPI can
still be started in the right order.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.3.0"

if TYPE_CHECKING:
    from segdend_plugin import callbacks, kinds, rules, schedules, sonata, tasks
    from segdend_plugin.engine.kinds.stimuli import SpikeTeacher, Teacher
    from segdend_plugin.engine.layered import layered
    from segdend_plugin.engine.mpi import abort_on_error
    from segdend_plugin.experiment.cells import electrotonics
    from segdend_plugin.experiment.config import Experiment
    from segdend_plugin.experiment.config import load as load_experiment
    from segdend_plugin.experiment.run import evaluate, train
    from segdend_plugin.hosts import attach, start
    from segdend_plugin.hosts.given import Gids, NetCons
    from segdend_plugin.hosts.netpyne import create
    from segdend_plugin.learner import Learner
    from segdend_plugin.model.graph import Connections, Graph, Initial, Population
    from segdend_plugin.model.places import Landing, Place

__all__ = [
    "Connections",
    "Experiment",
    "Gids",
    "Graph",
    "Initial",
    "Landing",
    "Learner",
    "NetCons",
    "Place",
    "Population",
    "SpikeTeacher",
    "Teacher",
    "abort_on_error",
    "attach",
    "callbacks",
    "create",
    "electrotonics",
    "evaluate",
    "kinds",
    "layered",
    "load_experiment",
    "rules",
    "schedules",
    "sonata",
    "start",
    "tasks",
    "train",
]

_HOMES = {
    "Connections": ("model.graph", "Connections"),
    "Experiment": ("experiment.config", "Experiment"),
    "Gids": ("hosts.given", "Gids"),
    "Graph": ("model.graph", "Graph"),
    "Initial": ("model.graph", "Initial"),
    "Landing": ("model.places", "Landing"),
    "Learner": ("learner", "Learner"),
    "NetCons": ("hosts.given", "NetCons"),
    "Place": ("model.places", "Place"),
    "Population": ("model.graph", "Population"),
    "SpikeTeacher": ("engine.kinds.stimuli", "SpikeTeacher"),
    "Teacher": ("engine.kinds.stimuli", "Teacher"),
    "abort_on_error": ("engine.mpi", "abort_on_error"),
    "attach": ("hosts", "attach"),
    "create": ("hosts.netpyne", "create"),
    "electrotonics": ("experiment.cells", "electrotonics"),
    "evaluate": ("experiment.run", "evaluate"),
    "layered": ("engine.layered", "layered"),
    "load_experiment": ("experiment.config", "load"),
    "start": ("hosts", "start"),
    "train": ("experiment.run", "train"),
}
_MODULES = ("callbacks", "kinds", "rules", "schedules", "sonata", "tasks")
_RENAMED = {"create_netpyne": "create", "start_mpi": "start"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name in _HOMES:
        module, attribute = _HOMES[name]
        return getattr(import_module(f"{__name__}.{module}"), attribute)
    if name in _RENAMED:
        raise AttributeError(f"{__name__}.{name} is called {_RENAMED[name]} since version 0.3: use that name.")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
