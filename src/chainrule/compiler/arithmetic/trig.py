"""sin, cos, tan and their inverses in float64 vectors; float32 goes through float64.

The kernels have the form of FreeBSD's k_sin.c, k_cos.c, e_asin.c; the coefficients are our own (Chebyshev
interpolation with 40 digits). atan2 takes the ratio of the smaller to the larger side, and beyond tan(pi/8) the angle
to the diagonal.
"""

from __future__ import annotations

import math

from .angle import reduce_angle
from .term import Term, polynomial

_SIN = (
    -0.16666666666666666,
    0.008333333333330827,
    -0.0001984126983657571,
    2.755731600817155e-06,
    -2.5051112272573243e-08,
    1.5916726193889336e-10,
)
_COS = (
    0.041666666666666664,
    -0.0013888888888887322,
    2.4801587298651292e-05,
    -2.755731721268659e-07,
    2.0876134024090145e-09,
    -1.1381754653662937e-11,
)
_ATAN = (
    -0.3333333333333333,
    0.19999999999999804,
    -0.14285714285659748,
    0.11111111105147764,
    -0.09090908753118594,
    0.07692296363979952,
    -0.066664246872465,
    0.05878926715756726,
    -0.052304374642516874,
    0.045515165635903104,
    -0.0345685906686069,
    0.01628357235648259,
)
_ASIN = (
    0.16666666666666669,
    0.07499999999998433,
    0.04464285714635543,
    0.030381944138531247,
    0.02237217294214989,
    0.017352392720869973,
    0.013971212973552933,
    0.011479177415184906,
    0.01032281435018578,
    0.005457506718640358,
    0.01740087944269402,
    -0.014851887071247204,
    0.028757851367421566,
)
HALF_PI_LOW = 6.123233995736766e-17


def _quarters(x: Term) -> tuple[Term, Term, Term]:
    """(number of quarter turns as bits, sine of the rest, cosine of the rest)."""
    n, high, low = reduce_angle(x)
    square = high * high
    cube = square * high
    inner = square * (low * 0.5 - cube * polynomial(square, _SIN[1:])) - low
    sine = high - (inner - cube * _SIN[0])
    half = square * 0.5
    start = 1 - half
    cosine = start + (((1 - start) - half) + (square * square * polynomial(square, _COS) - high * low))
    return (n + n.format.magic).bits(), sine, cosine


def _flipped(value: Term, quarters: Term) -> Term:
    """Its sign changed where bit 1 of the number of quarter turns is set."""
    return (value.bits() ^ ((quarters & 2) << 62)).as_float()


def sin(x: Term) -> Term:
    """Sine."""
    quarters, sine, cosine = _quarters(x)
    result = _flipped((quarters & 1).equals(0).pick(sine, cosine), quarters)
    return x.equals(0).pick(x, result)


def cos(x: Term) -> Term:
    """Cosine."""
    quarters, sine, cosine = _quarters(x)
    return _flipped((quarters & 1).equals(0).pick(cosine, sine), quarters + 1)


def tan(x: Term) -> Term:
    """Tangent."""
    quarters, sine, cosine = _quarters(x)
    even = (quarters & 1).equals(0)
    result = even.pick(sine, -cosine) / even.pick(cosine, sine)
    return x.equals(0).pick(x, result)


def _angle(below: Term, above: Term) -> Term:
    """atan(below / above) for 0 <= below <= above, above > 0."""
    steep = below > above * math.tan(math.pi / 8)
    t = steep.pick(below - above, below) / steep.pick(below + above, above)
    square = t * t
    rest = t * square * polynomial(square, _ATAN)
    return steep.pick((rest + HALF_PI_LOW / 2 + t) + math.pi / 4, rest + t)


def atan(x: Term) -> Term:
    """Inverse tangent."""
    size = x.abs()
    small = size < 1
    angle = _angle(small.pick(size, (size < math.inf).pick(1 / size, 0.0)), x.lift(1.0))
    angle = small.pick(angle, math.pi / 2 - (angle - HALF_PI_LOW))
    return x.is_nan().pick(x, angle.copysign(x))


def atan2(y: Term, x: Term) -> Term:
    """The angle of the point (x, y)."""
    high, wide = y.abs(), x.abs()
    steep = high > wide
    below, above = steep.pick(wide, high), steep.pick(high, wide)
    both = below.equals(math.inf)
    shrink = (above > 2.0**1000).pick(above.lift(2.0**-4), 1.0)
    below, above = both.pick(1.0, below * shrink), both.pick(1.0, above * shrink)
    angle = _angle(below, above.equals(0).pick(1.0, above))
    angle = steep.pick(math.pi / 2 - (angle - HALF_PI_LOW), angle)
    left = x.lift(1.0).copysign(x) < 0
    angle = left.pick(math.pi - (angle - 2 * HALF_PI_LOW), angle).copysign(y)
    return x.is_nan().pick(x, y.is_nan().pick(y, angle))


def _asin_tail(square: Term) -> Term:
    """asin(x) / x - 1 for x² <= 1/4."""
    return square * polynomial(square, _ASIN)


def _half_angle(size: Term) -> tuple[Term, Term, Term]:
    """(s, its rounding error, tail) with asin(sqrt((1 - size) / 2)) = s + error + s * tail."""
    square = (1 - size) * 0.5
    root = square.sqrt()
    error = (-root).exact_fma(root, square) / (root + root)
    return root, square.equals(0).pick(0.0, error), _asin_tail(square)


def asin(x: Term) -> Term:
    """Inverse sine: directly up to 1/2, beyond as pi/2 - 2 asin(sqrt((1 - x) / 2)); NaN beyond 1."""
    size = x.abs()
    root, error, tail = _half_angle(size)
    far = math.pi / 2 - (2 * (root.fma(tail, error) + root) - HALF_PI_LOW)
    near = x.fma(_asin_tail((x * x).at_most(0.25)), x)
    return (size < 0.5).pick(near, far.copysign(x))


def acos(x: Term) -> Term:
    """Inverse cosine; NaN beyond 1."""
    size = x.abs()
    root, error, tail = _half_angle(size)
    twice = 2 * (root.fma(tail, error) + root)
    far = (x > 0).pick(twice, math.pi - (twice - 2 * HALF_PI_LOW))
    near = math.pi / 2 - (x.fma(_asin_tail((x * x).at_most(0.25)), -HALF_PI_LOW) + x)
    return (size < 0.5).pick(near, far)
