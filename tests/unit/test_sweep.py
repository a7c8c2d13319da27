"""Sweep files: what they describe, what is wrong with them, and the table and figure of made-up results."""

from __future__ import annotations

import json
import subprocess
import sys
from math import isnan
from pathlib import Path

import pytest
import yaml

from segdend_plugin import cli, resources
from segdend_plugin.campaign import jobs, measures, slurm, sweep
from segdend_plugin.campaign.runs import Job, check, collect, plan
from segdend_plugin.errors import ConfigError, SegDendError
from segdend_plugin.experiment import config, keys
from segdend_plugin.experiment.config import Experiment

SHIPPED = {path.stem: path for path in (resources.folder("examples") / "sweeps").glob("*.yaml")}
NOT_YET: set[str] = set()
"""Shipped sweeps with keys or values that the configuration does not know yet."""
PNG = b"\x89PNG\r\n\x1a\n"


RUN = jobs._Processes.run


@pytest.fixture(autouse=True)
def nothing_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    def begin(*_: object) -> None:
        pytest.fail("a run was begun")

    monkeypatch.setattr(jobs._Processes, "run", begin)


def load(folder: Path, text: str) -> sweep.Sweep:
    (folder / "s.yaml").write_text(text)
    return sweep.load(folder / "s.yaml")


def by_name(todo: list[Job]) -> dict[str, Experiment]:
    return {job.folder.name: config.load(settings=job.settings) for job in todo}


def finish(job: Job, error: float, **changes: object) -> None:
    """Write what is left of a finished run."""
    experiment = config.load(settings=job.settings)
    job.folder.mkdir(parents=True)
    (job.folder / "config.yaml").write_text(experiment.with_absolute_paths().to_yaml())
    summary = {
        "cell": experiment.hidden_cells(),
        "layers": [64, 6, 10],
        "learning_rates": [1.0, 0.2],
        "train_hidden": True,
        "ranks": 1,
        "seed": job.seed,
        "train_examples": 60,
        "test_examples": 20,
        "test_error": error,
        "evaluated_on": "test",
        "train_images_per_second": 10.0,
        "build_seconds": 1.0,
        "compartments": 100,
        "segregation": {},
        "weights_sha256": "0" * 64,
    }
    (job.folder / "summary.json").write_text(json.dumps(summary | changes))


def test_the_grid_is_the_product_of_its_axes(tmp_path: Path) -> None:
    it = load(
        tmp_path,
        """
        base: {cell: three_compartment, layers: {hidden: [6]}}
        vary: {lumped.g_apical: [0, 0.05, 0.6], feedback.scale: [1, 3]}
        seeds: 2
        """,
    )
    todo = plan(it, tmp_path / "out")
    runs = by_name(todo)
    assert len(todo) == len(runs) == 12
    assert [job.seed for job in todo] == [0] * 6 + [1] * 6, "a part of the runs has all conditions"
    assert {(e.lumped.g_apical, e.feedback.scale, e.seed) for e in runs.values()} == {
        (g, s, seed) for g in (0, 0.05, 0.6) for s in (1, 3) for seed in (0, 1)
    }
    assert all(e.layers.hidden[0].size == 6 for e in runs.values())
    one = runs["g_apical=0.05,scale=3-1"]
    assert (one.lumped.g_apical, one.feedback.scale, one.seed) == (0.05, 3, 1)


def test_conditions_are_crossed_with_what_varies(tmp_path: Path) -> None:
    it = load(
        tmp_path,
        """
        base: {cell: three_compartment}
        conditions:
          plain:
          shuffled feedback: {feedback: {weights: symmetric}, cells: {three_compartment: 1.0}}
        vary: {feedback.scale: [1, 3]}
        seeds: [4]
        """,
    )
    runs = by_name(plan(it, tmp_path / "out"))
    names = [f"{name},scale={n}-4" for name in ("plain", "shuffled_feedback") for n in (1, 3)]
    assert list(runs) == names
    assert [e.feedback.weights for e in runs.values()] == ["random"] * 2 + ["symmetric"] * 2
    assert [e.feedback.scale for e in runs.values()] == [1, 3, 1, 3]
    assert runs[names[2]].cells == {"three_compartment": 1.0}


