"""What one example left: made per example, so a plain dataclass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from segdend_plugin.model.changes import Changes
from segdend_plugin.model.trial import Trial
from segdend_plugin.model.wants import Want
from segdend_plugin.types import Array


@dataclass(frozen=True, eq=False)
class Outcome:
    """One example, on every rank; arrays are those of this rank's cells where nobody wanted them whole.

    Attributes
    ----------
    example
        Its number: the key of its random streams.
    number
        Which one of the task's it was, -1 outside of tasks.
    trial
        What was shown, the first of its trials where a rule wants several.
    answer
        Taught population -> what its local cells answered, shape (n_local,).
    seen
        All that was wanted of the trial, by rule, task and callbacks.
    changes
        What the rule made of it, None where nothing was learned.
    """

    example: int
    number: int
    trial: Trial
    answer: Mapping[str, Array]
    seen: Mapping[Want, Array]
    changes: Changes | None = None
