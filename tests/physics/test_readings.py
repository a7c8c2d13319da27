"""What is read in the time step, beside NumPy and beside NEURON's own recordings; and who else obeys the windows."""

from types import SimpleNamespace

import numpy as np
import pytest

REST, UNIT = -65.0, 2.0


@pytest.fixture
def h(ranks):
    from segdend_plugin.engine import mechanisms

    mechanisms.load()
    from neuron import h

    h.dt = 1.0
    return h


@pytest.fixture
def readings(h):
    from segdend_plugin.engine.readings import Readings

    readings = Readings()
    yield readings
    readings.close()


@pytest.fixture
def cell(h):
    """A soma and a dendrite without channels, and a current into the soma from 5 ms on."""
    soma, dendrite = h.Section(name="soma"), h.Section(name="dendrite")
    dendrite.connect(soma)
    dendrite.L, dendrite.diam, dendrite.nseg = 400, 2, 5
    soma.L = soma.diam = 20
    for section in (soma, dendrite):
        section.insert("pas")
        section.g_pas = 1e-4
    clamp = h.IClamp(soma(0.5))
    clamp.delay, clamp.dur, clamp.amp = 5.0, 1e9, 0.1
    return SimpleNamespace(soma=soma, dendrite=dendrite, segments=[soma(0.5), *dendrite], clamp=clamp)


def announce(h, *windows, end=100, begin=0.0, example=0):
    """Tell the mechanisms of a trial; a window is (first, last, start, taught) in steps."""
    facts = [h.dt, begin, 7, example, end, len(windows)]
    h.SegDendTrial(h.Vector(facts + [number for window in windows for number in (*window, 0, 0)[:4]]))


def run(h, until):
    while h.t < until - 1e-9:
        h.fadvance()


def nmda(v):
    return 1 / (1 + 1 / 3.57 * np.exp(-0.062 * v))


def calcium(v):
    opening = 0.055 * (v + 27) / (1 - np.exp(-(v + 27) / 3.8))
    return opening / (opening + 0.94 * np.exp(-(v + 75) / 17))


@pytest.mark.parametrize("dt", [1.0, 0.1])
def test_sums_and_traces_are_those_of_what_neuron_records(h, readings, cell, dt):
    h.dt = dt
    refs = [segment._ref_v for segment in cell.segments]
    made = {
        "value": lambda v: v,
        "potential": lambda v: (v - REST) / UNIT,
        "nmda": nmda,
        "calcium": calcium,
    }
    groups = {quantity: readings.group(refs, quantity, REST, UNIT) for quantity in made}
    for group in groups.values():
        group.traced = True
    recorded = [h.Vector().record(ref) for ref in refs]
    windows = [(2, 10), (10, 11), (20, 60)]
    announce(h, *windows, end=60)
    readings.prepare(3, 60)
    h.finitialize(-70)
    run(h, 60 * dt)
    v = np.array(recorded).T[1:]
    assert v.shape == (60, 6)
    for quantity, group in groups.items():
        expected = made[quantity](v)
        np.testing.assert_allclose(group.trace(), expected, rtol=1e-12)
        for number, (first, last) in enumerate(windows):
            np.testing.assert_allclose(group.sums(number), expected[first:last].sum(axis=0), rtol=1e-12)
    assert (groups["potential"].trace() == made["potential"](v)).all()


