"""How learning rates change over a run: a schedule gives the factor of all of them for each example."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from segdend_plugin.errors import ConfigError
from segdend_plugin.types import is_number

Schedule: TypeAlias = Callable[[int, int], float]
"""(example, total) -> factor; example counts from 0, total is the number of examples of the whole run."""


@dataclass(frozen=True)
class Constant:
    """The same learning rates throughout."""

    def __call__(self, example: int, total: int) -> float:
        """Return the factor of an example."""
        return 1.0


@dataclass(frozen=True)
class Linear:
    """Learning rates that fall linearly.

    Attributes
    ----------
    to
        Factor at the end of the run, 0 to 1.
    """

    to: float = 0.1

    def __post_init__(self) -> None:
        _check(self.to)

    def __call__(self, example: int, total: int) -> float:
        """Return the factor of an example."""
        return 1.0 - (1.0 - self.to) * example / total


@dataclass(frozen=True)
class Cosine:
    """Learning rates that fall along half a cosine: slowly, fast, slowly. Loshchilov & Hutter (2017) arXiv:1608.03983.

    Attributes
    ----------
    to
        Factor at the end of the run, 0 to 1.
    """

    to: float = 0.05

    def __post_init__(self) -> None:
        _check(self.to)

    def __call__(self, example: int, total: int) -> float:
        """Return the factor of an example."""
        return self.to + (1.0 - self.to) * 0.5 * (1.0 + math.cos(math.pi * example / total))


def _check(to: float) -> None:
    if not is_number(to) or not 0.0 <= to <= 1.0:
        raise ConfigError(f"schedule: to={to!r}: give a factor from 0 to 1.")


# what users write: schedule=cosine(to=0.05)
constant, linear, cosine = Constant, Linear, Cosine

SCHEDULES: Mapping[str, Callable[..., Schedule]] = MappingProxyType({"linear": linear, "cosine": cosine})
"""By the names that descriptions know them by; each takes the factor at the end of the run."""
