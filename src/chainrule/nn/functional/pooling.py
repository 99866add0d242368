"""Pooling as functions, with PyTorch's names and arguments."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import functions as f
from ...errors import ConfigurationError, ShapeError
from ...ops import pooling
from ...ops.windows import Padding, span
from ...tensor import Tensor, asarray, unwrap, wrap
from .axes import Sizes, batched, sizes_per_axis, unbatched


def _pool_edges(
    sizes: Sequence[int],
    window: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil: bool,
) -> Padding:
    """Padding on both sides; in ceil_mode more after the end, so that the last part of a window counts too."""
    pairs = []
    for size, width, step, edge, gap in zip(sizes, window, stride, padding, dilation):
        if edge > span(width, gap) // 2:
            raise ConfigurationError(
                f"padding {edge} must be at most half the window, which reaches {span(width, gap)}"
            )
        room = size + 2 * edge - span(width, gap)
        count = -(-room // step) if ceil else room // step
        if ceil and count * step >= size + edge:  # a window must start inside the input or its left padding
            count -= 1
        pairs.append((edge, edge + max(0, count * step - room)))
    return tuple(pairs)


def _max_pool(
    name: str, rank: int, input: Any, kernel_size: Sizes, options: tuple[Any, Sizes, Sizes, bool, bool]
) -> Any:
    stride, padding, dilation, ceil_mode, return_indices = options
    x, alone = batched(asarray(input), rank, name)
    window, gaps = sizes_per_axis(kernel_size, rank, "kernel_size"), sizes_per_axis(dilation, rank, "dilation")
    steps = window if stride is None else sizes_per_axis(stride, rank, "stride")
    edges = _pool_edges(x.shape[2:], window, steps, sizes_per_axis(padding, rank, "padding", 0), gaps, ceil_mode)
    largest, positions = wrap(pooling.max_pool(unwrap(x), window, steps, edges, gaps))
    if return_indices:
        return unbatched(largest, alone), unbatched(f.astype(positions, "int64"), alone)
    return unbatched(largest, alone)


def max_pool1d(
    input: Any,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest of each window along the length; equal ones: the first gets the gradient."""
    return _max_pool("max_pool1d", 1, input, kernel_size, (stride, padding, dilation, ceil_mode, return_indices))


