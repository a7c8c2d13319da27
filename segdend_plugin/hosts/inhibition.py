"""Rules of interneurons among NetPyNE's connParams.

A connection rule from a population of lumped cells to the populations of a hidden layer, whose `role` is
``'inhibition'``, makes interneurons of that population::

    netParams.connParams['sst->hidden'] = {
        'preConds': {'pop': 'sst'}, 'postConds': {'pop': 'hidden'}, 'delay': 1.0,
        'plast': {'mech': 'SegDendProjection', 'params': {
            'role': 'inhibition', 'onto': 'tuft', 'driven_by': 'hidden', 'strength': 1.0}}}

Other parameters are the fields of `segdend_plugin.rule.inhibition.Inhibition`; `layer` is that of the postConds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, get_args

from segdend_plugin.errors import ConfigError
from segdend_plugin.rule.inhibition import Inhibition, Onto, Silence, Source

ROLE = "inhibition"
_CHOICES = {"onto": get_args(Onto), "driven_by": get_args(Source), "silent_in": get_args(Silence)}


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


def take_rules(conn_params: Any, mechanism: str) -> list[InhibitionRule]:
    """Remove the rules of interneurons from NetPyNE's and return them."""
    taken = []
    for label in list(conn_params):
        plast = conn_params[label].get("plast") or {}
        params = dict(plast.get("params") or {})
        if plast.get("mech") != mechanism or params.pop("role", None) != ROLE:
            continue
        rule = conn_params[label]
        del conn_params[label]
        known = [field.name for field in fields(Inhibition) if field.name != "layer"]
        for key, value in params.items():
            if key not in known:
                raise ConfigError(f"connParams[{label!r}]: unknown key {key!r} in plast.params: remove it.")
            if key in _CHOICES and value not in _CHOICES[key]:
                raise ConfigError(f"connParams[{label!r}]: {key}={value!r}: give one of {', '.join(_CHOICES[key])}.")
        pre, post = ((rule.get(conditions) or {}).get("pop", ()) for conditions in ("preConds", "postConds"))
        pre, post = ((pops,) if isinstance(pops, str) else tuple(pops) for pops in (pre, post))
        if len(pre) != 1 or not post:
            raise ConfigError(
                f"connParams[{label!r}]: preConds={pre}, postConds={post}: name one population of interneurons and "
                "those of a hidden layer, {'pop': ...}."
            )
        taken.append(InhibitionRule(label, pre[0], post, params, float(rule.get("delay", 1.0))))
    return taken
