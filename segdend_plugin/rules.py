"""Learning rules: ours, what one's own is made of, and the check that each passes first.

>>> from segdend_plugin import rules
>>> rules.check(rules.Guerguiev(plateau="bursts"))
"""

from __future__ import annotations

from segdend_plugin.rule.backprop import Backprop
from segdend_plugin.rule.base import Local, Phases, Rule, Seen
from segdend_plugin.rule.check import check
from segdend_plugin.rule.feedback import Feedback
from segdend_plugin.rule.guerguiev import Guerguiev
from segdend_plugin.rule.phases import OnePhase, TwoPhase, Windows
from segdend_plugin.rule.plateau import READOUTS, Readout
from segdend_plugin.rule.urbanczik import UrbanczikSenn

RULES: dict[str, type[Rule]] = {"guerguiev": Guerguiev, "backprop": Backprop, "urbanczik_senn": UrbanczikSenn}
"""By the names that descriptions know them by."""

__all__ = [
    "READOUTS",
    "RULES",
    "Backprop",
    "Feedback",
    "Guerguiev",
    "Local",
    "OnePhase",
    "Phases",
    "Readout",
    "Rule",
    "Seen",
    "TwoPhase",
    "UrbanczikSenn",
    "Windows",
    "check",
]
