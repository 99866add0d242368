from typing import Any

import numpy as np
import pytest

from chainrule.data import resize
from chainrule.data.resize import area_weights, bilinear_weights
from chainrule.errors import ConfigurationError, DataError

IMAGES = np.random.default_rng(0).random((3, 28, 20))


@pytest.mark.parametrize("size", [(16, 16), (7, 5), (28, 20), (30, 41), (1, 1)])
def test_area_is_the_mean_of_what_each_new_pixel_covers(size: tuple[int, int]) -> None:
    height, width = size
    fine = np.repeat(
        np.repeat(IMAGES, height, axis=1), width, axis=2
    )  # (3, 28 h, 20 w): every border falls on a pixel edge
    expected = fine.reshape(3, height, 28, width, 20).mean(axis=(2, 4))
    np.testing.assert_allclose(resize(IMAGES, height, width), expected, atol=1e-6)


@pytest.mark.parametrize("size", [(16, 16), (14, 10), (5, 19)])
def test_bilinear_is_what_pillow_does(size: tuple[int, int]) -> None:
    image_module = pytest.importorskip("PIL.Image")
    height, width = size
    picture = image_module.fromarray(IMAGES[0].astype(np.float32))
    expected = np.asarray(picture.resize((width, height), image_module.Resampling.BILINEAR))
    np.testing.assert_allclose(resize(IMAGES[0], height, width, "bilinear"), expected, atol=1e-6)


@pytest.mark.oracle
@pytest.mark.parametrize("size", [(16, 16), (40, 33)])
def test_bilinear_is_what_pytorch_does(size: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch")
    expected = torch.nn.functional.interpolate(
        torch.tensor(IMAGES, dtype=torch.float32)[None], size, mode="bilinear", antialias=True
    )[0]
    np.testing.assert_allclose(resize(IMAGES, *size, method="bilinear"), expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("weights", [area_weights, bilinear_weights])
@pytest.mark.parametrize(("old", "new"), [(28, 16), (3, 10), (5, 5), (1, 4)])
def test_weights_sum_to_one(weights: Any, old: int, new: int) -> None:
    matrix = weights(old, new)
    assert matrix.shape == (new, old)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-6)
    assert (matrix >= 0).all()


def test_bytes_stay_in_their_range() -> None:
    white = np.full((2, 1, 9, 9), 255, np.uint8)
    assert resize(white, 4, 4).shape == (2, 1, 4, 4)
    np.testing.assert_allclose(resize(white, 4, 4), 255, rtol=1e-6)


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ConfigurationError, match="no resize method 'cubic'; known: area, bilinear"):
        resize(IMAGES, 2, 2, "cubic")
    with pytest.raises(ConfigurationError, match="at least 1 x 1 pixels, not 0 x 2"):
        resize(IMAGES, 0, 2)
    with pytest.raises(DataError, match=r"shape \(\.\.\., rows, columns\), not \(28,\)"):
        resize(IMAGES[0, :, 0], 2, 2)
