"""Keys and values as users write them: YAML files, `--set key.path=value`, and what is wrong in a sentence."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic_core import ErrorDetails

from segdend_plugin.errors import ConfigError
from segdend_plugin.experiment.parts import HiddenLayer, InhibitionPart

GONE = {"cable.reduced": "remove it, passive cells are linear by default"}
"""Keys of earlier versions, and what to do with them."""


class _Loader(yaml.SafeLoader):
    """Refuses a key that occurs twice, of which PyYAML keeps the last."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value!r} occurs twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return node


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Return the keys of a YAML file.

    Raises
    ------
    ConfigError
        If it cannot be read or holds none.
    """
    try:
        tree = yaml.load(Path(path).read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise ConfigError(f"The configuration {str(path)!r} cannot be read ({error.strerror}): give a file.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The configuration {str(path)!r} is not valid YAML ({_problem(error)}): mend it there."
        ) from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"The configuration {str(path)!r} holds no keys: write 'key: value' lines.")
    return tree


def parse_setting(setting: str) -> tuple[str, Any]:
    """Return key and value of ``"key.path=value"``, the value in YAML.

    Raises
    ------
    ConfigError
        If it is not of that form.
    """
    key, separator, text = setting.partition("=")
    if not separator or not all(key.strip().split(".")):
        raise ConfigError(f"--set {setting!r} is not of the form key.path=value: write for example --set seed=1.")
    try:
        return key.strip(), yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ConfigError(
            f"--set {setting!r} has a value that is not valid YAML ({_problem(error)}): mend or quote it."
        ) from None


def assign(tree: dict[str, Any], setting: str) -> None:
    """Set what ``"key.path=value"`` says in nested keys."""
    key, value = parse_setting(setting)
    parts = key.split(".")
    for part in parts[:-1]:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"--set {setting!r}: {part!r} is a value, not a group of keys: shorten the path.")
    tree[parts[-1]] = value


def covers(key: str, other: str) -> bool:
    """Return whether one of two keys is the other, or a group that holds it."""
    return f"{key}.".startswith(f"{other}.") or f"{other}.".startswith(f"{key}.")


def unknown(key: str, model: type[BaseModel]) -> str | None:
    """Return what is wrong with a ``key.path`` that a description does not have, None where there is such a key."""
    part: Any = model
    steps = key.split(".")
    for depth, step in enumerate(steps):
        if not is_model(part):
            return None
        if key in GONE:
            return f"{key}: {GONE[key]}"
        if step not in part.model_fields:
            return f"{key}: unknown key; {_nearest(steps[: depth + 1], model)}"
        part = part.model_fields[step].annotation
    return None


def is_model(kind: Any) -> bool:
    """Return whether the type of a field is a group of keys."""
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def sentence(error: ErrorDetails, model: type[BaseModel]) -> str:
    """Return what is wrong with a field of a description, and the remedy, in one sentence."""
    location = [part for part in error["loc"] if part != "[key]" and not _is_union_tag(part)]
    field = ".".join(str(part) for part in location) or "The configuration"
    if field in GONE:
        return f"{field}: {GONE[field]}."
    if error["type"] == "extra_forbidden":
        return f"{field}: unknown key; {_nearest(location, model)}."
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error":
        return f"{field}: {message}." if location else f"{message}."
    if "[key]" in error["loc"]:
        return f"{field}: the name {error['input']!r} is no text: put it in quotes."
    if error["type"] in ("tuple_type", "list_type"):
        return f"{field}={error['input']!r}: give a list, as [a, b]."
    if error["type"] == "missing":
        return f"{field}: missing; give it a value."
    return f"{field}={error['input']!r}: {message[:1].lower()}{message[1:]}; change the value."


def _problem(error: yaml.YAMLError | UnicodeDecodeError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return " ".join(str(error).split())


def _is_union_tag(part: str | int) -> bool:
    return isinstance(part, str) and ("[" in part or part == "str")


def _nearest(location: Sequence[str | int], model: type[BaseModel]) -> str:
    part: Any = model
    for step in location[:-1]:
        if part is not None and step in part.model_fields:
            annotation = part.model_fields[step].annotation
            part = annotation if is_model(annotation) else None
    items = InhibitionPart if location[0] == "inhibition" else HiddenLayer
    known = list((part or items).model_fields)
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    return f"did you mean {near[0]!r}" if near else f"the keys here are {', '.join(known)}"
