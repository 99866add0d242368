"""Windows over spatial axes: their sizes, and NumPy views of them. Shared by convolution and pooling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ir.types import NumpyArray, Shape

Padding = tuple[tuple[int, int], ...]


def span(kernel: int, dilation: int) -> int:
    """How far a dilated kernel reaches along one axis."""
    return (kernel - 1) * dilation + 1


def output_sizes(name: str, sizes: Shape, kernel: Shape, stride: Shape, padding: Padding, dilation: Shape) -> Shape:
    """How many places a window has along each spatial axis; a ShapeError where it does not fit in once."""
    rank = len(sizes)
    if not rank == len(kernel) == len(stride) == len(padding) == len(dilation):
        raise ShapeError(f"{name} over {rank} spatial axes needs {rank} sizes, strides, paddings and dilations")
    if (
        min((*kernel, *stride, *dilation), default=1) < 1
        or min((edge for pair in padding for edge in pair), default=0) < 0
    ):
        raise ShapeError(f"{name}: kernel, stride and dilation must be at least 1 and padding at least 0")
    reached = [span(size, gap) for size, gap in zip(kernel, dilation)]
    padded = [size + low + high for size, (low, high) in zip(sizes, padding)]
    for axis, (have, need) in enumerate(zip(padded, reached)):
        if have < need:
            raise ShapeError(
                f"{name}: along spatial axis {axis} the window reaches {need} but the padded input is {have} long; "
                "make the window smaller or the padding larger"
            )
    return tuple((have - need) // step + 1 for have, need, step in zip(padded, reached, stride))


def pad_spatial(x: NumpyArray, padding: Padding, value: Any = 0) -> NumpyArray:
    """`value` added around the spatial axes (all but the first two); no copy where there is no padding."""
    if not any(edge for pair in padding for edge in pair):
        return x
    shape = x.shape[:2] + tuple(size + low + high for size, (low, high) in zip(x.shape[2:], padding))
    padded = np.full(shape, value, x.dtype) if value else np.zeros(shape, x.dtype)
    padded[inside(padding, x.shape[2:])] = x
    return padded


def inside(padding: Padding, sizes: Shape) -> tuple[Any, ...]:
    """The index of the unpadded part."""
    return (..., *(slice(low, low + size) for (low, _), size in zip(padding, sizes)))


def taps(kernel: Shape, stride: Shape, dilation: Shape, counts: Shape) -> Iterator[tuple[Shape, tuple[Any, ...]]]:
    """For each place in the kernel, the index of the padded input's elements that it meets, window after window."""
    for place in np.ndindex(*kernel):
        yield place, (..., *map(_tap_slice, place, stride, dilation, counts))


def taps_within(
    kernel: Shape, sizes: Shape, counts: Shape, params: Mapping[str, Any]
) -> Iterator[tuple[tuple[Any, ...], ...]]:
    """For each place in the kernel its index, that of the elements that it meets, that of the windows where it does.

    What it meets in the padding is in neither.
    """
    for place in np.ndindex(*kernel):
        starts = [at * step - low for at, step, (low, _) in zip(place, params["dilation"], params["padding"])]
        ranges = [*map(_windows_within, starts, params["stride"], sizes, counts)]
        read = [
            slice(start + first * stride, start + (last - 1) * stride + 1, stride) if last > first else slice(0)
            for start, stride, (first, last) in zip(starts, params["stride"], ranges)
        ]
        yield (..., *place), (..., *read), (..., *(slice(first, max(first, last)) for first, last in ranges))


def _windows_within(start: int, stride: int, size: int, count: int) -> tuple[int, int]:
    """Of an axis: first and end of the windows n with 0 <= start + n * stride < size."""
    return max(0, -(start // stride)), min(count, -((start - size) // stride))


def _tap_slice(place: int, stride: int, dilation: int, count: int) -> slice:
    start = place * dilation
    return slice(start, start + (count - 1) * stride + 1, stride)


def window_view(padded: NumpyArray, kernel: Shape, stride: Shape, dilation: Shape, counts: Shape) -> NumpyArray:
    """A view (batch, channels, *kernel, *counts) of the padded input."""
    steps = padded.strides[2:]
    strides = (
        *padded.strides[:2],
        *(step * gap for step, gap in zip(steps, dilation)),
        *(step * hop for step, hop in zip(steps, stride)),
    )
    return np.lib.stride_tricks.as_strided(padded, (*padded.shape[:2], *kernel, *counts), strides, writeable=False)


def per_axis(given: int | Sequence[int], rank: int, name: str) -> Shape:
    """One number for each spatial axis: a single one stands for all."""
    if isinstance(given, int | np.integer):
        return (int(given),) * rank
    listed = tuple(int(each) for each in given)
    if len(listed) == 1:
        return listed * rank
    if len(listed) != rank:
        raise ShapeError(f"{name} must be one number or {rank} of them (one a spatial axis), but was given {listed}")
    return listed
