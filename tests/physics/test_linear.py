"""Linear cells against NEURON's solver and the full recursion, and what such cells do not have."""

import numpy as np
import pytest

from segdend_plugin.cells import linear, templates
from segdend_plugin.cells.files import source as sources
from segdend_plugin.engine.kinds import measured
from segdend_plugin.engine.kinds.cable import Cable
from segdend_plugin.engine.kinds.linear import Linear
from segdend_plugin.engine.kinds.lumped import Lumped
from segdend_plugin.engine.layered import Wiring, chain
from segdend_plugin.errors import ConfigError
from segdend_plugin.model.places import SOMA, Place
from segdend_plugin.model.wants import Trace

SHIPPED = ("mouse_v1_l5_rbp4", "mouse_v1_l4_scnn1a", "mouse_v1_l4_rorb", "mouse_v1_l4_nr5a1")
MEMBRANE = templates.Membrane(d_lambda=0.2)


def grown(seed):
    """Return an SWC file of a tree that nobody has seen: a soma, basal trees, a trunk with obliques and a tuft."""
    rng = np.random.default_rng(seed)
    rows = [(1, 1, np.zeros(3), 8.0, -1)]

    def grow(kind, parent, length, radius, forks):
        step = rng.normal(size=3)
        step *= (1 if kind == 3 else np.array([0.3, 1.0, 0.3])) * length / np.linalg.norm(step) / 5
        at = rows[parent - 1][2]
        for _ in range(5):
            at, radius = at + step * rng.uniform(0.7, 1.3), radius * rng.uniform(0.85, 1.02)
            rows.append((len(rows) + 1, kind, at, radius, parent))
            parent = len(rows)
        for _ in range(forks and rng.integers(2, 4)):
            grow(kind, parent, length * rng.uniform(0.4, 0.9), 0.7 * radius, forks - 1)

    for _ in range(rng.integers(3, 6)):
        grow(3, 1, 90.0, 0.9, 2)
    grow(4, 1, rng.uniform(150, 500), 1.6, 3)
    return "\n".join(f"{k} {kind} {x:.4f} {y:.4f} {z:.4f} {r:.4f} {p}" for k, kind, (x, y, z), r, p in rows)


@pytest.fixture(params=[*SHIPPED, 1, 2, 3])
def name(request, tmp_path):
    """A shipped cell, or the file of one that nobody has seen."""
    if isinstance(request.param, str):
        return request.param
    path = tmp_path / f"grown{request.param}.swc"
    path.write_text(grown(request.param))
    return str(path)


def graph(kind, dt=1.0, sizes=(12, 2, 3), **wiring):
    return chain(4, dt, sizes[0], [[("hidden", sizes[1], kind)]], ("output", sizes[2], Lumped()), Wiring(**wiring))


def built(name, membrane=MEMBRANE):
    return templates.pyramidal_passive(sources.load(name).swc, membrane)


@pytest.mark.parametrize("dt", [1.0, 0.25])
def test_the_recursion_is_that_of_neuron(ranks, name, dt):
    """Noise into every compartment of a cell that NEURON advances; every compartment is compared."""
    from neuron import h

    cell = built(name)
    tree, rng = linear.recursion(list(cell.all)), np.random.default_rng(0)
    places = [segment for section in cell.all for segment in section]
    nodes = [tree.node(place) for place in places]
    assert sorted(nodes) == list(range(len(tree.capacitance)))
    current = 0.01 * rng.normal(size=(40, len(nodes)))
    kept = []
    for k, place in enumerate(places):
        clamp = h.IClamp(place)
        clamp.dur = 1e9
        course = h.Vector(np.concatenate([current[:, nodes[k]], [0.0]]))
        times = h.Vector(dt * (np.arange(41) + 0.25))  # a step has its currents in its middle
        course.play(clamp._ref_amp, times, 0)
        kept += [clamp, course, times, h.Vector().record(place._ref_v)]
    h.dt = dt
    h.finitialize(-70)
    first = 0.25 * dt
    h.fadvance()
    while h.t < 40 * dt - first:
        h.fadvance()
    wanted = tree.run(current, dt)
    found = np.array([np.array(vector)[1:41] + 70 for vector in kept[3::4]]).T
    np.testing.assert_allclose(found, wanted[:, nodes], rtol=0, atol=1e-9 * np.abs(wanted).max() + 1e-11)
    assert np.abs(wanted).max() > 0.1


