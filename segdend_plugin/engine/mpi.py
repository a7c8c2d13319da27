"""The one place that starts MPI: mpi4py first, then NEURON with the very library that mpi4py has opened.

NEURON looks for an MPI library by itself and, when it finds none or a linker script, lets every process believe that
it is alone. So the sizes that the launcher, mpi4py and NEURON see are compared before anything else happens.
"""

from __future__ import annotations

import ctypes
import logging
import os
import re
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, TypeVar

from segdend_plugin.errors import ParallelError

T = TypeVar("T")

log = logging.getLogger("segdend_plugin")

_INTERRUPTED = 130  # the shell's status of a command that Ctrl-C ended
_HEARD = 0.3  # s in which the launcher forwards the last words of a process before it ends all
_LIBMPI = re.compile(r"libmpi(ch|_(cray|gnu|intel|nvidia|amd|aocc)\w*)?\.(so|dylib|\d)")


@dataclass(frozen=True, eq=False)
class Ranks:
    """The processes that hold one network, as one of them sees them: all of the job, or one of several replicas.

    Attributes
    ----------
    rank, size : int
        Which process of the network this is, and how many there are.
    pc : h.ParallelContext
        NEURON's handle of the same processes.
    replica, replicas : int
        Which network this is, and how many there are.
    """

    rank: int
    size: int
    pc: Any
    replica: int = 0
    replicas: int = 1
    _own: Any = None  # communicators of mpi4py: of this network's ranks,
    _peers: Any = None  # of those that hold the same cells of every replica,
    _world: Any = None  # and of all; None in a process that is alone

    @property
    def is_root(self) -> bool:
        """Whether this is rank 0 of the first replica, which reads and writes files."""
        return self.rank == 0 and self.replica == 0

    @property
    def total(self) -> int:
        """How many processes the job has."""
        return self.size * self.replicas

    def barrier(self, pause: float = 0.0) -> None:
        """Wait until every process of the job is here, looking every `pause` seconds (0: without a rest).

        MPI waits by spinning. A pause leaves the core to the rank that everybody waits for.
        """
        if self._world is None:
            return
        request = self._world.Ibarrier()
        while not request.Test():
            if pause:
                time.sleep(pause)

    def allgather(self, value: T) -> list[T]:
        """Return the values of all ranks of this network, in rank order, on every rank."""
        values: list[T] = self._own.allgather(value) if self.size > 1 else [value]
        return values

    def gather(self, value: T) -> list[T] | None:
        """Return the values of all ranks of this network, in rank order, on its rank 0 and None elsewhere."""
        values: list[T] | None = self._own.gather(value, root=0) if self.size > 1 else [value]
        return values

    def broadcast(self, value: T) -> T:
        """Return on every process of the job what the root has."""
        received: T = self._world.bcast(value, root=0) if self._world is not None else value
        return received

    def most(self, value: int) -> int:
        """Return on every process of the job the largest of all their values."""
        return value if self._world is None else max(self._world.allgather(value))

    def across(self, value: T) -> list[T]:
        """Return what the ranks with the same cells have in every replica, in their order."""
        values: list[T] = self._peers.allgather(value) if self.replicas > 1 else [value]
        return values


@cache
def start() -> Ranks:
    """Start MPI and NEURON together; every later call returns the same object.

    Without an MPI library a process that no launcher started runs alone and says so once.

    Returns
    -------
    Ranks
        This process and its peers.

    Raises
    ------
    ParallelError
        If the launcher, mpi4py and NEURON do not agree on the number of processes.
    """
    neuron_came_first = "neuron" in sys.modules
    launched = _launched()
    world = _world(launched)
    size = 1 if world is None else world.Get_size()
    if launched not in (None, size):
        raise ParallelError(
            f"The launcher started {launched} processes but MPI sees {size}, because mpiexec belongs to another MPI"
            f" than mpi4py: start with the mpiexec beside this Python ({Path(sys.executable).parent}) or install the"
            " mpi4py of your mpiexec."
        )
    h = _neuron(parallel=size > 1)
    pc = h.ParallelContext()
    if pc.nhost() != size:
        raise ParallelError(_neuron_disagrees(int(pc.nhost()), size, neuron_came_first))
    return Ranks(int(pc.id()), size, pc, _own=world, _world=world)


