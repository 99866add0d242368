"""Gather and scatter-add: the one pair through which all indexing by integers goes.

`gather(x, indices)` reads rows of x: x (rows, ...), indices of any shape -> (*indices.shape, ...).
`scatter_add(x, indices, updates)` adds rows into a copy of x; repeated indices add up, in the order of `updates`.
Indices count from 0 and must lie in the axis; functions on top turn negative ones around.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import OutOfRangeError, ShapeError
from ..ir.build import zeros_like
from ..ir.primitive import Primitive, Sample, register
from ..ir.types import COMPLEX, INTEGERS, NUMBERS, ArrayType, NumpyArray
from .samples import of_dtype, spread, variants
from .type_rules import require_dtype, require_same


def check_indices(indices: NumpyArray, size: int) -> None:
    """An OutOfRangeError names the first index that lies outside 0..size-1."""
    if indices.size == 0 or (indices.min() >= 0 and indices.max() < size):
        return
    wrong = np.flatnonzero((indices < 0) | (indices >= size))
    place = tuple(map(int, np.unravel_index(wrong[0], indices.shape)))
    raise OutOfRangeError(
        f"index {indices.ravel()[wrong[0]]} (at position {place} of the indices) is out of range: "
        f"expected 0 to {size - 1}"
    )


def _gather_type(x: ArrayType, indices: ArrayType) -> ArrayType:
    require_dtype("gather (its indices)", indices, INTEGERS)
    if x.ndim < 1:
        raise ShapeError(f"gather reads rows, but was given {x}, which has no axis")
    return x.with_shape((*indices.shape, *x.shape[1:]))


def _gather(x: NumpyArray, indices: NumpyArray) -> Any:
    check_indices(indices, x.shape[0])
    return x[indices]


def _gather_rule(g: Any, y: Any, x: Any, indices: Any) -> Any:
    return scatter_add(zeros_like(x), indices, g)


def _gather_samples() -> Iterator[Sample]:
    yield Sample((spread((4,), -1, 1), np.array([2, 0, 2])))
    yield Sample((spread((4, 3), -1, 1), np.array([[3, 0], [1, 1]])))
    yield Sample((spread((4, 3), -1, 1), np.array(2)))
    yield Sample((spread((4, 3), -1, 1), np.zeros((0,), np.int64)))
    yield Sample((spread((0, 3), -1, 1), np.zeros((0,), np.int64)))
    yield Sample((spread((4, 3, 2), -1, 1)[::2], np.array([1, 0], np.int32)))
    for dtype in NUMBERS:
        yield Sample((of_dtype(dtype, (4, 2), -2, 2), np.array([1, 3], np.uint8)))
    yield Sample((np.array([True, False]), np.array([1, 1])))
    yield Sample((spread((1,), -1, 1), np.zeros((2, 1), np.int8)))
    yield from variants(Sample((spread((4, 3), -1, 1), np.array([3, 0, 3]))))


gather = register(Primitive("gather", _gather_type, _gather, (_gather_rule, None), "{0}[{1}]", _gather_samples))


def _scatter_add_type(x: ArrayType, indices: ArrayType, updates: ArrayType) -> ArrayType:
    require_dtype("scatter_add", x, (*NUMBERS, *COMPLEX))
    require_dtype("scatter_add (its indices)", indices, INTEGERS)
    if x.ndim < 1:
        raise ShapeError(f"scatter_add adds rows, but was given {x}, which has no axis")
    require_same("scatter_add", x.with_shape((*indices.shape, *x.shape[1:])), updates)
    return x


def _scatter_add(x: NumpyArray, indices: NumpyArray, updates: NumpyArray) -> Any:
    check_indices(indices, x.shape[0])
    result = np.array(x)
    if result.ndim > 1 and indices.size > 32:
        return _add_rows_in_order(result, indices.reshape(-1), updates.reshape(indices.size, *x.shape[1:]))
    np.add.at(result, indices, updates)
    return result


def _add_rows_in_order(result: NumpyArray, indices: NumpyArray, updates: NumpyArray) -> NumpyArray:
    """Rows with distinct indices are added together, occurrence by occurrence: the order of np.add.at, but by rows."""
    order = np.argsort(indices, kind="stable")
    ordered = indices[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    lengths = np.diff(np.r_[first, len(ordered)])
    for occurrence in range(int(lengths.max())):
        chosen = order[first[lengths > occurrence] + occurrence]
        result[indices[chosen]] += updates[chosen]
    return result


def _scatter_add_samples() -> Iterator[Sample]:
    yield Sample((spread((4,), -1, 1), np.array([2, 0, 2]), spread((3,), -1, 1, 1)))
    yield Sample((spread((4, 3), -1, 1), np.array([[3, 0], [1, 1]]), spread((2, 2, 3), -1, 1, 1)))
    yield Sample((spread((4, 3), -1, 1), np.array(2), spread((3,), -1, 1, 1)))
    yield Sample((spread((4, 3), -1, 1), np.zeros((0,), np.int64), spread((0, 3), -1, 1)))
    yield Sample((spread((3, 2), -1, 1), np.arange(40) % 3, spread((40, 2), -1, 1, 1)))
    yield Sample((spread((3, 0, 2), -1, 1), np.arange(40) % 3, spread((40, 0, 2), -1, 1)))
    for dtype in NUMBERS:
        yield Sample((of_dtype(dtype, (4, 2), -2, 2), np.array([1, 1], np.int32), of_dtype(dtype, (2, 2), -2, 2, 1)))
    yield Sample((spread((1,), -1, 1), np.zeros((2, 1), np.uint16), spread((2, 1), -1, 1, 1)))
    yield from variants(Sample((spread((4, 3), -1, 1), np.array([3, 0, 3]), spread((3, 3), -1, 1, 1))))


scatter_add = register(
    Primitive(
        "scatter_add",
        _scatter_add_type,
        _scatter_add,
        (lambda k, y, x, indices, updates: k, None, lambda k, y, x, indices, updates: gather(k, indices)),
        "scatter_add({0}; {1}, {2})",
        _scatter_add_samples,
    )
)
