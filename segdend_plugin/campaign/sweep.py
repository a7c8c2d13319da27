"""What a sweep file says: a grid over keys and seeds, or named conditions, and the controls beside them."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from segdend_plugin.campaign.measures import NUMBERS
from segdend_plugin.errors import ConfigError
from segdend_plugin.experiment import config, keys
from segdend_plugin.experiment.config import Experiment
from segdend_plugin.resources import folder

Control = Literal["frozen_hidden", "no_hidden"]
CONDITION = "condition"
HIDDEN_ONLY = (
    "cell",
    "cells",
    "layers.hidden",
    "lumped.g_apical",
    "cable",
    "placement",
    "synapse",
    "inhibition",
    "feedback",
    "rule.plateau",
    "rule.plateau_gain",
    "rule.plateau_jitter",
    "rule.train_hidden",
    "rule.location",
)
"""Keys, and groups of keys, that say nothing about a network without hidden layers."""
LONGEST = 100
"""Characters of a folder's name."""


def _seeds(value: Any) -> Any:
    if type(value) is int and value > 0:
        return tuple(range(value))
    if value and isinstance(value, list | tuple):
        return value
    raise ValueError(f"{value!r} says no seeds: give how many, 1 or more, or a list of them")


Seeds = Annotated[tuple[int, ...], BeforeValidator(_seeds)]


def _base(value: Any) -> Any:
    """Return the keys in which a configuration file differs from the defaults."""
    if isinstance(value, dict):
        return flatten(value)
    if not isinstance(value, str):
        return value
    there = flatten(config.load(value).with_absolute_paths().model_dump(mode="json"))
    default = flatten(Experiment().model_dump(mode="json"))
    return {key: setting for key, setting in there.items() if setting != default.get(key) and key != "seed"}


def _settings(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: flatten(keys) if isinstance(keys, dict) else keys or {} for name, keys in value.items()}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Axes(_Part):
    """What the figure shows."""

    x: str | None = Field(None, description="a varied key, `condition`, or a number of summary.json")
    y: str = Field("test_error", description="a number of summary.json")
    log_x: bool = Field(False, description="logarithmic axis")
    log_y: bool = Field(False, description="logarithmic axis")


class Sweep(_Part):
    """What a sweep file says."""

    title: str = Field("", description="of figure and table")
    base: Annotated[dict[str, Any], BeforeValidator(_base)] = Field(
        {}, description="keys of all runs, or a file of them"
    )
    vary: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field({}, description="values of keys")
    conditions: Annotated[dict[str, dict[str, Any]], BeforeValidator(_settings)] = Field(
        {}, description="keys of named conditions"
    )
    seeds: Seeds = Field((0,), description="a list, or how many")
    controls: tuple[Control, ...] = Field((), description="frozen_hidden, no_hidden")
    control_seeds: Seeds | None = Field(
        None, description="seeds of the controls, where they are not those of the other runs"
    )
    figure: Axes = Axes()

    def x(self) -> str:
        """Return what the figure shows results against: by default the only thing that is varied."""
        varied = list(self.vary) if not self.conditions else []
        return self.figure.x or (varied[0] if len(varied) == 1 else CONDITION)

    def is_measured(self) -> bool:
        """Return whether the figure shows results against numbers that come out of the runs."""
        return self.x() not in (CONDITION, *self.vary)


