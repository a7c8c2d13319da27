"""Feedback that learns to be aligned (Kolen & Pollack 1994, IEEE ICNN 3:1375; in deep networks Akrout et al. 2019)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from segdend_plugin.errors import ConfigError
from segdend_plugin.model.changes import Change, Changes, Decay, Outer
from segdend_plugin.model.graph import Connections, Graph
from segdend_plugin.model.wants import Filtered, Want
from segdend_plugin.rule.base import Seen
from segdend_plugin.rule.guerguiev import Guerguiev, error_of_taught, soma, taught_rate
from segdend_plugin.rule.targets import output_scale, postsynaptic_change
from segdend_plugin.types import Array, is_number

DECAY = 1e-5


@dataclass(frozen=True)
class KolenPollack(Guerguiev):
    """The paper's rule, with learned feedback that changes as the forward weights of its taught cells do.

    A synapse from a taught cell onto a tuft changes by the same product as the synapse from the tuft's cell onto the
    taught cell: its error times the filtered train; both decay. What they differ in decays with them, so that feedback
    becomes the transpose of the forward weights, and errors those of backpropagation, without a weight being copied.

    Attributes
    ----------
    decay
        Fraction of both weights that is lost with every example (or batch).

    Raises
    ------
    ConfigError
        If a value is not allowed.
    """

    decay: float = DECAY

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_number(self.decay) or not 0 <= self.decay < 1:
            raise ConfigError(f"decay={self.decay!r}: give a fraction from 0 to below 1.")
        if self.feedback.learning_rate:
            raise ConfigError(
                f"feedback.learning_rate={self.feedback.learning_rate:g}: KolenPollack learns feedback at the rates of "
                "the forward weights: set 0."
            )

    def check_graph(self, graph: Graph) -> None:
        """Raise ConfigError if the graph does not suit the rule."""
        super().check_graph(graph)
        if not self._pairs(graph):
            raise ConfigError(f"rule {type(self).__name__}: no feedback set is learned: set learned=True.")

    def wants(self, graph: Graph) -> Sequence[Want]:
        """Want what the paper's rule wants, taught cells whole, and filtered trains of the cells below them."""
        found = list(super().wants(graph))
        for back, up in self._pairs(graph):
            found += [Filtered(up.name), *(w for name in back.pre for w in _of_taught(name))]
        return [*dict.fromkeys(found)]

    def change(self, seen: Sequence[Seen]) -> Changes:
        """Return what an example changes."""
        changes = super().change(seen)
        (s,) = seen
        more: list[Change] = []
        decays = [Decay(c.name, 1.0 - self.decay) for pair in self._pairs(s.graph) for c in pair] if self.decay else []
        for back, up in self._pairs(s.graph):
            rows = s.graph.rows(up, back.post)
            trains = s[Filtered(up.name)][rows][s.local(back.post)]
            more.append(Outer(back.name, trains, pre=self._errors_above(s, back, up)))
        return replace(changes, changes=(*dict.fromkeys(decays), *changes.changes, *more))

    @staticmethod
    def _errors_above(s: Seen, back: Connections, up: Connections) -> Array:
        """Return by how much each cell that feedback comes from changes its weights, shape (n_pre,)."""
        changes: Mapping[str, Array] = {
            name: postsynaptic_change(error_of_taught(s, name, whole=True), s.rates[up.name], output_scale())
            if name == up.post
            else np.zeros(s.graph[name].size)
            for name in back.pre
        }
        return np.concatenate([changes[name] for name in back.pre])

    @staticmethod
    def _pairs(graph: Graph) -> list[tuple[Connections, Connections]]:
        """Return learned feedback sets, each with every learned forward set the other way.

        Raises
        ------
        ConfigError
            If there is none for one of them, or it comes from cells that are not taught.
        """
        found = []
        for back in (c for c in graph.connections if c.role == "feedback" and c.learned):
            ups = [
                c
                for c in graph.connections
                if c.role == "forward" and c.learned and c.post in back.pre and back.post in c.pre
            ]
            if not ups or any(not graph[name].teacher for name in back.pre):
                raise ConfigError(
                    f"set {back.name!r}: it is learned, but no learned forward set leads from {back.post!r} to taught "
                    "cells in it: set learned=False, or take another rule."
                )
            found += [(back, up) for up in ups]
        return found


def _of_taught(name: str) -> tuple[Want, Want]:
    return taught_rate(name, whole=True), soma(name, whole=True)
