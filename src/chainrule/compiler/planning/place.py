"""Where values lie: buffers, and views of them. Reshape, permute, broadcast, slice, flip move nothing if they can."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import field, replace
from enum import Enum
from typing import Any

import numpy as np

from ...ir.graph import Equation
from ...ir.types import ArrayType, DType, NumpyArray, Shape
from ...records import dataclass

_numbers = itertools.count()


class Kind(Enum):
    """Who owns a buffer's memory."""

    SLOT = "slot"  # the caller: an argument, a cell, a result; its address comes with each call
    CONSTANT = "constant"  # the program: known data
    ARENA = "arena"  # the program: computed in a step and forgotten after it


@dataclass(eq=False)
class Buffer:
    """A block of memory for `size` elements. slot: which address of the call; data: the elements of a constant.

    over: others whose memory it may take over if they are needed no longer than until the kernel that first writes to
    it: that reads each element of theirs before it writes its own. over_slices: the same of a kernel in a loop that
    is in no other, slice by slice.
    """

    dtype: DType
    size: int
    kind: Kind
    name: str = ""
    slot: int = -1
    data: NumpyArray | None = None
    offset: int = -1
    over: tuple[Buffer, ...] = ()
    over_slices: tuple[Buffer, ...] = ()
    number: int = field(default_factory=lambda: next(_numbers))

    @property
    def nbytes(self) -> int:
        """Bytes it takes."""
        return self.size * self.dtype.itemsize


@dataclass(frozen=True)
class Place:
    """The elements of one value: (i, j, ...) is number offset + i·strides[0] + j·strides[1] + ... of a buffer."""

    buffer: Buffer
    dtype: DType
    shape: Shape
    strides: tuple[int, ...]
    offset: int = 0
    steps: tuple[tuple[int, int], ...] = ()  # (depth of a loop, elements further in each of its rounds)

    @property
    def type(self) -> ArrayType:
        """Shape and element type."""
        return ArrayType(self.shape, self.dtype)

    @property
    def order(self) -> tuple[int, ...]:
        """The axes from the one with the longest stride to the one with the shortest; repeated axes come first."""
        axes = range(len(self.shape))
        return tuple(
            sorted(axes, key=lambda axis: (-abs(self.strides[axis]) if self.strides[axis] else -math.inf, axis))
        )

    def permuted(self, axes: Sequence[int]) -> Place:
        """The same elements with the axes in another order."""
        shape, strides = (tuple(each[axis] for axis in axes) for each in (self.shape, self.strides))
        return replace(self, shape=shape, strides=strides)


def copy_order(source: Place, target: Place) -> tuple[int, ...]:
    """The axes as a copy had best go through them: as they lie in the target, with the source's innermost beside them.

    So a part of the two innermost axes is a square that is turned over in registers.
    """
    axes = [axis for axis in target.order if target.shape[axis] > 1]
    ones = [axis for axis in range(len(target.shape)) if target.shape[axis] == 1]
    inner = [axis for axis in axes if source.strides[axis] == 1]
    if inner and inner[0] != axes[-1]:
        axes.remove(inner[0])
        axes.insert(len(axes) - 1, inner[0])
    return (*ones, *axes)


def dense(shape: Sequence[int], order: Sequence[int] | None = None) -> tuple[int, ...]:
    """Strides without gaps, the axes laid out in `order` from the outermost to the innermost."""
    strides, step = [0] * len(shape), 1
    for axis in reversed(order if order is not None else range(len(shape))):
        strides[axis] = step
        step *= max(shape[axis], 1)
    return tuple(strides)


