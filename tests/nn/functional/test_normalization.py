"""Normalisation: means and variances of what comes out, and how running statistics follow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ShapeError

F = nn.functional
X = np.random.default_rng(0).normal(3, 2, size=(6, 4, 5))

ROWS: list[tuple[str, Any, tuple[int, ...]]] = [
    ("batch", lambda x: F.batch_norm(x, None, None, training=True), (0, 2)),
    ("instance", lambda x: F.instance_norm(x), (2,)),
    ("layer", lambda x: F.layer_norm(x, (4, 5)), (1, 2)),
]


@pytest.mark.parametrize(("name", "function", "axes"), ROWS)
def test_mean_0_and_variance_1(name: str, function: Any, axes: tuple[int, ...]) -> None:
    y = function(X).numpy()
    np.testing.assert_allclose(y.mean(axes), 0, atol=1e-14)
    np.testing.assert_allclose(y.var(axes), 1, rtol=1e-4)


def test_groups_of_channels() -> None:
    y = F.group_norm(X, 2).numpy().reshape(6, 2, 10)
    np.testing.assert_allclose(y.mean(2), 0, atol=1e-14)
    np.testing.assert_allclose(y.var(2), 1, rtol=1e-4)
    assert F.group_norm(np.zeros((0, 4)), 2).shape == (0, 4)


def test_root_mean_square() -> None:
    y = F.rms_norm(X, (5,)).numpy()
    np.testing.assert_allclose((y**2).mean(-1), 1, rtol=1e-14)
    np.testing.assert_allclose(y / X, np.broadcast_to((y / X)[..., :1], X.shape), rtol=1e-13)


def test_running_statistics_follow_with_the_unbiased_variance() -> None:
    mean, variance = cr.tensor(np.zeros(4)), cr.tensor(np.ones(4))
    F.batch_norm(X, mean, variance, training=True, momentum=0.25)
    np.testing.assert_allclose(mean.numpy(), 0.25 * X.mean((0, 2)), rtol=1e-14)
    np.testing.assert_allclose(variance.numpy(), 0.75 + 0.25 * X.var((0, 2), ddof=1), rtol=1e-14)


def test_instance_statistics_are_means_over_the_batch() -> None:
    layer = nn.InstanceNorm1d(4, track_running_stats=True, momentum=0.25).double()
    layer(X)
    np.testing.assert_allclose(layer.running_mean.numpy(), 0.25 * X.mean((0, 2)), rtol=1e-14)
    np.testing.assert_allclose(layer.running_var.numpy(), 0.75 + 0.25 * X.var(2, ddof=1).mean(0), rtol=1e-14)


@pytest.mark.parametrize("layer", [nn.InstanceNorm1d(4), nn.BatchNorm1d(4, track_running_stats=False)])
def test_without_running_statistics_evaluation_is_as_training(layer: nn.Module) -> None:
    before = layer(X).numpy()
    np.testing.assert_array_equal(layer.eval()(X).numpy(), before)


def test_evaluation_uses_them_and_leaves_them() -> None:
    mean, variance = cr.tensor(np.full(4, 3.0)), cr.tensor(np.full(4, 4.0))
    y = F.batch_norm(X, mean, variance, eps=0.0).numpy()
    np.testing.assert_allclose(y, (X - 3) / 2, rtol=1e-14)
    assert mean.tolist() == [3.0] * 4


def test_statistics_keep_their_type() -> None:
    layer = nn.BatchNorm1d(4)
    assert layer(X).dtype == cr.float64
    assert layer.running_mean.dtype == cr.float32


def test_running_statistics_carry_no_history() -> None:
    x = cr.tensor(X, requires_grad=True)
    layer = nn.BatchNorm1d(4).double()
    for _ in range(3):
        layer(x)
    assert layer.running_mean.is_leaf
    assert not layer.running_mean.requires_grad


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: F.batch_norm(np.ones((1, 3)), None, None, training=True), "more than one value"),
        (lambda: F.batch_norm(np.ones(3), None, None), "batch, channels"),
        (lambda: F.instance_norm(np.ones((2, 3, 1))), "more than one value"),
        (lambda: F.layer_norm(np.ones((2, 3)), (4,)), r"\(4,\)"),
        (lambda: F.group_norm(np.ones((2, 3)), 2), "2 groups"),
        (lambda: nn.BatchNorm2d(3)(np.ones((2, 3))), "takes 4 axes with 3 channels second"),
        (lambda: nn.GroupNorm(2, 4)(np.ones((2, 6, 3))), r"takes 4 channels.*\(2, 6, 3\)"),
        (lambda: nn.InstanceNorm1d(3)(np.ones((2, 4, 5))), "3 channels"),
    ],
)
def test_what_is_refused(wrong: Any, words: str) -> None:
    with pytest.raises(ShapeError, match=words):
        wrong()
