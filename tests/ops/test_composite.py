"""Activations against their formulas in NumPy, and against mpmath where a formula would lose digits or overflow."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

import chainrule as cr

X = np.linspace(-4, 4, 41)
SIGMOID = 1 / (1 + np.exp(-X))
SOFTPLUS = np.log1p(np.exp(X))
CDF = np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in X])
FORMULAS: dict[str, tuple[Callable[..., Any], Any]] = {
    "relu": (cr.relu, np.maximum(X, 0)),
    "leaky_relu": (lambda x: cr.leaky_relu(x, 0.2), np.where(X > 0, X, 0.2 * X)),
    "elu": (lambda x: cr.elu(x, 1.5), np.where(X > 0, X, 1.5 * np.expm1(X))),
    "selu": (cr.selu, 1.0507009873554805 * np.where(X > 0, X, 1.6732632423543772 * np.expm1(X))),
    "celu": (lambda x: cr.celu(x, 2.0), np.maximum(X, 0) + np.minimum(0, 2 * np.expm1(X / 2))),
    "gelu": (cr.gelu, X * CDF),
    "gelu tanh": (
        lambda x: cr.gelu(x, "tanh"),
        0.5 * X * (1 + np.tanh(math.sqrt(2 / math.pi) * (X + 0.044715 * X**3))),
    ),
    "silu": (cr.silu, X * SIGMOID),
    "mish": (cr.mish, X * np.tanh(SOFTPLUS)),
    "softplus": (cr.softplus, SOFTPLUS),
    "softplus 3": (lambda x: cr.softplus(x, 3.0), np.log1p(np.exp(3 * X)) / 3),
    "log_sigmoid": (cr.log_sigmoid, np.log(SIGMOID)),
    "hardtanh": (cr.hardtanh, np.clip(X, -1, 1)),
    "hardsigmoid": (cr.hardsigmoid, np.clip(X / 6 + 0.5, 0, 1)),
    "hardswish": (cr.hardswish, X * np.clip(X / 6 + 0.5, 0, 1)),
    "softsign": (cr.softsign, X / (1 + np.abs(X))),
    "square": (cr.square, X * X),
    "reciprocal": (cr.reciprocal, 1 / (X + 10)),
    "softmax": (cr.softmax, np.exp(X) / np.exp(X).sum()),
    "log_softmax": (cr.log_softmax, X - np.log(np.exp(X).sum())),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_values_are_those_of_the_formula(name: str) -> None:
    function, expected = FORMULAS[name]
    result = function(cr.tensor(X + 10 if name == "reciprocal" else X))
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", FORMULAS)
def test_float32_stays_float32_and_integers_become_it(name: str) -> None:
    function = FORMULAS[name][0]
    assert function(cr.tensor(X.astype(np.float32))).dtype == cr.float32
    assert function(cr.tensor([1, 2])).dtype == (cr.int64 if name == "square" else cr.float32)


TAILS: list[tuple[str, float, Callable[[Any], Any]]] = [
    *(("softplus", x, lambda x: mpmath.log1p(mpmath.exp(x))) for x in (-700.0, -40.0, 40.0, 700.0)),
    *(("log_sigmoid", x, lambda x: -mpmath.log1p(mpmath.exp(-x))) for x in (-700.0, -40.0, 40.0, 700.0)),
    *(("gelu", x, lambda x: x * mpmath.erfc(-x / mpmath.sqrt(2)) / 2) for x in (-30.0, -8.0, -3.0, 8.0)),
    *(("silu", x, lambda x: x / (1 + mpmath.exp(-x))) for x in (-700.0, -40.0, 40.0)),
    *(("sigmoid", x, lambda x: 1 / (1 + mpmath.exp(-x))) for x in (-700.0, -40.0, 40.0)),
    *(("mish", x, lambda x: x * mpmath.tanh(mpmath.log1p(mpmath.exp(x)))) for x in (-40.0, -8.0, 8.0)),
]


@pytest.mark.parametrize(("name", "x", "exact"), TAILS, ids=lambda each: str(each) if not callable(each) else "")
def test_tails_keep_their_digits(name: str, x: float, exact: Callable[[Any], Any]) -> None:
    with mpmath.workdps(50):
        expected = float(exact(mpmath.mpf(x)))
        slope = float(mpmath.diff(exact, mpmath.mpf(x)))
    assert getattr(cr, name)(np.float64(x)).item() == pytest.approx(expected, rel=2e-13)
    assert cr.grad(getattr(cr, name))(np.float64(x)).item() == pytest.approx(slope, rel=1e-11, abs=1e-300)


def test_softmax_along_every_axis_adds_up_to_one() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4)) * 50
    for axis in (-1, 0, 1):
        np.testing.assert_allclose(cr.softmax(x, axis).numpy().sum(axis), 1, rtol=1e-14)
        np.testing.assert_allclose(cr.exp(cr.log_softmax(x, axis)).numpy().sum(axis), 1, rtol=1e-12)
    assert np.abs(cr.grad(lambda x: cr.softmax(x, 0).sum())(x).numpy()).max() < 1e-15
