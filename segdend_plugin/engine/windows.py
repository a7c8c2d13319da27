"""Tell every mechanism which example is shown and when its windows are open."""

from __future__ import annotations

from segdend_plugin.rule.phases import Schedule
from segdend_plugin.rule.random import Purpose

NEVER = 1e9  # ms
KEYS_PER_SEED = 64  # room for purposes in the second identity of a Random123 stream
_WINDOWED = ("SegDendLumped", "SegDendSoma", "SegDendProbe", "SegDendProjection")
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
    from neuron import h

    forward = schedule.time(schedule.settle), schedule.time(schedule.forward_end)
    target = (NEVER, NEVER)
    if schedule.has_target:
        target = schedule.time(schedule.forward_end + schedule.settle), schedule.time(schedule.end)
    for name in _WINDOWED:
        setattr(h, f"forward_on_{name}", forward[0])
        setattr(h, f"forward_off_{name}", forward[1])
        setattr(h, f"target_on_{name}", target[0])
        setattr(h, f"target_off_{name}", target[1])
    for name in _RANDOM:
        setattr(h, f"key_{name}", seed * KEYS_PER_SEED + int(purpose))
        setattr(h, f"example_{name}", example)
    for name in _INPUTS:
        setattr(h, f"until_{name}", schedule.time(schedule.end))
    h.onset_SegDendTeacher = schedule.time(schedule.forward_end) if teach else NEVER
