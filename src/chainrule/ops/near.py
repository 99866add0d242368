"""Numbers that are close to others, and numbers in place of what is none. Made of primitives, on Values."""

from __future__ import annotations

from typing import Any

from ..ir.graph import Value
from ..ir.limits import finfo
from . import elementwise as ew
from .arrays import all as all_of
from .operators import common, floating, lift
from .operators import where as choose


def isclose(x: Any, y: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Value:
    """|x - y| ≤ atol + rtol · |y|, as bools; infinities are close to themselves, NaN to NaN only with equal_nan."""
    first, second = map(floating, common(x, y))
    near = ew.isfinite(second) & (abs(first - second) <= atol + rtol * abs(second))
    same: Value = near | (first == second)
    return same | ((first != first) & (second != second)) if equal_nan else same


def allclose(x: Any, y: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Value:
    """Whether all elements are close, as `isclose` means it: a bool."""
    return all_of(isclose(x, y, rtol, atol, equal_nan))


def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Value:
    """Numbers in place of NaN and of infinities: unless told otherwise 0, and the largest and the smallest there are.

    The gradient is 0 where a number was put in place of x.
    """
    value = lift(x)
    if not value.type.is_float:
        return value
    limits = finfo(value.dtype)
    high = limits.max if posinf is None else posinf
    low = limits.min if neginf is None else neginf
    limit = choose(value > 0, lift(high, value.dtype), lift(low, value.dtype))
    finite = choose(ew.isinf(value), limit, value)
    return choose(ew.isnan(value), nan, finite)


def xlogy(x: Any, y: Any) -> Value:
    """x · log(y), and 0 where x is 0 whatever y is: entropies and likelihoods."""
    first, second = map(floating, common(x, y))
    result: Value = ew.multiply_no_nan(ew.log(second), first)
    return result
