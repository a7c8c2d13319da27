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


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Return the keys of a YAML file.

    Raises
    ------
    ConfigError
        If it cannot be read or holds none.
    """
    try:
        tree = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"The configuration {str(path)!r} cannot be read ({error.strerror}): give a file.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = " ".join(str(error).split())
        raise ConfigError(f"The configuration {str(path)!r} is not valid YAML ({problem}): mend it there.") from None
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
        return key.strip(), yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"--set {setting!r} has a value that is not valid YAML: quote it.") from None


def assign(tree: dict[str, Any], setting: str) -> None:
    """Set what ``"key.path=value"`` says in nested keys."""
    key, value = parse_setting(setting)
    parts = key.split(".")
    for part in parts[:-1]:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"--set {setting!r}: {part!r} is a value, not a group of keys: shorten the path.")
    tree[parts[-1]] = value


def sentence(error: ErrorDetails, model: type[BaseModel]) -> str:
    """Return what is wrong with a field of a description, and the remedy, in one sentence."""
    location = [part for part in error["loc"] if part != "[key]" and not _is_union_tag(part)]
    field = ".".join(str(part) for part in location) or "The configuration"
    if error["type"] == "extra_forbidden":
        return f"{field}: unknown key; {_nearest(location, model)}."
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error":
        return f"{field}: {message}." if location else f"{message}."
    if error["type"] == "missing":
        return f"{field}: missing; give it a value."
    return f"{field}={error['input']!r}: {message[:1].lower()}{message[1:]}; change the value."


def _is_union_tag(part: str | int) -> bool:
    return isinstance(part, str) and ("[" in part or part == "str")


def _nearest(location: Sequence[str | int], model: type[BaseModel]) -> str:
    part: type[BaseModel] | None = model
    for step in location[:-1]:
        if isinstance(step, str) and part is not None and step in part.model_fields:
            annotation = part.model_fields[step].annotation
            part = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
    items = InhibitionPart if location[0] == "inhibition" else HiddenLayer
    known = list((part or items).model_fields)
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    return f"did you mean {near[0]!r}" if near else f"the keys here are {', '.join(known)}"
