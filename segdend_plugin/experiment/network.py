"""From a description to NetPyNE's netParams, and from those to a network of this rank."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

from segdend_plugin.cells import active, templates
from segdend_plugin.cells.calibration import Synapse, lumped_conductance
from segdend_plugin.cells.files import source as sources
from segdend_plugin.cells.reduction import TOLERANCE
from segdend_plugin.cells.sites import ground
from segdend_plugin.cells.survey import FREQUENCIES, Electrotonics, measure
from segdend_plugin.engine import mechanisms, mpi
from segdend_plugin.engine.network import Network
from segdend_plugin.errors import ConfigError, SegDendError
from segdend_plugin.experiment.config import LUMPED, Experiment
from segdend_plugin.experiment.parts import REST, Cable, Placement
from segdend_plugin.hosts import netpyne as host
from segdend_plugin.hosts.inhibition import ROLE
from segdend_plugin.hosts.rules import MECHANISM
from segdend_plugin.model.places import Landing
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.types import Array, HocObject

LUMPED_DIAMETER = 56.4189583548  # um: 10^4 um2, 100 pF at 1 uF/cm2, as in templates/three_compartment.hoc


def build(experiment: Experiment, n_input: int, n_output: int) -> Network:
    """Build the network that a description asks for, on every rank its part.

    Parameters
    ----------
    experiment
        The description.
    n_input, n_output
        Pixels of an image and output cells.
    """
    mpi.start()
    mechanisms.load()
    host.clear()  # before a cell is measured to be reduced, which updates all that NEURON holds
    return host.create(
        net_params(experiment, n_input, n_output),
        sim_config(experiment),
        seed=experiment.seed,
        somatic_gain=experiment.cable.somatic_gain,
        unit=experiment.cable.unit,
        calibration=experiment.cable.calibration,
        variant=experiment.variant(),
        synapse=Synapse(**experiment.synapse.model_dump()),
    )


def sim_config(experiment: Experiment) -> Any:
    """Return the ``specs.SimConfig`` of a description."""
    from netpyne import specs

    config = specs.SimConfig()
    config.dt = experiment.phases.dt
    celsius = active.CELSIUS if experiment.cable.membrane == "active" else 37.0  # passive cells do not depend on it
    config.hParams = {"v_init": REST, "celsius": celsius}
    config.verbose = False
    config.progressBar = 0
    config.recordTraces = {}
    config.recordStim = False
    config.recordCellsSpikes = []
    return config


def net_params(experiment: Experiment, n_input: int, n_output: int) -> Any:
    """Return the ``specs.NetParams`` of a description, the plastic projections marked as ours."""
    from netpyne import specs

    params = specs.NetParams()
    params.popParams["input"] = {"cellModel": host.INPUT, "numCells": n_input}
    params.cellParams[LUMPED] = _three_compartment(experiment, g_apical=experiment.lumped.g_apical)
    placement = experiment.placement
    params.cellParams["output"] = _three_compartment(experiment, g_apical=0.0)
    made = {LUMPED: LUMPED, "output": "output"}  # label -> cell
    pre: list[str] = ["input"]
    posts: list[list[str]] = []
    for depth, layer in enumerate(experiment.layers.hidden):
        post = []
        for cell, count in shares(experiment.mixture(depth), layer.size).items():
            label = cell if cell == LUMPED else sources.name_of(cell)
            if made.setdefault(label, cell) != cell:
                raise ConfigError(f"cell {cell!r}: the name {label!r} is taken by {made[label]!r}: rename the file.")
            if label not in params.cellParams:
                params.cellParams[label] = cell_rule(cell, experiment.cable, placement)
                _say_repairs(cell, experiment.cable)
            post.append(f"hidden{depth + 1}_{label}")
            params.popParams[post[-1]] = {"cellType": label, "numCells": count}
        params.connParams[f"{depth}->hidden{depth + 1}"] = _rule(
            experiment, pre, post, "feedforward", placement.feedforward.landing()
        )
        posts.append(post)
        pre = post
    layerwise = experiment.feedback.route == "layerwise"
    for depth, post in enumerate(posts):
        source = posts[depth + 1] if layerwise and depth + 1 < len(posts) else ["output"]
        params.connParams[f"{source[0]}->hidden{depth + 1}"] = _rule(
            experiment, source, post, "feedback", placement.feedback.landing()
        )
    params.popParams["output"] = {"cellType": "output", "numCells": n_output}
    params.connParams["->output"] = _rule(experiment, pre, ["output"], "feedforward", Landing("soma", 1))
    _add_interneurons(params, experiment, posts)
    return params


def _add_interneurons(params: Any, experiment: Experiment, posts: list[list[str]]) -> None:
    """Add interneurons behind all other cells, so that these keep their gids and with them their weights."""
    if experiment.inhibition:
        params.cellParams["interneuron"] = _three_compartment(experiment, g_apical=0.0)
    for own in experiment.inhibition:
        params.popParams[own.name] = {"cellType": "interneuron", "numCells": own.size}
        post = posts[own.layer - 1]
        rule = _rule(experiment, [own.name], post, ROLE, Landing(own.onto, 1))
        rule["plast"]["params"] = {"role": ROLE, **own.model_dump(exclude={"name", "size", "layer"})}
        params.connParams[f"{own.name}->{post[0]}"] = rule


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


def _rule(experiment: Experiment, pre: list[str], post: list[str], role: str, landing: Landing) -> dict[str, Any]:
    params = asdict(landing)
    return {
        "preConds": {"pop": pre},
        "postConds": {"pop": post},
        "sec": params.pop("region"),
        "delay": experiment.phases.delay,
        "plast": {"mech": MECHANISM, "params": {"role": role, **params}},
    }


def _three_compartment(experiment: Experiment, g_apical: float) -> dict[str, Any]:
    lumped = experiment.lumped
    side = LUMPED_DIAMETER
    return {
        "secs": {
            "soma": {
                "geom": {"L": side, "diam": side, "cm": 1.0, "nseg": 1},
                "pointps": {
                    "neuron": {
                        "mod": host.LUMPED,
                        "loc": 0.5,
                        "g_leak": lumped_conductance(lumped.g_leak),
                        "g_basal": lumped_conductance(lumped.g_basal),
                        "g_apical": lumped_conductance(g_apical),
                    }
                },
            }
        }
    }


def pyramidal(cell: str, cable: Cable) -> HocObject:
    """Build one reconstructed cell with the membrane and discretisation of a description.

    Parameters
    ----------
    cell
        What `segdend_plugin.cells.files.source.load` takes.
    cable
        Its membrane.
    """
    return templates.pyramidal_passive(
        sources.load(cell, cable.repair).swc, _membrane(cable), cable.apical_length, cable.apical_diameter
    )


def repairs(experiment: Experiment) -> dict[str, list[str]]:
    """Return what is different in each reconstructed cell than in its file; only one rank should ask.

    Cells that go to NEURON as they are do not occur.
    """
    cells = experiment.kinds() - {LUMPED}
    found = {sources.name_of(cell): sources.load(cell, experiment.cable.repair).findings for cell in sorted(cells)}
    return {name: [str(finding) for finding in findings] for name, findings in found.items() if findings}


def _say_repairs(cell: str, cable: Cable) -> None:
    if mpi.start().is_root:
        for line in sources.load(cell, cable.repair).lines():
            print(f"segdend: {line}", file=sys.stderr)


def electrotonics(
    cell: str,
    cable: Cable = Cable(),  # noqa: B008  frozen
    placement: Placement = Placement(),  # noqa: B008  frozen
    frequencies: Array = FREQUENCIES,
) -> Electrotonics:
    """Measure what the shape of a reconstructed cell does to signals, with the membrane and sites of a description.

    Parameters
    ----------
    cell
        What `segdend_plugin.cells.files.source.load` takes.
    cable
        Its membrane.
    placement
        Where feedback lands.
    frequencies
        In Hz, the first 0.

    Raises
    ------
    ConfigError
        If the cell is to be active.
    """
    if cable.membrane == "active":
        raise ConfigError("cable.membrane='active': impedances are shown of passive cells: set it to 'passive'.")
    mpi.start()
    built = pyramidal(cell, cable)
    soma = built.soma[0](0.5)
    regions = {region: list(getattr(built, region)) for region in ("basal", "trunk", "oblique", "tuft")}
    landing = placement.feedback.landing()
    back = ground(cell, soma, regions | {"apical": list(built.apical)}, landing, "feedback")
    places = back.fixed() if back.is_fixed else back.places(stream(0, Purpose.SITES, 0, 1))
    return measure(soma, regions, [back.segment(place) for place in places], frequencies)


def cell_rule(cell: str, cable: Cable, placement: Placement = Placement()) -> dict[str, Any]:  # noqa: B008  frozen
    """Return the NetPyNE rule of a reconstructed cell; every rank must call this.

    Parameters
    ----------
    cell
        What `segdend_plugin.cells.files.source.load` takes.
    cable
        Its membrane, and whether it is reduced.
    placement
        Where synapses land, which a reduced cell depends on.
    """
    ranks = mpi.start()
    rule: dict[str, Any] = {}
    failure: SegDendError | None = None
    if ranks.is_root:  # and no other: it fetches and repairs files, and fits and rest may depend on the processor
        try:
            if cable.membrane == "active":
                rule = _active_rule(cell, cable)
            elif cable.reduced:
                rule = _reduced_rule(cell, cable, placement)
            else:
                rule = templates.netpyne_cell_params(pyramidal(cell, cable))
        except SegDendError as error:
            failure = error
    rule, failure = ranks.broadcast((rule, failure))
    if failure is not None:
        raise failure
    return rule


def reduction(cell: str, cable: Cable, placement: Placement) -> dict[str, Any] | None:
    """Return how well a few compartments stand for a cell; None where they have no places for its synapses."""
    if not placement.suits_reduced_cells():
        return None
    report: dict[str, Any] = _reduced(cell, cable, placement)["reduction"]["report"]
    return report


def _reduced(cell: str, cable: Cable, placement: Placement) -> dict[str, Any]:
    landings = placement.feedforward.landing(), placement.feedback.landing()
    return templates.reduced_cell_params(pyramidal(cell, cable), _membrane(cable), *landings)


def _reduced_rule(cell: str, cable: Cable, placement: Placement) -> dict[str, Any]:
    rule = _reduced(cell, cable, placement)
    error = rule["reduction"]["report"]["largest_error"]
    if error > TOLERANCE:
        print(
            f"segdend: cable.reduced: the responses of {cell!r} are {100 * error:.1f} % off at most, more than "
            f"{100 * TOLERANCE:g} %: use the full cell where this counts.",
            file=sys.stderr,
        )
    return rule


def _active_rule(cell: str, cable: Cable) -> dict[str, Any]:
    swc = sources.load(cell, cable.repair).swc
    built = templates.pyramidal_active(swc, _membrane(cable), cable.apical_length, cable.apical_diameter)
    return templates.active_cell_params(built, cable.tonic)


def _membrane(cable: Cable) -> templates.Membrane:
    return templates.Membrane(
        axial_resistivity=cable.axial_resistivity,
        capacitance=cable.capacitance,
        time_constant=cable.time_constant,
        rest=REST,
        d_lambda=cable.d_lambda,
        frequency=cable.frequency,
        nseg=cable.nseg,
    )
