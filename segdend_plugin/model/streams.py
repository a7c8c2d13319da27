"""Random streams that depend on what they are for, never on who draws them or when; and how far their keys reach."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from segdend_plugin.errors import ConfigError

KEYS_PER_SEED = 64
"""Room for purposes in the second identity of a Random123 stream, which has 32 bits."""
LARGEST_SEED = 2**32 // KEYS_PER_SEED - 1
LARGEST_NUMBER = 2**32 - 1
"""Of a cell, or of an example: the first and the third identity."""


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
    SHIFT = 15
    INTERNEURONS = 20
    INHIBITION = 21
    RULE = 30


def check_seed(seed: int) -> None:
    """Raise ConfigError unless distinct seeds give distinct streams."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed <= LARGEST_SEED:
        raise ConfigError(f"seed={seed!r}: give a whole number from 0 to {LARGEST_SEED}.")


def stream(seed: int, purpose: Purpose, *identity: int) -> np.random.Generator:
    """Return a generator keyed by seed, purpose and identity (the number of a cell, a layer, an example).

    Parameters
    ----------
    seed
        Seed of the experiment, 0 to `LARGEST_SEED`.
    purpose
        What the numbers are for.
    identity
        Further non-negative integers that tell this stream from its siblings.
    """
    # with its length, because SeedSequence takes (1,) and (1, 0) for the same
    key = (seed, int(purpose), len(identity), *identity)
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))


def spike_key(seed: int, purpose: Purpose, example: int) -> int:
    """Return the second identity of the Random123 streams of spikes in a trial; the third is the example's number.

    Raises
    ------
    ConfigError
        If seed or example are out of the range in which distinct ones give distinct streams.
    """
    check_seed(seed)
    if not 0 <= example <= LARGEST_NUMBER:
        raise ConfigError(f"example={example}: give a number from 0 to {LARGEST_NUMBER}.")
    return seed * KEYS_PER_SEED + int(purpose)
