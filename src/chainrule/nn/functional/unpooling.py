"""Unpooling: the largest of each window back in their places, everything else zero."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ... import functions as f
from ...errors import ShapeError
from ...tensor import Tensor, asarray
from .axes import Sizes, batched, sizes_per_axis, unbatched


def _max_unpool(
    name: str, rank: int, input: Any, indices: Any, windows: tuple[Sizes, Any, Sizes], output_size: Sequence[int] | None
) -> Tensor:
    (x, alone), (places, _) = batched(asarray(input), rank, name), batched(asarray(indices), rank, name)
    if x.shape != places.shape:
        raise ShapeError(f"{name}: indices say where each element goes, but their shapes are {places.shape}, {x.shape}")
    sizes = _output_sizes(name, rank, x.shape[2:], windows, output_size)
    count, rows = math.prod(sizes), x.shape[0] * x.shape[1]
    flat, where = f.reshape(x, (rows, -1)), f.reshape(places, (rows, -1))
    base = f.reshape(f.arange(rows) * count, (rows, 1))
    target = f.reshape(base + where, (-1,))
    total = f.scatter_add(f.zeros(rows * count, dtype=x.dtype), target, f.reshape(flat, (-1,)))
    times = f.scatter_add(f.zeros(rows * count, dtype=x.dtype), target, f.ones(flat.size, dtype=x.dtype))
    return unbatched(f.reshape(total / f.maximum(times, 1.0), (*x.shape[:2], *sizes)), alone)


def _output_sizes(
    name: str, rank: int, given: Sequence[int], windows: tuple[Sizes, Any, Sizes], output_size: Sequence[int] | None
) -> tuple[int, ...]:
    window = sizes_per_axis(windows[0], rank, "kernel_size")
    steps = window if windows[1] is None else sizes_per_axis(windows[1], rank, "stride")
    edges = sizes_per_axis(windows[2], rank, "padding", 0)
    usual = tuple((size - 1) * step - 2 * edge + wide for size, step, edge, wide in zip(given, steps, edges, window))
    if output_size is None:
        return usual
    wanted = tuple(output_size)[-rank:]
    if len(wanted) != rank or any(abs(size - other) >= step for size, other, step in zip(wanted, usual, steps)):
        raise ShapeError(f"{name}: output_size {tuple(output_size)} is more than a step of {steps} from {usual}")
    return wanted


def max_unpool1d(
    input: Any,
    indices: Any,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """The reverse of max_pool1d with return_indices: see `max_unpool2d`."""
    return _max_unpool("max_unpool1d", 1, input, indices, (kernel_size, stride, padding), output_size)


def max_unpool2d(
    input: Any,
    indices: Any,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """The largest of each window back where max_pool2d (return_indices=True) found them, zero elsewhere.

    input, indices: (batch, channels, height, width); output_size: height and width of the result where the windows
    leave it open. Where windows overlap and found one element twice, it is the mean of what they hold (equal values,
    as pooling gives them). Raises ShapeError where shapes don't fit, OutOfRangeError for an index beyond the result.

    >>> import chainrule as cr
    >>> from chainrule.nn import functional as F
    >>> largest, places = F.max_pool2d(cr.tensor([[[[1.0, 2.0], [4.0, 3.0]]]]), 2, return_indices=True)
    >>> F.max_unpool2d(largest, places, 2).tolist()
    [[[[0.0, 0.0], [4.0, 0.0]]]]
    """
    return _max_unpool("max_unpool2d", 2, input, indices, (kernel_size, stride, padding), output_size)


def max_unpool3d(
    input: Any,
    indices: Any,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """The reverse of max_pool3d with return_indices: see `max_unpool2d`."""
    return _max_unpool("max_unpool3d", 3, input, indices, (kernel_size, stride, padding), output_size)
