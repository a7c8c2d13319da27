"""Dense projections between the layers of a network, with initial weights, sites and delays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segdend_plugin.engine.exchange import Exchange
from segdend_plugin.engine.network import Network
from segdend_plugin.engine.population import Population
from segdend_plugin.engine.projection import Kernel, Projection
from segdend_plugin.errors import ConfigError
from segdend_plugin.model.places import FEEDBACK, FORWARD, Landing
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.rule import weights
from segdend_plugin.types import HocObject


@dataclass(frozen=True)
class Wiring:
    """How the cells of one layer are reached.

    Attributes
    ----------
    feedforward, feedback
        Where synapses land on cable cells; a layer without feedback: None.
    delay, feedback_delay
        Conduction delays (ms).
    """

    feedforward: Landing = FORWARD
    feedback: Landing | None = FEEDBACK
    delay: float = 1.0
    feedback_delay: float = 1.0


def usable_delay(delay: float, dt: float) -> float:
    """Return a delay that more than one rank accepts: strictly greater than the step."""
    return max(delay, dt) + 1e-6 * dt


def spike_by(pc: HocObject, population: Population) -> None:
    """Let the escape-rate somas of a population send the spikes of their gids, which this rank must own."""
    from neuron import h

    for gid, soma in population.spike_sources():
        pc.cell(gid, h.NetCon(soma, None))


def connect(network: Network, wirings: Sequence[Wiring]) -> None:
    """Create all projections of a network, from the first hidden layer to the output layer, and the teachers.

    Parameters
    ----------
    network
        Its populations are built, calibrated and own their gids; those of all layers exist on their ranks.
    wirings
        One per layer, hidden layers first.
    """
    from neuron import h

    if network.output.calibration is not None:
        raise ConfigError("The output layer has cable cells: make it of three-compartment cells.")
    variant = network.variant
    seed, pre = network.seed, network.inputs.gids
    here = {gid: soma for layer in network.layers for p in layer.populations for gid, soma in p.spike_sources()}
    exchange = Exchange(network.ranks, _listened_to(network, wirings), here)
    network.exchanges.append(exchange)
    for depth, (layer, wiring) in enumerate(zip(network.layers, wirings, strict=True)):
        slots = stream(seed, Purpose.SLOTS, depth).permutation(len(pre)) % wiring.feedforward.slots
        for population in layer.populations:
            if variant.memory and population.calibration is not None:
                raise ConfigError(
                    f"rule.psp_memory={variant.memory:g}: the membrane of {population.kind!r} filters its own spikes: "
                    "take 0, or three_compartment cells."
                )
            if not population.cells:
                continue
            matrix, biases = weights.feedforward(seed, population.local_gids, len(pre), variant.initial)
            places = np.zeros_like(slots) if population.is_lumped else slots
            projection = Projection(
                matrix, biases, places, population.slots, _kernel(population), variant.memory, population.splits
            )
            population.receive(projection)
            if variant.location == "gain" and not population.is_lumped:
                projection.scale_learning(population.slot_gains)
            if variant.feedforward == "spikes" and depth == 0:
                network.inputs.send_spikes(projection, wiring.delay)
            elif variant.feedforward == "spikes":
                projection.connect(network.ranks.pc, pre, wiring.delay, exchange.counter)
            elif depth == 0:
                network.inputs.send_rates(projection)
            else:
                projection.connect_rates(network.ranks.pc, pre, wiring.delay)
            if depth < len(network.hidden) and wiring.feedback is not None:
                _feed_back(network, population, network.feedback_sources(depth), wiring, exchange)
        pre = layer.gids
    if variant.feedforward == "rates" or variant.feedback.signal == "rates":
        for layer in network.layers:
            for population in layer.populations:
                population.offer_rates(network.ranks.pc)
        network.ranks.pc.setup_transfer()
    network.renew_feedback(0)
    network.output.add_teachers()
    if any(population.stand_in is not None for layer in network.layers for population in layer.populations):
        # each compartment of all cells side by side: a fifth less time (full cells keep the order, and bits, they had)
        network.ranks.pc.optimize_node_order(2)
    h.CVode().queue_mode(True, False)  # events go into one bin per step: a third less time, the same results


def _feed_back(
    network: Network, population: Population, sources: Sequence[int], wiring: Wiring, exchange: Exchange
) -> None:
    nothing = np.zeros((len(sources), len(population.cells)))
    slots = np.zeros(len(sources), dtype=np.int64)
    variant = network.variant
    projection = Projection(nothing, nothing[0], slots, 1, _kernel(population), variant.memory, population.splits)
    population.receive_feedback(projection, variant.plateau)
    if variant.feedback.signal == "spikes":
        projection.connect(network.ranks.pc, sources, wiring.feedback_delay, exchange.counter)
    else:
        projection.connect_rates(network.ranks.pc, sources, wiring.feedback_delay)


def _listened_to(network: Network, wirings: Sequence[Wiring]) -> list[int]:
    """Return the cells whose spikes some projection takes, on any rank."""
    variant, found = network.variant, set[int]()
    for depth, (layer, wiring) in enumerate(zip(network.hidden, wirings, strict=False)):
        if variant.feedforward == "spikes":
            found.update(layer.gids)
        if wiring.feedback is not None and variant.feedback.signal == "spikes":
            found.update(network.feedback_sources(depth))
    return sorted(found)


def _kernel(population: Population) -> Kernel:
    return Kernel.POTENTIAL if population.is_lumped else Kernel.CURRENT