@dataclass(frozen=True)
class Part:
    """One value of one axis of a sweep: its key (`condition` for named ones), its label and what it sets."""

    key: str
    label: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Condition:
    """What the runs of a sweep differ in, apart from the seed."""

    parts: tuple[Part, ...] = ()
    control: Control | None = None

    @property
    def name(self) -> str:
        """The label in table and figure."""
        return ", ".join([*(part.label for part in self.parts), *([self.control] if self.control else [])]) or "all"

    @property
    def folder(self) -> str:
        """The label as a name of a folder."""
        name = re.sub(r"[^\w.,=+-]", "_", self.name.replace(", ", ","))
        return (
            name if len(name) <= LONGEST else f"{name[: LONGEST - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        )

    def part(self, key: str) -> Part | None:
        """Return the part of an axis, None where it says nothing about this condition."""
        return next((part for part in self.parts if part.key == key), None)

    def settings(self, common: Mapping[str, Any]) -> dict[str, Any]:
        """Return the keys of a run, those of all runs among them."""
        merged = dict(common)
        for part in self.parts:
            merged |= part.settings
        if self.control == "frozen_hidden":
            merged["rule.train_hidden"] = False
        if self.control == "no_hidden":
            merged = of_output(merged) | {"layers.hidden": []}
            if isinstance(merged.get("rule.learning_rates"), list):
                merged["rule.learning_rates"] = merged["rule.learning_rates"][-1:]
        return merged

    def as_control(self, control: Control) -> Condition:
        """Return the control of this condition, without what makes no difference to it."""
        parts = (part for part in self.parts if control != "no_hidden" or of_output(part.settings))
        return Condition(tuple(parts), control)


def find(name_or_file: str) -> Path:
    """Return a sweep file, or the shipped one of that name."""
    shipped, path = folder("examples") / "sweeps", Path(name_or_file)
    if path.suffix in (".yaml", ".yml"):
        return path
    if (shipped / f"{name_or_file}.yaml").is_file():
        return shipped / f"{name_or_file}.yaml"
    names = ", ".join(sorted(file.stem for file in shipped.glob("*.yaml")))
    raise ConfigError(f"SWEEP={name_or_file!r} is unknown: give a .yaml file or one of {names}.")


def load(path: Path) -> Sweep:
    """Read a sweep file.

    Raises
    ------
    ConfigError
        If it cannot be read, or a key or a value does not fit.
    """
    try:
        sweep = Sweep.model_validate(keys.read_yaml(path))
    except ValidationError as error:
        raise ConfigError(f"{path}: {keys.sentence(error.errors()[0], Sweep)}") from None
    for axis, name, known in (
        ("x", sweep.x(), (CONDITION, *sweep.vary, *NUMBERS)),
        ("y", sweep.figure.y, NUMBERS),
    ):
        if name not in known:
            raise ConfigError(f"{path}: figure.{axis}={name!r} is unknown: give one of {', '.join(known)}.")
    _check_log(path, sweep)
    check_keys([("base", sweep.base)])
    check_keys([("vary", sweep.vary), *((f"conditions.{name}", keys) for name, keys in sweep.conditions.items())])
    return sweep


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested keys as `key.path`, down to the values of a description (which may be mappings themselves)."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        path = f"{prefix}{key}"
        found |= flatten(value, f"{path}.") if isinstance(value, dict) and _is_group(path) else {path: value}
    return found


def as_yaml(value: Any) -> str:
    """Return a value on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")


def conditions(sweep: Sweep) -> list[Condition]:
    """Return the named conditions, each with all combinations of the varied values; without controls."""
    last = [key.rsplit(".", 1)[-1] for key in sweep.vary]
    short = {key: name if last.count(name) == 1 else key for key, name in zip(sweep.vary, last, strict=True)}
    named = [[Part(CONDITION, name, keys) for name, keys in sweep.conditions.items()]]
    varied = [
        [Part(key, f"{short[key]}={as_yaml(value)}", {key: value}) for value in values]
        for key, values in sweep.vary.items()
    ]
    return [Condition(parts) for parts in itertools.product(*(named if sweep.conditions else []), *varied)]


def of_output(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that make a difference to a network without hidden layers."""
    needed = ("cable.unit", "cable.somatic_gain")
    return {
        key: value
        for key, value in settings.items()
        if key in needed or not any(f"{key}.".startswith(f"{group}.") for group in HIDDEN_ONLY)
    }


def check_keys(places: Sequence[tuple[str, Iterable[str]]]) -> None:
    """Refuse an unknown key, a key in two places at once, and seeds in any."""
    flat = [(place, key) for place, given in places for key in given]
    for place, key in flat:
        if key == "seed":
            raise ConfigError(f"{place}: seed cannot be set: list the seeds under 'seeds'.")
        if problem := keys.unknown(key, Experiment):
            raise ConfigError(f"{place}: {problem}.")
    for (place, key), (other, same) in itertools.combinations(flat, 2):
        both_named = place.startswith("conditions.") and other.startswith("conditions.")
        if place != other and not both_named and keys.covers(key, same):
            raise ConfigError(f"{place}: {key} is also set by {other} ({same}): leave one of them out.")


def description(key: str) -> str | None:
    """Return what the documentation says of a key."""
    field = _field(key)
    return None if field is None else field.description


def _check_log(path: Path, sweep: Sweep) -> None:
    """Refuse a logarithmic axis for what has no place on it."""
    if not sweep.figure.log_x or sweep.is_measured():
        return
    for value in sweep.vary.get(sweep.x(), [condition.name for condition in conditions(sweep)]):
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise ConfigError(
                f"{path}: figure.log_x=true, but {sweep.x()} has {value!r}, which is not above 0: leave log_x out."
            )


def _field(path: str) -> FieldInfo | None:
    """Return a key of a description, or a group of keys."""
    part: Any = Experiment
    found = None
    for step in path.split("."):
        found = part.model_fields.get(step) if keys.is_model(part) else None
        part = found.annotation if found is not None else None
    return found


def _is_group(path: str) -> bool:
    field = _field(path)
    return field is not None and keys.is_model(field.annotation)
