"""`segdend reproduce` trains, compares and draws, and continues what it finds."""

import json

import pytest

from segdend_plugin import cli

SMALL = ["data.train=160", "data.test=8", "training.epochs=1", "layers.hidden=[8]", "phases.test=60"]


@pytest.mark.parametrize("figure", ["jitter", "alignment", "coordination", "fields"])
def test_a_figure_with_its_table(figure, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["reproduce", figure, "--out", str(out), "--jobs", "2"]
    arguments += [word for setting in SMALL for word in ("--set", setting)]
    assert cli.main(arguments) == 0
    said = capsys.readouterr()
    assert "eLife 22901" in said.out
    table = json.loads((out / "table.json").read_text())
    assert [row["seeds"] for row in table["rows"]] == [2] * len(table["rows"])
    assert (out / "figure.png").stat().st_size > 20000
    first = (out / "table.json").read_text()
    assert cli.main(arguments) == 0
    again = capsys.readouterr()
    assert again.err == "", "nothing is trained twice"
    assert (out / "table.json").read_text() == first


def test_a_mistake_in_a_run_ends_all(tmp_path, capsys):
    arguments = ["reproduce", "jitter", "--out", str(tmp_path / "x"), "--data", str(tmp_path / "none.npz")]
    assert cli.main(arguments) == 2
    message = capsys.readouterr().err
    assert "none.npz" in message
    assert "Traceback" not in message


def test_the_runs_as_commands(tmp_path, capsys):
    assert cli.main(["reproduce", "sparse", "--list", "--out", str(tmp_path / "x"), "--scale", "full"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 9
    assert all(line.startswith("segdend train") for line in lines)
    assert not (tmp_path / "x").exists()
