"""What a user gets: the wheel, installed without extras in a clean environment, far from the checkout."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
TIMEOUT = 600.0
SETTINGS = [
    "data.train=20",
    "training.epochs=1",
    "data.test=10",
    "phases.settle=30",
    "phases.test=60",
    "layers.hidden=[3]",
    "cable.nseg=1",
]
CELLS = ("mouse_v1_l4_nr5a1", "mouse_v1_l4_rorb", "mouse_v1_l4_scnn1a", "mouse_v1_l5_rbp4")
ALONE = "segdend: no MPI library found, running as one process"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(CHECKOUT)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("user")


@pytest.fixture(scope="module")
def run(wheel: Path, home: Path) -> Run:
    """Run a program, in `home`, of an environment that holds nothing but the wheel and what it asks for."""
    venv.create(home / "venv", with_pip=True)
    programs = home / "venv" / ("Scripts" if os.name == "nt" else "bin")
    # Neither this checkout nor a launcher, compiler cache or MPI library of this process's environment.
    foreign = re.compile(r"PYTHON|VIRTUAL_ENV|SEGDEND|LD_LIBRARY_PATH|MPI|PMI|OMPI|SLURM|NEURON|NRN")
    clean = {name: value for name, value in os.environ.items() if not foreign.match(name)}
    clean["SEGDEND_CACHE"] = str(home / "cache")

    def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(programs / program), *arguments], cwd=home, env=clean, capture_output=True, text=True, timeout=TIMEOUT
        )

    done = run("python", "-m", "pip", "install", "--quiet", str(wheel))
    assert done.returncode == 0, done.stdout + done.stderr
    return run


@pytest.fixture(scope="module")
def trained(run: Run, home: Path) -> tuple[Path, str]:
    """Train once; return the folder of the run and what was written to stderr."""
    arguments = [word for setting in SETTINGS for word in ("--set", setting)]
    done = run("segdend", "train", *arguments, "--out", "run")
    assert done.returncode == 0, done.stdout + done.stderr
    return home / "run", done.stderr


def test_mechanisms_templates_and_examples_are_inside(wheel: Path) -> None:
    inside = {name.removeprefix("segdend_plugin/") for name in zipfile.ZipFile(wheel).namelist()}
    for folder in ("mechanisms", "templates", "examples"):
        wanted = {
            str(path.relative_to(CHECKOUT))
            for path in (CHECKOUT / folder).rglob("*")
            if path.suffix in {".mod", ".inc", ".hoc", ".swc", ".md", ".txt", ".yaml"}
        }
        assert wanted
        assert wanted <= inside, wanted - inside
    assert {f"templates/morphologies/{cell}.swc" for cell in CELLS} <= inside
    assert "templates/morphologies/README.md" in inside
    assert "py.typed" in inside


def test_licences_are_inside(wheel: Path) -> None:
    licences = {Path(name).name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/licenses/" in name}
    assert licences == {
        "LICENSE",
        "LICENSE-Allen-Institute-BSD-3-Clause.txt",
        "LICENSE-Arbor-BSD-3-Clause.txt",
    }


def test_the_package_is_the_installed_one(run: Run) -> None:
    where = run("python", "-c", "import segdend_plugin; print(segdend_plugin.__file__)").stdout
    assert "site-packages" in where
    assert str(CHECKOUT) not in where


def test_training_writes_its_results(trained: tuple[Path, str]) -> None:
    folder, _ = trained
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["cell"] == "mouse_v1_l5_rbp4"
    assert summary["layers"] == [64, 3, 10]
    assert (summary["ranks"], summary["seed"]) == (1, 0)
    assert (summary["train_examples"], summary["test_examples"]) == (20, 10)
    assert 0 <= summary["test_error"] <= 1
    assert summary["train_images_per_second"] > 0
    assert summary["build_seconds"] > 0
    assert summary["compartments"] > 3 * 100  # three cells of more than a hundred sections each
    assert re.fullmatch("[0-9a-f]{64}", summary["weights_sha256"])
    for file in ("config.yaml", "metrics.jsonl", "weights.h5"):
        assert (folder / file).stat().st_size > 0


def test_without_an_mpi_library_it_says_that_it_is_alone(run: Run, trained: tuple[Path, str]) -> None:
    has_library = run("python", "-c", "from mpi4py import MPI").returncode == 0  # one of the system
    assert trained[1].splitlines().count(ALONE) == (0 if has_library else 1)


def test_evaluation_repeats_the_error_of_the_run(run: Run, trained: tuple[Path, str]) -> None:
    done = run("segdend", "evaluate", "run")
    assert done.returncode == 0, done.stderr
    result, summary = json.loads(done.stdout), json.loads((trained[0] / "summary.json").read_text())
    assert {key: summary[key] for key in result} == result
    assert {"test_error", "weights_sha256"} <= result.keys()


def test_the_catalogue_is_installed(run: Run) -> None:
    done = run("segdend", "morphology", "list")
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(CELLS)


def test_a_shipped_sweep_is_found(run: Run) -> None:
    done = run("segdend", "sweep", "mixed", "--list", "--data", "mnist.npz")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("segdend train --quiet --out runs/mixed/")