def max_pool2d(
    input: Any,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest of each window over height and width; equal ones: the first gets the gradient."""
    return _max_pool("max_pool2d", 2, input, kernel_size, (stride, padding, dilation, ceil_mode, return_indices))


def max_pool3d(
    input: Any,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest of each window over depth, height and width; equal ones: the first gets the gradient."""
    return _max_pool("max_pool3d", 3, input, kernel_size, (stride, padding, dilation, ceil_mode, return_indices))


def _avg_pool(
    name: str, rank: int, input: Any, kernel_size: Sizes, options: tuple[Any, Sizes, bool, bool, Any]
) -> Tensor:
    stride, padding, ceil_mode, count_include_pad, divisor_override = options
    x, alone = batched(asarray(input), rank, name)
    window = sizes_per_axis(kernel_size, rank, "kernel_size")
    steps = window if stride is None else sizes_per_axis(stride, rank, "stride")
    given = sizes_per_axis(padding, rank, "padding", 0)
    edges = _pool_edges(x.shape[2:], window, steps, given, (1,) * rank, ceil_mode)
    divisor = divisor_override or _divisor(x, window, steps, edges, given if count_include_pad else (0,) * rank)
    return unbatched(wrap(pooling.avg_pool(unwrap(x), window, steps, edges, divisor)), alone)


def _divisor(x: Tensor, window: Any, steps: Any, edges: Padding, counted: Sequence[int]) -> Any:
    """How many elements each window averages over: those of the input and of `counted` padding on each side."""
    if edges == tuple((edge, edge) for edge in counted):
        return math.prod(window)
    total = np.ones((1,) * len(window), x.dtype)
    for axis, (size, width, step, (low, high), edge) in enumerate(zip(x.shape[2:], window, steps, edges, counted)):
        starts = np.arange(0, size + low + high - width + 1, step) - low
        number = np.minimum(starts + width, size + edge) - np.maximum(starts, -edge)
        total = total * number.reshape((-1,) + (1,) * (len(window) - axis - 1))
    return total.astype(x.dtype)


def avg_pool1d(
    input: Any,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window along the length."""
    return _avg_pool("avg_pool1d", 1, input, kernel_size, (stride, padding, ceil_mode, count_include_pad, None))


def avg_pool2d(
    input: Any,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window over height and width."""
    options = (stride, padding, ceil_mode, count_include_pad, divisor_override)
    return _avg_pool("avg_pool2d", 2, input, kernel_size, options)


def avg_pool3d(
    input: Any,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window over depth, height and width."""
    options = (stride, padding, ceil_mode, count_include_pad, divisor_override)
    return _avg_pool("avg_pool3d", 3, input, kernel_size, options)


def _adaptive(name: str, rank: int, input: Any, output_size: Any, reduce: Any) -> Tensor:
    x, alone = batched(asarray(input), rank, name)
    given = output_size if isinstance(output_size, list | tuple) else (output_size,) * rank
    if len(given) != rank:
        raise ConfigurationError(f"{name}: output_size is one number or {rank} of them, not {output_size}")
    wanted = tuple(size if count is None else count for size, count in zip(x.shape[2:], given))
    if min(wanted) < 1 or not x.size:
        raise ShapeError(f"{name} makes {wanted} parts of an input {x.shape}: neither may be empty")
    return unbatched(wrap(pooling.adaptive_pool(unwrap(x), wanted, reduce)), alone)


def _mean_part(part: Any, axis: int) -> Any:
    return unwrap(f.mean(wrap(part), axis, keepdims=True))


def _max_part(part: Any, axis: int) -> Any:
    """Picked by its position, so that of equal elements (zeros after relu) the first gets the gradient."""
    return unwrap(f.take_along_axis(wrap(part), f.argmax(wrap(part), axis, keepdims=True), axis))


def adaptive_avg_pool1d(input: Any, output_size: Any) -> Tensor:
    """The length cut into output_size parts, each averaged."""
    return _adaptive("adaptive_avg_pool1d", 1, input, output_size, _mean_part)


def adaptive_avg_pool2d(input: Any, output_size: Any) -> Tensor:
    """Height and width cut into output_size parts, each averaged; None keeps a size."""
    return _adaptive("adaptive_avg_pool2d", 2, input, output_size, _mean_part)


def adaptive_avg_pool3d(input: Any, output_size: Any) -> Tensor:
    """Depth, height and width cut into output_size parts, each averaged; None keeps a size."""
    return _adaptive("adaptive_avg_pool3d", 3, input, output_size, _mean_part)


def adaptive_max_pool1d(input: Any, output_size: Any) -> Tensor:
    """The length cut into output_size parts, the largest of each; equal ones: the first gets the gradient."""
    return _adaptive("adaptive_max_pool1d", 1, input, output_size, _max_part)


def adaptive_max_pool2d(input: Any, output_size: Any) -> Tensor:
    """Height and width cut into output_size parts, the largest of each; equal ones: the first gets the gradient."""
    return _adaptive("adaptive_max_pool2d", 2, input, output_size, _max_part)


def adaptive_max_pool3d(input: Any, output_size: Any) -> Tensor:
    """Depth, height, width cut into output_size parts, the largest of each; equal ones: the first gets the gradient."""
    return _adaptive("adaptive_max_pool3d", 3, input, output_size, _max_part)


def lp_pool1d(
    input: Any, norm_type: float, kernel_size: int, stride: int | None = None, ceil_mode: bool = False
) -> Tensor:
    """The p-norm of each window along the length."""
    return _lp_pool(avg_pool1d, input, norm_type, kernel_size, stride, ceil_mode, kernel_size)


def lp_pool2d(
    input: Any, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False
) -> Tensor:
    """The p-norm of each window over height and width."""
    count = math.prod(sizes_per_axis(kernel_size, 2, "kernel_size"))
    return _lp_pool(avg_pool2d, input, norm_type, kernel_size, stride, ceil_mode, count)


def lp_pool3d(
    input: Any, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False
) -> Tensor:
    """The p-norm of each window over depth, height and width."""
    count = math.prod(sizes_per_axis(kernel_size, 3, "kernel_size"))
    return _lp_pool(avg_pool3d, input, norm_type, kernel_size, stride, ceil_mode, count)


def _lp_pool(pool: Any, input: Any, p: float, kernel_size: Any, stride: Any, ceil_mode: bool, count: int) -> Tensor:
    means = pool(asarray(input) ** p, kernel_size, stride, 0, ceil_mode)
    result: Tensor = (means * count) ** (1.0 / p)
    return result
