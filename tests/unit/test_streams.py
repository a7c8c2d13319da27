"""Streams that differ in anything differ."""

import itertools

from segdend_plugin.model.streams import Purpose, stream


def test_streams_are_distinct_and_repeatable():
    keys = [(0, Purpose.ORDER), (0, Purpose.ORDER, 0), (0, Purpose.ORDER, 0, 0), (1, Purpose.ORDER), (0, Purpose.SITES)]
    draws = [tuple(stream(*key).integers(0, 2**62, 4)) for key in keys]
    assert all(a != b for a, b in itertools.combinations(draws, 2))
    assert draws == [tuple(stream(*key).integers(0, 2**62, 4)) for key in keys]


def test_purposes_keep_their_numbers():
    """They are part of every published result."""
    assert [purpose.value for purpose in Purpose] == [*range(1, 16), 20, 21, 30]
