"""From a description to NetPyNE's netParams, and from those to a network of this rank."""

from __future__ import annotations

import sys
from typing import Any

from segdend_plugin.cells import active, catalogue, templates
from segdend_plugin.cells.calibration import lumped_conductance
from segdend_plugin.cells.reduction import TOLERANCE
from segdend_plugin.engine import mechanisms, mpi
from segdend_plugin.engine.network import Network
from segdend_plugin.errors import ConfigError
from segdend_plugin.experiment.config import LUMPED, Cable, Experiment
from segdend_plugin.hosts import netpyne as host
from segdend_plugin.types import HocObject

REST = -70.0  # mV
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
        variant=experiment.variant(),
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
    params.cellParams["output"] = _three_compartment(experiment, g_apical=0.0)
    made = {LUMPED: LUMPED, "output": "output"}  # label -> cell
    pre: list[str] = ["input"]
    posts: list[list[str]] = []
    for depth, layer in enumerate(experiment.layers.hidden):
        post = []
        for cell, count in shares(experiment.mixture(depth), layer.size).items():
            label = cell if cell == LUMPED else catalogue.find(cell).stem
            if made.setdefault(label, cell) != cell:
                raise ConfigError(f"cell {cell!r}: the name {label!r} is taken by {made[label]!r}: rename the file.")
            if label not in params.cellParams:
                params.cellParams[label] = cell_rule(cell, experiment.cable)
            post.append(f"hidden{depth + 1}_{label}")
            params.popParams[post[-1]] = {"cellType": label, "numCells": count}
        params.connParams[f"{depth}->hidden{depth + 1}"] = _rule(
            experiment, pre, post, "basal", "feedforward", experiment.cable.basal_sites
        )
        posts.append(post)
        pre = post
    layerwise = experiment.feedback.route == "layerwise"
    for depth, post in enumerate(posts):
        source = posts[depth + 1] if layerwise and depth + 1 < len(posts) else ["output"]
        params.connParams[f"{source[0]}->hidden{depth + 1}"] = _rule(
            experiment, source, post, "tuft", "feedback", experiment.cable.tuft_sites
        )
    params.popParams["output"] = {"cellType": "output", "numCells": n_output}
    params.connParams["->output"] = _rule(experiment, pre, ["output"], "soma", "feedforward", 1)
    return params


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


def _rule(
    experiment: Experiment, pre: list[str], post: list[str], region: str, role: str, sites: int
) -> dict[str, Any]:
    return {
        "preConds": {"pop": pre},
        "postConds": {"pop": post},
        "sec": region,
        "delay": experiment.phases.delay,
        "plast": {"mech": host.MECHANISM, "params": {"role": role, "sites": sites}},
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
        Catalogue name or SWC file.
    cable
        Its membrane.
    """
    return templates.pyramidal_passive(catalogue.find(cell), _membrane(cable))


def cell_rule(cell: str, cable: Cable) -> dict[str, Any]:
    """Return the NetPyNE rule of a reconstructed cell; every rank must call this.

    Parameters
    ----------
    cell
        Catalogue name or SWC file.
    cable
        Its membrane, and whether it is reduced.
    """
    if cable.membrane == "active":
        return _active_rule(cell, cable)
    if not cable.reduced:
        return templates.netpyne_cell_params(pyramidal(cell, cable))
    ranks, rule = mpi.start(), None
    if ranks.is_root:  # and no other: a fit may depend on the processor
        rule = templates.reduced_cell_params(pyramidal(cell, cable), _membrane(cable), cable.tuft_sites)
        error = rule["reduction"]["report"]["largest_error"]
        if error > TOLERANCE:
            print(
                f"segdend: cable.reduced: the responses of {cell!r} are {100 * error:.1f} % off at most, more than "
                f"{100 * TOLERANCE:g} %: use the full cell where this counts.",
                file=sys.stderr,
            )
    return ranks.broadcast(rule) or {}


def _active_rule(cell: str, cable: Cable) -> dict[str, Any]:
    ranks, rule = mpi.start(), None
    if ranks.is_root:  # and no other: potentials at rest may depend on the processor
        built = templates.pyramidal_active(catalogue.find(cell), _membrane(cable))
        rule = templates.active_cell_params(built, cable.tonic)
    return ranks.broadcast(rule) or {}


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
