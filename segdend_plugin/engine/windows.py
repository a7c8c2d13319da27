"""Tell every mechanism which example is shown and when its windows are open."""

from __future__ import annotations

import functools

from segdend_plugin.model.streams import Purpose
from segdend_plugin.rule.phases import Schedule
from segdend_plugin.types import Array, HocObject

NEVER = 1e9  # ms
KEYS_PER_SEED = 64  # room for purposes in the second identity of a Random123 stream
_WINDOW = ("forward_on", "forward_off", "target_on", "target_off")
_WINDOWED = (
    "SegDendLumped",
    "SegDendSoma",
    "SegDendDetector",
    "SegDendProbe",
    "SegDendProjection",
    "SegDendGate",
)
_RANDOM = ("SegDendLumped", "SegDendSoma", "SegDendInput", "SegDendProjection")
_INPUTS = ("SegDendInput", "SegDendProjection")


def announce(schedule: Schedule, seed: int, purpose: Purpose, example: int, *, teach: bool) -> None:
    """Set windows, teacher onset and the key of the random streams for the next trial.

    Parameters
    ----------
    schedule
        Times of the trial.
    seed, purpose, example
        Key of the spikes' random streams: the same key gives the same spikes on any number of ranks.
    teach
        Whether the teaching current flows in the target phase.
    """
    forward = schedule.time(schedule.settle), schedule.time(schedule.forward_end)
    target = (NEVER, NEVER)
    if schedule.has_target:
        target = schedule.time(schedule.forward_end + schedule.settle), schedule.time(schedule.end)
    key = seed * KEYS_PER_SEED + int(purpose)
    onset = schedule.time(schedule.forward_end) if teach else NEVER
    pointers, values, view = _variables()
    end = schedule.time(schedule.end)
    view[:] = (*forward, *target) * len(_WINDOWED) + (key, example) * len(_RANDOM) + (end,) * len(_INPUTS) + (onset,)
    pointers.scatter(values)


@functools.cache
def _variables() -> tuple[HocObject, HocObject, Array]:
    """Return pointers to all global variables of the mechanisms that a trial sets, and the Vector that they take."""
    from neuron import h

    names = [f"{field}_{name}" for name in _WINDOWED for field in _WINDOW]
    names += [f"{field}_{name}" for name in _RANDOM for field in ("key", "example")]
    names += [f"until_{name}" for name in _INPUTS] + ["onset_SegDendTeacher"]
    pointers, values = h.PtrVector(len(names)), h.Vector(len(names))
    for index, name in enumerate(names):
        pointers.pset(index, getattr(h, f"_ref_{name}"))
    return pointers, values, values.as_numpy()
