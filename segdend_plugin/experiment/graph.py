"""From a description to the graph of its network."""

from __future__ import annotations

from typing import Any

from segdend_plugin.cells.calibration import Synapse
from segdend_plugin.cells.templates import Membrane
from segdend_plugin.cells.units import REST, Scale
from segdend_plugin.engine.kinds.cable import Cable
from segdend_plugin.engine.kinds.linear import Linear
from segdend_plugin.engine.kinds.lumped import Lumped
from segdend_plugin.engine.layered import LUMPED, Part, Wiring, chain, label_of
from segdend_plugin.errors import ConfigError
from segdend_plugin.experiment import parts
from segdend_plugin.experiment.config import Experiment
from segdend_plugin.model.graph import Graph, Initial, Kind
from segdend_plugin.rule.inhibition import Inhibition


def graph(experiment: Experiment, n_input: int, n_output: int) -> Graph:
    """Return the graph that a description asks for.

    Parameters
    ----------
    experiment
        The description.
    n_input, n_output
        Pixels of an image and output cells.
    """
    made: dict[str, str] = {}
    hidden: list[list[Part]] = []
    for depth, layer in enumerate(experiment.layers.hidden):
        hidden.append([])
        for cell, count in shares(experiment.mixture(depth), layer.size).items():
            label = cell if cell == LUMPED else label_of(cell)
            if made.setdefault(label, cell) != cell:
                raise ConfigError(f"cell {cell!r}: the name {label!r} is taken by {made[label]!r}: rename the file.")
            hidden[-1].append((f"hidden{depth + 1}_{label}", count, kind(experiment, cell)))
    output = ("output", n_output, lumped(experiment, "output", 0.0))
    interneurons = [
        (own.name, own.size, _interneuron(experiment, own), inhibition(own)) for own in experiment.inhibition
    ]
    return chain(experiment.seed, experiment.phases.dt, n_input, hidden, output, _wiring(experiment), interneurons)


def kind(experiment: Experiment, cell: str) -> Kind:
    """Return what a hidden cell is."""
    if cell == LUMPED:
        return lumped(experiment, LUMPED, experiment.lumped.g_apical)
    own, location = experiment.cable, experiment.rule.location
    if experiment.is_linear():
        return Linear(**shape(cell, own), location=location)
    synapse = Synapse(**experiment.synapse.model_dump())
    active = own.membrane == "active"
    return Cable(**shape(cell, own), location=location, active=active, tonic=own.tonic, synapse=synapse)


def cable(cell: str, own: parts.Cable) -> Cable:
    """Return what a reconstruction is on NEURON's solver, passive, with the membrane of a description."""
    return Cable(**shape(cell, own))


def shape(cell: str, own: parts.Cable) -> dict[str, Any]:
    """Return what a reconstruction is, whatever advances it."""
    membrane = Membrane(
        axial_resistivity=own.axial_resistivity,
        capacitance=own.capacitance,
        time_constant=own.time_constant,
        rest=REST,
        d_lambda=own.d_lambda,
        frequency=own.frequency,
        nseg=own.nseg,
    )
    return {
        "label": label_of(cell),
        "source": cell,
        "membrane": membrane,
        "apical_length": own.apical_length,
        "apical_diameter": own.apical_diameter,
        "repair": own.repair,
        "gain": own.somatic_gain,
        "scale": Scale(REST, own.unit, own.calibration),
    }


def lumped(experiment: Experiment, label: str, g_apical: float) -> Lumped:
    """Return what a three-compartment cell is."""
    own = experiment.lumped
    scale = Scale(REST, experiment.cable.unit, experiment.cable.calibration)
    return Lumped(own.g_leak, own.g_basal, g_apical, label, scale)


def inhibition(own: parts.InhibitionPart) -> Inhibition:
    """Return what a population of interneurons does; its layer counts from 0."""
    return Inhibition(layer=own.layer - 1, **own.model_dump(exclude={"name", "size", "layer"}))


def _interneuron(experiment: Experiment, own: parts.InhibitionPart) -> Lumped:
    base = lumped(experiment, "interneuron", 0.0)
    label = "interneuron" if own.silent_in == "none" else f"interneuron_{own.name}"
    return Lumped(base.g_leak, base.g_basal, 0.0, label, base.scale, own.silent_in, own.silent_lead)


def _wiring(experiment: Experiment) -> Wiring:
    rule, back = experiment.rule, experiment.feedback
    static = back.noise if not back.noise_redrawn else 0.0
    return Wiring(
        experiment.placement.feedforward.landing(),
        experiment.placement.feedback.landing(),
        experiment.phases.delay,
        back.route,
        Initial("forward", rule.initial_weights),
        Initial("feedback", rule.initial_weights, fraction=back.fraction, scale=back.scale, noise=static),
        rule.feedforward,
        back.signal,
        rule.psp_memory,
        rule.train_hidden,
        "all" if back.learning_rate > 0 else "last" if rule.name == "kolen_pollack" else "none",
    )


def shares(mixture: dict[str, float], size: int) -> dict[str, int]:
    """Return how many of `size` cells are of each kind: the largest remainders are rounded up."""
    exact = {cell: fraction * size for cell, fraction in mixture.items()}
    counts = {cell: int(number) for cell, number in exact.items()}
    by_remainder = sorted(exact, key=lambda cell: counts[cell] - exact[cell])
    for cell in by_remainder[: size - sum(counts.values())]:
        counts[cell] += 1
    empty = [cell for cell, count in counts.items() if count == 0]
    if empty:
        raise ConfigError(f"cells: the share of {empty[0]!r} in a layer of {size} cells is none: enlarge one of them.")
    return counts
