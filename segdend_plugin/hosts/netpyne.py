"""Models of NetPyNE's, whose marked connection rules learn.

A connection rule is ours when its `plast` names the mechanism SegDend::

    netParams.connParams['input->hidden'] = {
        'preConds': {'pop': 'input'}, 'postConds': {'pop': 'hidden'}, 'sec': 'basal', 'delay': 1.0,
        'plast': {'mech': 'SegDend', 'params': {'role': 'forward', 'sites': 8}}}

What rules of dense sets may say: :mod:`segdend_plugin.hosts.connections`; of NetCons that NetPyNE makes:
:mod:`segdend_plugin.hosts.marked`. With an entry ``'active'`` in their cell rule
(`segdend_plugin.cells.templates.active_cell_params`) cells spike by themselves and begin every trial at rest.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from segdend_plugin.cells.calibration import Synapse
from segdend_plugin.cells.units import REST, SOMATIC_GAIN, Equalised, Scale
from segdend_plugin.engine.network import Network
from segdend_plugin.engine.session import session
from segdend_plugin.errors import ConfigError
from segdend_plugin.hosts import marked as marks
from segdend_plugin.hosts import unclaimed
from segdend_plugin.hosts.connections import MECHANISM, Kinds, graph_of, take_rules
from segdend_plugin.hosts.construct import construct, pre_run, quiet
from segdend_plugin.hosts.neuron import V_INIT, check_free, join
from segdend_plugin.model.streams import check_seed


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
    inputs: Mapping[str, str] | None = None,
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
        plugin's. `teachers`, `inputs` and `exact` are of rules that NetPyNE connects.
    inputs
        By input population whose cells spike by themselves, the label of the NetStims of `stimSourceParams` through
        which the task drives them. (Cells of NetStim, VecStim and SegDendInput are driven themselves, others not.)
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
        return _connected(net_params, sim_config, marked, _labels(teachers), inputs or {}, seed, exact=exact)
    dt, sets = sim_config.dt, [one for rule in rules.values() for one in rule.sets()]
    return construct(net_params, sim_config, lambda sim: graph_of(sim, rules, kinds, seed, dt), sets, set(rules))


def attach(
    sim: Any,
    *,
    seed: int = 0,
    teachers: Mapping[str, str | Sequence[str]] | None = None,
    inputs: Mapping[str, str] | None = None,
    exact: bool = True,
) -> Network:
    """Take a model that NetPyNE has built step by step, so that its marked rules learn; every rank calls this.

    Parameters
    ----------
    sim
        ``netpyne.sim``, after ``sim.net.connectCells`` and ``sim.net.addStims``, or after ``sim.create`` or
        ``sim.load``. Its marked rules are found in ``sim.net.params``, and their connections by the rule's label.
    seed, teachers, inputs, exact
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
    with quiet(sim.cfg):
        pre_run(sim)
    return _join(sim, marked, _labels(teachers), inputs or {}, seed, exact=exact, begun=False)


def _labels(teachers: Mapping[str, str | Sequence[str]] | None) -> dict[str, tuple[str, ...]]:
    return {name: (own,) if isinstance(own, str) else tuple(own) for name, own in (teachers or {}).items()}


def _connected(
    net_params: Any,
    sim_config: Any,
    marked: Mapping[str, marks.Marked],
    teachers: Mapping[str, Sequence[str]],
    inputs: Mapping[str, str],
    seed: int,
    *,
    exact: bool,
) -> Network:
    """Let NetPyNE make a model whose marked rules it connects, and take it."""
    from netpyne import sim

    with quiet(sim_config):
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
        pre_run(sim)
    return _join(sim, marked, teachers, inputs, seed, exact=exact, begun=True)


def _join(
    sim: Any,
    marked: Mapping[str, marks.Marked],
    teachers: Mapping[str, Sequence[str]],
    inputs: Mapping[str, str],
    seed: int,
    *,
    exact: bool,
    begun: bool,
) -> Network:
    model = marks.model_of(sim, session().ranks, marked, teachers, inputs)
    v_init = float(sim.cfg.hParams.get("v_init", V_INIT))
    network = join(
        session(), model.populations, model.sets, model.background, seed, None, v_init, exact=exact, begun=begun
    )
    network.tell_host = functools.partial(marks.publish, sim, marked)
    unclaimed.claim(sim.net)
    return network


def _rest(sim_config: Any) -> float:
    return float(sim_config.hParams.get("v_init", REST))
