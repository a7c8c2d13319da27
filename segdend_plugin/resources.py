"""Where packaged NMODL sources, cell templates and examples lie: in the wheel, or beside the package in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """Return the folder of packaged files called `name` (``"mechanisms"``, ``"templates"`` or ``"examples"``)."""
    packaged = _PACKAGE / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name
