"""erf, erfc, erfinv and sigmoid against mpmath, in units in the last place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

from chainrule.ops import special

POINTS = np.concatenate(
    [
        np.linspace(-6, 6, 301),
        np.geomspace(1e-300, 1, 60),
        -np.geomspace(1e-300, 1, 60),
        np.linspace(0.9999, 1.0001, 11),
        np.linspace(6, 26.5, 60),
    ]
)


def worst_error(given: Any, function: Callable[[Any], Any], points: Any) -> float:
    """The largest error in units in the last place of the true value."""
    with mpmath.workdps(60):
        errors = [
            abs(mpmath.mpf(float(value)) - function(mpmath.mpf(float(point))))
            / max(float(np.spacing(abs(float(function(mpmath.mpf(float(point))))))), 5e-324)
            for point, value in zip(points, given)
        ]
    return float(max(errors))


def test_erf() -> None:
    assert worst_error(special.erf(POINTS), mpmath.erf, POINTS) < 3


def test_erfc_in_both_tails() -> None:
    assert worst_error(special.erfc(POINTS), mpmath.erfc, POINTS) < 8


def test_erfinv() -> None:
    points = np.concatenate([np.linspace(-0.999, 0.999, 201), 1 - np.geomspace(1e-16, 1e-3, 40), [1e-200, -1e-10]])
    assert worst_error(special.erfinv(points), mpmath.erfinv, points) < 16


def test_sigmoid_keeps_small_values() -> None:
    points = np.linspace(-700, 40, 149)
    assert worst_error(special.sigmoid(points), lambda x: 1 / (1 + mpmath.exp(-x)), points) < 3


@pytest.mark.parametrize("function", [special.erf, special.erfc, special.erfinv, special.sigmoid])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_types_and_odd_shapes(function: Callable[[Any], Any], dtype: type) -> None:
    for shape in ((), (0,), (1,), (2, 0, 3), (2, 3)):
        result = function(np.full(shape, 0.25, dtype))
        assert result.shape == shape
        assert result.dtype == dtype


def test_ends() -> None:
    ends = np.array([0.0, -0.0, np.inf, -np.inf, np.nan])
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(special.erf(ends), [0, 0, 1, -1, np.nan])
        np.testing.assert_array_equal(special.erfc(ends), [1, 1, 0, 2, np.nan])
        np.testing.assert_array_equal(special.erfinv(np.array([1.0, -1.0, 2.0])), [np.inf, -np.inf, np.nan])
    assert np.signbit(special.erf(np.array(-0.0)))
