"""Rules as a network meets them: what they want, refuse, set before a trial and change after it."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from segdend_plugin import rules
from segdend_plugin.errors import ConfigError
from segdend_plugin.model.changes import Along, Bias, Outer
from segdend_plugin.model.graph import Connections, Cost, Graph, Initial, Population
from segdend_plugin.model.places import NEXUS, SOMA, Place
from segdend_plugin.model.trial import Stimulus, Trial, Window
from segdend_plugin.model.wants import Average, Trace, Weights
from segdend_plugin.rule import rates
from segdend_plugin.rule.plateau import burst_difference, nmda_steepness, plateau_leads

LUMPED = frozenset(
    {("potential", "soma"), ("rate", "soma"), ("spikes", "soma"), ("drive", "basal"), ("potential", "tuft")}
)
CABLE = LUMPED | {("nmda", "tuft"), ("calcium", "nexus"), ("potential", "tuft:axial"), ("potential", "tuft:local")}


@dataclass(frozen=True)
class Scale:
    rest: float = -70.0
    unit: float = 1.0


@dataclass(frozen=True)
class Cell:
    label: str = "cell"
    offers: frozenset = CABLE
    accepts: frozenset = frozenset({"currents"})
    filters: tuple = (10.0, 3.0)
    scale: Scale | None = Scale()

    def cost(self, dt):
        return Cost(0.0, 0)


def feedback(pre, post, learned=False):
    return Connections(f"back {post}", (pre,), post, role="feedback", learned=learned, initial=Initial("feedback"))


def layered(kind=None, learned=True, back=False):
    kind = Cell() if kind is None else kind
    populations = (
        Population("in", 30, Cell(), 0, bias=False),
        Population("h", 6, kind, 30),
        Population("out", 3, Cell(), 36, teacher=True),
    )
    sets = (Connections("up", ("in",), "h", learned=learned), Connections("top", ("h",), "out"))
    return Graph(5, 1.0, populations, (*sets, feedback("out", "h", back)))


class Known:
    """Made-up readings of some cells of every population; every reading is noted."""

    def __init__(self, graph, trial=None, cells=None):
        self.graph, self.state, self.read, self.values = graph, {}, set(), {}
        windows = Window("forward", 30, 50), Window("target", 80, 100, 50, True)
        self.trial = trial or Trial(4, Stimulus({}), windows, 100, 1.0, True)
        self.rates = {c.name: 0.1 for c in graph.connections} | {p.name: 0.01 for p in graph.populations}
        self.cells = cells or {}

    def __getitem__(self, want):
        self.read.add(want)
        if want not in self.values:
            draw = np.random.default_rng(len(self.values))
            n = self.graph[want.population].size
            self.values[want] = draw.uniform(0, 0.2, n) if want.quantity == "rate" else draw.normal(size=n)
        return self.values[want][..., self.local(want.population)]

    def local(self, population):
        return np.array(self.cells.get(population, range(self.graph[population].size)), dtype=np.int64)

    def gain(self, population, *, whole=False):
        return np.full(len(self.local(population)), 0.75)

    def stream(self, purpose, *identity):
        return np.random.default_rng((purpose, *identity))


def average(population, quantity, place, window="forward"):
    return Average(population, quantity, place, window)


def sigma(x):
    return 1 / (1 + np.exp(-x))


# ---- the paper's rule


def test_hidden_and_taught_cells_change_by_the_published_equations():
    s = Known(layered())
    changes = rules.Guerguiev().change([s])
    back = Place(of="back h")
    soma = s.values[average("h", "potential", SOMA)]
    alphas = [sigma(s.values[average("h", "potential", back, window)]) for window in ("forward", "target")]
    delta = -0.75 * 0.2 * (alphas[1] - alphas[0]) * sigma(soma) * (1 - sigma(soma))
    out = s.values[average("out", "potential", SOMA)]
    error = s.values[average("out", "rate", SOMA, "target")] - 0.2 * sigma(out)
    top = -0.75 * 0.2 * error * sigma(out) * (1 - sigma(out))
    np.testing.assert_allclose(changes.errors["h"], delta, rtol=1e-12)
    np.testing.assert_allclose(changes.errors["out"], top, rtol=1e-12)
    found = {c.connections if isinstance(c, Outer) else (c.population, "bias"): c for c in changes.changes}
    assert set(found) == {"up", ("h", "bias"), "top", ("out", "bias")}
    np.testing.assert_allclose(found["up"].post, -0.1 * 100 * delta, rtol=1e-12)
    np.testing.assert_allclose(found["h", "bias"].change, -0.01 * 100 * delta, rtol=1e-12)
    np.testing.assert_allclose(found["top"].post, -0.1 * 500 * top, rtol=1e-12)
    assert (found["up"].window, found["up"].pre) == ("forward", None)


def test_it_reads_what_it_wants():
    for name in rules.READOUTS:
        s = Known(layered())
        rules.Guerguiev(name).change([s])
        assert s.read == set(rules.Guerguiev(name).wants(layered()))


def test_frozen_sets_and_their_bias_do_not_change():
    changed = rules.Guerguiev().change([Known(layered(learned=False))]).changes
    assert [getattr(c, "connections", None) or c.population for c in changed] == ["top", "out"]


def test_a_bias_learns_once_however_many_sets_land_on_its_population():
    made = layered()
    more = (Connections("skip", ("in",), "out"), Connections("again", ("h",), "h"))
    changed = rules.Guerguiev().change([Known(replace(made, connections=(*made.connections, *more)))]).changes
    assert {c.connections for c in changed if isinstance(c, Outer)} == {"up", "again", "top", "skip"}
    assert [c.population for c in changed if isinstance(c, Bias)] == ["out", "h"]


def test_bursts_are_keyed_by_the_number_of_the_cell():
    rule = rules.Guerguiev("bursts", plateau_gain=2.0)
    s = Known(layered(), cells={"h": [1, 4]})
    (population,) = s.graph.hidden
    alphas = [rule.alpha(s, "h", window) for window in ("forward", "target")]
    np.testing.assert_array_equal(rule.difference(s, population), burst_difference(*alphas, 5, 4, [31, 34]))


def test_learned_feedback_changes_with_the_rate_of_the_rule_and_without_bias():
    made, settings = layered(back=True), rules.Feedback(learning_rate=0.3)
    s = Known(made)
    rule = rules.Guerguiev(feedback=settings)
    rule.wants(made)
    assert rule.learning_rates(made)["back h"] == 0.3
    change = rule.change([s]).changes[-1]
    alpha = sigma(s.values[average("h", "potential", Place(of="back h"))])
    soma = s.values[average("h", "potential", SOMA)]
    assert change.connections == "back h"
    np.testing.assert_allclose(change.post, 0.3 * (0.2 * sigma(soma) - alpha) * alpha * (1 - alpha), rtol=1e-12)


def test_plateaus_of_taught_trials_precede_by_what_their_layer_draws():
    rule, s = rules.Guerguiev(desynchronised=3.0), Known(layered(), cells={"h": [0, 5]})
    leads = rule.before(s.trial, s).leads
    drawn = plateau_leads(5, 0, 4, 6, 3.0)
    np.testing.assert_array_equal(leads["h", "forward"], drawn[0][[0, 5]])
    np.testing.assert_array_equal(leads["h", "target"], drawn[1][[0, 5]])
    assert not rule.before(replace(s.trial, taught=False), s).leads


def test_symmetric_feedback_is_set_before_each_trial():
    rule, s = rules.Guerguiev(feedback=rules.Feedback("symmetric")), Known(layered())
    assert list(rule.wants_before(s.graph)) == [Weights("top")]
    top = np.arange(18.0).reshape(6, 3)
    s.__class__ = type("Looked", (Known,), {"__getitem__": lambda self, want: {Weights("top"): top}[want]})
    np.testing.assert_array_equal(rule.before(s.trial, s).weights["back h"], top.T)


def test_noise_falls_on_the_random_weights_that_the_rule_keeps():
    rule, s = rules.Guerguiev(feedback=rules.Feedback(noise=0.05)), Known(layered())
    s.state = rule.start(s.graph)
    found = rule.before(s.trial, s).weights["back h"]
    (kept,) = s.state.values()
    assert 0.02 < (found - kept).std() < 0.09
    assert not rules.Guerguiev().start(s.graph)


def test_default_rates_are_those_of_the_layers():
    populations = (
        Population("in", 784, Cell(), 0),
        Population("a", 300, Cell(), 784),
        Population("b", 200, Cell(), 1084),
        Population("out", 10, Cell(), 1284, teacher=True),
    )
    sets = [Connections(f"to {name}", ("in",), name) for name in "ab"]
    back = [feedback("out", name) for name in "ab"]
    made = Graph(0, 1.0, populations, (*sets, Connections("top", ("a", "b"), "out"), *back))
    hidden, output = rates.learning_rates([784, 500, 10])
    assert dict(rules.Guerguiev().learning_rates(made)) == {"a": hidden, "b": hidden, "out": output}


@pytest.mark.parametrize("name", list(rules.READOUTS))
def test_a_readout_is_what_its_row_says_whatever_its_name(monkeypatch, name):
    """Default rate, place, refusal and change of a clone are those of the original."""
    monkeypatch.setitem(rules.READOUTS, "clone", rules.READOUTS[name])
    made = layered(Cell(scale=Scale(-65.0, 15.0)))
    one, other = rules.Guerguiev(name), rules.Guerguiev("clone")
    assert one.learning_rates(made) == other.learning_rates(made)
    assert list(one.wants(made)) == list(other.wants(made))
    for a, b in zip(one.change([Known(made)]).changes, other.change([Known(made)]).changes, strict=True):
        np.testing.assert_array_equal(getattr(a, "post", None), getattr(b, "post", None))
    if name in ("average", "bursts"):
        other.wants(layered(Cell(offers=LUMPED)))
    else:
        with pytest.raises(ConfigError, match=r"plateau='clone'.*\(average, bursts"):
            other.wants(layered(Cell(offers=LUMPED)))


def test_the_rate_of_a_flat_readout_is_larger():
    made = layered(Cell(scale=Scale(-70.0, 15.0)))
    flat, usual = rules.Guerguiev("nmda").learning_rates(made), rules.Guerguiev().learning_rates(made)
    assert flat["h"] == pytest.approx(usual["h"] / nmda_steepness(-70.0, 15.0), rel=1e-12)
    assert flat["out"] == usual["out"]
    with pytest.raises(ConfigError, match="what a unit is"):
        rules.Guerguiev("nmda").learning_rates(layered(Cell(scale=None)))


def test_calcium_is_read_at_the_nexus():
    assert average("h", "calcium", NEXUS, "target") in rules.Guerguiev("calcium").wants(layered())


def untaught():
    made = layered()
    return replace(made, populations=tuple(replace(p, teacher=False) for p in made.populations))


def without(*names):
    made = layered()
    return replace(made, connections=tuple(c for c in made.connections if c.name not in names))


@pytest.mark.parametrize(
    ("rule", "made", "said"),
    [
        (rules.Guerguiev(), untaught, "is taught: set teacher=True"),
        (rules.Guerguiev(), lambda: without("back h"), "'h' has no feedback"),
        (rules.Guerguiev(), lambda: layered(Cell(offers=frozenset({("rate", "soma")}))), "the potential of soma"),
        (rules.Guerguiev(feedback=rules.Feedback(learning_rate=0.1)), layered, "no feedback set is learned"),
        (rules.Guerguiev(feedback=rules.Feedback("symmetric")), lambda: layered(back=True), "set learned=False"),
        (rules.UrbanczikSenn(), layered, "'h' has no teacher"),
        (rules.UrbanczikSenn(), untaught, "is taught: set teacher=True"),
    ],
)
def test_a_graph_that_does_not_suit_is_refused_in_a_sentence(rule, made, said):
    with pytest.raises(ConfigError, match=said):
        rule.wants(made())


@pytest.mark.parametrize(
    ("rule", "settings", "said"),
    [
        (rules.Guerguiev, {"plateau": "spike"}, "plateau='spike': give one of average"),
        (rules.Guerguiev, {"plateau_gain": 0.0}, "plateau_gain=0.0"),
        (rules.Guerguiev, {"plateau": "nmda", "plateau_gain": 2.0}, "has no sigmoid"),
        (rules.Guerguiev, {"desynchronised": -1.0}, "desynchronised=-1.0"),
        (rules.UrbanczikSenn, {"filter": -1.0}, "filter=-1.0"),
        (rules.UrbanczikSenn, {"rate_max": 0.0}, "rate_max=0.0"),
    ],
)
def test_values_that_make_no_sense_are_refused(rule, settings, said):
    with pytest.raises(ConfigError, match=said):
        rule(**settings)


def test_a_trial_with_other_windows_is_refused():
    s = Known(layered())
    s.trial = replace(s.trial, windows=s.trial.windows[:1])
    with pytest.raises(ConfigError, match="no window 'target'"):
        rules.Guerguiev().change([s])


# ---- dendritic prediction of somatic spiking


def perceptron(n_in=40, n_out=2, bias=True):
    populations = (Population("in", n_in, Cell(), 0), Population("out", n_out, Cell(), n_in, teacher=True, bias=bias))
    return Graph(0, 1.0, populations, (Connections("up", ("in",), "out"),))


def taught_trial(steps=200, settle=0):
    return Trial(0, Stimulus({}), (Window("trial", settle, steps, 0, True),), steps, 1.0, True)


def filtered(spikes, tau_long=10.0, tau_short=3.0):
    """Filtered trains at the end of every step; a spike of one step is a step old at the end of the next."""
    slow, fast, trains = np.zeros(spikes.shape[1]), np.zeros(spikes.shape[1]), np.zeros(spikes.shape)
    for step in range(1, len(spikes)):
        slow = (slow + spikes[step - 1]) * np.exp(-1 / tau_long)
        fast = (fast + spikes[step - 1]) * np.exp(-1 / tau_short)
        trains[step] = (slow - fast) / (tau_long - tau_short)
    return trains


class Taught(Known):
    def __init__(self, graph, trial, drive, spikes):
        super().__init__(graph, trial)
        self.values[Trace("out", "drive", Place("basal"))] = drive
        self.values[Trace("out", "spikes", SOMA)] = spikes


def accumulated(psp, drive, spikes, rule, eta, gain=0.75):
    """The publication's plasticity, step by step: a filter of prediction errors feeds the weights."""
    change, waiting = np.zeros((psp.shape[1], drive.shape[1])), np.zeros((psp.shape[1], drive.shape[1]))
    for step in range(len(psp)):
        v = gain * drive[step]
        phi = rule.rate_max / (1 + rule.k * np.exp(rule.beta * (rule.theta - v)))
        slope = phi * rule.beta * rule.k * np.exp(rule.beta * (rule.theta - v))
        slope /= 1 + rule.k * np.exp(rule.beta * (rule.theta - v))
        induced = np.outer(psp[step], (spikes[step] - phi) * slope / phi)
        if rule.filter:
            waiting += induced / rule.filter
            decayed = waiting * np.exp(-1 / rule.filter)
            change += eta * rule.filter * (waiting - decayed)
            waiting = decayed
        else:
            change += eta * induced
    return change


