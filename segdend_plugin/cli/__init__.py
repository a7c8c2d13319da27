"""The command line."""

from __future__ import annotations

from segdend_plugin.cli.commands import main

__all__ = ["main"]
