"""Primitives that move elements without changing them."""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DtypeError, ShapeError
from ..ir.primitive import Primitive, Rule, register
from ..ir.types import DTYPES, ArrayType, NumpyArray, Shape, normalize_axis
from .samples import fixed, spread

# -- reshape


def _reshape_type(kind: ArrayType, *, shape: Shape) -> ArrayType:
    if min(shape, default=0) < 0:
        raise ShapeError(f"reshape: sizes must not be negative, but were given {shape}")
    if math.prod(shape) != kind.size:
        raise ShapeError(f"reshape: {kind} has {kind.size} elements, but shape {shape} has {math.prod(shape)}")
    return kind.with_shape(shape)


reshape: Primitive = register(
    Primitive(
        "reshape",
        _reshape_type,
        lambda x, shape: np.reshape(x, shape),
        (lambda g, y, x, shape: reshape(g, shape=x.shape),),
        "reshape({0}, {shape})",
        fixed(
            ((spread((2, 3), -1, 1),), {"shape": (3, 2)}),
            ((spread((6, 4), -1, 1).T,), {"shape": (2, 12)}),
            ((spread((), -1, 1),), {"shape": (1, 1)}),
            ((spread((0, 3), -1, 1),), {"shape": (5, 0)}),
            dtypes=DTYPES,
        ),
    )
)

# -- permute_dims


def _permute_dims_type(kind: ArrayType, *, axes: tuple[int, ...]) -> ArrayType:
    if sorted(axes) != list(range(kind.ndim)):
        raise ShapeError(f"permute_dims: axes {axes} must name each of the {kind.ndim} axes of {kind} once")
    return kind.with_shape(tuple(kind.shape[axis] for axis in axes))


def inverse_permutation(axes: Sequence[int]) -> tuple[int, ...]:
    """The permutation that undoes `axes`."""
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


permute_dims: Primitive = register(
    Primitive(
        "permute_dims",
        _permute_dims_type,
        lambda x, axes: np.transpose(x, axes),
        (lambda g, y, x, axes: permute_dims(g, axes=inverse_permutation(axes)),),
        "permute({0}, {axes})",
        fixed(
            ((spread((2, 3), -1, 1),), {"axes": (1, 0)}),
            ((spread((2, 3, 4), -1, 1),), {"axes": (2, 0, 1)}),
            ((spread((), -1, 1),), {"axes": ()}),
            ((spread((0, 2), -1, 1),), {"axes": (1, 0)}),
            dtypes=DTYPES,
        ),
    )
)

# -- concat


def _concat_type(*types: ArrayType, axis: int) -> ArrayType:
    if not types:
        raise ShapeError("concat needs at least one array")
    first = types[0]
    for other in types[1:]:
        if other.dtype != first.dtype:
            raise DtypeError(f"concat needs one element type, but was given {first} and {other}")
        if _without(other.shape, axis) != _without(first.shape, axis) or other.ndim != first.ndim:
            raise ShapeError(f"concat along axis {axis}: all other sizes must agree, but was given {first} and {other}")
    normalize_axis(axis, first.ndim)
    return first.with_shape((*first.shape[:axis], sum(kind.shape[axis] for kind in types), *first.shape[axis + 1 :]))


def _without(shape: Shape, axis: int) -> Shape:
    return (*shape[:axis], *shape[axis + 1 :])


def _concat_rule_of(position: int, input_count: int) -> Rule:
    def rule(g: Any, y: Any, *inputs: Any, axis: int) -> Any:
        start = sum(value.shape[axis] for value in inputs[:position])
        return narrow(g, axis, start, start + inputs[position].shape[axis])

    return rule


concat: Primitive = register(
    Primitive(
        "concat",
        _concat_type,
        lambda *arrays, axis: np.concatenate(arrays, axis),
        _concat_rule_of,
        "concat({all}; axis {axis})",
        fixed(
            ((spread((2, 3), -1, 1), spread((2, 2), -1, 1, 1)), {"axis": 1}),
            ((spread((2, 3), -1, 1), spread((1, 3), -1, 1, 1), spread((0, 3), -1, 1, 2)), {"axis": 0}),
            ((spread((1,), -1, 1),), {"axis": 0}),
            dtypes=DTYPES,
        ),
    )
)

# -- slice and pad: each is the other's derivative


