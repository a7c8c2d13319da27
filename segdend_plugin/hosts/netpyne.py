"""NetPyNE builds the cells and every ordinary connection; projections marked as ours become dense.

The only module that touches NetPyNE's `sim`. A connection rule is ours when its `plast` names the mechanism
SegDendProjection::

    netParams.connParams['input->hidden'] = {
        'preConds': {'pop': 'input'}, 'postConds': {'pop': 'hidden'}, 'sec': 'basal', 'delay': 1.0,
        'plast': {'mech': 'SegDendProjection', 'params': {'role': 'feedforward', 'sites': 8}}}

`role` is ``'feedforward'`` (by default onto basal dendrites, learned) or ``'feedback'`` (from the output population
onto the tips of tufts, fixed). `sec` names where synapses land: a section list of the cell, ``'tips'`` (of its list
``'tuft'``), ``'nexus'`` (where its list ``'trunk'`` meets ``'tuft'``) or ``'soma'``; the other parameters are fields
of `segdend_plugin.model.places.Landing`: `sites`, `weighting`, `nearest`, `farthest` and `per_input`. Rules of
interneurons have the role ``'inhibition'`` (`segdend_plugin.hosts.inhibition`). Every cell of one side reaches every
cell of the other, with weights that the plugin draws: `probability`, `weight`, `synMech` and all other fields of
NetPyNE's own rules are refused.

A cell rule may have an entry ``'reduction'`` (`segdend_plugin.cells.templates.reduced_cell_params`): then feed-forward
synapses are drawn on the dendrites that it describes and act on the sections that it names. With an entry ``'active'``
(`segdend_plugin.cells.templates.active_cell_params`) cells spike by themselves and begin every trial at rest.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from segdend_plugin.cells.calibration import Equalised, Scale, Synapse
from segdend_plugin.cells.sites import StandIn
from segdend_plugin.engine import exchange, inhibition, mechanisms, mpi, wiring
from segdend_plugin.engine.inputs import Inputs
from segdend_plugin.engine.layer import Layer
from segdend_plugin.engine.network import Network
from segdend_plugin.engine.population import CellHandle, Population, somatic_gain_of
from segdend_plugin.engine.resting import Active
from segdend_plugin.errors import ConfigError, SegDendError
from segdend_plugin.hosts.inhibition import InhibitionRule
from segdend_plugin.hosts.rules import MECHANISM, ProjectionRule, take_rules
from segdend_plugin.model.places import Landing
from segdend_plugin.rule.variant import Route, Variant
from segdend_plugin.types import HocObject

INPUT = "SegDendInput"
LUMPED = "SegDendLumped"


def create(
    net_params: Any,
    sim_config: Any,
    *,
    seed: int,
    somatic_gain: float = 0.6 / 0.7,
    unit: float = 1.0,
    calibration: Equalised = "per_site",
    variant: Variant = Variant(),  # noqa: B008  frozen
    synapse: Synapse = Synapse(),  # noqa: B008  frozen
) -> Network:
    """Build a network as ``netpyne.sim.create`` does, with dense plastic projections.

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
        Whether every feed-forward site has the somatic gain, or only the mean of those of a cell.
    variant
        Form of the algorithm.
    synapse
        What a drive opens on cable cells: a current, or conductances.

    Returns
    -------
    Network
        This rank's part, ready to show examples. Cells, gids and ordinary connections are NetPyNE's and remain
        reachable through ``netpyne.sim``. Spikes reach NetCons and recorders where there are connections other than
        ours or ``simConfig.recordCellsSpikes`` asks for them; else call ``announce_spikes`` before recording.

    Raises
    ------
    ConfigError
        If our rules do not form a layered network. (A delay shorter than the time step is taken as one step.)
    """
    ranks = mpi.start()
    mechanisms.load()
    from netpyne import sim

    clear()
    with _quiet(sim_config):
        sim.initialize(netParams=net_params, simConfig=sim_config)
        rules, inhibiting = take_rules(sim.net.params.connParams, sim_config.dt)
        sim.net.createPops()
        sim.net.createCells()
        scale = Scale(_rest(sim_config), unit, calibration)
        builder = _Builder(sim, ranks, rules, seed, somatic_gain, scale, variant, synapse, inhibiting)
        others = bool(sim.net.params.connParams)
        network = builder.build(sim.net.connectCells)
        network.announce_spikes(others or bool(sim_config.recordCellsSpikes))
        sim.net.addStims()
        sim.setupRecording()
        _pre_run(sim)
    return network


def clear() -> None:
    """Let a new network find NEURON as the first one did: a process has one, and the next takes over its gids."""
    from netpyne import sim

    pc = mpi.start().pc
    exchange.clear()
    if hasattr(sim, "net"):
        pc.gid_clear()
    pc.optimize_node_order(0)  # a network of reduced cells has another


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
        sys.stderr.write(said.getvalue())
        raise


def _rest(sim_config: Any) -> float:
    return float(sim_config.hParams.get("v_init", -65.0))


def _pre_run(sim: Any) -> None:
    """Prepare a run once; without a Python callback per cell at every initialisation where none is needed."""
    # a point cell answers any attribute with a function
    sections = [sec for cell in sim.net.cells if isinstance(cell.secs, dict) for sec in cell.secs.values()]
    has_own_v = any("vinit" in sec for sec in sections)
    before = len(sim.fih)
    sim.preRun()
    if not has_own_v:
        del sim.fih[before : before + len(sim.net.cells)]


class _Builder:
    """Turns NetPyNE's populations and our rules into a Network of this rank."""

    def __init__(
        self,
        sim: Any,
        ranks: mpi.Ranks,
        rules: list[ProjectionRule],
        seed: int,
        somatic_gain: float,
        scale: Scale,
        variant: Variant,
        synapse: Synapse,
        inhibiting: list[InhibitionRule],
    ) -> None:
        self.sim, self.ranks, self.seed, self.somatic_gain, self.scale = sim, ranks, seed, somatic_gain, scale
        self.variant, self.synapse, self.inhibiting = variant, synapse, inhibiting
        self.forward = _chain([rule for rule in rules if rule.role == "feedforward"])
        self.back = _feedback(self.forward, [rule for rule in rules if rule.role == "feedback"], variant.feedback.route)
        named = [name for rule in rules for name in (*rule.pre, *rule.post)] + [rule.pre for rule in inhibiting]
        unknown = [name for name in named if name not in sim.net.pops]
        if unknown:
            raise ConfigError(f"popParams: there is no population {unknown[0]!r} that connParams name: add it.")
        self.local: dict[str, list[Any]] = {name: [] for name in sim.net.pops}
        for cell in sorted(sim.net.cells, key=lambda cell: cell.gid):
            self.local[cell.tags["pop"]].append(cell)
        mine = {name: [cell.gid for cell in cells] for name, cells in self.local.items()}
        everyone = ranks.allgather(mine)
        self.gids = {name: sorted(gid for part in everyone for gid in part[name]) for name in mine}
        empty = [name for name in named if not self.gids[name]]
        if empty:
            raise ConfigError(f"popParams[{empty[0]!r}]: it has 0 cells, but connParams name it: give it one or more.")

    def build(self, connect_others: Any) -> Network:
        """Create populations, let NetPyNE connect the rest, then create our projections."""
        self._give_up_thresholds()
        inputs = self._inputs()
        layers = [self._layer(rule) for rule in self.forward]
        if len(layers[-1].populations) != 1 or not layers[-1].populations[0].name:
            raise ConfigError(f"connParams[{self.forward[-1].label!r}]: make the output layer of one population.")
        interneurons = [self._interneurons(rule) for rule in self.inhibiting]
        connect_others()
        network = Network(self.ranks, inputs, layers[:-1], layers[-1].populations[0], self.seed, self.variant)
        wiring.connect(network, [self._wiring(rule) for rule in self.forward])
        inhibition.connect(network, interneurons)
        return network

    def _give_up_thresholds(self) -> None:
        """Remove NetPyNE's threshold detectors from our layers, whose escape-rate somas send the spikes.

        A detector costs a test per cell and step, and goes away only when all gids are given up and claimed anew.
        """
        pc, ours = self.ranks.pc, {name for rule in self.forward for name in rule.post}
        ours |= {rule.pre for rule in self.inhibiting}
        places = dict(self.sim.net.gid2lid)
        pc.gid_clear()
        for name, cells in self.local.items():
            for cell in cells:
                if name in ours:
                    pc.set_gid2node(cell.gid, self.ranks.rank)
                else:
                    cell.associateGid()
        self.sim.net.gid2lid = places

    def _inputs(self) -> Inputs:
        pre = self.forward[0].pre
        cells = [(cell.gid, cell.hPointp) for name in pre for cell in self.local[name]]
        wrong = [name for name in pre if self.sim.net.pops[name].tags.get("cellModel") != INPUT]
        if wrong:
            raise ConfigError(f"popParams[{wrong[0]!r}]: the input population needs cellModel={INPUT!r}: set it.")
        return Inputs([gid for name in pre for gid in self.gids[name]], cells)

    def _layer(self, rule: ProjectionRule) -> Layer:
        back = self.back.get(rule.post)
        populations = []
        for name in rule.post:
            kind = str(self.sim.net.pops[name].tags.get("cellType", name))
            rules = self.sim.net.params.cellParams.get(kind) or {}
            reduction = rules.get("reduction")
            handles = [self._handle(cell, rules) for cell in self.local[name]]
            gain = somatic_gain_of(handles, self.somatic_gain)
            stand_in = _stand_in(reduction)
            population = Population(name, kind, self.gids[name], handles, self.scale, gain, stand_in, self.synapse)
            landing = back.landing if back is not None else None
            if reduction is not None and landing is not None:
                landing = Landing("tips", 1)  # its one section `tuft` stands for all feedback sites
            population.calibrate(self.ranks, self.seed, rule.landing, landing)
            wiring.spike_by(self.ranks.pc, population)
            populations.append(population)
        return Layer(tuple(populations))

    def _interneurons(self, rule: InhibitionRule) -> inhibition.Interneurons:
        handles = []
        for cell in self.local[rule.pre]:
            soma = next(sec for sec in cell.secs.values() if not sec["topol"])
            handles.append(CellHandle(cell.gid, soma["hObj"](0.5), lumped=_lumped(soma)))
            if handles[-1].lumped is None:
                raise ConfigError(f"popParams[{rule.pre!r}]: interneurons need a {LUMPED} on their soma: add it.")
        what = rule.inhibition([forward.post for forward in self.forward[:-1]])
        delay = wiring.usable_delay(rule.delay, self.sim.cfg.dt)
        population = inhibition.Interneurons(rule.pre, self.gids[rule.pre], handles, self.scale, what, delay)
        wiring.spike_by(self.ranks.pc, population)
        return population

    def _handle(self, cell: Any, rules: Mapping[str, Any]) -> CellHandle:
        soma = next(sec for name, sec in cell.secs.items() if not sec["topol"])
        lumped = _lumped(soma)
        if lumped is not None:
            return CellHandle(cell.gid, soma["hObj"](0.5), lumped=lumped)
        regions = {name: [name] for name in cell.secs} | dict(cell.secLists)
        if rules.get("reduction") is not None:
            regions["basal"] = rules["reduction"]["places"]
        sections = {region: [cell.secs[name]["hObj"] for name in names] for region, names in regions.items()}
        return CellHandle(cell.gid, soma["hObj"](0.5), sections, active=_active(cell, rules.get("active")))

    def _wiring(self, rule: ProjectionRule) -> wiring.Wiring:
        back = self.back.get(rule.post)
        if back is None:
            return wiring.Wiring(rule.landing, None, rule.delay)
        return wiring.Wiring(rule.landing, back.landing, rule.delay, back.delay)


