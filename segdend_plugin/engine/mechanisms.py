"""Build the NMODL mechanisms once into a user cache, load them into NEURON and check that they are there.

A cache entry is a folder named after everything that shapes the library. It holds the library and the log of its build
and appears in one step (a rename), so that a build that was killed never leaves half an entry.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from importlib import metadata
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock, Timeout

from segdend_plugin import resources
from segdend_plugin.engine import mpi
from segdend_plugin.errors import MechanismError

FLAGS = ("-O3", "-ffp-contract=off")
"""Compiler flags, put after NEURON's own ``-O2``; without fused multiply-adds results are those of any processor."""

_FORMAT = 1  # raise it when the layout of a cache entry or the way of building changes
_LIBRARY = "libnrnmech.dylib" if sys.platform == "darwin" else "libnrnmech.so"
_PATIENCE = 600.0  # seconds to wait for another process that builds the same entry

_COMMENT = re.compile(r"^COMMENT\b.*?^ENDCOMMENT\b|[:?][^\n]*", re.DOTALL | re.MULTILINE)
_NEURON_BLOCK = re.compile(r"\bNEURON\s*\{([^}]*)\}")
_NAME = re.compile(r"\b(?:SUFFIX|POINT_PROCESS|ARTIFICIAL_CELL)\s+(\w+)")
_USED = re.compile("avx|s?sse|fma|bmi|f16c|v?aes|v?pclmul|sha|gfni|adx|movbe|popcnt|abm|lzcnt|rdrnd|rdseed")
_BUILT_FOR = "segdend_built_for.h"
_MARK = b"segdend was built for: "
_ERROR = re.compile(r"(?:^|\s)error: \S", re.IGNORECASE)


@functools.cache
def load() -> None:
    """Make the mechanisms known to NEURON on every rank, building them first if need be; idempotent.

    Rank 0 builds while the others wait; a rank that does not share rank 0's disk then builds for itself. What fails on
    one rank is raised on all.

    Raises
    ------
    MechanismError
        If the mechanisms cannot be built or loaded, or a name of theirs is taken.
    """
    ranks = mpi.start()
    _on_every_rank(ranks, _refuse_taken_names)
    _on_every_rank(ranks, _library if ranks.is_root else _nothing)
    _on_every_rank(ranks, _load_here)


def build(cache: Path | None = None, *, portable: bool = False) -> Path:
    """Return the shared library of the mechanisms, compiling it if the cache lacks it.

    Parameters
    ----------
    cache : Path, optional
        Folder of the cache; by default ``$SEGDEND_CACHE`` or the user's cache folder.
    portable : bool
        Whether it is to run on any processor of this architecture, instead of being fast on this one.

    Returns
    -------
    Path
        ``<cache>/mechanisms/<key>/libnrnmech.so`` (``.dylib`` on macOS), with ``build.log`` beside it.

    Raises
    ------
    MechanismError
        If a tool is missing, a source does not compile or the cache cannot be written.
    """
    folder = (cache or resources.cache()).absolute() / "mechanisms"
    entry = folder / key(portable=portable)
    library = entry / _LIBRARY
    if library.is_file():
        return library
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{entry}.lock", timeout=_PATIENCE):
            if not library.is_file():  # nobody built it while we waited
                _build_entry(entry, portable=portable)
    except Timeout as error:
        raise MechanismError(
            f"Another process has held {error.lock_file} for over {_PATIENCE:.0f} s: end it, or set SEGDEND_CACHE to"
            " another folder."
        ) from error
    except OSError as error:
        raise MechanismError(
            f"The cache folder {folder} cannot be used ({error.strerror or error}): mend that, or set SEGDEND_CACHE to"
            " a writable folder with free space."
        ) from error
    return library


def names() -> tuple[str, ...]:
    """Return the names that the sources define in NEURON, in the order of their files."""
    texts = [_COMMENT.sub("", path.read_text(encoding="utf-8")) for path in sources() if path.suffix == ".mod"]
    found = [name for text in texts for block in _NEURON_BLOCK.findall(text) for name in _NAME.findall(block)]
    return tuple(name for name in found if name != "nothing")  # SUFFIX nothing: bare functions, no mechanism


def sources() -> tuple[Path, ...]:
    """Return the NMODL files and what they may include, sorted by name."""
    folder = resources.folder("mechanisms")
    files = tuple(sorted(path for path in folder.glob("*") if path.suffix in (".mod", ".inc", ".h")))
    if not any(path.suffix == ".mod" for path in files):
        raise MechanismError(f"The folder {folder} holds no .mod file: install segdend_plugin again.")
    return files


