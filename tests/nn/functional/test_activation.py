"""Activations: PyTorch's arguments, corners, and exactness where PyTorch approximates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ShapeError, UnknownNameError

F = nn.functional
IN_PLACE = (
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
    "selu",
    "celu",
    "silu",
    "mish",
    "hardtanh",
    "hardsigmoid",
    "hardswish",
)


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_changes_nothing(name: str) -> None:
    x = cr.tensor([-2.0, 0.5])
    y = getattr(F, name)(x, inplace=True)
    assert x.tolist() == [-2.0, 0.5]
    np.testing.assert_array_equal(y.numpy(), getattr(F, name)(x).numpy())


CORNERS: dict[str, tuple[float, ...]] = {
    "relu": (0.0,),
    "relu6": (0.0, 6.0),
    "leaky_relu": (0.0,),
    "hardtanh": (-1.0, 1.0),
    "hardsigmoid": (-3.0, 3.0),
    "hardswish": (-3.0, 3.0),
    "hardshrink": (-0.5, 0.5),
    "softshrink": (-0.5, 0.5),
    "elu": (0.0,),
    "selu": (0.0,),
    "softsign": (0.0,),
}


@pytest.mark.oracle
@pytest.mark.parametrize(("name", "corners"), CORNERS.items())
def test_gradients_at_corners_are_pytorchs(name: str, corners: tuple[float, ...]) -> None:
    torch = pytest.importorskip("torch")
    x, tx = cr.tensor(np.array(corners), requires_grad=True), torch.tensor(np.array(corners), requires_grad=True)
    cr.sum(getattr(F, name)(x)).backward()
    getattr(torch.nn.functional, name)(tx).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), tx.grad.numpy(), rtol=1e-6)


def test_softplus_is_exact_beyond_the_threshold() -> None:
    assert F.softplus(np.array([25.0])).item() == pytest.approx(25 + np.exp(-25), rel=1e-16)


@pytest.mark.parametrize("function", [F.softmax, F.log_softmax, F.softmin])
def test_dim_and_axis_are_the_same(function: Any) -> None:
    x = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_array_equal(function(x, dim=0).numpy(), function(x, axis=0).numpy())
    np.testing.assert_array_equal(function(x).numpy(), function(x, 1).numpy())
    assert function(x, dtype=cr.float32).dtype == cr.float32


def test_softmax_modules_take_both_names() -> None:
    x = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_allclose(nn.Softmax(dim=0)(x).numpy().sum(0), 1, rtol=1e-14)
    assert repr(nn.LogSoftmax(axis=1)) == "LogSoftmax(dim=1)"


POINTS = np.array([-4.0, -0.3, 0.2, 7.0])
VALUES: list[tuple[nn.Module, list[float]]] = [
    (nn.Hardtanh(-0.25, 2.0), [-0.25, -0.25, 0.2, 2]),
    (nn.ReLU6(), [0, 0, 0.2, 6]),
    (nn.Hardsigmoid(), [0, 0.45, 0.2 / 6 + 0.5, 1]),
    (nn.Hardshrink(0.25), [-4, -0.3, 0, 7]),
    (nn.Softshrink(0.25), [-3.75, -0.05, 0, 6.75]),
    (nn.Threshold(0.1, 9.0), [9, 9, 0.2, 7]),
    (nn.LeakyReLU(0.5), [-2, -0.15, 0.2, 7]),
    (nn.Softsign(), [-0.8, -0.3 / 1.3, 0.2 / 1.2, 0.875]),
    (nn.ELU(2.0), [2 * np.expm1(-4), 2 * np.expm1(-0.3), 0.2, 7]),
    (nn.CELU(2.0), [2 * np.expm1(-2), 2 * np.expm1(-0.15), 0.2, 7]),
    (nn.Softplus(2.0), list(np.log1p(np.exp(2 * POINTS)) / 2)),
    (nn.SiLU(), list(POINTS / (1 + np.exp(-POINTS)))),
    (nn.Tanhshrink(), list(POINTS - np.tanh(POINTS))),
    (nn.Mish(), list(POINTS * np.tanh(np.log1p(np.exp(POINTS))))),
]


@pytest.mark.parametrize(("layer", "expected"), VALUES, ids=lambda each: str(each)[:24])
def test_values(layer: nn.Module, expected: list[float]) -> None:
    np.testing.assert_allclose(layer(POINTS).numpy(), expected, rtol=1e-13)


def test_gated_units() -> None:
    assert nn.GLU(0)(np.array([3.0, 2.0, 0.0, np.log(3.0)])).tolist() == pytest.approx([1.5, 1.5])


def test_options_are_attributes() -> None:
    layer = nn.LeakyReLU(0.2)
    assert layer.negative_slope == 0.2
    layer.negative_slope = 0.5
    assert layer(np.array([-2.0])).tolist() == [-1.0]


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        (lambda: F.gelu(np.ones(2), approximate="tahn"), UnknownNameError),
        (lambda: F.glu(np.ones((2, 3))), ShapeError),
        (lambda: F.prelu(np.ones((2, 3)), np.ones(4)), ShapeError),
    ],
)
def test_what_is_refused(wrong: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        wrong()
