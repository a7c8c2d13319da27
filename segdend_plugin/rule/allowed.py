"""What a rule may change in a graph, and how fast: learning rates of all sets, and checks of what a rule returns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from segdend_plugin.errors import ConfigError
from segdend_plugin.model.changes import Along, Bias, Change, Changes, Outer
from segdend_plugin.model.graph import Graph
from segdend_plugin.model.trial import Trial
from segdend_plugin.rule.base import Rule
from segdend_plugin.types import is_number


def name_of(rule: Rule) -> str:
    """Return what messages call a rule."""
    return type(rule).__name__


def resolve_rates(graph: Graph, rule: Rule, given: Mapping[str, float] | float | None) -> dict[str, float]:
    """Return the learning rate of every population (of its bias) and every set.

    Parameters
    ----------
    graph
        The network.
    rule
        Its defaults fill what is not given.
    given
        By population (all sets onto it) or set, which overrides; or one number for all.

    Raises
    ------
    ConfigError
        If a name is unknown, a rate is no number of 0 or more, or a learned set has none.
    """
    populations = [p.name for p in graph.populations]
    if given is None or isinstance(given, Mapping):
        chosen, default = dict(given or {}), dict(rule.learning_rates(graph))
    else:
        chosen, default = dict.fromkeys(populations, given), {}
    known = {*populations, *graph.set_names()}
    for name, rate in (*chosen.items(), *default.items()):
        if name not in known:
            raise ConfigError(
                f"learning_rates: there is no population or set {name!r}: the graph has {', '.join(sorted(known))}."
            )
        if not is_number(rate) or rate < 0:
            raise ConfigError(f"learning_rates: {name!r} has {rate!r}: give a number of 0 or more.")
    rates = {name: float(chosen.get(name, default.get(name, 0.0))) for name in populations}
    for c in graph.connections:
        found = next((of[name] for of in (chosen, default) for name in (c.name, c.post) if name in of), None)
        if found is None and c.learned:
            raise ConfigError(f"learning_rates: there is none for the set {c.name!r}, which is learned: give one.")
        rates[c.name] = float(found or 0.0)
    return rates


class Allowed:
    """Checks what a rule returns, cheaply, for every example.

    Parameters
    ----------
    graph
        The network.
    rule
        Named in messages.
    local
        Population -> number of its cells on this rank.
    """

    def __init__(self, graph: Graph, rule: Rule, local: Mapping[str, int]) -> None:
        self._graph, self._rule = graph, name_of(rule)
        sizes = {p.name: (local[p.name], p.size) for p in graph.populations}
        self._sets = {c.name: (sizes[c.post], graph.n_pre(c)) for c in graph.connections if c.learned}
        self._biases = {
            p.name: sizes[p.name]
            for p in graph.populations
            if p.bias and any(c.learned for c in graph.onto(p.name, "forward") or graph.onto(p.name))
        }

    def check(self, changes: Changes, trial: Trial) -> None:
        """Raise ConfigError for a change of something else than a learned set or bias, or of another shape."""
        for change in changes.changes:
            if isinstance(change, Bias):
                if change.population not in self._biases:
                    self._refuse(change)
                self._check_shape(change.population, np.shape(change.change), self._biases[change.population], ())
                continue
            if change.connections not in self._sets:
                self._refuse(change)
            cells, n_pre = self._sets[change.connections]
            if isinstance(change, Outer):
                self._check_shape(change.connections, np.shape(change.post), cells, ())
                if change.pre is not None and np.shape(change.pre) != (n_pre,):
                    raise ConfigError(
                        f"rule {self._rule}: a change of {change.connections!r} has pre of shape "
                        f"{np.shape(change.pre)}: give ({n_pre},)."
                    )
            elif isinstance(change, Along):
                self._check_shape(change.connections, np.shape(change.post), cells, (trial.end,))

    def _check_shape(self, name: str, shape: tuple[int, ...], cells: tuple[int, int], steps: tuple[int, ...]) -> None:
        if shape[:-1] != steps or shape[-1:] not in ((cells[0],), (cells[1],)):
            raise ConfigError(
                f"rule {self._rule}: a change of {name!r} has shape {shape}: give {(*steps, cells[0])}, a number for "
                f"each cell."
            )

    def _refuse(self, change: Change) -> None:
        """Raise the error that says why something may not be changed."""
        if isinstance(change, Bias):
            name = change.population
            problem = "frozen with all sets onto its population" if self._graph[name].bias else "not there (bias=False)"
            raise ConfigError(f"rule {self._rule}: it changes the bias of {name!r}, which is {problem}: leave it out.")
        name = self._graph.set(change.connections).name  # raises where there is none
        raise ConfigError(
            f"rule {self._rule}: it changes {name!r}, which is frozen: leave it as it is, or set learned=True."
        )
