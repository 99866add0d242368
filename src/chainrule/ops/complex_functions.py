"""Functions of complex numbers, made of functions of their real and imaginary parts. On Values.

Branch cuts and values at signed zeros are C99's. Sources: W. Kahan, "Branch cuts for complex elementary functions"
(1987), for square root, inverse functions and the hyperbolic tangent.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..errors import DtypeError
from ..ir.build import splat
from ..ir.graph import Value
from ..ir.types import float32
from . import complex as parts
from . import elementwise as ew
from .operators import ON_COMPLEX, common, floating, lift, where


def real(x: Any) -> Value:
    """The real part; of real numbers they themselves."""
    value = lift(x)
    result: Value = parts.real(value) if value.type.is_complex else value
    return result


def imag(x: Any) -> Value:
    """The imaginary part; of real numbers it is 0."""
    value = lift(x)
    result: Value = parts.imag(value) if value.type.is_complex else splat(0, value.type)
    return result


def conj(x: Any) -> Value:
    """The conjugate; real numbers as they are."""
    value = lift(x)
    result: Value = parts.conj(value) if value.type.is_complex else value
    return result


def make(re: Any, im: Any) -> Value:
    """Complex numbers from their real and imaginary parts."""
    first, second = common(re, im)
    if first.type.is_complex:
        raise DtypeError(f"complex takes real parts and imaginary parts, but was given {first.type}")
    result: Value = parts.join(floating(first), floating(second))
    return result


def angle(x: Any) -> Value:
    """The angle of complex numbers with the positive real axis, in radians, from -π to π."""
    value = floating(x)
    if value.type.is_complex:
        result: Value = ew.atan2(imag(value), real(value))
        return result
    return where(value < 0, math.pi, where(ew.isnan(value), value, 0.0))


def polar(size: Any, angle: Any) -> Value:
    """Complex numbers of a size at an angle in radians."""
    first, second = common(size, angle)
    first, second = floating(first), floating(second)
    return make(first * ew.cos(second), first * ew.sin(second))


def _split(z: Value) -> tuple[Value, Value]:
    return parts.real(z), parts.imag(z)


def _times_i(z: Value) -> Value:
    a, b = _split(z)
    return make(-b, a)


def _over_i(z: Value) -> Value:
    a, b = _split(z)
    return make(b, -a)


def _not_above(x: Value, limit: float) -> Value:
    return where(x > limit, limit, x)


# -- size, roots, exponentials


def _abs(z: Value) -> Value:
    result: Value = ew.hypot(*_split(z))
    return result


def _sign(z: Value) -> Value:
    size = _abs(z)
    scale = 1 / where(size == 0, 1.0, size)
    a, b = _split(z)
    return make(a * scale, b * scale)


def _exp(z: Value) -> Value:
    a, b = _split(z)
    size = ew.exp(a)
    return make(size * ew.cos(b), where(b == 0, b, size * ew.sin(b)))


def _expm1(z: Value) -> Value:
    a, b = _split(z)
    half = ew.sin(b / 2)
    return make(ew.expm1(a) * ew.cos(b) - 2 * half * half, where(b == 0, b, ew.exp(a) * ew.sin(b)))


def _log_size(a: Value, b: Value) -> Value:
    """log |a + i b|; near 1 the logarithm would lose the digits of what is beyond 1."""
    size = ew.hypot(a, b)
    near = (size > 0.5) & (size < 2)
    swapped = abs(a) < abs(b)
    large, small = where(swapped, b, a), where(swapped, a, b)
    large, small = where(near, abs(large), 1.0), where(near, small, 0.0)
    beyond = (large - 1) * (large + 1) + small * small
    return where(near, 0.5 * ew.log1p(beyond), ew.log(where(near, 1.0, size)))


def _log(z: Value) -> Value:
    a, b = _split(z)
    return make(_log_size(a, b), ew.atan2(b, a))


def _log1p(z: Value) -> Value:
    a, b = _split(z)
    small = (abs(a) < 0.5) & (abs(b) < 0.5)
    x, y = where(small, a, 0.0), where(small, b, 0.0)
    size = where(small, 0.5 * ew.log1p(x * (2 + x) + y * y), _log_size(where(small, 1.0, 1 + a), where(small, 0.0, b)))
    return make(size, ew.atan2(b, 1 + a))


def _log_to(base: float) -> Callable[[Value], Value]:
    def function(z: Value) -> Value:
        a, b = _split(_log(z))
        return make(a / math.log(base), b / math.log(base))

    return function


def _sqrt(z: Value) -> Value:
    a, b = _split(z)
    zero = (a == 0) & (b == 0)
    x, y = where(zero, 1.0, a), where(zero, 0.0, b)
    t = ew.sqrt(abs(x) / 2 + ew.hypot(x, y) / 2)
    small = y / (2 * t)
    first = where(x >= 0, t, abs(small))
    second = where(x >= 0, small, ew.copysign(t, y))
    first, second = where(zero, 0.0, first), where(zero, b, second)
    wide = ew.isinf(b)
    return make(where(wide, math.inf, first), where(wide, b, second))


def _power(z: Value, p: Value) -> Value:
    zero = z == 0
    found = _exp(p * _log(where(zero, 1.0, z)))
    return where(zero, where(p == 0, 1.0, where(real(p) > 0, 0.0, complex(math.nan, math.nan))), found)


# -- trigonometric and hyperbolic


def _sinh(z: Value) -> Value:
    a, b = _split(z)
    return make(ew.sinh(a) * ew.cos(b), where(b == 0, b, ew.cosh(a) * ew.sin(b)))


def _cosh(z: Value) -> Value:
    a, b = _split(z)
    return make(ew.cosh(a) * ew.cos(b), where((a == 0) | (b == 0), a * b, ew.sinh(a) * ew.sin(b)))


def _tanh(z: Value) -> Value:
    """Where |a| is large, tanh is ±1 and what is left of the imaginary part."""
    a, b = _split(z)
    limit = 9.0 if a.dtype == float32 else 20.0
    large = abs(a) > limit
    x = where(large, 0.0, a)
    t, s = ew.tan(b), ew.sinh(x)
    square = 1 + t * t
    below = 1 + square * s * s
    left = 4 * ew.sin(b) * ew.cos(b) * ew.exp(-2 * abs(a))
    first = where(large, ew.sign(a), square * ew.sqrt(1 + s * s) * s / below)
    return make(first, where(large, left, t / below))


def _sin(z: Value) -> Value:
    return _over_i(_sinh(_times_i(z)))


def _cos(z: Value) -> Value:
    return _cosh(_times_i(z))


def _tan(z: Value) -> Value:
    return _over_i(_tanh(_times_i(z)))


# -- their inverses


def _around_one(z: Value) -> tuple[Value, Value, Value, Value]:
    """Parts of sqrt(1 - z) and of sqrt(1 + z)."""
    a, b = _split(z)
    return *_split(_sqrt(make(1 - a, -b))), *_split(_sqrt(make(1 + a, b)))


def _acos(z: Value) -> Value:
    a, b, c, d = _around_one(z)
    return make(2 * ew.atan2(a, c), ew.asinh(c * b - d * a))


def _asin(z: Value) -> Value:
    a, b, c, d = _around_one(z)
    return make(ew.atan2(parts.real(z), a * c - b * d), ew.asinh(a * d - b * c))


def _asinh(z: Value) -> Value:
    return _over_i(_asin(_times_i(z)))


def _acosh(z: Value) -> Value:
    x, y = _split(z)
    a, b = _split(_sqrt(make(x - 1, y)))
    c, d = _split(_sqrt(make(x + 1, y)))
    return make(ew.asinh(a * c + b * d), 2 * ew.atan2(b, c))


def _atanh(z: Value) -> Value:
    a, b = _split(z)
    real_part = ew.log1p(4 * a / ((1 - a) * (1 - a) + b * b)) / 4
    return make(real_part, ew.atan2(2 * b, (1 - a) * (1 + a) - b * b) / 2)


def _atan(z: Value) -> Value:
    return _over_i(_atanh(_times_i(z)))


# -- tests and rounding


def _either(primitive: Any) -> Callable[[Value], Value]:
    def function(z: Value) -> Value:
        a, b = _split(z)
        result: Value = ew.bitwise_or(primitive(a), primitive(b))
        return result

    return function


def _isfinite(z: Value) -> Value:
    a, b = _split(z)
    result: Value = ew.bitwise_and(ew.isfinite(a), ew.isfinite(b))
    return result


def _by_parts(primitive: Any) -> Callable[[Value], Value]:
    return lambda z: make(*map(primitive, _split(z)))


ON_COMPLEX.update(
    abs=_abs,
    sign=_sign,
    exp=_exp,
    expm1=_expm1,
    log=_log,
    log1p=_log1p,
    log2=_log_to(2),
    log10=_log_to(10),
    sqrt=_sqrt,
    power=_power,
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
    isnan=_either(ew.isnan),
    isinf=_either(ew.isinf),
    isfinite=_isfinite,
    round=_by_parts(ew.round),
)
