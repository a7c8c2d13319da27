"""The commands that train nothing."""

from __future__ import annotations

import json
import logging
import re
import shutil
import warnings
from pathlib import Path

import pytest

import segdend_plugin
from segdend_plugin import resources
from segdend_plugin.cells.files.catalogue import CATALOGUE
from segdend_plugin.cli import main
from segdend_plugin.engine import mechanisms

PNG = b"\x89PNG\r\n\x1a\n"


def fake_run(folder: Path, error: float) -> Path:
    """Write what `report` reads of a finished run."""
    folder.mkdir()
    summary = {
        "cell": "mouse_v1_l5_rbp4",
        "layers": [64, 40, 10],
        "learning_rates": [1.9, 0.3],
        "train_hidden": True,
        "ranks": 1,
        "seed": 0,
        "train_examples": 200,
        "test_examples": 360,
        "test_error": error,
        "evaluated_on": "test",
        "train_images_per_second": 12.5,
        "build_seconds": 1.0,
        "compartments": 1000,
        "segregation": {},
        "weights_sha256": "0" * 64,
    }
    metrics = [
        {"kind": kind, "example": example, "images": 100, "error": error, "images_per_second": 12.5}
        for kind, example in (("train", 100), ("train", 200), ("test", 200))
    ]
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(metric) + "\n" for metric in metrics))
    return folder


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    for command in ("train", "evaluate", "report", "compile", "morphology"):
        assert re.search(rf"^    {command}\b", shown, re.MULTILINE), command


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out.strip() == segdend_plugin.__version__


def test_no_command_is_answered_with_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([])
    assert end.value.code == 2
    assert "usage: segdend" in capsys.readouterr().err


