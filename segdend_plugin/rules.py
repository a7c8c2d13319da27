"""Learning rules: ours, what one's own is made of, and the check that each passes first.

>>> from segdend_plugin import rules
>>> rules.check(rules.Guerguiev(plateau="bursts"))
"""

from __future__ import annotations

from typing import Any

from segdend_plugin.model.changes import Along, Before, Bias, Change, Changes, Decay, Outer
from segdend_plugin.model.graph import Graph
from segdend_plugin.model.places import NEXUS, SOMA, Place
from segdend_plugin.model.wants import Average, Filtered, Trace, Want, Weights
from segdend_plugin.rule.backprop import Backprop
from segdend_plugin.rule.base import Local, Phases, Rule, Seen
from segdend_plugin.rule.check import check
from segdend_plugin.rule.feedback import Feedback
from segdend_plugin.rule.guerguiev import Guerguiev, error_of_taught, soma, taught_rate
from segdend_plugin.rule.kolen_pollack import KolenPollack
from segdend_plugin.rule.measured import Measured
from segdend_plugin.rule.phases import OnePhase, TwoPhase, Windows
from segdend_plugin.rule.plateau import READOUTS, Readout
from segdend_plugin.rule.targets import output_scale, postsynaptic_change
from segdend_plugin.rule.urbanczik import UrbanczikSenn

RULES: dict[str, type[Any]] = {
    "guerguiev": Guerguiev,
    "kolen_pollack": KolenPollack,
    "backprop": Backprop,
    "urbanczik_senn": UrbanczikSenn,
}
"""By the names that descriptions know them by; each takes `phases`."""


def usual(graph: Graph) -> Rule:
    """Return the rule that a graph is taught by if nobody names one."""
    measured = any(getattr(p.kind, "measured", False) for p in graph.taught)
    return Measured() if measured else Guerguiev()


__all__ = [
    "NEXUS",
    "READOUTS",
    "RULES",
    "SOMA",
    "Along",
    "Average",
    "Backprop",
    "Before",
    "Bias",
    "Change",
    "Changes",
    "Decay",
    "Feedback",
    "Filtered",
    "Guerguiev",
    "KolenPollack",
    "Local",
    "Measured",
    "OnePhase",
    "Outer",
    "Phases",
    "Place",
    "Readout",
    "Rule",
    "Seen",
    "Trace",
    "TwoPhase",
    "UrbanczikSenn",
    "Want",
    "Weights",
    "Windows",
    "check",
    "error_of_taught",
    "output_scale",
    "postsynaptic_change",
    "soma",
    "taught_rate",
    "usual",
]
