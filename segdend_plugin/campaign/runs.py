"""The runs of a sweep: planned from its file, checked before the first begins, collected into one table."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segdend_plugin.campaign import jobs
from segdend_plugin.campaign.measures import measure
from segdend_plugin.campaign.sweep import Condition, Sweep, as_yaml, check_keys, conditions, of_output
from segdend_plugin.cells.files import source
from segdend_plugin.engine.layered import LUMPED
from segdend_plugin.errors import ConfigError, DataError
from segdend_plugin.experiment import config, keys, teaching
from segdend_plugin.experiment.folder import is_finished, read_summary

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
    check_keys([("--set", given), ("the sweep", used)])
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
        teaching.load(data)
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
    chosen = condition.settings(common)
    settings = _as_settings(chosen)
    try:
        experiment = config.load(settings=settings)
    except ConfigError as error:
        raise ConfigError(f"{condition.name}: {error}") from None
    if not experiment.layers.hidden:
        experiment = config.load(settings=_as_settings(of_output(chosen) | {"layers.hidden": []}))
    elif experiment.cells is not None:
        experiment = experiment.model_copy(update={"cell": ""})
    return experiment.model_dump_json(), settings


def _as_settings(chosen: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(f"{key}={as_yaml(value)}" for key, value in chosen.items())


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
