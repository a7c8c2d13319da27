"""Spikes of inputs, drawn in one place or another, and who hears them."""

from types import SimpleNamespace

import numpy as np
import pytest

END = 200  # steps


@pytest.fixture
def h(ranks):
    from segdend_plugin.engine import mechanisms

    mechanisms.load()
    from neuron import h

    h.dt = 0.5
    yield h
    h.dt = 1.0


def announce(h, example=0, begin=0.0, end=END, windows=()):
    facts = [h.dt, begin, 7, example, end, len(windows)]
    h.SegDendTrial(h.Vector(facts + [number for window in windows for number in (*window, 0, 0)]))


def run(h, steps=END):
    for _ in range(steps):
        h.fadvance()


def arrivals(projection, h):
    vectors = [h.Vector() for _ in range(3)]
    projection.arrivals(*vectors)
    return np.array([np.array(vector) for vector in vectors])


def project(h, n_pre, n_post=4):
    """Return a projection with random weights that keeps what arrives."""
    section = h.Section(name="projection")
    mechanism = h.SegDendProjection(section(0.5))
    weights = h.Vector(np.random.default_rng(0).normal(size=n_pre * n_post))
    vectors = [weights, h.Vector(n_post), h.Vector(n_pre), h.Vector(n_post), h.Vector(2 * n_pre)]
    mechanism.bind(*vectors, 0)
    mechanism.keep = 1
    return SimpleNamespace(
        mechanism=mechanism, section=section, weights=weights, out=vectors[3], traces=vectors[4], vectors=vectors
    )


def inputs(h, n, first=0):
    cells = [h.SegDendInput() for _ in range(n)]
    for number, cell in enumerate(cells, start=first):
        cell.id = number
    return cells


def listen(h, cells, delay=0.0):
    section = h.Section(name="listener")
    listener = h.SegDendListener(section(0.5))
    netcons = [h.NetCon(cell, listener) for cell in cells]
    for index, netcon in enumerate(netcons):
        netcon.weight[0], netcon.delay = index, delay
    return SimpleNamespace(mechanism=listener, section=section, netcons=netcons)


def heard(h, listener):
    times, cells = h.Vector(), h.Vector()
    listener.mechanism.heard(times, cells)
    return np.array(times), np.array(cells, dtype=int)


def test_a_listener_hears_what_neuron_records(h):
    cells = inputs(h, 5)
    for k, cell in enumerate(cells):
        cell.level = k / 4
    times, whose = h.Vector(), h.Vector()
    recorders = [h.NetCon(cell, None) for cell in cells]
    for k, recorder in enumerate(recorders):
        recorder.record(times, whose, k)
    listener = listen(h, cells, delay=1.25)
    for example in (0, 1):  # the second trial knows nothing of the first
        announce(h, example)
        h.finitialize(-70)
        run(h, END + 10)
        heard_times, heard_cells = heard(h, listener)
        order, expected = np.lexsort((heard_cells, heard_times)), np.lexsort((np.array(whose), np.array(times)))
        assert len(heard_times) > 30
        np.testing.assert_allclose(heard_times[order] - 1.25, np.array(times)[expected], rtol=1e-12)
        assert (heard_cells[order] == np.array(whose)[expected]).all()
    listener.mechanism.restart()
    assert heard(h, listener)[0].size == 0


def show(h, block, projection, cells, drive, kept):
    """Let a projection's block of inputs and the inputs themselves show the same."""
    if drive == "course":
        borders, levels = h.Vector([10, 30, 35, 90]), np.random.default_rng(1).uniform(0, 1, (3, len(cells)))
        levels[1, :2] = 0.0
        kept += [borders, h.Vector(levels.ravel())]
        projection.mechanism.draw_course(block, *kept[-2:])
        for k, cell in enumerate(cells):
            cell.course(*kept[-2:], k, len(cells))
    elif drive == "given":
        times = np.sort(np.random.default_rng(2).uniform(0, 120, 80))
        kept += [h.Vector(times), h.Vector(np.random.default_rng(3).integers(0, len(cells), 80))]
        projection.mechanism.draw_given(block, *kept[-2:])
        for k, cell in enumerate(cells):
            cell.given(*kept[-2:], k)
    else:
        projection.mechanism.draw_constant(block)
        for k, cell in enumerate(cells):
            cell.constant()
            cell.level = k / len(cells)


