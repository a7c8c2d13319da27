"""Building and loading the compiled mechanisms, with sources of our own that compile in two seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import segdend_plugin
from segdend_plugin import resources
from segdend_plugin.engine import mechanisms
from segdend_plugin.errors import MechanismError

MOD = """
TITLE a current that decays
COMMENT
NEURON { SUFFIX NotThisOne }
ENDCOMMENT
NEURON {
    THREADSAFE
    POINT_PROCESS %s : a comment with SUFFIX inside
    NONSPECIFIC_CURRENT i
}
INCLUDE "shared.inc"
ASSIGNED { v (mV)  i (nA) }
VERBATIM
#include "segdend_built_for.h"
ENDVERBATIM
BREAKPOINT { i = strength }
"""
INC = "PARAMETER { strength = 0 (nA) }\n"

PRELUDE = """
import os, sys, time
from pathlib import Path
from segdend_plugin import resources
resources.folder = lambda name: Path(sys.argv[1])
from segdend_plugin.engine import mechanisms
compile_it = mechanisms._compile
"""


def write_sources(folder: Path, name: str = "SegDendTiny") -> Path:
    folder.mkdir()
    (folder / "tiny.mod").write_text(MOD % name)
    (folder / "shared.inc").write_text(INC)
    header = Path(segdend_plugin.__file__).parents[1] / "mechanisms" / "segdend_built_for.h"
    (folder / header.name).write_text(header.read_text())
    return folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sources that stand in for the packaged ones, and a cache of their own."""
    folder = write_sources(tmp_path / "sources")
    monkeypatch.setattr(resources, "folder", lambda name: folder)
    monkeypatch.setenv("SEGDEND_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SEGDEND_MECHANISMS", raising=False)
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Sources and their library, built once for the tests that only load; the folder's name has a space in it."""
    base = tmp_path_factory.mktemp("built with a space")
    sources = write_sources(base / "sources")
    script = start("print(mechanisms.build())", sources, SEGDEND_CACHE=str(base / "cache"))
    return sources, Path(output(script).strip())


