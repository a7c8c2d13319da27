"""Make one mistake after the other in a copy of the project; the test named with each must fail there.

    python tests/mutants/run.py [WORD ...]      only those with one of these words in their names

Ends with status 1 if a mutant survives, or if a test fails in the unchanged copy.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

PROJECT = Path(__file__).resolve().parents[2]
COPIED = ("segdend_plugin", "mechanisms", "templates", "tests", "pyproject.toml")
FAILED = 1  # pytest: some tests failed; other codes are errors of collection or usage
BROKEN = ("MechanismError", "SyntaxError", "NameError")  # a mutant that cannot even run proves nothing


@dataclass(frozen=True)
class Mutant:
    """One mistake.

    Attributes
    ----------
    name
        What is wrong.
    file
        Where, from the project's folder.
    old, new
        The text that it replaces, which occurs once, and what stands there instead.
    test
        The test that must catch it.
    """

    name: str
    file: str
    old: str
    new: str
    test: str

    @contextmanager
    def applied(self, project: Path) -> Iterator[None]:
        """Make the mistake in a copy of the project, for a while."""
        path = project / self.file
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise SystemExit(f"{self.name}: {self.old!r} occurs {text.count(self.old)} times in {self.file}, not once.")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(text, encoding="utf-8")


def mutants() -> list[Mutant]:
    """Return the listed mutants."""
    listed = yaml.safe_load((PROJECT / "tests" / "mutants" / "mutants.yaml").read_text(encoding="utf-8"))
    return [Mutant(**entry) for entry in listed]


def copy_project(folder: Path) -> None:
    """Copy what the tests need."""
    for name in COPIED:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python in the copy, which comes before any installed package."""
    environment = {name: value for name, value in os.environ.items() if name != "SEGDEND_MECHANISMS"}
    # mechanisms that did not change are compiled once; bytecode could be older than a mutant of the same second
    environment |= {"PYTHONPATH": str(folder), "SEGDEND_CACHE": str(folder / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test(nodes: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run tests of the copy."""
    return run(["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *nodes], folder)


def main(words: list[str]) -> int:
    """Run all mutants, or those that are asked for."""
    chosen = [mutant for mutant in mutants() if not words or any(word in mutant.name for word in words)]
    if not chosen:
        raise SystemExit(f"No mutant has {' or '.join(words)} in its name: take a word of tests/mutants/mutants.yaml.")
    with TemporaryDirectory(prefix="segdend-mutants-") as temporary:
        folder = Path(temporary).resolve()
        copy_project(folder)
        imported = Path(run(["-c", "import segdend_plugin; print(segdend_plugin.__file__)"], folder).stdout.strip())
        if folder not in imported.parents:
            raise SystemExit(f"The tests would import {imported}, not the copy in {folder}.")
        unchanged = test(sorted({mutant.test for mutant in chosen}), folder)
        if unchanged.returncode:
            print(unchanged.stdout + unchanged.stderr)
            raise SystemExit("The tests must pass before anything is changed.")
        survivors = 0
        for mutant in chosen:
            start = time.monotonic()
            with mutant.applied(folder):
                done = test([mutant.test], folder)
            broken = [word for word in BROKEN if word in done.stdout]
            caught = done.returncode == FAILED and not broken
            survivors += not caught
            verdict = "caught" if caught else f"broken ({broken[0]})" if broken else "SURVIVED"
            seconds = time.monotonic() - start
            print(f"{verdict:<10} {seconds:5.1f} s  {mutant.file:<36} {mutant.name}", flush=True)
        print(f"{len(chosen) - survivors} of {len(chosen)} mutants caught")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
