"""Mechanisms on their own, without a network."""

import numpy as np
import pytest


@pytest.fixture
def h(ranks):
    from segdend_plugin.engine import mechanisms

    mechanisms.load()
    from neuron import h

    h.dt = 1.0
    return h


def test_the_order_of_arrival_does_not_matter_to_the_last_bit(h):
    """With more ranks the spikes of a step come in another order, and floating point sums know it."""
    from segdend_plugin.engine.projection import Kernel, Projection

    weights = np.random.default_rng(0).normal(size=(40, 3))

    def driven(order):
        projection = Projection(weights, np.zeros(3), np.zeros(40, dtype=int), 1, Kernel.POTENTIAL)
        netcons = [h.NetCon(None, projection._mechanism) for _ in range(40)]
        for index, netcon in enumerate(netcons):
            netcon.weight[0] = index
        h.finitialize(-70)
        for index in order:
            netcons[index].event(1.0)
        for _ in range(5):
            h.fadvance()
        return [projection.drive(post)[0] for post in range(3)]

    first = driven(range(40))
    kappa = (np.exp(-4 / 10) - np.exp(-4 / 3)) / 7  # arrived in the second step, read at the end of the fifth
    np.testing.assert_allclose(first, kappa * weights.sum(axis=0), rtol=1e-12)
    for seed in range(5):
        assert driven(np.random.default_rng(seed).permutation(40).tolist()) == first


@pytest.mark.parametrize("dt", [1.0, 0.5])
def test_a_probe_sums_its_own_windows(h, dt):
    """The windows (10, 20] and (30, 50] ms, 3 and 5 ms early."""
    section = h.Section(name="patch")
    section.insert("pas")
    clamp = h.IClamp(section(0.5))
    clamp.delay, clamp.dur, clamp.amp = 5.0, 100.0, 0.05
    probe = h.SegDendProbe(section(0.5))
    probe.rest, probe.unit, probe.forward_lead, probe.target_lead = -65.0, 2.0, 3.0, 5.0
    windows = {"forward_on": 10, "forward_off": 20, "target_on": 30, "target_off": 50}
    for name, time in windows.items():
        setattr(h, f"{name}_SegDendProbe", time)
    trace = h.Vector().record(section(0.5)._ref_v)
    h.dt = dt
    h.finitialize(-70)
    while h.t < 60:
        h.fadvance()
    x = (np.array(trace) + 65) / 2
    ends = np.arange(len(x)) * dt
    for seen, first, last in ((probe.forward_apical, 7, 17), (probe.target_apical, 25, 45)):
        inside = (ends > first + 0.1 * dt) & (ends < last + 0.1 * dt)
        assert inside.sum() == (last - first) / dt
        assert seen == pytest.approx(x[inside].sum(), rel=1e-12)
