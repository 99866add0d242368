"""Exponentials as vector code: exp, expm1, sigmoid, tanh, sinh, cosh.

exp(x) = 2^n exp(r) with n = round(x / ln 2) and |r| <= ln 2 / 2; exp(r) = 1 + r + r² q(r), where q is nearly the
minimax polynomial (Chebyshev interpolation with 40 digits). n is rounded by adding 1.5 * 2^mantissa, which also leaves
it as an integer in the low bits. 2^n is applied in two halves, so that results below the normal range are rounded only
once; AVX-512 has an instruction for it, with the same result.
"""

from __future__ import annotations

import math

from ...records import dataclass
from .term import Format, Term, polynomial


@dataclass(frozen=True)
class _Exponential:
    """Constants of one format. ln 2 = ln2_high + ln2_low, and n * ln2_high is exact for every n that occurs."""

    ln2_high: float
    ln2_low: float
    tail: tuple[float, ...]
    lowest: float
    vanishing: float
    highest: float


_FLOAT = _Exponential(
    0.693359375,
    -2.12194440e-4,
    (0.5, 0.16666575985420823, 0.041666553362644264, 0.00836334581098711, 0.0013926391896140632),
    -104.0,
    -103.9722,
    89.0,
)
_DOUBLE = _Exponential(
    float.fromhex("0x1.62e42feep-1"),
    float.fromhex("0x1.a39ef35793c76p-33"),
    (
        0.5,
        0.16666666666666669,
        0.041666666666666664,
        0.008333333333329989,
        0.00138888888888865,
        0.0001984126986342035,
        2.480158731740639e-05,
        2.755726789174553e-06,
        2.755728256374953e-07,
        2.510065503606659e-08,
        2.0911429114372476e-09,
    ),
    -746.0,
    -745.1333,
    710.0,
)

LEAST_EXPONENT = -149.0
"""2 to this is the smallest float32; half of it, times a number above one, is rounded up to it."""


def _constants(x: Term) -> _Exponential:
    return _FLOAT if x.format.element == "float" else _DOUBLE


def power_of_two(n: Term) -> Term:
    """2^n for whole n within the exponents of normal numbers."""
    form: Format = n.format
    return ((n + (form.magic + form.bias)).bits() << form.mantissa).as_float()


def _reduce(x: Term) -> tuple[Term, Term]:
    """(n, r) with x = n ln 2 + r."""
    known, magic = _constants(x), x.format.magic
    n = x.fma(1 / math.log(2), magic) - magic
    return n, n.fma(-known.ln2_low, n.fma(-known.ln2_high, x))


def scale(value: Term, n: Term) -> Term:
    """value * 2^n, in two steps: each is within the normal range, and only the last one rounds."""
    if value.has_scaling:
        return value.scaled(n)
    magic = n.format.magic
    half = n.fma(0.5, magic) - magic
    return value * power_of_two(half) * power_of_two(n - half)


def exp(x: Term) -> Term:
    """e^x."""
    return _exp_below(x.at_most(_constants(x).highest))


def _exp_below(x: Term) -> Term:
    """e^x for x that is not so large that it overflows.

    What rounds to zero is not computed: a product that underflows takes the processor a hundred cycles.
    """
    vanishes = x < _constants(x).vanishing
    n, r = _reduce(x if x.has_scaling else vanishes.pick(0.0, x))
    return vanishes.pick(0.0, scale(_near_one(r), n))


def _near_one(r: Term) -> Term:
    """e^r."""
    tail, square = _constants(r).tail, r * r
    return square.fma(_pairs(r, square, tail) if len(tail) == 5 else polynomial(r, tail), r) + 1


def _pairs(r: Term, square: Term, c: tuple[float, ...]) -> Term:
    """A polynomial of five coefficients in pairs: as many steps as by Horner's rule, of which fewer wait for others."""
    return square.fma(square.fma(c[4], r.fma(c[3], c[2])), r.fma(c[1], c[0]))


