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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from segdend_plugin.errors import ConfigError
from segdend_plugin.rule.inhibition import Inhibition

ROLE = "inhibition"
FIELDS = tuple(field.name for field in fields(Inhibition) if field.name != "layer")


@dataclass(frozen=True)
class InhibitionRule:
    """One population of interneurons and the layer that it inhibits."""

    label: str
    pre: str
    post: tuple[str, ...]
    own: Inhibition
    delay: float

    def inhibition(self, hidden: Sequence[tuple[str, ...]]) -> Inhibition:
        """Return what the interneurons do, given the populations of every hidden layer."""
        if self.post not in hidden:
            raise ConfigError(
                f"connParams[{self.label!r}]: interneurons inhibit one of the hidden layers "
                f"{[list(post) for post in hidden]}, not {list(self.post)}: mend the postConds."
            )
        return replace(self.own, layer=hidden.index(self.post))


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
    for key in params:
        if key not in FIELDS:
            raise ConfigError(f"unknown key {key!r} in plast.params: remove it.")
    own = Inhibition(**params)
    if sec not in (None, own.onto):
        raise ConfigError(f"sec={sec!r} is not onto={own.onto!r}, where interneurons land: leave sec out.")
    return InhibitionRule(label, pre[0], post, own, delay)
