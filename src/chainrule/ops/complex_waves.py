"""Trigonometric and hyperbolic functions of complex numbers and their inverses, made of functions of the parts.

Branch cuts and values at signed zeros, infinities and NaN are C99's (annex G). Source: W. Kahan, "Branch cuts for
complex elementary functions" (1987).
"""

from __future__ import annotations

import math

from ..ir.build import splat
from ..ir.graph import Value
from ..ir.types import float32
from . import elementwise as ew
from .complex_functions import make, no_angle, split, square_root
from .operators import ON_COMPLEX, where


def _times_i(z: Value) -> Value:
    a, b = split(z)
    return make(-b, a)


def _over_i(z: Value) -> Value:
    a, b = split(z)
    return make(b, -a)


def _infinite(a: Value, b: Value) -> Value:
    result: Value = ew.bitwise_or(ew.isinf(a), ew.isinf(b))
    return result


def _no_product(x: Value, zero: Value, instead: Value) -> Value:
    """x, and `instead` where it is 0 times infinity or NaN."""
    return where(zero & ew.isnan(x), ew.stop_gradient(instead), x)


# -- hyperbolic, and with i turned trigonometric


def _sinh(z: Value) -> Value:
    a, b = split(z)
    below, above = no_angle(a, b)
    first = _no_product(ew.sinh(a) * ew.cos(b), below | above | (a == 0), a)
    return make(first, _no_product(ew.cosh(a) * ew.sin(b), b == 0, b))


def _cosh(z: Value) -> Value:
    a, b = split(z)
    below, above = no_angle(a, b)
    zero = ew.copysign(0.0 * where(ew.isfinite(a), a, 1.0), ew.copysign(_one(a), a) * ew.copysign(_one(b), b))
    first = where(below | above, math.inf, ew.cosh(a) * ew.cos(b))
    return make(first, _no_product(ew.sinh(a) * ew.sin(b), (a == 0) | (b == 0), zero))


def _one(like: Value) -> Value:
    return splat(1, like.type)


def _tanh(z: Value) -> Value:
    """Where |a| is large, tanh is ±1 and what is left of the imaginary part."""
    a, b = split(z)
    large = abs(a) > (9.0 if a.dtype == float32 else 20.0)
    x = where(large, 0.0, a)
    t, s = ew.tan(b), ew.sinh(x)
    square = 1 + t * t
    below = 1 + square * s * s
    left = 4 * ew.sin(b) * ew.cos(b) * ew.exp(-2 * abs(a))
    left = where(ew.isinf(a), ew.copysign(splat(0, b.type), b), left)
    end = where(ew.isinf(a) | ew.isfinite(b), ew.sign(a), math.nan)
    first = where(large, end, _no_product(square * ew.sqrt(1 + s * s) * s / below, a == 0, a))
    return make(first, _no_product(where(large, left, t / below), b == 0, b))


def _sin(z: Value) -> Value:
    return _over_i(_sinh(_times_i(z)))


def _cos(z: Value) -> Value:
    return _cosh(_times_i(z))


def _tan(z: Value) -> Value:
    return _over_i(_tanh(_times_i(z)))


# -- their inverses


def _around_one(z: Value) -> tuple[Value, Value, Value, Value]:
    """Parts of sqrt(1 - z) and of sqrt(1 + z)."""
    a, b = split(z)
    return *split(square_root(make(1 - a, -b))), *split(square_root(make(1 + a, b)))


def _acos(z: Value) -> Value:
    x, y = split(z)
    a, b, c, d = _around_one(z)
    wide = _infinite(x, y)
    first = where(wide, ew.atan2(abs(y), x), 2 * ew.atan2(a, c))
    first = where((x == 0) & ew.isnan(y), math.pi / 2, first)
    return make(first, where(wide, ew.copysign(splat(math.inf, y.type), -y), ew.asinh(c * b - d * a)))


def _acosh(z: Value) -> Value:
    x, y = split(z)
    a, b = split(square_root(make(x - 1, y)))
    c, d = split(square_root(make(x + 1, y)))
    wide = _infinite(x, y)
    second = where(wide, ew.atan2(y, x), 2 * ew.atan2(b, c))
    second = where((x == 0) & ew.isnan(y), math.pi / 2, second)
    return make(where(wide, math.inf, ew.asinh(a * c + b * d)), second)


def _asinh(z: Value) -> Value:
    """-i asin(i z)"""
    x, y = split(z)
    a, b, c, d = _around_one(_times_i(z))
    wide = _infinite(x, y)
    first = where(wide, ew.copysign(splat(math.inf, x.type), x), ew.asinh(a * d - b * c))
    second = where(wide, ew.atan2(y, abs(x)), -ew.atan2(-y, a * c - b * d))
    return make(first, _no_product(second, y == 0, y))


def _asin(z: Value) -> Value:
    return _over_i(_asinh(_times_i(z)))


def _atanh(z: Value) -> Value:
    a, b = split(z)
    wide = _infinite(a, b)
    first = ew.log1p(4 * a / ((1 - a) * (1 - a) + b * b)) / 4
    first = where(wide | ((a == 0) & ew.isnan(b)), ew.copysign(splat(0, a.type), a), first)
    turned = where(ew.isnan(b), math.nan, ew.copysign(splat(math.pi / 2, b.type), b))
    return make(first, where(wide, turned, ew.atan2(2 * b, (1 - a) * (1 + a) - b * b) / 2))


def _atan(z: Value) -> Value:
    return _over_i(_atanh(_times_i(z)))


ON_COMPLEX.update(
    sin=_sin,
    cos=_cos,
    tan=_tan,
    asin=_asin,
    acos=_acos,
    atan=_atan,
    sinh=_sinh,
    cosh=_cosh,
    tanh=_tanh,
    asinh=_asinh,
    acosh=_acosh,
    atanh=_atanh,
)
