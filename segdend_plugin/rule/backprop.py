"""Backpropagation through the same network: the reference that local errors are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from segdend_plugin.errors import ConfigError
from segdend_plugin.model.graph import Graph, Population
from segdend_plugin.model.wants import Want, Weights
from segdend_plugin.rule.base import Seen
from segdend_plugin.rule.guerguiev import Guerguiev, checked, error_of_taught, soma, taught_rate
from segdend_plugin.rule.plateau import sigma_slope
from segdend_plugin.rule.targets import RATE_MAX
from segdend_plugin.rule.weights import are_connected, joined_weights
from segdend_plugin.types import Array


@dataclass(frozen=True)
class Backprop(Guerguiev):
    """Hidden cells learn from exact errors, which every rank computes alike from whole layers.

    With the weights as they were when the example was shown, and as somas feel them. What concerns plateaus is of no
    effect but on learned feedback; there may be no feedback at all.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.baseline:
            raise ConfigError(f"baseline={self.baseline:g}: exact errors have none: set 0.")

    def layers(self, graph: Graph) -> tuple[tuple[Population, ...], ...]:
        """Return all populations that learn without a teacher, by the longest way of forward sets to them.

        Raises
        ------
        ConfigError
            If forward sets make a circle.
        """
        hidden = (tuple(p for p in level if not p.teacher) for level in levels(graph))
        return tuple(level for level in hidden if level)

    def wants(self, graph: Graph) -> Sequence[Want]:
        """Want rates and potentials of all cells, and the weights between them."""
        self.check_graph(graph)
        hidden = [p for layer in self.layers(graph) for p in layer]
        found: list[Want] = [taught_rate(p.name, whole=True) for p in graph.taught]
        found += [checked(graph, soma(p.name, whole=True)) for p in (*graph.taught, *hidden)]
        names = {p.name for p in hidden}
        forward = [c for c in graph.connections if c.role == "forward"]
        found += [Weights(c.name) for c in forward if not names.isdisjoint(c.pre)]
        for p in hidden if self.feedback.learning_rate else ():
            if any(c.learned for c in graph.onto(p.name, "feedback")):
                self.check_plateaus(p)
                found += [soma(p.name), self.apical(graph, p.name, "forward")]
        return found

    def errors(self, s: Seen) -> dict[str, Array]:
        """Return the error of the local cells of every population, each of shape (n,)."""
        whole = self.whole_errors(s)
        return {name: delta[s.local(name)] for name, delta in whole.items()}

    def whole_errors(self, s: Seen) -> dict[str, Array]:
        """Return the errors of all cells of every population, the same on every rank."""
        graph = s.graph
        deltas = {p.name: error_of_taught(s, p.name, whole=True) for p in graph.taught}
        later: list[tuple[Population, ...]] = []
        for level in reversed(levels(graph)):
            hidden = tuple(p for p in level if not p.teacher)
            if hidden:
                back = _passed_back(s, hidden, later, deltas)
                somas = np.concatenate([s[soma(p.name, whole=True)] for p in hidden])
                gains = np.concatenate([s.gain(p.name, whole=True) for p in hidden])
                parts = np.split(exact_delta(back, somas, gains), np.cumsum([p.size for p in hidden])[:-1])
                deltas |= {p.name: part for p, part in zip(hidden, parts, strict=True)}
            later.insert(0, level)
        return deltas


def levels(graph: Graph) -> tuple[tuple[Population, ...], ...]:
    """Return the populations that forward sets reach, by the largest number of sets in a row that lead to them.

    Raises
    ------
    ConfigError
        If forward sets make a circle.
    """
    found = {p.name: 0 for p in graph.populations if not graph.onto(p.name, "forward")}
    while len(found) < len(graph.populations):
        ready = {
            p.name: 1 + max(found[name] for c in graph.onto(p.name, "forward") for name in c.pre)
            for p in graph.populations
            if p.name not in found and all(name in found for c in graph.onto(p.name, "forward") for name in c.pre)
        }
        if not ready:
            rest = " and ".join(repr(p.name) for p in graph.populations if p.name not in found)
            raise ConfigError(
                f"graph: forward sets onto {rest} make a circle, through which errors cannot be passed back: take them "
                "out, or take another rule."
            )
        found |= ready
    return tuple(
        tuple(p for p in graph.populations if found[p.name] == level) for level in range(1, 1 + max(found.values()))
    )


def passed_down(matrix: Array, above: Array) -> Array:
    """Return what errors of one layer say of the layer below: W delta.

    Parameters
    ----------
    matrix
        Weights between them, shape (n, n_above).
    above
        Errors, shape (n_above,).
    """
    # without BLAS, whose sums may depend on the machine of a rank
    result: Array = np.einsum("ij,j->i", matrix, above)
    return result


def exact_delta(back: Array, forward_soma: Array, gain: Array, rate_max: float = RATE_MAX) -> Array:
    """Return the exact errors of hidden cells from what is passed down to them, (W delta) k_b phi_max sigma'(V)."""
    return back * gain * rate_max * sigma_slope(forward_soma)


def hidden_deltas(
    forward: Sequence[Array],
    output_delta: Array,
    forward_somas: Sequence[Array],
    gains: Sequence[Array],
    rate_max: float = RATE_MAX,
) -> list[Array]:
    """Return the exact errors of all hidden cells of a chain of layers, from the last layer down.

    delta_m = (W_{m+1} delta_{m+1}) k_b phi_max sigma'(V_m): the gradient of the output loss through window averages,
    with the weights as they were when the example was shown. It takes the place of
    :func:`~segdend_plugin.rule.targets.hidden_delta` and is scaled by the same P0, as in the released code.

    Parameters
    ----------
    forward
        Weights out of every hidden layer, shape (n_hidden, n_next).
    output_delta
        Errors of the output cells, shape (n_output,).
    forward_somas
        Windowed somatic averages of every hidden layer.
    gains
        k_b of every hidden cell.
    rate_max
        phi_max (1/ms).

    Returns
    -------
    list of Array
        Errors per hidden layer, from the input on, shape (n_hidden,) each.
    """
    result: list[Array] = []
    above = output_delta
    for matrix, potential, gain in zip(reversed(forward), reversed(forward_somas), reversed(gains), strict=True):
        above = exact_delta(passed_down(matrix, above), potential, gain, rate_max)
        result.insert(0, above)
    return result


def _passed_back(
    s: Seen, hidden: Sequence[Population], later: Sequence[Sequence[Population]], deltas: Mapping[str, Array]
) -> Array:
    """Return W delta, summed over all later levels that cells send to, shape (n_hidden,)."""
    back = np.zeros(sum(p.size for p in hidden))
    for upper in later:
        if are_connected(s.graph, hidden, upper):
            matrix = joined_weights(s.graph, hidden, upper, lambda c: s[Weights(c.name)])
            back = back + passed_down(matrix, np.concatenate([deltas[p.name] for p in upper]))
    return back
