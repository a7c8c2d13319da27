"""Imports run downwards only (the contracts are in pyproject.toml)."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_import_contracts():
    tool = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    assert tool, "install segdend_plugin[test]"
    done = subprocess.run([tool], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_command_line_starts_without_the_simulator():
    code = "import sys, segdend_plugin.cli; print([m for m in ('neuron', 'netpyne', 'pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]"
