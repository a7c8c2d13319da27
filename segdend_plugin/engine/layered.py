"""The graph of a layered network: hidden layers from the input on, an output layer, and feedback to hidden ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np

from segdend_plugin.engine.kinds.linear import Linear
from segdend_plugin.engine.kinds.lumped import Lumped
from segdend_plugin.engine.kinds.poisson import Poisson
from segdend_plugin.errors import ConfigError
from segdend_plugin.model.graph import Connections, Graph, Initial, Kind, Population, Signal
from segdend_plugin.model.places import FEEDBACK, FORWARD, Landing
from segdend_plugin.rule.inhibition import Inhibition
from segdend_plugin.rule.targets import RATE_MAX

LUMPED = "three_compartment"
"""The cell that is not a reconstruction but the paper's."""
Part = tuple[str, int, Kind]
"""Name, size and kind of a population of a layer."""


@dataclass(frozen=True)
class Wiring:
    """How the layers of a chain are connected.

    Attributes
    ----------
    forward, feedback
        Where synapses land.
    delay
        Of all sets (ms).
    route
        Feedback from the output to every hidden layer (``"broadcast"``), or from the layer above (``"layerwise"``).
    forward_initial, feedback_initial
        How first weights are drawn.
    forward_signal, feedback_signal
        Spikes or rates.
    memory
        Age (ms) at which postsynaptic potentials are cut off, 0 for never.
    train_hidden
        Whether sets onto hidden layers learn.
    learn_feedback
        Which feedback learns: none, that of the last hidden layer, or all.
    """

    forward: Landing = FORWARD
    feedback: Landing = FEEDBACK
    delay: float = 1.0
    route: Literal["broadcast", "layerwise"] = "broadcast"
    forward_initial: Initial = Initial()  # noqa: RUF009  frozen
    feedback_initial: Initial = Initial("feedback")  # noqa: RUF009  frozen
    forward_signal: Signal = "spikes"
    feedback_signal: Signal = "spikes"
    memory: float = 0.0
    train_hidden: bool = True
    learn_feedback: Literal["none", "last", "all"] = "none"


def chain(
    seed: int,
    dt: float,
    n_input: int,
    hidden: Sequence[Sequence[Part]],
    output: Part,
    wiring: Wiring = Wiring(),
    interneurons: Sequence[tuple[str, int, Lumped, Inhibition]] = (),
) -> Graph:
    """Return the graph of a layered network.

    Parameters
    ----------
    seed, dt
        Of the graph.
    n_input
        Input cells.
    hidden
        The populations of each hidden layer.
    output
        The output population, which is taught.
    wiring
        How they are connected.
    interneurons
        Name, size, kind and task of populations of interneurons.
    """
    layers: list[list[Population]] = [[Population("input", n_input, Poisson(), 0, bias=False)]]
    first = n_input
    for parts in (*hidden, (output,)):
        layers.append([])
        for name, size, kind in parts:
            layers[-1].append(Population(name, size, kind, first, teacher=parts == (output,)))
            first += size
    sets: list[Connections] = []
    for depth, (below, layer) in enumerate(pairwise(layers)):
        pre, last = tuple(p.name for p in below), depth == len(hidden)
        for p in layer:
            sets.append(
                Connections(
                    f"{_called(below, depth)}->{p.name}",
                    pre,
                    p.name,
                    Landing("soma", 1) if last else wiring.forward,
                    learned=last or wiring.train_hidden,
                    delay=wiring.delay,
                    signal=wiring.forward_signal,
                    initial=wiring.forward_initial,
                    memory=wiring.memory,
                )
            )
    for depth, layer in enumerate(layers[1:-1], start=1):
        above = layers[depth + 1] if wiring.route == "layerwise" else layers[-1]
        for p in layer:
            sets.append(
                Connections(
                    f"{_called(above, depth + 1)}->{p.name}",
                    tuple(q.name for q in above),
                    p.name,
                    wiring.feedback,
                    role="feedback",
                    learned=wiring.learn_feedback == "all"
                    or (wiring.learn_feedback == "last" and depth == len(hidden)),
                    delay=wiring.delay,
                    signal=wiring.feedback_signal,
                    initial=wiring.feedback_initial,
                    memory=wiring.memory,
                )
            )
    populations = [p for layer in layers for p in layer]
    for name, size, kind, what in interneurons:
        populations.append(Population(name, size, kind, first, bias=False))
        first += size
        sets += inhibition_sets(name, layers, what, wiring.delay)
    return Graph(seed, dt, tuple(populations), tuple(sets))


