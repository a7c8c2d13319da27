"""A sweep: a grid over keys and seeds, or named conditions, as a set of runs with one table."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from segdend_plugin.campaign import jobs
from segdend_plugin.campaign.measures import NUMBERS, measure
from segdend_plugin.cells.files import source
from segdend_plugin.engine.layered import LUMPED
from segdend_plugin.errors import ConfigError, DataError
from segdend_plugin.experiment import config, keys, rules
from segdend_plugin.experiment.config import Experiment
from segdend_plugin.experiment.folder import is_finished, read_summary
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
    "rule.name",
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
            merged = _of_output(merged) | {"layers.hidden": []}
            if isinstance(merged.get("rule.learning_rates"), list):
                merged["rule.learning_rates"] = merged["rule.learning_rates"][-1:]
        return merged

    def as_control(self, control: Control) -> Condition:
        """Return the control of this condition, without what makes no difference to it."""
        parts = (part for part in self.parts if control != "no_hidden" or _of_output(part.settings))
        return Condition(tuple(parts), control)


Job = jobs.Job[Condition]


@dataclass(frozen=True)
class Row(jobs.Row[Condition]):
    """One line of the table of a sweep.

    Attributes
    ----------
    at
        What the figure shows it against, one per seed, where that is a number of the summary.
    planned
        Seeds of the complete sweep.
    """

    at: tuple[float, ...] = ()
    planned: int = 0


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
    _check_keys([("base", sweep.base)])
    _check_keys([("vary", sweep.vary), *((f"conditions.{name}", keys) for name, keys in sweep.conditions.items())])
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


def plan(sweep: Sweep, out: Path, data: Path | None = None, changes: Sequence[str] = ()) -> list[Job]:
    """Return the runs of a sweep, the seeds of all conditions one after the other.

    Parameters
    ----------
    sweep
        What to train.
    out
        Folder of the sweep; every run gets a folder of its own in it.
    data
        Images for all runs.
    changes
        Further ``"key.path=value"`` for all runs, which no condition may set.

    Raises
    ------
    ConfigError
        If a run is no valid description, or two are the same.
    """
    common = sweep.base | ({} if data is None else {"data.path": str(data.expanduser().absolute())})
    given = dict(keys.parse_setting(change) for change in changes)
    used = {key for condition in conditions(sweep) for part in condition.parts for key in part.settings}
    _check_keys([("--set", given), ("the sweep", used)])
    common |= given
    runs: dict[str, tuple[Condition, tuple[str, ...]]] = {}  # by description
    for condition in conditions(sweep):
        text, settings = _describe(condition, common)
        if text in runs:
            raise ConfigError(f"{runs[text][0].name!r} and {condition.name!r} are the same run: leave one of them out.")
        runs[text] = condition, settings
    for control, condition in itertools.product(sweep.controls, conditions(sweep)):
        if config.load(settings=_describe(condition, common)[1]).layers.hidden:
            it = condition.as_control(control)
            text, settings = _describe(it, common)
            runs.setdefault(text, (it, settings))
    control_seeds = sweep.seeds if sweep.control_seeds is None else sweep.control_seeds
    names = [condition.folder for condition, _ in runs.values()]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ConfigError(f"Two conditions would both be called {twice!r}: rename one of them.")
    return [
        Job(condition, seed, out / f"{condition.folder}-{seed}", (*settings, f"seed={seed}"))
        for seed in dict.fromkeys((*sweep.seeds, *control_seeds))
        for condition, settings in runs.values()
        if seed in (control_seeds if condition.control else sweep.seeds)
    ]


def check(todo: Sequence[Job]) -> None:
    """Look for what would let runs fail before any is begun: folders of others, missing images and cells."""
    _check_table(todo)
    experiments = []
    for job in todo:
        if (job.folder / "config.yaml").is_file():
            jobs.check(job)
        if not is_finished(job.folder):
            experiments.append(config.load(settings=job.settings))
    for data in {experiment.data for experiment in experiments}:
        rules.load(data)
    wanted = {(cell, experiment.cable.repair) for experiment in experiments for cell in experiment.kinds()}
    for cell, repair in sorted(wanted):
        if cell != LUMPED:
            source.load(cell, repair)


def collect(sweep: Sweep, todo: Sequence[Job]) -> list[Row]:
    """Return the table of a sweep from the runs that are finished.

    Raises
    ------
    DataError
        If none is.
    """
    _check_table(todo)
    rows = []
    for condition in {job.condition.name: job.condition for job in todo}.values():
        mine = [job for job in todo if job.condition == condition]
        finished = [job for job in mine if is_finished(job.folder)]
        for job in finished:
            jobs.check(job)
        done = [(read_summary(job.folder), config.load(settings=job.settings)) for job in finished]
        values = tuple(measure(sweep.figure.y, *run) for run in done)
        at = tuple(measure(sweep.x(), *run) for run in done) if sweep.is_measured() else ()
        examples, images = (done[0][0][key] if done else 0 for key in ("train_examples", "test_examples"))
        rows.append(Row(condition, values, examples, images, at, len(mine)))
    if not any(row.values for row in rows):
        raise DataError(
            f"No run of the sweep is finished in {str(todo[0].folder.parent)!r}: train it without --collect."
        )
    return rows


def description(key: str) -> str | None:
    """Return what the documentation says of a key."""
    field = _field(key)
    return None if field is None else field.description


def write(sweep: Sweep, rows: Sequence[Row], out: Path) -> None:
    """Write the table as `table.json`."""
    table = {
        "title": sweep.title,
        "x": sweep.x(),
        "y": sweep.figure.y,
        "rows": [
            {
                "condition": row.condition.name,
                "control": row.condition.control,
                "settings": {key: value for part in row.condition.parts for key, value in part.settings.items()},
                **row.numbers(),
                "planned_seeds": row.planned,
                **({"x": [jobs.or_null(place) for place in row.at]} if row.at else {}),
            }
            for row in rows
        ],
    }
    (out / "table.json").write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


def _describe(condition: Condition, common: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Return the description of a condition without what has no effect, to compare it with others, and its settings."""
    keys = condition.settings(common)
    settings = _as_settings(keys)
    try:
        experiment = config.load(settings=settings)
    except ConfigError as error:
        raise ConfigError(f"{condition.name}: {error}") from None
    if not experiment.layers.hidden:
        experiment = config.load(settings=_as_settings(_of_output(keys) | {"layers.hidden": []}))
    elif experiment.cells is not None:
        experiment = experiment.model_copy(update={"cell": ""})
    return experiment.model_dump_json(), settings


