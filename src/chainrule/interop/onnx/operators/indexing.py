"""Reading and writing by indices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .... import functions as fn
from ....ops.setitem import with_items
from ....tensor import lifted
from ..call import Call, OnnxError, known, numbers, operator, shape_of

_items = lifted(with_items)
COMBINE = {"add": fn.add, "mul": fn.multiply, "max": fn.maximum, "min": fn.minimum}


@operator("Gather")
def _gather(call: Call, x: Any, indices: Any) -> Any:
    return fn.take(x, indices, axis=call.get("axis", 0))


@operator("GatherElements")
def _gather_elements(call: Call, x: Any, indices: Any) -> Any:
    return _flat(x)[_places_along(x, indices, call.get("axis", 0))]


def _flat(x: Any) -> Any:
    return fn.reshape(fn.asarray(x), (-1,))


def _wrapped(indices: Any, size: int) -> Any:
    """Indices from the end counted from the beginning."""
    places = fn.astype(fn.asarray(indices), np.int64)
    return fn.where(places < 0, places + size, places)


def _strides(shape: tuple[int, ...]) -> list[int]:
    return [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]


def _places_along(x: Any, indices: Any, axis: int) -> Any:
    """Where the elements that `indices` mean lie in x laid out flat."""
    shape = shape_of(x)
    axis, strides = axis % len(shape), _strides(shape)
    grid = np.indices(shape_of(indices), sparse=True)
    base = sum((place * stride for n, (place, stride) in enumerate(zip(grid, strides)) if n != axis), np.zeros((), int))
    return _wrapped(indices, shape[axis]) * strides[axis] + np.asarray(base, np.int64)


@operator("ScatterElements", "Scatter")
def _scatter_elements(call: Call, x: Any, indices: Any, updates: Any) -> Any:
    places = _places_along(x, indices, call.get("axis", 0))
    return _written(x, fn.reshape(places, (-1,)), _flat(updates), call.text("reduction", "none"))


def _written(x: Any, places: Any, updates: Any, how: str) -> Any:
    """x with elements at flat places replaced by updates, or combined with them."""
    flat, shape = _flat(x), shape_of(x)
    if how == "add":
        return fn.reshape(fn.scatter_add(flat, places, updates), shape)
    if how == "none":
        return fn.reshape(_items(flat, places, updates), shape)
    order = known(places, "the places that are written")
    for which in _rounds(order):
        here = order[which]
        flat = _items(flat, here, COMBINE[how](flat[here], updates[which]))
    return fn.reshape(flat, shape)


def _rounds(places: Any) -> list[Any]:
    """Numbers of updates in groups that each meet a place once, in their order."""
    seen: dict[int, int] = {}
    groups: dict[int, list[int]] = {}
    for number, place in enumerate(places.tolist()):
        seen[place] = seen.get(place, -1) + 1
        groups.setdefault(seen[place], []).append(number)
    return [np.array(group) for group in groups.values()]


def _places_of_tuples(shape: tuple[int, ...], indices: Any) -> tuple[Any, tuple[int, ...]]:
    """Flat places of the parts that index tuples (..., depth) mean: (tuples, elements), and the shape of a part."""
    depth = shape_of(indices)[-1]
    strides, part = _strides(shape), shape[depth:]
    rows = fn.reshape(fn.asarray(indices), (-1, depth))
    starts = sum((_wrapped(rows[:, n], shape[n]) * strides[n] for n in range(depth)), np.zeros((), np.int64))
    return fn.expand_dims(fn.asarray(starts), -1) + np.arange(math.prod(part)), part


@operator("GatherND")
def _gather_nd(call: Call, x: Any, indices: Any) -> Any:
    batch = call.get("batch_dims", 0)
    if batch:
        lead = shape_of(x)[:batch]
        count = math.prod(lead)
        numbers_of = np.arange(count).reshape((*lead, *(1,) * (len(shape_of(indices)) - batch)))
        wide = fn.broadcast_to(numbers_of, (*shape_of(indices)[:-1], 1))
        x = fn.reshape(fn.asarray(x), (count, *shape_of(x)[batch:]))
        indices = fn.concat([wide, fn.astype(fn.asarray(indices), np.int64)], axis=-1)
    places, part = _places_of_tuples(shape_of(x), indices)
    return fn.reshape(_flat(x)[places], (*shape_of(indices)[:-1], *part))


@operator("ScatterND")
def _scatter_nd(call: Call, x: Any, indices: Any, updates: Any) -> Any:
    places, _ = _places_of_tuples(shape_of(x), indices)
    return _written(x, fn.reshape(places, (-1,)), _flat(updates), call.text("reduction", "none"))


@operator("OneHot")
def _one_hot(call: Call, indices: Any, depth: Any, values: Any) -> Any:
    (size,), axis = numbers(depth, "the depth of OneHot"), call.get("axis", -1)
    places = fn.astype(fn.asarray(indices), np.int64)
    places = fn.where(places < 0, places + size, places)
    hits = fn.expand_dims(places, -1) == np.arange(size)
    ends = fn.asarray(values)
    return fn.moveaxis(fn.where(hits, ends[1], ends[0]), -1, axis)


@operator("NonZero")
def _nonzero(call: Call, x: Any) -> Any:
    return np.array(np.nonzero(known(x, "what NonZero counts")), np.int64)


@operator("Compress")
def _compress(call: Call, x: Any, condition: Any) -> Any:
    places, axis = np.flatnonzero(known(condition, "the condition of Compress")), call.get("axis")
    return _flat(x)[places] if axis is None else fn.take(x, places, axis=axis)


@operator("Unique")
def _unique(call: Call, x: Any) -> Any:
    data, axis = known(x, "what Unique counts"), call.get("axis")
    found, first, inverse, counts = np.unique(data, True, True, True, axis=axis)
    if not call.get("sorted", 1):
        order = np.argsort(first)
        rank = np.argsort(order)
        found = np.take(found, order, axis=0 if axis is None else axis)
        first, counts, inverse = first[order], counts[order], rank[inverse]
    return [found, *(np.asarray(each, np.int64).reshape(-1) for each in (first, inverse, counts))]


@operator("TensorScatter")
def _tensor_scatter(call: Call, past: Any, update: Any, starts: Any = None) -> Any:
    """Slices of a cache along an axis, from a place on that each example has its own."""
    axis, shape = call.get("axis", -2) % len(shape_of(past)), shape_of(past)
    length = shape_of(update)[axis]
    begin = np.zeros(shape[0], np.int64) if starts is None else known(starts, "where TensorScatter writes")
    places = begin[:, None] + np.arange(length)
    if call.text("mode", "linear") == "circular":
        places %= shape[axis]
    elif places.size and places.max() >= shape[axis]:
        raise OnnxError("TensorScatter writes beyond the end of its axis")
    wide = [1] * len(shape)
    wide[0], wide[axis] = places.shape
    full = np.broadcast_to(places.reshape(wide), shape_of(update))
    return _written(past, fn.reshape(_places_along(past, full, axis), (-1,)), _flat(update), "none")
