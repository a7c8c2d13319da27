"""Rules of a NetPyNE model that the plugin cannot follow are refused, with the sentence that mends them."""

import copy

import numpy as np
import pytest

from segdend_plugin import Learner, rules
from segdend_plugin.engine.layered import layered
from segdend_plugin.errors import ConfigError


def ours(pre, post, sec, role, **more):
    """Return a connection rule that is ours."""
    plast = {"mech": "SegDend", "params": {"role": role}}
    return {"preConds": {"pop": pre}, "postConds": {"pop": post}, "sec": sec, "plast": plast, **more}


GRAPH = layered([4, 3, 2], "three_compartment")
RULES = {
    "up": ours("input", "hidden", "basal", "forward", delay=1.0),
    "out": ours("hidden", "output", "soma", "forward"),
    "back": ours("output", ["hidden"], "tips", "feedback"),
}


@pytest.fixture
def model(ranks):
    from segdend_plugin.hosts import description

    model = description.net_params(GRAPH, sections=True)
    for label, rule in RULES.items():
        model.connParams[label] = copy.deepcopy(rule)
    return model


def create(model):
    from segdend_plugin.hosts import description
    from segdend_plugin.hosts import netpyne as host

    return host.create(model, description.sim_config(GRAPH), seed=0)


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
    model.connParams["up"][field] = value
    model.connParams["up"]["plast"]["params"]["dense"] = True
    refuse(model, "connParams['up']", f"{field}={value!r}", "preConds, postConds, sec, delay, plast", "remove")


def test_rules_of_netpyne_keep_these_fields(model):
    """And numbers may be NumPy's."""
    model.synMechParams["exc"] = {"mod": "ExpSyn"}
    model.connParams["own"] = {
        "preConds": {"pop": "hidden"},
        "postConds": {"pop": "output"},
        "connList": [[0, 0], [1, 1]],
        "weight": 0.5,
        "delay": "1 + dist_3D * 0",
        "synMech": "exc",
    }
    model.connParams["up"]["delay"] = np.float32(2)
    network = create(model)
    assert network.sets["up"].weights.shape == (4, 3)
    assert network.graph.set("up").delay == 2.0
    from netpyne import sim

    assert sum(len(cell.conns) for cell in sim.net.cells) == 2


def test_the_same_network_as_the_layered_one(model):
    """Rules of ours with nothing but a role say what the published defaults are; labels name the sets."""
    from segdend_plugin.hosts import description

    network = create(model)
    mine = {label: network.sets[label].weights.copy() for label in RULES}
    assert [p.name for p in network.graph.taught] == ["output"]
    assert [c.name for c in network.graph.connections if c.learned] == ["up", "out"]
    same = description.build(GRAPH)
    for label, name in (("up", "input->hidden"), ("out", "hidden->output"), ("back", "output->hidden")):
        np.testing.assert_array_equal(mine[label], same.sets[name].weights)


def test_rules_may_make_any_graph(model):
    """A connection that skips the hidden layer, recurrence, and feedback that learns."""
    model.connParams["skip"] = ours("input", "output", "soma", "forward")
    model.connParams["around"] = ours("hidden", "hidden", "basal", "forward")
    model.connParams["back"]["plast"]["params"]["learned"] = True
    network = create(model)
    assert network.sets["skip"].weights.shape == (4, 2)
    assert network.sets["around"].weights.shape == (3, 3)
    assert [c.name for c in network.graph.onto("output")] == ["out", "skip"]
    assert network.graph.set("back").learned