def _as_settings(keys: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(f"{key}={as_yaml(value)}" for key, value in keys.items())


def _check_keys(places: Sequence[tuple[str, Iterable[str]]]) -> None:
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


def _check_log(path: Path, sweep: Sweep) -> None:
    """Refuse a logarithmic axis for what has no place on it."""
    if not sweep.figure.log_x or sweep.is_measured():
        return
    for value in sweep.vary.get(sweep.x(), [condition.name for condition in conditions(sweep)]):
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise ConfigError(
                f"{path}: figure.log_x=true, but {sweep.x()} has {value!r}, which is not above 0: leave log_x out."
            )


def _check_table(todo: Sequence[Job]) -> None:
    """Refuse a folder with the table of another sweep, which has none of these conditions."""
    path = todo[0].folder.parent / "table.json"
    if not path.is_file():
        return
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
        there = {row["condition"] for row in rows if row["control"] is None}
    except (ValueError, LookupError, TypeError):
        there = set()
    if there.isdisjoint(job.condition.name for job in todo):
        raise ConfigError(f"{str(path)!r} is the table of other runs: choose another --out, or remove it.")


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


def _of_output(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that make a difference to a network without hidden layers."""
    needed = ("cable.unit", "cable.somatic_gain")
    return {
        key: value
        for key, value in settings.items()
        if key in needed or not any(f"{key}.".startswith(f"{group}.") for group in HIDDEN_ONLY)
    }
