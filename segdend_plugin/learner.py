"""Joins a network, a rule and a task: shows examples and applies what the rule makes of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segdend_plugin import divergence
from segdend_plugin.callbacks import Callback, Checkpoint
from segdend_plugin.errors import ConfigError, DataError, SegDendError
from segdend_plugin.examiner import BLOCK, Examiner, check_whole
from segdend_plugin.model import state as states
from segdend_plugin.model.changes import Changes
from segdend_plugin.model.graph import Graph
from segdend_plugin.model.outcome import Outcome
from segdend_plugin.model.parcels import Learned, in_turn
from segdend_plugin.model.state import State
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.model.trial import Stimulus, Trial
from segdend_plugin.model.wants import Average, Quantity, Want
from segdend_plugin.rule.allowed import Allowed, name_of
from segdend_plugin.rule.base import Phases, Rule
from segdend_plugin.schedules import Schedule, constant
from segdend_plugin.tasks.base import shown
from segdend_plugin.tasks.images import task_of
from segdend_plugin.types import Array, is_number

if TYPE_CHECKING:
    from segdend_plugin.engine.network import Network
    from segdend_plugin.engine.seen import Seen
    from segdend_plugin.tasks.base import Task

Numbered = tuple[int, int, Trial]
"""Number of the example, which one of the task's it is, and the trial."""


