"""Starting MPI: two processes see each other, and every way in which they would not is an error or one clear line."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import segdend_plugin

TIMEOUT = 120.0
LAUNCHER_VARIABLES = ("OMPI_", "PMI", "PMIX", "MV2_", "MPI_LOCAL", "HYDI_", "SLURM_", "PRTE_", "MPI_LIB_NRN_PATH")
START = "from segdend_plugin.engine import mpi\nranks = mpi.start()\n"


def environment(**extra: str) -> dict[str, str]:
    """Return an environment in which no launcher has left a trace."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(LAUNCHER_VARIABLES)}
    openmpi = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    openmpi["PRTE_MCA_rmaps_default_mapping_policy"] = ":oversubscribe"
    return clean | openmpi | {"PYTHONPATH": str(Path(segdend_plugin.__file__).parents[1])} | extra


def run(code: str, *launcher: str, **extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*launcher, sys.executable, "-c", code],
        env=environment(**extra),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


@pytest.fixture(scope="module")
def library() -> None:
    """An MPI library that mpi4py can open; asked in a process of its own, because importing it starts MPI."""
    if run("from mpi4py import MPI").returncode != 0:
        pytest.skip("mpi4py finds no MPI library")


@pytest.fixture(scope="module")
def mpiexec(library: None) -> tuple[str, ...]:
    """The command that starts two processes; beside this Python before anywhere else."""
    command = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if command is None:
        pytest.skip("no mpiexec")
    return (command, "-n", "2")


def without_mpi(folder: Path) -> str:
    """Return a PYTHONPATH on which mpi4py is there but finds no MPI library."""
    package = folder / "mpi4py"
    package.mkdir()
    (package / "__init__.py").write_text("class rc: pass\n")
    (package / "MPI.py").write_text("raise RuntimeError('cannot load MPI library')\n")
    return f"{folder}{os.pathsep}{Path(segdend_plugin.__file__).parents[1]}"


def test_two_ranks_see_each_other(mpiexec: tuple[str, ...]) -> None:
    code = START + (
        "assert (ranks.size, ranks.pc.nhost(), ranks.is_root) == (2, 2, ranks.rank == 0)\n"
        "ranks.barrier()\n"
        "ranks.barrier(pause=0.01)\n"
        "assert ranks.allgather({'rank': ranks.rank}) == [{'rank': 0}, {'rank': 1}]\n"
        "assert ranks.gather(ranks.rank) == ([0, 1] if ranks.is_root else None)\n"
        "assert ranks.broadcast('a' if ranks.is_root else 'b') == 'a'\n"
        "if ranks.is_root: print('done')\n"
    )
    done = run(code, *mpiexec)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_neuron_may_come_first(mpiexec: tuple[str, ...]) -> None:
    done = run("from neuron import h\n" + START + "assert ranks.size == 2", *mpiexec)
    assert done.returncode == 0, done.stderr


def test_one_process_is_silent(library: None) -> None:
    done = run(START + "assert mpi.start() is ranks and ranks.size == 1 and ranks.gather(3) == [3]")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_one_process_in_a_slurm_allocation_is_no_launch() -> None:
    batch = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "SLURM_PROCID": "0"}
    assert run(START + "assert ranks.size == 1", **batch).returncode == 0
    interactive = batch | {"SLURM_STEP_ID": str(0xFFFF_FFFA), "SLURM_STEP_NUM_TASKS": "4"}
    assert run(START + "assert ranks.size == 1", **interactive).returncode == 0


def test_no_library_means_one_process_and_one_line(tmp_path: Path) -> None:
    code = START + "assert mpi.start().size == 1 and ranks.allgather(1) == [1] and ranks.broadcast(2) == 2"
    done = run(code, PYTHONPATH=without_mpi(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stderr == "no MPI library found, running as one process\n"


def test_no_library_under_a_launcher_is_an_error(tmp_path: Path) -> None:
    done = run(START, PYTHONPATH=without_mpi(tmp_path), OMPI_COMM_WORLD_SIZE="2")
    assert done.returncode != 0
    assert "ParallelError: The launcher started 2 processes but mpi4py finds no MPI library" in done.stderr


@pytest.mark.parametrize(
    "launcher",
    [
        {"OMPI_COMM_WORLD_SIZE": "2"},
        {"PMI_SIZE": "2"},
        {"SLURM_PROCID": "0", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2"},
    ],
    ids=lambda launcher: next(iter(launcher)),
)
def test_a_foreign_launcher_is_an_error(library: None, launcher: dict[str, str]) -> None:
    done = run(START, **launcher)
    assert done.returncode != 0
    assert "ParallelError: The " in done.stderr
    assert "mpiexec" in done.stderr


def test_neuron_with_another_library_is_an_error(mpiexec: tuple[str, ...]) -> None:
    done = run(START, *mpiexec, MPI_LIB_NRN_PATH="/nowhere/libmpi.so")
    assert done.returncode != 0
    assert "NEURON cannot use /nowhere/libmpi.so" in done.stderr


def test_an_error_on_one_rank_ends_all(mpiexec: tuple[str, ...]) -> None:
    code = START + "mpi.abort_on_error()\nif ranks.rank == 1: raise ValueError('only here')\nranks.barrier()"
    done = run(code, *mpiexec)
    assert done.returncode != 0
    assert "segdend: error on rank 1 of 2" in done.stderr
    assert "ValueError: only here" in done.stderr


def test_abort_gives_its_code_to_the_launcher(mpiexec: tuple[str, ...]) -> None:
    assert run(START + "if ranks.rank == 1: mpi.abort(2)\nranks.barrier()", *mpiexec).returncode == 2


def test_abort_of_one_process_just_exits() -> None:
    done = run(START + "mpi.abort(2)")
    assert (done.returncode, done.stdout) == (2, "")


def test_ctrl_c_ends_all(mpiexec: tuple[str, ...]) -> None:
    code = START + "mpi.abort_on_error()\nimport time\nprint('ready', flush=True)\nfor _ in range(999): time.sleep(0.1)"
    process = subprocess.Popen(
        [*mpiexec, sys.executable, "-c", code],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode != 0


def test_a_failed_build_is_raised_on_every_rank(mpiexec: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code = START + (
        "from segdend_plugin.engine import mechanisms\n"
        "from segdend_plugin.errors import MechanismError\n"
        "try: mechanisms.load()\n"
        "except MechanismError as error: message = str(error)\n"
        "assert ranks.allgather(message) == [message] * 2 and 'SEGDEND_CACHE' in message\n"
    )
    done = run(code, *mpiexec, SEGDEND_CACHE=str(tmp_path / "file"))
    assert done.returncode == 0, done.stderr
