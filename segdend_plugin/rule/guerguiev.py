"""The rule of Guerguiev, Lillicrap & Richards (2017) eLife 6:e22901: hidden cells learn from their plateaus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from segdend_plugin.errors import ConfigError
from segdend_plugin.model.changes import Before, Bias, Change, Changes, Outer
from segdend_plugin.model.graph import Graph, Population
from segdend_plugin.model.places import SOMA
from segdend_plugin.model.trial import Trial
from segdend_plugin.model.wants import Average, Want
from segdend_plugin.rule import baseline, rates
from segdend_plugin.rule.base import Local, Phases, Seen
from segdend_plugin.rule.feedback import Feedback, feedback_change, followed, following, random_feedback
from segdend_plugin.rule.phases import TwoPhase
from segdend_plugin.rule.plateau import READOUTS, Readout, burst_difference, plateau_difference, plateau_leads
from segdend_plugin.rule.targets import hidden_delta, hidden_scale, output_delta, output_scale, postsynaptic_change
from segdend_plugin.types import Array, is_number

WINDOWS = ("forward", "target")


@dataclass(frozen=True)
class Guerguiev(Local):
    """Taught cells learn from their rates in two phases, hidden cells from their plateaus (eqs 8-10, 22-31).

    Attributes
    ----------
    plateau
        Name of the readout of apical dendrites (:data:`~segdend_plugin.rule.plateau.READOUTS`).
    plateau_gain
        Factor of the argument of its sigmoid.
    desynchronised
        Standard deviation (ms) of the times by which each cell's plateaus precede the end of the phase (folded normal,
        at most 5 ms; 3 in Fig 6 - figure supplement 1), 0 for synchronous plateaus.
    baseline
        Rate, per example, at which each hidden cell follows the mean of its plateau differences, which it takes off
        them; 0 for none, as in the paper. It takes away what differs between the two phases whatever the teacher says,
        such as adaptation of active cells. The first examples count equally.
    feedback
        What becomes of the feedback weights.
    phases
        Windows named ``"forward"`` and ``"target"``.

    Raises
    ------
    ConfigError
        If a value is not allowed.
    """

    plateau: str = "average"
    plateau_gain: float = 1.0
    desynchronised: float = 0.0
    baseline: float = 0.0
    feedback: Feedback = Feedback()  # noqa: RUF009  frozen
    phases: Phases = TwoPhase()  # noqa: RUF009  frozen

    def __post_init__(self) -> None:
        if self.plateau not in READOUTS:
            raise ConfigError(f"plateau={self.plateau!r}: give one of {', '.join(READOUTS)}.")
        if not is_number(self.plateau_gain) or self.plateau_gain <= 0:
            raise ConfigError(f"plateau_gain={self.plateau_gain!r}: give a number above 0.")
        if self.plateau_gain != 1.0 and self.readout.is_fraction:
            raise ConfigError(f"plateau_gain={self.plateau_gain:g}: {self.plateau!r} has no sigmoid: set 1.")
        if not is_number(self.desynchronised) or self.desynchronised < 0:
            raise ConfigError(f"desynchronised={self.desynchronised!r}: give 0 ms or more.")
        if not is_number(self.baseline) or not 0 <= self.baseline <= 1:
            raise ConfigError(f"baseline={self.baseline!r}: give a rate from 0 to 1.")

    @property
    def readout(self) -> Readout:
        """How plateaus are read."""
        return READOUTS[self.plateau]

    # ---- what is read

    def layers(self, graph: Graph) -> tuple[tuple[Population, ...], ...]:
        """Return the populations that learn without a teacher, by layer from the input on."""
        return graph.hidden_layers

    def wants(self, graph: Graph) -> Sequence[Want]:
        """Want rates and potentials of taught cells, potentials and plateaus of hidden ones.

        Raises
        ------
        ConfigError
            If no population is taught, a layer that shall learn has no feedback, or cells do not offer what is read.
        """
        self.check_graph(graph)
        found: list[Want] = []
        for p in graph.taught:
            found += [checked(graph, taught_rate(p.name)), checked(graph, soma(p.name))]
        for p in _flat(self.layers(graph)):
            found.append(checked(graph, soma(p.name)))
            self.check_plateaus(p)
            found += [self._read(graph, p.name, window) for window in WINDOWS]
        return found

    def _read(self, graph: Graph, population: str, window: str) -> Average:
        """Return what is read of plateaus: of all cells where a baseline is kept, which is the same on every rank."""
        return replace(self.apical(graph, population, window), whole=self.baseline > 0)

    def check_graph(self, graph: Graph) -> None:
        """Raise ConfigError if the graph does not suit the rule."""
        check_taught(graph)
        suits = {p.name for p in (*graph.taught, *_flat(self.layers(graph)))}
        for c in graph.connections:
            if c.role == "forward" and c.learned and c.post not in suits:
                missing = "forward sets from an input" if graph.onto(c.post, "feedback") else "feedback"
                raise ConfigError(
                    f"set {c.name!r}: {c.post!r} has no {missing} and cannot learn: add a set, or set learned=False."
                )
        learned = [c.name for c in graph.connections if c.role == "feedback" and c.learned]
        if self.feedback.learning_rate and not learned:
            raise ConfigError(
                f"feedback.learning_rate={self.feedback.learning_rate:g}: no feedback set is learned: set learned=True."
            )
        if self.feedback.is_renewed and learned:
            raise ConfigError(
                f"set {learned[0]!r}: it is learned, and the rule sets its weights before every example: set "
                "learned=False, or take random feedback without noise."
            )

    def check_plateaus(self, population: Population) -> None:
        """Raise ConfigError if the cells of a population do not offer what is read of plateaus."""
        kind = population.kind
        if not self.readout.offered_by(kind):
            possible = ", ".join(name for name, row in READOUTS.items() if row.offered_by(kind)) or "none"
            raise ConfigError(
                f"plateau={self.plateau!r}: {kind.label} cells ({population.name!r}) do not offer the "
                f"{self.readout.quantity} of {self.readout.region}: choose a plateau that they have ({possible}), or "
                "other cells."
            )

    def apical(self, graph: Graph, population: str, window: str) -> Average:
        """Return what is read of the apical dendrites of a population, where its first feedback set lands."""
        return self.readout.average(population, graph.onto(population, "feedback")[0].name, window)

    def wants_before(self, graph: Graph) -> Sequence[Want]:
        """Want the forward weights that feedback follows."""
        return followed(graph) if self.feedback.follows_weights else ()

    def learning_rates(self, graph: Graph) -> Mapping[str, float]:
        """Return those of :mod:`~segdend_plugin.rule.rates` by population, and that of learned feedback by set."""
        layers = self.layers(graph)
        sizes = [sum(p.size for p in group) for group in (graph.sources, *layers, graph.taught)]
        found = {p.name: rates.learning_rates(sizes)[-1] for p in graph.taught}
        for depth, layer in enumerate(layers):
            for p in layer:
                found[p.name] = rates.learning_rates(sizes, self.readout.steepness_on(p.kind))[depth]
        back = [c for c in graph.connections if c.role == "feedback" and c.learned]
        return found | {c.name: self.feedback.learning_rate for c in back}

    # ---- what is set before a trial

    def start(self, graph: Graph) -> Mapping[str, Array]:
        """Keep the random weights of feedback that is made of them before every example, and baselines."""
        kept: dict[str, Array] = {}
        if self.baseline:
            kept |= baseline.start(_flat(self.layers(graph)))
        if self.feedback.is_renewed and self.feedback.kind != "symmetric":
            kept |= {_PREFIX + name: matrix for name, matrix in random_feedback(graph).items()}
        return kept

    def before(self, trial: Trial, seen: Seen) -> Before:
        """Set by how much plateaus precede the ends of phases, and feedback that is made anew for every example."""
        leads = self._leads(trial, seen) if self.desynchronised and trial.taught else {}
        if not self.feedback.is_renewed:
            return Before(leads)
        wanted = followed(seen.graph) if self.feedback.follows_weights else []
        forward = {want.connections: seen[want] for want in wanted}
        random = {name.removeprefix(_PREFIX): matrix for name, matrix in seen.state.items() if name.startswith(_PREFIX)}
        return Before(leads, following(seen.graph, self.feedback, trial.example, forward, random))

    def _leads(self, trial: Trial, seen: Seen) -> dict[tuple[str, str], Array]:
        leads: dict[tuple[str, str], Array] = {}
        for depth, layer in enumerate(self.layers(seen.graph)):
            n = sum(p.size for p in layer)
            drawn = plateau_leads(seen.graph.seed, depth, trial.example, n, self.desynchronised)
            first = 0
            for p in layer:
                for window, ms in zip(WINDOWS, drawn, strict=True):
                    leads[p.name, window] = ms[first + seen.local(p.name)].astype(float)
                first += p.size
        return leads

    # ---- what changes

    def change(self, seen: Sequence[Seen]) -> Changes:
        """Return what an example changes (eqs 10 and 26)."""
        (s,) = seen
        for window in WINDOWS:
            if s.trial.window(window) is None:
                had = ", ".join(w.name for w in s.trial.windows)
                raise ConfigError(f"phases: the trial has no window {window!r}, only {had}: name one so.")
        errors = self.errors(s)
        changes: list[Change] = []
        for name, delta in errors.items():
            changes += descend(s, name, delta)
        if self.feedback.learning_rate:
            changes += self._feedback(s)
        notes = {baseline.name(p.name): self._differences(s, p) for p in _flat(self.layers(s.graph)) if self.baseline}
        return Changes(tuple(changes), errors, notes)

    def fold(self, state: Mapping[str, Array], notes: Sequence[Mapping[str, Array]]) -> Mapping[str, Array]:
        """Let baselines follow the plateau differences of a batch."""
        if not self.baseline:
            return state
        return baseline.fold(state, notes, self.baseline)

    def errors(self, s: Seen) -> dict[str, Array]:
        """Return the error of the local cells of every population (eqs 9, 23), each of shape (n,)."""
        deltas = {p.name: error_of_taught(s, p.name) for p in s.graph.taught}
        for p in _flat(self.layers(s.graph)):
            deltas[p.name] = hidden_delta(self.difference(s, p), s[soma(p.name)], s.gain(p.name))
        return deltas

    def alpha(self, s: Seen, population: str, window: str) -> Array:
        """Return the plateaus of the local cells in a window, shape (n,)."""
        alpha = self._alpha(s, population, window)
        return alpha[s.local(population)] if self.baseline else alpha

    def difference(self, s: Seen, population: Population) -> Array:
        """Return alpha_t - alpha_f of the local cells, or that of their bursts, off the baseline, shape (n,)."""
        found = self._differences(s, population)
        if not self.baseline:
            return found
        off: Array = (found - s.state[baseline.name(population.name)])[s.local(population.name)]
        return off

    def _alpha(self, s: Seen, population: str, window: str) -> Array:
        return self.readout.alpha(s[self._read(s.graph, population, window)], self.plateau_gain)

    def _differences(self, s: Seen, population: Population) -> Array:
        """Return alpha_t - alpha_f, or that of bursts, of the cells that are read."""
        forward, target = (self._alpha(s, population.name, window) for window in WINDOWS)
        if not self.readout.poisson:
            return plateau_difference(forward, target)
        local = population.first + s.local(population.name)
        numbers = list(population.numbers) if self.baseline else local.tolist()
        return burst_difference(forward, target, s.graph.seed, s.trial.example, numbers)

    def _feedback(self, s: Seen) -> list[Change]:
        """Return the change of learned feedback, of which a tuft learns to predict its soma."""
        changes: list[Change] = []
        for p in _flat(self.layers(s.graph)):
            sets = [c for c in s.graph.onto(p.name, "feedback") if c.learned]
            if sets:
                alpha = self.alpha(s, p.name, "forward")
                post = feedback_change(s[soma(p.name)], alpha, self.feedback.learning_rate)
                changes += [Outer(c.name, post) for c in sets]
        return changes


_PREFIX = "random "
"""Of the names of state arrays that are random feedback."""


def check_taught(graph: Graph) -> None:
    """Raise ConfigError if no population is taught."""
    if not graph.taught:
        raise ConfigError(f"graph: none of {', '.join(p.name for p in graph.populations)} is taught: set teacher=True.")


def descend(s: Seen, population: str, delta: Array) -> list[Change]:
    """Return the change of all learned forward sets onto a population and of its bias (eqs 10, 26).

    Parameters
    ----------
    s
        What was seen.
    population
        Name of the population.
    delta
        Errors of its local cells, shape (n,).
    """
    sets = [c for c in s.graph.onto(population, "forward") if c.learned]
    scale = output_scale() if s.graph[population].teacher else hidden_scale()
    changes: list[Change] = [Outer(c.name, postsynaptic_change(delta, s.rates[c.name], scale)) for c in sets]
    if sets and s.graph[population].bias:
        changes.append(Bias(population, postsynaptic_change(delta, s.rates[population], scale)))
    return changes


def _flat(layers: Iterable[Sequence[Population]]) -> list[Population]:
    return [p for layer in layers for p in layer]


@cache
def soma(population: str, *, whole: bool = False) -> Average:
    """Return the mean somatic potential of the forward window, as it is wanted."""
    return Average(population, "potential", SOMA, "forward", whole)


@cache
def taught_rate(population: str, *, whole: bool = False) -> Average:
    """Return the mean rate of the target window, as it is wanted."""
    return Average(population, "rate", SOMA, "target", whole)


def error_of_taught(s: Seen, population: str, *, whole: bool = False) -> Array:
    """Return the error of taught cells (eq 23): of the local ones, or of all."""
    rate, potential = s[taught_rate(population, whole=whole)], s[soma(population, whole=whole)]
    return output_delta(rate, potential, s.gain(population, whole=whole))


def checked(graph: Graph, want: Average) -> Average:
    """Return a want of somas; raise ConfigError if the cells do not offer it."""
    kind = graph[want.population].kind
    if (want.quantity, want.place.region) not in kind.offers:
        raise ConfigError(
            f"population {want.population!r}: {kind.label} cells do not offer the {want.quantity} of "
            f"{want.place.region}, from which they learn: take other cells."
        )
    return want