@pytest.mark.parametrize("dt", [1.0, 0.25])
def test_a_system_follows_the_recursion_within_its_tolerance(ranks, name, dt):
    """Drives of any course between -1 and 1 at one place or another; the report bounds what is found."""
    kind = Linear("cell", name, MEMBRANE)
    found = measured.measure(graph(kind, dt), "hidden", kind)
    cell = built(name)
    tree, rng = linear.recursion(list(cell.all)), np.random.default_rng(1)
    reach, own = found.reach["input->hidden"], found.calibrations["input->hidden"]
    tuft = [found.reach["output->hidden"].node(spot) for spot in own.feedback.places]
    drive = np.sign(rng.normal(size=(200, 1)))
    for places, current in (
        (np.concatenate(reach.nodes)[[0]], kind.gain / own.basal[0][0]),
        (np.concatenate(reach.nodes)[[-1]], kind.gain / own.basal[-1][-1]),
        (tuft, own.feedback.current(range(len(tuft)), kind.scale)),
    ):
        currents = np.zeros((200, len(tree.capacitance)))
        currents[:, places] = drive * current
        whole, seen = tree.run(currents, dt), found.system.run(currents)
        assert np.abs(seen[:, 0] - whole[:, found.soma]).max() <= found.report["largest_error"]
        assert np.abs(seen[:, -1] - whole[:, tuft].mean(axis=1)).max() <= found.report["largest_error"]
        assert np.abs(whole).max() > 0.1
    assert found.report["largest_error"] <= 1e-5
    assert found.report["largest_error"] == max(found.report["errors"].values())
    assert found.report["states"] < 30 * (1 if dt == 1.0 else 1.5)
    assert found.report["compartments"] == len(tree.capacitance)


def test_a_looser_tolerance_takes_fewer_states(ranks):
    states = []
    for tolerance in (1e-7, 1e-5, 1e-2):
        kind = Linear("cell", SHIPPED[1], MEMBRANE, tolerance=tolerance)
        report = measured.measure(graph(kind), "hidden", kind).report
        assert tolerance / 1e4 < report["largest_error"] <= tolerance
        states.append(report["states"])
    assert states == sorted(states, reverse=True)
    assert states[0] > states[-1]


PAIRS = [
    ["phases.dt=1", "cell={name}"],
    ["phases.dt=0.25", "cell={name}"],
]
LANDINGS = [
    ["placement.feedback.region=tuft"],
    ["placement.feedback.region=apical", "placement.feedforward.per_input=all"],
    ["placement.feedback.region=nexus", "cable.calibration=per_cell", "cable.unit=4"],
    ["placement.feedforward.weighting=area", "rule.feedforward=rates", "feedback.signal=rates"],
    ["cable.nseg=1", "cable.time_constant=15", "cable.apical_length=0.5"],
]


def compared(build, settings, places, **phases):
    """Return what is seen of a training trial on either solver, and what is learned of it."""
    found = []
    for solver in ("linear", "neuron"):
        bench = build(12, 3, f"cable.solver={solver}", "layers.hidden=[4]", *settings)
        traces = [Trace(bench.layers[0], "potential", place) for place in places]
        seen = bench.show(np.linspace(0, 1, 12), 8, 1, traces=traces, **phases)
        bench.learn(seen)
        found.append(([seen[trace] for trace in traces], bench.set_onto(0).weights.copy()))
    return found


@pytest.mark.parametrize("dt", [1, 0.25])
def test_a_trial_is_that_of_neuron(build, name, dt):
    """Potentials at soma, tuft and trunk within 1e-4 of a unit, and so the same spikes."""
    places = [SOMA, Place(of=f"output->hidden1_{sources.name_of(name)}")]
    if name != SHIPPED[3]:
        places.append(Place("nexus"))
    (seen, learned), (wanted, taught) = compared(build, [f"cell={name}", f"phases.dt={dt}"], places)
    for mine, theirs in zip(seen, wanted, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-4)
        assert np.ptp(theirs) > 0.1
    np.testing.assert_allclose(learned, taught, rtol=0, atol=1e-4 * np.abs(taught).max())


