"""Indexing: what x[...] means. Everything becomes slices, flips, reshapes and one gather."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import DtypeError, OutOfRangeError, ShapeError, TraceError
from ..ir.build import constant, splat
from ..ir.graph import Value
from ..ir.operand import MEANING
from ..ir.types import Shape, bool_, broadcast_shapes, int64
from . import elementwise as ew
from . import indexing, structure
from .arrays import permute_dims
from .operators import astype, broadcast, common, lift, reshape

MASK = (
    "x[mask] has a shape that depends on the values of the mask, which a traced program doesn't know; "
    "use cr.where(mask, x, 0)"
)


def getitem(x: Any, key: Any) -> Value:
    """NumPy's indexing: integers, slices, ..., None, integer arrays, and bool masks of known values."""
    value = lift(x)
    given = key if isinstance(key, tuple) else (key,)
    if len(given) == 1 and _is_bool(given[0]):
        return _all_or_nothing(value, given[0])
    keys = _replace_masks(_expand_ellipsis(given, value.ndim), value)
    return _index_arrays(*_index_basic(value, keys), _are_apart(given))


def _is_bool(key: Any) -> bool:
    """Whether it is a mask without axes."""
    return isinstance(key, bool | np.bool_) or (
        isinstance(key, Value | np.ndarray) and key.ndim == 0 and key.dtype == bool_
    )


def _all_or_nothing(x: Value, key: Any) -> Value:
    """A mask without axes picks the whole array, as the one row of a new first axis, or no row."""
    mask = lift(key)
    if mask.data is None:
        raise TraceError(MASK)
    row = reshape(x, (1, *x.shape))
    return row if mask.data else structure.narrow(row, 0, 0, 0)


def _are_apart(keys: tuple[Any, ...]) -> bool:
    """Whether '...' stands between index arrays: even where it stands for no axis, NumPy puts their axes first."""
    dots = [place for place, key in enumerate(keys) if key is Ellipsis]
    picking = [place for place, key in enumerate(keys) if key is not Ellipsis and not isinstance(key, slice | None)]
    return bool(dots and picking) and picking[0] < dots[0] < picking[-1]


def _is_array(key: Any) -> bool:
    return isinstance(key, Value | np.ndarray | list)


def as_indices(key: Any) -> Value:
    """An index array as a value; an empty list picks nothing."""
    if not isinstance(key, list):
        return lift(key)
    array = np.asarray(key)
    return lift(array if array.size else array.astype(np.int64))


def _axes_taken(key: Any) -> int:
    if key is None:
        return 0
    if _is_array(key):
        mask = as_indices(key)
        return mask.ndim if mask.dtype == bool_ else 1
    return 1


def _expand_ellipsis(keys: tuple[Any, ...], ndim: int) -> tuple[Any, ...]:
    dots = [place for place, key in enumerate(keys) if key is Ellipsis]
    if len(dots) > 1:
        raise ShapeError("an index may hold only one '...'")
    taken = sum(_axes_taken(key) for key in keys if key is not Ellipsis)
    if taken > ndim:
        raise OutOfRangeError(f"{taken} indices were given for an array of {ndim} axes")
    place = dots[0] if dots else len(keys)
    fill = (slice(None),) * (ndim - taken)
    return (*keys[:place], *fill, *keys[place + 1 :])


def _replace_masks(keys: tuple[Any, ...], x: Value) -> tuple[Any, ...]:
    found: list[Any] = []
    axis = 0
    for key in keys:
        array = as_indices(key) if _is_array(key) else None
        if isinstance(key, bool | np.bool_):
            raise DtypeError("an index of True or False is not supported; use None for an axis or a bool array as mask")
        if array is None or array.dtype != bool_:
            found.append(key if array is None else array)
            axis += key is not None
            continue
        _check_mask(array, x, axis)
        axis += array.ndim
        if array.data is None:
            raise TraceError(MASK)
        found.extend(constant(places.astype(np.int64)) for places in np.nonzero(array.data))
    return tuple(found)


def _check_mask(mask: Value, x: Value, axis: int) -> None:
    if mask.ndim == 0:
        raise DtypeError("a mask without axes is not supported as an index; use cr.where")
    if mask.shape != x.shape[axis : axis + mask.ndim]:
        raise ShapeError(
            f"a mask must have the shape of the axes it picks from: expected {x.shape[axis : axis + mask.ndim]}, "
            f"but it is {mask.type}"
        )


