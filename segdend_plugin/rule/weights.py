"""Initial weights: drawn per postsynaptic cell, so that they do not depend on how cells are spread over ranks.

Guerguiev, Lillicrap & Richards (2017) eLife 6:e22901, Methods ("weight optimisation"). Every column is keyed by the
number of its cell in the graph; where a cell has several sets of one kind, those after the first by their order, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import sqrt

import numpy as np

from segdend_plugin.errors import ConfigError
from segdend_plugin.model.graph import Connections, Graph, Initial, Population
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.types import Array

V_MEAN = 3.0  # wanted mean and standard deviation of the dendritic potential
V_SD = 3.0
BIAS_MEAN = 0.8
BIAS_SD = 0.001
RELEASED_SD = 2.0
"""The released code's last commit draws from -1..1 what its factor meant for -0.5..0.5: the spread is doubled."""
SLOPE = 0.05  # nu: slope of the rate (1/ms) at potential 0, phi_max/4


def initial_weights(graph: Graph, connections: Connections, cells: Sequence[int]) -> Array:
    """Return the first weights of a set onto some cells of its population, of any but a feedback set.

    Parameters
    ----------
    graph
        The network.
    connections
        One of its sets; `connections.initial` says how its weights are drawn.
    cells
        Positions of the cells in the postsynaptic population.

    Returns
    -------
    Array
        Shape (n_pre, len(cells)).

    Raises
    ------
    ConfigError
        If the weights are not drawn but given, or by something that weights of this kind do not have.
    """
    initial = connections.initial
    _check(connections.name, initial)
    numbers = [graph[connections.post].first + cell for cell in cells]
    if initial.drawn == "forward":
        return _forward(graph, connections, numbers)[0]
    if initial.drawn == "excitation":
        return _excitation(graph, connections, numbers)
    if initial.drawn == "inhibition":
        return _inhibition(graph, connections, numbers)
    raise ConfigError(
        f"set {connections.name!r}: initial.drawn={initial.drawn!r}: such weights have to be handed over."
    )


def initial_biases(graph: Graph, population: Population, cells: Sequence[int]) -> Array:
    """Return the first biases of some cells, uniform around 0.8 with standard deviation 0.001.

    Each comes from the stream of the cell's first forward set, after its weights. A population without learned biases
    has zeros.

    Parameters
    ----------
    graph, population
        The network, and one of its populations.
    cells
        Positions of the cells in the population.

    Returns
    -------
    Array
        Shape (len(cells),).
    """
    numbers = [population.first + cell for cell in cells]
    onto = graph.onto(population.name, "forward")
    if not population.bias:
        return np.zeros(len(numbers))
    if not onto:
        return np.array([_bias(stream(graph.seed, Purpose.FEEDFORWARD, number), 1.0) for number in numbers])
    return _forward(graph, onto[0], numbers)[1]


def weight_statistics(n_pre: int) -> tuple[float, float]:
    """Return mean and standard deviation of the initial weights onto a cell with `n_pre` inputs."""
    v_square = V_SD**2 + V_MEAN**2
    mean = (V_MEAN - BIAS_MEAN) / (SLOPE * n_pre * V_MEAN)
    square = (
        v_square
        + SLOPE**2 * (n_pre - n_pre**2) * mean**2 * V_MEAN**2
        - 2 * n_pre * SLOPE * BIAS_MEAN * V_MEAN * mean
        - BIAS_MEAN**2
    ) / (n_pre * SLOPE**2 * v_square)
    return mean, sqrt(square - mean**2)


def uniform(draw: np.random.Generator, mean: float, sd: float, size: int) -> Array:
    """Return uniform numbers with a mean and a standard deviation, shape (size,)."""
    half_width = sqrt(3.0) * sd
    return draw.uniform(mean - half_width, mean + half_width, size)


def are_connected(graph: Graph, lower: Sequence[Population], upper: Sequence[Population]) -> bool:
    """Return whether a forward set leads from one group of populations to another."""
    names = {p.name for p in lower}
    return any(not names.isdisjoint(c.pre) for p in upper for c in graph.onto(p.name, "forward"))


def joined_weights(
    graph: Graph, lower: Sequence[Population], upper: Sequence[Population], weights: Callable[[Connections], Array]
) -> Array:
    """Return the forward weights from one group of populations to another, whose cells are counted through.

    Parameters
    ----------
    graph
        The network.
    lower, upper
        The populations.
    weights
        Set -> its whole matrix, shape (n_pre, n_post).

    Returns
    -------
    Array
        Shape (n_lower, n_upper), 0 where nothing is connected. Its columns are contiguous, so that NumPy sums over the
        upper cells in one order.
    """
    rows, columns = _places(lower), _places(upper)
    found = np.zeros((sum(p.size for p in lower), sum(p.size for p in upper)), order="F")
    for population in upper:
        for c in graph.onto(population.name, "forward"):
            for name in c.pre:
                if name in rows:
                    found[rows[name], columns[population.name]] += weights(c)[graph.rows(c, name)]
    return found


