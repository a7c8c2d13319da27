"""Images as constant levels, with labels: digits, files, arrays; nothing is downloaded without being asked for."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import isqrt
from pathlib import Path
from typing import Any, Literal

import numpy as np

from segdend_plugin.errors import ConfigError, DataError
from segdend_plugin.model.graph import Graph
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.model.trial import Stimulus
from segdend_plugin.rule.base import Phases
from segdend_plugin.tasks.base import Aimed, Answer, Classes, Task, check, check_levels, digest_of
from segdend_plugin.types import Array, Integers

DIGITS_TRAIN = 1437
_MNIST_KEYS = ("x_train", "y_train", "x_test", "y_test")
Name = Literal["digits", "mnist"]
Labels = Literal["class", "parity", "low_high"]
Labelled = tuple[Array, Integers]
"""Rates and labels, before they become a task."""


@dataclass(frozen=True, eq=False)
class Images(Aimed):
    """A task: each image is a level for every input cell, as long as the phases want, and belongs to a class.

    Attributes
    ----------
    rates
        Brightness between 0 and 1, shape (n, pixels).
    labels
        Class of each image, shape (n,).
    classes
        How many there are; 0: as many as the labels need.
    cells_per_class
        Output cells that stand for each class.
    input, output
        Names of the populations.
    answer
        What of the output cells is their answer: ``"rate"`` for cells that spike by themselves.
    phases
        Windows of the trials; None: those of the rule.
    shift
        Pixels by which an image that is learned is shifted at most, up or down and left or right, each time anew; what
        comes in is dark.
    shape
        Rows and columns of an image, by default of a square one; only what shifts needs it.

    Raises
    ------
    DataError
        If brightness or labels are out of range, there is not one label for each image, or pixels cannot be shifted.
    """

    rates: Array
    labels: Integers
    classes: int = 0
    cells_per_class: int = 1
    input: str = "input"
    output: str = "output"
    answer: Answer = "potential"
    phases: Phases | None = None
    shift: int = 0
    shape: tuple[int, int] | None = None
    goal: Classes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        rates = np.asarray(self.rates)
        if rates.ndim != 2 or rates.dtype.kind not in "buif":
            raise DataError(f"images have shape {rates.shape} and type {rates.dtype}: give numbers, (n, pixels).")
        if np.shape(self.labels) != (len(rates),):
            raise DataError(f"labels have shape {np.shape(self.labels)}: give one for each of the {len(rates)} images.")
        check_levels("images", rates)
        self._check_shift(rates.shape[1])
        goal = Classes(self.labels, self.classes, self.output, self.cells_per_class, self.answer)
        for name, value in (("rates", rates.astype(np.float64, copy=False)), ("labels", goal.labels)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "classes", goal.classes)
        object.__setattr__(self, "goal", goal)

    def _check_shift(self, pixels: int) -> None:
        if isinstance(self.shift, bool) or not isinstance(self.shift, (int, np.integer)) or self.shift < 0:
            raise DataError(f"shift={self.shift!r}: give a whole number of 0 or more pixels.")
        if not self.shift:
            return
        side = isqrt(pixels)
        rows, columns = (side, side) if self.shape is None else self.shape
        if rows * columns != pixels:
            raise DataError(
                f"shape={self.shape}: images have {pixels} pixels: give rows and columns with this product."
            )
        if self.shift >= min(rows, columns):
            raise DataError(f"shift={self.shift}: nothing is left of images of {rows} x {columns} pixels: lower it.")
        object.__setattr__(self, "shape", (rows, columns))

    @property
    def inputs(self) -> Mapping[str, int]:
        """The input population, a cell per pixel."""
        return {self.input: self.rates.shape[1]}

    @cached_property
    def digest(self) -> str:
        """Of images, labels and cells."""
        varied = (f"shift {self.shift}, {self.shape}",) if self.shift else ()
        return digest_of(self.input, self.rates, self.goal.digest, *varied)

    def stimuli(self, numbers: Sequence[int]) -> Sequence[Stimulus]:
        """Return images with what is wanted of the output cells."""
        return [Stimulus({self.input: self.rates[k]}, self.goal.target(k)) for k in numbers]

    def varied(self, numbers: Sequence[int], seed: int, examples: Sequence[int]) -> Sequence[Stimulus]:
        """Return images, each shifted as its training example has drawn it, with what is wanted of the output cells."""
        if self.shape is None or not self.shift:
            return self.stimuli(numbers)
        shown = []
        for k, example in zip(numbers, examples, strict=True):
            down, right = stream(seed, Purpose.SHIFT, example).integers(-self.shift, self.shift + 1, size=2).tolist()
            image = shifted(self.rates[k].reshape(self.shape), down, right)
            shown.append(Stimulus({self.input: image.reshape(-1)}, self.goal.target(k)))
        return shown

    def first(self, count: int | None) -> Images:
        """Return the first `count` images (all of them for None)."""
        return replace(self, rates=self.rates[:count], labels=self.labels[:count])


def shifted(image: Array, down: int, right: int) -> Array:
    """Return an image, shape (rows, columns), moved by so many pixels, dark where nothing comes in."""
    rows, columns = image.shape
    moved = np.zeros_like(image)
    moved[max(down, 0) : rows + min(down, 0), max(right, 0) : columns + min(right, 0)] = image[
        max(-down, 0) : rows - max(down, 0), max(-right, 0) : columns - max(right, 0)
    ]
    return moved


def arrays(images: np.ndarray, labels: np.ndarray, **options: Any) -> Images:
    """Return a task of somebody's own images.

    Parameters
    ----------
    images
        Shape (n, ...); 8-bit pixels are divided by 255, others are to be between 0 and 1.
    labels
        Whole numbers, shape (n,).
    options
        As of :class:`Images`.
    """
    pixels = np.asarray(images)
    if pixels.ndim < 2 or len(pixels) == 0 or pixels.dtype.kind not in "buif":
        raise DataError(f"images have shape {pixels.shape} and type {pixels.dtype}: give numbers, images first.")
    if pixels.ndim == 3:
        options.setdefault("shape", pixels.shape[1:])
    return Images(_scaled(pixels), np.asarray(labels), **options)


@dataclass(frozen=True)
class Dataset:
    """Training images and the images that are held out for evaluation.

    Attributes
    ----------
    train, held_out
        Disjoint images.
    held_out_name
        ``"test"``, or ``"validation"`` where part of the training images is held out instead.
    classes
        Number of classes.
    """

    train: Images
    held_out: Images
    held_out_name: str
    classes: int


def load(
    name: Name = "digits",
    *,
    path: str | Path | None = None,
    train: int | None = None,
    test: int | None = None,
    validation: int = 0,
    classes: Sequence[int] | None = None,
    labels: Labels = "class",
    shift: int = 0,
    **options: Any,
) -> Dataset:
    """Load digits, or images of a file.

    Parameters
    ----------
    name
        The embedded 8x8 digits, or MNIST from `path`; a path decides where it is given.
    path
        An .npz file with x_train, y_train, x_test, y_test.
    train, test
        How many images, all by default.
    validation
        Training images that are held out, instead of the test images.
    classes
        Labels to keep, which are then counted in this order.
    labels
        ``"class"``; ``"parity"``: even or odd; ``"low_high"``: 0-4 or 5-9.
    shift
        Pixels by which training images are shifted at most, each time anew.
    options
        As of :class:`Images`: names of populations, cells per class.

    Raises
    ------
    DataError
        If a file is missing or damaged, a rate is out of range or not finite, or there are too few images.
    """
    if name == "digits" and path is None:
        training, testing, count = _digits(train, test, classes)
    else:
        training, testing, count = _from_file(path, train, test, classes)
    if labels != "class":
        training, testing, count = _relabel(training, labels), _relabel(testing, labels), 2
    elif classes is not None:
        training, testing, count = _renumber(training, classes), _renumber(testing, classes), len(classes)
    held_out, held_out_name = testing, "test"
    if validation > 0:
        rest = len(training[1]) - validation
        if rest <= 0:
            raise DataError(f"data.validation={validation} leaves no training image of {len(training[1])}: lower it.")
        training, held_out = _part(training, slice(rest)), _part(training, slice(rest, None))
        held_out_name = "validation"
    options = {"classes": count, **options}
    return Dataset(Images(*training, shift=shift, **options), Images(*held_out, **options), held_out_name, count)


def _part(images: Labelled, which: slice | np.ndarray) -> Labelled:
    rates, labels = images
    return rates[which], labels[which]


def _check_enough(part: str, there: int, wanted: int | None) -> None:
    if wanted is not None and (type(wanted) is not int or wanted < 1):
        raise DataError(f"data.{part}={wanted!r}: give 1 or more images, or None for all.")
    if wanted is not None and wanted > there:
        raise DataError(f"data.{part}={wanted} is more than the {there} images there are: lower it.")


def _digits(n_train: int | None, n_test: int | None, classes: Sequence[int] | None) -> tuple[Labelled, Labelled, int]:
    """Return scikit-learn's embedded 8x8 digits, split once and for all into 1437 and 360 images."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    order = stream(0, Purpose.SPLIT).permutation(len(bunch.target))
    images = bunch.data[order] / 16.0, bunch.target[order].astype(np.int64)
    train, test = _part(images, slice(DIGITS_TRAIN)), _part(images, slice(DIGITS_TRAIN, None))
    if classes is not None:
        train, test = (_part(part, _kept(part[1], classes)) for part in (train, test))
    _check_enough("train", len(train[1]), n_train)
    _check_enough("test", len(test[1]), n_test)
    return _part(train, slice(n_train)), _part(test, slice(n_test)), 10


