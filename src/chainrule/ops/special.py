"""Special functions that NumPy lacks, as vectorised NumPy: computed in float64.

Errors, in units in the last place: erf 3, erfc 8, erfinv 16, sigmoid 3 (tested against mpmath).

erf and erfc follow Shepherd and Laframboise, "Chebyshev approximation of (1 + 2x) exp(x²) erfc(x) in 0 ≤ x < ∞"
(Mathematics of Computation 36, 1981); the coefficients were computed anew with 50 digits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..ir.types import NumpyArray

# of (1 + 2x) exp(x²) erfc(x) in t = (x - 3.75) / (x + 3.75)
ERFC_SERIES = (
    1.1775789345674017,
    -0.004590054580646478,
    -0.08424913336651792,
    0.05920993999819189,
    -0.026658668435305753,
    0.009074997670705265,
    -0.002413163540417608,
    0.0004907758365258086,
    -6.916973302501207e-05,
    4.13902798607301e-06,
    7.74038306619849e-07,
    -2.1886401049234397e-07,
    1.076499946567091e-08,
    4.521959811218287e-09,
    -7.754400208831351e-10,
    -6.318088340886684e-11,
    2.86879501093067e-11,
    1.9455868545777347e-13,
    -9.65469674843344e-13,
    3.25254814814874e-14,
    3.3478119482868056e-14,
    -1.864562880419313e-15,
    -1.2507950530688648e-15,
    7.418235256624044e-17,
    5.068148904796111e-17,
)
# of erf(x) / x in 2x² - 1, for |x| ≤ 1
ERF_SERIES = (
    0.9754769393826541,
    -0.14226120510371365,
    0.010035582187599796,
    -0.0005768764699767485,
    2.741993125219606e-05,
    -1.1043175507344507e-06,
    3.8488755420345036e-08,
    -1.1808582533875466e-09,
    3.2334215826050907e-11,
    -7.991015947004549e-13,
    1.7990725113961456e-14,
    -3.718635487818693e-16,
    7.103599003714253e-18,
)
LARGEST = 27.5  # erfc of more is zero


def sigmoid(x: NumpyArray) -> Any:
    """1 / (1 + exp(-x)) to full relative precision at both ends: exp never overflows."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, np.ones((), x.dtype), small) / (1 + small)


def _chebyshev(series: Sequence[float], t: NumpyArray) -> NumpyArray:
    """Clenshaw's sum of a Chebyshev series."""
    twice = 2 * t
    last, before = np.zeros_like(t), np.zeros_like(t)
    for coefficient in series[:0:-1]:
        last, before = coefficient + twice * last - before, last
    result: NumpyArray = series[0] + t * last - before
    return result


def _small_erf(x: NumpyArray) -> NumpyArray:
    """erf for |x| ≤ 1."""
    return x * _chebyshev(ERF_SERIES, 2 * x * x - 1)


def _large_erfc(x: NumpyArray) -> NumpyArray:
    """erfc for x ≥ 0. x² is split so that its rounding is not blown up by exp."""
    head = np.trunc(x * 16) / 16
    decay = np.exp(-head * head) * np.exp(-(x - head) * (x + head))
    result: NumpyArray = decay * _chebyshev(ERFC_SERIES, (x - 3.75) / (x + 3.75)) / (1 + 2 * x)
    return result


def _pieces(x: NumpyArray) -> tuple[NumpyArray, NumpyArray, NumpyArray]:
    """|x| cut to where erfc is not zero, split at 1: (which are small, those, the others)."""
    wide = np.minimum(np.abs(np.asarray(x, np.float64).reshape(-1)), LARGEST)
    small = wide <= 1
    return small, wide[small], wide[~small]


def erf(x: NumpyArray) -> NumpyArray:
    """Error function."""
    small, inner, outer = _pieces(x)
    result = np.empty(small.shape)
    result[small], result[~small] = _small_erf(inner), 1 - _large_erfc(outer)
    return np.copysign(result, x.reshape(-1)).reshape(x.shape).astype(x.dtype)


def erfc(x: NumpyArray) -> NumpyArray:
    """1 - erf(x), with full relative precision for large x."""
    small, inner, outer = _pieces(x)
    signs = np.copysign(1.0, x.reshape(-1))
    result = np.empty(small.shape)
    result[small] = _near_erfc(inner, signs[small])
    tail = _large_erfc(outer)
    result[~small] = np.where(signs[~small] < 0, 2 - tail, tail)
    return result.reshape(x.shape).astype(x.dtype)


def gelu(x: NumpyArray) -> Any:
    """x Φ(x), the cumulative normal distribution by erfc: that keeps the digits which 1 + erf(x) loses to the left."""
    return 0.5 * x * erfc(x * -math.sqrt(0.5))


def _near_erfc(x: NumpyArray, sign: NumpyArray) -> NumpyArray:
    """erfc for |x| ≤ 1: from erf where that loses nothing, else from the tail."""
    by_erf = 1 - sign * _small_erf(x)
    return np.where((sign > 0) & (x > 0.5), _large_erfc(x), by_erf)


def erfinv(x: NumpyArray) -> NumpyArray:
    """Inverse error function: Winitzki's approximation (2008), then two steps of Halley's method."""
    y = np.asarray(x, np.float64)
    size = np.abs(y)
    logarithm = np.log1p(-size * size)
    first = 2 / (math.pi * 0.147) + logarithm / 2
    guess = np.sqrt(np.sqrt(first * first - logarithm / 0.147) - first)
    for _ in range(2):
        error = np.where(size > 0.5, (1 - size) - erfc(guess), erf(guess) - size)
        slope = 2 / math.sqrt(math.pi) * np.exp(-guess * guess)
        newton = error / slope
        guess = guess - newton / (1 + guess * newton)
    result = np.where(size == 1, np.inf, np.where(size > 1, np.nan, guess))
    result = np.where(size < 1e-150, size * (math.sqrt(math.pi) / 2), result)
    return np.copysign(result, y).astype(x.dtype)
