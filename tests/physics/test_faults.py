"""Faults that were found by reading, each with the test that would have caught it: networks in NEURON."""

import subprocess
import sys
from dataclasses import dataclass, replace
from math import exp

import numpy as np
import pytest

from segdend_plugin import tasks
from segdend_plugin.cells.templates import Membrane
from segdend_plugin.engine.kinds.cable import Cable
from segdend_plugin.engine.kinds.lumped import Lumped
from segdend_plugin.engine.kinds.poisson import Poisson
from segdend_plugin.engine.layered import chain, layered
from segdend_plugin.errors import ConfigError, SegDendError
from segdend_plugin.learner import Learner
from segdend_plugin.model.changes import Bias, Changes, Outer
from segdend_plugin.model.graph import Connections, Graph, Initial, Population
from segdend_plugin.model.places import FEEDBACK, SOMA
from segdend_plugin.model.state import weights_sha256
from segdend_plugin.model.streams import Purpose
from segdend_plugin.model.trial import Stimulus, Trains, Trial, Window
from segdend_plugin.model.wants import Average, Filtered, Trace, Weights
from segdend_plugin.resources import folder
from segdend_plugin.rule.base import Local
from segdend_plugin.rule.feedback import Feedback
from segdend_plugin.rule.guerguiev import Guerguiev
from segdend_plugin.rule.phases import TwoPhase
from segdend_plugin.tasks.images import arrays

L4 = Cable("mouse_v1_l4_nr5a1", "mouse_v1_l4_nr5a1", Membrane(nseg=1))
SIZES = [8, 4, 3]
IMAGES = np.random.default_rng(0).uniform(size=(6, SIZES[0]))
LABELS = np.arange(6) % SIZES[-1]
PHASES = TwoPhase(forward=20.0, target=20.0, settle=8.0, test=30.0)


def build(graph):
    from segdend_plugin.hosts import description

    return description.build(graph)


def learner(seed=0, kind="three_compartment", **options):
    return Learner(layered(SIZES, kind, seed=seed), phases=PHASES, **options)


def digest(one):
    weights, biases = one.network.gather()
    return weights_sha256(one.graph, weights, biases)


def stimulus(label=None):
    return Stimulus({"input": IMAGES[0]}, {} if label is None else {"output": np.eye(SIZES[-1])[label]})


def trial(graph, label=1, example=0):
    return PHASES.trial(graph, stimulus(label), example, taught=label is not None)


def refused(call, *words):
    """Check that a call is answered with one sentence that has these words."""
    with pytest.raises(SegDendError) as error:
        call()
    said = str(error.value)
    assert "\n" not in said
    assert said.endswith(".")
    for word in words:
        assert word in said
    return said


# ---- what is no longer finite


@pytest.mark.parametrize("kind", ["three_compartment", "mouse_v1_l4_nr5a1"])
@pytest.mark.parametrize("population", [0, 1])
def test_a_weight_or_bias_that_is_not_finite_is_told_with_its_cell_and_gid(kind, population):
    one = learner(kind=kind)
    p = (*one.graph.hidden, one.graph["output"])[population]
    c = one.graph.onto(p.name, "forward")[0]
    assert one.network.not_finite() == []
    one.network.sets[c.name].weights[2, 1] = np.inf
    one.network.biases(p.name)[0] = np.nan
    assert one.network.not_finite() == [(f"weight of {c.name!r}", p.name, 1), (f"bias of {c.name!r}", p.name, 0)]
    image = tasks.arrays(np.zeros((1, SIZES[0])), [0], classes=SIZES[-1])
    gid = one.network.gids(p.name)[0]
    refused(lambda: one.partial_fit(image), "learning diverges", f"cell 0 of {p.name!r} (gid {gid})", "lower the")


# ---- the membrane time constant


