"""NetPyNE builds the cells and every ordinary connection; sets marked as ours become dense.

The only module that imports NetPyNE. A connection rule is ours when its `plast` names the mechanism SegDend::

    netParams.connParams['input->hidden'] = {
        'preConds': {'pop': 'input'}, 'postConds': {'pop': 'hidden'}, 'sec': 'basal', 'delay': 1.0,
        'plast': {'mech': 'SegDend', 'params': {'role': 'forward', 'sites': 8}}}

What such rules may say: :mod:`segdend_plugin.hosts.connections`. With an entry ``'active'`` in their cell rule
(`segdend_plugin.cells.templates.active_cell_params`) cells spike by themselves and begin every trial at rest.
"""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from segdend_plugin.cells.calibration import Synapse
from segdend_plugin.cells.units import REST, SOMATIC_GAIN, Equalised, Scale
from segdend_plugin.engine import build
from segdend_plugin.engine.kinds.base import Active, CellHandle
from segdend_plugin.engine.kinds.measured import Measured
from segdend_plugin.engine.network import Network
from segdend_plugin.engine.session import Session, session
from segdend_plugin.errors import ConfigError, SegDendError
from segdend_plugin.hosts import marked as marks
from segdend_plugin.hosts import unclaimed
from segdend_plugin.hosts.connections import INPUT, LINEAR, LUMPED, MECHANISM, Kinds, graph_of, take_rules
from segdend_plugin.hosts.neuron import V_INIT, check_free, join
from segdend_plugin.model.graph import Connections, Graph
from segdend_plugin.model.streams import check_seed
from segdend_plugin.types import HocObject

log = logging.getLogger("segdend_plugin")
_UNMEASURED: Mapping[str, Measured] = {}


def create(
    net_params: Any,
    sim_config: Any,
    *,
    seed: int = 0,
    somatic_gain: float = SOMATIC_GAIN,
    unit: float = 1.0,
    calibration: Equalised = "per_site",
    location: str = "blind",
    synapse: Synapse = Synapse(),  # noqa: B008  frozen
    teachers: Mapping[str, str | Sequence[str]] | None = None,
    exact: bool = True,
) -> Network:
    """Build a network as ``netpyne.sim.create`` does, with sets that learn; every rank must call this.

    Marked rules that say with which probability, weight or synapse cells are connected remain NetPyNE's: their cells
    spike as their owner made them, and their NetCons learn (:mod:`segdend_plugin.hosts.marked`). Others, and those with
    ``'dense': True``, become dense sets between cells of the plugin (:mod:`segdend_plugin.hosts.connections`). A model
    has rules of one of these kinds.

    Parameters
    ----------
    net_params, sim_config
        ``specs.NetParams`` and ``specs.SimConfig``. They are not changed.
    seed
        Seed of weights, sites and spikes.
    somatic_gain
        Steady somatic potential for unit basal drive, to which cable cells are calibrated (k_b).
    unit
        Millivolts that the rule calls 1.
    calibration
        Whether every forward site has the somatic gain, or only the mean of those of a cell.
    location
        Whether synapses learn ``"blind"`` to their place, or in proportion to its ``"gain"``.
    synapse
        What a drive opens on cable cells: a current, or conductances. This and the four before it are of dense sets.
    teachers
        By population that is to be taught, the labels of those `stimSourceParams` (IClamps, or NetStims without noise)
        that teach it; by default, populations that forward rules reach, but no feedback rule, get teachers of the
        plugin's. `teachers` and `exact` are of rules that NetPyNE connects.
    exact
        As of :func:`segdend_plugin.hosts.neuron.attach`.

    Returns
    -------
    Network
        This rank's part, for a `Learner`. Cells, gids and ordinary connections are NetPyNE's and remain reachable
        through ``netpyne.sim``. Spikes reach NetCons and recorders where there are connections other than ours or
        ``simConfig.recordCellsSpikes`` asks for them; else call ``announce_spikes`` before recording.

    Raises
    ------
    ConfigError
        If our rules do not make sense. (A delay shorter than the time step is taken as one step.)
    """
    check_seed(seed)  # before the network that was built last is given up
    kinds = Kinds(somatic_gain, Scale(_rest(sim_config), unit, calibration), synapse, location)
    marked, rules = marks.take(net_params.connParams), take_rules(net_params.connParams)
    if marked and rules:
        raise ConfigError(
            f"connParams: {next(iter(rules))!r} is a dense set, and NetPyNE connects {next(iter(marked))!r}, but dense "
            "sets reach cells of the plugin only: give both what NetPyNE connects by, or neither."
        )
    if sim_config.cvode_active:
        raise ConfigError("simConfig.cvode_active=True: NEURON's time step varies then: set it to False.")
    session().begin(owns_gids=True)
    if marked:
        return _connected(net_params, sim_config, marked, _labels(teachers), seed, exact=exact)
    dt, sets = sim_config.dt, [one for rule in rules.values() for one in rule.sets()]
    return construct(net_params, sim_config, lambda sim: graph_of(sim, rules, kinds, seed, dt), sets, set(rules))


