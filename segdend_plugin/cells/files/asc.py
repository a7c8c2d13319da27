"""Neurolucida ASC files: outlines of cell bodies and trees, as nested lists in parentheses.

Pure Python. Written from the grammar that the files show; spines, markers and pictures are passed over.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from segdend_plugin.cells.files.draft import Draft, Node
from segdend_plugin.cells.morphology import APICAL, AXON, BASAL, SOMA
from segdend_plugin.errors import MorphologyError

_TOKEN = re.compile(r'\s+|,|;[^\n]*|"[^"]*"|[()|<>]|[^\s,;"()|<>]+|"')
_NUMERIC = re.compile(r"[-+.]?\d|[-+]?(nan|inf)", re.IGNORECASE)  # also 1.#QNAN of old programs
_TYPES = {"axon": AXON, "dendrite": BASAL, "apical": APICAL, "cellbody": SOMA}
_BODIES = ("cellbody", "soma")


@dataclass(eq=False)
class _List:
    """What stands between two parentheses, or between ``<`` and ``>``.

    Attributes
    ----------
    line
        Where it begins.
    spine
        Whether it stands between ``<`` and ``>``.
    items
        Words, strings with their quotes, bars and lists.
    """

    line: int
    spine: bool = False
    items: list[str | _List] = field(default_factory=list)

    @property
    def head(self) -> str | _List | None:
        return self.items[0] if self.items else None

    @property
    def word(self) -> str:
        """The first word, in small letters without quotes and blanks; empty where a list comes first."""
        return _plain(self.head) if isinstance(self.head, str) else ""

    @property
    def lists(self) -> list[_List]:
        return [item for item in self.items if isinstance(item, _List)]


def draft_asc(path: Path, data: bytes) -> Draft:
    """Read a Neurolucida ASC file as it comes.

    Parameters
    ----------
    path
        Where it was read, for messages.
    data
        What it holds.

    Raises
    ------
    MorphologyError
        If its parentheses do not match, or it holds no tree.
    """
    if b"\0" in data:
        raise MorphologyError(f"{path}: is a binary file; export the reconstruction as ASC text or as SWC")
    draft = Draft(path, [], trees_are_separate=True)
    waiting = list(reversed(_parse(path, data.decode("utf-8-sig", errors="replace"))))
    while waiting:
        item = waiting.pop()
        kind = _type(item)
        points = [node for node in map(_point, item.lists) if node is not None]
        if isinstance(item.head, str) and item.head.startswith('"'):
            if (item.word.startswith(_BODIES) or kind == SOMA) and len(points) > 2:
                draft.contours.append(np.array([node.xyz for node in points]))
        elif item.word == "set":
            waiting.extend(reversed(item.lists))
        elif isinstance(item.head, _List) and points and not _is_text(item):
            _tree(draft, item, kind)
    if not draft.nodes:
        raise MorphologyError(
            f"{path}: holds no dendrites; give a Neurolucida ASC file with (Dendrite) and (Apical) trees"
        )
    return draft


def _parse(path: Path, text: str) -> list[_List]:
    """Return the lists of the outermost level."""
    top = _List(1)
    open_lists = [top]
    for line, token in _tokens(text):
        if token in "(<":
            inner = _List(line, spine=token == "<")
            open_lists[-1].items.append(inner)
            open_lists.append(inner)
        elif token in ")>":
            if len(open_lists) == 1 or open_lists[-1].spine != (token == ">"):
                raise MorphologyError(
                    f"{path}: line {line} has a '{token}' that closes nothing; correct the parentheses"
                )
            open_lists.pop()
        else:
            open_lists[-1].items.append(token)
    if len(open_lists) > 1:
        raise MorphologyError(
            f"{path}: ends within the parentheses of line {open_lists[1].line}; the file is cut off: get a whole one"
        )
    return top.lists


def _tokens(text: str) -> Iterator[tuple[int, str]]:
    line = 1
    for match in _TOKEN.finditer(text):
        token = match.group()
        if not (token.isspace() or token[0] in ",;"):
            yield line, token
        line += token.count("\n")


def _plain(word: str) -> str:
    return re.sub(r'["\s_]', "", word).lower()


def _type(item: _List) -> int:
    """Return the type that a property such as (Dendrite) says, or 0."""
    return next((_TYPES[inner.word] for inner in item.lists if inner.word in _TYPES), 0)


def _is_text(item: _List) -> bool:
    return any(isinstance(inner, str) and inner.startswith('"') for inner in item.items)


def _point(item: _List) -> Node | None:
    """Return a point from (x y z diameter), of which z and diameter may be missing, else None."""
    if item.spine:
        return None
    words = [word for word in item.items[:4] if isinstance(word, str)]
    numbers = [_number(word) for word in words]
    if len(numbers) == 4 and math.isnan(numbers[3]):
        del numbers[3]  # the name of a section, such as S1, where there is no diameter
    if len(numbers) < 2 or not _NUMERIC.match(words[0]):
        return None
    x, y, z, diameter = [*numbers, 0.0, 0.0][:4]
    return Node(f"the point of line {item.line}", 0, (x, y, z), diameter / 2)


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return math.nan


def _tree(draft: Draft, tree: _List, kind: int) -> None:
    """Add a tree: points in a row, then a list of the branches that begin there, with bars between them."""
    waiting: list[tuple[_List, Node | None]] = [(tree, None)]
    while waiting:
        item, above = waiting.pop()
        last = above
        for inner in item.items:
            if inner == "|":
                last = above
            if not isinstance(inner, _List):
                continue
            node = _point(inner)
            if node is None:
                if isinstance(inner.head, _List) and not inner.spine and not _is_text(inner):
                    waiting.append((inner, last))
                continue
            if last is not None and last is above and node.xyz == last.xyz:
                continue  # a branch may begin with the point that it begins at
            node.type, node.parent, last = kind, last, node
            draft.nodes.append(node)
