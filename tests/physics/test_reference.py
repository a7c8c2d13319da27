"""The oracle on its own: kernel, phases and own spikes, against numbers worked out by hand."""

import numpy as np
import pytest

from segdend_plugin.rule import phases
from segdend_plugin.rule.reference import ReferenceNetwork

SCHEDULE = phases.training_schedule(0, 0, dt=1.0, forward=60.0, target=50.0, settle=0.0, jitter=False)


@pytest.mark.parametrize(("memory", "area"), [(10.0, 0.510), (20.0, 0.814), (0.0, 0.997)])
def test_area_of_the_kernel(memory, area):
    """Cut at 10 ms it has 0.510, at 20 ms 0.814; the whole of it 1, or at whole milliseconds 0.997."""
    spikes = np.zeros((SCHEDULE.end, 1))
    spikes[0] = 1
    network = ReferenceNetwork([np.ones((1, 1))], [np.zeros(1)], [], memory=memory)
    (record,) = network.trial(SCHEDULE, spikes)
    whole = record.presynaptic[0] * SCHEDULE.forward_steps
    assert whole == pytest.approx(area, abs=4e-3)


def test_a_constant_rate_reaches_the_steady_states_of_two_layers():
    """Layer by layer V = k (phi W + b), and the tuft Y phi, once every rate has arrived."""
    network = ReferenceNetwork(
        [np.full((2, 1), 3.0), np.full((1, 1), 4.0)],
        [np.full(1, 0.5), np.full(1, -0.2)],
        [np.full((1, 1), 6.0)],
        apical=0.05,
        feedforward="rates",
        feedback_signal="rates",
    )
    schedule = phases.test_schedule(dt=1.0, duration=200.0, settle=190.0)
    hidden, output = network.trial(schedule, np.full((200, 2), 0.1))
    inner, outer = hidden.soma[-1, 0], output.soma[-1, 0]
    phi = [0.2 / (1 + np.exp(-v)) for v in (inner, outer)]
    assert outer == pytest.approx(0.6 / 0.7 * (4 * phi[0] - 0.2), rel=1e-9)
    assert hidden.apical[-1, 0] == pytest.approx(6 * phi[1], rel=1e-9)
    assert inner == pytest.approx((0.6 * (2 * 0.1 * 3 + 0.5) + 0.05 * 6 * phi[1]) / 0.75, rel=1e-9)
    # nothing arrives in the first steps: one to fire, one on the way
    assert np.all(hidden.apical[:2] == 0)
    assert hidden.apical[2, 0] == pytest.approx(6 * 0.2 / (1 + np.exp(-output.soma[0, 0])))


def test_its_own_spikes_are_poisson_and_drive_it_as_given_ones_do():
    draw = np.random.default_rng(4)
    network = ReferenceNetwork(
        [draw.normal(0, 1, (6, 50)), draw.normal(0, 1, (50, 3))],
        [np.full(50, 0.8), np.full(3, 0.8)],
        [draw.normal(0, 1, (3, 50))],
        integrator="explicit",
    )
    schedule = phases.training_schedule(0, 0, dt=1.0, forward=500.0, target=500.0, settle=30.0, jitter=False)
    inputs = draw.poisson(0.1, (schedule.end, 6)).astype(float)
    alone = network.trial(schedule, inputs, 1, rng=np.random.default_rng(5))
    for record in alone:
        expected = np.sum(0.2 / (1 + np.exp(-record.soma)))
        assert record.spikes.sum() == pytest.approx(expected, abs=4 * np.sqrt(expected))
    trains = [np.vstack([np.zeros((2, len(r.spikes[0]))), r.spikes[:-2]]) for r in alone]
    for own, driven in zip(alone, network.trial(schedule, inputs, 1, given=trains), strict=True):
        np.testing.assert_array_equal(own.soma, driven.soma)
        np.testing.assert_array_equal(own.weight_change, driven.weight_change)