def test_controls_stand_beside_each_condition_where_they_make_sense(tmp_path: Path) -> None:
    it = load(
        tmp_path,
        """
        base: {cell: three_compartment, rule.learning_rates: [1.5, 0.25]}
        conditions:
          deep: {lumped.g_apical: 0.05}
          flat: {layers.hidden: [], rule.learning_rates: [0.25]}
        vary: {data.train: [40, 60]}
        controls: [frozen_hidden, no_hidden]
        """,
    )
    runs = by_name(plan(it, tmp_path / "out"))
    assert list(runs) == [
        "deep,train=40-0",
        "deep,train=60-0",
        "flat,train=40-0",
        "flat,train=60-0",
        "deep,train=40,frozen_hidden-0",
        "deep,train=60,frozen_hidden-0",
    ], "no_hidden is what flat is"
    frozen = runs["deep,train=60,frozen_hidden-0"]
    assert frozen == runs["deep,train=60-0"].model_copy(update={"rule": frozen.rule})
    assert not frozen.rule.train_hidden


def test_no_hidden_is_trained_once_for_what_it_does_not_see(tmp_path: Path) -> None:
    it = load(
        tmp_path,
        """
        base: {rule.learning_rates: [1.5, 0.25], cable.unit: 2}
        vary:
          cell: [mouse_v1_l5_rbp4, three_compartment]
          cable.axial_resistivity: [50, 100]
          phases.settle: [20, 30]
        controls: [no_hidden]
        """,
    )
    runs = by_name(plan(it, tmp_path / "out"))
    controls = {name: e for name, e in runs.items() if "no_hidden" in name}
    assert list(controls) == ["settle=20,no_hidden-0", "settle=30,no_hidden-0"]
    assert [e.phases.settle for e in controls.values()] == [20, 30]
    assert all(e.layers.hidden == () and e.rule.learning_rates == (0.25,) for e in controls.values())
    assert all(e.cable.unit == 2 for e in controls.values()), "output cells have it too"


@pytest.mark.parametrize(
    "text",
    [
        "base: {inhibition: [{name: sst, size: 5}]}\nvary: {rule.plateau_gain: [1, 2]}",
        "vary: {inhibition: [[], [{name: sst, size: 5}]], rule.location: [blind, gain]}",
        "vary: {synapse.model: [current, conductance]}\nbase: {synapse.e_inhibitory: -75}",
    ],
)
def test_no_hidden_has_neither_interneurons_nor_tufts(text: str, tmp_path: Path) -> None:
    it = load(tmp_path, f"{text}\ncontrols: [frozen_hidden, no_hidden]")
    runs = by_name(plan(it, tmp_path / "out"))
    (control,) = (e for name, e in runs.items() if "no_hidden" in name)
    assert control == Experiment(layers={"hidden": []})


def test_no_hidden_keeps_the_rule_which_teaches_its_output_cells(tmp_path: Path) -> None:
    it = load(tmp_path, "vary: {rule.name: [guerguiev, urbanczik_senn]}\ncontrols: [no_hidden]")
    runs = by_name(plan(it, tmp_path / "out"))
    controls = {name: e.rule.name for name, e in runs.items() if "no_hidden" in name}
    assert controls == {
        "name=guerguiev,no_hidden-0": "guerguiev",
        "name=urbanczik_senn,no_hidden-0": "urbanczik_senn",
    }


def test_a_run_may_be_the_base(tmp_path: Path) -> None:
    there = config.load(
        settings=["layers.hidden=[7]", "phases.settle=30", "phases.test=60", "seed=5", "data.path=x.npz"]
    )
    (tmp_path / "config.yaml").write_text(there.to_yaml())
    it = load(tmp_path, f"base: {tmp_path}/config.yaml\nseeds: [1]")
    (job,) = plan(it, tmp_path / "out")
    assert job.folder.name == "all-1"
    assert config.load(settings=job.settings) == there.with_absolute_paths().model_copy(update={"seed": 1})
    assert len(job.settings) == 5, "only what differs from the defaults"