def attach(
    sim: Any,
    *,
    seed: int = 0,
    teachers: Mapping[str, str | Sequence[str]] | None = None,
    exact: bool = True,
) -> Network:
    """Take a model that NetPyNE has built step by step, so that its marked rules learn; every rank calls this.

    Parameters
    ----------
    sim
        ``netpyne.sim``, after ``sim.net.connectCells`` and ``sim.net.addStims``, or after ``sim.create`` or
        ``sim.load``. Its marked rules are found in ``sim.net.params``, and their connections by the rule's label.
    seed, teachers, exact
        As of :func:`create`.

    Returns
    -------
    Network
        This rank's part, for a `Learner`.

    Raises
    ------
    ConfigError
        If no rule is marked, or rules do not make sense.
    SegDendError
        If the process holds a network that the plugin has built.
    """
    check_seed(seed)
    marked = marks.take(sim.net.params.connParams)
    if not marked:
        raise ConfigError(f"connParams: no rule has 'plast': {{'mech': {MECHANISM!r}}}: mark those that are to learn.")
    check_free(session())
    if exact and any(session().ranks.allgather(marks.is_disordered(sim))):
        warnings.warn(
            "exact=True: NetPyNE made synapses in an order that depends on ranks, so that potentials can differ in "
            "their last bits between numbers of ranks: let segdend_plugin.create build the model.",
            stacklevel=2,
        )
    sim.cfg.random123 = True
    with _quiet(sim.cfg):
        _pre_run(sim)
    return _join(sim, marked, _labels(teachers), seed, exact=exact, begun=False)


def _labels(teachers: Mapping[str, str | Sequence[str]] | None) -> dict[str, tuple[str, ...]]:
    return {name: (own,) if isinstance(own, str) else tuple(own) for name, own in (teachers or {}).items()}


def _connected(
    net_params: Any,
    sim_config: Any,
    marked: Mapping[str, marks.Marked],
    teachers: Mapping[str, Sequence[str]],
    seed: int,
    *,
    exact: bool,
) -> Network:
    """Let NetPyNE make a model whose marked rules it connects, and take it."""
    from netpyne import sim

    with _quiet(sim_config):
        sim.initialize(netParams=net_params, simConfig=sim_config)
        rules = sim.net.params.connParams
        plasticity = {label: rules[label].pop("plast") for label in marked}  # NetPyNE knows no such mechanism
        sim.net.createPops()
        sim.net.createCells()
        with marks.in_one_order(sim):
            sim.net.connectCells()
        sim.net.addStims()
        sim.net.addRxD()
        sim.setupRecording()
        for label, said in plasticity.items():
            rules[label]["plast"] = said
        _pre_run(sim)
    return _join(sim, marked, teachers, seed, exact=exact, begun=True)


def _join(
    sim: Any,
    marked: Mapping[str, marks.Marked],
    teachers: Mapping[str, Sequence[str]],
    seed: int,
    *,
    exact: bool,
    begun: bool,
) -> Network:
    model = marks.model_of(sim, session().ranks, marked, teachers)
    v_init = float(sim.cfg.hParams.get("v_init", V_INIT))
    network = join(
        session(), model.populations, model.sets, model.background, seed, None, v_init, exact=exact, begun=begun
    )
    network.tell_host = functools.partial(marks.publish, sim, marked)
    unclaimed.claim(sim.net)
    return network


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
    with _quiet(sim_config):
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
        _pre_run(sim)
    return network


@contextlib.contextmanager
def _quiet(sim_config: Any) -> Iterator[None]:
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


def _rest(sim_config: Any) -> float:
    return float(sim_config.hParams.get("v_init", REST))


def _pre_run(sim: Any) -> None:
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
