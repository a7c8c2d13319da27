"""Images: the embedded digits, files, and what is refused."""

import numpy as np
import pytest

from segdend_plugin.errors import DataError
from segdend_plugin.tasks import images


@pytest.fixture
def write(tmp_path):
    def make(**changes):
        arrays = {
            "x_train": np.linspace(0, 255, 6 * 16).reshape(6, 4, 4).astype(np.uint8),
            "y_train": np.array([0, 1, 2, 0, 1, 2]),
            "x_test": np.zeros((3, 4, 4), np.uint8),
            "y_test": np.array([0, 1, 2]),
        }
        arrays.update(changes)
        path = tmp_path / "data.npz"
        np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
        return str(path)

    return make


def test_digits():
    dataset = images.load()
    assert (len(dataset.train), len(dataset.held_out), dataset.classes) == (1437, 360, 10)
    assert dataset.train.rates.shape == (1437, 64)
    assert dataset.train.rates.min() == 0
    assert dataset.train.rates.max() == 1
    assert np.bincount(dataset.held_out.labels).min() >= 20


def test_no_image_is_in_both_parts():
    dataset = images.load(validation=300)
    train = {row.tobytes() for row in dataset.train.rates}
    assert dataset.held_out_name == "validation"
    assert len(dataset.train) == 1137
    assert not any(row.tobytes() in train for row in dataset.held_out.rates)


def test_labels():
    classes = images.load().train.labels
    np.testing.assert_array_equal(images.load(labels="parity").train.labels, classes % 2)
    np.testing.assert_array_equal(images.load(labels="low_high").train.labels, classes >= 5)
    assert images.load(labels="parity").classes == 2


def test_classes_are_counted_in_the_order_in_which_they_are_kept():
    dataset = images.load(classes=(8, 3))
    assert dataset.classes == dataset.train.classes == 2
    every = images.load().train
    kept = np.isin(every.labels, (3, 8))
    np.testing.assert_array_equal(dataset.train.rates, every.rates[kept])
    np.testing.assert_array_equal(dataset.train.labels, every.labels[kept] == 3)


def test_eight_bit_pixels_become_rates(write):
    dataset = images.load(path=write())
    assert dataset.train.rates.shape == (6, 16)
    assert dataset.train.rates.max() == 1.0
    assert dataset.classes == 3


def test_mnist(mnist):
    dataset = images.load("mnist", path=str(mnist), train=100, test=50)
    assert dataset.train.rates.shape == (100, 784)
    assert len(dataset.held_out) == 50
    assert dataset.classes == 10


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x_train": np.full((6, 16), np.nan)}, ["x_train", "NaN"]),
        ({"x_train": np.full((6, 16), 1.5)}, ["x_train", "1.5", "0..1"]),
        ({"x_test": np.full((3, 16), -0.1)}, ["x_test", "-0.1"]),
        ({"y_test": None}, ["no y_test"]),
        ({"y_train": np.array([0, 1])}, ["y_train", "(2,)"]),
        ({"y_train": np.array([0, 1, 2, 0, 1, -2])}, ["y_train", "-2"]),
        ({"x_train": np.array(["a"] * 6).reshape(6, 1)}, ["x_train"]),
    ],
)
def test_bad_arrays(write, changes, words):
    with pytest.raises(DataError) as caught:
        images.load(path=write(**changes))
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04broken"])
def test_damaged_files(tmp_path, content):
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"x\.npz"):
        images.load(path=path)


def test_too_few_images_and_cells(write):
    path = write()
    with pytest.raises(DataError, match=r"data\.train=7"):
        images.load(path=path, train=7)
    with pytest.raises(DataError, match=r"data\.validation=6"):
        images.load(path=path, validation=6)
    with pytest.raises(DataError, match=r"layers\.output=2 has no cell for label 2"):
        images.check_fits(images.load(path=path), 2)
    with pytest.raises(DataError, match=r"data\.path"):
        images.load("mnist")
