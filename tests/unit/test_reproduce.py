"""The figures of the paper as sets of runs: every run is a valid description, and a folder is never mixed up."""

import re
from pathlib import Path

import pytest

from segdend_plugin.campaign import jobs, reproduce
from segdend_plugin.campaign.figures import FIGURES
from segdend_plugin.campaign.reproduce import Row
from segdend_plugin.errors import ConfigError
from segdend_plugin.experiment import config
from segdend_plugin.views import reproduce as view


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("scale", ["quick", "hour", "full"])
@pytest.mark.parametrize("data", [None, Path("mnist.npz")])
def test_every_run_of_every_figure_is_valid(name, scale, data, tmp_path):
    figure = reproduce.find(name)
    runs = reproduce.plan(figure, scale, tmp_path, data)
    assert len({job.folder for job in runs}) == len(runs) == len(figure.conditions) * figure.plan(scale).seeds
    for job in runs:
        experiment = config.load(settings=job.settings)
        assert experiment.seed == job.seed
        assert experiment.cell == "three_compartment"
        assert (experiment.data.path is None) == (data is None)
        assert "--out" in jobs.arguments(job)


def test_conditions_differ_in_what_their_names_say():
    def experiments(name):
        runs = reproduce.plan(FIGURES[name], "full", Path("x"), Path("mnist.npz"))
        return {job.condition.name: config.load(settings=job.settings) for job in runs}

    layers = experiments("layers")
    assert [len(layers[name].layers.hidden) for name in ("none", "one", "two")] == [0, 1, 2]
    assert [layer.size for layer in layers["two"].layers.hidden] == [500, 100]
    assert layers["two"].epochs() == 60
    sparse = experiments("sparse")
    assert [(f.fraction, f.scale) for f in (e.feedback for e in sparse.values())] == [(1, 1), (0.2, 5), (0.2, 1)]
    assert [e.lumped.g_apical for e in experiments("coupling").values()] == [0, 0.05, 0.6]
    assert experiments("symmetric")["symmetric_noisy"].feedback.noise == 0.05


def test_an_unknown_figure():
    with pytest.raises(ConfigError, match="FIGURE='fig9'"):
        reproduce.find("fig9")


def test_a_folder_with_other_settings_is_not_continued(tmp_path):
    figure = reproduce.find("jitter")
    first = reproduce.plan(figure, "quick", tmp_path, None)[0]
    first.folder.mkdir()
    (first.folder / "config.yaml").write_text(config.load(settings=first.settings).to_yaml())
    assert "--resume" in jobs.arguments(first)
    other = reproduce.plan(figure, "quick", tmp_path, None, ["rule.final_rate=1"])[0]
    with pytest.raises(ConfigError, match="other settings"):
        jobs.arguments(other)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("sparse", "seed=3", "--set seed=3: a figure has the seeds of its --scale"),
        ("sparse", "feedback.fraction=0.3", "--set feedback.fraction=0.3: sparse compares feedback.fraction"),
        ("sparse", "feedback={scale: 2}", "sparse compares feedback.fraction"),
        ("layers", "layers.hidden=[5]", "layers compares layers.hidden"),
        ("fields", "rule.learning_rates=[1,1]", "fields compares rule.learning_rates"),
    ],
)
def test_what_a_figure_compares_cannot_be_set(name, change, words, tmp_path):
    with pytest.raises(ConfigError, match=re.escape(words)):
        reproduce.plan(FIGURES[name], "quick", tmp_path, None, [change])


def test_what_all_curves_share_can_be_set(tmp_path):
    runs = reproduce.plan(FIGURES["sparse"], "quick", tmp_path, None, ["layers.hidden=[5]", "rule.final_rate=1"])
    assert {config.load(settings=job.settings).layers.hidden[0].size for job in runs} == {5}


def test_the_table_has_published_value_seeds_and_spread():
    figure = reproduce.find("layers")
    rows = [Row(condition, (5.0, 6.0, 7.0), 60000, 10000) for condition in figure.conditions]
    text = view.table(figure, "hour", rows)
    assert "| one | 4.1 | 6.00 | 1.00 | 3 | 60000 | 10000 |" in text
    assert "Fig 6B" in text
    assert Row(figure.conditions[0], (5.0,), 1, 1).sd != Row(figure.conditions[0], (5.0,), 1, 1).sd


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([(8.2, 8.4), (4.0, 4.2), (3.1, 3.3)], "In the published order."),
        (
            [(8.2, 8.4), (4.0, 4.2), (9.1, 9.3)],
            "NOT in the published order: two (9.2) is above none (8.3), two (9.2) is ",
        ),
        ([(8.2, 8.4), (4.0, 4.2), (3.9, 4.2)], "The published order is not shown: two and one are level."),
        ([(8.0,), (4.0,), (3.0,)], "One seed tells no order."),
        ([(8.0, 8.2), (8.0, 8.2), (3.0, 3.2)], "The published order is not shown: one and none are level."),
    ],
)
def test_whether_results_come_in_the_published_order_is_said(values, said):
    """In the table, and of pairs further apart than two standard errors."""
    figure = FIGURES["layers"]
    rows = [Row(condition, found, 1, 1) for condition, found in zip(figure.conditions, values, strict=False)]
    assert reproduce.order(rows).startswith(said)
    assert view.table(figure, "quick", rows).splitlines()[-1].startswith(said)


def test_nothing_is_said_where_nothing_is_compared_with_numbers():
    figure = FIGURES["coupling"]
    rows = [Row(condition, (5.0, 6.0), 1, 1) for condition in figure.conditions]
    assert reproduce.order(rows) == ""
    assert "order" not in view.table(figure, "quick", rows)
