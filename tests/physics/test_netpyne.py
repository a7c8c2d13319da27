"""Rules of a NetPyNE model that the plugin cannot follow are refused, with the sentence that mends them."""

import numpy as np
import pytest

from segdend_plugin.errors import ConfigError
from segdend_plugin.experiment import config

EXPERIMENT = config.load(settings=["cell=three_compartment", "layers.hidden=[3]"])
HIDDEN = "hidden1_three_compartment"


@pytest.fixture
def model(ranks):
    from segdend_plugin.experiment import network

    return network.net_params(EXPERIMENT, 4, 2)


def create(model):
    from segdend_plugin.experiment import network
    from segdend_plugin.hosts import netpyne as host

    return host.create(model, network.sim_config(EXPERIMENT), seed=0)


def refuse(model, *words):
    with pytest.raises(ConfigError) as caught:
        create(model)
    said = str(caught.value)
    assert "\n" not in said
    for word in words:
        assert word in said


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("probability", 0.2),
        ("weight", 0.5),
        ("connList", [[0, 0]]),
        ("convergence", 3),
        ("divergence", 3),
        ("synMech", "exc"),
        ("synsPerConn", 2),
        ("loc", 0.3),
        ("dealy", 2.0),
    ],
)
def test_fields_of_netpyne_that_are_not_read(model, field, value):
    rule = next(iter(model.connParams.values()))
    rule[field] = value
    refuse(model, "connParams['0->hidden1']", f"{field}={value!r}", "preConds, postConds, sec, delay, plast", "remove")


def test_rules_of_netpyne_keep_these_fields(model):
    """And numbers may be NumPy's."""
    model.synMechParams["exc"] = {"mod": "ExpSyn"}
    model.connParams["own"] = {
        "preConds": {"pop": HIDDEN},
        "postConds": {"pop": "output"},
        "connList": [[0, 0], [1, 1]],
        "weight": 0.5,
        "delay": "1 + dist_3D * 0",
        "synMech": "exc",
    }
    model.connParams["0->hidden1"]["delay"] = np.float32(2)
    network = create(model)
    assert network.hidden[0].populations[0].inbound.weights.shape == (4, 3)
    from netpyne import sim

    assert sum(len(cell.conns) for cell in sim.net.cells) == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"delay": "dist_3D*0.1"}, ("delay='dist_3D*0.1'", "give one number")),
        ({"delay": float("nan")}, ("delay=nan", "0 ms or more")),
        ({"delay": -1.0}, ("delay=-1.0", "0 ms or more")),
        ({"delay": None}, ("delay=None", "0 ms or more")),
        ({"sec": ["basal", "tuft"]}, ("sec=['basal', 'tuft']", "name one section list")),
        ({"preConds": "input"}, ("preConds='input'", "{'pop': ...}")),
        ({"preConds": {"pop": 3}}, ("preConds={", "{'pop': ...}")),
        ({"postConds": {"pop": HIDDEN, "x": [0, 50]}}, ("postConds={", "whole populations")),
        ({"plast": "SegDendProjection"}, ("plast='SegDendProjection'", "give {'mech': 'SegDendProjection'")),
        ({"plast": {"mech": "SegDendProjection", "role": "feedforward"}}, ("role='feedforward'", "plast.params")),
        ({"plast": {"mech": "SegDendProjection", "params": "feedforward"}}, ("plast.params='feedforward'", "give {")),
    ],
)
def test_mistakes_in_a_rule(model, changes, words):
    model.connParams["0->hidden1"].update(changes)
    refuse(model, "connParams['0->hidden1']", *words)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"nearest": "x"}, ("nearest='x'", "give a number")),
        ({"nearest": None}, ("nearest=None", "give a number")),
        ({"farthest": float("nan")}, ("farthest=nan", "give a number")),
        ({"sites": 0}, ("sites=0", "give 1 or more")),
        ({"region": "tuft"}, ("unknown key 'region'", "remove it")),
        ({"role": "sideways"}, ("role='sideways'", "give 'feedforward', 'feedback' or 'inhibition'")),
    ],
)
def test_mistakes_in_the_parameters(model, params, words):
    model.connParams["0->hidden1"]["plast"]["params"].update(params)
    refuse(model, "connParams['0->hidden1']", *words)


@pytest.mark.parametrize("population", ["input", HIDDEN, "output"])
def test_a_population_without_cells(model, population):
    model.popParams[population]["numCells"] = 0
    refuse(model, f"popParams['{population}']", "0 cells", "one or more")
