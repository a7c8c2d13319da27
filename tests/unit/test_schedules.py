"""Learning rates over a run."""

import pickle

import pytest

from segdend_plugin.errors import ConfigError
from segdend_plugin.rule.schedules import SCHEDULES, constant, cosine, linear


@pytest.mark.parametrize("example", [0, 1, 33, 99])
def test_linear_is_what_it_has_always_been(example):
    assert linear(to=0.1)(example, 100) == 1.0 - (1.0 - 0.1) * example / 100
    assert linear(to=1.0)(example, 100) == constant()(example, 100) == 1.0


def test_cosine():
    falling = [cosine(to=0.05)(k, 10) for k in range(11)]
    assert falling[0] == 1.0
    assert falling[5] == pytest.approx(0.525)
    assert falling[10] == pytest.approx(0.05)
    assert falling == sorted(falling, reverse=True)


def test_schedules_by_name():
    assert set(SCHEDULES) == {"linear", "cosine"}
    assert SCHEDULES["linear"](to=0.2) == linear(0.2) == pickle.loads(pickle.dumps(linear(0.2)))
    assert repr(linear(0.2)) != repr(linear(0.3))


@pytest.mark.parametrize("to", [-0.1, 1.1, float("nan"), "fast", True])
def test_factors_are_between_0_and_1(to):
    for make in (linear, cosine):
        with pytest.raises(ConfigError, match="from 0 to 1"):
            make(to=to)
