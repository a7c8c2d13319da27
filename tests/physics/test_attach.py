"""Sets of NetCons in a model that somebody else has made."""

import logging
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from segdend_plugin.errors import ConfigError, SegDendError
from segdend_plugin.model.changes import Along, Bias, Changes, Decay, Outer
from segdend_plugin.model.places import Place
from segdend_plugin.model.streams import Purpose
from segdend_plugin.model.trial import Signal, Stimulus, Trial, Window
from segdend_plugin.model.wants import Average, Filtered, Trace, Weights

sys.path.append(str(Path(__file__).resolve().parents[1]))

WINDOWS = (Window("forward", 400, 1000), Window("target", 1300, 1900, 1000, True))
END, DT = 1900, 0.05
TARGET = np.array([1.0, 0.0, 0.5, 0.0])


@pytest.fixture
def model(h, ranks):
    from attached_model import Model

    return Model(ranks.pc)


def trial(example=0, level=0.6, taught=True):
    shown = Stimulus({"inputs": np.full(10, level)}, {"out": TARGET} if taught else {})
    windows = WINDOWS if taught else WINDOWS[:1]
    return Trial(example, shown, windows, END if taught else 1000, DT, taught)


def run(network, wants=(), purpose=Purpose.TRAINING_SPIKES, **options):
    return network.run(trial(**options), purpose, tuple(wants))


def raster(h, pc):
    times, gids = h.Vector(), h.Vector()
    pc.spike_record(-1, times, gids)
    return lambda: list(zip(np.array(times), np.array(gids).astype(int), strict=True))


def arrived(spikes, source, delay):
    """Steps in which the spikes of a cell arrive, by the rule that NEURON delivers events until half a step later."""
    return [int(np.ceil((time + delay) / DT - 0.5)) for time, gid in sorted(spikes) if gid == source]


def filtered(steps, end=END):
    """A train filtered by the paper's kernel at the end of every step, by explicit summation."""
    ages = (np.arange(end)[:, None] - np.array(steps, dtype=float)[None, :] + 1) * DT
    kernel = (np.exp(-ages / 10) - np.exp(-ages / 3)) / 7
    return np.where(ages > 0, kernel, 0.0).sum(axis=1)


def the_forward_set(model):
    from attached_model import HIDDEN, INPUTS, NOISY

    position = {gid: k for k, gid in enumerate((*INPUTS, *NOISY))}
    found = sorted(model.forward + model.skip, key=lambda one: (one[1], position[one[0]]))
    return found, position, list(HIDDEN)


def test_averages_are_those_of_a_dense_set_and_of_explicit_sums(h, ranks, model):
    from segdend_plugin.engine.dense import Dense, Kernel

    heard = raster(h, ranks.pc)
    network = model.attach()
    found, position, _ = the_forward_set(model)
    sources = list(position)
    one = network.graph.set("in->hidden")
    dense = {}
    for delay in sorted({netcon.delay for *_, netcon in found}, key=lambda delay: round(delay, 3)):
        dense.setdefault(
            round(delay, 3), Dense(one, np.zeros((14, 2)), np.zeros(2), np.zeros(14, dtype=int), 1, Kernel.POTENTIAL)
        )
    for delay, its in dense.items():
        its.listen(ranks.pc, sources, delay + 1e-9, lambda gid: None)
        its.prepare(trial(), keep=False)
    run(network)
    for window in range(2):
        values = network.sets["in->hidden"].filtered(window)
        assert (values > 0).sum() > 30
        for value, (source, _, netcon) in zip(values, found, strict=True):
            assert value == pytest.approx(dense[round(netcon.delay, 3)].filtered(window)[position[source]], rel=1e-12)
            shown = WINDOWS[window]
            train = filtered(arrived(heard(), source, netcon.delay))[shown.first : shown.last]
            assert value == pytest.approx(train.mean(), rel=1e-9, abs=1e-15)


