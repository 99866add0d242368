"""lgamma and its derivatives against mpmath in 40 digits, eager and compiled; gradients of any order."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ConfigurationError, DtypeError

POINTS = np.array(
    [1e-300, 1e-5, 0.3, 0.4999, 0.5, 0.9999999, 1.0000001, 1.4616, 1.5, 1.9999999, 2.3, 2.5001, 3.7, 9.99]
)
POINTS = np.concatenate([POINTS, [10.0, 11.3, 170.3, 1e6, 1e300, -0.3, -1.5, -2.45, -7.6, -30.25, 3.0, 1.75]])
MODERATE = POINTS[(np.abs(POINTS) < 1e5) & (np.abs(POINTS) > 1e-3)]
"""Where the high derivatives are numbers that float64 holds."""

Function = Callable[[Any], Any]
FUNCTIONS: dict[str, tuple[Function, Function, Any]] = {
    "lgamma": (cr.lgamma, lambda x: mp.log(abs(mp.gamma(x))) if abs(x) < 1e9 else mp.loggamma(x).real, POINTS),
    "digamma": (cr.digamma, mp.digamma, POINTS),
    "trigamma": (lambda x: cr.polygamma(1, x), lambda x: mp.polygamma(1, x), MODERATE),
    "polygamma 4": (lambda x: cr.polygamma(4, x), lambda x: mp.polygamma(4, x), MODERATE),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_against_mpmath(name: str) -> None:
    ours, theirs, points = FUNCTIONS[name]
    with mp.workdps(40):
        expected = np.array([float(theirs(mp.mpf(float(x)))) for x in points])
    for function in (ours, cr.compile(ours)):
        found = function(cr.tensor(points, cr.float64)).numpy()
        np.testing.assert_allclose(found, expected, rtol=2e-12, atol=1e-14)
    in_float32 = ours(cr.tensor(MODERATE, cr.float32)).numpy()
    assert in_float32.dtype == np.float32
    with mp.workdps(40):
        rounded = [float(theirs(mp.mpf(float(np.float32(x))))) for x in MODERATE]
    np.testing.assert_allclose(in_float32, rounded, rtol=1e-7)


@pytest.mark.parametrize("order", [8, 12, 40, 171, 400])
def test_high_orders_against_mpmath(order: int) -> None:
    """Where the factorial alone, or the power alone, is beyond float64, and where Stirling's series needs large x."""
    points = np.array([0.3, 5.0, 9.99, 10.0, 12.3, 20.0, 40.0, 60.5, 100.0, 450.0, 1e3, -0.4, -3.3, -7.6])
    with mp.workdps(60):
        expected = np.array([float(mp.polygamma(order, mp.mpf(float(x)))) for x in points])
    x = cr.tensor(points, cr.float64)
    np.testing.assert_allclose(cr.polygamma(order, x).numpy(), expected, rtol=5e-14, atol=0)
    if order == 12:
        compiled = cr.compile(lambda x: cr.polygamma(order, x))
        np.testing.assert_allclose(compiled(x).numpy(), expected, rtol=5e-14, atol=0)


def test_near_its_zeros_lgamma_keeps_every_digit() -> None:
    points = np.concatenate([1 + np.array([1e-12, -1e-9, 1e-3, -0.2]), 2 + np.array([1e-12, -1e-9, 1e-3, -0.2])])
    with mp.workdps(40):
        expected = np.array([float(mp.loggamma(mp.mpf(float(x)))) for x in points])
    np.testing.assert_allclose(cr.lgamma(cr.tensor(points, cr.float64)).numpy(), expected, rtol=4e-15)
    assert cr.lgamma(cr.tensor([1.0, 2.0], cr.float64)).tolist() == [0.0, 0.0]


def test_derivatives_of_lgamma_are_polygammas() -> None:
    x = cr.tensor(MODERATE, cr.float64)
    function: Function = lambda x: cr.sum(cr.lgamma(x))  # noqa: E731
    for order in range(3):
        function = _slope(function)
        expected = FUNCTIONS["digamma"][0](x) if order == 0 else cr.polygamma(order, x)
        for each in (function, cr.compile(function)):
            np.testing.assert_allclose(each(x).numpy(), expected.numpy(), rtol=3e-12, atol=1e-12)


def _slope(function: Function) -> Function:
    return cr.grad(lambda x: cr.sum(function(x)))


def test_poles_and_what_is_no_number() -> None:
    x = cr.tensor([0.0, -1.0, -2.0, math.inf, -math.inf, math.nan])
    np.testing.assert_array_equal(cr.lgamma(x).numpy(), [math.inf] * 5 + [math.nan])
    np.testing.assert_array_equal(cr.digamma(x).numpy()[:4], [-math.inf, math.nan, math.nan, math.inf])
    np.testing.assert_array_equal(cr.polygamma(1, x).numpy()[:4], [math.inf, math.inf, math.inf, 0.0])
    assert cr.lgamma([]).shape == (0,)
    assert cr.lgamma(cr.tensor([5], cr.int32)).item() == pytest.approx(math.log(24))
    for order in (-1, 501):
        with pytest.raises(ConfigurationError, match=f"order n is a whole number from 0 to 500, not {order}"):
            cr.polygamma(order, 1.0)
    with pytest.raises(DtypeError, match="takes float32, float64"):
        cr.lgamma(1j)
