"""What is read after trials with the same wants, and how each want is made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from segdend_plugin.engine.kinds.base import Cells, Reader
from segdend_plugin.engine.readings import Readings
from segdend_plugin.model.graph import Graph
from segdend_plugin.model.places import Place
from segdend_plugin.model.trial import Trial
from segdend_plugin.model.wants import Average, Filtered, Quantity, Trace, Want, Weights
from segdend_plugin.types import Array


@dataclass
class Plan:
    """What a tuple of wants needs."""

    averages: list[tuple[Average, Reader]] = field(default_factory=list)
    traces: list[tuple[Trace, Reader]] = field(default_factory=list)
    others: list[Filtered | Weights] = field(default_factory=list)


class Plans:
    """Lets the time step read what is wanted, and nothing else.

    Parameters
    ----------
    graph, cells, readings
        Of one network.
    """

    def __init__(self, graph: Graph, cells: Mapping[str, Cells], readings: Readings) -> None:
        self._graph, self._cells, self._readings = graph, cells, readings
        self._readers: dict[tuple[str, Quantity, Place], Reader] = {}
        self._plans: dict[tuple[Want, ...], Plan] = {}
        self._wants: Sequence[Want] | None = None
        self.plan = Plan()

    def take(self, wants: Sequence[Want]) -> Plan:
        """Prepare for a trial after which these are read, and return how."""
        if wants is self._wants:  # callers that show many examples give the same tuple, which is dear to hash
            return self.plan
        key = tuple(wants)
        if key not in self._plans:
            self._plans[key] = self._make(key)
        plan = self._plans[key]
        if plan is not self.plan:
            self._switch(plan)
        self._wants = wants if isinstance(wants, tuple) else None
        return plan

    def set_leads(self, population: str, index: int, leads: Array) -> None:
        """Let the windows of what is read of dendrites precede the trial's by so many ms, shape (n,)."""
        for (name, _, place), reader in self._readers.items():
            if name == population and (place.of is not None or place.region != "soma"):
                reader.set_leads(index, leads)

    def read(self, trial: Trial, whole: Callable[[str, Array], Array]) -> dict[Want, Array]:
        """Return averages and traces; what a trial without their window leaves is nothing."""
        values: dict[Want, Array] = {}
        windows = {window.name: (k, window) for k, window in enumerate(trial.windows)}
        for want, reader in self.plan.averages:
            if want.window in windows:
                mine = reader.average(*windows[want.window], trial.dt)
                values[want] = whole(want.population, mine) if want.whole else mine
        for trace, reader in self.plan.traces:
            mine = reader.trace() if self._cells[trace.population].n else np.empty((trial.end, 0))
            values[trace] = whole(trace.population, mine) if trace.whole else mine
        return values

    def close(self) -> None:
        """Give up all readers."""
        self._readers, self._plans, self._wants, self.plan = {}, {}, None, Plan()

    def _make(self, wants: tuple[Want, ...]) -> Plan:
        plan = Plan()
        for want in dict.fromkeys(wants):
            if isinstance(want, (Average, Trace)):
                reader = self._reader(want)
                if isinstance(want, Average):
                    plan.averages.append((want, reader))
                else:
                    plan.traces.append((want, reader))
            else:
                self._graph.set(want.connections)
                plan.others.append(want)
        return plan

    def _reader(self, want: Average | Trace) -> Reader:
        key = (want.population, want.quantity, want.place)
        if key not in self._readers:
            cells = self._cells[self._graph[want.population].name]
            self._readers[key] = cells.reader(self._readings, want.quantity, want.place)
        return self._readers[key]

    def _switch(self, plan: Plan) -> None:
        for reader in self._readers.values():
            for group in reader.groups:
                group.summed = group.traced = False
        for _, reader in plan.averages:
            for group in reader.groups:
                group.summed = True
        for _, reader in plan.traces:
            for group in reader.groups:
                group.traced = True
        self.plan = plan
