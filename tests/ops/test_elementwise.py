"""Elementwise primitives at nasty points: derivatives against mpmath, and what is promised at kinks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

import chainrule as cr
from chainrule.ir.primitive import all_primitives
from chainrule.ops.samples import NASTY

INF, NAN = math.inf, math.nan
mp = mpmath.mp.clone()
mp.dps = 60
SMALL_AND_LARGE = (1e-300, 1e-20, 1e-8, 1e-3, 0.1, 0.5, 1.0, 1.5, 3.0, 8.0, 20.0, 37.0, 88.0, 700.0, 1e8, 1e30, 1e150)

# First and second derivatives, written by hand and evaluated with 60 digits.
DERIVATIVES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "exp": (mp.exp, mp.exp),
    "expm1": (mp.exp, mp.exp),
    "log": (lambda x: 1 / x, lambda x: -1 / x**2),
    "log1p": (lambda x: 1 / (1 + x), lambda x: -1 / (1 + x) ** 2),
    "log2": (lambda x: 1 / (x * mp.log(2)), lambda x: -1 / (x**2 * mp.log(2))),
    "log10": (lambda x: 1 / (x * mp.log(10)), lambda x: -1 / (x**2 * mp.log(10))),
    "sqrt": (lambda x: 1 / (2 * mp.sqrt(x)), lambda x: -1 / (4 * mp.sqrt(x) ** 3)),
    "sin": (mp.cos, lambda x: -mp.sin(x)),
    "cos": (lambda x: -mp.sin(x), lambda x: -mp.cos(x)),
    "tan": (lambda x: mp.sec(x) ** 2, lambda x: 2 * mp.tan(x) * mp.sec(x) ** 2),
    "asin": (lambda x: 1 / mp.sqrt(1 - x**2), lambda x: x / mp.sqrt(1 - x**2) ** 3),
    "acos": (lambda x: -1 / mp.sqrt(1 - x**2), lambda x: -x / mp.sqrt(1 - x**2) ** 3),
    "atan": (lambda x: 1 / (1 + x**2), lambda x: -2 * x / (1 + x**2) ** 2),
    "sinh": (mp.cosh, mp.sinh),
    "cosh": (mp.sinh, mp.cosh),
    "tanh": (lambda x: mp.sech(x) ** 2, lambda x: -2 * mp.tanh(x) * mp.sech(x) ** 2),
    "asinh": (lambda x: 1 / mp.sqrt(1 + x**2), lambda x: -x / mp.sqrt(1 + x**2) ** 3),
    "acosh": (lambda x: 1 / mp.sqrt(x**2 - 1), lambda x: -x / mp.sqrt(x**2 - 1) ** 3),
    "atanh": (lambda x: 1 / (1 - x**2), lambda x: 2 * x / (1 - x**2) ** 2),
    "sigmoid": (
        lambda x: 1 / ((1 + mp.exp(-x)) * (1 + mp.exp(x))),
        lambda x: mp.tanh(-x / 2) / ((1 + mp.exp(-x)) * (1 + mp.exp(x))),
    ),
    "erf": (lambda x: 2 / mp.sqrt(mp.pi) * mp.exp(-(x**2)), lambda x: -4 * x / mp.sqrt(mp.pi) * mp.exp(-(x**2))),
    "erfc": (lambda x: -2 / mp.sqrt(mp.pi) * mp.exp(-(x**2)), lambda x: 4 * x / mp.sqrt(mp.pi) * mp.exp(-(x**2))),
}
LARGEST = 1e290  # results above it may overflow on the way
SMALLEST = 1e-290


def _points() -> list[float]:
    return [sign * size for size in SMALL_AND_LARGE for sign in (1, -1)]


def derivatives(name: str, x: float) -> tuple[float, float]:
    function = getattr(cr, name)
    with np.errstate(all="ignore"):
        first = cr.grad(function)(np.float64(x)).item()
        return first, cr.grad(cr.grad(function))(np.float64(x)).item()


@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives_at_small_and_large_numbers(name: str) -> None:
    compared = 0
    for x in _points():
        value = getattr(cr, name)(np.float64(x)).item()
        if not math.isfinite(value):
            continue
        given_both = derivatives(name, x)
        for given, exact in zip(given_both, DERIVATIVES[name]):
            try:
                expected = exact(mp.mpf(x))
            except (ZeroDivisionError, OverflowError):
                continue
            if SMALLEST < abs(expected) < LARGEST:
                # an argument rounded to double moves exp(-x²) by 2x² units in the last place
                tolerance = 4e-15 * max(1.0, abs(x) if name in ("exp", "expm1", "sinh", "cosh") else min(x * x, 1e3))
                scale = max(abs(expected), abs(given_both[0]) / 16)  # terms of a second derivative may cancel
                assert abs(mp.mpf(given) - expected) <= tolerance * scale, (x, given, float(expected))
                compared += 1
            elif abs(expected) <= SMALLEST:
                assert abs(given) <= 1e-280, (x, given)
    assert compared >= 10


KINKS = [  # function, arguments, gradient by each
    ("relu", (0.0,), (0.0,)),
    ("relu", (-0.0,), (0.0,)),
    ("abs", (0.0,), (0.0,)),
    ("abs", (-0.0,), (0.0,)),
    ("abs", (-INF,), (-1.0,)),
    ("maximum", (2.0, 2.0), (0.5, 0.5)),
    ("minimum", (2.0, 2.0), (0.5, 0.5)),
    ("maximum", (0.0, -0.0), (0.5, 0.5)),
    ("maximum", (INF, INF), (0.5, 0.5)),
    ("maximum", (INF, 1.0), (1.0, 0.0)),
    ("minimum", (-INF, 1.0), (1.0, 0.0)),
    ("sqrt", (0.0,), (INF,)),
    ("log", (0.0,), (INF,)),
    ("power", (0.0, 2.0), (0.0, 0.0)),
    ("power", (0.0, 1.0), (1.0, 0.0)),
    ("power", (0.0, 0.0), (0.0, 0.0)),
    ("power", (0.0, 0.5), (INF, 0.0)),
    ("hypot", (0.0, 0.0), (0.0, 0.0)),
    ("hypot", (3e200, 4e200), (0.6, 0.8)),
    ("hypot", (3e-200, 4e-200), (0.6, 0.8)),
    ("atan2", (3e200, 4e200), (4e200 / 5e200 / 5e200, -(3e200 / 5e200 / 5e200))),
    ("logaddexp", (1000.0, 0.0), (1.0, 0.0)),
    ("logaddexp", (-INF, 0.0), (0.0, 1.0)),
    ("logaddexp", (0.0, 0.0), (0.5, 0.5)),
    ("divide", (1.0, INF), (0.0, 0.0)),
    ("remainder", (5.0, 3.0), (1.0, -1.0)),
    ("tanh", (INF,), (0.0,)),
    ("tanh", (-750.0,), (0.0,)),
    ("sigmoid", (INF,), (0.0,)),
    ("sigmoid", (-INF,), (0.0,)),
    ("erf", (INF,), (0.0,)),
    ("erfc", (-INF,), (0.0,)),
    ("exp", (-INF,), (0.0,)),
    ("atan", (INF,), (0.0,)),
    ("asinh", (1e200,), (1e-200,)),
    ("asinh", (-INF,), (0.0,)),
    ("multiply_no_nan", (INF, 0.0), (0.0, INF)),
    ("multiply_no_nan", (NAN, 0.0), (0.0, NAN)),
]


@pytest.mark.parametrize(("name", "arguments", "expected"), KINKS)
def test_gradients_at_kinks_and_infinities(
    name: str, arguments: tuple[float, ...], expected: tuple[float, ...]
) -> None:
    places = tuple(range(len(arguments)))
    found = cr.grad(getattr(cr, name), argnums=places)(*map(np.float64, arguments))
    np.testing.assert_allclose([each.item() for each in found], expected, rtol=1e-14, atol=1e-300)


SINGULAR = [
    *((name, 0.0) for name in ("sqrt", "log", "log2", "log10", "reciprocal", "rsqrt")),
    *((name, -1.0) for name in ("log1p", "asin", "acos", "atanh", "erfinv")),
    *((name, 1.0) for name in ("acosh", "asin", "acos", "atanh", "erfinv")),
    *((name, -5.0) for name in ("sqrt", "log", "acosh", "asin")),
    *((name, 1000.0) for name in ("exp", "expm1", "sinh", "cosh")),
]


@pytest.mark.parametrize(("name", "x"), SINGULAR)
def test_a_branch_not_taken_sends_nothing_back(name: str, x: float) -> None:
    def guarded(x: Any) -> Any:
        return cr.where(x > 1e9, getattr(cr, name)(x), 2 * x)

    assert cr.grad(guarded)(np.float64(x)).item() == 2.0
    assert cr.grad(cr.grad(guarded))(np.float64(x)).item() == 0.0


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 5, 2.0])
def test_whole_powers_are_exact_at_zero_to_any_order(exponent: float) -> None:
    function: Any = lambda x: x**exponent  # noqa: E731
    for order in range(5):
        expected = math.factorial(order) if order == exponent else 0.0
        assert function(np.float64(0.0)) == 0.0**exponent or order
        result = function(cr.tensor(0.0, dtype=cr.float64)).item()
        assert result == expected, order
        function = cr.grad(function)


SECOND_ORDER_AT_ZERO = [  # function, first and second derivative at 0, from the closed form
    ("softplus", 0.5, 0.25),
    ("log_sigmoid", 0.5, -0.25),
    ("sigmoid", 0.25, 0.0),
    ("tanh", 1.0, 0.0),
    ("silu", 0.5, 0.5),
    ("gelu", 0.5, 2 / math.sqrt(2 * math.pi)),
    ("elu", 1.0, 1.0),
    ("celu", 1.0, 1.0),
    ("relu", 0.0, 0.0),
    ("softsign", 1.0, 0.0),
    ("erf", 2 / math.sqrt(math.pi), 0.0),
    ("square", 0.0, 2.0),
    ("expm1", 1.0, 1.0),
    ("log1p", 1.0, -1.0),
    ("mish", 0.6, 16 / 25),
]


@pytest.mark.parametrize(("name", "first", "second"), SECOND_ORDER_AT_ZERO)
def test_second_order_at_zero(name: str, first: float, second: float) -> None:
    given = derivatives(name, 0.0)
    np.testing.assert_allclose(given, (first, second), rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "log_sigmoid", "tanh", "silu", "gelu", "elu", "mish", "relu"])
def test_activations_are_finite_far_out(name: str) -> None:
    for x in (-1e4, -750.0, -100.0, 100.0, 750.0, 1e4):
        for dtype in (np.float32, np.float64):
            first = cr.grad(getattr(cr, name))(dtype(x))
            assert math.isfinite(getattr(cr, name)(dtype(x)).item())
            assert math.isfinite(first.item()), (name, x)
            assert math.isfinite(cr.grad(cr.grad(getattr(cr, name)))(dtype(x)).item()), (name, x)


def test_tanh_keeps_its_digits_in_float32() -> None:
    """1 - y * y would be off by 15 % at 8."""
    given = cr.grad(cr.tanh)(np.float32(8.0)).item()
    assert given == pytest.approx(4 * math.exp(-16), rel=1e-6)


def test_nasty_numbers_cover_the_special_ones() -> None:
    assert any(math.isnan(each) for each in NASTY) and INF in NASTY and -INF in NASTY
    assert {"relu", "where", "erf"} <= set(all_primitives())