def _chain(rules: list[ProjectionRule]) -> list[ProjectionRule]:
    """Return the feed-forward rules from the input to the output."""
    by_pre = {rule.pre: rule for rule in rules}
    starts = [rule for rule in rules if rule.pre not in {other.post for other in rules}]
    if len(starts) != 1 or len(by_pre) != len(rules):
        raise ConfigError(
            f"connParams: {len(rules)} feed-forward rules of {MECHANISM} do not form one chain from an input "
            "population to the output: let the postConds of each be the preConds of the next."
        )
    chain = [starts[0]]
    while chain[-1].post in by_pre:
        chain.append(by_pre[chain[-1].post])
    return chain


def _feedback(
    chain: list[ProjectionRule], rules: list[ProjectionRule], route: Route
) -> dict[tuple[str, ...], ProjectionRule]:
    """Return the feedback rule of each hidden layer, by its populations."""
    hidden = [rule.post for rule in chain[:-1]]
    sources = {rule.post: above.post if route == "layerwise" else chain[-1].post for rule, above in pairwise(chain)}
    for rule in rules:
        if rule.post not in sources or rule.pre != sources[rule.post]:
            raise ConfigError(
                f"connParams[{rule.label!r}]: {route} feedback goes from "
                f"{list(sources.get(rule.post, chain[-1].post))} to one of the hidden layers "
                f"{[list(post) for post in hidden]}, in that order: mend the conditions."
            )
    by_layer = {rule.post: rule for rule in rules}
    without = [post for post in hidden if post not in by_layer]
    if without or len(by_layer) != len(rules):
        layer = list(without[0]) if without else list(rules[-1].post)
        raise ConfigError(
            f"connParams: the hidden layer {layer} needs one feedback rule: without it nothing is learned."
        )
    return by_layer


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


def _stand_in(reduction: Mapping[str, Any] | None) -> StandIn | None:
    if reduction is None:
        return None
    pieces = [(int(k), start, end, weight) for k, start, end, weight in reduction["pieces"]]
    shares, impedance = ([np.array(values) for values in reduction[name]] for name in ("shares", "impedance"))
    return StandIn(pieces, shares, impedance, reduction["report"])