def test_references_may_be_of_anything_in_any_order(h, readings, cell):
    """Two Vectors and a membrane, taken in turn: no two of them are side by side."""
    places = [h.Vector(range(10)), h.Vector(range(10, 20))]
    refs = [places[k % 2]._ref_x[k // 2] for k in range(20)]
    refs.insert(3, cell.soma(0.5)._ref_v)
    group = readings.group(refs, "value")
    announce(h, (0, 2))
    readings.prepare(1, 100)
    h.finitialize(-70)
    run(h, 2)
    expected = [2.0 * (k // 2 + 10 * (k % 2)) for k in range(20)]
    expected.insert(3, -140.0)
    np.testing.assert_allclose(group.sums(0), expected, rtol=1e-12)


@pytest.mark.parametrize("dt", [1.0, 0.5])
def test_a_lead_makes_the_window_of_a_cell_earlier(h, readings, cell, dt):
    h.dt = dt
    leads = [np.array([3.0, 0.0, 5.2]), np.array([5.0, -4.0, 0.0])]
    refs = [segment._ref_v for segment in cell.segments[:3]]
    group = readings.group(refs, "potential", REST, UNIT)
    recorded = [h.Vector().record(ref) for ref in refs]
    windows = [(10, 20), (30, 50)]  # ms

    def shown():
        announce(h, *[(round(first / dt), round(last / dt)) for first, last in windows], end=round(60 / dt))
        readings.prepare(2, round(60 / dt))
        h.finitialize(-70)
        run(h, 60)
        x = (np.array(recorded).T - REST) / UNIT
        return x, np.arange(len(x)) * dt

    for window in (0, 1):
        group.set_leads(window, leads[window])
    x, ends = shown()
    for window, (first, last) in enumerate(windows):
        for k, lead in enumerate(leads[window]):
            inside = (ends + lead > first + 0.5 * dt) & (ends + lead < last + 0.5 * dt)
            assert inside.sum() == pytest.approx((last - first) / dt)
            assert group.sums(window)[k] == pytest.approx(x[inside, k].sum(), rel=1e-12)
    group.set_leads(0, None)
    x, ends = shown()
    inside = (ends > 10 + 0.5 * dt) & (ends < 20 + 0.5 * dt)
    np.testing.assert_allclose(group.sums(0), x[inside].sum(axis=0), rtol=1e-12)


def test_what_was_read_stays_when_the_next_trial_has_other_windows(h, readings, cell):
    group = readings.group([cell.soma(0.5)._ref_v], "value")
    none = readings.group([], "value")
    announce(h, (0, 10), end=10)
    readings.prepare(1, 10)
    h.finitialize(-70)
    run(h, 10)
    before = group.sums(0)
    group.traced = none.traced = True
    announce(h, (0, 10), (10, 20), (20, 30), end=30)
    readings.prepare(3, 30)
    h.finitialize(-70)
    run(h, 30)
    assert group.sums(0) == before
    assert group.trace().shape == (30, 1)
    assert group.sums(2)[0] == pytest.approx(group.trace()[20:30].sum(), rel=1e-12)
    assert none.sums(2).shape == (0,)
    assert none.trace().shape == (30, 0)
    group.summed = group.traced = False
    readings.prepare(3, 30)
    assert group.trace().shape == (0, 1)


def test_a_trial_may_begin_without_initialisation(h, readings, cell):
    """Windows, leads and traces count from where it begins; the new section makes NEURON move its data."""
    group = readings.group([cell.soma(0.5)._ref_v, cell.dendrite(0.5)._ref_v], "value")
    group.traced = True
    group.set_leads(0, np.array([0.0, 2.0]))
    recorded = [h.Vector().record(segment._ref_v) for segment in (cell.soma(0.5), cell.dendrite(0.5))]
    announce(h, (5, 10), end=20)
    readings.prepare(1, 20)
    h.finitialize(-70)
    run(h, 33)
    announce(h, (5, 10), end=20, begin=h.t)
    readings.prepare(1, 20)
    readings.restart()
    run(h, 53)
    v = np.array(recorded).T[34:]
    assert (group.trace() == v).all()
    expected = [v[5:10, 0].sum(), v[3:8, 1].sum()]
    np.testing.assert_allclose(group.sums(0), expected, rtol=1e-12)


def test_a_cell_that_has_gone_is_said_in_one_sentence(h, readings):
    section = h.Section(name="passing")
    soma = h.SegDendSoma(section(0.5))
    group = readings.group([section(0.5)._ref_v, soma._ref_potential], "value")
    announce(h, (0, 10))
    readings.prepare(1, 100)
    h.finitialize(-70)
    run(h, 2)
    assert group.n == 2
    del soma, section
    with pytest.raises(RuntimeError, match="SegDendReadings: a cell that is read has gone: build the network anew"):
        h.finitialize(-70)
    readings.close()
    h.finitialize(-70)  # nobody else minds
    run(h, 2)


# ------------------------------------------------------------------------------------------- others that obey the trial


def test_further_drives_add_up_on_the_dendrites_of_a_lumped_cell(h):
    """One cell with three basal and two apical drives, beside one whose single drives are their sums."""
    section = h.Section(name="patch")
    drives = h.Vector([0.5, 1.25, -0.125, 2.0, 0.75, 1.625, 2.75])
    many, one, bare = (h.SegDendLumped(section(0.5)) for _ in range(3))
    for mechanism, basal, apical in ((many, 0, 3), (one, 5, 6)):
        h.setpointer(drives._ref_x[basal], "basal", mechanism)
        h.setpointer(drives._ref_x[apical], "apical", mechanism)
    many.also(0, drives._ref_x[1])
    many.also(1, drives._ref_x[4])
    many.also(0, drives._ref_x[2])
    bare.also(0, drives._ref_x[5])
    for mechanism in (many, one, bare):
        mechanism.g_apical = 0.02
    announce(h)
    h.finitialize(-70)
    h.fadvance()
    assert many.e == one.e == pytest.approx(-70 + (0.06 * 1.625 + 0.02 * 2.75) / 0.09, rel=1e-14)
    assert bare.e == pytest.approx(-70 + 0.06 * 1.625 / 0.09, rel=1e-14)
    del many
    h.finitialize(-70)
    h.fadvance()
    assert bare.e == pytest.approx(-70 + 0.06 * 1.625 / 0.09, rel=1e-14)


@pytest.mark.parametrize("begin", [0.0, 13.0])
def test_the_teacher_speaks_in_taught_windows_only(h, begin):
    section = h.Section(name="patch")
    teacher = h.SegDendTeacher(section(0.5))
    teacher.e = 3.0

    def aims():
        """What the teacher pulls to in every step of a trial of 12 steps, None where it is silent."""
        if begin == 0.0:
            h.finitialize(-70)
        else:
            h.t = begin
        said = []
        for _ in range(12):
            h.fadvance()
            said.append(teacher.aim if teacher.g_open else None)
        return said

    h.finitialize(-70)
    announce(h, (2, 4, 0), (5, 7, 4, 1), (10, 12, 8, 1), end=12, begin=begin)
    said = [None] * 4 + [3.0] * 3 + [None] + [3.0] * 4
    assert aims() == said
    levels = np.array([[0.0, 1.0], [0.0, -2.0]])
    teacher.course(h.Vector([3, 6, 10]), h.Vector(levels.ravel()), 1, 2)
    assert aims() == [None] * 4 + [1.0, 1.0, -2.0, None, -2.0, -2.0, None, None]
    teacher.constant()
    assert aims() == said


@pytest.mark.parametrize("silent_in", [0, 1, 2, 3])
def test_a_gate_is_shut_in_its_part_of_the_trial(h, silent_in):
    section = h.Section(name="patch")
    gate = h.SegDendGate(section(0.5))
    gate.silent_in, gate.lead = silent_in, 1.0
    announce(h, (3, 5), (8, 10), end=12)
    h.finitialize(-70)
    shut = []
    for _ in range(12):
        h.fadvance()
        shut.append(gate.g_shut > 0)
    expected = [[], [2, 3, 4, 7, 8, 9], [0, 1, 2, 3, 4], range(4, 12)][silent_in]
    assert np.flatnonzero(shut).tolist() == list(expected)