def _index_basic(x: Value, keys: tuple[Any, ...]) -> tuple[Value, list[Value | None]]:
    """Apply integers, slices and None; what remains is, for each axis of the result, an index array or None."""
    starts: list[int] = []
    stops: list[int] = []
    steps: list[int] = []
    flips: list[int] = []
    shape: list[int] = []
    arrays: list[Value | None] = []
    has_arrays = any(isinstance(key, Value) for key in keys)
    axis = 0
    for key in keys:
        if key is None:
            shape.append(1)
            arrays.append(None)
            continue
        size = x.shape[axis]
        if isinstance(key, slice):
            start, stop, step, flipped = _forward_slice(key, size)
            shape.append(structure.slice_size(start, stop, step))
            arrays.append(None)
            if flipped:
                flips.append(axis)
        elif isinstance(key, Value):
            start, stop, step = 0, size, 1
            shape.append(size)
            arrays.append(key)
        else:
            place = _integer(key, size, axis)
            start, stop, step = place, place + 1, 1
            if has_arrays:  # NumPy treats an integer beside index arrays as one more index array
                shape.append(1)
                arrays.append(constant(np.asarray(0)))
        starts.append(start)
        stops.append(stop)
        steps.append(step)
        axis += 1
    if (starts, stops, steps) != ([0] * x.ndim, list(x.shape), [1] * x.ndim):
        x = structure.slice(x, starts=tuple(starts), stops=tuple(stops), steps=tuple(steps))
    x = structure.flip(x, axes=tuple(flips)) if flips else x
    return reshape(x, tuple(shape)), arrays


def _forward_slice(key: slice, size: int) -> tuple[int, int, int, bool]:
    start, stop, step = key.indices(size)
    count = len(range(start, stop, step))
    if count == 0:
        return 0, 0, 1, False
    last = start + (count - 1) * step
    return (start, last + 1, step, False) if step > 0 else (last, start + 1, -step, True)


def _integer(key: Any, size: int, axis: int) -> int:
    try:
        place = key.__index__()
    except (AttributeError, TypeError):
        raise DtypeError(
            f"an index must be an integer, a slice, ..., None or an array of integers or bools, not {key!r}"
        ) from None
    if not -size <= place < size:
        raise OutOfRangeError(f"index {place} is out of range for axis {axis} of size {size}")
    return int(place) % size


def _index_arrays(x: Value, arrays: list[Value | None], apart: bool) -> Value:
    places = [place for place, array in enumerate(arrays) if array is not None]
    if not places:
        return x
    given = [array for array in arrays if array is not None]
    shape = broadcast_shapes(*(array.shape for array in given))
    rest = [axis for axis in range(x.ndim) if axis not in places]
    front = permute_dims(x, (*places, *rest))
    linear = _linear_index(given, shape, tuple(x.shape[axis] for axis in places))
    rows = reshape(front, (math.prod(x.shape[axis] for axis in places), *front.shape[len(places) :]))
    picked: Value = indexing.gather(rows, linear)
    together = not apart and places == list(range(places[0], places[-1] + 1))
    return move_block(picked, len(shape), places[0]) if together else picked


def move_block(x: Value, width: int, destination: int) -> Value:
    """Move the first `width` axes so that they start at `destination`."""
    rest = list(range(width, x.ndim))
    return permute_dims(x, (*rest[:destination], *range(width), *rest[destination:]))


def _linear_index(indices: list[Value], shape: Shape, sizes: Shape) -> Value:
    total: Value | None = None
    for index, size in zip(indices, sizes):
        position = broadcast(within_axis(index, size, math.prod(sizes)), shape)
        total = position if total is None else total * size + position
    return constant(np.asarray(0)) if total is None else total


def wrap_negative(indices: Any, size: int) -> Value:
    """Indices counted from the end turned into indices from the front; an error where known to be out of range."""
    value = lift(indices)
    if value.dtype.kind not in "iu":
        raise DtypeError(f"indices must be integers, but were given as {value.type}")
    if value.data is not None:
        _check_range(value.data, size)
        if value.data.size == 0 or value.data.min() >= 0:
            return astype(value, int64)
    value = astype(value, int64)
    result: Value = ew.where(*common_mask(value < 0, value + size, value))
    return result


def within_axis(indices: Any, size: int, count: int) -> Value:
    """As `wrap_negative`, for indices of which places among `count` elements laid out flat are made.

    What is not known yet and lies outside its axis becomes -count: so the place is none, and not another row's.
    """
    value = wrap_negative(indices, size)
    if value.data is not None or size == count:
        return value
    outside = ew.bitwise_or(value < 0, value >= size)
    result: Value = ew.where(*common_mask(outside, splat(-count, value.type), value))
    return result


def common_mask(mask: Value, x: Value, y: Value) -> tuple[Value, Value, Value]:
    """Three values of one shape, ready for the where primitive."""
    first, second = common(x, y)
    return broadcast(mask, first.shape), first, second


def _check_range(indices: Any, size: int) -> None:
    wrong = np.flatnonzero((indices < -size) | (indices >= size)) if indices.size else indices
    if wrong.size:
        raise OutOfRangeError(
            f"index {indices.ravel()[wrong[0]]} is out of range for an axis of size {size}: "
            f"expected {-size} to {size - 1}"
        )


MEANING["getitem"] = getitem
