"""Plain NEURON: the caller made the cells, the plugin connects and teaches them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from segdend_plugin.engine import build
from segdend_plugin.engine.kinds.base import CellHandle
from segdend_plugin.engine.network import Network
from segdend_plugin.engine.session import session
from segdend_plugin.errors import ConfigError
from segdend_plugin.model.graph import Graph


def create(graph: Graph, cells: Mapping[str, Sequence[CellHandle]]) -> Network:
    """Make the sets of a graph between cells that exist already; every rank must call this.

    Parameters
    ----------
    graph
        What is connected with what, for example of `segdend_plugin.engine.layered.chain`.
    cells
        Of every population, the cells on this rank; the gid of each is its number in the graph, and is registered here.

    Returns
    -------
    Network
        This rank's part, for a `Learner`.

    Raises
    ------
    ConfigError
        If cells are missing, or a gid is not a number of its population.
    """
    from neuron import h

    own = session()
    own.begin(owns_gids=True)
    pc, handles = own.ranks.pc, {}
    for population in graph.populations:
        mine = sorted(cells.get(population.name, ()), key=lambda handle: handle.gid)
        for handle in mine:
            if handle.gid not in population.numbers:
                raise ConfigError(
                    f"population {population.name!r}: gid {handle.gid} is not one of its numbers, which run from "
                    f"{population.first} to {population.first + population.size - 1}: give each cell its number."
                )
            pc.set_gid2node(handle.gid, own.ranks.rank)
            if not graph.onto(population.name) and handle.point is not None:
                pc.cell(handle.gid, h.NetCon(handle.point, None))
        handles[population.name] = [(handle.gid - population.first, handle) for handle in mine]
    found = own.ranks.allgather({name: len(mine) for name, mine in handles.items()})
    for population in graph.populations:
        there = sum(part[population.name] for part in found)
        if there != population.size:
            raise ConfigError(
                f"population {population.name!r}: it has {population.size} cells, {there} were given: give every cell "
                "on one rank."
            )
    made = build.make_cells(own, graph, handles, {})
    network = build.connect(own, graph, made, {p.name: list(p.numbers) for p in graph.populations})
    pc.set_maxstep(10)
    return network
