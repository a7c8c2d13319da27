"""Random streams that depend on what they are for, never on who draws them or when."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What a stream is used for; the numbers are part of every published result and never change."""

    FEEDFORWARD = 1
    FEEDBACK = 2
    ORDER = 3
    PHASES = 4
    SITES = 5
    SLOTS = 6
    TRAINING_SPIKES = 7
    TEST_SPIKES = 8
    SPLIT = 9
    FEEDBACK_MASK = 10
    FEEDBACK_NOISE = 11
    PLATEAUS = 12
    BURSTS = 13
    SHUFFLE = 14
    INTERNEURONS = 20
    INHIBITION = 21


def stream(seed: int, purpose: Purpose, *identity: int) -> np.random.Generator:
    """Return a generator keyed by seed, purpose and identity (a gid, a layer, an example).

    Parameters
    ----------
    seed
        Seed of the experiment, 0 or more.
    purpose
        What the numbers are for.
    identity
        Further non-negative integers that tell this stream from its siblings.
    """
    # with its length, because SeedSequence takes (1,) and (1, 0) for the same
    key = (seed, int(purpose), len(identity), *identity)
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))
