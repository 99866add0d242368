"""Functions along one axis that are made of primitives: running products, differences, parts. On Values."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ir.build import constant, splat
from ..ir.graph import Value
from ..ir.types import as_dtype, as_integer, as_shape, normalize_axis
from . import broadcasting, indexing, structure
from .arrays import axis_of_running, concat, moveaxis, summed_dtype
from .known import known
from .operators import astype, broadcast, lift, reshape


def cumulative_prod(x: Any, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Value:
    """Running product along `axis`; with include_initial a one comes first.

    Products of 2, 4, 8 ... neighbours are made of those of half as many, so derivatives are exact where elements are
    zero too.
    """
    value, place = axis_of_running("cumulative_prod", x, axis)
    value = astype(value, as_dtype(dtype) if dtype is not None else summed_dtype(value))
    size, step = value.shape[place], 1
    while step < size:
        ones = splat(1, value.type.with_shape((*value.shape[:place], step, *value.shape[place + 1 :])))
        value = value * concat([ones, structure.narrow(value, place, 0, size - step)], axis=place)
        step *= 2
    if not include_initial:
        return value
    return concat([splat(1, value.type.with_shape(broadcasting.kept_shape(value.shape, (place,)))), value], axis=place)


def diff(x: Any, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None) -> Value:
    """Differences of neighbours along `axis`, taken n times; of bools it is whether they differ."""
    value, place = axis_of_running("diff", x, axis)
    times = as_integer(n, "how often differences are taken")
    if times < 0:
        raise ShapeError(f"diff is taken n times, n at least 0, not {times}")
    parts = [
        each if isinstance(each, Value) else lift(each, value.dtype) for each in (prepend, append) if each is not None
    ]
    if parts and times:
        ends = [_as_slab(value, part, place) for part in parts]
        front, back = (ends[:1], ends[1:]) if prepend is not None else ([], ends)
        value = concat([*front, value, *back], axis=place)
    for _ in range(times):
        size = value.shape[place]
        if size < 2:
            value = structure.narrow(value, place, 0, 0)
            break
        later: Value = structure.narrow(value, place, 1, size)
        earlier: Value = structure.narrow(value, place, 0, size - 1)
        change: Value = later != earlier if value.dtype == np.bool_ else later - earlier
        value = change
    return value


def _as_slab(value: Value, part: Value, place: int) -> Value:
    """A number at the end counts as a slice of it."""
    if part.ndim:
        return part
    return broadcast(reshape(part, (1,) * value.ndim), broadcasting.kept_shape(value.shape, (place,)))


def unstack(x: Any, axis: int = 0) -> tuple[Value, ...]:
    """The slices along `axis`, without it."""
    value, place = axis_of_running("unstack", x, axis)
    rest = broadcasting.reduced_shape(value.shape, (place,))
    return tuple(reshape(structure.narrow(value, place, index, index + 1), rest) for index in range(value.shape[place]))


def repeat(x: Any, repeats: Any, axis: int | None = None) -> Value:
    """Each element repeated along `axis`, as often as `repeats` says: one number for all, or one for each.

    Flattened first when axis is None. Numbers for each must be known: the shape of the result depends on them.
    """
    value = lift(x)
    if axis is None:
        return repeat(reshape(value, (value.size,)), repeats, 0)
    place = normalize_axis(axis, value.ndim)
    counts = repeats if isinstance(repeats, Value) else np.asarray(repeats)
    if counts.ndim == 0 or counts.size == 1:
        return _repeat_evenly(value, counts.item() if isinstance(counts, np.ndarray) else counts, place)
    known = _known_counts(counts, value.shape[place])
    places = constant(np.repeat(np.arange(value.shape[place]), known))
    picked: Value = indexing.gather(moveaxis(value, place, 0), places)
    return moveaxis(picked, 0, place)


def _known_counts(repeats: Any, size: int) -> Any:
    counts = known(repeats, "repeat with a number for each element")
    if counts.shape != (size,) or counts.dtype.kind not in "iu" or counts.min(initial=0) < 0:
        raise ShapeError(f"repeat needs {size} integers, none negative, but was given {counts.dtype}{counts.shape}")
    return counts


def _repeat_evenly(value: Value, repeats: Any, place: int) -> Value:
    times = as_integer(repeats, "how often an element is repeated")
    before, size, after = value.shape[:place], value.shape[place], value.shape[place + 1 :]
    wide = broadcast(reshape(value, (*before, size, 1, *after)), (*before, size, times, *after))
    return reshape(wide, (*before, size * times, *after))


def roll(x: Any, shift: int | tuple[int, ...], axis: int | tuple[int, ...] | None = None) -> Value:
    """Elements moved on by `shift` along `axis`, round the end; several axes, each with its shift, in turn."""
    value = lift(x)
    if axis is None:
        flat = reshape(value, (value.size,))
        for each in shift if isinstance(shift, tuple | list) else (shift,):
            flat = _roll_one(flat, each, 0)
        return reshape(flat, value.shape)
    axes = tuple(axis) if isinstance(axis, tuple | list) else (axis,)
    shifts = tuple(shift) if isinstance(shift, tuple | list) else (shift,) * len(axes)
    if len(shifts) != len(axes):
        raise ShapeError(f"roll: there are {len(shifts)} shifts for {len(axes)} axes")
    for each, along in zip(shifts, axes):
        value = _roll_one(value, each, normalize_axis(along, value.ndim))
    return value


def _roll_one(value: Value, shift: Any, place: int) -> Value:
    shift, size = as_integer(shift, "a shift"), value.shape[place]
    if size == 0 or shift % size == 0:
        return value
    cut = size - shift % size
    return concat([structure.narrow(value, place, cut, size), structure.narrow(value, place, 0, cut)], axis=place)


def tile(x: Any, repetitions: Any) -> Value:
    """The whole array repeated along each axis."""
    value = lift(x)
    times = as_shape(repetitions)
    ndim = max(value.ndim, len(times))
    shape = (1,) * (ndim - value.ndim) + value.shape
    times = (1,) * (ndim - len(times)) + times
    spaced = reshape(value, tuple(part for size in shape for part in (1, size)))
    wide = broadcast(spaced, tuple(part for size, count in zip(shape, times) for part in (count, size)))
    return reshape(wide, tuple(size * count for size, count in zip(shape, times)))
