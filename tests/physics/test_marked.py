"""Connection rules that NetPyNE connects, and whose NetCons learn."""

import gc
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from segdend_plugin.errors import ConfigError, SegDendError
from segdend_plugin.model.changes import Outer
from segdend_plugin.model.places import SOMA, Place
from segdend_plugin.model.streams import Purpose
from segdend_plugin.model.trial import Stimulus
from segdend_plugin.model.wants import Average, Filtered, Trace

sys.path.append(str(Path(__file__).resolve().parents[1]))

PHASES = {"forward": 60.0, "target": 60.0, "settle": 10.0, "test": 60.0, "jitter": False}


def create(**options):
    from netpyne_model import parameters

    from segdend_plugin.hosts.netpyne import create

    net, config = parameters(**{key: options.pop(key) for key in ("signed", "marked") if key in options})
    for label, more in options.pop("rules", {}).items():
        net.connParams[label] = dict(net.connParams.get(label, net.connParams["in->mid"])) | more
    return create(net, config, **options)


def plain(**options):
    """Build the model without the plugin, and return NetPyNE's sim."""
    from netpyne import sim
    from netpyne_model import parameters

    net, config = parameters(marked=False, **options)
    sim.create(net, config)
    sim.preRun()
    return sim


def table(sim):
    """Return label, source, target, weight and delay of all connections of a model."""
    return sorted(
        (conn.get("label", ""), conn["preGid"], cell.gid, conn["synMech"], conn["hObj"].weight[0], conn["hObj"].delay)
        for cell in sim.net.cells
        for conn in cell.conns
        if conn["preGid"] != "NetStim"
    )


def phases():
    from segdend_plugin import rules

    return rules.TwoPhase(**PHASES)


def test_sets_are_the_connections_that_netpyne_makes(h):
    """Sources, targets, weights and delays, whatever a rule says by probability, convergence or functions."""
    expected = [row for row in table(plain()) if row[0] != "mid->aside"]
    network = create(exact=False)
    found = []
    for name, one in network.sets.items():
        pre, post = (network.graph.set(name).pre[0], network.graph.set(name).post)
        gids = {p: min(network.gids(p)) for p in (pre, post)}
        pairs = zip(one.pre, one.post_positions, one.weights, one.delays, strict=True)
        found += [(name, gids[pre] + i, gids[post] + k, float(w), float(d)) for i, k, w, d in pairs]
    excite = sorted(
        (label, pre, post, weight, delay) for label, pre, post, syn, weight, delay in expected if syn == "exc"
    )
    assert sorted(found) == excite
    assert len(excite) == len(expected) / 2


@pytest.mark.parametrize(
    "more",
    [
        {"connList": [[0, 0], [3, 1], [5, 1]], "weight": [0.001, 0.002, 0.003], "delay": [1.0, 2.0, 3.0]},
        {"divergence": 3, "weight": "uniform(0.001, 0.002)"},
        {"synsPerConn": 2, "sec": ["soma", "dend"]},
        {"preConds": {"cellModel": "NetStim"}, "postConds": {"cellType": "PYR", "y": [0, 100]}},
        {"weightIndex": 0, "threshold": 5.0},
    ],
)
def test_all_fields_of_a_rule_keep_their_meaning(h, more):
    from netpyne_model import parameters

    from segdend_plugin.hosts.netpyne import create

    def changed(*, marked):
        net, config = parameters(signed=False, marked=marked)
        given = {key: net.connParams["in->mid"][key] for key in ("preConds", "postConds", "synMech", "weight", "delay")}
        given |= {key: net.connParams["in->mid"][key] for key in ("plast",) if marked}
        net.connParams["in->mid"] = given | more
        return net, config

    from netpyne import sim

    sim.create(*changed(marked=False))
    expected = [row for row in table(sim) if row[0] == "in->mid"]
    clear_all(sim)
    network = create(*changed(marked=True), exact=False)
    assert [row for row in table(sim) if row[0] == "in->mid"] == expected
    ours = [one for name, one in network.sets.items() if name.split(":")[0] == "in->mid"]
    assert sum(len(one.weights) for one in ours) == len(expected) > 0


