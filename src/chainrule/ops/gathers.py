"""Reading and adding along one axis by indices, which may count from the end."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ir.build import constant
from ..ir.graph import Value
from ..ir.types import normalize_axis, promote
from . import indexing
from .arrays import argsort, moveaxis, permute_dims
from .getitem import as_indices, move_block, within_axis, wrap_negative
from .operators import astype, broadcast, lift, reshape


def take(x: Any, indices: Any, axis: int | None = None) -> Value:
    """Elements at `indices` along `axis`; the indices' axes take its place. A vector needs no axis."""
    value, places = lift(x), as_indices(list(indices) if isinstance(indices, tuple) else indices)
    if axis is None and value.ndim != 1:
        raise ShapeError(f"take from {value.type} needs axis=: only a vector has a single one")
    place = normalize_axis(0 if axis is None else axis, value.ndim)
    picked = indexing.gather(moveaxis(value, place, 0), wrap_negative(places, value.shape[place]))
    return move_block(picked, places.ndim, place)


def _positions_along(x: Value, indices: Value, axis: int) -> Value:
    """For take_along_axis: the index of each wanted element in x laid out flat."""
    wrapped = within_axis(indices, x.shape[axis], x.size)
    strides = np.cumprod((1, *x.shape[:0:-1]))[::-1]
    base = np.zeros((1,) * x.ndim, np.int64)
    for other, size in enumerate(indices.shape):
        if other != axis:
            base = base + np.arange(size).reshape((-1, *(1,) * (x.ndim - other - 1))) * int(strides[other])
    return wrapped * int(strides[axis]) + constant(base)


def _require_along(x: Value, indices: Value, axis: int, name: str) -> int:
    place = normalize_axis(axis, x.ndim)
    others = [size for other, size in enumerate(x.shape) if other != place]
    if x.ndim != indices.ndim or [size for o, size in enumerate(indices.shape) if o != place] != others:
        raise ShapeError(
            f"{name}: the indices must have the shape of the array except along axis {place}, "
            f"but were given {indices.type} for {x.type}"
        )
    return place


def take_along_axis(x: Any, indices: Any, axis: int = -1) -> Value:
    """For each place of `indices` the element of x at that index along `axis`."""
    value, places = lift(x), lift(indices)
    place = _require_along(value, places, axis, "take_along_axis")
    flat = reshape(value, (value.size,))
    result: Value = indexing.gather(flat, _positions_along(value, places, place))
    return result


def add_along_axis(x: Any, indices: Any, updates: Any, axis: int = -1) -> Value:
    """x with `updates` added at `indices` along `axis`; repeated indices add up."""
    (value, added), places = _promoted_pair(x, updates), lift(indices)
    place = _require_along(value, places, axis, "add_along_axis")
    added = broadcast(added, places.shape)
    flat = indexing.scatter_add(reshape(value, (value.size,)), _positions_along(value, places, place), added)
    return reshape(flat, value.shape)


def scatter_add(x: Any, indices: Any, updates: Any, axis: int = 0) -> Value:
    """x with `updates` added at rows `indices` along `axis`; repeated indices add up, in order.

    updates: broadcast to the shape of x with the indices' axes in place of `axis`; element types are promoted.
    """
    value, added = _promoted_pair(x, updates)
    places = as_indices(list(indices) if isinstance(indices, tuple) else indices)
    place = normalize_axis(axis, value.ndim)
    wide = broadcast(added, (*value.shape[:place], *places.shape, *value.shape[place + 1 :]))
    around = (*range(place), *range(place + places.ndim, wide.ndim))
    rows = permute_dims(wide, (*range(place, place + places.ndim), *around))
    front = moveaxis(value, place, 0)
    result = indexing.scatter_add(front, wrap_negative(places, value.shape[place]), rows)
    return moveaxis(result, 0, place)


def _promoted_pair(x: Any, updates: Any) -> tuple[Value, Value]:
    """Both in their common element type; a Python number takes that of x."""
    value = lift(x)
    added = lift(updates, value.dtype)
    dtype = promote(value.dtype, added.dtype)
    return astype(value, dtype), astype(added, dtype)


def sort(x: Any, axis: int = -1, descending: bool = False, stable: bool = True) -> Value:
    """Sorted along `axis`; gradients go back to where each element came from."""
    value = lift(x)
    return take_along_axis(value, argsort(value, axis, descending), axis)
