"""Mechanisms on their own, without a network."""

import numpy as np
import pytest

from segdend_plugin.model.graph import Connections
from segdend_plugin.model.streams import Purpose
from segdend_plugin.model.trial import Stimulus, Trial, Window


@pytest.fixture
def h(ranks):
    from segdend_plugin.engine.session import session

    session()
    from neuron import h

    h.dt = 1.0
    return h


def begin(end, *windows, dt=1.0):
    """Tell all mechanisms of a trial of so many steps, with windows of (first, last) step."""
    from segdend_plugin.engine.session import session

    named = tuple(Window(str(k), *window) for k, window in enumerate(windows))
    session().tell(Trial(0, Stimulus({}), named, end, dt, False), 0, Purpose.TEST_SPIKES)


def dense(weights):
    """Return a set with these weights, shape (n_pre, n_post)."""
    from segdend_plugin.engine.dense import Dense, Kernel

    n_pre, n_post = weights.shape
    slots = np.zeros(n_pre, dtype=int)
    return Dense(Connections("set", ("pre",), "post"), weights, np.zeros(n_post), slots, 1, Kernel.POTENTIAL)


def test_the_order_of_arrival_does_not_matter_to_the_last_bit(h):
    """With more ranks the spikes of a step come in another order, and floating point sums know it."""
    weights = np.random.default_rng(0).normal(size=(40, 3))
    begin(5)

    def driven(order):
        one = dense(weights)
        netcons = [h.NetCon(None, one._mechanism) for _ in range(40)]
        for index, netcon in enumerate(netcons):
            netcon.weight[0] = index
        h.finitialize(-70)
        for index in order:
            netcons[index].event(1.0)
        for _ in range(5):
            h.fadvance()
        return [one.drive(post)[0] for post in range(3)]

    first = driven(range(40))
    kappa = (np.exp(-4 / 10) - np.exp(-4 / 3)) / 7  # arrived in the second step, read at the end of the fifth
    np.testing.assert_allclose(first, kappa * weights.sum(axis=0), rtol=1e-12)
    for seed in range(5):
        assert driven(np.random.default_rng(seed).permutation(40).tolist()) == first


@pytest.mark.parametrize("dt", [1.0, 0.5])
def test_a_reading_sums_its_own_windows(h, dt):
    """The windows (10, 20] and (30, 50] ms, 3 and 5 ms early."""
    from segdend_plugin.engine.readings import Readings

    section = h.Section(name="patch")
    section.insert("pas")
    clamp = h.IClamp(section(0.5))
    clamp.delay, clamp.dur, clamp.amp = 5.0, 100.0, 0.05
    readings = Readings()
    group = readings.group([section(0.5)._ref_v], "potential", -65.0, 2.0)
    steps = [round(time / dt) for time in (10, 20, 30, 50, 60)]
    begin(steps[4], steps[:2], steps[2:4], dt=dt)
    readings.prepare(2, steps[4])
    for window, lead in enumerate((3.0, 5.0)):
        group.set_leads(window, np.array([lead]))
    trace = h.Vector().record(section(0.5)._ref_v)
    h.dt = dt
    h.finitialize(-70)
    while h.t < 60:
        h.fadvance()
    x = (np.array(trace) + 65) / 2
    ends = np.arange(len(x)) * dt
    for window, (first, last) in enumerate(((7, 17), (25, 45))):
        inside = (ends > first + 0.1 * dt) & (ends < last + 0.1 * dt)
        assert inside.sum() == (last - first) / dt
        assert group.sums(window)[0] == pytest.approx(x[inside].sum(), rel=1e-12)
    readings.close()


@pytest.mark.parametrize("mechanism", ["SegDendSoma", "SegDendLumped"])
def test_the_rate_is_the_sigmoid_and_the_same_wherever_a_cell_stands(h, mechanism):
    """Cells are computed in blocks, the last of which is cut short: here 296 potentials, then in another order."""
    x = np.concatenate([np.linspace(-40, 40, 293), [-800.0, 0.0, 800.0]])
    order = np.random.default_rng(0).permutation(len(x))
    section = h.Section(name="patch")
    begin(1)

    def rates(potentials):
        cells = [getattr(h, mechanism)(section(0.5)) for _ in potentials]
        for cell, potential in zip(cells, potentials, strict=True):
            cell.rest, cell.unit, cell.announced = -70.0 - 2.0 * potential, 2.0, 0.0
            if mechanism == "SegDendLumped":
                cell.g_leak, cell.g_basal = 0.0, 1e-30  # no current: all share one compartment
        h.finitialize(-70)
        h.fadvance()
        seen = np.array([cell.potential for cell in cells])
        np.testing.assert_allclose(seen, potentials, rtol=1e-12, atol=1e-12)
        return seen, np.array([cell.rate for cell in cells])

    seen, found = rates(x)
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(found, 0.2 / (1 + np.exp(-seen)), rtol=1e-15, atol=1e-300)
    assert (rates(x[order])[1] == found[order]).all()


def test_a_projection_counts_every_spike_of_scattered_counters(h):
    """Counters of 150 cells in two Vectors, taken in turn from one and the other, some of them above one."""
    rng = np.random.default_rng(0)
    weights, spikes = rng.normal(size=(150, 3)), rng.poisson(0.7, 150)
    places = [h.Vector(80), h.Vector(80)]
    counter = {pre: (places[pre % 2], 7 * (pre // 2) % 80) for pre in range(150)}  # 7 and 80 share no factor
    one = dense(weights)
    one.listen(None, range(150), 1.0, lambda pre: counter[pre][0]._ref_x[counter[pre][1]])
    begin(2)
    h.finitialize(-70)
    for pre, (vector, at) in counter.items():
        vector.x[at] = spikes[pre]
    h.fadvance()
    h.fadvance()
    kappa = (np.exp(-1 / 10) - np.exp(-1 / 3)) / 7  # arrived in the second step, read at its end
    expected = kappa * (spikes @ weights)
    np.testing.assert_allclose([one.drive(post)[0] for post in range(3)], expected, rtol=1e-10)