def clear_all(sim):
    sim.net = None
    gc.collect()
    sim.pc.gid_clear()


def test_a_pair_of_synapses_has_a_signed_weight(h):
    network = create(exact=False)
    one = network.sets["in->mid"]
    assert one.connections.bounds == (-np.inf, np.inf)
    given = np.random.default_rng(0).normal(0.0, 0.002, len(one.weights))
    one.put(given)
    from netpyne import sim

    shown = {}
    for label, pre, post, synapse, weight, _ in table(sim):
        if label == "in->mid":
            shown[pre, post, synapse] = weight
    first = {p: min(network.gids(p)) for p in ("in", "mid")}
    for pre, post, weight in zip(one.pre, one.post_positions, given, strict=True):
        key = first["in"] + pre, first["mid"] + post
        assert shown[(*key, "exc")] == max(weight, 0.0)
        # driving forces at -60 mV, 60 and 20 mV, to a power of two
        assert shown[(*key, "inh")] == 4.0 * max(-weight, 0.0)
    one.prepare(trial(network, 0), keep=False)
    np.testing.assert_array_equal(one.weights, given)


def trial(network, example):
    stimulus = Stimulus({"in": np.full(12, 1.0)}, {"out": np.array([1.0, 1.0, 0.0, 0.0])})
    return phases().trial(network.graph, stimulus, example, taught=True)


def test_weights_that_somebody_changes_are_taken_and_no_others(h):
    network = create(exact=False)
    one = network.sets["in->mid"]
    one.put(-np.linspace(0.0001, 0.003, len(one.weights)))
    before = one.weights.copy()
    one.netcons[3].weight[0] = 0.01
    one.prepare(trial(network, 0), keep=False)
    changed = one.weights != before
    assert changed.tolist() == [k == 3 for k in range(len(before))]
    assert one.weights[3] == pytest.approx(0.01 + before[3])


def test_inhibitory_synapses_learn_to_inhibit_less(h):
    """A rule of one inhibitory synMech: what raises the drive of a cell lowers its weights, down to 0."""
    network = create(rules={"brake": {"probability": 0.5, "synMech": "inh", "weight": 0.002}}, signed=False)
    brake, up = network.sets["brake"], network.sets["in->mid"]
    assert brake.connections.bounds == (0.0, np.inf)
    drive = Average("mid", "drive", Place("basal"), "forward")
    trains = {one: Filtered(one.connections.name, "forward") for one in (brake, up)}
    seen = network.run(trial(network, 0), Purpose.TRAINING_SPIKES, [drive, *trains.values()])
    expected = np.zeros(6)
    for one, want in trains.items():
        signs = -1.0 if one is brake else 1.0
        np.add.at(expected, one.column, signs * abs(one.unit) * one.weights * seen[want])
    np.testing.assert_allclose(seen[drive], expected, rtol=1e-12)
    before = brake.weights.copy()
    added = Outer("brake", np.full(6, 0.1 * abs(brake.unit)), window="forward")
    brake.bind(added, brake.factors(added, {"forward": 0}, keep=False), np.arange(6)).add()
    brake.bound()
    assert (seen[trains[brake]] > 0).any()
    np.testing.assert_allclose(brake.weights, np.maximum(before - 0.1 * seen[trains[brake]], 0.0), rtol=1e-9)


def test_a_rule_cannot_excite_here_and_inhibit_there(h):
    mixed = {"synMech": ["exc", "exc", "inh"], "weight": [0.001, 0.001, 0.001]}
    with pytest.raises(ConfigError, match="excite and some inhibit"):
        create(rules={"in->mid": mixed})


def test_a_single_synapse_has_a_weight_of_zero_or_more(h):
    network = create(signed=False)
    assert network.graph.set("in->mid").bounds == (0.0, np.inf)
    assert not network.graph.set("out->mid").learned
    clear_all_of(network)
    bounded = {"in->mid": {"plast": {"mech": "SegDend", "params": {"bounds": [0.0005, 0.002]}}}}
    assert create(signed=False, rules=bounded).graph.set("in->mid").bounds == (0.0005, 0.002)


def clear_all_of(network):
    network.close()