@pytest.mark.parametrize(
    "rule",
    [
        rules.UrbanczikSenn(),
        rules.UrbanczikSenn(filter=0.0),
        rules.UrbanczikSenn(rate_max=0.15, beta=5.0, theta=1.0, k=0.5),
    ],
)
def test_the_change_is_that_of_accumulation_in_every_step(rule):
    draw = np.random.default_rng(1)
    psp = filtered(draw.poisson(0.1, (200, 40)).astype(float))
    drive, spikes = draw.normal(0, 1, (200, 2)), draw.poisson(0.1, (200, 2)).astype(float)
    along, bias = rule.change([Taught(perceptron(), taught_trial(), drive, spikes)]).changes
    assert isinstance(along, Along)
    assert (along.connections, along.kernel, along.trains) == ("up", None, None)
    np.testing.assert_allclose(psp.T @ along.post, accumulated(psp, drive, spikes, rule, 0.1), rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(bias.change, accumulated(np.ones((200, 1)), drive, spikes, rule, 0.01)[0], rtol=1e-9)


def test_only_time_with_a_teacher_counts():
    s = Taught(perceptron(), taught_trial(settle=50), np.zeros((200, 2)), np.ones((200, 2)))
    (along, _) = rules.UrbanczikSenn().change([s]).changes
    assert not along.post[:50].any()
    assert np.all(along.post[50:] > 0)


def test_no_cells_on_a_rank_no_change():
    s = Taught(perceptron(), taught_trial(), np.zeros((200, 2)), np.zeros((200, 2)))
    s.cells = {"out": []}
    along, bias = rules.UrbanczikSenn().change([s]).changes
    assert (along.post.shape, bias.change.shape) == ((200, 0), (0,))


def test_dendrites_learn_to_predict_the_rates_that_a_teacher_imposes():
    """With default rates: two patterns, and two cells that shall fire at 0.18 and 0.02 per ms, or the reverse."""
    draw, rule, made = np.random.default_rng(3), rules.UrbanczikSenn(), perceptron()
    eta = rule.learning_rates(made)["out"]
    patterns = np.where(draw.random((2, 40)) < 0.5, 0.2, 0.01)
    wanted = np.array([[0.18, 0.02], [0.02, 0.18]])
    weights, biases = draw.normal(0, 0.3, (40, 2)), np.zeros(2)

    def predicted(pattern):
        psp = filtered(draw.poisson(patterns[pattern], (200, 40)).astype(float))
        drive = psp @ weights + biases
        return psp, drive, 0.2 * sigma(0.75 * drive[50:]).mean(axis=0)

    before = np.mean([np.abs(predicted(k)[2] - wanted[k]) for k in (0, 1)])
    for trial in range(300):
        psp, drive, _ = predicted(trial % 2)
        spikes = draw.poisson(wanted[trial % 2], (200, 2)).astype(float)
        s = Taught(made, taught_trial(), drive, spikes)
        s.rates = {"up": eta, "out": eta}
        along, bias = rule.change([s]).changes
        weights, biases = weights + psp.T @ along.post, biases + bias.change
    after = np.mean([np.abs(np.mean([predicted(k)[2] for _ in range(5)], axis=0) - wanted[k]) for k in (0, 1)])
    assert after < 0.03 < before


def test_the_registry_has_rules():
    for rule in rules.RULES.values():
        assert isinstance(rule(), rules.Rule)