def _places(populations: Sequence[Population]) -> Mapping[str, slice]:
    places: dict[str, slice] = {}
    first = 0
    for p in populations:
        places[p.name] = slice(first, first + p.size)
        first += p.size
    return places


def _forward(graph: Graph, connections: Connections, numbers: Sequence[int]) -> tuple[Array, Array]:
    """Return weights, shape (n_pre, n), and what biases are drawn after them, shape (n,)."""
    n_pre, order = graph.n_pre(connections), graph.order_of(connections)
    is_forward = connections.role == "forward"
    sets = graph.onto(connections.post, "forward") if is_forward else (connections,)
    mean, sd = weight_statistics(sum(_kept(graph, c) for c in sets))
    spread = RELEASED_SD if connections.initial.spread == "released_code" else 1.0
    later = ((order,) if order else ()) if is_forward else (order, ("feedback", "fixed").index(connections.role))
    weights, biases = np.empty((n_pre, len(numbers))), np.empty(len(numbers))
    for i, number in enumerate(numbers):
        draw = stream(graph.seed, Purpose.FEEDFORWARD, number, *later)
        weights[:, i] = uniform(draw, mean, spread * sd, n_pre)
        biases[i] = _bias(draw, spread)
        if connections.initial.fraction < 1.0:
            weights[draw.permutation(n_pre)[_kept(graph, connections) :], i] = 0.0
    return weights, biases


def _kept(graph: Graph, connections: Connections) -> int:
    """Return how many cells reach each postsynaptic one."""
    return max(round(connections.initial.fraction * graph.n_pre(connections)), 1)


def _bias(draw: np.random.Generator, spread: float) -> float:
    return float(uniform(draw, BIAS_MEAN, spread * BIAS_SD, 1)[0])


def _excitation(graph: Graph, connections: Connections, numbers: Sequence[int]) -> Array:
    """Return positive weights whose sum is the same for each cell."""
    n_pre, later = graph.n_pre(connections), _order(graph, connections)
    columns = [stream(graph.seed, Purpose.INTERNEURONS, number, *later).uniform(0.5, 1.5, n_pre) for number in numbers]
    return _with_sum(columns, n_pre, connections.initial.total)


def _inhibition(graph: Graph, connections: Connections, numbers: Sequence[int]) -> Array:
    """Return weights of one sign, or 0 for those that are left out, whose sum is the same for each cell."""
    sources, later = graph.pre_numbers(connections), _order(graph, connections)
    n_pre = len(sources)
    kept = _kept(graph, connections)
    columns = []
    for number in numbers:
        draw = stream(graph.seed, Purpose.INHIBITION, sources[0], number, *later)
        column = draw.uniform(0.5, 1.5, n_pre)
        column[draw.permutation(n_pre)[kept:]] = 0.0
        columns.append(column)
    return _with_sum(columns, n_pre, connections.initial.total)


def _order(graph: Graph, connections: Connections) -> tuple[int, ...]:
    """Return what tells sets onto one population apart that are drawn alike, if they inhibit, from the same cells."""
    drawn = connections.initial.drawn
    alike = [
        c
        for c in graph.onto(connections.post)
        if c.initial.drawn == drawn and (drawn != "inhibition" or c.pre[0] == connections.pre[0])
    ]
    order = alike.index(connections)
    return (order,) if order else ()


def _with_sum(columns: list[Array], n_pre: int, total: float) -> Array:
    if not columns:
        return np.empty((n_pre, 0))
    return np.stack([column * (total / column.sum()) for column in columns], axis=1)


def _check(name: str, initial: Initial) -> None:
    """Raise ConfigError for what weights drawn in this way do not have."""
    unused = {"scale": 1.0, "noise": 0.0}
    if initial.drawn not in ("inhibition", "forward"):
        unused["fraction"] = 1.0
    if initial.drawn in ("forward", "given"):
        unused["total"] = 0.0
    for field, default in unused.items():
        value = getattr(initial, field)
        if value != default:
            raise ConfigError(
                f"set {name!r}: initial.{field}={value!r}: weights drawn as {initial.drawn!r} have none: leave it at "
                f"{default:g}."
            )