def test_cells_spike_as_in_the_model_without_the_plugin(h, ranks):
    """The same streams of noise, no teacher, no longer delays: every spike is where it was, those aside, too."""
    from segdend_plugin.learner import Learner
    from segdend_plugin.model import streams
    from segdend_plugin.model.streams import Purpose

    levels, example, seed = np.linspace(0.2, 1.0, 12), 7, 3
    sim = plain()
    key = streams.spike_key(seed, Purpose.TEST_SPIKES, example)
    number = 0
    first = min(cell.gid for cell in sim.net.cells if cell.tags["pop"] == "mid")
    for cell in sim.net.cells:
        if cell.tags["pop"] == "in":
            cell.hPointp.interval = 1000.0 / (80 * levels[cell.gid])
            cell.hPointp.noiseFromRandom123(cell.gid, key, example)
        for stim in cell.stims:  # numbered after the 22 cells that the plugin counts
            stim["hObj"].noiseFromRandom123(22 + cell.gid, key, example)
            number += 1
    assert (number, first) == (6, 12)
    expected = spikes(h, ranks, lambda: (h.finitialize(-70), ranks.pc.psolve(60)))
    clear_all(sim)
    network = create(seed=seed, exact=False)
    learner = Learner(network, phases=phases())
    shown = Stimulus({"in": levels})
    found = spikes(h, ranks, lambda: learner.present(shown, example=example))
    assert found == expected
    assert {gid for _, gid in found} >= {12, 22}


def spikes(h, ranks, run):
    times, gids = h.Vector(), h.Vector()
    ranks.pc.spike_record(-1, times, gids)
    run()
    return sorted(zip(np.array(times).tolist(), np.array(gids).astype(int).tolist(), strict=True))


def test_inputs_fire_at_their_declared_rate_times_the_level(h, ranks):
    from segdend_plugin.learner import Learner

    network = create()
    learner = Learner(network, phases=phases())
    levels = np.repeat([0.0, 0.25, 1.0], 4)
    counts = np.zeros(12)
    for example in range(40):
        found = spikes(h, ranks, lambda e=example: learner.present(Stimulus({"in": levels}), example=e))
        for _, gid in found:
            if gid < 12:
                counts[gid] += 1
    rates = counts.reshape(3, 4).sum(axis=1) / (4 * 40 * 0.06)
    assert rates[0] == 0.0
    # Poisson: 4 x 40 trials of 60 ms expect 192 and 768 spikes
    assert rates[1] == pytest.approx(20.0, abs=4 * np.sqrt(192) / 9.6)
    assert rates[2] == pytest.approx(80.0, abs=4 * np.sqrt(768) / 9.6)


def test_trials_have_noise_of_their_own_and_repeat(h, ranks):
    from segdend_plugin.learner import Learner

    learner = Learner(create(), phases=phases())
    shown = Stimulus({"in": np.full(12, 1.0)})
    three = [spikes(h, ranks, lambda e=e: learner.present(shown, example=e)) for e in (0, 1, 0)]
    assert three[0] == three[2] != three[1]


def test_an_input_that_changes_in_time_is_refused(h):
    from segdend_plugin.learner import Learner
    from segdend_plugin.model.trial import Signal

    learner = Learner(create(), phases=phases())
    course = Signal(np.array([0.0, 30.0, 60.0]), np.ones((2, 12)))
    with pytest.raises(ConfigError, match=r"NetStims send constant rates only.*VecStim"):
        learner.present(Stimulus({"in": course}, duration=60.0))


def test_teachers_of_the_plugin_make_cells_fire_or_be_silent(h):
    from segdend_plugin.learner import Learner

    network = create()
    assert [p.name for p in network.graph.taught] == ["out"]
    learner = Learner(network, phases=phases())
    wants = [Average("out", "rate", SOMA, window) for window in ("forward", "target")]
    stimulus = Stimulus({"in": np.full(12, 0.0)}, {"out": np.array([1.0, 1.0, 0.0, 0.0])})
    seen = learner.present(stimulus, record=wants, taught=True).seen
    assert (seen[wants[0]] == 0).all()
    assert (seen[wants[1]][:2] > 0.03).all()
    assert (seen[wants[1]][2:] == 0).all()


