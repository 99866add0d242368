"""Pooling by its definition, window after window."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ChainruleError

F = nn.functional
X = np.random.default_rng(0).normal(size=(2, 3, 7, 6))


def windows(x: Any, size: int, stride: int) -> Any:
    return np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))[:, :, ::stride, ::stride]


@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 1), (3, 2)])
def test_max_and_mean_of_each_window(size: int, stride: int) -> None:
    expected = windows(X, size, stride)
    np.testing.assert_array_equal(F.max_pool2d(X, size, stride).numpy(), expected.max(axis=(4, 5)))
    np.testing.assert_allclose(F.avg_pool2d(X, size, stride).numpy(), expected.mean(axis=(4, 5)), rtol=1e-12)


def test_the_gradient_goes_to_the_largest() -> None:
    plane = np.array([[[[1.0, 5.0], [5.0, 2.0]]]])
    gradient = cr.grad(lambda x: cr.sum(F.max_pool2d(x, 2)))(plane)
    np.testing.assert_array_equal(gradient.numpy(), [[[[0, 1], [0, 0]]]])


def test_overlapping_windows_add_their_gradients() -> None:
    row = np.array([[[0.0, 9.0, 1.0, 2.0]]])
    gradient = cr.grad(lambda x: cr.sum(F.max_pool1d(x, 3, 1)))(row)
    np.testing.assert_array_equal(gradient.numpy(), [[[0, 2, 0, 0]]])


def test_padding_never_wins() -> None:
    row = np.full((1, 1, 4), -np.inf)
    values, places = F.max_pool1d(row, 3, 1, padding=1, return_indices=True)
    assert (values.numpy() == -np.inf).all()
    assert places.tolist() == [[[0, 0, 1, 2]]]


def test_adaptive_pooling_to_one_is_the_global_mean() -> None:
    np.testing.assert_allclose(F.adaptive_avg_pool2d(X, 1).numpy()[..., 0, 0], X.mean(axis=(2, 3)), rtol=1e-12)
    np.testing.assert_array_equal(F.adaptive_max_pool2d(X, 1).numpy()[..., 0, 0], X.max(axis=(2, 3)))


def test_padding_wider_than_half_the_window_is_refused() -> None:
    with pytest.raises(ChainruleError, match="half the window"):
        F.max_pool2d(X, 2, padding=2)