def test_controls_may_have_seeds_of_their_own(tmp_path: Path) -> None:
    it = load(tmp_path, "seeds: [3, 5]\ncontrols: [frozen_hidden, no_hidden]\ncontrol_seeds: [5, 7]")
    folders = [job.folder.name for job in plan(it, tmp_path / "out")]
    assert folders == ["all-3", "all-5", "frozen_hidden-5", "no_hidden-5", "frozen_hidden-7", "no_hidden-7"]


def test_changes_and_images_of_all_runs(tmp_path: Path) -> None:
    it = load(
        tmp_path, "base: {phases.settle: 30, phases.test: 60}\nvary: {feedback.scale: [1, 3]}\ncontrols: [no_hidden]"
    )
    runs = by_name(plan(it, tmp_path, tmp_path / "m.npz", ["phases.test=80", "layers={hidden: [4], output: 10}"]))
    assert {e.data.path for e in runs.values()} == {str(tmp_path / "m.npz")}
    assert {e.phases.test for e in runs.values()} == {80}
    assert {len(e.layers.hidden) for e in runs.values()} == {1, 0}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("[1, 2", ("s.yaml", "not valid YAML"), id="no YAML"),
        pytest.param("varies: {}", ("s.yaml: varies: unknown key", "did you mean 'vary'"), id="unknown key"),
        pytest.param("figure: {z: 1}", ("figure.z: unknown key", "x, y, log_x, log_y"), id="unknown key inside"),
        pytest.param("vary: {cell: x}", ("vary.cell='x'", "list"), id="no list"),
        pytest.param("vary: {cell: []}", ("vary.cell=[]", "at least 1"), id="an empty axis"),
        pytest.param("seeds: 0", ("seeds: 0 says no seeds: give how many, 1 or more",), id="no seeds"),
        pytest.param("seeds: -3", ("seeds: -3 says no seeds",), id="fewer than no seeds"),
        pytest.param("seeds: []", ("seeds: [] says no seeds",), id="an empty list of seeds"),
        pytest.param("seeds: three", ("seeds: 'three' says no seeds", "or a list of them"), id="no number of seeds"),
        pytest.param("controls: frozen_hidden", ("controls='frozen_hidden': give a list",), id="no list of controls"),
        pytest.param("conditions: {1: {}}", ("conditions.1: the name 1 is no text: put it in quotes",), id="a number"),
        pytest.param(
            "base:\n  cell: a\nconditions:\n  a: {}\n  b: {}\n  a: {cell: b}",
            ("s.yaml' is not valid YAML (line 6: 'a' occurs twice): mend it",),
            id="a condition twice",
        ),
        pytest.param("base: {foo.bar: 1}", ("base: foo.bar: unknown key; the keys here are seed",), id="unknown group"),
        pytest.param("vary: {rule.plato: [1]}", ("vary: rule.plato: unknown key", "plateau"), id="unknown axis"),
        pytest.param("controls: [frozen]", ("controls.0='frozen'", "frozen_hidden"), id="unknown control"),
        pytest.param("base: {rule.plato: 1}", ("base: rule.plato: unknown key", "plateau"), id="unknown setting"),
        pytest.param("vary: {lumped.g_leak: [0.1, -1]}", ("g_leak=-1: lumped.g_leak=-1",), id="bad value"),
        pytest.param("base: {seed: 3}", ("base: seed", "'seeds'"), id="seed in the base"),
        pytest.param("vary: {seed: [3, 4]}", ("vary: seed", "'seeds'"), id="seeds in the wrong place"),
        pytest.param(
            "conditions: {a: {cable: {unit: 2}}}\nvary: {cable.unit: [1, 2]}",
            ("vary: cable.unit is also set by conditions.a",),
            id="set twice",
        ),
        pytest.param("vary: {feedback.scale: [1, 1.0]}", ("scale=1", "are the same run"), id="a value twice"),
        pytest.param("base: {cells: {three_compartment: 1}}\nvary: {cell: [a, b]}", ("same run",), id="no effect"),
        pytest.param("conditions: {a/b: {seed: 1}}", ("conditions.a/b: seed",), id="seed in a condition"),
        pytest.param(
            "conditions: {a b: {}, a_b: {feedback.scale: 2}}", ("both be called 'a_b'",), id="one folder for two"
        ),
        pytest.param("vary: {cell: [a, b]}\nfigure: {x: cable.unit}", ("figure.x='cable.unit'", "cell"), id="x"),
        pytest.param("figure: {y: error}", ("figure.y='error'", "test_error"), id="y"),
        pytest.param("figure: {y: layers}", ("figure.y='layers'", "compartments"), id="y is a list"),
        pytest.param("figure: {x: segregation.foo}", ("figure.x='segregation.foo'", "segregation.index"), id="foo"),
        pytest.param(
            "vary: {rule.plateau: [average, bursts]}\nfigure: {log_x: true}",
            ("figure.log_x=true", "rule.plateau has 'average'", "leave log_x out"),
            id="logarithm of a name",
        ),
        pytest.param(
            "vary: {feedback.noise: [1, 0]}\nfigure: {log_x: true}", ("feedback.noise has 0",), id="logarithm of 0"
        ),
        pytest.param(
            "conditions: {a: {}, b: {cell: c}}\nfigure: {log_x: true}",
            ("condition has 'a'",),
            id="logarithm of conditions",
        ),
        pytest.param("base: none.yaml", ("'none.yaml' cannot be read",), id="no base"),
    ],
)
def test_mistakes_in_the_file(
    text: str, words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.yaml").write_text(text)
    assert cli.main(["sweep", str(tmp_path / "s.yaml"), "--out", str(tmp_path / "out")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    for word in ("segdend: ", *words):
        assert word in captured.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "feedback.scale=2"], ("--set: feedback.scale is also set by the sweep",)),
        (["--set", "seed=2"], ("--set: seed",)),
        (["--set", "cell=mouse_v1_l5"], ("cell 'mouse_v1_l5' is not known",)),
        (["--set", "cells={a: 0.5, a: 0.5}"], ("line 1: 'a' occurs twice",)),
        (["--data", "none.npz"], ("none.npz' cannot be read",)),
        (["--jobs", "0"], ("--jobs 0: give 1 or more",)),
        (["--ranks", "0"], ("--ranks 0: give 1 or more",)),
        (["--ranks", "0", "--list"], ("--ranks 0: give 1 or more",)),
        (["--ranks", "0", "--slurm"], ("--ranks 0: give 1 or more",)),
        (["--collect"], ("No run of the sweep is finished",)),
    ],
)
def test_mistakes_on_the_command_line(
    arguments: list[str], words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.yaml").write_text("vary: {feedback.scale: [1, 3]}")
    assert cli.main(["sweep", str(tmp_path / "s.yaml"), "--out", str(tmp_path / "out"), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    for word in words:
        assert word in error
    assert not list((tmp_path / "out").glob("*"))


def test_an_unknown_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sweep", "shapes"]) == 2
    assert "SWEEP='shapes' is unknown: give a .yaml file or one of attenuation" in capsys.readouterr().err


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_sweep_is_a_dozen_lines(name: str) -> None:
    assert sweep.find(name) == SHIPPED[name]
    assert len(SHIPPED[name].read_text().splitlines()) <= 16
    it = sweep.load(SHIPPED[name])
    assert it.title
    assert len(it.seeds) >= 3
    assert "frozen_hidden" in it.controls


@pytest.mark.parametrize("name", SHIPPED)
def test_every_run_of_every_shipped_sweep_is_valid(name: str, tmp_path: Path) -> None:
    if name in NOT_YET:
        pytest.skip("has a key that the configuration does not know yet")
    todo = plan(sweep.load(SHIPPED[name]), tmp_path, tmp_path / "mnist.npz")
    assert len({job.folder for job in todo}) == len(todo) > 6


def test_the_runs_as_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sweep", "mixed", "--list", "--data", "m.npz", "--out", str(tmp_path / "x")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 * 5 + 5 + 1, "controls: seed 0 only"
    assert all(line.startswith("segdend train --quiet --out ") and "m.npz" in line for line in lines)
    assert not (tmp_path / "x").exists()


def made_up(folder: Path) -> tuple[sweep.Sweep, list[Job]]:
    """Return a sweep of two values and two seeds in which one run is missing."""
    it = load(
        folder,
        "base: {cell: three_compartment}\nvary: {lumped.g_apical: [0, 0.7]}\nseeds: 2\ncontrols: [no_hidden]\n"
        "figure: {x: segregation_index}\ntitle: Made up",
    )
    todo = plan(it, folder / "out")
    for job, error in zip(todo, (0.1, 0.2, 0.4, 0.2), strict=False):
        index = 0.5 if any("g_apical=0.7" in setting for setting in job.settings) else 1.0
        finish(job, error, segregation={"three_compartment": {"index": index}})
    return it, todo


def test_table_and_figure_of_a_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_up(tmp_path)
    out = tmp_path / "out"
    assert cli.main(["sweep", str(tmp_path / "s.yaml"), "--out", str(out), "--collect"]) == 0
    said = capsys.readouterr().out
    assert "Made up" in said
    assert "| g_apical=0 | 1.00 | 15.00 | 7.07 | 2 | 60 | 20 |" in said
    assert "| g_apical=0.7 | 0.50 | 20.00 | - | 1 of 2 | 60 | 20 |" in said
    assert "| no_hidden | - | 40.00 | - | 1 of 2 | 60 | 20 |" in said
    assert (out / "table.md").read_text().strip() in said
    table = json.loads((out / "table.json").read_text())
    first = table["rows"][0]
    assert (first["condition"], first["values"], first["seeds"]) == ("g_apical=0", [10.0, 20.0], 2)
    assert first["mean"] == pytest.approx(15.0)
    assert first["sd"] == pytest.approx(50**0.5)
    assert table["rows"][1]["sd"] is None
    assert (out / "figure.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize(
    "figure",
    [
        "{x: lumped.g_apical}",
        "{x: lumped.g_apical, log_y: true, y: compartments}",
        "{x: condition}",
        "{x: feedback.weights}",
        "{x: compartments}",
    ],
)
def test_every_kind_of_figure(figure: str, tmp_path: Path) -> None:
    load(
        tmp_path,
        "base: {cell: three_compartment}\nseeds: 2\ncontrols: [frozen_hidden, no_hidden]\n"
        "vary: {lumped.g_apical: [0.05, 0.6], feedback.weights: [random, symmetric], data.train: [40, 60]}\n"
        f"figure: {figure}",
    )
    it = sweep.load(tmp_path / "s.yaml")
    for k, job in enumerate(plan(it, tmp_path / "out")):
        finish(job, 0.1 + 0.01 * (k % 7), compartments=100 + k, layers=[64, 10])
    assert cli.main(["sweep", str(tmp_path / "s.yaml"), "--out", str(tmp_path / "out"), "--collect"]) == 0
    assert (tmp_path / "out" / "figure.png").stat().st_size > 15000


@pytest.mark.parametrize("key", ["cell", "layers.output"])
def test_a_key_that_is_also_a_result_is_an_axis(key: str, tmp_path: Path) -> None:
    values = {"cell": ["mouse_v1_l5_rbp4", "three_compartment"], "layers.output": [10, 12]}[key]
    it = load(tmp_path, f"vary: {{{key}: {values}}}")
    for job in plan(it, tmp_path / "out"):
        finish(job, 0.1)
    assert cli.main(["sweep", str(tmp_path / "s.yaml"), "--out", str(tmp_path / "out"), "--collect"]) == 0
    assert json.loads((tmp_path / "out" / "table.json").read_text())["x"] == key


def test_numbers_of_a_mixture_are_averaged_over_its_cells() -> None:
    experiment = config.load(
        settings=["layers.hidden=[{size: 30, cells: {three_compartment: 0.5, a: 0.5}}, {size: 10, cell: x/b.swc}]"]
    )
    entries = {
        "three_compartment": {"tuft_to_soma": 0.2, "soma_to_tuft": 0.0, "index": 1.0},
        "a": {"tuft_to_soma": 0.4, "soma_to_tuft": 0.3, "index": 0.6},
        "b": {"tuft_to_soma": 0.8, "soma_to_tuft": 0.5, "index": None},
    }
    summary = {"segregation": entries, "test_error": 0.25}
    assert measures.measure("segregation.tuft_to_soma", summary, experiment) == pytest.approx(
        (15 * 0.2 + 15 * 0.4 + 10 * 0.8) / 40
    )
    assert measures.measure("test_error", summary, experiment) == 25.0
    nothing = config.load(settings=["layers.hidden=[]"])
    assert isnan(measures.measure("segregation_index", summary, nothing))
    for name in ("segregation_index", "segregation.tuft_sites", "compartments"):
        assert isnan(measures.measure(name, summary, experiment)), "of a cell, or of the run"


def test_a_folder_with_another_run_is_refused(tmp_path: Path) -> None:
    made_up(tmp_path)
    it = load(
        tmp_path,
        "base: {cell: three_compartment, phases.settle: 30, phases.test: 60}\n"
        "vary: {lumped.g_apical: [0, 0.7]}\nseeds: 2",
    )
    other = plan(it, tmp_path / "out")
    with pytest.raises(ConfigError, match="other settings: choose another --out"):
        check(other)
    with pytest.raises(ConfigError, match="other settings: choose another --out"):
        collect(it, other)


@pytest.mark.parametrize("table", ["the other sweep's", '{"rows": [{"condition": "dense"}]}', "[]", ""])
def test_a_folder_with_the_table_of_another_sweep_is_refused(
    table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made_up(tmp_path)
    arguments = ["sweep", str(tmp_path / "s.yaml"), "--out", str(tmp_path / "out")]
    assert cli.main([*arguments, "--collect"]) == 0
    path = tmp_path / "out" / "table.json"
    if table == "the other sweep's":
        load(tmp_path, "base: {cell: three_compartment}\nvary: {feedback.scale: [1, 3]}\ncontrols: [no_hidden]")
    else:
        path.write_text(table)
    before = path.read_text()
    for option in ("--collect", "--slurm", "--jobs=1"):
        assert cli.main([*arguments, option]) == 2
        assert "table.json' is the table of other runs: choose another --out" in capsys.readouterr().err
    assert path.read_text() == before


def test_a_sweep_that_was_edited_goes_on(tmp_path: Path) -> None:
    _, todo = made_up(tmp_path)
    arguments = ["sweep", str(tmp_path / "s.yaml"), "--out", str(tmp_path / "out"), "--collect"]
    assert cli.main(arguments) == 0
    edited = load(
        tmp_path,
        "base: {cell: three_compartment}\nvary: {lumped.g_apical: [0, 0.1]}\nseeds: 3\ntitle: Other\n"
        "figure: {y: compartments}",
    )
    check(plan(edited, todo[0].folder.parent))
    assert cli.main(arguments) == 0
    assert json.loads((tmp_path / "out" / "table.json").read_text())["title"] == "Other"


@pytest.mark.parametrize("figure", ["{y: compartments}", "{x: compartments}", "{y: segregation.index, log_y: true}"])
def test_a_number_that_runs_lack_is_a_dash(figure: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    it = load(
        tmp_path, f"base: {{cell: three_compartment}}\nvary: {{feedback.scale: [1, 3]}}\nfigure: {figure}\nseeds: 2"
    )
    for job in plan(it, tmp_path / "out"):
        finish(job, 0.1, compartments=None)
    assert cli.main(["sweep", str(tmp_path / "s.yaml"), "--out", str(tmp_path / "out"), "--collect"]) == 0
    assert "| - |" in capsys.readouterr().out
    assert "NaN" not in (tmp_path / "out" / "table.json").read_text()
    assert (tmp_path / "out" / "figure.png").read_bytes().startswith(PNG)


def test_finished_runs_may_be_collected_where_their_images_are_not(tmp_path: Path) -> None:
    it = load(tmp_path, "base: {cell: three_compartment}")
    (there,) = plan(it, tmp_path / "out", Path("/cluster/mnist.npz"))
    finish(there, 0.1)
    (here,) = plan(it, tmp_path / "out", Path("/laptop/mnist.npz"))
    assert [row.values for row in collect(it, [here])] == [(10.0,)]
    (other,) = plan(it, tmp_path / "out", Path("/laptop/fashion.npz"))
    with pytest.raises(ConfigError, match="other settings"):
        collect(it, [other])
    (there.folder / "summary.json").unlink()
    with pytest.raises(ConfigError, match="other settings"):
        jobs.check(here)


def test_values_survive_the_way_through_a_setting() -> None:
    for value in (
        1e-05,
        3,
        "no",
        "1",
        None,
        True,
        [1, [2.5, "a b"]],
        {"my cell.swc": 0.5, "b": 0.5},
        "a: b",
        "x" * 300,
    ):
        text = sweep.as_yaml(value)
        assert "\n" not in text
        assert keys.parse_setting(f"key={text}") == ("key", value)
        assert yaml.safe_load(text) == value


def test_long_names_stay_apart(tmp_path: Path) -> None:
    it = load(tmp_path, f"vary: {{cell: [{'a' * 200}x, {'a' * 200}y]}}")
    names = [job.folder.name for job in plan(it, tmp_path)]
    assert len(set(names)) == 2
    assert max(map(len, names)) < 120


def test_the_script_of_an_array_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each task trains its run, resumes what is half done and leaves what is finished."""
    monkeypatch.chdir(tmp_path)
    program = tmp_path / "py thon"  # stands for this Python, and says what it is asked to do
    program.write_text('#!/bin/sh\nprintf "%s|" "$PWD" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setattr(slurm.sys, "executable", str(program))
    it = load(
        tmp_path,
        "vary: {cells: [{it's a.swc: 1.0}, {b: 0.5, c: 0.5}, {d: 1.0}]}\nbase: {phases.settle: 30, phases.test: 60}",
    )
    todo = plan(it, tmp_path / "o ut")
    script = slurm.write(todo, "s", Path("o ut"))
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    lines = script.read_text().splitlines()
    assert lines[0] == "#!/bin/bash"
    assert "#SBATCH --array=1-3" in lines
    assert "#SBATCH --ntasks=1" in lines
    assert (tmp_path / "o ut" / "slurm").is_dir(), "Slurm makes no folder for logs"

    def task(number: int) -> list[str]:
        done = subprocess.run(
            ["bash", script], env={"SLURM_ARRAY_TASK_ID": str(number), "PATH": "/usr/bin:/bin"}, cwd="/",
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.split("|")[:-1]

    for number in (0, 4):
        beyond = subprocess.run(
            ["bash", script], env={"SLURM_ARRAY_TASK_ID": str(number), "PATH": "/usr/bin:/bin"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert beyond.returncode == 2
        assert beyond.stdout == ""
        assert beyond.stderr == f"SLURM_ARRAY_TASK_ID={number}: there are 3 tasks: submit with --array=1-3.\n"

    start = [str(tmp_path), "-m", "segdend_plugin", "train", "--quiet"]
    for k, job in enumerate(todo):
        settings = [word for setting in job.settings for word in ("--set", setting)]
        assert task(k + 1) == [*start, "--out", str(job.folder), *settings]
    todo[1].folder.mkdir(parents=True)
    (todo[1].folder / "config.yaml").touch()
    assert task(2) == [*start, "--resume", str(todo[1].folder)]
    (todo[1].folder / "summary.json").touch()
    assert task(2) == []
    assert subprocess.run(["bash", script], env={}, capture_output=True, check=False).returncode != 0, "not a task"


def test_ranks_are_started_by_the_mpiexec_of_this_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mpiexec = tmp_path / "mpiexec"
    mpiexec.write_text("#!/bin/sh\n")
    mpiexec.chmod(0o755)
    monkeypatch.setattr(jobs.sys, "executable", str(tmp_path / "python"))
    assert jobs.launcher(3) == [str(mpiexec), "-n", "3"]
    mpiexec.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SegDendError, match="needs mpiexec"):
        jobs.launcher(2)
    assert jobs.launcher(1) == []


@pytest.mark.parametrize(
    ("end", "word"),
    [("sys.exit(130)", "interrupted"), ("os.kill(os.getpid(), 15)", "interrupted"), ("sys.exit(1)", "failed")],
)
def test_an_interrupted_run_has_not_failed(
    end: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs._Processes, "run", RUN)
    monkeypatch.setattr(jobs, "command", lambda *_: [sys.executable, "-c", f"import os, sys; {end}"])
    said: list[str] = []
    with pytest.raises(SegDendError, match="failed"):
        jobs.run([jobs.Job(None, 0, tmp_path / "run", ())], 1, said.append, keep_going=True)
    assert said == [f"run: {word}"]