def test_cells_of_the_model_are_driven_through_its_netstims(h, ranks):
    """An input population of ordinary cells: the task sets the rate of the NetStims that drive each of them."""
    from netpyne import sim
    from netpyne_model import NOISE, parameters, task

    from segdend_plugin import rules
    from segdend_plugin.hosts.netpyne import create
    from segdend_plugin.learner import Learner

    def relays(**inputs):
        net, config = parameters()
        net.popParams["in"] = {"cellType": "PYR", "numCells": 12}
        net.stimSourceParams["drive"] = {"type": "NetStim", "rate": 60, "noise": 1}
        net.stimSourceParams["nowhere"] = {"type": "NetStim", "rate": 60, "noise": 1}
        net.stimTargetParams["drive->in"] = {**NOISE, "source": "drive", "conds": {"pop": "in"}, "weight": 0.01}
        net.stimTargetParams["noise->in"] = {**NOISE, "conds": {"pop": "in"}, "weight": 1e-5}
        return create(net, config, seed=3, **inputs)

    network = relays(inputs={"in": "drive"})
    assert network.graph["in"].kind.rate == 60.0
    learner = Learner(network, rules.Measured(phases=phases()))
    shown = rules.Filtered("in->mid", "forward")
    heard = {True: 0.0, False: 0.0}
    for example, stimulus in enumerate(task(8).stimuli(range(8))):
        seen = learner.present(stimulus, record=[shown], example=example).seen[shown]
        strong = stimulus.drive["in"][network.sets["in->mid"].pre] == 1.0
        for which in heard:
            heard[which] += seen[strong == which].sum()
    assert heard[True] > 3 * heard[False]
    noise = [stim["hObj"] for cell in sim.net.cells for stim in cell.stims if stim["source"] == "noise"]
    assert {1000.0 / stim.interval for stim in noise} == {20.0}
    recorder, times, heard = h.NetCon(noise[0], None), h.Vector(), []
    recorder.record(times)
    for example in (0, 1, 0):
        learner.present(task(1).stimuli([0])[0], taught=True, example=example)
        heard.append(np.array(times).tolist())
    assert heard[0] == heard[2] != heard[1]  # noise has streams of its own in every example
    learner.answers(task(1))
    drives = [stim["hObj"] for cell in sim.net.cells for stim in cell.stims if stim["source"] == "drive"]
    np.testing.assert_allclose([1000.0 / stim.interval for stim in drives], 60.0)
    for inputs, words in (
        ({"in": "nothing"}, "no such source"),
        ({"mid": "drive"}, "reach it"),
        ({"in": "nowhere"}, "has 0 of this source: let stimTargetParams put one on every cell"),
    ):
        with pytest.raises(ConfigError, match=words):
            relays(inputs=inputs)


def test_teachers_that_the_model_names(h):
    from netpyne_model import parameters

    from segdend_plugin.hosts.netpyne import create
    from segdend_plugin.learner import Learner

    net, config = parameters()
    net.stimSourceParams["push"] = {"type": "IClamp", "del": 0, "dur": 1e9, "amp": 0.25}
    net.stimSourceParams["hold"] = {"type": "NetStim", "rate": 200, "noise": 0}
    where = {"sec": "soma", "loc": 0.5, "conds": {"pop": "out"}}
    net.stimTargetParams["push->out"] = {"source": "push", **where}
    net.stimTargetParams["hold->out"] = {"source": "hold", "synMech": "inh", "weight": 0.02, "delay": 0.1, **where}
    network = create(net, config, teachers={"out": ["push", "hold"]})
    learner = Learner(network, phases=phases())
    want = Average("out", "rate", SOMA, "target")
    trace = Trace("out", "potential")
    stimulus = Stimulus({"in": np.zeros(12)}, {"out": np.array([1.0, 1.0, 0.0, 0.0])})
    seen = learner.present(stimulus, record=[want, trace], taught=True).seen
    assert (seen[want][:2] > 0.01).all()
    assert (seen[want][2:] == 0).all()
    clamps = network.cells["out"].teachers
    assert [one.clamp.amp for one in clamps if hasattr(one, "clamp")] == [0.25, 0.25, 0.0, 0.0]
    # held down by 200 Hz of inhibition, in the target phase alone
    assert seen[trace][-1, 2] < seen[trace][590, 2] - 2.0 or seen[trace][-1, 2] < -2.0


