"""Logarithms as vector code: log, log1p, log2, log10, logaddexp, asinh, acosh, atanh.

x = 2^k m with m in [√½, √2); log x = k ln 2 + log m. In float32 log(1 + f) = f - f²/2 + f³ q(f); in float64 with
s = f / (2 + f) it is f - (f²/2 - s (f²/2 + s² R(s²))), as in FreeBSD's e_log.c. The coefficients of q and R are our own
(Chebyshev interpolation with 40 digits). Numbers below the normal range are first multiplied by a power of two.
"""

from __future__ import annotations

import math

from .exp import exp
from .term import Format, Term, polynomial

LN2_FLOAT = (0.693359375, -2.12194440e-4)
LN2_DOUBLE = (float.fromhex("0x1.62e42feep-1"), float.fromhex("0x1.a39ef35793c76p-33"))
_FLOAT_TAIL = (
    0.33333331180030046,
    -0.24999996957950882,
    0.200007157488921,
    -0.16667802319501254,
    0.1424905764569748,
    -0.12425687331451106,
    0.1168541992348674,
    -0.11479733846637635,
    0.06971611471451178,
)
DOUBLE_TAIL = (
    0.6666666666666666,
    0.4000000000000091,
    0.2857142857078221,
    0.22222222396552982,
    0.18181795124476754,
    0.15386267672882226,
    0.1326802614042874,
    0.13094416666525344,
)


def split(x: Term) -> tuple[Term, Term]:
    """(k, m) with x = 2^k m and m in [√½, √2), for positive finite x."""
    form = x.format
    lift = 2.0 ** (form.mantissa + 2)
    denormal = x < form.tiny
    bits = denormal.pick(x * lift, x).bits()
    one, root = form.bits(1.0), form.bits(math.sqrt(0.5))
    moved = bits + (one - root)
    m = ((moved & ((1 << form.mantissa) - 1)) + root).as_float()
    return _exponent(moved >> form.mantissa, form, denormal), m


def _exponent(biased: Term, form: Format, denormal: Term) -> Term:
    """The biased exponent as a float, without an instruction that converts: it becomes the low bits of 2^mantissa."""
    start = 2.0**form.mantissa
    number = (biased | form.bits(start)).as_float()
    return number - denormal.pick(number.lift(start + form.bias + form.mantissa + 2), start + form.bias)


def with_ends(x: Term, result: Term) -> Term:
    """The ends of the domain of a logarithm: log 0 = -inf, NaN below, log inf = inf, log NaN = NaN."""
    finite = (x < math.inf).pick(result, x)
    return (x <= 0).pick(x.equals(0).pick(result.lift(-math.inf), math.nan), finite)


def _log_positive(x: Term, correction: Term | None = None) -> Term:
    """log x (+ a small correction) for positive finite x."""
    k, m = split(x)
    f = m - 1
    high, low = LN2_FLOAT if x.format.element == "float" else LN2_DOUBLE
    tail = k * low if correction is None else k.fma(low, correction)
    if x.format.element == "float":
        square = f * f
        rest = (square * f).fma(polynomial(f, _FLOAT_TAIL), tail)
        return k.fma(high, square.fma(-0.5, rest) + f)
    half_square, inner = _parts(f)
    return k.fma(high, f - (half_square - (inner + tail)))


def _parts(f: Term) -> tuple[Term, Term]:
    """(f²/2, s (f²/2 + R)) with log(1 + f) = f - f²/2 + the second."""
    s = f / (f + 2)
    square = s * s
    half_square = f * f * 0.5
    return half_square, s * square.fma(polynomial(square, DOUBLE_TAIL), half_square)


def log(x: Term) -> Term:
    """Natural logarithm."""
    return with_ends(x, _log_positive(x))


def log1p(x: Term) -> Term:
    """log(1 + x): what 1 + x rounds away is put back to first order."""
    u = x + 1
    result = with_ends(u, _log_positive(u, (x - (u - 1)) / u))
    return (x.abs() < x.format.epsilon / 2).pick(x, result)


def logaddexp(a: Term, b: Term) -> Term:
    """log(e^a + e^b): the larger of them and log1p(e^-|a - b|); equal infinities have no difference."""
    gap = a.equals(b).pick(0.0, (a - b).abs())
    return (a > b).pick(a, b) + log1p(exp(-gap))


def _log_of_large(x: Term) -> Term:
    """log 2x, where 2x may overflow."""
    return log(x) + math.log(2)


def asinh(x: Term) -> Term:
    """Inverse hyperbolic sine, in float64."""
    size = x.abs()
    inside = size.at_most(2.0**28)
    square = inside * inside
    near = log1p(inside + square / ((square + 1).sqrt() + 1))
    return (size > 2.0**28).pick(_log_of_large(size), near).copysign(x)


def acosh(x: Term) -> Term:
    """Inverse hyperbolic cosine, in float64; NaN below 1."""
    t = x - 1
    inside = t.at_most(2.0**28)
    near = log1p(inside + inside.fma(inside, inside * 2).sqrt())
    return (x < 1).pick(math.nan, (x > 2.0**28).pick(_log_of_large(x), near))


def atanh(x: Term) -> Term:
    """Inverse hyperbolic tangent, in float64: half of log1p(2x + 2x² / (1 - x)); NaN beyond 1."""
    size = x.abs()
    twice = size * 2
    argument = (size < 0.5).pick(twice + twice * size / (1 - size), twice / (1 - size))
    return (log1p(argument) * 0.5).copysign(x)