def split(replicas: int) -> Ranks:
    """Let groups of processes hold a network each, from now on; every rank must call this, once.

    NEURON knows its own group only after that, as other MPI programs do after a split of their communicator.

    Parameters
    ----------
    replicas
        How many groups.

    Raises
    ------
    ParallelError
        If they would not be equally large.
    """
    world = start()
    if replicas == 1:
        return world
    if world.size % replicas:
        raise ParallelError(
            f"replicas={replicas} does not divide {world.size} ranks: give a number that does, or start with another "
            "number of ranks."
        )
    size = world.size // replicas
    world.pc.subworlds(size)
    replica, rank = divmod(world.rank, size)
    everyone = world._world
    own, peers = everyone.Split(replica, rank), everyone.Split(rank, replica)
    if (int(world.pc.id()), int(world.pc.nhost())) != (rank, size):
        raise ParallelError(
            f"NEURON sees rank {int(world.pc.id())} of {int(world.pc.nhost())} where MPI has {rank} of {size}: start "
            "without replicas."
        )
    return Ranks(rank, size, world.pc, replica, replicas, own, peers, everyone)


def replicas_for(wanted: int, size: int) -> int:
    """Return the largest number of replicas, at most as many as are wanted, that divides so many ranks."""
    return next(n for n in range(min(wanted, size), 0, -1) if size % n == 0)


@cache
def allgather_in_c(ranks: Ranks) -> tuple[int, int, int, int] | None:
    """Return what C code needs to gather bytes from the ranks of a network, None if it has one; collective.

    Returns
    -------
    tuple or None
        Address of ``MPI_Allgather``, handles of a communicator of our own and of ``MPI_BYTE``, and the size of a handle
        in bytes: 4 for an integer (MPICH and its kin), 8 for a pointer (Open MPI). None also where a rank lacks these.
    """
    if ranks.size == 1:
        return None
    found = _allgather_here(ranks)
    return found if all(ranks.allgather(found is not None)) else None


def _allgather_here(ranks: Ranks) -> tuple[int, int, int, int] | None:
    """Look the function up in the library that mpi4py has opened, and duplicate the communicator."""
    from mpi4py import MPI

    communicator = ranks._own.Dup()
    size = MPI._sizeof(MPI.Comm)
    known = {"Open MPI": 8, "MPICH": 4, "Intel MPI": 4, "MVAPICH": 4, "MVAPICH2": 4, "Cray MPICH": 4}
    library = _mapped_libmpi()
    if library is None or known.get(MPI.get_vendor()[0]) != size:
        return None
    try:
        function = ctypes.cast(ctypes.CDLL(library).MPI_Allgather, ctypes.c_void_p).value
    except (OSError, AttributeError):
        return None
    read = {4: ctypes.c_uint32, 8: ctypes.c_uint64}[size].from_address
    handles = read(MPI._addressof(communicator)).value, read(MPI._addressof(MPI.BYTE)).value
    return (function, *handles, size) if function else None


def abort(code: int) -> NoReturn:
    """End every process of the job with exit status `code`; a process that is alone just exits."""
    sys.stdout.flush()
    sys.stderr.flush()
    mpi = sys.modules.get("mpi4py.MPI")
    if mpi is not None and mpi.Is_initialized() and not mpi.Is_finalized() and mpi.COMM_WORLD.Get_size() > 1:
        time.sleep(_HEARD)
        mpi.COMM_WORLD.Abort(code)
    raise SystemExit(code)