def test_cells_without_sections(model):
    """Three-compartment cells side by side learn as those with a section of their own, to the last bits."""
    weights = []
    model.connParams["out"]["plast"]["params"]["signal"] = "rates"
    for how in ({"cellType": "three_compartment"}, {"cellModel": "SegDendLinear"}):
        model.popParams["hidden"] = {"numCells": 3, **how}
        network = create(model)
        Learner(network, rules.Guerguiev()).partial_fit(np.tile(np.linspace(0, 1, 4), (3, 1)), [0, 1, 0])
        weights.append(network.gather()[0])
    assert weights[0].keys() == {"up", "out"}
    for label, learned in weights[0].items():
        np.testing.assert_allclose(weights[1][label], learned, rtol=1e-12)
    model.popParams["hidden"] |= {"g_apical": 0.005, "g_leak": 0.02}
    kind = create(model).graph["hidden"].kind
    assert (kind.g_leak, kind.g_basal, kind.g_apical) == (0.2, 0.6, 0.05)
    model.popParams["output"] = {"numCells": 2, "cellModel": "SegDendLinear"}
    refuse(model, "popParams['output']", "cannot be taught", "SegDendLumped")


def test_rules_that_make_no_graph(model):
    del model.connParams["back"]
    refuse(model, "the hidden population 'hidden' needs a feedback rule")
    for label in ("up", "out"):
        del model.connParams[label]
    refuse(model, "no rule has 'plast': {'mech': 'SegDend'}", "mark those that are to learn")


def test_a_population_that_is_not_there(model):
    model.connParams["up"]["preConds"]["pop"] = "inputs"
    refuse(model, "no population 'inputs'", "add it")


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
        ({"postConds": {"pop": "hidden", "x": [0, 50]}}, ("postConds={", "whole populations")),
        ({"plast": "SegDend"}, ("plast='SegDend'", "give {'mech': 'SegDend'")),
        ({"plast": {"mech": "SegDend", "role": "forward"}}, ("role='forward'", "plast.params")),
        ({"plast": {"mech": "SegDend", "params": "forward"}}, ("plast.params='forward'", "give {")),
        ({"plast": {"mech": "SegDendProjection"}}, ("plast.mech='SegDendProjection'", "is now 'SegDend'")),
    ],
)
def test_mistakes_in_a_rule(model, changes, words):
    model.connParams["up"].update(changes)
    refuse(model, "connParams['up']", *words)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"nearest": "x"}, ("nearest='x'", "give a number")),
        ({"nearest": None}, ("nearest=None", "give a number")),
        ({"farthest": float("nan")}, ("farthest=nan", "give a number")),
        ({"sites": 0}, ("sites=0", "give 1 or more")),
        ({"region": "tuft"}, ("unknown key 'region'", "remove it")),
        ({"role": "sideways"}, ("role='sideways'", "give one of 'forward', 'feedback', 'inhibition'")),
        ({"role": "feedforward"}, ("role='feedforward'", "is now 'forward'")),
    ],
)
def test_mistakes_in_the_parameters(model, params, words):
    model.connParams["up"]["plast"]["params"].update(params)
    refuse(model, "connParams['up']", *words)


@pytest.mark.parametrize("population", ["input", "hidden", "output"])
def test_a_population_without_cells(model, population):
    model.popParams[population]["numCells"] = 0
    refuse(model, f"popParams['{population}']", "0 cells", "one or more")


def test_cells_that_dense_sets_would_model_wrongly(model, ranks):
    """They spike by themselves, or differ from the one that is measured."""
    from segdend_plugin.hosts import description
    from segdend_plugin.kinds import Cable

    cable = description.net_params(layered([4, 3, 2], Cable("l4", "mouse_v1_l4_nr5a1")), sections=True)
    for label, rule in RULES.items():
        cable.connParams[label] = copy.deepcopy(rule)
    label = cable.popParams["hidden"]["cellType"]
    soma = next(sec for sec in cable.cellParams[label]["secs"].values() if not sec.get("topol"))
    soma["mechs"]["hh"] = {"gnabar": 0.12}
    refuse(cable, "popParams['hidden']", "have channels (hh)", "let NetPyNE connect them")
    del soma["mechs"]["hh"]
    soma["geom"]["L"] = "normal(20, 2)"
    refuse(cable, f"cellParams['{label}']", "geom.L='normal(20, 2)'", "give a number, or let NetPyNE connect them")
