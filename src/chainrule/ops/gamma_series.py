"""log |Γ(x)| and its derivatives by series, in float64: one text for NumPy and for native code.

Three ways, by where x lies. Between 0.5 and 2.5 the series around 1 and 2, exact near the zeros there; elsewhere above
0 Stirling's series, of x + 10 where x is below 10; at 0 and below the reflection x -> 1 - x (Abramowitz and Stegun
6.1.33, 6.1.40, 6.3.18, 6.4.7, 6.4.11). The arithmetic that differs comes as `m`: functions of numbers of its kind.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

FAR = 10
"""From here on Stirling's series is exact to the last place."""
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)
"""B2, B4, ... of Stirling's series."""
EULER = 0.5772156649015328606


class Arithmetic(Protocol):
    """What the operators of Python do not say, on numbers of one kind."""

    def log(self, x: Any) -> Any: ...
    def log1p(self, x: Any) -> Any: ...
    def sin(self, x: Any) -> Any: ...
    def tan(self, x: Any) -> Any: ...
    def abs(self, x: Any) -> Any: ...
    def nearest(self, x: Any) -> Any:
        """The nearest whole number."""

    def is_number(self, x: Any, number: float) -> Any:
        """Where x is the number."""

    def pick(self, mask: Any, yes: Any, no: Any) -> Any:
        """yes where the mask holds, else no."""

    def polynomial(self, x: Any, coefficients: Sequence[float]) -> Any:
        """c0 + c1 x + c2 x² + ..."""


def _zeta_without_one(k: int) -> float:
    """ζ(k) - 1, by the Euler-Maclaurin formula from 60 on."""
    start = 60
    head = math.fsum(float(j) ** -k for j in range(2, start))
    tail = start ** (1.0 - k) / (k - 1) + 0.5 * start**-k
    corrections = (k * start ** (-k - 1.0) / 12, -k * (k + 1) * (k + 2) * start ** (-k - 3.0) / 720)
    return math.fsum((head, tail, *corrections))


AROUND_ONE = tuple((-1) ** k * _zeta_without_one(k) / k for k in range(2, 30))
"""log Γ(1 + z) = -log(1 + z) + z (1 - γ) + z² (c0 + c1 z + ...): each coefficient is half of the one before."""
STIRLING = tuple(b / (2 * k * (2 * k - 1)) for k, b in enumerate(BERNOULLI, 1))


def log_gamma(x: Any, m: Arithmetic) -> Any:
    """log |Γ(x)|: infinite at 0, at the negative integers and at both infinities."""
    below = x <= 0.0
    result = m.pick(below, _reflected(x, below, m), _log_gamma(m.pick(below, 1.0, x), m))
    return m.pick(m.is_number(x, -math.inf), math.inf, result)


def _log_gamma(x: Any, m: Arithmetic) -> Any:
    """Of x above 0."""
    near = (x >= 0.5) & (x <= 2.5)
    return m.pick(near, _around_one_and_two(m.pick(near, x, 1.0), m), _far(x, m))


def _around_one_and_two(x: Any, m: Arithmetic) -> Any:
    """The series around 1; without its logarithm it is that around 2."""
    second = x > 1.5
    z = m.pick(second, x - 2.0, x - 1.0)
    series = z * z * m.polynomial(z, AROUND_ONE) + z * (1 - EULER)
    return m.pick(second, series, series - m.log1p(m.pick(second, 0.0, z)))


def _far(x: Any, m: Arithmetic) -> Any:
    near = x < FAR
    far = m.pick(near, x + FAR, x)
    inverse = 1.0 / far
    large = (far - 0.5) * (m.log(far) - 1.0) + (0.5 * math.log(2 * math.pi) - 0.5)
    large = large + inverse * m.polynomial(inverse * inverse, STIRLING)
    return m.pick(near, large - m.log(_rising(m.pick(near, x, 1.0))), large)


def _rising(x: Any) -> Any:
    """x (x + 1) ... (x + FAR - 1)."""
    result = x
    for step in range(1, FAR):
        result = result * (x + float(step))
    return result


def _reflected(x: Any, below: Any, m: Arithmetic) -> Any:
    """log |π / sin(π x)| - log Γ(1 - x), where x is at most 0."""
    inside = m.pick(below, x, 0.5)
    sine = m.abs(m.sin((inside - m.nearest(inside)) * math.pi))
    return math.log(math.pi) - m.log(sine) - _log_gamma(m.pick(below, 1.0 - x, 1.0), m)


def polygamma(x: Any, order: int, m: Arithmetic) -> Any:
    """The derivative of log |Γ(x)| of order + 1. Even orders are NaN at the negative integers, where they jump."""
    below = x <= 0.0
    turned = _polygamma(m.pick(below, 1.0 - x, 1.0), order, m)
    turned, slope = turned if order % 2 == 0 else -turned, _cotangent(x, order, below, m)
    turned = m.pick(m.is_number(m.abs(slope), math.inf), -slope, turned - slope)
    return m.pick(below, turned, _polygamma(m.pick(below, 1.0, x), order, m))


def _polygamma(x: Any, n: int, m: Arithmetic) -> Any:
    """Of x above 0: steps of the recurrence, then the derivatives of Stirling's series.

    Those are exact from FAR + n on. Below, a step of FAR is enough: the series counts the less the larger n is.
    """
    near = x < float(FAR + n)
    far, low = m.pick(near, x + float(FAR), x), m.pick(near, x, 1.0)
    inverse = 1.0 / far
    terms = [b * (math.comb(2 * k + n - 1, 2 * k) if n else 1 / (2 * k)) for k, b in enumerate(BERNOULLI, 1)]
    tail = inverse * inverse * m.polynomial(inverse * inverse, terms)
    if n:
        large = _factorial_by_power(inverse, n - 1) * (inverse * (n / 2) + tail + 1.0)
    else:
        large = inverse * 0.5 + tail - m.log(far)
    steps = [_factorial_by_power(1.0 / (low + float(step)), n) for step in range(FAR)]
    total = steps[-1]
    for each in steps[-2::-1]:  # the smallest first
        total = total + each
    whole = m.pick(m.is_number(total, math.inf), total, large + total)
    result = m.pick(near, whole, large)
    return result if n % 2 else -result


def _factorial_by_power(inverse: Any, n: int) -> Any:
    """n! / x to the power n + 1, factor by factor: either may be too large or too small where their ratio isn't."""
    result = inverse
    for factor in range(1, n + 1):
        result = result * (inverse * float(factor))
    return result


def _cotangent(x: Any, n: int, below: Any, m: Arithmetic) -> Any:
    """π times the n-th derivative of cot(π x): a polynomial of the cotangent, by c' = -π (1 + c²).

    The coefficients are without n! and the powers of π, which are large and come last.
    """
    inside = m.pick(below, x, 0.5)
    part = inside - m.nearest(inside)
    coefficients = [0.0, 1.0]
    for order in range(1, n + 1):
        slope = [place * each for place, each in enumerate(coefficients)][1:]
        wide = [*slope, 0.0, 0.0]
        coefficients = [-(each + (wide[k - 2] if k > 1 else 0.0)) / order for k, each in enumerate(wide)]
    result = m.polynomial(1.0 / m.tan(part * math.pi), coefficients) * math.pi
    for factor in range(1, n + 1):
        result = result * (factor * math.pi)
    return result if n % 2 else m.pick(m.is_number(part, 0.0) & (x < 0.0), math.nan, result)