def filtered(tau, ages):
    """Return (exp(-t/tau) - exp(-t/3))/(tau - 3), with its limit at 3 ms, of ages in ms."""
    if tau == 3.0:
        return sum(t * exp(-t / 3.0) / 9.0 for t in ages)
    return sum((exp(-t / tau) - exp(-t / 3.0)) / (tau - 3.0) for t in ages)


def test_traces_of_learning_have_the_membrane_time_constant(ranks):
    """Whatever the membrane, learning filtered its inputs with 10 ms."""
    trains = {0: [4.0, 31.0], 1: [12.0, 40.0, 55.0], 2: []}
    spikes = sorted((time, cell) for cell, times in trains.items() for time in times)
    shown = Trains(np.array([time for time, _ in spikes]), np.array([cell for _, cell in spikes]))
    window, arrive = Window("forward", 30, 60), 1.0
    found = {}
    for tau in (10.0, 30.0, 3.0):
        kind = replace(L4, membrane=replace(L4.membrane, time_constant=tau))
        network = build(chain(0, 1.0, 3, [[("hidden", 1, kind)]], ("output", 2, Lumped())))
        want = Filtered("input->hidden")
        seen = network.run(
            Trial(0, Stimulus({"input": shown}), (window,), window.last, 1.0, False), Purpose.TRAINING_SPIKES, [want]
        )
        found[tau] = seen[want]
        ends = range(window.first + 1, window.last + 1)
        for cell, times in trains.items():
            ages = [end - time - arrive for end in ends for time in times if end > time + arrive]
            assert found[tau][cell] == pytest.approx(filtered(tau, ages) / window.steps, rel=1e-5)
    assert not np.allclose(found[10.0], found[30.0], rtol=0.05)


# ---- seeds


@pytest.mark.parametrize("seed", [2**26, 2**28 + 5, -1, True, 1.0])
def test_a_netpyne_model_takes_no_seed_that_is_none(ranks, seed):
    """A seed of 2**26 gave the spikes of seed 0."""
    from segdend_plugin.hosts import description, netpyne

    one = layered([3, 2, 2], "three_compartment")
    params = description.net_params(one, sections=True)
    for label, pre, post, role in (
        ("up", "input", "hidden", "forward"),
        ("top", "hidden", "output", "forward"),
        ("back", "output", "hidden", "feedback"),
    ):
        params.connParams[label] = {
            "preConds": {"pop": pre},
            "postConds": {"pop": post},
            "plast": {"mech": "SegDend", "params": {"role": role}},
        }
    refused(lambda: netpyne.create(params, description.sim_config(one), seed=seed), f"seed={seed!r}")


# ---- one network after the other


def test_an_old_network_answers_with_one_sentence(ranks):
    """It ran on NEURON objects that were no longer its own, or fell over them."""
    old = learner(seed=1)
    task = arrays(IMAGES, LABELS, classes=SIZES[-1])
    old.fit(task)
    seen = old.network.run(trial(old.graph), Purpose.TRAINING_SPIKES, old.rule.wants(old.graph), rates=old.rates)
    weights, biases = old.network.gather()
    learner(seed=2)
    network, one = old.network, trial(old.graph)
    calls = [
        lambda: network.run(one, Purpose.TRAINING_SPIKES, ()),
        lambda: network.begin(one, Purpose.TRAINING_SPIKES, ()),
        network.end,
        lambda: network.look([Weights("input->hidden")], one),
        lambda: network.bind([seen], Changes(())),
        lambda: network.apply([]),
        network.gather,
        lambda: network.scatter(weights, biases),
        network.announce_spikes,
        network.check_alive,
        lambda: old.fit(task),
        lambda: old.partial_fit(task),
        lambda: old.score(task),
        lambda: old.predict(IMAGES),
        lambda: old.present(stimulus()),
        lambda: old.begin_trial(stimulus(1)),
        old.state,
    ]
    for call in calls:
        refused(call, "another one was built since")
    network.close()  # once more does no harm


