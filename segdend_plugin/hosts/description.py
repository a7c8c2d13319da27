"""A graph as NetPyNE's netParams: cell rules of its kinds, and the network that NetPyNE builds of them."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from segdend_plugin.cells import active, templates
from segdend_plugin.cells.files import source as sources
from segdend_plugin.cells.units import CELSIUS, REST, lumped_conductance
from segdend_plugin.engine import mpi
from segdend_plugin.engine.kinds.cable import Cable
from segdend_plugin.engine.kinds.linear import Linear
from segdend_plugin.engine.kinds.lumped import Lumped, is_linear
from segdend_plugin.engine.kinds.measured import Measured, measure
from segdend_plugin.engine.kinds.poisson import Poisson
from segdend_plugin.engine.kinds.reconstruction import Reconstruction
from segdend_plugin.engine.network import Network
from segdend_plugin.engine.session import session
from segdend_plugin.errors import ConfigError, SegDendError
from segdend_plugin.hosts import construct as host
from segdend_plugin.hosts.connections import INPUT, LINEAR, LUMPED
from segdend_plugin.model.graph import Graph, Kind
from segdend_plugin.types import HocObject

LUMPED_DIAMETER = 56.4189583548  # um: 10^4 um2, 100 pF at 1 uF/cm2, as in templates/three_compartment.hoc

T = TypeVar("T")

log = logging.getLogger("segdend_plugin")


def load() -> None:
    """Load all that building needs, which takes longer than building a small network."""
    session()
    import netpyne.sim  # noqa: F401


def build(graph: Graph) -> Network:
    """Build a network, on every rank its part; every rank must call this.

    Parameters
    ----------
    graph
        Of cells that this project can make: inputs, three-compartment cells and reconstructions.
    """
    session().begin(owns_gids=True)  # before a cell is measured, which updates all that NEURON holds
    params, measured = net_params(graph), _measured(graph)
    network = host.construct(params, sim_config(graph), lambda _: graph, graph.connections, measured=measured)
    network.made_of = mpi.start().broadcast(_digests(graph) if mpi.start().is_root else {})
    return network


def _digests(graph: Graph) -> dict[str, str]:
    """Return a digest of what each reconstruction is built from; only one rank should ask."""
    kinds = {p.kind.label: p.kind for p in graph.populations if isinstance(p.kind, Reconstruction)}
    files = {label: Path(sources.load(kind.source, kind.repair).swc) for label, kind in sorted(kinds.items())}
    return {label: hashlib.sha256(file.read_bytes()).hexdigest() for label, file in files.items()}


def sim_config(graph: Graph) -> Any:
    """Return the ``specs.SimConfig`` of a graph."""
    from netpyne import specs

    config = specs.SimConfig()
    config.dt = graph.dt
    with_channels = any(isinstance(p.kind, Cable) and p.kind.active for p in graph.populations)
    config.hParams = {"v_init": REST, "celsius": active.CELSIUS if with_channels else CELSIUS}
    config.verbose = False
    config.progressBar = 0
    config.recordTraces = {}
    config.recordStim = False
    config.recordCellsSpikes = []
    return config


def net_params(graph: Graph, *, sections: bool = False) -> Any:
    """Return the ``specs.NetParams`` of a graph: populations and cells; sets are the plugin's.

    Parameters
    ----------
    graph
        The network.
    sections
        Whether three-compartment cells that could do without one have a section of their own, as in a model of
        somebody's own.
    """
    from netpyne import specs

    params = specs.NetParams()
    made: dict[str, Kind] = {}
    for population in graph.populations:
        kind, label = population.kind, population.kind.label
        if isinstance(kind, Poisson):
            params.popParams[population.name] = {"cellModel": INPUT, "numCells": population.size}
            continue
        if made.setdefault(label, kind) != kind:
            raise ConfigError(
                f"cell {getattr(kind, 'source', label)!r}: the name {label!r} is taken by another one: rename the file."
            )
        if isinstance(kind, Linear) or (is_linear(population) and not sections):
            params.popParams[population.name] = {"cellModel": LINEAR, "numCells": population.size}
            continue
        if label not in params.cellParams:
            params.cellParams[label] = _rule(population.name, kind)
        params.popParams[population.name] = {"cellType": label, "numCells": population.size}
    return params


def _rule(population: str, kind: Kind) -> dict[str, Any]:
    if isinstance(kind, Lumped):
        return _three_compartment(kind)
    if isinstance(kind, Cable):
        _say_repairs(kind)
        return cell_rule(kind)
    raise ConfigError(f"population {population!r}: {kind.label!r} is no cell that can be made: build it in a host.")


def _measured(graph: Graph) -> dict[str, Measured]:
    """Measure the cell of each population of linear cells; every rank must call this."""
    found: dict[str, Measured] = {}
    said: set[str] = set()
    for population in graph.populations:
        kind = population.kind
        if isinstance(kind, Linear):
            found[population.name] = _on_root(partial(measure, graph, population.name, kind))
            if kind.label not in said:
                _say_repairs(kind)
                said.add(kind.label)
    return found


def _say_repairs(kind: Reconstruction) -> None:
    if mpi.start().is_root:
        for line in sources.load(kind.source, kind.repair).lines():
            log.warning(line)


def _three_compartment(kind: Lumped) -> dict[str, Any]:
    side = LUMPED_DIAMETER
    return {
        "secs": {
            "soma": {
                "geom": {"L": side, "diam": side, "cm": 1.0, "nseg": 1},
                "pointps": {
                    "neuron": {
                        "mod": LUMPED,
                        "loc": 0.5,
                        "g_leak": lumped_conductance(kind.g_leak),
                        "g_basal": lumped_conductance(kind.g_basal),
                        "g_apical": lumped_conductance(kind.g_apical),
                    }
                },
            }
        }
    }


def pyramidal(kind: Reconstruction) -> HocObject:
    """Build one reconstructed cell with its membrane and discretisation."""
    swc = sources.load(kind.source, kind.repair).swc
    return templates.pyramidal_passive(swc, kind.membrane, kind.apical_length, kind.apical_diameter)


def cell_rule(kind: Cable) -> dict[str, Any]:
    """Return the NetPyNE rule of a reconstructed cell; every rank must call this."""
    make = _active_rule if kind.active else lambda kind: templates.netpyne_cell_params(pyramidal(kind))
    return _on_root(partial(make, kind))


def _on_root(make: Callable[[], T]) -> T:
    """Return what rank 0 makes, or raise its error, on every rank.

    No other rank makes it: it fetches and repairs files, and fits and rest may depend on the processor.
    """
    ranks = mpi.start()
    made: T | None = None
    failure: SegDendError | None = None
    if ranks.is_root:
        try:
            made = make()
        except SegDendError as error:
            failure = error
    made, failure = ranks.broadcast((made, failure))
    if failure is not None:
        raise failure
    return cast(T, made)


def _active_rule(kind: Cable) -> dict[str, Any]:
    swc = sources.load(kind.source, kind.repair).swc
    built = templates.pyramidal_active(swc, kind.membrane, kind.apical_length, kind.apical_diameter)
    return templates.active_cell_params(built, kind.tonic)