def inhibition_sets(
    name: str, layers: Sequence[Sequence[Population]], what: Inhibition, delay: float
) -> list[Connections]:
    """Return the fixed sets of one population of interneurons: onto it, and from it onto every population of a layer.

    Parameters
    ----------
    name
        Of the population.
    layers
        Populations of every layer, from the input to the output.
    what
        What they do.
    delay
        Of these sets (ms).
    """
    hidden = layers[1:-1]
    if what.layer not in range(len(hidden)):
        raise ConfigError(
            f"inhibition {name!r}: layer={what.layer} is none of the {len(hidden)} hidden layers, counted from 0: "
            "choose one of them."
        )
    sources = {"input": layers[0], "hidden": hidden[what.layer], "output": layers[-1]}[what.driven_by]
    onto = Connections(
        f"{what.driven_by}->{name}",
        tuple(p.name for p in sources),
        name,
        Landing("basal", 1),
        role="fixed",
        learned=False,
        delay=delay,
        initial=Initial("excitation", total=what.excitation / RATE_MAX, constant=what.bias),
    )
    from_it = [
        Connections(
            f"{name}->{p.name}",
            (name,),
            p.name,
            Landing(what.onto, 1),
            role="fixed",
            learned=False,
            delay=delay,
            initial=Initial("inhibition", total=-what.strength / RATE_MAX, fraction=what.fraction),
        )
        for p in hidden[what.layer]
    ]
    return [onto, *from_it]


def layered(
    sizes: Sequence[int],
    cell: str | Kind = "mouse_v1_l5_rbp4",
    *,
    seed: int = 0,
    dt: float = 1.0,
    train_hidden: bool = True,
) -> Graph:
    """Return the graph of a layered network with the published defaults.

    Parameters
    ----------
    sizes
        Cells of the input, of each hidden layer and of the output.
    cell
        Of the hidden layers: a shipped reconstruction, ``"three_compartment"``, an .swc or .asc file, ``allen:ID`` or
        ``neuromorpho:NAME``; or a kind of cell.
    seed
        Of all random streams.
    dt
        Time step (ms).
    train_hidden
        False freezes the weights onto hidden layers: the usual control.

    Returns
    -------
    Graph
        Populations ``input``, ``hidden`` (``hidden1``, ``hidden2``, ... if there are several) and ``output``.

    Raises
    ------
    ConfigError
        If there are fewer than two sizes, or one is not a whole number above 0.
    """
    sizes = [int(size) if isinstance(size, np.integer) else size for size in sizes]
    if len(sizes) < 2 or not all(type(size) is int and size > 0 for size in sizes):
        raise ConfigError(f"sizes={list(sizes)}: give input, hidden layers and output, each 1 or more cells.")
    kind = _kind(cell) if isinstance(cell, str) else cell
    several = len(sizes) > 3
    hidden = [[(f"hidden{k + 1}" if several else "hidden", size, kind)] for k, size in enumerate(sizes[1:-1])]
    output = ("output", sizes[-1], replace(Lumped(), label="output"))
    return chain(seed, dt, sizes[0], hidden, output, Wiring(train_hidden=train_hidden))


def _kind(cell: str) -> Kind:
    return Lumped() if cell == LUMPED else Linear(label_of(cell), cell)


def label_of(cell: str) -> str:
    """Return what a reconstruction is called in tables and cell rules."""
    from segdend_plugin.cells.files import source

    return source.name_of(cell)


def _called(layer: Sequence[Population], depth: int) -> str:
    """Return the name of a layer: of its population, or by its number."""
    return layer[0].name if len(layer) == 1 else f"hidden{depth}"
