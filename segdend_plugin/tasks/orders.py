"""The order of two patterns: a task in time that no image can express."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from segdend_plugin.errors import DataError
from segdend_plugin.model import streams
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.model.trial import Signal, Stimulus
from segdend_plugin.rule.base import Phases
from segdend_plugin.tasks.base import Aimed, Classes, digest_of
from segdend_plugin.tasks.trains import check_answer, marks_of
from segdend_plugin.types import Array, is_number


@dataclass(frozen=True, eq=False)
class TwoOrders(Aimed):
    """Two patterns are shown one after the other, overlapping; the class is their order: 0 for A, B and 1 for B, A.

    Every input cell belongs to one of the patterns, which are fixed; the examples differ by normal noise on each
    cell's level, keyed by the number of the example, and by the Poisson spikes. A cell is on for `length` ms in either
    order, at a level that does not depend on it. So the mean input over an example is the same for both classes, cell
    by cell: nothing that sees only this mean, as an image would show it, can answer better than by chance. What differs
    is when cells are on.

    By default the answer is read from the second pattern's onset on, when the pattern that came first is on for only
    `overlap` of the `length` ms, beside what synapses and membranes keep of it. With ``answer_from=0`` both patterns
    are on for equally long within the window, too; then only this memory tells them apart: of the later pattern, the
    synaptic filter's mean delay of 13 ms is not yet in the window's mean.

    Attributes
    ----------
    n
        Number of examples, alternately of the classes.
    seed
        Of patterns and noise.
    pixels
        Input cells.
    length, overlap
        For how long each pattern is on, and for how long both are (ms).
    after
        Time without input at the end (ms).
    answer_from
        From when on the answer is read (ms), None for the onset of the second pattern.
    noise
        Standard deviation of each level over examples; levels stay between 0 and 1.
    first
        Number of the first example: another one gives examples to be held out, of the same patterns.
    cells_per_class, input, output, phases
        As of :class:`~segdend_plugin.tasks.images.Images`.

    Raises
    ------
    DataError
        If a number is out of range.
    """

    n: int = 1000
    seed: int = 0
    pixels: int = 100
    length: float = 60.0
    overlap: float = 20.0
    after: float = 0.0
    answer_from: float | None = None
    noise: float = 0.1
    first: int = 0
    cells_per_class: int = 1
    input: str = "input"
    output: str = "output"
    phases: Phases | None = None
    goal: Classes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        streams.check_seed(self.seed)
        for name, least in (("n", 1), ("pixels", 2), ("first", 0), ("overlap", 0), ("after", 0), ("noise", 0)):
            value = getattr(self, name)
            if not is_number(value) or value < least:
                raise DataError(f"{name}={value!r}: give {least} or more.")
        if not is_number(self.length) or self.length <= self.overlap:
            raise DataError(f"length={self.length!r}: give more than the overlap ({self.overlap} ms).")
        check_answer(self.answer_from, self.duration)
        labels = (self.first + np.arange(self.n)) % 2
        object.__setattr__(self, "goal", Classes(labels, 2, self.output, self.cells_per_class))

    @property
    def duration(self) -> float:
        """Length of an example (ms)."""
        return 2 * self.length - self.overlap + self.after

    @property
    def inputs(self) -> Mapping[str, int]:
        """The input population."""
        return {self.input: self.pixels}

    @cached_property
    def digest(self) -> str:
        """Of all numbers that make the examples."""
        times = (self.length, self.overlap, self.after, self.answer_from)
        return digest_of(self.n, self.seed, self.pixels, times, self.noise, self.first, self.input, self.goal.digest)

    @cached_property
    def _patterns(self) -> tuple[Array, Array]:
        """Level of every cell in its pattern, and which pattern that is as rows of 0 and 1, shape (2, pixels)."""
        random = stream(self.seed, Purpose.SHUFFLE)
        mine = np.zeros((2, self.pixels))
        mine[np.arange(self.pixels) % 2, random.permutation(self.pixels)] = 1.0
        return random.random(self.pixels), mine

    def stimuli(self, numbers: Sequence[int]) -> Sequence[Stimulus]:
        """Return the patterns in the order of each example's class."""
        onset = self.length - self.overlap
        borders = [0.0, onset, *([self.length] if self.overlap > 0 else []), onset + self.length]
        marks = marks_of(onset if self.answer_from is None else self.answer_from)
        levels, mine = self._patterns
        made = []
        for k in numbers:
            noise = stream(self.seed, Purpose.SHUFFLE, self.first + int(k)).normal(size=self.pixels)
            patterns = np.clip(levels + self.noise * noise, 0.0, 1.0) * mine
            earlier, later = patterns[:: -1 if self.goal.labels[k] else 1]
            pieces = [earlier, *([earlier + later] if self.overlap > 0 else []), later]
            signal = Signal(np.array(borders), np.array(pieces))
            made.append(Stimulus({self.input: signal}, self.goal.target(k), self.duration, marks))
        return made