IN_TURN = """
import sys
from segdend_plugin.engine.kinds.cable import Cable
from segdend_plugin.cells.templates import Membrane
from segdend_plugin.engine.kinds.linear import Linear
from segdend_plugin.engine.kinds.poisson import Poisson
from segdend_plugin.engine.layered import layered
from segdend_plugin.learner import Learner
from segdend_plugin.model.state import weights_sha256
from segdend_plugin.tasks.images import load

kinds = {
    "lumped": "three_compartment",
    "cable": Cable("mouse_v1_l4_nr5a1", "mouse_v1_l4_nr5a1", Membrane(nseg=1)),
    "linear": Linear("mouse_v1_l4_nr5a1", "mouse_v1_l4_nr5a1"),
}
kept = []
for name in sys.argv[1:]:
    one = Learner(layered([64, 3, 10], kinds[name], seed=4)).fit(load(train=3, test=1).train)
    kept.append(one)
    print(name, weights_sha256(one.graph, *one.network.gather()))
"""


def test_a_network_has_the_bits_of_a_fresh_process(ranks):
    """What the one before had switched in NEURON was left for the next."""
    found = {}
    for order in ("lumped linear cable", "cable lumped", "linear"):
        command = [sys.executable, "-c", IN_TURN, *order.split()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        lines = [line.split() for line in done.stdout.splitlines()]
        assert [name for name, _ in lines] == order.split()
        for name, bits in lines:
            assert found.setdefault(name, bits) == bits, f"{name} in {order}"


MODEL = []  # the caller's


def of_own_cells(graph):
    """Build a network of lumped cells that the caller has made in plain NEURON."""
    from neuron import h

    from segdend_plugin.cells import templates
    from segdend_plugin.engine.kinds.base import CellHandle
    from segdend_plugin.engine.session import session
    from segdend_plugin.hosts import neuron as host

    session()  # loads the mechanisms
    layers = {name: [templates.three_compartment() for _ in graph[name].numbers] for name in ("hidden", "output")}
    MODEL[:] = [cell for layer in layers.values() for cell in layer]  # those of the network before are gone
    cells = {"input": [CellHandle(gid, point=h.SegDendInput()) for gid in graph["input"].numbers]}
    for name, made in layers.items():
        pairs = zip(graph[name].numbers, made, strict=True)
        cells[name] = [CellHandle(gid, cell.soma(0.5), point=cell.neuron) for gid, cell in pairs]
    return host.create(graph, cells)


@pytest.mark.parametrize("make", [build, of_own_cells])
def test_a_hundred_networks_leave_nothing_behind(ranks, make):
    """Sections, mechanisms and exchanges of networks that were given up stayed in the time step."""
    from neuron import h

    names = ("SegDendProjection", "SegDendLumped", "SegDendInput", "SegDendTeacher", "SegDendReadings", "NetCon")

    def count():
        return len(list(h.allsec())), *(int(h.List(name).count()) for name in names)

    counts, bits, trace = [], [], Trace("output", "potential")
    for k in range(100):
        network = make(layered(SIZES, "three_compartment", seed=k % 2))
        seen = network.run(trial(network.graph), Purpose.TRAINING_SPIKES, [trace])
        counts.append(count())
        bits.append(seen[trace].tobytes())
    assert len(set(counts[2:])) == 1
    assert len(set(bits[::2])) == len(set(bits[1::2])) == 1
    assert bits[0] != bits[1]


# ---- trials of which nothing can be learned


@pytest.fixture
def one(ranks):
    return learner()


def test_nothing_is_learned_from_a_test(one):
    """Learning took whatever the last trial had left."""
    wants = one.rule.wants(one.graph)
    seen = one.network.run(trial(one.graph), Purpose.TEST_SPIKES, wants, rates=one.rates)
    refused(lambda: one.network.bind([seen], one.rule.change([seen])), "test")


def test_nothing_is_learned_without_a_teacher(one):
    """Without a teacher, cells learned to do nothing."""
    one.begin_trial(stimulus(), taught=False)
    from neuron import h

    one.network.ranks.pc.psolve(h.t + 30.0)
    refused(one.end_trial, "without a teacher", "learn=False")
    refused(lambda: one.begin_trial(stimulus(), taught=True), "no target")


def test_nothing_is_learned_from_an_earlier_trial(one):
    """Sums of the trial after it were taken."""
    wants = one.rule.wants(one.graph)
    first, _ = (
        one.network.run(trial(one.graph, 1, k), Purpose.TRAINING_SPIKES, wants, rates=one.rates) for k in range(2)
    )
    refused(lambda: one.network.bind([first], one.rule.change([first])), "seen last")


def test_nothing_is_learned_from_a_trial_that_another_has_replaced(one):
    """A test between begin and end of a trial was learned as if it had been that trial."""
    from neuron import h

    opened = one.begin_trial(stimulus(1))
    one.network.ranks.pc.psolve(h.t + opened.duration)
    one.present(stimulus())
    refused(one.end_trial, "begin_trial")


def test_a_trial_that_was_not_run_to_its_end(one):
    """A caller's own loop that initialised in between, or stopped early, learned from windows that never opened."""
    from neuron import h

    opened = one.begin_trial(stimulus(1))
    h.finitialize(-70.0)
    one.network.ranks.pc.psolve(h.t + opened.duration - 5.0)
    refused(one.end_trial, "run it to its end")


def test_nothing_is_learned_from_another_network(one):
    """A rule could mix the readings of one network with the traces of another."""
    seen = one.network.run(trial(one.graph), Purpose.TRAINING_SPIKES, one.rule.wants(one.graph), rates=one.rates)
    changes = one.rule.change([seen])
    other = learner()
    other.network.run(trial(other.graph), Purpose.TRAINING_SPIKES, other.rule.wants(other.graph), rates=other.rates)
    refused(lambda: other.network.bind([seen], changes), "this is not the trial")


def test_a_rule_makes_nothing_of_what_an_old_network_has_left(one):
    """Cells that were given up had gains of shape (0,)."""
    seen = one.network.run(trial(one.graph), Purpose.TRAINING_SPIKES, one.rule.wants(one.graph), rates=one.rates)
    learner()
    refused(lambda: one.rule.change([seen]), "another one was built since")


def test_a_trial_of_another_time_step(one):
    """Its windows lay elsewhere than they said."""
    shown = replace(trial(one.graph), dt=0.5)
    refused(lambda: one.network.run(shown, Purpose.TRAINING_SPIKES, ()), "dt is 0.5 ms")


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (3.0 * np.ones((2, SIZES[0])), [0, 1], ("3", "0..1")),
        (np.nan * np.ones((2, SIZES[0])), [0, 1], ("not finite",)),
        (IMAGES[:2], [0, SIZES[-1]], (f"label {SIZES[-1]}",)),
        (IMAGES[:2], [-1, 0], ("label -1",)),
        (IMAGES[:2], [0], ("one for each",)),
        (IMAGES[:2, 1:], [0, 1], ("'input'", "7 cells", "8")),
    ],
)
def test_images_and_labels_that_do_not_fit(one, images, labels, words):
    """They were shown as they were, or ended in NumPy's words."""
    for call in (one.fit, one.partial_fit, one.score):
        refused(lambda call=call: call(images, np.array(labels)), *words)


