"""NetPyNE makes populations, cells and its own connections, and the sets of a graph are made beside them."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from segdend_plugin.engine import build
from segdend_plugin.engine.kinds.base import Active, CellHandle
from segdend_plugin.engine.kinds.measured import Measured
from segdend_plugin.engine.network import Network
from segdend_plugin.engine.session import Session, session
from segdend_plugin.errors import ConfigError, SegDendError
from segdend_plugin.hosts.connections import INPUT, LINEAR, LUMPED
from segdend_plugin.model.graph import Connections, Graph
from segdend_plugin.types import HocObject

log = logging.getLogger("segdend_plugin")
_UNMEASURED: Mapping[str, Measured] = {}


def construct(
    net_params: Any,
    sim_config: Any,
    make_graph: Callable[[Any], Graph],
    sets: Sequence[Connections],
    ours: set[str] | None = None,
    measured: Mapping[str, Measured] = _UNMEASURED,
) -> Network:
    """Let NetPyNE make populations, cells and its own connections, and make the sets of a graph beside them.

    Parameters
    ----------
    net_params, sim_config
        What NetPyNE takes.
    make_graph
        Returns the graph, given ``sim`` with its populations and cells.
    sets
        Those of the graph, as far as they are known before there are cells.
    ours
        Labels of connection rules that NetPyNE is not to expand.
    measured
        Of populations of linear cells, what such a cell is.
    """
    from netpyne import sim

    own = session()
    with quiet(sim_config):
        sim.initialize(netParams=net_params, simConfig=sim_config)
        for label in ours or ():
            del sim.net.params.connParams[label]
        sim.net.createPops()
        _without_sections(sim, rated={name for one in sets if one.signal == "rates" for name in one.pre})
        sim.net.createCells()
        graph = make_graph(sim)
        _give_up_thresholds(sim, own, {p.name for p in graph.populations if graph.onto(p.name)})
        local = _local(sim)
        everyone = own.ranks.allgather({name: [cell.gid for cell in cells] for name, cells in local.items()})
        gids = {p.name: sorted(gid for part in everyone for gid in part[p.name]) for p in graph.populations}
        handles = {name: _handles(sim, local[name], gids[name]) for name in gids}
        cells = build.make_cells(own, graph, handles, measured)
        others = bool(sim.net.params.connParams)
        sim.net.connectCells()
        network = build.connect(own, graph, cells, gids)
        network.announce_spikes(others or bool(sim_config.recordCellsSpikes))
        sim.net.addStims()
        sim.net.addRxD()
        sim.setupRecording()
        pre_run(sim)
    return network


@contextlib.contextmanager
def quiet(sim_config: Any) -> Iterator[None]:
    """Keep NetPyNE's progress off the terminal, unless it is asked to be verbose or something goes wrong."""
    if sim_config.verbose:
        yield
        return
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            yield
    except SegDendError:
        raise
    except Exception:
        log.error(said.getvalue())
        raise


def pre_run(sim: Any) -> None:
    """Prepare a run once; without a Python callback per cell at every initialisation where none is needed."""
    # a point cell answers any attribute with a function
    sections = [sec for cell in sim.net.cells if isinstance(cell.secs, dict) for sec in cell.secs.values()]
    has_own_v = any("vinit" in sec for sec in sections)
    before = len(sim.fih)
    sim.preRun()
    if not has_own_v:
        del sim.fih[before : before + len(sim.net.cells)]


def _local(sim: Any) -> dict[str, list[Any]]:
    """Return the cells of this rank by population, in the order of gids."""
    found: dict[str, list[Any]] = {name: [] for name in sim.net.pops}
    for cell in sorted(sim.net.cells, key=lambda cell: cell.gid):
        found[cell.tags["pop"]].append(cell)
    return found


def _give_up_thresholds(sim: Any, own: Session, ours: set[str]) -> None:
    """Remove NetPyNE's threshold detectors from our cells, whose escape-rate somas send the spikes.

    A detector costs a test per cell and step, and goes away only when all gids are given up and claimed anew.
    """
    pc, places = own.ranks.pc, dict(sim.net.gid2lid)
    pc.gid_clear()
    for name, cells in _local(sim).items():
        for cell in cells:
            if name in ours:
                pc.set_gid2node(cell.gid, own.ranks.rank)
            else:
                cell.associateGid()
    sim.net.gid2lid = places


def _handles(sim: Any, cells: list[Any], gids: list[int]) -> build.Handles:
    position = {gid: k for k, gid in enumerate(gids)}
    return [(position[cell.gid], _handle(sim, cell)) for cell in cells]


def _handle(sim: Any, cell: Any) -> CellHandle:
    model = sim.net.pops[cell.tags["pop"]].tags.get("cellModel")
    if model == INPUT:
        return CellHandle(cell.gid, point=cell.hPointp)
    if model == LINEAR:
        return CellHandle(cell.gid, cell.hPointp.get_segment(), point=cell.hPointp, owner=cell.section)
    rules = _rules_of(sim, cell.tags["pop"])
    soma = next(sec for name, sec in cell.secs.items() if not sec["topol"])
    lumped = _lumped(soma)
    if lumped is not None:
        return CellHandle(cell.gid, soma["hObj"](0.5), point=lumped)
    regions = {name: [name] for name in cell.secs} | dict(cell.secLists)
    sections = {region: [cell.secs[name]["hObj"] for name in names] for region, names in regions.items()}
    return CellHandle(cell.gid, soma["hObj"](0.5), sections, active=_active(cell, rules.get("active")))


def _rules_of(sim: Any, population: str) -> Mapping[str, Any]:
    kind = str(sim.net.pops[population].tags.get("cellType", population))
    rules: Mapping[str, Any] = sim.net.params.cellParams.get(kind) or {}
    return rules


def _without_sections(sim: Any, rated: set[str]) -> None:
    """Let linear cells lie in one section; but NEURON transfers one rate for all in a place, so `rated` ones do not."""
    from neuron import h

    for name, pop in sim.net.pops.items():
        if pop.tags.get("cellModel") == LINEAR:
            pop.cellModelClass = _linear_cell()
            pop.section = None if name in rated else h.Section(name="segdend_linear")


@functools.cache
def _linear_cell() -> Any:
    """Return NetPyNE's class of a point cell, made for linear cells."""
    from netpyne import sim

    class LinearCell(sim.PointCell):  # type: ignore[misc]  # NetPyNE has no types
        def createNEURONObj(self, prop: Any = None) -> None:
            from neuron import h

            shared = sim.net.pops[self.tags["pop"]].section
            self.section = h.Section(name="segdend_linear") if shared is None else shared
            self.hPointp, self.secs = getattr(h, LINEAR)(self.section(0.5)), NoSections()

    return LinearCell


class NoSections(Mapping[str, Any]):
    """The sections of a linear cell."""

    def __getitem__(self, name: str) -> Any:
        raise ConfigError(
            f"section {name!r}: linear cells have none, so nothing can be put there: set cable.solver=neuron, or take "
            "kinds.Cable."
        )

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _lumped(soma: Mapping[str, Any]) -> HocObject | None:
    points = soma.get("pointps") or {}
    return next((point["hObj"] for point in points.values() if point.get("mod") == LUMPED), None)


def _active(cell: Any, active: Mapping[str, Any] | None) -> Active | None:
    if active is None:
        return None
    rest = active["rest"].items()
    return Active(
        active["tonic"], [place for name, values in rest for place in zip(cell.secs[name]["hObj"], values, strict=True)]
    )
