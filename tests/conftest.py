"""What several tests need."""

import sys
from pathlib import Path

import pytest

from segdend_plugin.engine import mpi

MNIST = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist.npz"


@pytest.fixture(scope="session")
def ranks():
    """NEURON, started the way the package starts it, in this one process."""
    return mpi.start()


@pytest.fixture
def mnist() -> Path:
    if not MNIST.is_file():
        pytest.skip("MNIST is not part of the project and not on this machine")
    return MNIST


@pytest.fixture
def mpiexec() -> list[str]:
    beside = Path(sys.executable).parent / "mpiexec"
    if not beside.is_file():
        pytest.skip("no mpiexec beside this Python: install segdend_plugin[mpi]")
    return [str(beside)]