def test_a_stimulus_that_does_not_fit(one):
    """Levels of 3 made rates of three times the largest one."""
    for levels in (np.full(SIZES[0], 3.0), np.full(SIZES[0] + 1, 0.5)):
        refused(lambda levels=levels: one.present(Stimulus({"input": levels})), "'input'")
    wrong = Stimulus({"input": IMAGES[0]}, {"output": np.full(SIZES[-1], 2.0)})
    refused(lambda: one.begin_trial(wrong), "'output'")


# ---- plateaus under other names


def test_a_copied_readout_gives_the_same_plateaus(ranks, monkeypatch):
    """Only names that the engine knew could be read."""
    from segdend_plugin.rule import plateau

    monkeypatch.setitem(plateau.READOUTS, "mine", plateau.READOUTS["nmda"])
    row = plateau.Readout("nmda", at_sites=False, at_nexus=True, steepness=plateau.nmda_steepness)
    monkeypatch.setitem(plateau.READOUTS, "block", row)
    graph = layered(SIZES, replace(L4, source="mouse_v1_l5_rbp4", label="mouse_v1_l5_rbp4"))
    network = build(graph)
    found = {}
    for name in ("nmda", "mine", "block"):
        rule = Guerguiev(plateau=name)
        shown = trial(graph)
        seen = network.run(shown, Purpose.TRAINING_SPIKES, rule.wants(graph), rates=rule.learning_rates(graph))
        found[name] = rule.alpha(seen, "hidden", "target")
    np.testing.assert_array_equal(found["mine"], found["nmda"])
    assert ((found["block"] > 0) & (found["block"] < 1)).all()
    assert (found["block"] != found["nmda"]).all()