@pytest.mark.parametrize("settings", LANDINGS)
def test_wherever_synapses_land(build, settings):
    place = [SOMA, Place(of="output->hidden1_mouse_v1_l4_scnn1a")]
    (seen, learned), (wanted, taught) = compared(build, ["cell=mouse_v1_l4_scnn1a", *settings], place)
    for mine, theirs in zip(seen, wanted, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-4)
        assert np.ptp(theirs) > 0.1
    np.testing.assert_allclose(learned, taught, rtol=0, atol=1e-4 * np.abs(taught).max())


@pytest.mark.parametrize("plateau", ["average", "bursts", "axial", "local", "calcium"])
def test_every_plateau_that_is_linear_is_read(build, plateau):
    """And what is learned from it is what is learned on NEURON's solver."""
    settings = ["cell=mouse_v1_l5_rbp4", f"rule.plateau={plateau}", "rule.plateau_jitter=3"]
    settings.append("cable.unit=15" if plateau == "calcium" else "cable.unit=1")
    (_, learned), (_, taught) = compared(build, settings, [SOMA], jitter=True)
    np.testing.assert_allclose(learned, taught, rtol=0, atol=1e-3 * np.abs(taught).max())


def test_nmda_takes_neurons_solver_by_itself(build):
    from segdend_plugin.experiment import config
    from segdend_plugin.experiment import graph as graphs

    made = graphs.graph(config.load(settings=["rule.plateau=nmda", "layers.hidden=[2]"]), 4, 2)
    assert isinstance(made.hidden[0].kind, Cable)
    assert isinstance(graphs.graph(config.load(settings=["layers.hidden=[2]"]), 4, 2).hidden[0].kind, Linear)


def test_observing_changes_no_bit(build):
    """What comes out is always the same, whatever is read."""
    weights = []
    for places in ([], [SOMA, Place("nexus"), Place("tuft:axial")], [Place(of="output->hidden1_mouse_v1_l5_rbp4")]):
        bench = build(12, 3, "cell=mouse_v1_l5_rbp4", "cable.solver=linear", "layers.hidden=[3]")
        traces = [Trace(bench.layers[0], "potential", place) for place in places]
        bench.learn(bench.show(np.linspace(0, 1, 12), 8, 1, traces=traces))
        weights.append(bench.set_onto(0).weights.copy())
    for other in weights[1:]:
        np.testing.assert_array_equal(weights[0], other)


@pytest.mark.parametrize("n", [1, 7, 8, 9, 40])
def test_a_cell_has_the_same_bits_wherever_it_stands(build, n):
    """Eight are advanced at a time."""
    found = []
    for size in (n, n + 3):
        bench = build(6, 3, "cell=mouse_v1_l4_nr5a1", "cable.solver=linear", f"layers.hidden=[{size}]")
        trace = Trace(bench.layers[0], "potential")
        bench.set_onto(0, "feedback").weights[:] = 0  # it depends on how many cells there are
        found.append(bench.show(np.linspace(0, 1, 6), 8, traces=[trace])[trace])
    np.testing.assert_array_equal(found[0], found[1][:, :n])
    assert np.ptp(found[1], axis=0).min() > 0.01  # none is left where it was


def test_numbers_of_another_machine_are_taken_and_not_computed_again(build):
    """A system whose last bits differ, as LAPACK gives it elsewhere, is that of the run from then on."""
    settings = ("cell=mouse_v1_l4_nr5a1", "cable.solver=linear", "layers.hidden=[3]")
    elsewhere = build(6, 3, *settings)
    own = elsewhere.network.derived
    other = {key: value * (1 + 1e-9) for key, value in own.items()}
    assert elsewhere.network.adopt(other)
    trace = Trace(elsewhere.layers[0], "potential")
    wanted = elsewhere.show(np.linspace(0, 1, 6), 8, traces=[trace])[trace]
    here = build(6, 3, *settings)
    before = here.show(np.linspace(0, 1, 6), 8, traces=[trace])[trace]
    assert here.network.adopt(other)
    assert here.network.derived.keys() == own.keys()
    for key, value in here.network.derived.items():
        np.testing.assert_array_equal(value, other[key])
    np.testing.assert_array_equal(here.show(np.linspace(0, 1, 6), 8, traces=[trace])[trace], wanted)
    assert (before != wanted).any()
    np.testing.assert_allclose(before, wanted, atol=1e-6)
    assert not here.network.adopt({key: value for key, value in other.items() if not key.endswith("/into")})


