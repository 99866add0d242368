"""Extrapolated central differences against derivatives in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from chainrule import differences

KNOWN: dict[str, tuple[Callable[[float], float], float]] = {
    "exp": (math.exp, 1.0),
    "a polynomial": (lambda t: 3 + 2 * t - t**5, 2.0),
    "sine, fast": (lambda t: math.sin(50 * t), 50.0),
    "constant": (lambda t: 4.0, 0.0),
    "the end of a domain close by": (lambda t: math.log(0.001 + t) if t > -0.001 else math.nan, 1000.0),
    "a kink close by": (lambda t: max(t + 0.0005, 0.0), 1.0),
}


@pytest.mark.parametrize("name", KNOWN)
def test_derivative(name: str) -> None:
    function, expected = KNOWN[name]
    found = differences.derivative(function, 0.02)
    assert found.value == pytest.approx(expected, rel=1e-8, abs=1e-10)
    assert found.error < 1e-6 * max(1, abs(expected))


def test_outside_the_domain_it_is_not_a_number() -> None:
    found = differences.derivative(lambda t: math.nan, 0.02)
    assert math.isnan(found.value) and found.error == math.inf


def test_the_error_is_that_of_a_noisy_function() -> None:
    noisy = differences.derivative(lambda t: math.sin(1 + t) + 1e-6 * math.sin(1e9 * t), 0.02)
    assert 1e-12 < abs(noisy.value - math.cos(1)) < 1e-2
    assert noisy.error > 1e-9


def test_slopes_show_a_kink() -> None:
    assert differences.slopes(abs, 1e-6) == pytest.approx((-1.0, 1.0))
