"""Digits as rates between 0 and 1, with labels; nothing is downloaded without being asked for."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segdend_plugin.errors import DataError
from segdend_plugin.experiment.parts import Data
from segdend_plugin.model.streams import Purpose, stream
from segdend_plugin.types import Array, Integers

DIGITS_TRAIN = 1437
_MNIST_KEYS = ("x_train", "y_train", "x_test", "y_test")


@dataclass(frozen=True)
class Images:
    """Images and what they show.

    Attributes
    ----------
    rates
        Brightness between 0 and 1, shape (n, pixels).
    labels
        Class of each image, shape (n,).
    """

    rates: Array
    labels: Integers

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int | None) -> Images:
        """Return the first `count` images (all of them for None)."""
        return Images(self.rates[:count], self.labels[:count])


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


def load(data: Data) -> Dataset:
    """Load what a description asks for.

    Raises
    ------
    DataError
        If a file is missing or damaged, a rate is out of range or not finite, or there are too few images.
    """
    train, test, classes = _digits(data) if data.name == "digits" and data.path is None else _from_file(data)
    if data.labels != "class":
        train, test, classes = _relabel(train, data.labels), _relabel(test, data.labels), 2
    elif data.classes is not None:
        train, test, classes = _renumber(train, data.classes), _renumber(test, data.classes), len(data.classes)
    if data.validation == 0:
        return Dataset(train, test, "test", classes)
    if data.validation >= len(train):
        raise DataError(f"data.validation={data.validation} leaves no training image of {len(train)}: lower it.")
    rest = len(train) - data.validation
    held_out = Images(train.rates[rest:], train.labels[rest:])
    return Dataset(train.first(rest), held_out, "validation", classes)


def _check_enough(part: str, there: int, wanted: int | None) -> None:
    if wanted is not None and wanted > there:
        raise DataError(f"data.{part}={wanted} is more than the {there} images there are: lower it.")


def _digits(data: Data) -> tuple[Images, Images, int]:
    """Return scikit-learn's embedded 8x8 digits, split once and for all into 1437 and 360 images."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    order = stream(0, Purpose.SPLIT).permutation(len(bunch.target))
    images = Images(bunch.data[order] / 16.0, bunch.target[order].astype(np.int64))
    train, test = images.first(DIGITS_TRAIN), Images(images.rates[DIGITS_TRAIN:], images.labels[DIGITS_TRAIN:])
    if data.classes is not None:
        train, test = (Images(p.rates[_kept(p.labels, data)], p.labels[_kept(p.labels, data)]) for p in (train, test))
    _check_enough("train", len(train), data.train)
    _check_enough("test", len(test), data.test)
    return train.first(data.train), test.first(data.test), 10


def _from_file(data: Data) -> tuple[Images, Images, int]:
    if data.path is None:
        raise DataError("data.name='mnist' needs data.path: give an .npz file with x_train, y_train, x_test, y_test.")
    path = Path(data.path).expanduser()
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError
        with archive:
            arrays = {key: archive[key] for key in _MNIST_KEYS if key in archive}
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        reason = getattr(error, "strerror", None) or "it is not an .npz archive"
        raise DataError(f"data.path={data.path!r} cannot be read ({reason}): give an .npz file.") from None
    missing = [key for key in _MNIST_KEYS if key not in arrays]
    if missing:
        raise DataError(f"data.path={data.path!r} has no {missing[0]}: store {', '.join(_MNIST_KEYS)} in it.")
    train = _images("train", arrays["x_train"], arrays["y_train"], data, data.train)
    test = _images("test", arrays["x_test"], arrays["y_test"], data, data.test)
    return train, test, int(max(arrays["y_train"].max(), arrays["y_test"].max())) + 1


def _kept(labels: np.ndarray, data: Data) -> np.ndarray:
    """Return which images have a label that is to be kept."""
    for label in data.classes or ():
        if label not in labels:
            raise DataError(f"data.classes has {label}, but no image has this label: take it out.")
    return np.isin(labels, data.classes) if data.classes is not None else np.ones(len(labels), dtype=bool)


def _images(part: str, pixels: np.ndarray, labels: np.ndarray, data: Data, wanted: int | None) -> Images:
    """Check the images that are wanted, and only then make floating-point numbers of them."""
    path = data.path
    where = f"data.path={path!r}, x_{part}"
    if pixels.ndim < 2 or len(pixels) == 0 or pixels.dtype.kind not in "uif":
        raise DataError(f"{where} has shape {pixels.shape} and type {pixels.dtype}: give numbers, images first.")
    if labels.shape != (len(pixels),) or labels.dtype.kind not in "ui":
        raise DataError(f"{where} has {len(pixels)} images but y_{part} has shape {labels.shape}: one integer each.")
    if data.classes is not None:
        kept = _kept(labels, data)
        pixels, labels = pixels[kept], labels[kept]
    _check_enough(part, len(pixels), wanted)
    if labels.min() < 0:
        raise DataError(f"data.path={path!r}, y_{part} has the label {labels.min()}: labels start at 0.")
    pixels, labels = pixels[:wanted], labels[:wanted]
    rates = pixels.reshape(len(pixels), -1).astype(np.float64)
    if pixels.dtype == np.uint8:
        rates /= 255.0
    if not np.isfinite(rates).all():
        raise DataError(f"{where} has pixels that are not finite (NaN or infinity): replace them.")
    if rates.min() < 0.0 or rates.max() > 1.0:
        raise DataError(
            f"{where} has rates from {rates.min():g} to {rates.max():g}: scale them to 0..1 or store 8-bit pixels."
        )
    return Images(rates, labels.astype(np.int64))


def _relabel(images: Images, labels: str) -> Images:
    if labels == "parity":
        return Images(images.rates, images.labels % 2)
    return Images(images.rates, (images.labels >= 5).astype(np.int64))


def _renumber(images: Images, classes: Sequence[int]) -> Images:
    """Count the classes in the order in which they are given."""
    order = list(classes)
    return Images(images.rates, np.array([order.index(label) for label in images.labels.tolist()], dtype=np.int64))


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
