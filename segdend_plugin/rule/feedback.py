"""Feedback weights: random, sparse, symmetric, noisy, sign-concordant or learned.

Layers are those of :attr:`~segdend_plugin.model.graph.Graph.hidden_layers`. Feedback from the taught cells to a layer
that is not the last one is *broadcast*, feedback from the next hidden layer is *layerwise*. Sets that differ only in
which population of a layer they reach make one matrix, whose masks and noise are drawn at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from segdend_plugin.errors import ConfigError
from segdend_plugin.model.graph import Connections, Graph, Population
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.model.wants import Weights
from segdend_plugin.rule.plateau import sigma
from segdend_plugin.rule.targets import RATE_MAX
from segdend_plugin.rule.weights import RELEASED_SD, are_connected, joined_weights, uniform, weight_statistics
from segdend_plugin.types import Array, is_number

FeedbackKind = Literal["random", "symmetric", "sign_concordant"]


@dataclass(frozen=True)
class Feedback:
    """What a rule does with the weights of feedback sets; how these are first drawn is said by the sets (`Initial`).

    Attributes
    ----------
    kind
        ``"random"``: as they were drawn (eLife 22901); ``"symmetric"``: the transpose of the forward weights, after
        every example (Fig 8D); ``"sign_concordant"``: random magnitudes with the signs of the transpose (Liao, Leibo &
        Poggio 2016).
    noise
        Standard deviation of normal noise on every weight, drawn anew for every example (0.05 in Fig 8D, as in the
        released code).
    learning_rate
        Of learned feedback sets, whatever the schedule of the others (released code only).

    Raises
    ------
    ConfigError
        If a value is not allowed, or weights are both learned and set before every example.
    """

    kind: FeedbackKind = "random"
    noise: float = 0.0
    learning_rate: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(FeedbackKind):
            raise ConfigError(f"feedback.kind={self.kind!r}: give one of {', '.join(get_args(FeedbackKind))}.")
        for field in ("noise", "learning_rate"):
            value = getattr(self, field)
            if not is_number(value) or value < 0:
                raise ConfigError(f"feedback.{field}={value!r}: give a number of 0 or more.")
        if self.learning_rate and self.is_renewed:
            raise ConfigError(
                f"feedback.learning_rate={self.learning_rate:g}: it needs random feedback without noise: set "
                "kind='random' and noise=0."
            )

    @property
    def follows_weights(self) -> bool:
        """Whether it depends on the forward weights."""
        return self.kind != "random"

    @property
    def is_renewed(self) -> bool:
        """Whether it is set before every example."""
        return self.follows_weights or self.noise > 0


def feedback_weights(graph: Graph) -> dict[str, Array]:
    """Return the weights with which feedback sets are built: drawn, disturbed once, thinned and scaled.

    Returns
    -------
    dict
        Name of the set -> whole matrix, shape (n_pre, n_post), the same on every rank.
    """
    random = random_feedback(graph)
    result: dict[str, Array] = {}
    for group in _groups(graph):
        matrix = _noisy(graph, group.joined(random), *group.noise(group.depth))
        result |= group.split(_finished(graph, group, matrix))
    return result


def following(
    graph: Graph,
    settings: Feedback,
    example: int,
    forward: Mapping[str, Array],
    random: Mapping[str, Array] | None = None,
) -> dict[str, Array]:
    """Return the weights that feedback sets have in a training example.

    Parameters
    ----------
    graph
        The network.
    settings
        What they follow.
    example
        Number of the example.
    forward
        Name of each forward set out of hidden layers -> its whole effective weights, shape (n_pre, n_post); only read
        by feedback that follows them.
    random
        What :func:`random_feedback` has drawn; it is drawn again if not given.

    Returns
    -------
    dict
        Name of the set -> whole matrix, shape (n_pre, n_post), the same on every rank.

    Raises
    ------
    ConfigError
        If feedback shall be symmetric to forward weights that are not there.
    """
    result: dict[str, Array] = {}
    if random is None:
        random = random_feedback(graph) if settings.kind != "symmetric" else {}
    for group in _groups(graph):
        if settings.kind == "symmetric":
            # the released code disturbs each matrix, not their product
            matrix = _transposed(graph, group, forward, settings, example)
        else:
            matrix = group.joined(random)
            if settings.kind == "sign_concordant":
                matrix = np.sign(_transposed(graph, group, forward)) * np.abs(matrix)
            matrix = _noisy(graph, matrix, *group.noise(group.depth, settings, example))
        result |= group.split(_finished(graph, group, matrix))
    return result


def followed(graph: Graph) -> list[Weights]:
    """Return the weights that symmetric and sign-concordant feedback follows.

    Raises
    ------
    ConfigError
        If no forward sets lead to where a feedback set comes from.
    """
    steps = [step for group in _groups(graph) for step in _steps(graph, group)]
    return [
        Weights(c.name)
        for c in graph.connections
        if c.role == "forward"
        and any(c.post in _names(upper) and not set(c.pre).isdisjoint(_names(lower)) for lower, upper in steps)
    ]


def random_feedback(graph: Graph) -> dict[str, Array]:
    """Return random feedback weights, all of them, undisturbed.

    The last hidden layer has zero-mean uniform weights with the standard deviation that
    :func:`~segdend_plugin.rule.weights.weight_statistics` gives for its own size; so has layerwise feedback to any
    layer. Broadcast to an earlier layer, they are a zero-mean random matrix of that kind times the feedback of the
    layer above it, as the authors' code had it when the figures were made. The last commit of that code
    (`Initial.spread` ``"released_code"``) draws a matrix per layer, with the mean of the weights that the layer would
    receive and twice the spread. Feedback from elsewhere is drawn as to the last layer.

    Returns
    -------
    dict
        Name of the set -> whole matrix, shape (n_pre, n_post).
    """
    result: dict[str, Array] = {}
    source, output = graph.taught, _names(graph.taught)
    product: Array | None = None
    for layer in reversed(graph.hidden_layers):
        numbers = [number for p in layer for number in p.numbers]
        own = _uniform(graph, numbers, len(numbers), sum(p.size for p in source))
        # without BLAS, whose sums may depend on the machine of a rank
        product = own if product is None else np.einsum("ij,jk->ik", own, product)
        first = 0
        for p in layer:
            rows = slice(first, first + p.size)
            first += p.size
            for order, c in enumerate(_onto(graph, p.name)):
                if order or c.initial.spread == "released_code" or c.pre not in (_names(source), output):
                    drawn = _drawn(graph, c, len(numbers), order)
                else:
                    drawn = (own if c.pre == _names(source) else product)[rows]
                result[c.name] = np.ascontiguousarray(drawn.T)
        source = layer
    for p in graph.populations:
        for order, c in enumerate(_onto(graph, p.name)):
            if c.name not in result:
                result[c.name] = np.ascontiguousarray(_drawn(graph, c, p.size, order).T)
    return result


def feedback_change(forward_soma: Array, forward_plateau: Array, learning_rate: float) -> Array:
    """Return the change of learned feedback per unit presynaptic trace (released code, off in all figures).

    The tuft learns to predict the forward rate of its own soma: Y changes by
    ``eta (phi_max sigma(V) - alpha_f) alpha_f (1 - alpha_f) s``; alpha (1 - alpha) is the slope of the sigmoid that
    makes alpha of an apical average. A rate of at most 0.2 is compared with a plateau of at most 1, as in that code.

    Parameters
    ----------
    forward_soma, forward_plateau
        Window average of the soma and plateau of the forward phase, shape (n,).
    learning_rate
        eta.
    """
    error = RATE_MAX * sigma(forward_soma) - forward_plateau
    return learning_rate * error * (forward_plateau * (1.0 - forward_plateau))


_Step = tuple[Sequence[Population], Sequence[Population]]


@dataclass(frozen=True)
class _Group:
    """Feedback sets onto one layer that make one matrix; `depth` is the hidden layer, `key` tells its groups apart."""

    depth: int
    key: tuple[int, ...]
    sets: tuple[Connections, ...]
    sizes: tuple[int, ...]

    def joined(self, matrices: Mapping[str, Array]) -> Array:
        return np.concatenate([matrices[c.name] for c in self.sets], axis=1)

    def split(self, matrix: Array) -> dict[str, Array]:
        parts = np.split(matrix, np.cumsum(self.sizes)[:-1], axis=1)
        return {c.name: np.ascontiguousarray(part) for c, part in zip(self.sets, parts, strict=True)}

    def noise(self, depth: int, settings: Feedback | None = None, example: int = 0) -> tuple[float, tuple[int, ...]]:
        """Return standard deviation and key of the noise of an example, or of that which is drawn once."""
        if settings is not None and settings.noise > 0:
            return settings.noise, (depth, example, *self.key)
        return self.sets[0].initial.noise, (depth, *self.key)


def _groups(graph: Graph) -> Iterator[_Group]:
    """Yield the feedback sets: of each hidden layer together, and of other populations each set by itself."""
    layers = graph.hidden_layers
    inside = {p.name for layer in layers for p in layer}
    others = tuple(p for p in graph.populations if p.name not in inside)
    for depth, layer in enumerate((*layers, others)):
        alike: dict[tuple[object, ...], list[Connections]] = {}
        for p in layer:
            for order, c in enumerate(_onto(graph, p.name)):
                key = (order, c.pre, c.initial) if depth < len(layers) else (c.name,)
                alike.setdefault(key, []).append(c)
        for k, sets in enumerate(alike.values()):
            yield _Group(depth, (k,) if k else (), tuple(sets), tuple(graph[c.post].size for c in sets))


def _onto(graph: Graph, population: str) -> list[Connections]:
    return [c for c in graph.onto(population) if c.role == "feedback" or c.initial.drawn == "feedback"]


def _names(populations: Sequence[Population]) -> tuple[str, ...]:
    return tuple(p.name for p in populations)


def _drawn(graph: Graph, connections: Connections, n_layer: int, order: int) -> Array:
    released = connections.initial.spread == "released_code"
    numbers, n_pre = graph[connections.post].numbers, graph.n_pre(connections)
    return _uniform(graph, numbers, n_layer, n_pre, (order,) if order else (), released=released)


def _uniform(
    graph: Graph,
    numbers: Sequence[int],
    n_layer: int,
    n_pre: int,
    later: tuple[int, ...] = (),
    *,
    released: bool = False,
) -> Array:
    """Return a row for each cell, shape (n, n_pre)."""
    mean, sd = weight_statistics(n_layer)
    if released:
        sd *= RELEASED_SD
    mean = mean if released else 0.0
    rows = [uniform(stream(graph.seed, Purpose.FEEDBACK, number, *later), mean, sd, n_pre) for number in numbers]
    return np.array(rows).reshape(len(numbers), n_pre)


def _noisy(graph: Graph, matrix: Array, sd: float, key: tuple[int, ...]) -> Array:
    if sd == 0.0:
        return matrix
    noise = stream(graph.seed, Purpose.FEEDBACK_NOISE, *key)
    return matrix + noise.normal(0.0, sd, size=matrix.shape)


def _finished(graph: Graph, group: _Group, matrix: Array) -> Array:
    """Return the weights without those that sparse feedback leaves out, scaled."""
    initial = group.sets[0].initial
    if initial.fraction != 1.0:
        order = stream(graph.seed, Purpose.FEEDBACK_MASK, group.depth, *group.key).permutation(matrix.size)
        kept = order < round(initial.fraction * matrix.size)
        matrix = np.where(kept.reshape(matrix.shape), matrix, 0.0)
    scaled: Array = initial.scale * matrix
    return scaled


def _steps(graph: Graph, group: _Group) -> list[_Step]:
    """Return between which populations forward sets lead from a group's layer to where its feedback comes from."""
    lower = tuple(graph[c.post] for c in group.sets)
    source = tuple(graph[name] for name in group.sets[0].pre)
    steps: list[_Step] = []
    for above in graph.hidden_layers[group.depth + 1 :]:
        if are_connected(graph, lower, source):
            break
        steps.append((lower, above))
        lower = above
    steps.append((lower, source))
    if not all(are_connected(graph, *step) for step in steps):
        c = group.sets[0]
        raise ConfigError(
            f"set {c.name!r}: no forward sets lead from {c.post!r} to {' + '.join(c.pre)}, whose transpose its weights "
            "shall follow: connect them, or take kind='random'."
        )
    return steps


def _transposed(
    graph: Graph, group: _Group, forward: Mapping[str, Array], settings: Feedback | None = None, example: int = 0
) -> Array:
    """Return the transpose of the forward weights above a group's layer, over several layers the product of all.

    With settings, each matrix has the noise of an example (eLife 22901, Fig 8D).
    """
    matrices = []
    for depth, (lower, upper) in enumerate(_steps(graph, group), start=group.depth):
        matrix = joined_weights(graph, lower, upper, lambda c: forward[c.name])
        if settings is not None:
            matrix = _noisy(graph, matrix, *group.noise(depth, settings, example))
        matrices.append(matrix)
    result: Array = np.ascontiguousarray(matrices[-1].T)
    for matrix in reversed(matrices[:-1]):
        result = np.einsum("oj,ij->oi", result, matrix)
    return result
