"""Linear systems, Cholesky's factor and determinants as loops over rows and columns.

The loops go over the first axis of an array laid out with rows, or columns, in front: what a step reads is one slice,
and what it writes is one nest over the whole. Batches need nothing of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import functions as f
from ..control import scan
from ..ops import arrays
from ..tensor import lifted


def on_finite(function: Callable[..., Any]) -> Callable[..., Any]:
    """function(a, ...), and NaN for the matrices a that are not finite: as the NumPy meaning has it."""

    def guarded(a: Any, *others: Any, **params: Any) -> Any:
        finite = f.all(f.isfinite(a), axis=(-2, -1))
        identity = np.eye(*a.shape[-2:], dtype=a.dtype)
        result = function(f.where(_wide(finite, a.ndim), a, identity), *others, **params)
        if not isinstance(result, tuple):
            return _spoilt(result, finite)
        return tuple(_spoilt(each, finite) for each in result)

    return guarded


def _wide(mask: Any, ndim: int) -> Any:
    return f.reshape(mask, (*mask.shape, *(1,) * (ndim - mask.ndim)))


def _spoilt(result: Any, finite: Any) -> Any:
    return f.where(_wide(finite, result.ndim), result, f.full((), math.nan, dtype=result.dtype))


_squares = lifted(arrays.squares)


def adjoint(a: Any) -> Any:
    """Rows and columns exchanged, and conjugated."""
    return f.conj(f.matrix_transpose(a))


def element(x: Any, place: Any) -> Any:
    """x[..., place] for a place that is computed: (..., 1)"""
    return f.expand_dims(f.take(x, place, axis=-1), axis=-1)


def squares(x: Any, axis: Any = -1, keepdims: bool = True) -> Any:
    """The sum of the squares of sizes."""
    return f.sum(_squares(x), axis=axis, keepdims=keepdims)


def noted(result: Any, wrong: Any) -> Any:
    """The result; where any is wrong the program notes it as it does an index out of range: 1 where there is only 0."""
    place = f.astype(f.any(wrong), "int64")
    return f.take(f.expand_dims(result, axis=0), place, axis=0)


# -- Cholesky's factor


@on_finite
def cholesky(a: Any) -> Any:
    """Column by column; what is left of the matrix is updated at each."""
    if not a.size:
        return a
    n = a.shape[-1]
    rows = np.arange(n)

    def step(left: Any, k: Any) -> Any:
        column = f.take(left, k, axis=0)  # (..., n)
        pivot = element(column, k)
        factor = f.where(rows >= k, column / f.sqrt(pivot), 0.0)
        across = f.expand_dims(f.moveaxis(f.conj(factor), -1, 0), axis=-1)  # (n, ..., 1)
        return left - across * factor, (factor, f.real(pivot))

    _, (columns, pivots) = scan(step, f.moveaxis(0.5 * (a + adjoint(a)), -1, 0), f.arange(n))
    return noted(f.moveaxis(columns, 0, -1), f.logical_not(pivots > 0))


# -- elimination


def eliminate(a: Any, beside: Any) -> tuple[Any, Any, Any]:
    """Gauss's elimination with the largest element of a column as pivot.

    Of a (..., n, n) and columns beside it (..., n, k), both changed alike. Gives the rows (n, ..., n + k), the pivots
    (n, ...), the sign of the exchanges of rows (...).
    """
    n = a.shape[-1]
    rows = np.arange(n).reshape((n, *(1,) * (a.ndim - 2)))
    work = f.moveaxis(f.concat([a, beside], axis=-1), -2, 0)

    def step(carry: Any, k: Any) -> Any:
        work, sign = carry
        column = f.take(work, k, axis=-1)  # (n, ...)
        best = f.argmax(f.where(rows >= k, f.abs(column), -1.0), axis=0)  # (...)
        chosen = f.expand_dims(rows == best, axis=-1)
        pivot_row = f.sum(f.where(chosen, work, 0.0), axis=0)
        here = f.expand_dims(rows == k, axis=-1)
        work = f.where(here, pivot_row, f.where(chosen, f.take(work, k, axis=0), work))
        pivot = f.take(pivot_row, k, axis=-1)
        column = f.take(work, k, axis=-1)
        factor = f.where((rows > k) & (pivot != 0), column / pivot, 0.0)
        work = work - f.expand_dims(factor, axis=-1) * pivot_row
        return (work, f.where(best == k, sign, -sign)), pivot

    sign = f.ones(a.shape[:-2], dtype=a.dtype)
    (work, sign), pivots = scan(step, (work, sign), f.arange(n))
    return work, pivots, sign


@on_finite
def solve(a: Any, b: Any) -> Any:
    """Elimination, then from the last row upwards."""
    if not b.size:
        return b
    n = a.shape[-1]
    work, pivots, _ = eliminate(a, b)
    upper, right = work[..., :n], work[..., n:]

    def step(right: Any, k: Any) -> Any:
        column = f.take(upper, k, axis=-1)  # (n, ...)
        x = f.take(right, k, axis=0) / f.expand_dims(f.take(column, k, axis=0), axis=-1)
        return right - f.expand_dims(column, axis=-1) * x, x

    _, found = scan(step, right, f.arange(n), reverse=True)
    return noted(f.moveaxis(found, 0, -2), pivots == 0)


@on_finite
def det(a: Any) -> Any:
    """The product of the pivots."""
    if not a.size:
        return f.ones(a.shape[:-2], dtype=a.dtype)
    _, pivots, sign = eliminate(a, a[..., :0])
    return sign * f.prod(pivots, axis=0)


@on_finite
def slogdet(a: Any) -> Any:
    """The product of the signs of the pivots, and the sum of their logarithms."""
    if not a.size:
        return f.ones(a.shape[:-2], dtype=a.dtype), f.real(f.zeros(a.shape[:-2], dtype=a.dtype))
    _, pivots, sign = eliminate(a, a[..., :0])
    return sign * f.prod(f.sign(pivots), axis=0), f.sum(f.log(f.abs(pivots)), axis=0)
