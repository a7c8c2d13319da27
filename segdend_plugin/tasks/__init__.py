"""Tasks: examples by number, each a stimulus with a target; what answers mean, and how good they are."""

from segdend_plugin.model.trial import Signal, Stimulus, Trains
from segdend_plugin.tasks.base import Classes, Goal, Rates, Task, check
from segdend_plugin.tasks.images import Dataset, Images, arrays, load
from segdend_plugin.tasks.orders import TwoOrders
from segdend_plugin.tasks.scores import accuracy, confusion, r2
from segdend_plugin.tasks.trains import Courses, Examples, SpikeTrains, read_spikes

__all__ = [
    "Classes",
    "Courses",
    "Dataset",
    "Examples",
    "Goal",
    "Images",
    "Rates",
    "Signal",
    "SpikeTrains",
    "Stimulus",
    "Task",
    "Trains",
    "TwoOrders",
    "accuracy",
    "arrays",
    "check",
    "confusion",
    "load",
    "r2",
    "read_spikes",
]
