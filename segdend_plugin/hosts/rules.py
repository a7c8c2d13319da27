"""Connection rules of ours among NetPyNE's connParams: what they may say, and what they say."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segdend_plugin.engine import wiring
from segdend_plugin.errors import ConfigError
from segdend_plugin.hosts.inhibition import ROLE, InhibitionRule, read_inhibition
from segdend_plugin.model.places import FEEDBACK, Landing
from segdend_plugin.types import is_number

MECHANISM = "SegDendProjection"
FIELDS = ("preConds", "postConds", "sec", "delay", "plast")
"""What is read of a connection rule of ours."""


@dataclass(frozen=True)
class ProjectionRule:
    """One of our connection rules: from populations to populations."""

    label: str
    role: str
    pre: tuple[str, ...]
    post: tuple[str, ...]
    landing: Landing
    delay: float


def take_rules(conn_params: Any, dt: float) -> tuple[list[ProjectionRule], list[InhibitionRule]]:
    """Remove our rules from NetPyNE's, before it would make one NetCon per synapse of them."""
    found = {label: _read(label, conn_params[label], dt) for label in list(conn_params)}
    for label, rule in found.items():
        if rule is not None:
            del conn_params[label]
    rules = found.values()
    return (
        [rule for rule in rules if isinstance(rule, ProjectionRule)],
        [rule for rule in rules if isinstance(rule, InhibitionRule)],
    )


def _read(label: str, rule: Mapping[str, Any], dt: float) -> ProjectionRule | InhibitionRule | None:
    """Return what a connection rule says; None if it is NetPyNE's own."""
    try:
        if not _is_ours(rule):
            return None
        _refuse_other_fields(rule)
        params = _params(rule["plast"])
        role, sec, delay = params.pop("role", None), _sec(rule), _delay(rule)
        pre, post = _pops(rule, "preConds"), _pops(rule, "postConds")
        if role == ROLE:
            return read_inhibition(label, pre, post, sec, params, delay)
        return ProjectionRule(label, role, pre, post, _landing(role, sec, params), wiring.usable_delay(delay, dt))
    except ConfigError as error:
        raise ConfigError(f"connParams[{label!r}]: {error}") from None


def _is_ours(rule: Mapping[str, Any]) -> bool:
    plast = rule.get("plast")
    if plast == MECHANISM:
        raise ConfigError(f"plast={plast!r}: give {{'mech': {MECHANISM!r}, 'params': {{'role': ...}}}}.")
    return isinstance(plast, Mapping) and plast.get("mech") == MECHANISM


def _refuse_other_fields(rule: Mapping[str, Any]) -> None:
    other = next((key for key in rule if key not in FIELDS), None)
    if other is not None:
        raise ConfigError(
            f"{other}={reprlib.repr(rule[other])} is not read, because {MECHANISM} connects all cells with weights of "
            f"its own and knows only {', '.join(FIELDS)}: remove it, or remove plast to leave the rule to NetPyNE."
        )


def _params(plast: Mapping[str, Any]) -> dict[str, Any]:
    other = next((key for key in plast if key not in ("mech", "params")), None)
    if other is not None:
        raise ConfigError(f"plast has {other}={plast[other]!r}: move it into plast.params.")
    params = plast.get("params") or {}
    if not isinstance(params, Mapping):
        raise ConfigError(f"plast.params={params!r}: give {{'role': ...}}.")
    return dict(params)


def _sec(rule: Mapping[str, Any]) -> str | None:
    sec = rule.get("sec")
    if sec is not None and not isinstance(sec, str):
        raise ConfigError(f"sec={sec!r}: name one section list of the cell.")
    return sec


def _delay(rule: Mapping[str, Any]) -> float:
    delay = rule.get("delay", 1.0)
    if not is_number(delay) or delay < 0:
        raise ConfigError(f"delay={delay!r}: give one number for all connections of the rule, 0 ms or more.")
    return float(delay)


def _pops(rule: Mapping[str, Any], key: str) -> tuple[str, ...]:
    conditions = rule.get(key)
    pops = conditions.get("pop") if isinstance(conditions, Mapping) and len(conditions) == 1 else None
    names = [pops] if isinstance(pops, str) else pops
    if not isinstance(names, (list, tuple)) or not names or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{key}={conditions!r}: name whole populations, {{'pop': ...}}.")
    return tuple(names)


def _landing(role: Any, sec: str | None, params: Mapping[str, Any]) -> Landing:
    if role not in ("feedforward", "feedback"):
        raise ConfigError(f"role={role!r} is unknown: give 'feedforward', 'feedback' or {ROLE!r}.")
    for key in params:
        if key == "region" or key not in Landing.__dataclass_fields__:
            raise ConfigError(f"unknown key {key!r} in plast.params: remove it.")
    default = "basal" if role == "feedforward" else FEEDBACK.region
    return Landing(sec or default, **{"sites": 1, **params})
