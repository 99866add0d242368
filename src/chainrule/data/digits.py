"""10,000 real handwritten digits, shipped inside the package; `digits.md` beside this file records their origin."""

from __future__ import annotations

import os.path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .resize import resize
from .split import split_indices

Images: TypeAlias = NDArray[np.float32]
Labels: TypeAlias = NDArray[np.int64]
Split: TypeAlias = tuple[tuple[Images, Labels], tuple[Images, Labels]]

DIGITS_FILE = os.path.join(os.path.dirname(__file__), "digits.npz")
COUNTS = (1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978)  # of each digit, 0 to 9
SPLIT_SEED = 0
TEST_COUNT = 1_500
ZIP_TRAINING_COUNT, ZIP_TEST_COUNT = 7_291, 2_007  # LeCun et al. 1989
ZIP_SIZE = 16


def load_digits() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """All digits as the source holds them, grouped by class: images uint8 (10000, 28, 28), labels uint8 (10000,)."""
    from zipfile import BadZipFile  # here, since it takes as long to import as all the rest of this package

    try:
        with open(DIGITS_FILE, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            images, labels = file["images"], file["labels"]
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise DataError(f"the digits shipped with the package can't be read, install it again: {error}") from error
    if images.shape != (sum(COUNTS), 28, 28) or tuple(np.bincount(labels, minlength=10)) != COUNTS:
        raise DataError(f"the digits shipped with the package are damaged, install it again: {DIGITS_FILE}")
    return images, labels


def digits() -> Split:
    """(training images, labels), (test images, labels): 8,500 + 1,500 MNIST digits, always the same split.

    Images are float32 (n, 1, 28, 28), 0 (paper) to 1 (ink); labels int64 (n,). The test set has every digit in
    proportion; both parts are in the shuffled order of seed 0. With 1,500 test digits, an accuracy of 98 % has a
    standard error of 0.36 points.

    >>> (train_images, train_labels), (test_images, test_labels) = digits()
    >>> train_images.shape, test_labels.shape
    ((8500, 1, 28, 28), (1500,))
    """
    images, labels = load_digits()
    training, test = split_indices(len(labels), TEST_COUNT, SPLIT_SEED, stratify=labels)
    return _unit_range(images, labels, training), _unit_range(images, labels, test)


def load_zip_digits(method: str = "area") -> Split:
    """(training images, labels), (test images, labels) in the form of LeCun et al. 1989: 7,291 + 2,007 digits.

    Images are float32 (n, 1, 16, 16) in [-1, 1], reduced from 28 x 28 by `method` (see `resize`); labels int64 (n,).
    The 1989 set came from envelopes and is not public; these are MNIST digits, as in Karpathy's replication of 2022.
    """
    images, labels = load_digits()
    rest, test = split_indices(len(labels), ZIP_TEST_COUNT, SPLIT_SEED, stratify=labels)
    training = rest[:ZIP_TRAINING_COUNT]
    return _zip_form(images, labels, training, method), _zip_form(images, labels, test, method)


def _unit_range(images: NDArray[np.uint8], labels: NDArray[np.uint8], rows: NDArray[np.int64]) -> tuple[Images, Labels]:
    scaled = np.divide(images[rows], np.float32(255), dtype=np.float32)
    return scaled[:, None], labels[rows].astype(np.int64)


def _zip_form(
    images: NDArray[np.uint8], labels: NDArray[np.uint8], rows: NDArray[np.int64], method: str
) -> tuple[Images, Labels]:
    large, classes = _unit_range(images, labels, rows)
    small = resize(large, ZIP_SIZE, ZIP_SIZE, method)  # (n, 1, 16, 16)
    return np.clip(small * np.float32(2) - np.float32(1), -1, 1), classes