def test_drives_and_changes_along_a_trace_are_explicit_sums(h, ranks, model):
    heard = raster(h, ranks.pc)
    network = model.attach(dt=DT)
    found, _, hidden = the_forward_set(model)
    drive, spikes = Trace("hidden", "drive", Place("basal")), Trace("hidden", "spikes")
    mean = Average("hidden", "drive", Place("basal"), "target")
    seen = run(network, [drive, spikes, mean])
    trains = [filtered(arrived(heard(), source, netcon.delay)) for source, _, netcon in found]
    expected = np.zeros((END, len(hidden)))
    for train, (_, target, netcon) in zip(trains, found, strict=True):
        expected[:, hidden.index(target)] += 1000.0 * netcon.weight[0] * train
    assert expected.max() > 0.5
    np.testing.assert_allclose(seen[drive], expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(seen[mean], expected[1300:1900].mean(axis=0), rtol=1e-9)
    counts = np.zeros((END, len(hidden)))
    for time, gid in heard():
        if gid in hidden:
            counts[round(time / DT) - 1, hidden.index(gid)] += 1
    assert counts.sum() > 5
    np.testing.assert_array_equal(seen[spikes], counts)

    one = network.sets["in->hidden"]
    post = 5 * np.random.default_rng(1).normal(size=(END, len(hidden)))
    before = np.array([netcon.weight[0] for *_, netcon in found])
    change = Along("in->hidden", post)
    bound = one.bind(change, one.factors(change, {}, keep=False), network.local("hidden"))
    bound.add()
    one.bound()
    change = np.array(
        [train @ post[:, hidden.index(target)] for train, (_, target, _) in zip(trains, found, strict=True)]
    )
    change /= 1000.0  # a weight of 1 uS is 1000 units
    after = np.array([netcon.weight[0] for *_, netcon in found])
    assert (change < -before).any()  # bounds act
    np.testing.assert_allclose(after, np.maximum(before + change, 0), rtol=1e-9, atol=1e-15)


def test_an_outer_change_and_a_decay_reach_the_netcons_once(model):
    network = model.attach()
    want = Filtered("hidden->out", "target")
    seen = run(network, [want])
    found = sorted(model.readout, key=lambda one: (one[1], one[0]))
    before = np.array([netcon.weight[0] for *_, netcon in found])
    post = np.array([1.0, -2.0, 0.5, 3.0])
    changes = (Outer("hidden->out", post, "target"), Outer("hidden->out", post, pre=np.arange(8.0) / 100))
    network.apply([network.bind([seen], Changes((Decay("hidden->out", 0.9), *changes)))])
    sources, targets = (np.array(gids) for gids in list(zip(*found, strict=True))[:2])
    expected = 0.9 * before + (seen[want] + (sources - 100) / 100) * post[targets - 7] / 1000
    np.testing.assert_allclose([netcon.weight[0] for *_, netcon in found], np.clip(expected, 0.001, 0.02), rtol=1e-12)
    back = [netcon.weight[0] for *_, netcon in model.back]
    with pytest.raises(ConfigError, match="'out->hidden', which is fixed"):
        network.bind([seen], Changes((Outer("out->hidden", np.zeros(8)),)))
    with pytest.raises(ConfigError, match="it has no biases"):
        network.bind([seen], Changes((Bias("hidden", np.zeros(8)),)))
    with pytest.raises(ConfigError, match=r"pre of 'hidden->out' has shape \(9,\): give \(8,\)"):
        network.bind([seen], Changes((Outer("hidden->out", post, pre=np.zeros(9)),)))
    assert back == [netcon.weight[0] for *_, netcon in model.back]


def test_weights_can_be_wanted_saved_and_taken_back(model, tmp_path):
    from segdend_plugin.learner import Learner

    network = model.attach()
    seen = run(network, [Weights("in->hidden"), Weights("hidden->out", effective=False)])
    for name, netcons, first in (("in->hidden", model.forward, 300), ("hidden->out", model.readout, 100)):
        target = 100 if name == "in->hidden" else 7
        matrix = seen[Weights(name, effective=name == "in->hidden")]
        unit = 1000 if name == "in->hidden" else 1
        for source, post, netcon in netcons:
            assert matrix[source - first, post - target] == unit * netcon.weight[0]
        assert (matrix == 0).any()
    learner = Learner(network, learning_rates=0.1)
    weights = {name: array.copy() for name, array in network.gather()[0].items()}
    assert set(weights) == {"in->hidden", "hidden->out"}
    learner.save(tmp_path / "state")
    for *_, netcon in model.readout:
        netcon.weight[0] = 0.015  # somebody changes them by hand, and the learner sees it
    run(network)
    assert set(network.gather()[0]["hidden->out"]) == {0.015}
    learner.load(tmp_path / "state")
    assert {n: a.tolist() for n, a in network.gather()[0].items()} == {n: a.tolist() for n, a in weights.items()}
    assert sorted(netcon.weight[0] for *_, netcon in model.readout) == sorted(weights["hidden->out"])


def test_a_synapse_whose_weight_is_not_finite_is_told_with_its_cell(model):
    network = model.attach()
    name = next(name for name, one in network.sets.items() if one.connections.form == "sparse" and len(one.weights) > 2)
    one = network.sets[name]
    assert network.not_finite() == []
    one.weights[2] = np.nan
    cell = int(network.local(one.post)[one.column[2]])
    assert network.not_finite() == [(f"weight of {name!r}", one.post, cell)]


def test_the_model_stays_as_it_was(h, ranks, model, caplog):
    """Spikes, potentials, recordings: all but delays, which are longer by the number of the source times 1e-9 ms."""
    heard = raster(h, ranks.pc)
    everyone = [
        netcon for part in (model.forward, model.skip, model.readout, model.back, model.recurrent) for netcon in part
    ]
    potential = h.Vector().record(model.somas[104](0.5)._ref_v)
    alone = h.Vector()
    recorder = ranks.pc.gid_connect(41, h.ExpSyn(model.somas[104](0.5)))
    recorder.record(alone)
    plain = [netcon.delay for *_, netcon in everyone]
    noise = [netcon.delay for netcon in model.netcons]
    thresholds = {gid: ranks.pc.threshold(gid) for gid in model.somas}
    with caplog.at_level(logging.INFO, "segdend_plugin"):
        network = model.attach(v_init=-68.0)
    assert [record.message for record in caplog.records if "exact=True" in record.message] == caplog.messages
    assert len(caplog.messages) == 1
    numbers = {gid: k for k, gid in enumerate((*range(300, 310), *range(40, 44), *range(100, 108), *range(7, 11)))}
    longer = [netcon.delay for *_, netcon in everyone]
    np.testing.assert_allclose(
        np.subtract(longer, plain), [1e-9 * numbers[source] for source, *_ in everyone], atol=1e-15
    )
    np.testing.assert_allclose(
        [netcon.delay for netcon in model.netcons], 1 + 1e-9 * (26 + np.arange(12)), rtol=0, atol=1e-15
    )
    assert {gid: ranks.pc.threshold(gid) for gid in model.somas} == thresholds
    run(network)
    first = heard()
    shown, times = np.array(potential), np.array(alone)
    assert shown[0] == -68.0
    assert len(shown) == END + 1
    assert len(times) > 2
    assert 41 not in {gid for _, gid in first}  # NEURON gives its spikes to the last who asked
    # what the model does without us: the same spikes, but for the order of events
    network.close()
    assert [netcon.delay for *_, netcon in everyone] == plain
    assert [netcon.delay for netcon in model.netcons] == noise
    h.finitialize(-68.0)
    ranks.pc.psolve(END * DT)
    assert heard() == first
    assert list(alone) == list(times)
    np.testing.assert_allclose(np.array(potential), shown, rtol=0, atol=1e-6)


def test_attached_twice_delays_are_longer_once(model):
    plain = [netcon.delay for *_, netcon in model.readout]
    old = model.attach()
    longer = [netcon.delay for *_, netcon in model.readout]
    network = model.attach()
    assert [netcon.delay for *_, netcon in model.readout] == longer != plain
    assert run(network, [Average("out", "rate", window="target")])
    with pytest.raises(SegDendError, match=r"another one was built since in this process[^\n]*anew\.$"):
        run(old)
    model.attach(exact=False)
    assert [netcon.delay for *_, netcon in model.readout] == plain


def test_noise_differs_from_example_to_example_and_comes_back(h, ranks, model):
    heard = raster(h, ranks.pc)
    network = model.attach(seed=5)
    noisy = []
    for options in ({"example": 0}, {"example": 1}, {"example": 0}, {"example": 0, "purpose": Purpose.TEST_SPIKES}):
        run(network, level=0.0, **options)
        noisy.append([(time, gid) for time, gid in heard() if gid in range(40, 44)])
    assert min(len(spikes) for spikes in noisy) > 8
    assert noisy[0] == noisy[2]
    assert noisy[0] != noisy[1]
    assert noisy[0] != noisy[3]
    run(model.attach(seed=6), level=0.0)
    assert noisy[0] != [(time, gid) for time, gid in heard() if gid in range(40, 44)]


def test_noise_without_a_number_is_named(h, ranks, model):
    stim = h.NetStim()
    stim.noise = 0.5
    with pytest.warns(UserWarning, match=rf"background: {stim.hname().replace('[', '.').replace(']', '.')} send"):
        model.attach()


def test_inputs_that_run_by_themselves_need_no_drive(h, ranks):
    """NetStims with gids are a population; they are keyed by its numbers."""
    from attached_model import Model

    from segdend_plugin.learner import Learner
    from segdend_plugin.rule.guerguiev import Guerguiev

    model = Model(ranks.pc, driven=False)
    heard = raster(h, ranks.pc)
    network = model.attach(driven=False)
    assert network.graph.inputs == ()
    assert [p.name for p in network.graph.sources] == ["inputs", "noisy"]
    assert [[p.name for p in layer] for layer in network.graph.layers] == [["hidden"], ["out"]]
    learner = Learner(network, Guerguiev(), learning_rates=0.1)
    rasters = []
    for _ in range(2):
        h.finitialize(-65)  # a trial begins at the present time; NetStims take their new streams when they start anew
        trained = learner.begin_trial(Stimulus({}, {"out": TARGET}))
        h.finitialize(-65)
        ranks.pc.psolve(trained.duration)
        outcome = learner.end_trial()
        assert outcome.changes.changes
        rasters.append([time for time, gid in heard() if gid == 305])
    assert rasters[0] != rasters[1]
    assert (
        learner.present(Stimulus({}), record=[Average("inputs", "rate")]).seen[Average("inputs", "rate")].mean() > 0.03
    )


def test_a_loop_of_the_callers_sees_what_a_trial_sees(h, ranks, model):
    """Begun at t > 0, spikes and windows count from there; the clamps of the teacher follow."""
    from segdend_plugin.learner import Learner
    from segdend_plugin.rule.guerguiev import Guerguiev
    from segdend_plugin.rule.phases import TwoPhase

    heard = raster(h, ranks.pc)
    network = model.attach()
    learner = Learner(network, Guerguiev(phases=TwoPhase(50, 50, 20, jitter=False)), learning_rates=0.1)
    spikes = Trace("out", "spikes")
    h.finitialize(-65)
    for k in range(2):
        begin = h.t
        shown = learner.begin_trial(Stimulus({"inputs": np.full(10, 0.5)}, {"out": TARGET}), record=[spikes])
        clamp = model.clamps[9]
        assert (clamp.delay, clamp.dur, clamp.amp) == (pytest.approx(begin + 50), pytest.approx(50), pytest.approx(0.1))
        ranks.pc.psolve(begin + shown.duration)
        outcome = learner.end_trial()
        counts = np.zeros((shown.end, 4))
        for time, gid in heard():
            step = round((time - begin) / DT) - 1
            if gid in range(7, 11) and 0 <= step < shown.end:
                counts[step, gid - 7] += 1
        np.testing.assert_array_equal(outcome.seen[spikes], counts)
        assert counts[:, 0].sum() >= 1
        assert learner.example == k + 1
    learner.present(Stimulus({"inputs": np.full(10, 0.5)}))
    assert (clamp.dur, clamp.amp) == (0, 0)


def test_potentials_are_read_where_synapses_land(h, ranks, model):
    network = model.attach()
    tuft, soma = Trace("hidden", "potential", Place(of="out->hidden")), Trace("hidden", "potential")
    mean = Average("hidden", "potential", Place(of="out->hidden"), "forward")
    rate, equivalent = (Average("hidden", quantity, window="forward") for quantity in ("rate", "potential"))
    potential = h.Vector().record(model.somas[103](0.5)._ref_v)
    reached = {target for _, target, _ in model.back}
    seen = run(network, [tuft, soma, mean, rate, equivalent])
    for gid in range(100, 108):
        there = seen[tuft][:, gid - 100]
        assert (there == (seen[soma][:, gid - 100] if gid in reached else 0)).all()
    np.testing.assert_allclose(seen[soma][:, 3], (np.array(potential)[1:] + 65) / 10, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(seen[mean], seen[tuft][400:1000].mean(axis=0), rtol=1e-9, atol=1e-12)
    spikes = seen[rate] * 30
    np.testing.assert_allclose(1 / (1 + np.exp(-seen[equivalent])), (spikes + 0.5) / 7, rtol=1e-9)


MOD = """
NEURON { POINT_PROCESS TwoWeights NONSPECIFIC_CURRENT i RANGE g }
UNITS { (nA) = (nanoamp) (mV) = (millivolt) (uS) = (microsiemens) }
ASSIGNED { v (mV) i (nA) }
STATE { g (uS) }
INITIAL { g = 0 }
BREAKPOINT { SOLVE decay METHOD cnexp i = g*v }
DERIVATIVE decay { g' = -g/3 }
NET_RECEIVE (first, second) { g = g + second }
"""
INDEX = """
import sys
from segdend_plugin.engine.session import session
pc = session().ranks.pc
from neuron import h
import numpy as np
from segdend_plugin.hosts.neuron import Gids, NetCons, attach
from segdend_plugin.model.changes import Changes, Outer
from segdend_plugin.model.streams import Purpose
from segdend_plugin.model.trial import Stimulus, Trial, Window
h.nrn_load_dll(sys.argv[1])
h.dt = 0.1
stim, soma = h.NetStim(), h.Section()
stim.number, stim.start = 1, 2
for gid, netcon in ((3, h.NetCon(stim, None)), (4, h.NetCon(soma(0.5)._ref_v, None, sec=soma))):
    pc.set_gid2node(gid, 0)
    pc.cell(gid, netcon)
synapse = h.TwoWeights(soma(0.5))
netcon = pc.gid_connect(3, synapse)
netcon.weight[0], netcon.weight[1], netcon.delay = 5, 0.25, 1
network = attach({"a": Gids([3]), "b": Gids([4])}, [NetCons("a->b", "a", "b", [(3, 4, netcon)], index=1)])
seen = network.run(Trial(0, Stimulus({}), (Window("w", 0, 100),), 100, 0.1, False), Purpose.TRAINING_SPIKES, ())
network.apply([network.bind([seen], Changes((Outer("a->b", np.ones(1), pre=np.ones(1)),)))])
print(netcon.weight[0], netcon.weight[1])
"""


PLAYER = """
NEURON { ARTIFICIAL_CELL VecStim RANGE next, count, due }
ASSIGNED { next count due (ms) }
VERBATIM
#include <vector>
static std::vector<std::vector<double>> played(64);
static size_t players = 0;
ENDVERBATIM
CONSTRUCTOR {
VERBATIM
    count = players++;
ENDVERBATIM
}
INITIAL { next = 0 later() if (due >= 0) { net_send(due - t, 1) } }
NET_RECEIVE (w) {
    if (flag == 1) { net_event(t) next = next + 1 later() if (due >= 0) { net_send(due - t, 1) } }
}
PROCEDURE later() {
VERBATIM
    auto const& own = played[size_t(count)];
    due = size_t(next) < own.size() ? own[size_t(next)] : -1.0;
ENDVERBATIM
}
PROCEDURE play() {
VERBATIM
    IvocVect* const given = vector_arg(1);
    double const* const first = vector_vec(given);
    played[size_t(count)].assign(first, first + vector_capacity(given));
ENDVERBATIM
}
"""
PLAYED = """
import sys
from segdend_plugin.engine.session import session
pc = session().ranks.pc
from neuron import h
import numpy as np
from segdend_plugin import kinds
from segdend_plugin.hosts.neuron import Gids, NetCons, attach
from segdend_plugin.model.streams import Purpose
from segdend_plugin.model.trial import Signal, Stimulus, Trains, Trial, Window
h.nrn_load_dll(sys.argv[1])
h.dt = 0.1
stims, soma = [h.VecStim() for _ in range(20)], h.Section()
for gid, netcon in (*((k, h.NetCon(stim, None)) for k, stim in enumerate(stims)),
                    (50, h.NetCon(soma(0.5)._ref_v, None, sec=soma))):
    pc.set_gid2node(gid, 0)
    pc.cell(gid, netcon)
synapse = h.ExpSyn(soma(0.5))
netcons = [(k, 50, pc.gid_connect(k, synapse)) for k in range(20)]
network = attach(
    {"a": Gids(range(20), kinds.Generator(100.0)), "b": Gids([50])}, [NetCons("a->b", "a", "b", netcons)]
)
times, gids = h.Vector(), h.Vector()
pc.spike_record(-1, times, gids)

def spikes(drive, example=0):
    window = Window("w", 0, 10000)
    network.run(Trial(example, Stimulus({"a": drive}), (window,), 10000, 0.1, False), Purpose.TRAINING_SPIKES, ())
    found = np.array(times), np.array(gids)
    return found[0][found[1] < 20], found[1][found[1] < 20]

given = Trains(np.array([3.0, 7.5, 7.5, 20.0]), np.array([4, 0, 19, 4]))
t, g = spikes(given)
print(sorted(zip(t.round(6).tolist(), g.astype(int).tolist())))
t, g = spikes(np.where(np.arange(20) < 10, 1.0, 0.0))
print(len(t), int(g.max()))
again = spikes(np.where(np.arange(20) < 10, 1.0, 0.0))
other = spikes(np.where(np.arange(20) < 10, 1.0, 0.0), example=1)
print((again[0] == t).all(), len(other[0]) == len(t) and bool((other[0] == t).all()))
course = Signal(np.array([0.0, 500.0, 1000.0]), np.repeat([[0.2], [1.0]], 20, axis=1))
t, g = spikes(course)
print((t < 500).sum(), (t >= 500).sum())
"""


def compiled(source, folder):
    """Return a library of a mechanism of somebody's own."""
    (folder / "own.mod").write_text(source)
    compiler = shutil.which("nrnivmodl", path=str(Path(sys.executable).parent))
    subprocess.run([compiler], cwd=folder, check=True, capture_output=True)
    return str(next(folder.rglob("libnrnmech.*")))


def test_another_weight_of_a_netcon_can_learn(tmp_path):
    command = [sys.executable, "-c", INDEX, compiled(MOD, tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-2:] == ["5.0", "1.25"]


def test_vecstims_send_what_the_task_says(tmp_path):
    """Given spikes to the microsecond; levels as Poisson trains, which a key repeats; courses of levels."""
    command = [sys.executable, "-c", PLAYED, compiled(PLAYER, tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    given, levels, keyed, course = done.stdout.splitlines()[-4:]
    assert given == "[(3.0, 4), (7.5, 0), (7.5, 19), (20.0, 4)]"
    count, last = map(int, levels.split())
    assert abs(count - 1000) < 4 * 1000**0.5
    assert last == 9
    assert keyed == "True False"
    early, late = map(int, course.split())
    assert abs(early - 200) < 4 * 200**0.5
    assert abs(late - 1000) < 4 * 1000**0.5


def sentence(error):
    return str(error.value).count("\n") == 0 and str(error.value).endswith(".")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"out": [7, 8, 9, 55]}, "no rank has a cell of gid 55"),
        ({"out": [7, 8, 9, 100]}, "gid 100 occurs twice"),
        ({"inputs": "poisson of hidden"}, "gid 100 is no SegDendInput"),
        ({"netcons": "other source"}, "has the source 102, which is to be a cell of 'out'"),
        ({"netcons": "other target"}, "reaches no cell of 'hidden' on this rank"),
        ({"netcons": "twice"}, "is given twice"),
        ({"netcons": "none"}, "no rank has a NetCon of it"),
        ({"index": 1}, "has 1 weights, none of number 1"),
        ({"teachers": "one"}, "gid 8 has no teacher"),
        ({"teachers": "synapse"}, "give an IClamp"),
        ({"background": -1}, "a number is -1"),
        ({"background": 10**9}, "no small part of dt"),
        ({"seed": -1}, "seed=-1"),
        ({"pre": "elsewhere"}, "no population 'elsewhere'"),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(h, ranks, model, change, said):
    from segdend_plugin.engine.kinds.own import Own
    from segdend_plugin.engine.kinds.poisson import Poisson
    from segdend_plugin.hosts.neuron import Gids, NetCons, Teacher, attach

    hidden = Gids(range(100, 108), Poisson() if "inputs" in change else Own())
    clamps = {"one": {7: Teacher(model.clamps[7], 1)}, "synapse": {7: Teacher(model.synapses[7], 1)}}.get(
        change.get("teachers"), {}
    )
    netcon = model.recurrent[0][2] if change.get("netcons") == "other source" else model.back[0][2]
    source, target = model.back[0][:2]
    if change.get("netcons") == "other source":
        source, target = 7, model.recurrent[0][1]
        netcon = next(one for pre, post, one in model.recurrent if pre == 102)
    netcons = [(source, 7 if change.get("netcons") == "other target" else target, netcon)]
    netcons *= {"twice": 2, "none": 0}.get(change.get("netcons"), 1)
    sets = [NetCons("back", change.get("pre", "out"), "hidden", netcons, role="feedback", index=change.get("index", 0))]
    background = {change["background"]: h.NetStim()} if "background" in change else None
    with pytest.raises(ConfigError, match=said) as error:
        attach(
            {"hidden": hidden, "out": Gids(change.get("out", range(7, 11)), teachers=clamps)},
            [] if "inputs" in change else sets,
            background=background,
            seed=change.get("seed", 0),
        )
    assert sentence(error)


def test_networks_of_ours_and_of_others_keep_apart(h, ranks, model):
    """A model's gids are not given up with ours, and ours do not take them."""
    from segdend_plugin.engine.kinds.base import CellHandle
    from segdend_plugin.engine.layered import layered
    from segdend_plugin.engine.session import session
    from segdend_plugin.hosts.neuron import attach, create

    session().begin(owns_gids=True)
    with pytest.raises(SegDendError, match="in a process of its own") as error:
        attach({}, [])
    assert sentence(error)
    session()._owns_gids = False
    graph = layered([110, 2], "three_compartment")
    with pytest.raises(ConfigError, match="gid 7 is taken") as error:
        create(graph, {"input": [CellHandle(7, point=h.SegDendInput())]})
    assert sentence(error)
    session()._owns_gids = False
    h.CVode().active(True)
    with pytest.raises(ConfigError, match="variable time step is on") as error:
        model.attach()
    h.CVode().active(False)
    assert sentence(error)


def test_what_own_cells_cannot_do_is_said_in_a_sentence(model):
    from segdend_plugin.learner import Learner
    from segdend_plugin.rule.feedback import Feedback
    from segdend_plugin.rule.guerguiev import Guerguiev

    network = model.attach()
    with pytest.raises(ConfigError, match="hh cells") as error:
        Learner(network, Guerguiev(plateau="nmda"))
    assert sentence(error)
    learner = Learner(network, Guerguiev(feedback=Feedback(kind="symmetric")), learning_rates=0.1)
    shown = Stimulus({"inputs": np.zeros(10)}, {"out": TARGET})
    with pytest.raises(ConfigError, match="'out->hidden': it is sparse") as error:
        learner.begin_trial(shown)
    assert sentence(error)
    course = Stimulus({"inputs": np.zeros(10)}, {"out": Signal(np.array([0.0, 50.0]), TARGET[None])})
    with pytest.raises(ConfigError, match="the target changes in time") as error:
        network.run(Trial(0, course, WINDOWS, END, DT, True), Purpose.TRAINING_SPIKES, ())
    assert sentence(error)
    apart = (Window("a", 0, 100, 0, True), Window("b", 100, 200, 100), Window("c", 200, 300, 200, True))
    with pytest.raises(ConfigError, match="let it speak in neighbours only") as error:
        network.run(Trial(0, shown, apart, 300, DT, True), Purpose.TRAINING_SPIKES, ())
    assert sentence(error)
    with pytest.raises(ConfigError, match="there is no trace of their rate") as error:
        run(network, [Trace("hidden", "rate")])
    assert sentence(error)
    with pytest.raises(ConfigError, match="nothing lands on its tuft") as error:
        run(network, [Average("out", "potential", Place("tuft"))])
    assert sentence(error)