def test_what_linear_cells_do_not_have_is_refused(build, capfd):
    from netpyne import sim
    from neuron import h

    bench = build(6, 3, "cell=mouse_v1_l4_nr5a1", "cable.solver=linear", "layers.hidden=[2]")
    for want in (Trace(bench.layers[0], "potential", Place("basal")), Trace(bench.layers[0], "nmda", Place("tuft"))):
        with pytest.raises(ConfigError, match=r"cable\.solver=neuron"):
            bench.show(np.zeros(6), 0, traces=[want])
    cell = next(cell for cell in sim.net.cells if cell.gid == bench.cells.gids[0])
    with pytest.raises(ConfigError, match=r"section 'soma'.*cable.solver=neuron"):
        h.IClamp(cell.secs["soma"]["hObj"](0.5))
    assert not any("apic" in section.name() for section in h.allsec())
    stim = h.NetStim()
    stim.start, stim.number = 5, 1
    netcon = h.NetCon(stim, cell.hPointp)
    with pytest.raises(RuntimeError):
        bench.show(np.zeros(6), 0)
    assert "set cable.solver to neuron" in capfd.readouterr().err
    del netcon, stim
    bench.show(np.zeros(6), 0)


def test_a_drawn_place_is_read_where_it_lies(build):
    """Feedback of one moves the mean of each cell's own sites by one."""
    bench = build(6, 3, "cell=mouse_v1_l4_scnn1a", "cable.solver=linear", "placement.feedback.region=tuft")
    bench.fill(apical=1.0)
    shown = bench.show(np.zeros(6), 0, test=260.0, settle=240.0)
    np.testing.assert_allclose(bench.averages(shown).forward_apical, 1.0, atol=2e-5)
    tufts = [index for _, index in bench.cells._tufts[bench.graph.onto(bench.layers[0], "feedback")[0].name]]
    assert len({tuple(index) for index in tufts}) > 1


def test_calibration_is_measured_of_the_system(build):
    from segdend_plugin.experiment import summary

    bench = build(12, 3, "cell=mouse_v1_l5_rbp4", "cable.solver=linear", "layers.hidden=[3]")
    found = summary.calibration(bench.network)["mouse_v1_l5_rbp4"]
    assert found["somatic_gain"]["max"] == pytest.approx(0.6 / 0.7, abs=2e-5)
    assert found["somatic_gain"]["max"] != 0.6 / 0.7
    assert found["feedback_gain"]["min"] == pytest.approx(1.0, abs=2e-5)
    report = summary.reduction(bench.network)["mouse_v1_l5_rbp4"]
    assert summary.compartments(bench.network) >= 3 * report["compartments"] + 3


def test_at_most_one_of_a_thousand_is_classified_otherwise_on_neurons_solver(ranks):
    """Weights that were learned with linear cells, on either solver; a thousand digits, each with trains of its own."""
    from segdend_plugin.learner import Learner
    from segdend_plugin.tasks import images

    digits = images.load("digits")
    asked = np.concatenate([digits.held_out.rates, digits.train.rates[:640]])
    answers, kept = [], {}
    for kind in (Linear, Cable):
        cell = kind("cell", SHIPPED[0], templates.Membrane(nseg=1))
        learner = Learner(chain(0, 1.0, 64, [[("hidden", 12, cell)]], ("output", 10, Lumped())))
        if kind is Linear:
            learner.fit(digits.train, epochs=3)
            kept["weights"], kept["biases"] = learner.network.gather()
        else:
            learner.network.scatter(**kept)
        answers.append(learner.predict(asked))
    assert np.sum(answers[0] != answers[1]) <= 1
    assert len(answers[0]) == 1000
    assert np.mean(answers[0][:360] == digits.held_out.labels) > 0.4