# ---- ranks without cells

FEWER_CELLS = """
from segdend_plugin.engine import mpi
ranks = mpi.start()
from segdend_plugin.cells.templates import Membrane
from segdend_plugin.engine.kinds.cable import Cable
from segdend_plugin.engine.kinds.poisson import Poisson
from segdend_plugin.engine.layered import layered
from segdend_plugin.learner import Learner
from segdend_plugin.model.state import weights_sha256
from segdend_plugin.tasks.images import load

data = load(train=3, test=1)
for kind in ("three_compartment", Cable("cell", "mouse_v1_l4_nr5a1", Membrane(nseg=1))):
    one = Learner(layered([64, 1, 10], kind)).fit(data.train)
    known = ranks.allgather((len(one.network.local("hidden")), type(one.network.cells["hidden"]).__name__, one.rates))
    score, gathered = one.score(data.held_out), one.network.gather()
    if gathered:
        assert sorted(n for n, *_ in known) == [0] * (ranks.size - 1) + [1]
        print(*{name for _, name, _ in known}, all(rates == one.rates for *_, rates in known), score,
              weights_sha256(one.graph, *gathered))
"""


def test_a_rank_without_cells_knows_their_kind(mpiexec):
    """A rank asked its first cell what cells are: without one, lumped cells were not known as such."""
    said = []
    for n in (1, 2):
        command = [*mpiexec, "-n", str(n), sys.executable, "-c", FEWER_CELLS]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout.splitlines())
    assert [line.split()[:2] for line in said[0]] == [["LumpedCells", "True"], ["CableCells", "True"]]
    assert said[0] == said[1]


# ---- what is printed


def test_a_run_without_an_observer_says_nothing(ranks, tmp_path, capfd):
    """`train` could not do without one, and NetPyNE spoke in between."""
    from segdend_plugin.experiment import config, run

    small = ["cell=three_compartment", "layers.hidden=[3]", "data.train=4", "data.test=2", "training.epochs=1"]
    summary, folder = run.train(config.load(settings=small), tmp_path / "out")
    assert 0.0 <= summary.test_error <= 1.0
    assert (folder / "summary.json").is_file()
    learner().fit(IMAGES, LABELS).score(IMAGES, LABELS)
    assert tuple(capfd.readouterr()) == ("", "")


# ---- the second window


@dataclass(frozen=True)
class Late(Local):
    """Learns from the target window alone."""

    phases: TwoPhase = PHASES

    def wants(self, graph):
        averages = [Average("hidden", quantity, SOMA, "target") for quantity in ("potential", "rate")]
        return [Filtered("input->hidden", "target"), *averages]

    def change(self, seen):
        rate = seen[0][Average("hidden", "rate", SOMA, "target")]
        return Changes((Outer("input->hidden", rate, "target"),))


