"""Augmentation against SciPy, against loops, and what its random numbers follow from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import data
from chainrule.data.augment import Augmentations, Transform
from chainrule.data.warp import warped
from chainrule.errors import ConfigurationError, DataError

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.uniform(size=(12, 3, 7, 6)).astype(np.float32)
ALL: list[Transform] = [
    data.Flip(),
    data.Flip(vertical=True),
    data.RandomCrop(2),
    data.Rotate(30),
    data.Scale(),
    data.ColorJitter(),
    data.Cutout(3),
]


@pytest.mark.parametrize("angle", [0.0, 20.0, -75.0])
def test_a_warp_is_scipys(angle: float) -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    turn = np.deg2rad(angle)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) / 1.3
    mine = warped(IMAGES.astype(np.float64), np.repeat(matrix[None], len(IMAGES), 0), 0.5)
    centre = (np.array(IMAGES.shape[2:]) - 1) / 2
    for image, found in zip(IMAGES, mine):
        for channel, pixels in zip(image, found):
            offset = centre - matrix @ centre
            theirs = ndimage.affine_transform(
                np.pad(channel.astype(np.float64), 9, constant_values=0.5), matrix, offset + 9, channel.shape, order=1
            )
            np.testing.assert_allclose(pixels, theirs, atol=1e-9)


def test_nothing_turned_is_the_same_bits() -> None:
    for images in (IMAGES, (IMAGES * 255).astype(np.uint8)):
        np.testing.assert_array_equal(warped(images, np.repeat(np.eye(2)[None], len(images), 0), 0.0), images)


def test_crops_are_places_of_the_padded_image_and_all_of_them_come() -> None:
    many = np.repeat(IMAGES[:1], 400, 0)
    padded = np.pad(IMAGES[0], ((0, 0), (1, 1), (1, 1)))
    crops = {padded[:, top : top + 7, left : left + 6].tobytes() for top in range(3) for left in range(3)}
    found = Augmentations((data.RandomCrop(1),))(many, np.arange(400), 0)
    assert {image.tobytes() for image in found} == crops


def test_flips_come_half_of_the_time() -> None:
    many = np.repeat(IMAGES[:1], 1000, 0)
    found = Augmentations((data.Flip(),), seed=1)(many, np.arange(1000), 0)
    mirrored = (found == many[:, :, :, ::-1]).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(found[~mirrored], many[~mirrored])
    assert 420 < mirrored.sum() < 580  # five deviations


def test_cutout_covers_a_square() -> None:
    found = Augmentations((data.Cutout(3, fill=9.0),))(IMAGES, np.arange(12), 0)
    covered = (found == 9.0).all(axis=1)
    assert ((found != IMAGES).any(axis=1) == covered).all()
    for mask in covered:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        assert mask.sum() == len(rows) * len(columns) and 1 < len(rows) <= 3 and 1 < len(columns) <= 3


def test_colours_stay_near_and_bytes_bytes() -> None:
    pixels = (IMAGES * 255).astype(np.uint8)
    found = Augmentations((data.ColorJitter(0.1, 0.0, 0.0),))(pixels, np.arange(12), 0)
    assert found.dtype == np.uint8
    ratio = found.mean(axis=(1, 2, 3)) / pixels.mean(axis=(1, 2, 3))
    assert (ratio > 0.88).all() and (ratio < 1.12).all() and np.ptp(ratio) > 0.02


def test_what_an_image_draws_follows_from_seed_epoch_and_its_number_alone() -> None:
    change = Augmentations(tuple(ALL), seed=5)
    whole = change((IMAGES, np.arange(12)), np.arange(12), 3)[0]
    order = RANDOM.permutation(12)
    parts = [change(IMAGES[rows], rows, 3) for rows in np.split(order, 4)]
    np.testing.assert_array_equal(np.concatenate(parts), whole[order])
    assert (change(IMAGES, np.arange(12), 4) != whole).any()
    assert (Augmentations(tuple(ALL), seed=6)(IMAGES, np.arange(12), 3) != whole).any()
    loader = data.loader((IMAGES, np.arange(12)), 5, shuffle=True, seed=5, augment=ALL)
    for images, numbers in loader:
        np.testing.assert_array_equal(images, change(IMAGES[numbers], numbers, 0))


def test_mixup_mixes_inputs_and_classes_by_one_share() -> None:
    labels = np.arange(12) % 3
    images, shares = Augmentations((data.Mixup(3, alpha=0.4),))((IMAGES, labels), np.arange(12), 0)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)
    kept = np.where(labels != np.roll(labels, -1), shares[np.arange(12), labels], np.nan)
    expected = kept[:, None, None, None] * IMAGES + (1 - kept)[:, None, None, None] * np.roll(IMAGES, -1, 0)
    np.testing.assert_allclose(images, expected, rtol=1e-5, atol=1e-6)


def test_the_share_is_beta_distributed() -> None:
    from chainrule.data.augment import _beta

    for alpha in (0.2, 1.0):
        drawn = _beta(alpha, RANDOM.uniform(size=(4000, 32)))
        variance = 1 / (4 * (2 * alpha + 1))
        assert abs(drawn.mean() - 0.5) < 5 * np.sqrt(variance / 4000)
        assert abs(drawn.var() / variance - 1) < 0.1


@pytest.mark.parametrize(
    ("transforms", "batch", "error", "words"),
    [
        (["flip"], IMAGES, ConfigurationError, "a list of transforms"),
        ([data.Flip()], IMAGES[0], DataError, "changes images"),
        ([data.Mixup(3)], IMAGES, DataError, "labels too"),
        ([data.Mixup(3)], (IMAGES, np.full(12, 3)), DataError, "from 0 to 2"),
        ([data.RandomCrop(0, (9, 9))], IMAGES, ConfigurationError, "larger than images"),
    ],
)
def test_what_is_refused(transforms: Any, batch: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Augmentations(tuple(transforms))(batch, np.arange(12), 0)
