"""Convolution against SciPy's correlation, and its three primitives against each other's definition."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import signal

import chainrule as cr
from chainrule import nn
from chainrule.errors import ChainruleError, ShapeError

F = nn.functional
RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("stride", [(1, 1), (2, 1), (2, 3)])
@pytest.mark.parametrize("padding", [(0, 0), (2, 1)])
def test_one_channel_is_scipys_correlation(stride: tuple[int, int], padding: tuple[int, int]) -> None:
    x, w = RANDOM.normal(size=(7, 8)), RANDOM.normal(size=(3, 2))
    padded = np.pad(x, [(edge, edge) for edge in padding])
    expected = signal.correlate2d(padded, w, "valid")[:: stride[0], :: stride[1]]
    given = F.conv2d(x[None, None], w[None, None], stride=stride, padding=padding)
    np.testing.assert_allclose(given.numpy()[0, 0], expected, rtol=1e-12, atol=1e-12)


def test_channels_add_up_and_groups_keep_apart() -> None:
    x, w = RANDOM.normal(size=(2, 4, 6, 5)), RANDOM.normal(size=(6, 2, 3, 3))
    given = F.conv2d(x, w, groups=2).numpy()
    for image in range(2):
        for out in range(6):
            first = 0 if out < 3 else 2
            parts = [signal.correlate2d(x[image, first + c], w[out, c], "valid") for c in range(2)]
            np.testing.assert_allclose(given[image, out], parts[0] + parts[1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_dilation_is_a_kernel_with_holes(dilation: int) -> None:
    x, w = RANDOM.normal(size=(1, 1, 12)), RANDOM.normal(size=(1, 1, 3))
    holes = np.zeros((1, 1, 2 * dilation + 1))
    holes[..., ::dilation] = w
    np.testing.assert_allclose(F.conv1d(x, w, dilation=dilation).numpy(), F.conv1d(x, holes).numpy(), rtol=1e-12)


def test_transposed_convolution_is_the_transposed_matrix() -> None:
    w = RANDOM.normal(size=(3, 2, 3))
    options: dict[str, Any] = {"stride": 2, "padding": 1}
    matrix = cr.jacobian(lambda x: F.conv1d(x, w, **options))(np.zeros((1, 2, 9))).numpy().reshape(15, 18)
    given = cr.jacobian(lambda y: F.conv_transpose1d(y, w, **options))(np.zeros((1, 3, 5))).numpy().reshape(18, 15)
    np.testing.assert_allclose(given, matrix.T, rtol=1e-12)


def test_third_derivatives_of_a_bilinear_function_vanish() -> None:
    x, w = RANDOM.normal(size=(1, 1, 4)), RANDOM.normal(size=(1, 1, 2))
    hessian = cr.hessian(lambda both: cr.sum(F.conv1d(both[0], both[1])))
    blocks = hessian([cr.tensor(x), cr.tensor(w)])
    np.testing.assert_array_equal(blocks[0][0].numpy(), 0)
    np.testing.assert_array_equal(blocks[0][1].numpy().reshape(4, 2), [[1, 0], [1, 1], [1, 1], [0, 1]])


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups"), [(1, 1, 1, 1), (2, 2, 1, 2), (3, 1, 2, 1), (1, 3, 2, 2)]
)
@pytest.mark.parametrize("compiled", [False, True])
def test_nothing_is_multiplied_by_padding(
    stride: int, padding: int, dilation: int, groups: int, compiled: bool
) -> None:
    """Where a weight or a cotangent is infinite or NaN, what does not meet it stays finite."""
    options: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    x, w = RANDOM.normal(size=(2, 2, 5)), RANDOM.normal(size=(4, 2 // groups, 3))
    w[0, 0, 0], w[1, 0, 2] = np.inf, np.nan
    convolve: Any = cr.compile(lambda x, w: F.conv1d(x, w, **options)) if compiled else partial(F.conv1d, **options)
    y = convolve(x, w).numpy()
    places = np.arange(y.shape[-1])[:, None] * stride + np.arange(3) * dilation - padding
    meets = (places >= 0) & (places < 5)
    np.testing.assert_array_equal(np.isfinite(y[:, 0]).all(0), ~meets[:, 0])
    np.testing.assert_array_equal(np.isnan(y[:, 1]).all(0), meets[:, 2])
    for out in (2, 3):
        kept = [
            sum(
                w[out, c, k] * x[1, c + out // 2 * (2 // groups) * (groups - 1), places[n, k]]
                for c in range(2 // groups)
                for k in range(3)
                if meets[n, k]
            )
            for n in range(len(places))
        ]
        np.testing.assert_allclose(y[1, out], kept, rtol=1e-12, atol=1e-12)


def test_padding_multiplies_no_cotangent() -> None:
    x, g = np.ones((1, 1, 3)), np.array([[[np.nan, 1.0, 2.0]]])
    gradient = cr.vjp(lambda w: F.conv1d(x, w, padding=1), np.ones((1, 1, 3)))[1]
    for found in (gradient(g), cr.compile(lambda g: gradient(g))(g)):
        np.testing.assert_array_equal(np.asarray(found).reshape(-1), [3.0, np.nan, np.nan])


def test_an_empty_batch() -> None:
    assert F.conv2d(np.zeros((0, 2, 5, 5)), np.zeros((3, 2, 3, 3))).shape == (0, 3, 3, 3)


@pytest.mark.parametrize(
    ("x", "w", "options", "words"),
    [
        ((1, 2, 2, 2), (3, 2, 3, 3), {}, "reaches 3 but the padded input is 2"),
        ((1, 2, 5, 5), (3, 1, 3, 3), {}, "takes 1 channels"),
        ((1, 3, 5, 5), (4, 1, 3, 3), {"groups": 2}, "divide into groups=2"),
        ((5,), (3, 1, 3, 3), {}, "batch, channels"),
        ((1, 1, 5, 5), (3, 1, 3, 3), {"stride": (1, 2, 3)}, "stride"),
    ],
)
def test_what_does_not_fit(x: tuple[int, ...], w: tuple[int, ...], options: dict[str, Any], words: str) -> None:
    with pytest.raises(ShapeError, match=words):
        F.conv2d(np.zeros(x), np.zeros(w), **options)


def test_padding_same_needs_stride_one() -> None:
    with pytest.raises(ChainruleError, match="stride 1"):
        F.conv1d(np.zeros((1, 1, 5)), np.zeros((1, 1, 3)), stride=2, padding="same")


def test_no_output_channels_have_gradients_of_zeros() -> None:
    x, w = np.ones((2, 3, 4, 4)), np.ones((0, 3, 3, 3))
    for_x, for_w = cr.grad(lambda x, w: F.conv2d(x, w, padding=1).sum(), (0, 1))(x, w)
    np.testing.assert_array_equal(for_x, np.zeros(x.shape))
    assert for_w.shape == w.shape
