"""Schedules of examples."""

import numpy as np
import pytest

from segdend_plugin.rule import phases

PAPER = {"dt": 1.0, "forward": 50.0, "target": 50.0, "settle": 30.0}


def test_without_jitter():
    s = phases.training_schedule(0, 5, jitter=False, **PAPER)
    assert (s.settle, s.forward_end, s.end) == (30, 50, 100)
    assert (s.forward_steps, s.target_steps) == (20, 20)


def test_phases_are_wald_distributed_above_50_ms():
    lengths = np.array(
        [
            (s.forward_end, s.end - s.forward_end)
            for s in (phases.training_schedule(1, k, jitter=True, **PAPER) for k in range(4000))
        ]
    )
    assert lengths.min() >= 50
    # Wald(mean 2, scale 1) has variance mean^3/scale = 8
    assert lengths.mean() == pytest.approx(52.0, abs=4 * np.sqrt(8 / 8000))
    assert abs(np.corrcoef(lengths.T)[0, 1]) < 0.06


def test_an_example_has_its_own_schedule_whatever_was_drawn_before():
    first = [phases.training_schedule(7, k, jitter=True, **PAPER) for k in range(10)]
    assert first[6] == phases.training_schedule(7, 6, jitter=True, **PAPER)


def test_finer_steps():
    s = phases.test_schedule(dt=0.1, duration=250.0, settle=30.0)
    assert (s.settle, s.forward_end, s.end) == (300, 2500, 2500)
    assert not s.has_target