class Learner(Examiner):
    """Teaches a network; every rank calls every method alike.

    Parameters
    ----------
    network, rule, learning_rates, phases
        As of :class:`~segdend_plugin.examiner.Examiner`.
    schedule
        (example, total) -> factor of the learning rates; constant if none is given.

    Attributes
    ----------
    task, end
        What is being learned, and the number of the example at which that ends.
    seconds
        Time spent on training, without callbacks.

    Raises
    ------
    ConfigError
        If the rule does not suit the graph, or a learning rate is wrong.
    """

    def __init__(
        self,
        network: Graph | Network,
        rule: Rule | None = None,
        *,
        learning_rates: Mapping[str, float] | float | None = None,
        schedule: Schedule | None = None,
        phases: Phases | None = None,
    ) -> None:
        super().__init__(network, rule, learning_rates=learning_rates, phases=phases)
        self.schedule: Schedule = constant() if schedule is None else schedule
        if not callable(self.schedule) or isinstance(self.schedule, type):
            raise ConfigError(f"schedule={schedule!r}: give a function of example and total, as schedules.linear().")
        self.task: Task | None = None
        self.end, self.seconds = 0, 0.0
        self._allowed = Allowed(
            self.graph, self.rule, {p.name: len(self.network.local(p.name)) for p in self.graph.populations}
        )
        self._callbacks: tuple[Callback, ...] = ()
        self._fingerprint = states.fingerprint(self.graph, rule=self.rule)
        self._open: tuple[Trial, dict[str, Want], Mapping[str, float]] | None = None
        self._recent: list[tuple[int, Mapping[Average, Array]]] = []
        self._factor, self._now = 1.0, self.rates

    def fit(
        self,
        task: Task | Array,
        targets: Array | None = None,
        *,
        epochs: int = 1,
        batch: int = 1,
        callbacks: Sequence[Callback] = (),
        total: int | None = None,
        resume: str | Path | State | None = None,
    ) -> Learner:
        """Learn all examples of a task, each epoch in an order of its own; goes on from where the learner is.

        Parameters
        ----------
        task, targets
            A task, or images with their labels.
        epochs
            How often every example is shown.
        batch
            Examples after which weights change; all examples of a batch meet the same weights.
        callbacks
            Called after each batch, in this order, checkpoints last.
        total
            Length of the run that the schedule counts with, that of this call if it is not given.
        resume
            A state that a `Checkpoint` of this very call has left, or its file: what it has seen is not shown again,
            and the results are those of a call that was never interrupted.

        Raises
        ------
        SegDendError
            If anything does not fit; nothing has been shown then. Or if potentials are no longer finite.
        """
        known = task_of(self.graph, task, targets, answer=self._quantity())
        check_whole("epochs", epochs, 0)
        check_whole("batch", batch, 1)
        phases, start, n = self._phases_of(known), self.example, len(known)
        self.task, self.end = known, start + epochs * n
        total = self.end if total is None else total
        check_whole("total", total, 0)
        self._callbacks = tuple(sorted(callbacks, key=lambda c: isinstance(c, Checkpoint)))
        self._fingerprint = states.fingerprint(
            self.graph,
            rule=self.rule,
            cells=self.network.made_of,
            task=known.digest,
            phases=phases,
            rates=self.rates,
            schedule=self.schedule,
            batch=batch,
            total=total,
        )
        if resume is not None:
            self._resume(resume, start)
        order = islice(_order(self.graph.seed, start, n, epochs), self.example - start, None)
        self._train(self._trials(known, phases, order), batch, total, known.answer)
        return self

    def partial_fit(
        self, task: Task | Array, targets: Array | None = None, *, batch: int = 1, total: int | None = None
    ) -> Learner:
        """Learn examples once, in the order in which they are given.

        Parameters
        ----------
        task, targets, batch
            As of :meth:`fit`.
        total
            Length of the run that the schedule counts with; needed where learning rates are not constant.
        """
        known = task_of(self.graph, task, targets, answer=self._quantity())
        check_whole("batch", batch, 1)
        phases, start, n = self._phases_of(known), self.example, len(known)
        total = self._total(total)
        self.task, self.end, self._callbacks = known, start + n, ()
        self._fingerprint = states.fingerprint(self.graph, rule=self.rule)
        order = ((start + k, k) for k in range(n))
        self._train(self._trials(known, phases, order), batch, total, known.answer)
        return self

    def begin_trial(
        self, stimulus: Stimulus, *, record: Sequence[Want] = (), taught: bool | None = None, total: int | None = None
    ) -> Trial:
        """Prepare a trial that the caller runs: windows, sums and streams start here, wherever the time stands.

        Parameters
        ----------
        stimulus
            What is shown.
        record
            What else is to be read.
        taught
            Whether the teacher speaks; by default, if the stimulus has a target.
        total
            Length of the run that the schedule counts with.
        """
        if self._open is not None:
            raise ConfigError("begin_trial: the trial before is still open: call end_trial first.")
        taught = bool(stimulus.target) if taught is None else taught
        total, learning = self._total(total), taught or not self.rule.needs_teacher
        trial = self._one_trial(stimulus, taught, learning=learning)
        if len(self.rule.trials(trial)) != 1:
            raise ConfigError(f"begin_trial: {name_of(self.rule)} shows an example in several trials: use fit.")
        wants, answers = self._wants_of(trial, self._quantity(), tuple(record), learning=learning)
        self.network.begin(trial, Purpose.TRAINING_SPIKES, wants, self._before(trial))
        self._open = trial, answers, self._rates(self.example, total)
        return trial

    def end_trial(self, *, learn: bool = True) -> Outcome:
        """Read the trial that the caller has run, and learn from it."""
        if self._open is None:
            raise ConfigError("end_trial: no trial has been shown: call begin_trial, run it, and then end_trial.")
        (trial, answers, rates), self._open = self._open, None
        seen = self.network.end(rates=rates, state=self.rule_state)
        if seen.trial is not trial:
            raise ConfigError("end_trial: another trial was shown in the meantime: call begin_trial before each trial.")
        answer = {population: seen[want] for population, want in answers.items()}
        changes = None
        if learn:
            changes = self._change([seen])
            self._apply([self.network.bind([seen], changes)], [changes], [seen.values])
        return Outcome(trial.example, -1, trial, answer, seen.values, changes)

    def _trials(self, task: Task, phases: Phases, order: Iterator[tuple[int, int]]) -> Iterator[Numbered]:
        """Yield examples with their trials, made block by block."""
        while block := list(islice(order, BLOCK)):
            examples, numbers = zip(*block, strict=True)
            stimuli = shown(task, numbers, self.graph.seed, examples)
            taught = all(stimulus.target for stimulus in stimuli)
            if self.rule.needs_teacher and not taught:
                raise DataError(
                    f"task: it has examples without a target, but {name_of(self.rule)} needs a teacher: give targets."
                )
            trials = self._make(phases, stimuli, examples, taught=taught, learning=True)
            yield from zip(examples, numbers, trials, strict=True)

    def _train(self, trials: Iterator[Numbered], batch: int, total: int, quantity: Quantity) -> None:
        if self._open is not None:
            raise ConfigError("fit: a trial of begin_trial is still open: call end_trial first.")
        self._tell("start")
        try:
            self._train_batches(trials, batch, total, quantity)
        finally:
            self.network.hand_back()
            self._tell("finish")

    def _train_batches(self, trials: Iterator[Numbered], batch: int, total: int, quantity: Quantity) -> None:
        can_stop = any(getattr(callback, "can_stop", True) for callback in self._callbacks)
        clock = time.perf_counter()
        while examples := list(islice(trials, batch)):
            outcomes = self._learn_batch(examples, total, quantity)
            self.seconds += time.perf_counter() - clock
            stop = False
            for callback in self._callbacks:
                stop = bool(callback.batch(self, outcomes)) or stop
            if can_stop and self.network.ranks.broadcast(stop):  # what rank 0 says counts
                self.check_sound()
                break
            clock = time.perf_counter()

    def _tell(self, what: str) -> None:
        """Call a method of those callbacks that have it."""
        for callback in self._callbacks:
            method = getattr(callback, what, None)
            if method is not None:
                method(self)

    def _learn_batch(self, examples: Sequence[Numbered], total: int, quantity: Quantity) -> list[Outcome]:
        """Show the examples of a batch, each replica its own, and apply what all of them change."""
        ranks = self.network.ranks
        wanted: list[tuple[tuple[Want, ...], dict[str, Want]]] = []
        mine: list[Learned] = []
        for k, (example, _, trial) in enumerate(examples):
            extra: tuple[Want, ...] = ()
            for callback in self._callbacks:
                extra += tuple(callback.wants(self.graph, example))
            wanted.append(self._wants_of(trial, quantity, extra, learning=True))
            if k % ranks.replicas == ranks.replica:
                keep = len(examples) > 1
                mine.append(self._learn_one(trial, wanted[-1][0], self._rates(example, total), keep=keep))
        found = in_turn(mine, [wants for wants, _ in wanted], ranks.replica, ranks.replicas, ranks.across)
        changed = [changes for _, changes, _ in found]
        answered = [
            {population: seen[want] for population, want in answers.items()}
            for (_, answers), (seen, _, _) in zip(wanted, found, strict=True)
        ]
        bound = [self.network.bound(changes, factors) for _, changes, factors in found]
        self._apply(bound, changed, [seen for seen, _, _ in found])
        return [
            Outcome(example, number, trial, answer, seen, changes)
            for (example, number, trial), answer, (seen, changes, _) in zip(examples, answered, found, strict=True)
        ]

    def _learn_one(self, trial: Trial, wants: Sequence[Want], rates: Mapping[str, float], *, keep: bool) -> Learned:
        """Show an example; return what was seen, what it changes, and what applying that needs."""
        seens = [
            self.network.run(one, Purpose.TRAINING_SPIKES, wants, self._before(one), rates=rates, state=self.rule_state)
            for one in self.rule.trials(trial)
        ]
        changes = self._change(seens)
        return seens[0].values, changes, self.network.factors(seens, changes, keep=keep)

    def _change(self, seens: Sequence[Seen]) -> Changes:
        """Return what an example changes."""
        if self.rule.needs_teacher and not any(seen.trial.taught for seen in seens):
            raise ConfigError(
                f"rule {name_of(self.rule)}: it cannot learn from a trial without a teacher: give a stimulus with a "
                "target, or learn=False."
            )
        changes = self.rule.change(seens)
        self._allowed.check(changes, seens[0].trial)
        return changes

    def _apply(self, bound: Sequence[Any], changed: Sequence[Changes], seen: Sequence[Mapping[Want, Array]]) -> None:
        """Change the weights by the examples of a batch, in their order."""
        self.network.apply(bound)
        state = self.rule.fold(self.rule_state, [changes.notes for changes in changed])
        if state is not self.rule_state:
            before = {name: np.shape(array) for name, array in self.rule_state.items()}
            after = {name: np.shape(array) for name, array in state.items()}
            if after != before:
                raise ConfigError(
                    f"rule {name_of(self.rule)}: fold made {after} of a state of {before}: keep names and shapes."
                )
            self.rule_state = dict(state)
        self._recent += enumerate(map(divergence.readings, seen), self.example)
        self.example += len(changed)
        self._meets_next = False
        if self.example % BLOCK < len(changed) or self.example == self.end:
            self.check_sound()

    def check_sound(self) -> None:
        """Raise SegDendError on every rank if what was seen or changed diverges (:mod:`segdend_plugin.divergence`)."""
        if not self._recent:
            return
        recent, self._recent = self._recent, []
        looks = self.network.ranks.allgather(divergence.look(self.network, recent))
        wrong = divergence.sentence(looks, recent[-1][0])
        if wrong is not None:
            rates = {p.name: self.rates[p.name] for p in self.graph.populations if self.graph.onto(p.name)}
            raise SegDendError(f"learning diverges: {wrong}: lower the learning rates, {rates}.")

    def _rates(self, example: int, total: int) -> Mapping[str, float]:
        """Return the learning rates of an example."""
        factor = self.schedule(example, total)
        if not is_number(factor) or factor < 0:
            raise ConfigError(f"schedule: it gives {factor!r} for example {example} of {total}: let it give 0 or more.")
        if factor != self._factor:
            self._factor, self._now = factor, {name: factor * rate for name, rate in self.rates.items()}
        return self._now

    def _total(self, total: int | None) -> int:
        """Return the length of a run whose end the learner cannot know."""
        if total is None and self.schedule(0, 2) != self.schedule(1, 2):
            raise ConfigError(f"total={total}: {self.schedule} needs the number of examples of the whole run: give it.")
        return self.example + 1 if total is None else total

    def state(self) -> State | None:
        """Return all that is needed to go on, on rank 0, None on others."""
        own = {key: dict(callback.state()) for key, callback in _keyed(self._callbacks)}
        gathered = self.network.gather()
        if gathered is None:
            return None
        weights, biases = gathered
        return State(
            self._fingerprint,
            self.example,
            weights,
            biases,
            self.rule_state,
            self.network.derived,
            own,
            seconds=self.seconds,
        )

    def save(self, path: str | Path) -> None:
        """Write the state, in one step; an older file becomes ``<name>.old``."""
        self.check_sound()
        state = self.state()
        self._on_root(lambda: states.save(Path(path), state) if state is not None else None)

    def _resume(self, source: str | Path | State, start: int) -> None:
        state, path = (source, "resume") if isinstance(source, State) else (self._read(Path(source)), str(source))
        states.compare(state.fingerprint, self._fingerprint, path)
        if not start <= state.example <= self.end:
            raise DataError(
                f"resume={path!r}: it has seen {state.example} examples and this call goes from {start} to "
                f"{self.end}: give a state of this call."
            )
        self.restore(state)
        self.seconds = state.seconds
        for key, callback in _keyed(self._callbacks):
            callback.rewind(state.example, dict(state.callbacks.get(key, {})))


def _order(seed: int, start: int, n: int, epochs: int) -> Iterator[tuple[int, int]]:
    """Yield number of the example and index of what is shown: each epoch has an order of its own."""
    first = -(-start // n)
    for epoch in range(epochs):
        order = stream(seed, Purpose.ORDER, first + epoch).permutation(n)
        yield from enumerate(order.tolist(), start + epoch * n)


def _keyed(callbacks: Sequence[Callback]) -> Iterator[tuple[str, Callback]]:
    """Yield callbacks with the names of their states."""
    seen: dict[str, int] = {}
    for callback in callbacks:
        name = type(callback).__name__
        seen[name] = seen.get(name, -1) + 1
        yield f"{name}/{seen[name]}", callback
