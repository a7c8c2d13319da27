"""Interneurons in the loop: built as lumped cells, excited and inhibiting through fixed dense projections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import numpy as np

from segdend_plugin.cells.calibration import Scale, lumped_somatic_current, somatic_current
from segdend_plugin.engine.exchange import Exchange
from segdend_plugin.engine.network import Network
from segdend_plugin.engine.population import CellHandle, Population, somatic_gain_of
from segdend_plugin.engine.projection import Kernel, Projection
from segdend_plugin.engine.synapses import Landed
from segdend_plugin.errors import ConfigError
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.rule.inhibition import Inhibition, Silence, excitatory_weights, inhibitory_weights


class Interneurons(Population):
    """One population of interneurons; the rule leaves them alone.

    Parameters
    ----------
    name
        Name of the population.
    gids
        All its cells, on any rank, in order.
    cells
        Those on this rank, lumped.
    scale
        Meaning of the rule's units.
    inhibition
        What they do.
    delay
        Conduction delay to and from them (ms), usable on more than one rank.
    """

    def __init__(
        self,
        name: str,
        gids: Sequence[int],
        cells: Sequence[CellHandle],
        scale: Scale,
        inhibition: Inhibition,
        delay: float,
    ) -> None:
        super().__init__(name, "interneuron", gids, cells, scale, somatic_gain_of(cells, 1.0))
        self.inhibition, self.delay = inhibition, delay
        self._onto: list[Projection] = []
        if inhibition.silent_in != "none":
            self._add_gates()

    def sources(self, network: Network) -> list[int]:
        """Return the cells that excite them."""
        return {
            "input": network.inputs.gids,
            "hidden": network.hidden[self.inhibition.layer].gids,
            "output": network.output.gids,
        }[self.inhibition.driven_by]

    def be_excited(self, network: Network, exchange: Exchange) -> None:
        """Take the spikes of their sources, which the exchange knows."""
        if not self.cells:
            return
        sources = self.sources(network)
        n = len(sources)
        weights = excitatory_weights(network.seed, self.local_gids, n, self.inhibition)
        biases = np.full(len(self.cells), self.inhibition.bias)
        projection = Projection(weights, biases, np.zeros(n, dtype=np.int64), 1, Kernel.POTENTIAL)
        self.receive(projection)
        if self.inhibition.driven_by == "input":
            network.inputs.send_spikes(projection, self.delay)
        else:
            projection.connect(network.ranks.pc, sources, self.delay, exchange.counter)

    def inhibit(self, network: Network, target: Population, exchange: Exchange) -> None:
        """Put inhibition onto the local cells of one population of the layer."""
        if target.calibration is None and self.inhibition.onto != "soma":
            raise ConfigError(
                f"inhibition {self.name!r}: onto={self.inhibition.onto!r} needs dendrites with a membrane, which "
                f"three-compartment cells ({target.name!r}) have not: take onto='soma', or reconstructed cells."
            )
        if target.stand_in is not None and self.inhibition.onto == "basal":
            raise ConfigError(
                f"inhibition {self.name!r}: onto='basal' needs the basal dendrites that reduced cells have not: take "
                "'soma' or 'tuft', or set cable.reduced=false."
            )
        if not target.cells:
            return
        places = [self._places(target, post) for post in range(len(target.cells))]
        n_slots = len(places[0]) if self.inhibition.onto == "basal" else 1
        n = len(self.gids)
        slots = stream(network.seed, Purpose.INHIBITION, self.gids[0]).permutation(n) % n_slots
        weights = inhibitory_weights(network.seed, target.local_gids, self.gids, self.inhibition)
        nothing = np.zeros(len(target.cells))
        projection = Projection(weights, nothing, slots, n_slots, Kernel.CURRENT, split=target.splits)
        projection.connect(network.ranks.pc, self.gids, self.delay, exchange.counter)
        for post, landed in enumerate(places):
            for k, (place, current) in enumerate(landed):
                slot = k if n_slots > 1 else 0
                self._mechanisms.append(target.synapses.site(place, projection, post, slot, current))
        self._onto.append(projection)

    def _places(self, target: Population, post: int) -> list[Landed]:
        """Return where one cell is inhibited, each with the current (nA) that moves it by one unit."""
        cell = target.cells[post]
        if self.inhibition.onto == "tuft":
            return target.landed["tuft"][post]
        if self.inhibition.onto == "basal":
            return [Landed(place, current / target.somatic_gain) for place, current in target.landed["basal"][post]]
        if cell.lumped is not None:
            conductance = cell.lumped.g_leak + cell.lumped.g_basal + cell.lumped.g_apical
            return [Landed(cell.soma, lumped_somatic_current(conductance, self.scale))]
        assert target.calibration is not None
        assert target.calibration.segregation is not None
        return [Landed(cell.soma, somatic_current(target.calibration.segregation, self.scale))]

    def _add_gates(self) -> None:
        from neuron import h

        for cell in self.cells:
            gate = h.SegDendGate(cell.soma)
            gate.rest, gate.unit = self.scale.rest, self.scale.unit
            gate.silent_in, gate.lead = get_args(Silence).index(self.inhibition.silent_in), self.inhibition.silent_lead
            self._mechanisms.append(gate)


def connect(network: Network, interneurons: Sequence[Interneurons]) -> None:
    """Connect interneurons that own their gids to a network that is connected itself."""
    for own in interneurons:
        if own.inhibition.layer not in range(len(network.hidden)):
            raise ConfigError(
                f"inhibition {own.name!r}: layer={own.inhibition.layer} is none of the {len(network.hidden)} hidden "
                "layers, counted from 0: choose one of them."
            )
    network.interneurons = tuple(interneurons)
    populations = [population for layer in network.layers for population in layer.populations]
    here = {gid: soma for population in (*populations, *interneurons) for gid, soma in population.spike_sources()}
    driving = {gid for own in interneurons if own.inhibition.driven_by != "input" for gid in own.sources(network)}
    heard = driving | {gid for own in interneurons for gid in own.gids}
    exchange = Exchange(network.ranks, sorted(heard), here)
    network.exchanges.append(exchange)
    for own in interneurons:
        own.be_excited(network, exchange)
        for target in network.hidden[own.inhibition.layer].populations:
            own.inhibit(network, target, exchange)
