"""A graph that was built on this rank: runs trials, reads what was wanted, changes what learns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from segdend_plugin.engine.background import Background
from segdend_plugin.engine.kinds.base import Cells, Shown
from segdend_plugin.engine.kinds.poisson import InputCells
from segdend_plugin.engine.learned import Bound, Factors, Learned, joined
from segdend_plugin.engine.mpi import Ranks
from segdend_plugin.engine.plans import Plans
from segdend_plugin.engine.readings import Readings
from segdend_plugin.engine.seen import Seen
from segdend_plugin.engine.session import Session
from segdend_plugin.engine.sets import Sets
from segdend_plugin.errors import ConfigError, DataError, SegDendError
from segdend_plugin.model.changes import Before, Changes
from segdend_plugin.model.graph import Graph
from segdend_plugin.model.operating import OperatingPoint
from segdend_plugin.model.streams import Purpose
from segdend_plugin.model.trial import Stimulus, Trial
from segdend_plugin.model.wants import Want, Weights
from segdend_plugin.types import Array, HocObject, Integers

_NOTHING: Mapping[str, Any] = {}


class Network:
    """A graph, as far as it is on this rank.

    Parameters
    ----------
    session
        The process.
    graph
        What was built.
    cells
        Of every population, those of this rank.
    sets
        What learns or acts, by name.
    readings
        What reads in the time step.
    rest
        Potential (mV) at which trials begin.
    background
        What else of a host's model is made ready before a trial.
    """

    def __init__(
        self,
        session: Session,
        graph: Graph,
        cells: Mapping[str, Cells],
        sets: Mapping[str, Learned],
        readings: Readings,
        rest: float,
        background: Background | None = None,
    ) -> None:
        from neuron import h

        self._h: HocObject = h
        self._session, self.graph, self.cells = session, graph, dict(cells)
        self.sets = Sets(session.ranks, graph, self.cells, sets)
        self._readings, self._rest, self._background = readings, rest, background
        self._alive = True
        self._plans = Plans(graph, self.cells, readings)
        self._trials = 0
        self._gains: dict[tuple[str, bool], Array] = {}
        self._waiting: tuple[Trial, Purpose, float] | None = None
        self.tell_host: Callable[[], None] | None = None
        """Lets a host that keeps weights of its own know what was learned."""
        self.made_of: dict[str, str] = {}
        """Digests of the cell files that it was built from, by the label of the kind."""

    @property
    def ranks(self) -> Ranks:
        """The MPI job."""
        return self._session.ranks

    def check_alive(self) -> None:
        """Raise unless this is the network that was built last.

        Raises
        ------
        SegDendError
            If another one was built since: NEURON holds one at a time.
        """
        if not self._alive:
            raise SegDendError(
                "network: another one was built since in this process, which holds one at a time: use that one, or "
                "build this one anew."
            )

    # ---- who is where

    def local(self, population: str) -> Integers:
        """Return where the cells of this rank stand in their population, shape (n,)."""
        return self._cells_of(population).positions

    def gids(self, population: str) -> list[int]:
        """Return NEURON's identities of the cells of this rank, in the order of :meth:`local`."""
        return self._cells_of(population).gids

    def gain(self, population: str, *, whole: bool = False) -> Array:
        """Return k_b of each cell: of this rank's, or of all."""
        key = (population, whole)
        if key not in self._gains:
            self.check_alive()
            cells = self._cells_of(population)
            self._gains[key] = np.full(cells.population.size if whole else cells.n, cells.gain)
        return self._gains[key]

    def point(self, population: str) -> OperatingPoint:
        """Return where the cells of a population fire, as it was measured."""
        point: OperatingPoint | None = getattr(self._cells_of(population), "point", None)
        if point is None:
            raise ConfigError(
                f"population {population!r}: its operating point was not measured: call "
                "learner.survey(task, tune=True) first."
            )
        return point

    def whole(self, population: str, values: Array) -> Array:
        """Return values of all cells of a population on every rank; every rank must call this.

        Parameters
        ----------
        population
            Its name.
        values
            Of the cells of this rank; the last axis counts them.
        """
        return joined(self.ranks.allgather((self.local(population), values)))

    def millivolts(self, population: str, values: Array) -> Array:
        """Return potentials in mV of potentials in units of the rule."""
        scale = self._cells_of(population).scale
        return scale.rest + scale.unit * values

    def _cells_of(self, population: str) -> Cells:
        return self.cells[self.graph[population].name]

    def announce_spikes(self, wanted: bool = True) -> None:
        """Choose whether spikes reach NetCons and ``pc.spike_record``, beside the learned sets.

        Dense sets count the spikes of cells and draw those of inputs without events; results are the same with and
        without. Where ranks cannot gather counters, spikes of cells are announced in any case.
        """
        self.check_alive()
        wanted = wanted or any(c.form == "sparse" for c in self.graph.connections)
        for cells in self.cells.values():
            needed = self._session.needs_events and not isinstance(cells, InputCells)
            cells.announce(wanted or needed)

    # ---- a trial

    def run(
        self,
        trial: Trial,
        purpose: Purpose,
        wants: Sequence[Want],
        before: Before | None = None,
        *,
        rates: Mapping[str, float] = _NOTHING,
        state: Mapping[str, Array] = _NOTHING,
    ) -> Seen:
        """Run one trial from rest; it depends on weights, seed and example alone. Every rank must call this.

        Parameters
        ----------
        trial
            What is shown, and when its windows are open.
        purpose
            With seed and example the key of the random streams.
        wants
            What is read.
        before
            What is set before.
        rates, state
            What a rule finds in what was seen: learning rates, and its own state.

        Returns
        -------
        Seen
            What was wanted.
        """
        h = self._h
        self._prepare(trial, purpose, wants, before)
        self._tell(trial, purpose)
        h.dt = trial.dt
        h.finitialize(self._rest)
        self.ranks.pc.psolve(trial.end * trial.dt)
        return self._see(trial, purpose, rates, state)

    def begin(self, trial: Trial, purpose: Purpose, wants: Sequence[Want], before: Before | None = None) -> None:
        """Begin a trial at NEURON's present time, for a caller that runs it; every rank must call this."""
        h = self._h
        if h.dt != trial.dt:
            raise ConfigError(f"trial: NEURON's dt is {h.dt:g} ms, the network's is {trial.dt:g}: set them alike.")
        self._prepare(trial, purpose, wants, before, h.t)
        self._tell(trial, purpose, h.t)
        self._waiting = (trial, purpose, h.t)
        self._readings.restart()
        for one in self.sets.values():
            one.restart()
        for cells in self.cells.values():
            cells.restart()
        self._session.restart()

    def end(self, *, rates: Mapping[str, float] = _NOTHING, state: Mapping[str, Array] = _NOTHING) -> Seen:
        """End the trial that was begun, which the caller has run; every rank must call this."""
        h = self._h
        self.check_alive()
        if self._waiting is None:
            raise ConfigError("trial: none was begun, or another was shown since: call begin_trial first.")
        (trial, purpose, begin), self._waiting = self._waiting, None
        end = begin + trial.end * trial.dt
        if h.t < end - 0.5 * trial.dt:
            raise ConfigError(
                f"trial: NEURON's time is {h.t:g} ms, but the trial that began at {begin:g} ms ends at {end:g} ms: run "
                "it to its end, and call h.finitialize before begin_trial, if at all."
            )
        return self._see(trial, purpose, rates, state)

    def look(self, wants: Sequence[Want], trial: Trial, *, state: Mapping[str, Array] = _NOTHING) -> Seen:
        """Read weights before a trial; every rank must call this."""
        self.check_alive()
        values: dict[Want, Array] = {want: self.weights(want) for want in wants if isinstance(want, Weights)}
        if len(values) < len(wants):
            raise ConfigError("rule: before a trial only weights can be wanted: leave the others to after it.")
        return Seen(self, trial, Purpose.TRAINING_SPIKES, -1, values, _NOTHING, state)

    def _prepare(
        self, trial: Trial, purpose: Purpose, wants: Sequence[Want], before: Before | None, begin: float = 0.0
    ) -> None:
        self.check_alive()
        if trial.dt != self.graph.dt:
            raise ConfigError(f"trial: its dt is {trial.dt:g} ms, the network's {self.graph.dt:g}: make it anew.")
        plan = self._plans.take(wants)
        if before is not None:
            self._take(before, trial)
        self._readings.prepare(len(trial.windows), trial.end)
        for one in self.sets.values():
            one.prepare(trial, keep=bool(plan.traces), begin=begin)
        for cells in self.cells.values():
            cells.prepare(trial, purpose, begin)
        self._show(trial.stimulus, taught=trial.taught)
        self._trials += 1
        self._waiting = None

    def _tell(self, trial: Trial, purpose: Purpose, begin: float = 0.0) -> None:
        self._session.tell(trial, self.graph.seed, purpose, begin)
        if self._background is not None:
            self._background.key(self.graph.seed, purpose, trial.example)

    def _show(self, stimulus: Stimulus, *, taught: bool) -> None:
        for population in self.graph.inputs:
            cells = self.cells[population.name]
            if isinstance(cells, Shown):
                if population.name not in stimulus.drive:
                    raise DataError(f"stimulus: it has no drive for {population.name!r}: give it levels or spikes.")
                cells.show(stimulus.drive[population.name])
        for population in self.graph.taught:
            if taught and population.name not in stimulus.target:
                raise DataError(f"stimulus: it has no target for {population.name!r}: give it one.")
            self.cells[population.name].teach(stimulus.target[population.name] if taught else None)

    def _take(self, before: Before, trial: Trial) -> None:
        for name, matrix in before.weights.items():
            self.sets.set_weights(name, matrix)
        for (name, window), leads in before.leads.items():
            index = next((k for k, shown in enumerate(trial.windows) if shown.name == window), None)
            if index is not None:
                self._plans.set_leads(name, index, leads)

    # ---- reading

    def _see(self, trial: Trial, purpose: Purpose, rates: Mapping[str, float], state: Mapping[str, Array]) -> Seen:
        values = self._plans.read(trial, self.whole)
        for other in self._plans.plan.others:
            if isinstance(other, Weights):
                values[other] = self.sets.whole(other)
            else:
                index = next((k for k, shown in enumerate(trial.windows) if shown.name == other.window), None)
                if index is not None:
                    values[other] = self.sets[other.connections].filtered(index)
        return Seen(self, trial, purpose, self._trials, values, rates, state)

    # ---- learning

    def factors(self, seen: Sequence[Seen], changes: Changes, *, keep: bool = False) -> list[Factors]:
        """Return what the changes of an example need of the trials that were seen.

        Parameters
        ----------
        seen
            The trials of the example; the last one is the network's last.
        changes
            What the rule makes of them.
        keep
            Whether other trials run before they are applied, or other replicas apply them, so that presynaptic factors
            are copied.

        Raises
        ------
        ConfigError
            If the changes are not of the last trial of this network, or of sets that do not learn.
        """
        self.check_alive()
        last = seen[-1]
        if not last.belongs_to(self) or last.number != self._trials:
            raise ConfigError("learning: this is not the trial that the network has seen last: run it, then learn.")
        if last.purpose is not Purpose.TRAINING_SPIKES:
            raise ConfigError("learning: the last trial was a test: show a training example, then learn.")
        return self.sets.factors(changes, {window.name: k for k, window in enumerate(last.trial.windows)}, keep=keep)

    def bind(self, seen: Sequence[Seen], changes: Changes) -> list[Bound]:
        """Return changes with what they need of the trials that were seen, to be applied before others run."""
        return self.bound(changes, self.factors(seen, changes))

    def bound(self, changes: Changes, factors: Sequence[Factors]) -> list[Bound]:
        """Return changes with what was taken of their trials: here, or on the rank of another replica like this one."""
        return self.sets.bind(changes, factors)

    def apply(self, batch: Iterable[Sequence[Bound]]) -> None:
        """Add what the examples of a batch change, in their order; decay comes first, bounds act once."""
        self.check_alive()
        self.sets.apply(batch)

    def hand_back(self) -> None:
        """Leave a host's model so that its owner can go on: after learning, loading, surveys and tests."""
        for cells in self.cells.values():
            cells.leave()
        if self.tell_host is not None:
            self.tell_host()

    # ---- state

    def weights(self, want: Weights) -> Array:
        """Return the weights of a set, whole; every rank must call this."""
        return self.sets.whole(want)

    def biases(self, population: str) -> Array:
        """Return the biases of the cells of this rank, a view."""
        return self.sets.biases(population)

    def not_finite(self) -> list[tuple[str, str, int]]:
        """Return the first weight of each set and the first bias that are not finite on this rank.

        Returns
        -------
        list
            What it is, the population, and where the cell stands in it.
        """
        return self.sets.not_finite()

    def gather(self) -> tuple[dict[str, Array], dict[str, Array]] | None:
        """Collect weights and biases on rank 0, None elsewhere; every rank must call this.

        Returns
        -------
        weights, biases : dict
            Of forward sets and learned feedback, shape (n_pre, n_post); of populations, shape (n,).
        """
        self.check_alive()
        return self.sets.gather()

    def scatter(self, weights: Mapping[str, Array], biases: Mapping[str, Array]) -> None:
        """Take weights and biases as :meth:`gather` gives them, the same on every rank, which keeps its own cells'."""
        self.check_alive()
        self.sets.scatter(weights, biases)

    @property
    def derived(self) -> dict[str, Array]:
        """Numbers that were computed on one machine and that a resumed run reads; the same on every rank."""
        return {f"{name}/{what}": array for name, own in self.cells.items() for what, array in own.derived.items()}

    def adopt(self, derived: Mapping[str, Array]) -> bool:
        """Take such numbers from a state, the same on every rank, and return whether all could be taken."""
        self.check_alive()
        taken = [
            own.adopt({key[len(name) + 1 :]: array for key, array in derived.items() if key.startswith(f"{name}/")})
            for name, own in self.cells.items()
        ]
        return all(taken)

    def close(self) -> None:
        """Give up every NEURON object; from then on every call is answered with one sentence."""
        if self._alive:
            self._alive = False
            self._plans.close()
            self.sets.close()
            for cells in self.cells.values():
                cells.close()
            self._readings.close()
            if self._background is not None:
                self._background.close()