def key(*, portable: bool = False) -> str:
    """Return the name of the cache entry: a hash of all that shapes the library."""
    version, home = _installed_neuron()
    facts = [
        str(_FORMAT),
        version,
        home,
        platform.system(),
        platform.machine(),
        *FLAGS,
        "" if portable else _instructions(),
    ]
    for path in sources():
        facts += [path.name, hashlib.sha256(path.read_bytes()).hexdigest()]
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()[:16]


def _instructions() -> str:
    """Return what the processor can do, for which the mechanisms are compiled; nothing where that is not known.

    It belongs to the key because the nodes of a cluster share a cache and may differ.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("flags")), "")


def _vector_instructions() -> list[str]:
    """Return those of the processor's abilities that a compiler makes use of."""
    return sorted(name for name in _instructions().split() if _USED.match(name))


def _installed_neuron() -> tuple[str, str]:
    """Return NEURON's version and folder without importing it; the library is linked to that very installation."""
    spec = find_spec("neuron")
    if spec is None or spec.origin is None:
        raise MechanismError("The package neuron is not installed: install it with 'pip install neuron'.")
    for distribution in ("neuron", "neuron-nightly"):
        try:
            return metadata.version(distribution), spec.origin
        except metadata.PackageNotFoundError:
            continue
    return "unknown", spec.origin


# ------------------------------------------------------------------------------------------------------------ building