def exp_sum(high: Term, low: Term) -> Term:
    """exp(high + low) of a float64 and its rounding error, with hardly more than the last rounding's error."""
    known, magic = _constants(high), high.format.magic
    inside = high.at_least(known.lowest).at_most(known.highest)
    n = inside.fma(1 / math.log(2), magic) - magic
    rest, taken = inside - n * known.ln2_high, n * known.ln2_low
    r = rest - taken
    lost = (rest - r) - taken + (high.abs() < 800).pick(low, 0.0)
    start = r + 1
    bent = r * r * polynomial(r, known.tail)
    return scale(start + ((1 - start) + r + (start + bent).fma(lost, bent)), n)


def expm1(x: Term) -> Term:
    """e^x - 1 = 2 (2^(n-1) (e^r - 1) + (2^(n-1) - 1/2)): no digits are lost near 0, and 2^n cannot overflow first."""
    known, form = _constants(x), x.format
    n, r = _reduce(x.at_least(-float(form.mantissa + 6)).at_most(known.highest))
    grown = (r * r).fma(polynomial(r, known.tail), r)
    half = power_of_two(n - 1)
    result = half.fma(grown, half - 0.5) * 2
    return (x.abs() < form.epsilon / 2).pick(x, result)


def sigmoid(x: Term) -> Term:
    """1 / (1 + e^-x), from e^-|x|, so that neither end loses digits. Most of it is the same for -x."""
    size = -x.abs()
    if x.has_scaling and x.format.element == "float":
        small, whole = _exp_and_one(size)
    else:
        small = _exp_below(size)
        whole = small + 1
    return (x < 0).pick(small, x.lift(1.0)).times_inverse(whole)


def _exp_and_one(x: Term) -> tuple[Term, Term]:
    """(e^x, e^x + 1) for x <= 0. 2^n is there before e^r is, so that both are one step from it."""
    stays = ~(x < _constants(x).vanishing)
    n, r = _reduce(x)
    power = x.lift(1.0).scaled(n.at_least(LEAST_EXPONENT))
    near = _near_one(r)
    return stays.pick(near * power, 0.0), stays.pick(near.fma(power, 1.0), 1.0)


_TANH_ABOVE = (
    1.0,
    0.13679903477172478,
    0.003868313123490275,
    2.8007160498825684e-05,
    3.05843007270997e-08,
    -1.2202934218957139e-11,
)
_TANH_BELOW = (1.0, 0.4701323554384311, 0.027245785520032133, 0.0003938605189246499, 1.2873456638464518e-06)


def tanh(x: Term) -> Term:
    """In float32 x P(x²) / Q(x²), relative error 1.3e-9 before rounding up to |x| = 9.02, where tanh rounds to 1."""
    if x.format.element == "double":
        return _tanh_by_expm1(x)
    inside = x.at_least(-9.02).at_most(9.02)
    square = inside * inside
    above = inside * polynomial(square, _TANH_ABOVE)
    return above.over(polynomial(square, _TANH_BELOW)).at_least(-1.0).at_most(1.0)


def _tanh_by_expm1(x: Term) -> Term:
    """tanh |x| = t / (t + 2) with t = e^2|x| - 1; beyond 20 it is 1."""
    grown = expm1((x.abs() * 2).at_most(44.0))
    return (grown / (grown + 2)).copysign(x)


def sinh(x: Term) -> Term:
    """(t + t / (t + 1)) / 2 with t = e^|x| - 1; near the overflow e^(|x| / 2) squared."""
    size = x.abs()
    grown = expm1(size.at_most(700.0))
    near = (grown + grown / (grown + 1)) * 0.5
    return (size < 700).pick(near, _half_exp(size)).copysign(x)


def cosh(x: Term) -> Term:
    """(e^|x| + e^-|x|) / 2."""
    size = x.abs()
    grown = exp(size.at_most(700.0))
    return (size < 700).pick(grown * 0.5 + 0.5 / grown, _half_exp(size))


def _half_exp(size: Term) -> Term:
    root = exp(size * 0.5)
    return root * 0.5 * root
