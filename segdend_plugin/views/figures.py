"""Saving figures."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from segdend_plugin.errors import ConfigError

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#999999", "#CC79A7")
"""Of Okabe and Ito; one per condition."""


def save(figure: Figure, path: str | Path, option: str = "--out") -> None:
    """Write a figure; the ending of `path`, which the user gave as `option`, chooses the format.

    Raises
    ------
    ConfigError
        If the place cannot be written or the format is unknown.
    """
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise ConfigError(
            f"{option} {str(path)!r} cannot be written ({problem}): give X.png in a folder that exists."
        ) from None