def test_morphology_list_has_one_line_per_cell(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["morphology", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(maxsplit=1) for line in lines] == [[cell.name, cell.description] for cell in CATALOGUE.values()]


def test_morphology_info_is_json_with_segregation(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["morphology", "info", "mouse_v1_l4_nr5a1", "--json"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert info["name"] == "mouse_v1_l4_nr5a1"
    assert (info["sections"]["basal"], info["sections"]["apical"]) == (27, 9)
    assert info["compartments"] > sum(info["regions"].values())
    assert info["segregation"]
    assert all(value > 0 for value in info["segregation"].values())
    measured = info["electrotonics"]
    assert measured["frequency"][0] == 0
    assert measured["frequency"][-1] == 500
    assert measured["input"]["soma"][0] == pytest.approx(info["segregation"]["soma_input"])
    assert measured["attenuation"]["tuft->soma"][0] == pytest.approx(info["segregation"]["tuft_to_soma"])
    assert measured["segregation_index"]["tuft-basal"][0] == pytest.approx(info["segregation"]["index"])
    assert [len(values) for values in measured["transfer"].values()] == [len(measured["frequency"])] * 3


def test_morphology_info_compares_cells_in_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    cells = ["mouse_v1_l4_nr5a1", "mouse_v1_l4_rorb", "three_compartment"]
    assert main(["morphology", "info", *cells, "--set", "lumped.g_apical=0.6"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == cells
    rows = {line[:36].strip(): line[36:].split() for line in lines}
    assert rows["segregation index: tuft, basal"] == ["0.730", "0.727", "0.787"]  # 1 - 0.6 / 1.3 * 0.6 / 1.3
    assert rows["potential that arrives: tuft to soma"] == ["0.122", "0.161", "0.462"]
    assert rows["compartments"] == ["79", "119", "-"]


def test_morphology_info_measures_the_cell_that_train_takes(capsys: pytest.CaptureFixture[str]) -> None:
    indices = []
    for settings in ([], ["--set", "cable.axial_resistivity=250"]):
        assert main(["morphology", "info", "mouse_v1_l4_nr5a1", "three_compartment", "--json", *settings]) == 0
        cell, lumped = json.loads(capsys.readouterr().out)
        indices.append(cell["segregation"]["index"])
        assert lumped["segregation"]["index"] == 1
    assert cell["cable"]["axial_resistivity"] == 250
    assert indices[1] > indices[0] + 0.05


def test_morphology_info_draws_what_it_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "electrotonics.png"
    assert main(["morphology", "info", "mouse_v1_l4_nr5a1", "--plot", str(picture)]) == 0
    assert picture.read_bytes().startswith(PNG)
    missing = tmp_path / "missing" / "electrotonics.png"
    assert main(["morphology", "info", "mouse_v1_l4_nr5a1", "--plot", str(missing)]) == 2
    assert capsys.readouterr().err.startswith(f"segdend: --plot '{missing}' cannot be written")
    assert main(["morphology", "info", "three_compartment", "--plot", str(picture)]) == 2
    assert "no shape to draw" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["cable.membrane=active", "phases.dt=0.1"], "cable.membrane='active'"),
        (["cable.nseg=1001"], "39039 compartments, more than 5000; make d_lambda larger"),
    ],
)
def test_morphology_info_of_what_it_cannot_measure(
    settings: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = [word for setting in settings for word in ("--set", setting)]
    assert main(["morphology", "info", "mouse_v1_l4_nr5a1", *changes]) == 2
    assert words in capsys.readouterr().err


def test_morphology_info_with_feedback_that_reduced_cells_have_no_place_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["morphology", "info", "mouse_v1_l4_nr5a1", "--set", "placement.feedback.region=trunk"]) == 0
    said = capsys.readouterr()
    assert "reduced" not in said.out
    assert not said.err


def test_names_of_files_may_have_any_letters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "Zellen für µ"
    folder.mkdir()
    shutil.copy(resources.folder("templates") / "morphologies" / "mouse_v1_l4_nr5a1.swc", folder / "zoé.swc")
    assert main(["morphology", "info", str(folder / "zoé.swc")]) == 0
    assert "0.730" in capsys.readouterr().out


def test_morphology_info_with_an_unknown_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["morphology", "info", "mouse_v1_l4_nr5a1", "--set", "cable.resistivity=250"]) == 2
    assert "did you mean 'axial_resistivity'" in capsys.readouterr().err


def test_morphology_plot_writes_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "cell.png"
    assert main(["morphology", "plot", "mouse_v1_l4_nr5a1", "--out", str(picture)]) == 0
    assert picture.read_bytes().startswith(PNG)
    assert capsys.readouterr().out.strip() == str(picture)


@pytest.mark.parametrize("action", [["info"], ["plot", "--out", "cell.png"]])
def test_morphology_of_an_unknown_cell(
    action: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["morphology", *action, "mouse_v1_l4_rorp"]) == 2
    error = "segdend: cell 'mouse_v1_l4_rorp' is not known; did you mean 'mouse_v1_l4_rorb'?"
    assert error in capsys.readouterr().err.splitlines()
    assert not list(tmp_path.iterdir())


def test_a_dry_run_shows_the_network_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = ["cell=three_compartment", "layers.hidden=[30]"]
    assert main(["train", "--dry-run", *(word for setting in settings for word in ("--set", setting))]) == 0
    graph, costs = capsys.readouterr().out.split("\n\n")
    assert graph.startswith("graph of 104 cells (seed 0, dt 1 ms)\n")
    assert "input->hidden1_three_compartment: input -> hidden1_three_compartment, forward, 1920 synapses" in graph
    head, row = costs.splitlines()
    assert head.startswith("rank  cells  memory (MB)")
    assert row.split()[:2] == ["0", "104"]
    assert not list(tmp_path.iterdir())
    assert main(["train", "--dry-run", "--resume", str(tmp_path)]) == 2
    assert "leave --dry-run out" in capsys.readouterr().err


def test_warnings_of_the_library_are_sentences_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def build(*, portable: bool) -> str:
        logging.getLogger("segdend_plugin.engine").warning("cable: %s is off.", "a gain")
        logging.getLogger("segdend_plugin").info("nobody asked")
        warnings.warn("resume: calibrations differ.", stacklevel=1)
        return "library"

    monkeypatch.setattr(mechanisms, "build", build)
    assert main(["compile"]) == 0
    said = capsys.readouterr()
    assert said.out == "library\n"
    assert said.err == "segdend: cable: a gain is off.\nsegdend: resume: calibrations differ.\n"
    assert not logging.getLogger("segdend_plugin").handlers


def test_public_names() -> None:
    for name in segdend_plugin.__all__:
        assert getattr(segdend_plugin, name) is not None
    assert set(segdend_plugin.__all__) <= set(dir(segdend_plugin))
    with pytest.raises(AttributeError, match=r"create_netpyne is called create since version 0\.3: use that name"):
        _ = segdend_plugin.create_netpyne
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        _ = segdend_plugin.trian


def test_report_compares_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [fake_run(tmp_path / "reconstructed", 0.125), fake_run(tmp_path / "frozen", 0.5)]
    figure = tmp_path / "comparison.png"
    assert main(["report", *map(str, runs), "--out", str(figure)]) == 0
    head, first, second = capsys.readouterr().out.splitlines()[:3]
    assert head.startswith("run")
    assert first.startswith("reconstructed")
    assert second.startswith("frozen")
    assert "12.5 %" in first
    assert "50.0 %" in second
    assert "64-40-10" in first
    assert figure.read_bytes().startswith(PNG)


def test_report_on_a_folder_without_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"segdend: {str(tmp_path)!r} holds no summary.json: give the folder of a finished run.\n"
    )
