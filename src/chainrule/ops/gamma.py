"""The logarithm of the gamma function and its derivatives, which are each other's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ConfigurationError
from ..ir.graph import Value
from ..ir.primitive import Primitive, Sample, register
from ..ir.types import FLOATS, ArrayType, NumpyArray
from . import gamma_series as series
from .elementwise import multiply_no_nan
from .operators import apply, floating
from .samples import NASTY, SHAPES, elementwise_samples, spread
from .type_rules import elementwise, require_dtype

POLES = (-1.0, -2.0, -0.5, -3.75, 2.0, 0.5, 2.5, 9.9, 10.0)
"""Poles, and where one series takes over from another."""
MOST_ORDER = 500
"""Each order takes more operations than the one before; far beyond it their intermediate results would be too small."""


class _Numpy:
    """The arithmetic of NumPy."""

    log, log1p, sin, tan, abs, nearest, is_number = np.log, np.log1p, np.sin, np.tan, np.abs, np.rint, np.equal

    @staticmethod
    def pick(mask: Any, yes: Any, no: Any) -> Any:
        return np.where(mask, yes, no)

    @staticmethod
    def polynomial(x: Any, coefficients: Sequence[float]) -> Any:
        total = coefficients[-1]
        for each in coefficients[-2::-1]:
            total = total * x + each
        return total


def _in_double(function: Any, x: NumpyArray, *options: Any) -> Any:
    return np.asarray(function(x.astype(np.float64), *options, _Numpy())).astype(x.dtype)


lgamma_p: Primitive
polygamma_p: Primitive


def _polygamma_type(kind: ArrayType, *, order: int) -> ArrayType:
    require_dtype("polygamma", kind, FLOATS)
    return kind


def _polygamma_samples() -> Any:
    for order in (0, 1, 2, 5):
        for dtype in FLOATS:
            yield Sample((spread((2, 3), 0.3, 4.0).astype(dtype),), {"order": order})
        yield Sample((np.array([-0.4, -1.7, 9.5, 12.0]),), {"order": order})
        yield Sample((np.array((*NASTY, *POLES)),), {"order": order}, smooth=False)
    yield Sample((np.array(NASTY, np.float32),), {"order": 1}, smooth=False)
    for shape in SHAPES:
        yield Sample((spread(shape, 0.3, 4.0),), {"order": 1})
    yield Sample((spread((4, 6), 0.3, 4.0).T[::2],), {"order": 0})


lgamma_p = register(
    Primitive(
        "lgamma",
        elementwise("lgamma", FLOATS, 1),
        lambda x: _in_double(series.log_gamma, x),
        (lambda g, y, x: multiply_no_nan(polygamma_p(x, order=0), g),),
        "log |Γ({0})|",
        elementwise_samples(1, FLOATS, (0.3, 4.0), POLES),
    )
)
polygamma_p = register(
    Primitive(
        "polygamma",
        _polygamma_type,
        lambda x, *, order: _in_double(series.polygamma, x, order),
        (lambda g, y, x, *, order: multiply_no_nan(polygamma_p(x, order=order + 1), g),),
        "ψ⁽{order}⁾({0})",
        _polygamma_samples,
    )
)


def lgamma(x: Any) -> Value:
    """log |Γ(x)|: infinite at 0 and the negative integers. Its derivative is `digamma`."""
    return apply(lgamma_p, floating(x))


def digamma(x: Any) -> Value:
    """ψ(x), the derivative of `lgamma`: -infinite at 0, and NaN at the negative integers, where it jumps."""
    return polygamma(0, x)


def polygamma(n: int, x: Any) -> Value:
    """The n-th derivative of `digamma`: n = 1 is the trigamma function.

    Raises ConfigurationError for n below 0 or above 500.
    """
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or not 0 <= n <= MOST_ORDER:
        raise ConfigurationError(f"polygamma: the order n is a whole number from 0 to {MOST_ORDER}, not {n!r}")
    result: Value = polygamma_p(floating(x), order=int(n))
    return result