def test_a_projection_draws_the_spikes_that_inputs_send(h):
    """Two blocks with other delays, which show all three forms of a drive in turn; also without initialisation."""
    sizes, delays = (6, 5), (1.0, 3.75)
    drawing, hearing = project(h, 11), project(h, 11)
    blocks, cells, netcons, kept = [], [], [], []
    for size, delay in zip(sizes, delays, strict=True):
        first = len(cells)
        block = inputs(h, size, 40 + first)
        kept += [h.Vector(np.arange(size) / size), h.Vector(range(40 + first, 40 + first + size))]
        blocks.append((int(drawing.mechanism.draw(kept[-2], kept[-1], 0.2, delay, first)), block))
        for index, cell in enumerate(block, start=first):
            netcon = h.NetCon(cell, hearing.mechanism)
            netcon.weight[0], netcon.delay = index, delay
            netcons.append(netcon)
        cells += block
    assert [block for block, _ in blocks] == [0, 1]
    totals = []
    for example, drives in enumerate([("constant", "course"), ("given", "constant"), ("course", "given")]):
        for (block, its), drive in zip(blocks, drives, strict=True):
            show(h, block, drawing, its, drive, kept)
        announce(h, example, windows=[(20, 100), (120, 200)])
        h.finitialize(-70)
        run(h)
        arrived = arrivals(drawing.mechanism, h)
        totals.append(arrived[2].sum())
        assert (arrived == arrivals(hearing.mechanism, h)).all()
        assert list(drawing.out) == list(hearing.out)
        assert list(drawing.traces) == list(hearing.traces)
    assert min(totals) > 50
    begun = h.t
    announce(h, 2, begin=begun, windows=[(20, 100), (120, 200)])
    for mechanism in (drawing.mechanism, hearing.mechanism, *cells):
        mechanism.restart()
    run(h)
    again = arrivals(drawing.mechanism, h)
    assert (again == arrivals(hearing.mechanism, h)).all()
    assert list(drawing.out) == list(hearing.out)
    assert list(drawing.traces) == list(hearing.traces)
    late = again[0] >= 10  # before, spikes of the trial before arrive
    assert (again[:, late] == arrived[:, arrived[0] >= 10]).all()


def test_a_constant_level_is_a_course_of_one_piece(h):
    constant, course = inputs(h, 1)[0], inputs(h, 1)[0]
    constant.level = 0.7
    course.course(h.Vector([0, 1000]), h.Vector([0.1, 0.7]), 1, 2)
    listener = listen(h, [constant, course])
    announce(h, 1)
    h.finitialize(-70)
    run(h)
    times, cells = heard(h, listener)
    assert (times[cells == 0] == times[cells == 1]).all()
    assert times.size > 10


def test_spikes_of_a_course_follow_its_levels(h):
    """500 trains of three pieces: the count in each is Poisson, intervals across borders included."""
    cells = inputs(h, 500)
    borders, levels = [0, 20, 50, 100], [0.9, 0.05, 0.5]
    for cell in cells:
        cell.course(h.Vector(borders), h.Vector(levels), 0, 1)
    listener = listen(h, cells)
    announce(h, end=180)  # 90 ms: the last piece is cut off
    h.finitialize(-70)
    run(h)
    times, whose = heard(h, listener)
    lengths = [20, 30, 40]
    for first, length, level in zip(borders, lengths, levels, strict=False):
        inside = (times >= first) & (times < first + length)
        counts = np.bincount(whose[inside], minlength=500)
        mean = 0.2 * level * length
        assert counts.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / 500))
        assert counts.var() == pytest.approx(mean, rel=0.3)
    assert times.max() < 90


def test_counters_are_heard_after_the_delay_of_each_cell(h):
    """Delays of 1, 2.5 and 0.5 ms, in turn: each spike is where its own delay puts it."""
    projection = project(h, 9)
    counters = h.Vector(9)
    delays = [(1.0, 2.5, 0.5)[k % 3] for k in range(9)]
    for k, delay in enumerate(delays):
        projection.mechanism.listen(k, counters._ref_x[k], delay)
    announce(h)
    h.finitialize(-70)
    h.fadvance()
    counters.fill(0)
    counters.x[4], counters.x[5], counters.x[6] = 1, 2, 1  # they left in the first step
    h.fadvance()
    counters.fill(0)
    run(h, 10)
    assert arrivals(projection.mechanism, h).T.tolist() == [[2, 5, 2], [3, 6, 1], [6, 4, 1]]


def test_a_projection_says_that_a_cell_has_gone(h):
    projection = project(h, 1)
    section = h.Section(name="passing")
    soma = h.SegDendSoma(section(0.5))
    projection.mechanism.listen(0, soma._ref_spikes, 1.0)
    announce(h)
    h.finitialize(-70)
    run(h, 3)
    del soma, section
    with pytest.raises(RuntimeError, match="a cell that it listens to has gone: build the network anew"):
        h.finitialize(-70)


def test_learning_takes_the_window_or_the_vector_it_is_given(h):
    projection = project(h, 6, n_post=3)
    levels, numbers = h.Vector([0, 0.3, 0.5, 0.7, 0.9, 1]), h.Vector(range(6))
    projection.mechanism.draw(levels, numbers, 0.2, 1.0)
    projection.mechanism.keep = 0
    windows = [(10, 60), (80, 200), (100, 150)]
    traces = h.Vector(3 * 6)
    projection.mechanism.trace_into(traces)
    announce(h, windows=windows)
    h.finitialize(-70)
    run(h)
    assert arrivals(projection.mechanism, h).size == 0
    post = h.Vector([0.5, -1, 2])
    averages = np.array(traces).reshape(3, 6)
    assert (averages[:, 1:] > 0).all()
    for window in range(3):
        before = np.array(projection.weights).reshape(6, 3)
        projection.mechanism.learn(post, window)
        after = np.array(projection.weights).reshape(6, 3)
        assert (after == before + np.outer(averages[window], post)).all()
    pre = h.Vector([1, 0, -2, 0.5, 0, 3])
    projection.mechanism.learn_with(pre, post)
    assert (np.array(projection.weights).reshape(6, 3) == after + np.outer(pre, post)).all()
    with pytest.raises(RuntimeError, match="the trial had no such window"):
        projection.mechanism.learn(post, 3)
