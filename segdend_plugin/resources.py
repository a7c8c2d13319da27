"""Where files lie: NMODL, cell templates and examples in the wheel or beside the package, the cache with the user."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """Return the folder of packaged files called `name` (``"mechanisms"``, ``"templates"`` or ``"examples"``)."""
    packaged = _PACKAGE / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name


def cache() -> Path:
    """Return the folder in which we keep what can be made or fetched again: ``$SEGDEND_CACHE`` or the user's."""
    from platformdirs import user_cache_dir

    chosen = os.environ.get("SEGDEND_CACHE")
    return Path(chosen).expanduser() if chosen else Path(user_cache_dir("segdend_plugin"))
