"""Plain NEURON: the caller made the cells with gids of their own, the plugin connects and teaches them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from segdend_plugin.cells.calibration import Scale, Synapse
from segdend_plugin.engine import inhibition, mechanisms, mpi, wiring
from segdend_plugin.engine.inputs import Inputs
from segdend_plugin.engine.layer import Layer
from segdend_plugin.engine.network import Network
from segdend_plugin.engine.population import CellHandle, Population, somatic_gain_of
from segdend_plugin.rule.inhibition import Inhibition
from segdend_plugin.rule.variant import Variant
from segdend_plugin.types import HocObject


@dataclass(frozen=True)
class LayerOfCells:
    """One layer, as one rank sees it.

    Attributes
    ----------
    gids
        All cells of the layer, ascending, the same list on every rank.
    cells
        Those on this rank; all of one kind.
    wiring
        Sites and delays.
    """

    gids: Sequence[int]
    cells: Sequence[CellHandle]
    wiring: wiring.Wiring = field(default_factory=wiring.Wiring)


@dataclass(frozen=True)
class InterneuronCells:
    """One population of interneurons, as one rank sees it.

    Attributes
    ----------
    gids
        All its cells, ascending, the same list on every rank.
    cells
        Those on this rank, lumped.
    inhibition
        What they do.
    delay
        Conduction delay to and from them (ms).
    """

    gids: Sequence[int]
    cells: Sequence[CellHandle]
    inhibition: Inhibition
    delay: float = 1.0


def create(
    inputs: Sequence[int],
    input_cells: Sequence[tuple[int, HocObject]],
    layers: Sequence[LayerOfCells],
    *,
    seed: int,
    dt: float = 1.0,
    scale: Scale = Scale(),  # noqa: B008  frozen
    somatic_gain: float = 0.6 / 0.7,
    variant: Variant = Variant(),  # noqa: B008  frozen
    synapse: Synapse = Synapse(),  # noqa: B008  frozen
    interneurons: Sequence[InterneuronCells] = (),
) -> Network:
    """Connect cells that exist already; gids are registered here.

    Parameters
    ----------
    inputs
        All input gids, in the order of the pixels.
    input_cells
        gid and SegDendInput of those on this rank.
    layers
        Hidden layers from the input on, then the output layer, which is made of lumped cells.
    seed
        Seed of weights, sites and spikes.
    dt
        Time step (ms), which no delay may fall below.
    scale
        Meaning of the rule's units; trials start at its `rest`.
    somatic_gain
        Steady somatic potential for unit basal drive of cable cells, k_b.
    variant
        Form of the algorithm.
    synapse
        What a drive opens on cable cells: a current, or conductances.
    interneurons
        Populations of interneurons.

    Returns
    -------
    Network
        This rank's part, ready to show examples.
    """
    from neuron import h

    ranks = mpi.start()
    mechanisms.load()
    for gid, cell in input_cells:
        ranks.pc.set_gid2node(gid, ranks.rank)
        ranks.pc.cell(gid, h.NetCon(cell, None))
    populations = []
    for depth, layer in enumerate(layers):
        gain = somatic_gain_of(layer.cells, somatic_gain)
        population = Population(f"layer{depth + 1}", "cells", layer.gids, layer.cells, scale, gain, synapse=synapse)
        for gid in population.local_gids:
            ranks.pc.set_gid2node(gid, ranks.rank)
        wiring.spike_by(ranks.pc, population)
        back = layer.wiring.feedback if depth < len(layers) - 1 else None
        population.calibrate(ranks, seed, layer.wiring.feedforward, back)
        populations.append(population)
    inhibiting = []
    for k, own in enumerate(interneurons):
        delay = wiring.usable_delay(own.delay, dt)
        inhibiting.append(
            inhibition.Interneurons(f"interneurons{k + 1}", own.gids, own.cells, scale, own.inhibition, delay)
        )
        for gid in inhibiting[-1].local_gids:
            ranks.pc.set_gid2node(gid, ranks.rank)
        wiring.spike_by(ranks.pc, inhibiting[-1])
    hidden = [Layer((population,)) for population in populations[:-1]]
    network = Network(ranks, Inputs(inputs, input_cells), hidden, populations[-1], seed, variant)
    wiring.connect(network, [_usable(layer.wiring, dt) for layer in layers])
    inhibition.connect(network, inhibiting)
    ranks.pc.set_maxstep(10)
    return network


def _usable(given: wiring.Wiring, dt: float) -> wiring.Wiring:
    delays = wiring.usable_delay(given.delay, dt), wiring.usable_delay(given.feedback_delay, dt)
    return replace(given, delay=delays[0], feedback_delay=delays[1])