def _from_file(
    given: str | Path | None, n_train: int | None, n_test: int | None, classes: Sequence[int] | None
) -> tuple[Labelled, Labelled, int]:
    if given is None:
        raise DataError("data.name='mnist' needs data.path: give an .npz file with x_train, y_train, x_test, y_test.")
    where = f"data.path={str(given)!r}"
    try:
        archive = np.load(Path(given).expanduser(), allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError
        with archive:
            found = {key: archive[key] for key in _MNIST_KEYS if key in archive}
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        reason = getattr(error, "strerror", None) or "it is not an .npz archive"
        raise DataError(f"{where} cannot be read ({reason}): give an .npz file.") from None
    missing = [key for key in _MNIST_KEYS if key not in found]
    if missing:
        raise DataError(f"{where} has no {missing[0]}: store {', '.join(_MNIST_KEYS)} in it.")
    train = _images(where, "train", found["x_train"], found["y_train"], classes, n_train)
    test = _images(where, "test", found["x_test"], found["y_test"], classes, n_test)
    return train, test, int(max(found["y_train"].max(), found["y_test"].max())) + 1


def _kept(labels: np.ndarray, classes: Sequence[int]) -> np.ndarray:
    """Return which images have a label that is to be kept."""
    for label in classes:
        if label not in labels:
            raise DataError(f"data.classes has {label}, but no image has this label: take it out.")
    return np.isin(labels, classes)


def _images(
    where: str, part: str, pixels: np.ndarray, labels: np.ndarray, classes: Sequence[int] | None, wanted: int | None
) -> Labelled:
    """Check the images that are wanted, and only then make floating-point numbers of them."""
    these = f"{where}, x_{part}"
    if pixels.ndim < 2 or len(pixels) == 0 or pixels.dtype.kind not in "uif":
        raise DataError(f"{these} has shape {pixels.shape} and type {pixels.dtype}: give numbers, images first.")
    if labels.shape != (len(pixels),) or labels.dtype.kind not in "ui":
        raise DataError(f"{these} has {len(pixels)} images but y_{part} has shape {labels.shape}: one integer each.")
    if classes is not None:
        kept = _kept(labels, classes)
        pixels, labels = pixels[kept], labels[kept]
    _check_enough(part, len(pixels), wanted)
    if labels.min() < 0:
        raise DataError(f"{where}, y_{part} has the label {labels.min()}: labels start at 0.")
    rates, labels = _scaled(pixels[:wanted]), labels[:wanted].astype(np.int64)
    if not np.isfinite(rates).all():
        raise DataError(f"{these} has pixels that are not finite (NaN or infinity): replace them.")
    if rates.min() < 0.0 or rates.max() > 1.0:
        raise DataError(
            f"{these} has rates from {rates.min():g} to {rates.max():g}: scale them to 0..1 or store 8-bit pixels."
        )
    return rates, labels


def _scaled(pixels: np.ndarray) -> Array:
    """Return pixels as floating-point numbers, shape (n, pixels)."""
    rates = pixels.reshape(len(pixels), -1).astype(np.float64)
    if pixels.dtype == np.uint8:
        rates /= 255.0
    return rates


def _relabel(images: Labelled, labels: Labels) -> Labelled:
    rates, numbers = images
    return rates, numbers % 2 if labels == "parity" else (numbers >= 5).astype(np.int64)


def _renumber(images: Labelled, classes: Sequence[int]) -> Labelled:
    """Count the classes in the order in which they are given."""
    order = list(classes)
    return images[0], np.array([order.index(label) for label in images[1].tolist()], dtype=np.int64)


def check_fits(dataset: Dataset, n_output: int) -> None:
    """Raise DataError if a label has no output cell."""
    if dataset.classes > n_output:
        raise DataError(
            f"layers.output={n_output} has no cell for label {dataset.classes - 1}: "
            f"give at least {dataset.classes} output cells."
        )
    if dataset.train.rates.shape[1] != dataset.held_out.rates.shape[1]:
        raise DataError(
            f"data.path: training images have {dataset.train.rates.shape[1]} pixels and test images "
            f"{dataset.held_out.rates.shape[1]}: give images of one size."
        )


def task_of(
    graph: Graph, task: Task | Array, targets: Array | None = None, *, answer: Answer = "potential", asked: bool = False
) -> Task:
    """Return a task that fits a graph, from images where it is none.

    Parameters
    ----------
    graph
        With one input and one taught population, if images are given.
    task, targets
        A task, or images with their labels.
    answer
        What taught cells answer to images.
    asked
        Whether only answers are wanted, so that images need no labels.

    Raises
    ------
    SegDendError
        If they do not fit.
    """
    if not isinstance(task, np.ndarray):
        if targets is not None:
            raise ConfigError("targets: a task has its own: leave them out, or give images instead of the task.")
        check(task, graph)
        return task
    if targets is None and not asked:
        raise DataError("targets=None: the images have no labels: give one for each.")
    if len(graph.inputs) != 1 or len(graph.taught) != 1:
        raise ConfigError("images: the graph has several inputs or taught populations: give a task instead.")
    source, output = graph.inputs[0], graph.taught[0]
    labels = np.zeros(len(task), dtype=np.int64) if targets is None else targets
    made = arrays(task, labels, input=source.name, output=output.name, classes=output.size, answer=answer)
    check(made, graph)
    return made