@pytest.mark.parametrize("kind", ["three_compartment", L4])
def test_the_second_window_can_be_learned_from(ranks, kind):
    """Only trains of the forward window were kept, and only taught cells had averages of the target window."""
    one = learner(kind=kind, rule=Late())
    shown, one_set = trial(one.graph), one.network.sets["input->hidden"]
    traces = [Trace("hidden", quantity) for quantity in ("potential", "rate")]
    seen = one.network.run(shown, Purpose.TRAINING_SPIKES, [*one.rule.wants(one.graph), *traces], rates=one.rates)
    window = shown.window("target")
    for trace in traces:
        average = seen[Average("hidden", trace.quantity, SOMA, "target")]
        np.testing.assert_allclose(average, seen[trace][window.first : window.last].mean(axis=0), rtol=1e-12)
    pre, post = seen[Filtered("input->hidden", "target")], seen[Average("hidden", "rate", SOMA, "target")]
    assert (pre > 0).any()
    assert (post > 0).all()
    assert not np.array_equal(pre, one_set.filtered(0))
    before = one_set.weights.copy()
    one.network.apply([one.network.bind([seen], one.rule.change([seen]))])
    np.testing.assert_array_equal(one_set.weights, before + np.outer(pre, post))


# ---- several sets onto one population


def split(*pre):
    """Return a graph of two input populations whose cells reach the hidden ones in these sets."""
    populations = (
        Population("left", 5, layered([1, 1], "three_compartment")["input"].kind, 0, bias=False),
        Population("right", 3, layered([1, 1], "three_compartment")["input"].kind, 5, bias=False),
        Population("hidden", 4, Lumped(), 8),
        Population("output", 2, Lumped(), 12, teacher=True),
    )
    sets = [Connections(f"{'+'.join(names)}->hidden", names, "hidden") for names in pre]
    back = Connections("back", ("output",), "hidden", FEEDBACK, "feedback", False, initial=Initial("feedback"))
    return Graph(3, 1.0, populations, (*sets, Connections("top", ("hidden",), "output"), back))


def test_a_set_split_in_two_does_the_same(ranks):
    """Of several sets onto a dendrite the last one replaced the others, and each brought a bias."""
    whole, parts = split(("left", "right")), split(("left",), ("right",))
    shown = Stimulus({"left": np.linspace(0.2, 1, 5), "right": np.full(3, 0.7)}, {"output": np.array([1.0, 0.0])})
    rule, found = Guerguiev(), []
    matrix, rates = np.random.default_rng(1).normal(0.0, 2.0, (8, 4)), None
    for graph in (whole, parts):
        network = build(graph)
        rates = rule.learning_rates(graph)
        rates = dict.fromkeys([p.name for p in graph.populations], 0.1) | dict.fromkeys(graph.set_names(), 0.1)
        first, *more = (network.sets[c.name] for c in graph.onto("hidden", "forward"))
        for c in graph.onto("hidden", "forward"):
            rows = np.concatenate([np.arange(8)[graph[name].first :][: graph[name].size] for name in c.pre])
            network.sets[c.name].weights[:] = matrix[rows]
        network.biases("hidden")[:] = np.linspace(0.5, 1.0, 4)
        assert all(not one.constant.any() for one in more), "the bias comes once"
        assert first.constant.all()
        traces = [Trace(name, "potential") for name in ("hidden", "output")]
        seen = network.run(
            PHASES.trial(graph, shown, 5, taught=True),
            Purpose.TRAINING_SPIKES,
            [*rule.wants(graph), *traces],
            rates=rates,
        )
        changes = rule.change([seen])
        assert len([c for c in changes.changes if isinstance(c, Bias) and c.population == "hidden"]) == 1
        network.apply([network.bind([seen], changes)])
        weights, biases = network.gather()
        joined = np.concatenate([weights[c.name] for c in graph.onto("hidden", "forward")])
        found.append([*(seen[trace] for trace in traces), joined, biases["hidden"]])
    for together, apart in zip(*found, strict=True):
        np.testing.assert_allclose(apart, together, rtol=0, atol=1e-9)
    assert not np.array_equal(found[0][2], matrix), "it has learned"