def slice_size(start: int, stop: int, step: int) -> int:
    """How many elements start, start + step, ... lie before stop."""
    return max(0, -(-(stop - start) // step))


def _slice_type(kind: ArrayType, *, starts: Shape, stops: Shape, steps: Shape) -> ArrayType:
    if not len(starts) == len(stops) == len(steps) == kind.ndim:
        raise ShapeError(f"slice: {kind} needs {kind.ndim} starts, stops and steps")
    for start, stop, step, size in zip(starts, stops, steps, kind.shape):
        if not 0 <= start <= stop <= size or step < 1:
            raise ShapeError(f"slice {start}:{stop}:{step} does not lie in an axis of size {size} of {kind}")
    return kind.with_shape(tuple(map(slice_size, starts, stops, steps)))


def _slice(x: NumpyArray, *, starts: Shape, stops: Shape, steps: Shape) -> Any:
    return x[tuple(map(builtins.slice, starts, stops, steps))]


def _slice_rule(g: Any, y: Any, x: Any, *, starts: Shape, stops: Shape, steps: Shape) -> Any:
    spans = tuple((size - 1) * step + 1 if size else 0 for size, step in zip(g.shape, steps))
    after = tuple(size - start - span for size, start, span in zip(x.shape, starts, spans))
    return pad(g, low=starts, high=after, interior=tuple(step - 1 for step in steps))


slice: Primitive = register(
    Primitive(
        "slice",
        _slice_type,
        _slice,
        (_slice_rule,),
        "{0}[{starts}:{stops}:{steps}]",
        fixed(
            ((spread((5,), -1, 1),), {"starts": (1,), "stops": (5,), "steps": (2,)}),
            ((spread((4, 5), -1, 1),), {"starts": (0, 2), "stops": (4, 4), "steps": (3, 1)}),
            ((spread((4,), -1, 1),), {"starts": (2,), "stops": (2,), "steps": (1,)}),
            ((spread((), -1, 1),), {"starts": (), "stops": (), "steps": ()}),
            ((spread((0, 3), -1, 1),), {"starts": (0, 1), "stops": (0, 3), "steps": (1, 2)}),
            ((spread((1,), -1, 1),), {"starts": (0,), "stops": (1,), "steps": (4,)}),
            dtypes=DTYPES,
        ),
    )
)


def _pad_type(kind: ArrayType, *, low: Shape, high: Shape, interior: Shape) -> ArrayType:
    if not len(low) == len(high) == len(interior) == kind.ndim:
        raise ShapeError(f"pad: {kind} needs {kind.ndim} widths before, after and between")
    if min((*low, *high, *interior), default=0) < 0:
        raise ShapeError(f"pad: widths must not be negative, but were given {low}, {high}, {interior}")
    sizes = (size + max(0, size - 1) * gap for size, gap in zip(kind.shape, interior))
    return kind.with_shape(tuple(before + size + after for before, size, after in zip(low, sizes, high)))


def _pad(x: NumpyArray, *, low: Shape, high: Shape, interior: Shape) -> Any:
    shape = _pad_type(ArrayType(x.shape, x.dtype), low=low, high=high, interior=interior).shape
    result = np.zeros(shape, x.dtype)
    inside = (
        builtins.slice(before, size - after, gap + 1) for before, after, gap, size in zip(low, high, interior, shape)
    )
    result[tuple(inside)] = x
    return result


def _pad_rule(g: Any, y: Any, x: Any, *, low: Shape, high: Shape, interior: Shape) -> Any:
    stops = tuple(size - after for size, after in zip(y.shape, high))
    return slice(g, starts=low, stops=stops, steps=tuple(gap + 1 for gap in interior))


pad: Primitive = register(
    Primitive(
        "pad",
        _pad_type,
        _pad,
        (_pad_rule,),
        "pad({0}; {low}, {high}, {interior})",
        fixed(
            ((spread((3,), -1, 1),), {"low": (1,), "high": (2,), "interior": (0,)}),
            ((spread((2, 3), -1, 1),), {"low": (0, 1), "high": (1, 0), "interior": (2, 1)}),
            ((spread((0, 2), -1, 1),), {"low": (1, 0), "high": (1, 0), "interior": (3, 0)}),
            ((spread((), -1, 1),), {"low": (), "high": (), "interior": ()}),
            dtypes=DTYPES,
        ),
    )
)


def narrow(x: Any, axis: int, start: int, stop: int) -> Any:
    """The part of `x` from `start` to `stop` along one axis."""
    starts, stops = [0] * x.ndim, list(x.shape)
    starts[axis], stops[axis] = start, stop
    return slice(x, starts=tuple(starts), stops=tuple(stops), steps=(1,) * x.ndim)


# -- flip


def _flip_type(kind: ArrayType, *, axes: tuple[int, ...]) -> ArrayType:
    for axis in axes:
        normalize_axis(axis, kind.ndim)
    return kind


flip: Primitive = register(
    Primitive(
        "flip",
        _flip_type,
        lambda x, axes: np.flip(x, axes),
        (lambda g, y, x, axes: flip(g, axes=axes),),
        "flip({0}; {axes})",
        fixed(
            ((spread((2, 3), -1, 1),), {"axes": (1,)}),
            ((spread((2, 3), -1, 1),), {"axes": (0, 1)}),
            ((spread((0,), -1, 1),), {"axes": (0,)}),
            ((spread((), -1, 1),), {"axes": ()}),
            dtypes=DTYPES,
        ),
    )
)
