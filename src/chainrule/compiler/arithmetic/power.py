"""power, log2, log10 in float64, from a logarithm of about 65 bits in two float64 numbers."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

from .exp import exp_sum
from .log import DOUBLE_TAIL, LN2_DOUBLE, split, with_ends
from .term import Term, polynomial

LOG2_E = (1.4426950408889634, 2.0355273740931033e-17)
LOG10_E = (0.4342944819032518, 1.098319650216765e-17)
TWO_THIRDS = (0.6666666666666666, 3.700743415417188e-17)
Pair = tuple[Term, Term]


def _product(a: Pair, b: Pair) -> Pair:
    high = a[0] * b[0]
    return high, a[0].exact_fma(b[0], -high) + (a[0] * b[1] + a[1] * b[0])


def _sum(big: Term, small: Term, low: Term) -> Pair:
    """big + small + low, where big is zero or the larger one."""
    high = big + small
    return high, (big - high) + small + low


def _ratio(f: Term) -> Pair:
    """f / (2 + f)."""
    below = f + 2
    high = f / below
    left = (-high).exact_fma(below, f) - high * (f - (below - 2))
    return high, left / below


def log_pair(x: Term) -> Pair:
    """log x of positive finite x: with s = f / (2 + f) it is s (2 + s² (2/3 + s² (...)))."""
    k, m = split(x)
    s = _ratio(m - 1)
    square = _product(s, s)
    rest = square[0] * polynomial(square[0], DOUBLE_TAIL[1:])
    inner = _sum(rest.lift(TWO_THIRDS[0]), rest, rest.lift(TWO_THIRDS[1]))
    grown = _product(square, inner)
    high, low = _product(s, _sum(grown[0].lift(2.0), *grown))
    total, left = _sum(k * LN2_DOUBLE[0], high, k.fma(LN2_DOUBLE[1], low))
    return _sum(total, left, left.lift(0.0))


def _based(x: Term, factor: tuple[float, float]) -> Term:
    pair = _product(log_pair(x), (x.lift(factor[0]), x.lift(factor[1])))
    return with_ends(x, pair[0] + pair[1])


def log2(x: Term) -> Term:
    """Logarithm to base 2, exact for powers of 2."""
    return _based(x, LOG2_E)


def log10(x: Term) -> Term:
    """Logarithm to base 10, exact for powers of 10."""
    return _based(x, LOG10_E)


def power(x: Term, y: Term) -> Term:
    """x^y with NumPy's special cases: 1 for y = 0 and x = 1 whatever the other is, NaN for a root of a negative x."""
    base = x.number
    if base is not None and 0 < base < math.inf and base != 1:
        return y.equals(0).pick(1.0, _raised(*_log_of(base, y), y))
    if y.number == -0.5:
        return x.equals(0).pick(math.inf, x.equals(-math.inf).pick(0.0, 1 / x.sqrt()))
    size = x.abs()
    high, low = log_pair(size)
    high = size.equals(0).pick(-math.inf, (size < math.inf).pick(high, size))
    result = _raised(high, low, y)
    result = (size.equals(1) & y.abs().equals(math.inf)).pick(1.0, result)
    result = _with_sign(x, y, result)
    return (y.equals(0) | x.equals(1)).pick(1.0, result)


def _raised(high: Term, low: Term, y: Term) -> Term:
    """e^(y (high + low))."""
    top = y * high
    return exp_sum(top, y.exact_fma(high, -top) + y * low)


def _log_of(base: float, like: Term) -> Pair:
    """The logarithm of a number that the program knows."""
    with localcontext() as context:
        context.prec = 50
        exact = Decimal(base).ln()
        return like.lift(float(exact)), like.lift(float(exact - Decimal(float(exact))))


def _with_sign(x: Term, y: Term, result: Term) -> Term:
    """Negative x: odd whole powers change the sign, and those that are not whole are not real."""
    half = y * 0.5
    whole = y.rounded("floor").equals(y)
    odd = whole & half.rounded("floor").differs(half)
    signed = odd.pick(result.copysign(x), result)
    unreal = (x < 0) & (x > -math.inf) & ~whole & (y.abs() < math.inf)
    return unreal.pick(math.nan, signed)


def hypot(a: Term, b: Term) -> Term:
    """The root of a² + b², scaled so that no square leaves the range; an infinity wins over NaN."""
    first, second = a.abs(), b.abs()
    larger = (first > second).pick(first, second)
    back = (larger > 2.0**500).pick(larger.lift(2.0**600), (larger < 2.0**-400).pick(larger.lift(2.0**-600), 1.0))
    factor = (larger > 2.0**500).pick(larger.lift(2.0**-600), (larger < 2.0**-400).pick(larger.lift(2.0**600), 1.0))
    one, two = first * factor, second * factor
    root = one.fma(one, two * two).sqrt() * back
    return (first.equals(math.inf) | second.equals(math.inf)).pick(math.inf, root)
