"""Shows examples to a network and reads what it answers; learns nothing."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segdend_plugin.errors import ConfigError, SegDendError
from segdend_plugin.model import state as states
from segdend_plugin.model.changes import Before
from segdend_plugin.model.graph import Graph
from segdend_plugin.model.outcome import Outcome
from segdend_plugin.model.parcels import answers_in_turn
from segdend_plugin.model.places import SOMA
from segdend_plugin.model.state import State
from segdend_plugin.model.streams import Purpose
from segdend_plugin.model.trial import Stimulus, Trial
from segdend_plugin.model.wants import Average, Filtered, Quantity, Want, Weights
from segdend_plugin.rule.allowed import name_of, resolve_rates
from segdend_plugin.rule.base import Local, Phases, Rule
from segdend_plugin.rules import usual
from segdend_plugin.tasks.base import Answer, check_stimulus
from segdend_plugin.tasks.images import task_of
from segdend_plugin.types import Array

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

    from segdend_plugin.engine.network import Network
    from segdend_plugin.operating.survey import Survey
    from segdend_plugin.tasks.base import Task

BLOCK = 100
"""Examples whose trials are made, and whose answers are looked at, at once: ranks talk once for all of them."""


class Examiner:
    """A network with a rule that may set feedback weights before a trial: what learning and testing share.

    Parameters
    ----------
    network
        A network, or a graph that is then built.
    rule
        The learning rule, that of Guerguiev et al. (2017) if none is given: with measured scales
        (`rules.Measured`) where taught cells are somebody's own.
    learning_rates
        By population (of all sets onto it, and of its bias) or by set, which overrides; or one number for all. What is
        not given is the rule's default.
    phases
        Windows of the trials; those of the task, else of the rule, if none are given.

    Attributes
    ----------
    example
        Training examples seen; the next one has this number.
    rates
        Learning rate of every population and set.
    rule_state
        What the rule keeps between examples, the same on every rank.
    """

    def __init__(
        self,
        network: Graph | Network,
        rule: Rule | None = None,
        *,
        learning_rates: Mapping[str, float] | float | None = None,
        phases: Phases | None = None,
    ) -> None:
        if not hasattr(network, "graph") and not isinstance(network, Graph):
            raise ConfigError(f"network={network!r}: give a Graph, as of layered, or a network, as of create.")
        graph = network if isinstance(network, Graph) else network.graph
        rule = usual(graph) if rule is None else rule
        if not isinstance(rule, Rule) or isinstance(rule, type):
            raise ConfigError(f"rule={rule!r}: give a rule, as rules.Guerguiev().")
        if phases is not None and (isinstance(phases, type) or not hasattr(phases, "trials")):
            raise ConfigError(f"phases={phases!r}: give phases, as rules.TwoPhase().")
        self.graph, self.rule, self.phases = graph, rule, phases
        self._rule_wants = tuple(rule.wants(graph))  # refuses a graph before it is built
        self._wants_before = tuple(rule.wants_before(graph))
        self.rates = resolve_rates(graph, rule, learning_rates)
        if isinstance(network, Graph):
            from segdend_plugin.hosts.description import build

            network = build(network)
        self.network: Network = network
        self.example = 0
        self.rule_state: dict[str, Array] = dict(rule.start(graph))
        self._sets_nothing = getattr(type(rule), "before", None) is Local.before
        self._meets_next = False  # whether fixed sets have the weights that the next training example meets
        self._cached: dict[Any, tuple[tuple[Want, ...], dict[str, Want]]] = {}

    def answers(
        self,
        task: Task | Array,
        numbers: Sequence[int] | None = None,
        *,
        advance: Callable[[int], object] | None = None,
    ) -> dict[str, Array]:
        """Show examples without teacher and learning, and return what all taught cells answer.

        Neither weights nor any later training example are affected. Every rank calls it alike.

        Parameters
        ----------
        task
            A task, or images.
        numbers
            Which of its examples, all by default; the number is the key of the random streams.
        advance
            Called now and then with the number of examples that were shown since.

        Returns
        -------
        dict
            Taught population -> shape (examples, n), the same on every rank.
        """
        known = task_of(self.graph, task, answer=self._quantity(), asked=True)
        phases, numbers = self._phases_of(known), range(len(known)) if numbers is None else numbers
        found = []
        for first in range(0, len(numbers), BLOCK):
            block = [int(number) for number in numbers[first : first + BLOCK]]
            ranks = self.network.ranks
            mine = block[ranks.replica :: ranks.replicas]
            trials = self._make(phases, known.stimuli(mine), mine, taught=False)
            outcomes = [self._test(trial, number, known.answer) for trial, number in zip(trials, mine, strict=True)]
            found.append(self._finite(answers_in_turn(ranks.across(self.collect(outcomes))), known.answer))
            if advance is not None:
                advance(len(block))
        self.network.hand_back()
        return {p.name: np.concatenate([answers[p.name] for answers in found]) for p in self.graph.taught}

    def predict(self, task: Task | Array) -> Array:
        """Return classes or rates of all examples, as the task decodes the answers."""
        known = task_of(self.graph, task, answer=self._quantity(), asked=True)
        return known.decode(self.answers(known))

    def score(self, task: Task | Array, targets: Array | None = None) -> float:
        """Return how good the answers are: accuracy for classes, R2 for rates."""
        known = task_of(self.graph, task, targets, answer=self._quantity())
        return known.score(self.answers(known), range(len(known)))

    def present(
        self,
        stimulus: Stimulus,
        *,
        record: Sequence[Want] = (),
        taught: bool = False,
        phases: Phases | None = None,
        example: int | None = None,
    ) -> Outcome:
        """Show one stimulus and learn nothing.

        Parameters
        ----------
        stimulus
            What is shown.
        record
            What is to be read beside the answer.
        taught
            Whether it is shown with a teacher and with the spikes of a training example.
        phases
            Windows of the trial, by default the examiner's, else the rule's.
        example
            Number of the example, the key of its random streams; by default that of the next training example.
        """
        trial = self._one_trial(stimulus, taught, phases=phases, example=example)
        if not taught:
            return self._test(trial, -1, self._quantity(), tuple(record))
        wants, answers = self._wants_of(trial, self._quantity(), tuple(record))
        seen = self.network.run(
            trial, Purpose.TRAINING_SPIKES, wants, self._before(trial), rates=self.rates, state=self.rule_state
        )
        return Outcome(trial.example, -1, trial, {p: seen[want] for p, want in answers.items()}, seen.values)

    def survey(self, task: Task, *, tune: bool = False) -> Survey:
        """Measure in the running model where cells of somebody's own fire, before the first example is learned.

        Parameters
        ----------
        task
            Whose stimuli are shown.
        tune
            Whether weights are placed accordingly: each cell's mean at the middle of the rise of its rate, patterns
            spread over a part of it, the least teacher that is obeyed, and the least feedback that is seen.

        Returns
        -------
        Survey
            What was measured: a table (`str`) and a figure (`plot`). It becomes part of the state.

        Raises
        ------
        ConfigError
            If a population cannot be driven.
        """
        from segdend_plugin.operating.survey import survey

        return survey(self, task, tune=tune)

    def weights(self, connections: str, *, effective: bool = False) -> Array:
        """Return the weights of a set, the same on every rank; every rank calls it alike.

        Parameters
        ----------
        connections
            Its name.
        effective
            Whether they count as the soma feels them, where places on a cell differ in their effect.

        Returns
        -------
        Array
            A copy, shape (n_pre, n_post): potential per filtered spike rate in 1/ms. Of a sparse set one for each
            synapse, shape (n_synapses,).
        """
        self.network.check_alive()
        return self.network.weights(Weights(connections, effective))

    def collect(self, outcomes: Sequence[Outcome]) -> dict[str, Array]:
        """Return the answers of all cells, shape (examples, n) by taught population; every rank calls it alike."""
        return self._whole([outcome.answer for outcome in outcomes])

    def load(self, path: str | Path, *, other: bool = False) -> Self:
        """Take the weights and the number of the example from a state.

        Parameters
        ----------
        path
            A file of :meth:`save` or of a `Checkpoint`.
        other
            Whether it may be of another graph or rule, as long as populations and sets fit.
        """
        state = self._read(Path(path))
        if not other:
            mine = states.fingerprint(self.graph, rule=self.rule)
            states.compare(state.fingerprint, mine, Path(path))
        self.restore(state)
        return self

    def restore(self, state: State) -> None:
        """Take weights, rule state, the number of the example and derived numbers from a state that every rank has."""
        if state.fingerprint.get("graph") == self.graph.fingerprint and not self.network.adopt(state.derived):
            warnings.warn(
                "state: calibrations of this machine differ from those that it holds: results can differ in the last "
                "bits.",
                stacklevel=3,
            )
        self.network.scatter(state.weights, state.biases)
        self.rule_state.update((name, array) for name, array in state.rule.items() if name in self.rule_state)
        self.example, self._meets_next = state.example, False
        self.network.hand_back()

    def _whole(self, answers: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
        return {
            p.name: self.network.whole(
                p.name, np.array([answer[p.name] for answer in answers]).reshape(len(answers), -1)
            )
            for p in self.graph.taught
        }

    def _finite(self, answers: dict[str, Array], quantity: str) -> dict[str, Array]:
        """Return answers of whole populations, unless there is one that is not finite."""
        for population, values in answers.items():
            wrong = np.argwhere(~np.isfinite(values))
            if len(wrong):
                rates = {p.name: self.rates[p.name] for p in self.graph.populations if self.graph.onto(p.name)}
                raise SegDendError(
                    f"learning_rates={rates}: the {quantity} of cell {int(wrong[0, 1])} of {population!r} is no longer "
                    f"finite: lower the learning rates."
                )
        return answers

    def _test(self, trial: Trial, number: int, quantity: Quantity, record: tuple[Want, ...] = ()) -> Outcome:
        wants, answers = self._wants_of(trial, quantity, record)
        before = None
        if not self._meets_next:  # feedback that follows other weights is that of the next training example
            following = self._before(replace(trial, example=self.example))
            before = Before(weights=following.weights) if following is not None and following.weights else None
            self._meets_next = True
        seen = self.network.run(trial, Purpose.TEST_SPIKES, wants, before, rates=self.rates, state=self.rule_state)
        return Outcome(trial.example, number, trial, {p: seen[want] for p, want in answers.items()}, seen.values)

    def _before(self, trial: Trial) -> Before | None:
        """Return what the rule sets before a trial."""
        if self._sets_nothing:
            return None
        return self.rule.before(trial, self.network.look(self._wants_before, trial, state=self.rule_state))

    def _wants_of(
        self, trial: Trial, quantity: Quantity, extra: tuple[Want, ...], *, learning: bool = False
    ) -> tuple[tuple[Want, ...], dict[str, Want]]:
        """Return all that is to be read of a trial, and which of it is the answer of each taught population."""
        window = trial.windows[0].name
        key = (window, quantity, extra, learning, trial.taught)
        if key not in self._cached:
            names = [shown.name for shown in trial.windows]
            for want in extra:
                if isinstance(want, (Average, Filtered)) and want.window not in names:
                    raise ConfigError(
                        f"window={want.window!r}: a trial that is shown has only {', '.join(names)}: take one of these."
                    )
            answers: dict[str, Want] = {p.name: Average(p.name, quantity, SOMA, window) for p in self.graph.taught}
            of_rule = self._rule_wants if learning else ()
            self._cached[key] = tuple(dict.fromkeys((*of_rule, *answers.values(), *extra))), answers
        return self._cached[key]

    def _quantity(self) -> Answer:
        """Return what taught cells answer where no task says it."""
        offered = all(("potential", SOMA.region) in p.kind.offers for p in self.graph.taught)
        return "potential" if offered else "rate"

    def _phases_of(self, task: Task | None) -> Phases:
        chosen = self.phases
        if chosen is None and task is not None:
            chosen = task.phases
        if chosen is None:
            chosen = self.rule.phases
        return chosen.resolve(self.graph)

    def _make(
        self,
        phases: Phases,
        stimuli: Sequence[Stimulus],
        examples: Sequence[int],
        *,
        taught: bool,
        learning: bool = False,
    ) -> list[Trial]:
        """Return the trials of a block of examples, with all that the rule reads if they are to be learned."""
        trials = phases.trials(self.graph, stimuli, examples, taught=taught)
        wanted = {want.window for want in self._rule_wants if hasattr(want, "window")} if learning else set()
        for trial in trials:
            missing = wanted.difference(window.name for window in trial.windows)
            if missing:
                raise ConfigError(
                    f"phases={phases}: a trial has no window {min(missing)!r}, which {name_of(self.rule)} reads: "
                    f"give phases that have it."
                )
        return trials

    def _one_trial(
        self,
        stimulus: Stimulus,
        taught: bool,
        *,
        learning: bool = False,
        phases: Phases | None = None,
        example: int | None = None,
    ) -> Trial:
        """Return the trial of a stimulus of no task."""
        inputs = {p.name: p.size for p in self.graph.inputs}
        outputs = {p.name: p.size for p in self.graph.taught} if stimulus.target else {}
        check_stimulus("stimulus", stimulus, inputs, outputs)
        if taught and not stimulus.target:
            raise ConfigError("stimulus: it has no target, but is to be taught: give one, or taught=False.")
        laid = self._phases_of(None) if phases is None else phases.resolve(self.graph)
        number = self.example if example is None else example
        return self._make(laid, [stimulus], [number], taught=taught, learning=learning)[0]

    def _read(self, path: Path) -> State:
        state = self._on_root(lambda: states.load(path, "give a file that Learner.save or a Checkpoint has written"))
        known: State = self.network.ranks.broadcast(state)
        return known

    def _on_root(self, make: Callable[[], Any]) -> Any:
        """Return on rank 0 what it makes, None on others; an error of rank 0 is raised on every rank."""
        result, error = None, None
        if self.network.ranks.is_root:
            try:
                result = make()
            except SegDendError as caught:
                error = caught
            except OSError as caught:
                problem = caught.strerror or " ".join(str(caught).split())
                error = ConfigError(f"The state cannot be written ({problem}): free some room or choose another path.")
        error = self.network.ranks.broadcast(error)
        if error is not None:
            raise error
        return result


def check_whole(field: str, value: int, least: int) -> None:
    """Raise ConfigError unless a value is a whole number of `least` or more."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ConfigError(f"{field}={value!r}: give a whole number of {least} or more.")