def test_trials_within_a_run_of_netpynes_own(h):
    """Under runSimWithIntervalFunc each interval is a trial, and NetPyNE's raster has the spikes of all of them."""
    from netpyne import sim
    from netpyne_model import parameters, task

    from segdend_plugin import rules
    from segdend_plugin.hosts.netpyne import create
    from segdend_plugin.learner import Learner

    net, config = parameters()
    net.popParams["in"] = {"cellModel": "SegDendInput", "numCells": 12}
    learner = Learner(create(net, config, seed=3), rules.Measured(phases=phases()))
    examples = task(8)
    learner.survey(examples, tune=True)
    before = learner.weights("in->mid").copy()
    length, outcomes = phases().trial(learner.graph, examples.stimuli([0])[0], 0, taught=True).end * 0.1, []
    sim.cfg.duration = 4 * length

    def step(time):
        if time > length:
            outcomes.append(learner.end_trial())
        if time < 3.5 * length:
            learner.begin_trial(examples.stimuli([len(outcomes)])[0])

    sim.runSimWithIntervalFunc(length, step)
    sim.gatherData()
    assert [outcome.example for outcome in outcomes] == [0, 1, 2]
    assert (learner.weights("in->mid") != before).any()
    times = np.array(sim.allSimData["spkt"])
    assert all(((times > k * length) & (times <= (k + 1) * length)).any() for k in (1, 2, 3))


def test_plateaus_are_read_where_the_rule_says(h):
    elsewhere = {"plast": {"mech": "SegDend", "params": {"role": "feedback", "sec": "dend", "loc": 0.3}}}
    tuft = Trace("mid", "potential", Place(of="out->mid"))
    from netpyne import sim

    for rules, loc in (({}, 1.0), ({"out->mid": elsewhere}, 0.3)):
        network = create(rules=rules)
        cells = [cell for cell in sim.net.cells if cell.tags["pop"] == "mid"]
        wanted = [h.Vector().record(cell.secs["dend"]["hObj"](loc)._ref_v) for cell in cells]
        seen = network.run(trial(network, 0), Purpose.TRAINING_SPIKES, [tuft])[tuft]
        expected = np.array([np.array(vector)[1:] for vector in wanted]).T + 70
        np.testing.assert_allclose(seen, expected[: len(seen)], rtol=1e-9, atol=1e-9)
    for params, words in (
        ({"role": "feedback", "sec": "apic"}, "has the sections soma, dend: name one"),
        ({"role": "feedback", "loc": 0.5}, "name the section where plateaus are read"),
        ({"sec": "dend"}, "in a rule with role='feedback'"),
        ({"role": "feedback", "sec": "dend", "loc": 2}, "from 0 to 1"),
    ):
        with pytest.raises(ConfigError, match=words):
            create(rules={"out->mid": {"plast": {"mech": "SegDend", "params": params}}})


def point_cells(population):
    """Return a network one of whose populations is of artificial cells, and a learner of it."""
    from netpyne_model import parameters

    from segdend_plugin import rules
    from segdend_plugin.hosts.netpyne import create
    from segdend_plugin.learner import Learner

    net, config = parameters(signed=False)
    net.popParams[population] = {"cellModel": "IntFire1", "numCells": net.popParams[population]["numCells"]}
    net.popParams[population] |= {"tau": 20.0}
    for rule in net.connParams.values():
        if rule["postConds"]["pop"] == population:
            for key in ("synMech", "sec", "loc"):
                rule.pop(key, None)
    if population == "mid":
        del net.stimTargetParams["noise->mid"]
    network = create(net, config, seed=3)
    return network, Learner(network, rules.Measured(phases=phases()))


def test_artificial_cells_answer(h):
    """IntFire cells of an output population: teachers act on them, and their weights are placed and learned."""
    from netpyne_model import task

    network, learner = point_cells("out")
    point = learner.survey(task(8), tune=True).points["out"]
    assert point.taught > 0.5 * point.peak
    before = network.sets["mid->out"].weights.copy()
    learner.fit(task(4))
    assert np.abs(network.sets["mid->out"].weights - before).max() > 0