def _build_entry(entry: Path, *, portable: bool = False) -> None:
    """Compile the sources and move the result to `entry`; the caller holds its lock."""
    for abandoned in entry.parent.glob(f"{entry.name}-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    log = entry.with_suffix(".log")
    with TemporaryDirectory(prefix=f"{entry.name}-", dir=entry.parent, ignore_cleanup_errors=True) as temporary:
        work = Path(temporary)
        for path in sources():
            shutil.copyfile(path, work / path.name)
        header, mark = work / _BUILT_FOR, _MARK.decode()
        if header.exists():
            needed = "" if portable else " ".join(_vector_instructions())
            header.write_text(header.read_text(encoding="utf-8").replace(mark, mark + needed), encoding="utf-8")
        built = _compile(work, log, portable)
        finished = work / "finished"
        finished.mkdir()
        built.rename(finished / _LIBRARY)
        log.rename(finished / "build.log")
        shutil.rmtree(entry, ignore_errors=True)  # an entry that lost its library
        os.replace(finished, entry)


def _compile(work: Path, log: Path, portable: bool) -> Path:
    """Run nrnivmodl in the folder `work`, write its output to `log` and return the library that it made."""
    with log.open("w", encoding="utf-8") as output:
        status = subprocess.run(
            [_nrnivmodl(), "-incflags", " ".join(_flags(portable)), "."],
            cwd=work,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    library = next(work.glob(f"*/{_LIBRARY}"), None)
    if status == 0 and library is not None:
        return library
    if missing := _missing_tools():
        install = "xcode-select --install" if sys.platform == "darwin" else f"apt-get install {' '.join(missing)}"
        raise MechanismError(
            f"The mechanisms cannot be compiled because PATH has no {' and no '.join(missing)}: install it (for"
            f" example with '{install}') or set SEGDEND_MECHANISMS to a library that was built elsewhere."
        )
    reason = _reason(log.read_text(encoding="utf-8", errors="replace").replace(f"{work}/", ""))
    raise MechanismError(f"The mechanisms do not compile ({reason}): see the full log in {log} and mend its cause.")


def _flags(portable: bool) -> tuple[str, ...]:
    return (*FLAGS, "-march=native") if _instructions() and not portable else FLAGS


def _nrnivmodl() -> str:
    """Return the nrnivmodl of the Python that runs, before any other on PATH."""
    here = [sysconfig.get_path("scripts"), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    script = shutil.which("nrnivmodl", path=os.pathsep.join(here))
    if script is None:
        raise MechanismError(
            f"The command nrnivmodl is neither in {here[0]} nor on PATH: install NEURON again ('pip install neuron') or"
            " set SEGDEND_MECHANISMS to a library that was built elsewhere."
        )
    return script


def _environment() -> dict[str, str]:
    """Return the environment for nrnivmodl: English messages, commands in the log, a compiler that exists."""
    environment = os.environ | {"LC_ALL": "C", "VERBOSE": "1"}
    environment.setdefault("NMODL_PYLIB", "")  # asked for even where, as here, no step of the build uses it
    if "CXX" not in environment and (compiler := _compiler()) is not None:
        environment["CXX"] = compiler
    return environment


def _compiler() -> str | None:
    """Return the C++ compiler: the user's CXX, else the first that exists, beginning with the one Python names."""
    chosen = os.environ.get("CXX")
    wanted = [chosen] if chosen else [sysconfig.get_config_var("CXX") or "g++", "g++", "c++", "clang++"]
    commands = [shlex.split(command)[0] for command in wanted]
    return next((command for command in commands if shutil.which(command)), None)


def _missing_tools() -> list[str]:
    """Return the commands that nrnivmodl needs and PATH lacks; each is also the name of its Debian package."""
    compiler = [] if _compiler() else [os.environ.get("CXX") or "g++"]
    return compiler + [tool for tool in ("make", "bash", "perl") if shutil.which(tool) is None]


def _reason(log: str) -> str:
    """Return the line of a failed build's log that says most: an error, else what stands before make gives up."""
    lines = [line.strip() for line in log.splitlines() if line.strip()] or ["nrnivmodl said nothing"]
    errors = [line for line in lines if _ERROR.search(line)]
    before_make = [line for line, after in pairwise(lines) if after.startswith("make:")]
    return (errors + before_make + lines[-1:])[0]


# ------------------------------------------------------------------------------------------------------------- loading


def _library() -> Path:
    """Return the library to load: the one that SEGDEND_MECHANISMS names, or our own."""
    given = os.environ.get("SEGDEND_MECHANISMS")
    if given is None:
        return build()
    place = Path(given).expanduser().absolute()
    candidates = [place, place / _LIBRARY, *sorted(place.glob(f"*/{_LIBRARY}"))]
    library = next((path for path in candidates if path.is_file()), None)
    if library is None:
        raise MechanismError(
            f"SEGDEND_MECHANISMS={given} is neither a library nor a folder with {_LIBRARY}: correct the path, or unset"
            " it to build the mechanisms here."
        )
    return library


def _refuse_taken_names() -> None:
    """Raise if NEURON already knows one of our names: loading a second definition would end the process."""
    from neuron import h

    if taken := [name for name in names() if hasattr(h, name)]:
        raise MechanismError(
            f"NEURON already has {', '.join(taken)} from another library: start where no compiled folder"
            f" (such as {platform.machine()}/) defines them, or rename the other mechanisms."
        )


def _load_here() -> None:
    """Load the library into this rank's NEURON and check that all our names are there."""
    from neuron import h

    library = _library()
    _refuse_other_processor(library)
    try:
        opened = h.nrn_load_dll(str(library)) == 1.0  # a missing or damaged file is no error to NEURON
    except RuntimeError:
        opened = False
    if not opened:
        ours = "SEGDEND_MECHANISMS" not in os.environ
        remedy = f"delete {library.parent} so that it is built again" if ours else "correct SEGDEND_MECHANISMS"
        raise MechanismError(f"NEURON cannot load {library} (its reason stands above): {remedy}.")
    if absent := [name for name in names() if not hasattr(h, name)]:
        raise MechanismError(
            f"The library {library} lacks {', '.join(absent)}: build it from the sources in"
            f" {resources.folder('mechanisms')}."
        )


def _refuse_other_processor(library: Path) -> None:
    """Raise if a library needs what this processor has not: calling it would end the process."""
    try:
        content = library.read_bytes()
    except OSError:
        return  # loading says what is wrong
    _, found, rest = content.partition(_MARK)
    needed = rest.partition(b"\0")[0].decode("ascii", "replace").split() if found else []
    absent = sorted(set(needed) - set(_instructions().split()))
    if absent:
        raise MechanismError(
            f"The library {library} was built for another processor, this one has no {absent[0]}: build it here, or "
            "for any with 'segdend compile --portable'."
        )


def _nothing() -> None:
    """Wait for rank 0."""


def _on_every_rank(ranks: mpi.Ranks, step: Callable[[], object]) -> None:
    """Take a step on every rank, wait for all, and raise the first rank's error on each."""
    message = None
    try:
        step()
    except MechanismError as error:
        message = str(error)
    ranks.barrier(pause=0.05)  # a build takes seconds and needs the cores
    if failures := [other for other in ranks.allgather(message) if other is not None]:
        raise MechanismError(failures[0])