def start(code: str, sources: Path, **environment: str) -> subprocess.Popen[str]:
    """Run `code` in a fresh Python whose packaged sources are those in `sources`."""
    home = str(Path(segdend_plugin.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + code, str(sources)],
        env=os.environ | {"PYTHONPATH": home} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def output(process: subprocess.Popen[str]) -> str:
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    return stdout


def test_names_come_from_the_neuron_block_only(folder: Path) -> None:
    (folder / "functions.mod").write_text("NEURON { SUFFIX nothing }\n")
    assert mechanisms.names() == ("SegDendTiny",)


def test_packaged_sources_carry_our_prefix() -> None:
    assert all(name.startswith("SegDend") for name in mechanisms.names())


@pytest.mark.parametrize("file", ["tiny.mod", "shared.inc"])
def test_key_follows_every_source(folder: Path, file: str) -> None:
    before = mechanisms.key()
    path = folder / file
    path.write_text(path.read_text() + "\n: changed\n")
    assert mechanisms.key() != before


def test_key_follows_names_flags_and_neuron(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {mechanisms.key()}
    (folder / "tiny.mod").rename(folder / "other.mod")
    keys.add(mechanisms.key())
    monkeypatch.setattr(mechanisms, "FLAGS", ("-O1",))
    keys.add(mechanisms.key())
    monkeypatch.setattr(mechanisms, "_installed_neuron", lambda: ("9.9", "elsewhere"))
    keys.add(mechanisms.key())
    assert len(keys) == 4


def test_build_leaves_the_library_and_its_log(built: tuple[Path, Path]) -> None:
    _, library = built
    assert sorted(path.name for path in library.parent.iterdir()) == ["build.log", library.name]
    log = (library.parent / "build.log").read_text(encoding="utf-8")
    assert all(flag in log for flag in mechanisms.FLAGS), "the flags must reach the compiler"


def test_second_build_finds_the_first(built: tuple[Path, Path]) -> None:
    sources, library = built
    code = "mechanisms._compile = None\nprint(mechanisms.build(Path(sys.argv[1]).parent / 'cache'))"
    assert output(start(code, sources)).strip() == str(library)


def test_two_processes_build_once(folder: Path, tmp_path: Path) -> None:
    code = """
def counted(work, log, portable):
    with open(os.environ["COUNT"], "a") as count:
        count.write("x")
    return compile_it(work, log, portable)
mechanisms._compile = counted
print(mechanisms.build())
"""
    count = tmp_path / "count"
    processes = [start(code, folder, COUNT=str(count)) for _ in range(2)]
    libraries = {output(process) for process in processes}
    assert len(libraries) == 1
    assert count.read_text() == "x"


def test_killed_build_leaves_no_entry(folder: Path) -> None:
    code = """
def slow(work, log, portable):
    print("compiling", flush=True)
    time.sleep(100)
mechanisms._compile = slow
mechanisms.build()
"""
    process = start(code, folder)
    assert process.stdout is not None
    assert process.stdout.readline() == "compiling\n"
    process.kill()
    process.communicate(timeout=60)
    library = mechanisms.build()
    assert library.is_file()
    left = {path.name for path in library.parent.parent.iterdir() if path.suffix != ".lock"}
    assert left == {mechanisms.key()}


def test_broken_source_names_the_error_and_keeps_the_log(folder: Path) -> None:
    (folder / "tiny.mod").write_text((MOD % "SegDendTiny").replace("i = strength", "i = = strength"))
    with pytest.raises(MechanismError, match=r"Illegal block at line \d+ in file tiny\.mod") as caught:
        mechanisms.build()
    log = next(Path(os.environ["SEGDEND_CACHE"], "mechanisms").glob("*.log"))
    assert str(log) in str(caught.value)
    assert "i = = strength" in log.read_text()
    assert not log.with_suffix("").exists()


def test_missing_include_is_named(folder: Path) -> None:
    (folder / "shared.inc").unlink()
    with pytest.raises(MechanismError, match=r"Couldn't open shared\.inc"):
        mechanisms.build()


def test_missing_tools_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MechanismError, match=r"no g\+\+ and no make.*install g\+\+ make"):
        mechanisms.build()


def test_missing_nrnivmodl_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(mechanisms.sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(MechanismError, match="nrnivmodl is neither in"):
        mechanisms.build()


def test_unusable_cache_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEGDEND_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(MechanismError, match=r"file/cache/mechanisms cannot be used.*SEGDEND_CACHE"):
        mechanisms.build()


def test_full_disk_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(work: Path, log: Path, portable: bool) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mechanisms, "_compile", full)
    with pytest.raises(MechanismError, match=r"No space left on device.*free space"):
        mechanisms.build()


def test_folder_without_sources_is_named(folder: Path) -> None:
    (folder / "tiny.mod").unlink()
    with pytest.raises(MechanismError, match=r"holds no \.mod file"):
        mechanisms.build()


def test_load_makes_the_mechanisms_known(built: tuple[Path, Path]) -> None:
    sources, library = built
    code = """
mechanisms.load()
mechanisms.load()
from neuron import h
print(hasattr(h, "SegDendTiny"))
"""
    assert output(start(code, sources, SEGDEND_CACHE=str(library.parents[2]))).strip() == "True"


def test_prebuilt_library_is_used_instead(built: tuple[Path, Path], tmp_path: Path) -> None:
    sources, library = built
    code = """
mechanisms.build = None
mechanisms.load()
from neuron import h
print(hasattr(h, "SegDendTiny"))
"""
    process = start(code, sources, SEGDEND_MECHANISMS=str(library.parent), SEGDEND_CACHE=str(tmp_path))
    assert output(process).strip() == "True"
    assert not list(tmp_path.iterdir())


def test_prebuilt_library_of_other_sources_is_refused(built: tuple[Path, Path], tmp_path: Path) -> None:
    _, library = built
    others = write_sources(tmp_path / "others", "SegDendOther")
    process = start("mechanisms.load()", others, SEGDEND_MECHANISMS=str(library))
    assert "lacks SegDendOther" in process.communicate(timeout=60)[1]


def test_damaged_library_is_refused(built: tuple[Path, Path], tmp_path: Path) -> None:
    sources, library = built
    (tmp_path / library.name).write_text("half a library")
    process = start("mechanisms.load()", sources, SEGDEND_MECHANISMS=str(tmp_path))
    assert "correct SEGDEND_MECHANISMS" in process.communicate(timeout=60)[1]


def test_wrong_prebuilt_path_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGDEND_MECHANISMS", "/nowhere")
    with pytest.raises(MechanismError, match="SEGDEND_MECHANISMS=/nowhere is neither"):
        mechanisms._library()


def test_taken_name_is_refused_before_loading(folder: Path) -> None:
    (folder / "tiny.mod").write_text(MOD % "ExpSyn")
    with pytest.raises(MechanismError, match="NEURON already has ExpSyn"):
        mechanisms._refuse_taken_names()


def test_a_portable_library_is_one_of_its_own_and_asks_nothing_of_the_processor(folder: Path) -> None:
    fast, portable = mechanisms.build(), mechanisms.build(portable=True)
    assert fast != portable
    marks = [library.read_bytes().partition(mechanisms._MARK)[2].partition(b"\0")[0] for library in (fast, portable)]
    assert marks == [" ".join(mechanisms._vector_instructions()).encode(), b""]
    assert "-march=native" not in (portable.parent / "build.log").read_text()


def test_a_library_for_another_processor_is_refused(folder: Path) -> None:
    """It would end the process with an illegal instruction."""
    content = mechanisms.build().read_bytes()
    mark, wanted = mechanisms._MARK, b"avx"
    where = content.index(mark) + len(mark)
    at = content.index(wanted, where)
    assert at < content.index(b"\0", where)
    elsewhere = folder / "elsewhere.so"
    elsewhere.write_bytes(content[:at] + b"xyz" + content[at + len(wanted) :])
    process = start("print(mechanisms.load())", folder, SEGDEND_MECHANISMS=str(elsewhere))
    said = process.communicate(timeout=120)[1]
    assert process.returncode != 0
    assert "was built for another processor, this one has no xyz" in said
    assert "segdend compile --portable" in said
