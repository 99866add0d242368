import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest

from chainrule.data import digits as digits_function
from chainrule.data import load_digits, load_zip_digits
from chainrule.data import resize as resize_function
from chainrule.errors import DataError

MNIST_FIRST_10000_COUNTS = [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]


def test_the_counts_are_those_of_the_first_10000_of_mnist() -> None:
    images, labels = load_digits()
    assert np.bincount(labels).tolist() == MNIST_FIRST_10000_COUNTS
    assert images.shape == (10_000, 28, 28) and images.dtype == np.uint8


def test_the_pixels_are_pinned() -> None:
    images, _ = load_digits()
    assert (
        hashlib.sha256(images.tobytes()).hexdigest()
        == "0768d16c5adea568dee18fa5e4e1acb117e9ec2c5d6b1dffe5fc29c1e61c1eca"
    )
    assert images.min() == 0 and images.max() == 255


def test_each_digit_is_centred_by_mass_in_28_by_28_as_mnist_is() -> None:
    images, _ = load_digits()
    mass = images.astype(np.float64)
    total = mass.sum(axis=(1, 2))
    rows = (mass.sum(axis=2) @ np.arange(28)) / total
    columns = (mass.sum(axis=1) @ np.arange(28)) / total
    assert np.abs(rows - 13.5).max() < 1.1 and np.abs(columns - 13.5).max() < 1.1


def test_the_split_is_fixed() -> None:
    (train_images, train_labels), (test_images, test_labels) = digits_function()
    assert train_images.shape == (8500, 1, 28, 28) and test_images.shape == (1500, 1, 28, 28)
    assert train_images.dtype == np.float32 and train_labels.dtype == np.int64
    assert train_images.min() == 0 and train_images.max() == 1
    assert np.bincount(test_labels).tolist() == [150, 169, 149, 155, 147, 129, 152, 160, 142, 147]
    assert train_labels[:10].tolist() == [0, 8, 3, 8, 2, 0, 0, 4, 2, 0]
    assert test_labels[:10].tolist() == [8, 2, 8, 1, 7, 4, 9, 5, 5, 2]
    both = np.concatenate([train_labels, test_labels])
    assert np.bincount(both).tolist() == MNIST_FIRST_10000_COUNTS


def test_no_image_is_in_both_parts() -> None:
    (train_images, _), (test_images, _) = digits_function()
    training = {image.tobytes() for image in train_images}
    assert not any(image.tobytes() in training for image in test_images)


def test_labels_belong_to_their_images() -> None:
    (train_images, train_labels), (test_images, test_labels) = digits_function()
    means = np.stack([train_images[train_labels == digit].mean(axis=0).ravel() for digit in range(10)])
    flat = test_images.reshape(len(test_images), -1)
    nearest = ((flat[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == test_labels).mean() > 0.78  # a nearest-mean classifier gets about 0.8; chance is 0.1


def test_the_zip_form_of_1989() -> None:
    (train_images, train_labels), (test_images, test_labels) = load_zip_digits()
    assert train_images.shape == (7291, 1, 16, 16) and test_images.shape == (2007, 1, 16, 16)
    assert train_images.dtype == np.float32 and test_labels.dtype == np.int64
    assert train_images.min() == -1 and 0.99 < train_images.max() <= 1
    assert np.bincount(test_labels).tolist() == [201, 226, 199, 207, 197, 173, 204, 215, 189, 196]
    assert train_labels[:10].tolist() == [8, 3, 8, 2, 0, 0, 4, 0, 9, 1]
    training = {image.tobytes() for image in train_images}
    assert not any(image.tobytes() in training for image in test_images)


def test_the_zip_form_keeps_the_ink() -> None:
    (train_images, _), (test_images, _) = load_zip_digits()
    images, _ = load_digits()
    reduced_ink = (np.concatenate([train_images, test_images]) + 1).mean() / 2
    assert abs(reduced_ink - images.mean() / 255) < 1e-3
    (bilinear, _), _ = load_zip_digits("bilinear")
    assert not np.array_equal(bilinear, train_images)
    assert resize_function(images[0], 16, 16).shape == (16, 16)


@pytest.mark.parametrize("damage", ["missing", "text", "cut", "too few"])
def test_a_damaged_file_is_named(damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["chainrule.data.digits"]
    path = tmp_path / "digits.npz"
    if damage == "text":
        path.write_text("no zip")
    elif damage == "cut":
        path.write_bytes(Path(module.DIGITS_FILE).read_bytes()[:1000])
    elif damage == "too few":
        np.savez(path, images=np.zeros((2, 28, 28), np.uint8), labels=np.zeros(2, np.uint8))
    monkeypatch.setattr(module, "DIGITS_FILE", path)
    with pytest.raises(DataError, match="install it again"):
        load_digits()
