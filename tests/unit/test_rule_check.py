"""The check of rules: ours pass it, and each thing that can go wrong is said in a sentence."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from segdend_plugin import rules
from segdend_plugin.errors import ConfigError
from segdend_plugin.model.changes import Changes, Decay, Outer
from segdend_plugin.model.places import SOMA
from segdend_plugin.model.wants import Average, Filtered, Trace
from segdend_plugin.rule.check import graphs


@pytest.mark.parametrize(
    "rule",
    [
        *(rules.Guerguiev(name, desynchronised=3.0) for name in rules.READOUTS),
        rules.Guerguiev(feedback=rules.Feedback("symmetric")),
        rules.Guerguiev(feedback=rules.Feedback("sign_concordant", noise=0.05)),
        rules.Guerguiev(feedback=rules.Feedback(noise=0.05)),
        rules.Guerguiev(feedback=rules.Feedback(learning_rate=0.1)),
        rules.Backprop(),
        rules.Backprop(feedback=rules.Feedback(learning_rate=0.1)),
        rules.UrbanczikSenn(),
    ],
)
def test_ours_pass(rule):
    rules.check(rule)


@dataclass(frozen=True)
class Own(rules.Local):
    """Taught cells alone learn, by their rates."""

    phases: rules.TwoPhase = rules.TwoPhase()  # noqa: RUF009  frozen

    def wants(self, graph):
        return [Average(p.name, "rate", SOMA, "target") for p in graph.taught]

    def rate(self, s, p):
        return s[Average(p.name, "rate", SOMA, "target")]

    def change(self, seen):
        (s,) = seen
        return Changes(
            tuple(
                Outer(c.name, self.rate(s, p))
                for p in s.graph.taught
                for c in s.graph.onto(p.name, "forward")
                if c.learned
            )
        )


def test_one_of_ones_own_passes():
    rules.check(Own())


class Greedy(Own):
    def rate(self, s, p):
        return s[Average(p.name, "potential", SOMA, "target")]


class Rankwise(Own):
    def rate(self, s, p):
        return super().rate(s, p) - super().rate(s, p).sum()


class Spoiling(Own):
    def rate(self, s, p):
        rate = super().rate(s, p)
        rate *= 2.0
        return rate


class Dicing(Own):
    def rate(self, s, p):
        return super().rate(s, p) * np.random.default_rng().normal()


class Counting(Own):
    def rate(self, s, p):
        calls.append(p)
        return super().rate(s, p) * len(calls)


calls: list = []


class Short(Own):
    def rate(self, s, p):
        return np.ones(1 if s.graph[p.name].size > 1 else 2)


class Endless(Own):
    def rate(self, s, p):
        return super().rate(s, p) / 0.0


class Thawing(Own):
    def change(self, seen):
        done = super().change(seen)
        frozen = [c for c in seen[0].graph.connections if not c.learned]
        return replace(done, changes=(*done.changes, *(Decay(c.name, 0.9) for c in frozen)))


class Partial(Own):
    def change(self, seen):
        done = super().change(seen)
        return done if len(seen[0].local(seen[0].graph.taught[0].name)) else Changes(())


class Windowless(Own):
    def wants(self, graph):
        return [Filtered(c.name) for c in graph.connections] + [Average(graph.taught[0].name, "rate", SOMA, "late")]

    def rate(self, s, p):
        return s[Average(s.graph.taught[0].name, "rate", SOMA, "late")]


class Remembering(Own):
    """Keeps a running mean of whole populations."""

    def wants(self, graph):
        return [*super().wants(graph), *(replace(want, whole=True) for want in super().wants(graph))]

    def start(self, graph):
        return {p.name: np.zeros(p.size) for p in graph.taught}

    def rate(self, s, p):
        return super().rate(s, p) - s.state[p.name][s.local(p.name)]

    def whole(self, s, p):
        return s[Average(p.name, "rate", SOMA, "target", whole=True)]

    def change(self, seen):
        (s,) = seen
        return replace(super().change(seen), notes={p.name: self.whole(s, p) for p in s.graph.taught})

    def fold(self, state, notes):
        for seen in notes:
            state = {key: 0.9 * value + 0.1 * seen[key] for key, value in state.items()}
        return state


class Forgetful(Remembering):
    """Notes what local cells did as if they were all."""

    def whole(self, s, p):
        return np.full(p.size, super(Remembering, self).rate(s, p).sum())


class Careless(Remembering):
    def fold(self, state, notes):
        for value in state.values():
            value += 1.0
        return state


class Growing(Remembering):
    def fold(self, state, notes):
        return {key: np.append(value, 0.0) for key, value in state.items()}


class Impatient(Remembering):
    def rate(self, s, p):
        s.state[p.name][:] = 1.0
        return super().rate(s, p)


def test_state_that_is_whole_passes():
    rules.check(Remembering())


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (Greedy, "without wanting it"),
        (Rankwise, "on 2 ranks change 0 of example 0"),
        (Spoiling, "`change` changes what it has read"),
        (Dicing, "something else the second time"),
        (Counting, "something else the second time"),
        (Short, "give a number for each of these, or for all"),
        (Endless, "is not finite"),
        (Thawing, "which does not learn: leave it out"),
        (Partial, "is said by some ranks only"),
        (Windowless, "no window 'late'"),
        (Forgetful, "differs between 2 ranks"),
        (Careless, "`fold` changes the state"),
        (Growing, "`fold` returns other names or shapes"),
        (Impatient, "`change` changes the rule's state"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_what_is_wrong_is_said(rule, said):
    with pytest.raises(ConfigError, match=said):
        rules.check(rule())


class Choosy(Own):
    def wants(self, graph):
        raise ConfigError("graph: nothing is taught: set teacher=True.")


def test_a_rule_that_suits_no_graph_is_told_why():
    with pytest.raises(ConfigError, match=r"refuses every graph of this check \(.*nothing is taught"):
        rules.check(Choosy())


def test_a_graph_of_ones_own_is_checked_and_refused_by_the_rule_itself():
    rules.check(rules.Guerguiev(), graphs()[3])
    with pytest.raises(ConfigError, match="make a circle"):
        rules.check(rules.Backprop(), graphs()[3])


class Spiking(Own):
    """Reads trains of other populations, whole."""

    def wants(self, graph):
        return [*super().wants(graph), *(Trace(p.name, "spikes", SOMA, whole=True) for p in graph.taught)]

    def rate(self, s, p):
        trains = s.spikes(p.name)
        return np.bincount(trains.cells, minlength=p.size).astype(float)


def test_whole_spike_trains_may_be_read():
    rules.check(Spiking())