def abort_on_error() -> None:
    """Let an uncaught exception on one rank end all of them: the others would wait for it forever.

    Ctrl-C ends the job with status 130. Does nothing when this process is alone.
    """
    ranks = start()
    if ranks.size == 1:
        return

    def end_all(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.stderr.write("segdend: interrupted\n")
            abort(_INTERRUPTED)
        lines = traceback.format_exception(kind, error, trace)
        sys.stderr.write("".join([f"segdend: error on rank {ranks.rank} of {ranks.size}\n", *lines]))
        abort(1)

    sys.excepthook = end_all


def _launched() -> int | None:
    """Return how many processes the launcher says it started, or None when it does not say.

    The variables of mpiexec come before Slurm's, because mpiexec may itself run within a step of Slurm. A Slurm
    allocation or batch script launches nothing: only a numbered step (srun) does; Slurm's own steps have reserved ids.
    """
    for name in ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE"):
        if (size := _number(name)) is not None:
            return size
    step = _number("SLURM_STEP_ID")
    if step is not None and step < 0xFFFF_FFF0 and "SLURM_PROCID" in os.environ:
        return _number("SLURM_STEP_NUM_TASKS")
    return None


def _number(name: str) -> int | None:
    """Return the environment variable `name` as a whole number, or None."""
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else None


def _world(launched: int | None) -> Any | None:
    """Start MPI through mpi4py and return its world, or None when there is no MPI library and no need of one."""
    try:
        import mpi4py

        if "mpi4py.MPI" not in sys.modules:
            # MPICH ends the process when it starts under a foreign launcher, so look at the vendor before.
            mpi4py.rc.initialize = False
            mpi4py.rc.finalize = True
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        if launched is not None and launched > 1:
            raise ParallelError(
                f"The launcher started {launched} processes but mpi4py finds no MPI library: install the one of your"
                " mpiexec, or 'pip install mpich' and use the mpiexec that comes with it."
            ) from error
        log.warning("no MPI library found, running as one process")
        return None
    if not MPI.Is_initialized():
        _refuse_foreign_launcher(MPI.get_vendor()[0])
        MPI.Init_thread(MPI.THREAD_FUNNELED)
    if (library := _mapped_libmpi()) is not None:
        os.environ.setdefault("MPI_LIB_NRN_PATH", library)
    return MPI.COMM_WORLD


def _refuse_foreign_launcher(vendor: str) -> None:
    """Raise if Open MPI's mpiexec started a process whose mpi4py uses MPICH or one of its kin."""
    if "OMPI_COMM_WORLD_SIZE" in os.environ and vendor in ("MPICH", "Intel MPI", "MVAPICH"):
        raise ParallelError(
            f"The mpiexec of Open MPI started this process but mpi4py uses {vendor}: start with the mpiexec of {vendor}"
            f" (look beside this Python, in {Path(sys.executable).parent}) or install the mpi4py of your mpiexec."
        )


def _mapped_libmpi() -> str | None:
    """Return the path of the MPI library that this process has open, or None."""
    images = _images_of_macos() if sys.platform == "darwin" else _images_of_linux()
    return next((path for path in sorted(images) if _LIBMPI.match(Path(path).name)), None)


def _images_of_linux() -> set[str]:
    """Return the files that are mapped into this process."""
    maps = Path("/proc/self/maps")
    lines = maps.read_text(errors="replace").splitlines() if maps.exists() else []
    return {line.split(maxsplit=5)[5] for line in lines if "/" in line}


def _images_of_macos() -> set[str]:
    """Return the libraries that the dynamic loader of macOS has opened."""
    dyld = ctypes.CDLL(None)
    dyld._dyld_get_image_name.restype = ctypes.c_char_p
    return {os.fsdecode(dyld._dyld_get_image_name(i)) for i in range(dyld._dyld_image_count())}


def _neuron(parallel: bool) -> Any:
    """Import NEURON, let it join MPI if there are peers, and return ``h``."""
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        os.environ.setdefault("NEURON_MODULE_OPTIONS", "-nogui")  # else every rank warns that there is no display
    with _stdout_aside(silent=not parallel):  # NEURON announces 'numprocs=…'; stdout belongs to our own results
        from neuron import h

        if parallel:
            h.nrnmpi_init()
    return h


@contextmanager
def _stdout_aside(silent: bool) -> Iterator[None]:
    """Send what C code writes to stdout to stderr, or nowhere if `silent`."""
    libc = ctypes.CDLL(None)
    libc.fflush(None)
    stdout = os.dup(1)
    aside = os.open(os.devnull, os.O_WRONLY) if silent else os.dup(2)
    os.dup2(aside, 1)
    try:
        yield
    finally:
        libc.fflush(None)
        os.dup2(stdout, 1)
        os.close(stdout)
        os.close(aside)


def _neuron_disagrees(hosts: int, size: int, neuron_came_first: bool) -> str:
    """Return the sentence for NEURON seeing `hosts` processes where MPI has `size`."""
    sizes = f"The world of NEURON has size {hosts} but that of MPI {size}"
    if neuron_came_first:
        return (
            f"{sizes}, because neuron was imported before MPI was started: call segdend_plugin.engine.mpi.start()"
            " before the first import of neuron or netpyne."
        )
    library = os.environ.get("MPI_LIB_NRN_PATH", "any MPI library")
    return (
        f"{sizes}, because NEURON cannot use {library}: unset MPI_LIB_NRN_PATH or set it to the libmpi that"
        " mpi4py uses."
    )
