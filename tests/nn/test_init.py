"""Initialisers: the moments and bounds of the papers' formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ShapeError, UnknownNameError


def filled(name: str, shape: tuple[int, ...] = (200, 100), **options: Any) -> np.ndarray:
    cr.random.manual_seed(0)
    parameter = nn.Parameter(np.zeros(shape, np.float64))
    assert getattr(nn.init, name)(parameter, **options) is parameter
    return parameter.numpy()


@pytest.mark.parametrize(
    ("name", "options", "std"),
    [
        ("uniform_", {"a": -3.0, "b": 3.0}, np.sqrt(3)),
        ("normal_", {"std": 0.5}, 0.5),
        ("xavier_uniform_", {}, np.sqrt(2 / 300)),
        ("xavier_normal_", {"gain": 2.0}, 2 * np.sqrt(2 / 300)),
        ("kaiming_uniform_", {"nonlinearity": "relu"}, np.sqrt(2 / 100)),
        ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "relu"}, np.sqrt(2 / 200)),
        ("trunc_normal_", {"std": 1.0}, 0.8796),
        ("orthogonal_", {}, np.sqrt(1 / 200)),
    ],
)
def test_moments(name: str, options: dict[str, Any], std: float) -> None:
    drawn = filled(name, **options)
    assert drawn.std() == pytest.approx(std, rel=0.02)
    assert abs(drawn.mean()) < 4 * std / np.sqrt(drawn.size) + 1e-3 * std


def test_constants() -> None:
    assert (filled("ones_") == 1).all()
    assert (filled("constant_", val=3.5) == 3.5).all()
    np.testing.assert_array_equal(filled("eye_", (2, 3)), np.eye(2, 3))


def test_orthogonal_columns() -> None:
    drawn = filled("orthogonal_", (20, 8))
    np.testing.assert_allclose(drawn.T @ drawn, np.eye(8), atol=1e-12)


def test_truncated_normal_stays_inside() -> None:
    assert np.abs(filled("trunc_normal_", a=-0.5, b=0.5)).max() <= 0.5


def test_dirac_passes_channels_on() -> None:
    layer = nn.Conv2d(3, 3, 3, padding=1, bias=False)
    nn.init.dirac_(layer.weight)
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    np.testing.assert_array_equal(layer(x).numpy(), x)


def test_sparse_columns() -> None:
    assert ((filled("sparse_", sparsity=0.25) == 0).sum(axis=0) == 50).all()


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"])
def test_gains_are_pytorchs(name: str) -> None:
    torch = pytest.importorskip("torch")
    assert nn.init.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name), rel=1e-15)


def test_what_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="relu"):
        nn.init.calculate_gain("relus")
    with pytest.raises(ShapeError, match="two axes"):
        filled("xavier_uniform_", (3,))