def same_layout(first: Sequence[int], second: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether two lists of strides mean the same for arrays of `shape`."""
    return all(a == b for a, b, size in zip(first, second, shape) if size > 1)


def lies_at(place: Place, other: Place) -> bool:
    """Whether two places of one shape are the same elements of memory."""
    same = (place.buffer, place.offset, place.steps) == (other.buffer, other.offset, other.steps)
    return same and same_layout(place.strides, other.strides, other.shape)


def same_order(first: Sequence[int], second: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether two lists of strides go through arrays of `shape` in one order of the axes, neighbours along the last."""
    axes = [axis for axis, size in enumerate(shape) if size > 1]
    orders = [sorted(axes, key=lambda axis: -strides[axis]) for strides in (first, second)]
    return orders[0] == orders[1] and all(not axes or strides[orders[0][-1]] == 1 for strides in (first, second))


# -- views: what they do to shape, strides and offset; None where elements must move


Layout = tuple[Shape, tuple[int, ...], int]


def _reshape(layout: Layout, *, shape: Shape) -> Layout | None:
    old_shape, old_strides, offset = layout
    if 0 in shape:
        return shape, dense(shape), offset
    runs = _merged(old_shape, old_strides)
    strides: list[int] = []
    sizes = iter([size for size in shape if size != 1])
    for run, step in runs:
        inside: list[int] = []
        left = run
        while left > 1:
            size = next(sizes, 0)
            if size == 0 or left % size:
                return None
            left //= size
            inside.append(left * step)
        strides.extend(inside)
    found = iter(strides)
    return shape, tuple(next(found) if size != 1 else 0 for size in shape), offset


def reshaped(layout: Layout, shape: Shape) -> Layout | None:
    """The same elements in another shape; None where they would have to move."""
    return _reshape(layout, shape=shape)


def _merged(shape: Shape, strides: tuple[int, ...]) -> list[tuple[int, int]]:
    """Axes joined with their neighbours where both step through memory as one."""
    runs: list[tuple[int, int]] = []
    for size, stride in zip(shape, strides):
        if size == 1:
            continue
        if runs and runs[-1][1] == size * stride:
            runs[-1] = (runs[-1][0] * size, stride)
        else:
            runs.append((size, stride))
    return runs


def _permute(layout: Layout, *, axes: tuple[int, ...]) -> Layout:
    shape, strides, offset = layout
    return tuple(shape[axis] for axis in axes), tuple(strides[axis] for axis in axes), offset


def _broadcast(layout: Layout, *, shape: Shape) -> Layout:
    old, strides, offset = layout
    missing = len(shape) - len(old)
    steps = [0] * missing + [0 if had == 1 else step for had, step in zip(old, strides)]
    return shape, tuple(steps), offset


def _slice(layout: Layout, *, starts: Shape, stops: Shape, steps: Shape) -> Layout:
    _, strides, offset = layout
    sizes = tuple(max(0, -(-(stop - start) // step)) for start, stop, step in zip(starts, stops, steps))
    moved = offset + sum(start * stride for start, stride in zip(starts, strides))
    return sizes, tuple(stride * step for stride, step in zip(strides, steps)), moved


def _flip(layout: Layout, *, axes: tuple[int, ...]) -> Layout:
    shape, strides, offset = layout
    flipped = {axis % max(len(shape), 1) for axis in axes}
    steps = tuple(-stride if axis in flipped else stride for axis, stride in enumerate(strides))
    return shape, steps, offset + sum((shape[axis] - 1) * strides[axis] for axis in flipped if shape[axis])


def _same(layout: Layout, **params: Any) -> Layout:
    return layout


VIEWS = {
    "reshape": _reshape,
    "permute_dims": _permute,
    "broadcast_to": _broadcast,
    "slice": _slice,
    "flip": _flip,
    "bfloat16_rounded_back": _same,
    "identity": _same,
    "stop_gradient": _same,
}


def is_view(equation: Equation) -> bool:
    """Whether an equation may only look at its input in another way."""
    return equation.primitive.name in VIEWS


def view_layout(equation: Equation, layout: Layout) -> Layout | None:
    """What a view equation makes of the layout of its input; None where elements must move."""
    result: Layout | None = VIEWS[equation.primitive.name](layout, **equation.params)  # type: ignore[operator]
    return result


def view_of(equation: Equation, place: Place) -> Place | None:
    """The place of a view's output, given that of its input; None where elements must move."""
    found = view_layout(equation, (place.shape, place.strides, place.offset))
    if found is None:
        return None
    shape, strides, offset = found
    return replace(place, shape=shape, strides=strides, offset=offset)


def splat_number(data: NumpyArray) -> Any:
    """The one number that fills a constant, or None; NaN and -0.0 are told from others."""
    if data.size == 0:
        return None
    if data.size == 1 or not any(data.strides[axis] for axis in range(data.ndim) if data.shape[axis] > 1):
        return data.reshape(-1)[0] if data.size == 1 else data[(0,) * data.ndim]
    return None


def constant_place(data: NumpyArray) -> Place:
    """A place for known data; repeated axes are kept once."""
    kept = tuple(
        slice(0, 1) if stride == 0 and size > 1 else slice(None) for stride, size in zip(data.strides, data.shape)
    )
    core = np.ascontiguousarray(data[kept]) if data.ndim else np.ascontiguousarray(data).reshape(())
    buffer = Buffer(data.dtype, core.size, Kind.CONSTANT, data=core)
    steps = dense(core.shape)
    strides = tuple(
        0 if stride == 0 and size > 1 else step for stride, size, step in zip(data.strides, data.shape, steps)
    )
    return Place(buffer, data.dtype, data.shape, strides)