def test_artificial_cells_have_no_tuft(h):
    with pytest.raises(ConfigError, match=r"reaches an artificial cell, without a membrane.*input or an output"):
        point_cells("mid")


def test_learned_weights_stand_in_the_tables_of_netpyne(h):
    from netpyne import sim
    from netpyne_model import task

    from segdend_plugin import rules
    from segdend_plugin.learner import Learner

    network = create(signed=False)
    learner = Learner(network, rules.Measured(phases=phases()))
    learner.survey(task(8), tune=True)
    learner.fit(task(6))
    shown = {}
    for cell in sim.net.cells:
        for conn in cell.conns:
            if conn.get("label") == "in->mid":
                shown[conn["preGid"], cell.gid] = conn["weight"]
    first = {p: min(network.gids(p)) for p in ("in", "mid")}
    one = network.sets["in->mid"]
    learned = {
        (first["in"] + i, first["mid"] + k): w
        for i, k, w in zip(one.pre.tolist(), one.post_positions.tolist(), one.weights.tolist(), strict=True)
    }
    assert shown == learned
    assert len(set(learned.values())) > 10


@pytest.mark.parametrize("format", ["pkl", "json"])
def test_a_saved_model_keeps_its_rules_and_its_weights(format, h, tmp_path):
    """And NetPyNE's own simulation has the declared input, the learned weights and no teacher."""
    from netpyne import sim
    from netpyne_model import parameters, task

    from segdend_plugin import rules
    from segdend_plugin.hosts.netpyne import create
    from segdend_plugin.learner import Learner

    net, config = parameters()
    config.filename, config.savePickle, config.saveJson = str(tmp_path / "model"), format == "pkl", format == "json"
    network = create(net, config, seed=5)
    learner = Learner(network, rules.Measured(phases=phases()))
    learner.survey(task(8), tune=True)
    learner.fit(task(4))
    answers = learner.answers(task(3))["out"]
    sim.simulate()
    assert {cell.hPointp.interval for cell in sim.net.cells if cell.tags["pop"] == "in"} == {1000 / 80}
    assert len(sim.allSimData["spkt"]) > 0
    teachers = [one.stim.number for one in network.cells["out"].teachers]
    assert teachers == [0.0] * 8
    sim.saveData()
    weights = {name: one.weights.tolist() for name, one in network.sets.items()}
    learner.save(tmp_path / "learned.h5")
    done = subprocess.run(
        [sys.executable, "-c", LOADED, str(Path(__file__).parents[1]), str(tmp_path), format],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout.split("RESULT")[1])
    assert loaded["weights"] == weights
    assert loaded["graph"] == str(network.graph)
    assert loaded["answers"] == answers.tolist()
    assert loaded["peak"] == learner.network.point("mid").peak


LOADED = """
import json, sys
sys.path.insert(0, sys.argv[1])
import segdend_plugin
segdend_plugin.start()
from netpyne import sim
from netpyne_model import task
from segdend_plugin import Learner, attach, rules

sim.load(sys.argv[2] + "/model_data." + sys.argv[3])
network = attach(sim, seed=5)
weights = {name: one.weights.tolist() for name, one in network.sets.items()}
phases = rules.TwoPhase(forward=60.0, target=60.0, settle=10.0, test=60.0, jitter=False)
learner = Learner(network, rules.Measured(phases=phases)).load(sys.argv[2] + "/learned.h5")
print("RESULT" + json.dumps({
    "weights": weights, "graph": str(network.graph), "answers": learner.answers(task(3))["out"].tolist(),
    "peak": network.point("mid").peak,
}) + "RESULT")
"""


def test_a_model_that_was_built_step_by_step_is_the_same(h):
    import copy

    from netpyne import sim
    from netpyne_model import parameters

    from segdend_plugin.hosts import attach

    network = create(seed=5)
    weights = {name: one.weights.copy() for name, one in network.sets.items()}
    text = str(network.graph)
    network._session.close()
    clear_all(sim)
    net, config = parameters()
    said = {label: net.connParams[label].pop("plast") for label in weights}
    sim.create(net, config)
    for label, plast in said.items():
        sim.net.params.connParams[label]["plast"] = copy.deepcopy(plast)
    again = attach(sim, seed=5)
    assert str(again.graph) == text
    for name, one in again.sets.items():
        np.testing.assert_array_equal(one.weights, weights[name])


