"""The error functions as vector code.

float32: erf(x) = x P(x²) / Q(x²) up to |x| = 3.93, where erf rounds to 1; relative error 2e-8 before rounding.
erfc(x) = exp(-x²) / (1 + 2x) (1 + q(t)) with t = (x - 2) / (x + 2); what t, the quotient and x² lose to rounding is
worked out with fused multiply-add and put back (after N. Juffa).
float64: erf(x) = x p(x²) for |x| <= 1; otherwise from erfc(x) = exp(-x²) / (1 + 2x) q(t), t = (x - 3.75) / (x + 3.75)
(Shepherd and Laframboise, Mathematics of Computation 36, 1981). The coefficients were computed anew with 60 digits.
"""

from __future__ import annotations

import math

from .exp import exp
from .log import log
from .term import Term, polynomial, polynomial_in_halves

# The last digits of these two were searched for: of the neighbours of the best coefficients they round best together.
_ABOVE = (
    1.1283791065216064,
    0.19077134132385254,
    0.05278849974274635,
    0.0037790341302752495,
    0.0002847895084414631,
    2.0419884094735608e-06,
)
_BELOW = (
    1.0,
    0.5023994445800781,
    0.1142522320151329,
    0.014996293932199478,
    0.0011650616070255637,
    3.800324338953942e-05,
)
_NEAR = (
    1.1283791670955126,
    -0.3761263890318375,
    0.11283791670954879,
    -0.026866170645076792,
    0.0052239776248180145,
    -0.000854832698083379,
    0.0001205533111164271,
    -1.4925595266831182e-05,
    1.6461000484121368e-06,
    -1.6350312701054695e-07,
    1.4659775274047436e-08,
    -1.1372848856791674e-09,
    5.957176147748911e-11,
)
_FAR = (
    1.2375126308378275,
    -0.140240598585547,
    0.003585415485463596,
    0.08227673849014937,
    -0.10880393014170132,
    0.0923043211602668,
    -0.05869339859069754,
    0.028362277420199,
    -0.009746579545833101,
    0.00175562584664959,
    0.00029371358340592424,
    -0.0002901540742710761,
    5.164944524410191e-05,
    2.2384323634726563e-05,
    -1.1445082326788844e-05,
    -9.74031240106085e-07,
    1.753242446805371e-06,
    -5.6025662558491524e-08,
    -2.6030360513925494e-07,
    2.159120024132925e-08,
    3.9470695012723946e-08,
    -2.4850539495190282e-09,
    -5.159901840520969e-09,
    -8.775003130546054e-11,
    3.0155770038155575e-10,
)
_TAIL = (
    2.76978403e-1,
    -9.27639827e-2,
    -1.66031361e-1,
    1.64055392e-1,
    -5.42046614e-2,
    -8.05991981e-3,
    8.63227434e-3,
    1.31355342e-3,
    -1.23075210e-3,
    -4.01139259e-4,
)
LARGEST = 27.5  # erfc of more is zero
LARGEST_FLOAT = 10.0546875


def erf(x: Term) -> Term:
    """Error function."""
    if x.format.element == "double":
        return _erf_double(x)
    inside = x.at_least(-3.93).at_most(3.93)
    square = inside * inside
    ratio = (inside * polynomial(square, _ABOVE)).over(polynomial(square, _BELOW))
    return ratio.at_least(-1.0).at_most(1.0)


def _near_erf(x: Term) -> Term:
    """For |x| <= 1."""
    return x * polynomial(x * x, _NEAR)


def _far_erfc(size: Term) -> Term:
    """erfc for x >= 0. x² is split so that exp does not blow its rounding up."""
    inside = size.at_most(LARGEST)
    head = (inside * 16).rounded("trunc") * 0.0625
    decay = exp(-head * head) * exp((head - inside) * (inside + head))
    return decay * polynomial((inside - 3.75) / (inside + 3.75), _FAR) / (inside * 2 + 1)


def _erf_double(x: Term) -> Term:
    size = x.abs()
    return (size < 1).pick(_near_erf(x), (1 - _far_erfc(size)).copysign(x))


def erfc(x: Term) -> Term:
    """1 - erf(x), with full relative precision for large x. Without fused multiply-add float32 goes through float64."""
    if x.format.element == "float":
        return _erfc_float(x) if x.f.module.has_fma else erfc(x.widen()).narrow()
    size = x.abs()
    tail = _far_erfc(size)
    far = (x < 0).pick(2 - tail, tail)
    return ((x > -1) & (x < 0.5)).pick(1 - _near_erf(x.at_least(-1.0).at_most(1.0)), far)


def _erfc_float(x: Term) -> Term:
    size = x.abs().at_most(LARGEST_FLOAT)
    above, below = size + 2, size.fma(2.0, 1.0)
    inverse = (above * below).inverse()  # of both in one division
    turned = inverse * below
    t = turned.fma(-4.0, 1.0)
    t = turned.fma(t.fma(-size, (t + 1).fma(-2.0, size)), t)
    tail = polynomial_in_halves(t, _TAIL)  # much waits for it
    divided = inverse * above
    ratio = tail.fma(divided, divided)
    lost = ratio.fma(-size, 0.5).fma(2.0, tail - ratio)
    ratio = lost.fma(divided, ratio)
    square = x * x  # of the whole x: a derivative has the same exponential beside this one
    decay = exp(-square)
    result = ratio.fma(decay, ratio * decay * (-size).fma(size, square))
    result = (size < LARGEST_FLOAT).pick(result, x.is_nan().pick(x, 0.0))
    return (x < 0).pick(2 - result, result)


def gelu(x: Term) -> Term:
    """x Φ(x), as NumPy does it: its derivative has the same erfc beside this one."""
    return (x * 0.5) * erfc(x * -math.sqrt(0.5))


def erfinv(x: Term) -> Term:
    """Inverse error function in float64: Winitzki's approximation (2008), then two steps of Halley's method."""
    size = x.abs()
    logarithm = log((1 - size) * (1 + size))
    first = logarithm * 0.5 + 2 / (math.pi * 0.147)
    guess = (first.fma(first, logarithm * (-1 / 0.147)).sqrt() - first).sqrt()
    for _ in range(2):
        guess = _halley(guess, size)
    result = (size < 1e-9).pick(size * (math.sqrt(math.pi) / 2), guess)
    result = (size < 1).pick(result, size.equals(1).pick(result.lift(math.inf), math.nan))
    return x.is_nan().pick(x, result.copysign(x))


def _halley(guess: Term, size: Term) -> Term:
    inner, outer = _near_erf(guess.at_most(1.0)), _far_erfc(guess)
    by_erf = (guess < 1).pick(inner, 1 - outer) - size
    by_erfc = (1 - size) - (guess < 0.5).pick(1 - inner, outer)
    newton = (size > 0.5).pick(by_erfc, by_erf) * exp(guess * guess) * (math.sqrt(math.pi) / 2)
    return guess - newton / (guess * newton + 1)


def nextafter(x: Term, y: Term) -> Term:
    """The number after x on the way to y: one more in its bits on the way from zero, else one less."""
    bits = x.bits()
    grows = (x < y) ^ (x < 0)
    stepped = grows.pick(bits + 1, bits - 1).as_float()
    smallest = bits.lift(1).as_float().copysign(y)
    moved = x.equals(0).pick(smallest, stepped)
    return (x.is_nan() | y.is_nan()).pick(x + y, x.equals(y).pick(y, moved))