# ---- a model beside ours


def test_what_is_no_synapse_does_not_learn(ranks):
    """Sparse feedback that learns filled up: every example added a whole outer product."""
    graph = layered(SIZES, "three_compartment")
    sparse = {"input->hidden": "forward", "output->hidden": "feedback"}
    sets = tuple(
        replace(c, learned=True, initial=Initial(sparse[c.name], fraction=0.5)) if c.name in sparse else c
        for c in graph.connections
    )
    rule = Guerguiev(feedback=Feedback(learning_rate=0.5))
    one = Learner(replace(graph, connections=sets), rule, phases=PHASES)
    before = {name: one.weights(name) for name in sparse}
    one.fit(arrays(IMAGES, LABELS))
    for name, weights in before.items():
        now = one.weights(name)
        assert 0 < np.count_nonzero(weights) < weights.size
        np.testing.assert_array_equal(now == 0, weights == 0)
        assert np.any(now != weights)


def test_a_state_knows_a_cell_by_what_its_file_holds(ranks, tmp_path, monkeypatch):
    """A state of a run that began with a relative path, or whose file was edited since."""
    text = (folder("templates") / "morphologies" / "mouse_v1_l4_nr5a1.swc").read_text()
    here, there = tmp_path / "cell.swc", tmp_path / "elsewhere"
    here.write_text(text)
    there.mkdir()
    (there / "cell.swc").write_text(text.replace("0.1144", "0.1244"))
    monkeypatch.chdir(tmp_path)
    made = {}
    for path in ("cell.swc", str(here), str(there / "cell.swc")):
        graph = layered([3, 1, 2], Cable("cell", path, Membrane(nseg=1)))
        made[path] = graph.fingerprint, build(graph).made_of
    near, same, edited = made.values()
    assert near == same
    assert near[0] == edited[0]
    assert near[1].keys() == edited[1].keys() == {"cell"}
    assert near[1] != edited[1]


def test_the_queue_of_events_stays_as_it_was(ranks):
    """Building a network switched NEURON's queue, which delivers simultaneous events in another order."""
    from neuron import h

    section = h.Section(name="users")
    synapse, sources = h.ExpSyn(section(0.5)), [h.NetStim() for _ in range(40)]
    netcons = [h.NetCon(source, synapse) for source in sources]
    for source, netcon, weight in zip(sources, netcons, np.random.default_rng(0).uniform(size=40), strict=True):
        source.start, source.interval, source.number, source.noise = 1.0, 1.0, 3, 0.0
        netcon.delay, netcon.weight[0] = 0.5, weight
    conductance = h.Vector().record(synapse._ref_g)

    def run():
        h.dt = 0.025
        h.finitialize(-65.0)
        while h.t < 4.0:
            h.fadvance()
        return np.array(conductance).tobytes()

    cvode = h.CVode()
    found = []
    for binned in (False, True):
        cvode.queue_mode(binned, False)
        found.append(run())
        one = learner().fit(IMAGES, LABELS)
        assert cvode.queue_mode() == binned
        assert run() == found[-1], "beside a network that lives, with another dt than its own"
        one.network.close()
        assert cvode.queue_mode() == binned
        assert run() == found[-1]
    cvode.queue_mode(False, False)
    assert found[0] != found[1], "the order counts"


def test_a_cell_of_ours_gets_no_dense_set_in_place_of_a_sparse_one(ranks):
    populations = (Population("in", 3, Poisson(), 0, bias=False), Population("cells", 2, L4, 3))
    with pytest.raises(ConfigError, match="its NetCons are a host's"):
        build(Graph(0, 1.0, populations, (Connections("set", ("in",), "cells", form="sparse"),)))
