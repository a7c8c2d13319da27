"""Rules of interneurons among NetPyNE's connParams.

A connection rule from a population of lumped cells to the populations of a hidden layer, whose `role` is
``'inhibition'``, makes interneurons of that population::

    netParams.connParams['sst->hidden'] = {
        'preConds': {'pop': 'sst'}, 'postConds': {'pop': 'hidden'}, 'delay': 1.0,
        'plast': {'mech': 'SegDendProjection', 'params': {
            'role': 'inhibition', 'onto': 'tuft', 'driven_by': 'hidden', 'strength': 1.0}}}

Other parameters are the fields of `segdend_plugin.rule.inhibition.Inhibition`; `layer` is that of the postConds. `sec`
is left out, or the same as `onto`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any, get_args

from segdend_plugin.errors import ConfigError
from segdend_plugin.rule.inhibition import Inhibition, Onto, Silence, Source

ROLE = "inhibition"
_CHOICES = {"onto": get_args(Onto), "driven_by": get_args(Source), "silent_in": get_args(Silence)}
_NUMBERS: dict[str, tuple[Callable[[float], bool], str]] = {
    "excitation": (lambda value: value >= 0, "0 or more"),
    "bias": (lambda value: True, "a number"),
    "strength": (lambda value: value >= 0, "0 or more"),
    "fraction": (lambda value: 0 < value <= 1, "more than 0 and at most 1"),
    "silent_lead": (lambda value: value >= 0, "0 ms or more"),
}
"""What is allowed, as in the description of an experiment."""


@dataclass(frozen=True)
class InhibitionRule:
    """One population of interneurons and the layer that it inhibits."""

    label: str
    pre: str
    post: tuple[str, ...]
    params: dict[str, Any]
    delay: float

    def inhibition(self, hidden: Sequence[tuple[str, ...]]) -> Inhibition:
        """Return what the interneurons do, given the populations of every hidden layer."""
        if self.post not in hidden:
            raise ConfigError(
                f"connParams[{self.label!r}]: interneurons inhibit one of the hidden layers "
                f"{[list(post) for post in hidden]}, not {list(self.post)}: mend the postConds."
            )
        return Inhibition(layer=hidden.index(self.post), **self.params)


def read_inhibition(
    label: str, pre: tuple[str, ...], post: tuple[str, ...], sec: str | None, params: Mapping[str, Any], delay: float
) -> InhibitionRule:
    """Return the rule of one population of interneurons.

    Parameters
    ----------
    label
        Of the rule.
    pre, post
        The populations of its conditions.
    sec
        Where it says that synapses land, if it does.
    params
        Fields of `segdend_plugin.rule.inhibition.Inhibition`.
    delay
        Conduction delay (ms).

    Raises
    ------
    ConfigError
        If something is not as it should be.
    """
    if len(pre) > 1:
        raise ConfigError(f"preConds={list(pre)}: name one population of interneurons, and one rule for each.")
    for key, value in params.items():
        _check(key, value)
    onto = params.get("onto", Inhibition.onto)
    if sec not in (None, onto):
        raise ConfigError(f"sec={sec!r} is not onto={onto!r}, where interneurons land: leave sec out.")
    return InhibitionRule(label, pre[0], post, dict(params), delay)


def _check(key: str, value: Any) -> None:
    if key == "layer" or key not in [field.name for field in fields(Inhibition)]:
        raise ConfigError(f"unknown key {key!r} in plast.params: remove it.")
    if key in _CHOICES and value not in _CHOICES[key]:
        raise ConfigError(f"{key}={value!r}: give one of {', '.join(_CHOICES[key])}.")
    if key in _NUMBERS:
        is_allowed, wanted = _NUMBERS[key]
        if not is_number(value) or not is_allowed(value):
            raise ConfigError(f"{key}={value!r}: give {wanted}.")


def is_number(value: Any) -> bool:
    """Whether a value is a finite number, of Python or NumPy."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
