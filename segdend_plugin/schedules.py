"""How learning rates change over a run: the public names of :mod:`segdend_plugin.rule.schedules`."""

from segdend_plugin.rule.schedules import SCHEDULES, Schedule, constant, cosine, linear

__all__ = ["SCHEDULES", "Schedule", "constant", "cosine", "linear"]
