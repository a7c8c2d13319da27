"""Words in which the oracle (:mod:`~segdend_plugin.rule.reference`) says what cells send where."""

from __future__ import annotations

from typing import Literal

Signal = Literal["spikes", "rates"]
Route = Literal["broadcast", "layerwise"]
