"""What derivatives are at kinks, ties and singular points: conventions that programs may rely on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr

INFINITE = float("inf")


def slope(function: Callable[..., Any], *numbers: float, argnum: int = 0) -> float:
    """The derivative by one argument, in float64."""
    found = cr.grad(function, argnum)(*(np.float64(number) for number in numbers))
    return float(found.item())


def curvature(function: Callable[..., Any], number: float) -> float:
    return slope(cr.grad(function), number)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (cr.relu, 0.0),
        (cr.abs, 0.0),
        (cr.sign, 0.0),
        (lambda x: cr.leaky_relu(x, 0.1), 0.1),
        (cr.elu, 1.0),
        (cr.hardtanh, 1.0),
        (cr.softsign, 1.0),
        (cr.gelu, 0.5),
        (cr.silu, 0.5),
        (cr.softplus, 0.5),
        (cr.floor, 0.0),
        (cr.round, 0.0),
        (cr.sqrt, INFINITE),
        (cr.log, INFINITE),
        (cr.reciprocal, -INFINITE),
        (lambda x: x**0, 0.0),
        (lambda x: x**1, 1.0),
        (lambda x: x**2, 0.0),
        (lambda x: x**0.5, INFINITE),
        (lambda x: cr.power(x, np.float64(2.0)), 0.0),
        (lambda x: cr.power(x, np.float64(1.0)), 1.0),
        (lambda x: cr.power(x, np.float64(0.0)), 0.0),
        (lambda x: cr.hypot(x, np.float64(0.0)), 0.0),
        (lambda x: cr.std(cr.stack([x, x])), 0.0),
    ],
)
def test_slope_at_zero(function: Callable[..., Any], expected: float) -> None:
    assert slope(function, 0.0) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (cr.relu, 0.0),
        (cr.abs, 0.0),
        (cr.softplus, 0.25),
        (cr.gelu, 2 / np.sqrt(2 * np.pi)),
        (cr.silu, 0.5),
        (cr.log_sigmoid, -0.25),
        (lambda x: cr.logsumexp(cr.stack([x, -x])), 1.0),
        (lambda x: cr.logaddexp(x, np.float64(0.0)), 0.25),
        (lambda x: cr.prod(cr.stack([x, x])), 2.0),
        (lambda x: x**0, 0.0),
        (lambda x: x**1, 0.0),
        (lambda x: x**2, 2.0),
        (lambda x: x**3, 0.0),
        (lambda x: cr.power(x, np.float64(2.0)), 2.0),
        (lambda x: cr.power(x, np.float64(1.0)), 0.0),
        (lambda x: cr.softmax(cr.stack([x, -x]))[0], 0.0),
        (cr.tanh, 0.0),
        (cr.erf, 0.0),
        (lambda x: cr.hypot(x, np.float64(1.0)), 1.0),
    ],
)
def test_curvature_at_zero(function: Callable[..., Any], expected: float) -> None:
    assert curvature(function, 0.0) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("function", [cr.maximum, cr.minimum])
def test_equal_numbers_share_the_gradient(function: Callable[..., Any]) -> None:
    assert slope(function, 2.0, 2.0) == slope(function, 2.0, 2.0, argnum=1) == 0.5


@pytest.mark.parametrize("function", [cr.max, cr.min])
def test_equal_extrema_share_the_gradient(function: Callable[..., Any]) -> None:
    sign = 1.0 if function is cr.max else -1.0
    found = cr.grad(lambda x: function(sign * x))(np.array([3.0, 1.0, 3.0, 3.0]))
    np.testing.assert_allclose(found.numpy(), sign * np.array([1, 0, 1, 1]) / 3)


def test_clip_passes_the_gradient_on_its_limits_and_not_outside() -> None:
    found = cr.grad(lambda x: cr.clip(x, -1.0, 1.0).sum())(np.array([-2.0, -1.0, 0.0, 1.0, 2.0]))
    np.testing.assert_array_equal(found.numpy(), [0, 1, 1, 1, 0])


def test_power_by_its_exponent_where_the_base_is_zero() -> None:
    assert slope(cr.power, 0.0, 2.0, argnum=1) == 0.0
    assert slope(cr.power, 0.0, 0.0, argnum=1) == 0.0


@pytest.mark.parametrize(
    ("function", "singular"),
    [
        (cr.sqrt, 0.0),
        (cr.sqrt, -1.0),
        (cr.log, 0.0),
        (cr.log, -1.0),
        (cr.log1p, -1.0),
        (cr.log2, 0.0),
        (cr.reciprocal, 0.0),
        (cr.rsqrt, 0.0),
        (lambda x: np.float64(1.0) / x, 0.0),
        (lambda x: x / x, 0.0),
        (lambda x: x**-2, 0.0),
        (lambda x: cr.power(x, np.float64(-0.5)), 0.0),
        (lambda x: cr.power(x, np.float64(0.5)), -1.0),
        (cr.asin, 1.0),
        (cr.acos, -1.0),
        (cr.acosh, 1.0),
        (cr.atanh, 1.0),
        (cr.erfinv, 1.0),
        (cr.exp, 1000.0),
        (cr.sinh, 1000.0),
        (lambda x: cr.atan2(x, x), 0.0),
    ],
)
def test_a_branch_that_is_not_taken_sends_nothing_back(function: Callable[..., Any], singular: float) -> None:
    def guarded(x: cr.Tensor) -> cr.Tensor:
        return cr.where(cr.equal(x, singular), 0.0, function(x))

    assert slope(guarded, singular) == 0.0
    assert curvature(guarded, singular) == 0.0


def test_where_takes_the_gradient_of_the_branch_chosen() -> None:
    mask = np.array([True, False, True])
    first, second = cr.grad(lambda x, y: (cr.where(mask, x, y) * np.arange(1.0, 4.0)).sum(), (0, 1))(
        np.zeros(3), np.array([np.nan, np.inf, 0.0])
    )
    np.testing.assert_array_equal(first.numpy(), [1, 0, 3])
    np.testing.assert_array_equal(second.numpy(), [0, 2, 0])


def test_extremum_of_a_tie_of_infinities() -> None:
    found = cr.grad(cr.max)(np.array([np.inf, 1.0, np.inf]))
    np.testing.assert_array_equal(found.numpy(), [0.5, 0, 0.5])


def test_logsumexp_of_all_minus_infinities() -> None:
    value, found = cr.value_and_grad(cr.logsumexp)(np.array([-np.inf, -np.inf]))
    assert value.item() == -np.inf and not np.isposinf(found.numpy()).any()
