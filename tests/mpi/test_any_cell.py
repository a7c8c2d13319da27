"""A file that has to be mended: rank 0 alone reads and writes, and every rank builds the same cell."""

import json
import os
import subprocess
import sys

from segdend_plugin.engine import mechanisms

ASC = """("Cell Body" (CellBody) (7 0 0 0) (0 7 0 0) (-7 0 0 0) (0 -7 0 0))
((Dendrite) (0 -7 0 2) (0 -50 0 1) ((20 -90 0 1) Normal | (-20 -90 0 0) Normal))
((Apical) (0 7 0 3) (0 300 0 2) ((60 400 0 1) Normal | (-60 400 0 1) Normal))
"""


def test_two_ranks_mend_alike(mpiexec, tmp_path):
    (tmp_path / "cell.asc").write_text(ASC)
    settings = [
        "cell=cell.asc",
        "cable.repair=true",
        "layers.hidden=[3]",
        "cable.nseg=1",
        "data.train=4",
        "data.test=2",
    ]
    settings += ["training.epochs=1", "phases.settle=30", "phases.test=60", "cable.apical_length=1.5"]
    results = []
    for command in ([], [*mpiexec, "-n", "2"]):
        n = str(len(results))
        environment = os.environ | {"SEGDEND_CACHE": str(tmp_path / f"cache{n}")}
        environment["SEGDEND_MECHANISMS"] = str(mechanisms.build())
        done = subprocess.run(
            [*command, sys.executable, "-m", "segdend_plugin", "train", "--out", n, "--quiet"]
            + [word for setting in settings for word in ("--set", setting)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("segdend: cell.asc: ") == 2, done.stderr
        assert len(list((tmp_path / f"cache{n}").rglob("*.swc"))) == 1
        results.append(json.loads((tmp_path / n / "summary.json").read_text()))
    for key in ("weights_sha256", "repairs", "segregation", "compartments"):
        assert results[0][key] == results[1][key], key


def test_a_refused_file_ends_every_rank(mpiexec, tmp_path):
    (tmp_path / "cell.asc").write_text(ASC)
    done = subprocess.run(
        [
            *mpiexec,
            "-n",
            "2",
            sys.executable,
            "-m",
            "segdend_plugin",
            "train",
            "--out",
            "run",
            "--set",
            "cell=cell.asc",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode != 0
    assert "cell.asc: the point of line 2 has no possible radius; mend the file, or accept" in done.stderr
    assert not (tmp_path / "run" / "config.yaml").exists()
