"""Descriptions: what is accepted, and how a mistake is answered."""

import numpy as np
import pytest
import yaml

from segdend_plugin.errors import ConfigError
from segdend_plugin.experiment import config
from segdend_plugin.model.places import Landing


def test_default_round_trips_through_yaml(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(config.load().to_yaml())
    assert config.load(path) == config.load()


def test_settings_override_the_file(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump({"seed": 4, "layers": {"hidden": [30, {"size": 20, "cell": "three_compartment"}]}}))
    experiment = config.load(path, ["seed=5", "rule.train_hidden=false"])
    assert experiment.seed == 5
    assert not experiment.rule.train_hidden
    assert [layer.size for layer in experiment.layers.hidden] == [30, 20]
    assert experiment.mixture(0) == {"mouse_v1_l5_rbp4": 1.0}
    assert experiment.mixture(1) == {"three_compartment": 1.0}


@pytest.mark.parametrize(("hidden", "rates"), [("[]", (0.19,)), ("[5]", (0.21, 0.21)), ("[5,5]", (0.23, 0.23, 0.12))])
def test_published_learning_rates(hidden, rates):
    experiment = config.load(settings=[f"layers.hidden={hidden}", "rule.learning_rates=published"])
    assert experiment.learning_rates(784, 10) == rates


def test_default_learning_rates_fall_with_fan_in_and_feedback():
    rates = config.load(settings=["layers.hidden=[500]"]).learning_rates(784, 10)
    smaller = config.load(settings=["layers.hidden=[40]"]).learning_rates(64, 10)
    deeper = config.load(settings=["layers.hidden=[500,100]"]).learning_rates(784, 10)
    assert rates == pytest.approx((4.0 / 0.6321 / 4.136, 1.0 / 10), rel=1e-3)
    assert smaller[1] > rates[1]
    assert len(deeper) == 3
    assert deeper[0] < rates[0], "its feedback weights are a chain product, fourteen times larger"


@pytest.mark.parametrize("unit", [1.0, 10.0])
def test_default_learning_rates_make_up_for_the_slope_of_nmda_plateaus(unit):
    def rates(*settings):
        return config.load(settings=["layers.hidden=[50]", *settings]).learning_rates(784, 10)

    def unblocked(x):
        return 1 / (1 + np.exp(-0.062 * (unit * x - 70)) / 3.57)

    def sigma(x):
        return 1 / (1 + np.exp(-x))

    step = 1e-5
    ratio = (sigma(step) - sigma(-step)) / (unblocked(step) - unblocked(-step))
    hidden, output = rates("rule.plateau=nmda", f"cable.unit={unit}")
    usual = rates(f"cable.unit={unit}")
    assert hidden == pytest.approx(ratio * usual[0], rel=1e-6)
    assert output == usual[1]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["layers.hiden=[10]"], ["layers.hiden", "unknown key", "'hidden'"]),
        (["sede=1"], ["sede", "'seed'"]),
        (["layers.hidden=[0]"], ["layers.hidden.0.size", "0", "greater than 0"]),
        (["layers.hidden=[{size: 3, sice: 4}]"], ["sice", "'size'"]),
        (["data.labels=colour"], ["data.labels", "colour", "parity"]),
        (["phases.dt=0"], ["phases.dt", "0", "greater than 0"]),
        (["phases.dt=.nan"], ["phases.dt", "nan", "finite"]),
        (["phases.forward=50", "phases.settle=60"], ["settle=60", "50 ms", "lower it"]),
        (["phases.settle_target=-1"], ["settle_target", "-1", "or auto"]),
        (["phases.settle=null"], ["settle", "None", "or auto"]),
        (["rule.learning_rates=[0.1]"], ["rule.learning_rates", "1", "2"]),
        (["rule.learning_rates=published", "layers.hidden=[3,3,3]"], ["rule.learning_rates", "3 hidden", "4"]),
        (["cells={mouse_v1_l5_rbp4: 0.5, mouse_v1_l4_rorb: 0.2}"], ["cells", "0.7", "1"]),
        (["seed=-1"], ["seed", "-1"]),
        (["seed"], ["seed", "key.path=value"]),
        (["seed.x=1", "seed=2", "seed.x=3"], ["seed", "shorten"]),
        (["layers.hidden=5"], ["layers.hidden", "5"]),
        (["layers.hidden=[true]"], ["layers.hidden.0", "True"]),
        (["layers.hidden=[{cell: x}]"], ["layers.hidden.0.size", "missing"]),
        (["layers.hidden=[{size: 3, cell: x, cells: {x: 1}}]"], ["layers.hidden.0", "both"]),
        (["phases.dt=4", "phases.settle=46", "phases.target=50"], ["settle=46"]),
        (["rule.learning_rates=[-0.1, 0.1]"], ["rule.learning_rates", "-0.1"]),
        (["rule.learning_rates=fast"], ["rule.learning_rates", "fast"]),
        (["cable.basal_sites=8"], ["cable.basal_sites", "unknown key"]),
        (["placement.feedback.region=dendrite"], ["placement.feedback.region", "dendrite", "tips"]),
        (["placement.feedback.per_input=all"], ["placement.feedback.per_input", "unknown key"]),
        (["placement.feedforward.sites=0"], ["placement.feedforward.sites", "0"]),
        (
            ["placement.feedforward.nearest=90", "placement.feedforward.farthest=50"],
            ["placement.feedforward", "farthest=50", "nearest=90", "enlarge"],
        ),
        (["rule.plateau=nmda", "rule.plateau_gain=2"], ["rule.plateau_gain=2", "nmda", "set 1"]),
        (["cable.reduced=true"], ["cable.reduced", "remove it", "linear by default"]),
        (["cable.reduced=false"], ["cable.reduced", "remove it", "linear by default"]),
        (["cable.solver=exact"], ["cable.solver='exact'", "'linear' or 'neuron'"]),
        (
            ["cable.solver=linear", "rule.plateau=nmda"],
            ["cable.solver=linear", "rule.plateau=nmda", "set it to neuron"],
        ),
        (
            ["cable.solver=linear", "synapse.model=conductance"],
            ["cable.solver=linear", "synapse.model=conductance", "set it to neuron"],
        ),
        (["cable.d_lambda=1e-7"], ["cable.d_lambda", "1e-7", "0.001"]),
        (["cable.apical_length=0.001"], ["cable.apical_length", "0.001", "0.01"]),
        (["rule.plateau=local", "cell=three_compartment"], ["rule.plateau=local", "three-compartment", "average"]),
        (["rule.psp_memory=10"], ["rule.psp_memory=10", "reconstructed", "set it to 0"]),
        (
            ["layers.hidden=[]", "inhibition=[{name: sst, size: 3}]"],
            ["inhibition.0.layer=1", "0 hidden layers", "inhibition=[]"],
        ),
    ],
)
def test_mistakes_are_one_sentence_with_field_value_and_remedy(settings, words):
    with pytest.raises(ConfigError) as caught:
        config.load(settings=settings)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    for word in words:
        assert word in message


def test_placement_reaches_the_engine():
    experiment = config.load(
        settings=["placement.feedforward={region: apical, weighting: area, farthest: 90, per_input: all}"]
    )
    landing = experiment.placement.feedforward.landing()
    assert landing == Landing("apical", 8, "area", 0.0, 90.0, "all")
    assert experiment.placement.feedback.landing() == Landing("tips", 4)


def test_a_missing_file():
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        config.load("nowhere.yaml")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("settle", ["auto", "30", "12.5"])
def test_times_to_settle_are_written_as_they_are_read(settle, tmp_path):
    experiment = config.load(settings=[f"phases.settle={settle}", f"phases.settle_target={settle}"])
    assert experiment.phases.settles() == ((settle,) * 2 if settle == "auto" else (float(settle),) * 2)
    (tmp_path / "config.yaml").write_text(experiment.to_yaml())
    assert config.load(tmp_path / "config.yaml") == experiment
