"""Functions of complex numbers, made of functions of their real and imaginary parts. On Values.

Branch cuts and values at signed zeros and infinities are C99's. Source: W. Kahan, "Branch cuts for complex elementary
functions" (1987). Trigonometric and hyperbolic ones are in complex_waves.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..errors import DtypeError
from ..ir.build import splat
from ..ir.graph import Value
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


def split(z: Value) -> tuple[Value, Value]:
    """Real and imaginary parts."""
    return parts.real(z), parts.imag(z)


# -- size, roots, exponentials


def _abs(z: Value) -> Value:
    result: Value = ew.hypot(*split(z))
    return result


def _sign(z: Value) -> Value:
    size = _abs(z)
    zero = size == 0
    scale = 1 / where(zero, 1.0, size)
    a, b = split(z)
    return make(where(zero, 0.0, a * scale), where(zero, 0.0, b * scale))


def no_angle(a: Value, b: Value) -> tuple[Value, Value]:
    """Where b, which is no finite angle, turns what a alone decides: a = -inf, and a = +inf."""
    turns = ew.bitwise_invert(ew.isfinite(b))
    return turns & (a == -math.inf), turns & (a == math.inf)


def _turned(size: Value, b: Value) -> Value:
    """size · sin(b), and 0 where b is 0 and the size infinite or NaN."""
    product = size * ew.sin(b)
    return where((b == 0) & ew.isnan(product), ew.stop_gradient(b), product)


def _exp(z: Value) -> Value:
    a, b = split(z)
    size = ew.exp(a)
    gone, huge = no_angle(a, b)
    first = where(gone, 0.0, where(huge, math.inf, size * ew.cos(b)))
    return make(first, where(gone, 0.0, _turned(size, b)))


def _expm1(z: Value) -> Value:
    a, b = split(z)
    half = ew.sin(b / 2)
    gone, huge = no_angle(a, b)
    first = where(gone, -1.0, where(huge, math.inf, ew.expm1(a) * ew.cos(b) - 2 * half * half + 0.0))
    return make(first, where(gone, 0.0, _turned(ew.exp(a), b)))


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
    a, b = split(z)
    return make(_log_size(a, b), ew.atan2(b, a))


def _log1p(z: Value) -> Value:
    a, b = split(z)
    small = (abs(a) < 0.5) & (abs(b) < 0.5)
    x, y = where(small, a, 0.0), where(small, b, 0.0)
    size = where(small, 0.5 * ew.log1p(x * (2 + x) + y * y), _log_size(where(small, 1.0, 1 + a), where(small, 0.0, b)))
    return make(size, ew.atan2(b, 1 + a))


def _log_to(base: float) -> Callable[[Value], Value]:
    def function(z: Value) -> Value:
        a, b = split(_log(z))
        return make(a / math.log(base), b / math.log(base))

    return function


def _without_sign(x: Value) -> Value:
    """|x| whose derivative at 0 is that of one side, not 0: what is made of it goes smoothly through 0."""
    result: Value = x * ew.copysign(splat(1, x.type), x)
    return result


def square_root(z: Value) -> Value:
    """The root whose real part is not negative."""
    a, b = split(z)
    zero = (a == 0) & (b == 0)
    x, y = where(zero, 1.0, a), where(zero, 0.0, b)
    t = ew.sqrt(_without_sign(x) / 2 + ew.hypot(x, y) / 2)
    small = y / (2 * t)
    first = where(x >= 0, t, _without_sign(small))
    second = where(x >= 0, small, ew.copysign(t, y))
    first, second = where(zero, ew.sqrt(ew.hypot(a, b)), first), where(zero, ew.stop_gradient(b), second)
    wide = ew.isinf(b)
    return make(where(wide, math.inf, first), where(wide, b, second))


def _power(z: Value, p: Value) -> Value:
    """exp(p log z); at 0 by the exponent, with the derivative that it has there, NaN for a part between 0 and 1."""
    zero = z == 0
    found = _exp(p * _log(where(zero, 1.0, z)))
    size = real(p)
    flat = where(size > 0, 0.0, complex(math.nan, math.nan))
    at_zero = where(p == 0, 1.0, where(p == 1, z, where((size > 0) & (size < 1), square_root(z), flat)))
    return where(zero, at_zero, found)


# -- tests and rounding


def _either(primitive: Any) -> Callable[[Value], Value]:
    def function(z: Value) -> Value:
        a, b = split(z)
        result: Value = ew.bitwise_or(primitive(a), primitive(b))
        return result

    return function


def _isfinite(z: Value) -> Value:
    a, b = split(z)
    result: Value = ew.bitwise_and(ew.isfinite(a), ew.isfinite(b))
    return result


def _by_parts(primitive: Any) -> Callable[[Value], Value]:
    return lambda z: make(*map(primitive, split(z)))


ON_COMPLEX.update(
    abs=_abs,
    sign=_sign,
    exp=_exp,
    expm1=_expm1,
    log=_log,
    log1p=_log1p,
    log2=_log_to(2),
    log10=_log_to(10),
    sqrt=square_root,
    power=_power,
    isnan=_either(ew.isnan),
    isinf=_either(ew.isinf),
    isfinite=_isfinite,
    round=_by_parts(ew.round),
)
