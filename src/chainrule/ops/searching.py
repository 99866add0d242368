"""Searching and sets: where elements are, and which there are. Made of primitives, on Values.

The shapes of `nonzero` and of the unique_* functions depend on the elements: in a traced program they are a TraceError.
The values that unique_* give are gathered, so gradients go back to where each came from.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..errors import ConfigurationError, ShapeError
from ..ir.build import constant
from ..ir.graph import Value
from ..ir.types import int64, promote
from . import indexing, reduction, structure
from .arrays import Axis, concat, sum
from .gathers import take
from .known import known
from .operators import astype, lift, reshape


def count_nonzero(x: Any, axis: Axis = None, keepdims: bool = False) -> Value:
    """How many elements over `axis` are not zero, in int64."""
    return sum(astype(lift(x) != 0, int64), axis, keepdims)


def nonzero(x: Any) -> tuple[Value, ...]:
    """For each axis the indices of the elements that are not zero, in row-major order."""
    array = known(x, "nonzero")
    if not array.ndim:
        raise ShapeError("nonzero needs at least one axis")
    return tuple(constant(places.astype(np.int64)) for places in np.nonzero(array))


def searchsorted(x1: Any, x2: Any, side: str = "left", sorter: Any = None) -> Value:
    """The places at which the elements of x2 would go into the vector x1, which is in ascending order.

    side: before ("left") or after ("right") equal elements. sorter: indices that sort x1. NaN counts as the largest.
    """
    if side not in ("left", "right"):
        raise ConfigurationError(f'searchsorted: side is "left" or "right", not {side!r}')
    sorted_, wanted = lift(x1), lift(x2)
    if sorted_.ndim != 1:
        raise ShapeError(f"searchsorted goes through a vector, but was given {sorted_.type}")
    sorted_ = sorted_ if sorter is None else take(sorted_, sorter, 0)
    return reshape(_ranks(sorted_, reshape(wanted, (wanted.size,)), side == "left"), wanted.shape)


def _ranks(sorted_: Value, wanted: Value, first: bool) -> Value:
    """Both are sorted together, stably, and for each wanted one those of `sorted_` that came before are counted."""
    count, size = wanted.shape[0], sorted_.shape[0]
    if not count:
        return constant(np.zeros(0, np.int64))
    together = concat([wanted, sorted_] if first else [sorted_, wanted])
    order = reduction.argsort(together, axis=0)
    is_wanted = np.arange(count + size) < count if first else np.arange(count + size) >= size
    ours: Value = indexing.gather(constant(~is_wanted), order)
    before = reduction.cumulative_sum(astype(ours, int64), axis=0)
    back = reduction.argsort(order, axis=0)
    places = structure.narrow(back, 0, 0, count) if first else structure.narrow(back, 0, size, size + count)
    result: Value = indexing.gather(before, places)
    return result


def isin(x: Any, elements: Any, invert: bool = False) -> Value:
    """Whether each element of x is among `elements`."""
    array, test = lift(x), lift(elements)
    dtype = promote(array.dtype, test.dtype)
    array, flat = astype(array, dtype), astype(reshape(test, (test.size,)), dtype)
    ordered: Value = indexing.gather(flat, reduction.argsort(flat, axis=0))
    low, high = (searchsorted(ordered, array, side) for side in ("left", "right"))
    found = (low < high) & (array == array)
    return ~found if invert else found


# -- sets


class UniqueAll(NamedTuple):
    """What unique_all gives."""

    values: Any
    indices: Any
    inverse_indices: Any
    counts: Any


class UniqueCounts(NamedTuple):
    """What unique_counts gives."""

    values: Any
    counts: Any


class UniqueInverse(NamedTuple):
    """What unique_inverse gives."""

    values: Any
    inverse_indices: Any


def unique_all(x: Any) -> UniqueAll:
    """Each element once, in ascending order; where it first is; for each element its place among them; how many.

    Every NaN is different from every other.
    """
    array = known(x, "unique_all")
    _, indices, inverse, counts = np.unique(array, True, True, True, equal_nan=False)
    flat = reshape(lift(x), (array.size,))
    values: Value = indexing.gather(flat, constant(indices.astype(np.int64)))
    back = constant(inverse.reshape(array.shape).astype(np.int64))
    return UniqueAll(values, constant(indices.astype(np.int64)), back, constant(counts.astype(np.int64)))


def unique_counts(x: Any) -> UniqueCounts:
    """Each element once, and how many of it there are."""
    found = unique_all(x)
    return UniqueCounts(found.values, found.counts)


def unique_inverse(x: Any) -> UniqueInverse:
    """Each element once, and for each element its place among them."""
    found = unique_all(x)
    return UniqueInverse(found.values, found.inverse_indices)


def unique_values(x: Any) -> Value:
    """Each element once, in ascending order."""
    result: Value = unique_all(x).values
    return result