PLAIN = """
import sys
sys.path.insert(0, sys.argv[1])
import segdend_plugin
segdend_plugin.start()
from netpyne import sim
from netpyne_model import parameters

net, config = parameters()
config.duration = 1.0
sim.create(net, config)
sim.simulate()
sim.simulate()
segdend_plugin.attach(sim)
print("ATTACHED")
sim.simulate()
"""


def test_a_marked_model_that_netpyne_runs_alone_says_what_to_call():
    done = subprocess.run(
        [sys.executable, "-c", PLAIN, str(Path(__file__).parents[1])],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    before, after = done.stdout.split("ATTACHED")
    (said,) = [line for line in before.splitlines() if "NetPyNE alone does not teach" in line]
    assert "connParams['in->mid']" in said
    assert "segdend_plugin.create(netParams, simConfig)" in said
    assert "segdend_plugin.attach(sim)" in said
    assert "alone" not in after


@pytest.mark.parametrize(
    ("label", "changes", "words"),
    [
        ("in->mid", {"dealy": 2.0}, ("connParams['in->mid']", "does not read 'dealy'", "remove it")),
        ("in->mid", {"shape": {"switchOnOff": [10, 20]}}, ("shape overwrites", "remove plast")),
        ("in->mid", {"plast": {"mech": "SegDend", "params": {"role": "up"}}}, ("role='up'", "'forward'")),
        ("in->mid", {"plast": {"mech": "SegDend", "params": {"sites": 8}}}, ("'sites'", "role, learned, bounds")),
        ("in->mid", {"plast": {"mech": "SegDend", "params": {"learned": 1}}}, ("learned=1", "True or False")),
        ("in->mid", {"plast": {"mech": "SegDend", "params": {"bounds": 3}}}, ("bounds=3", "lowest")),
        (
            "in->mid",
            {"plast": {"mech": "SegDend", "params": {"bounds": [2, 1]}}},
            ("bounds=[2, 1]", "lowest weight first"),
        ),
        ("in->mid", {"plast": {"mech": "SegDend", "params": {"dense": "no"}}}, ("dense='no'", "True or False")),
        ("in->mid", {"preConds": {"pop": "nobody"}}, ("connParams['in->mid']", "made no connection", "mend")),
    ],
)
def test_mistakes_in_a_rule(h, label, changes, words):
    with pytest.raises(ConfigError) as caught:
        create(rules={label: changes})
    said = str(caught.value)
    assert "\n" not in said
    for word in words:
        assert word in said


def test_mistakes_in_what_goes_with_the_rules(h):
    from netpyne_model import parameters

    from segdend_plugin.hosts.netpyne import attach, create

    net, config = parameters()
    config.cvode_active = True
    with pytest.raises(ConfigError, match="cvode_active=True"):
        create(net, config)
    net, config = parameters()
    with pytest.raises(ConfigError, match=r"teachers: no marked rule reaches a population 'in'"):
        create(net, config, teachers={"in": "noise"})
    with pytest.raises(ConfigError, match=r"teachers\['out'\]=\['noise'\]: cell \d+ has none of these stimuli"):
        create(net, config, teachers={"out": "noise"})
    net, config = parameters()
    net.connParams["in->aside"] = {
        "preConds": {"pop": "in"},
        "postConds": {"pop": "aside"},
        "plast": {"mech": "SegDend", "params": {"role": "forward"}},
    }
    with pytest.raises(ConfigError, match="'in->aside' is a dense set, and NetPyNE connects 'in->mid'"):
        create(net, config)
    from netpyne import sim

    network = create(*parameters())
    with pytest.raises(SegDendError, match="this process holds a network that the plugin has built"):
        attach(sim)
    network._session.close()
    sim.create(*parameters(marked=False))
    with pytest.raises(ConfigError, match=r"no rule has 'plast': {'mech': 'SegDend'}"):
        attach(sim)
