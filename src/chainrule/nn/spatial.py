"""Convolution and pooling as functions, with PyTorch's names and arguments."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import functions as f
from ..errors import ConfigurationError, ShapeError
from ..ops import pooling
from ..ops.convolution import convolution, convolution_input_gradient
from ..ops.operators import common
from ..ops.windows import Padding, per_axis, span
from ..tensor import Tensor, asarray, unwrap, wrap

Sizes = int | Sequence[int]


def _batched(x: Tensor, rank: int, name: str) -> tuple[Tensor, bool]:
    """The input with a batch axis, and whether it had none."""
    if x.ndim == rank + 2:
        return x, False
    if x.ndim == rank + 1:
        return f.expand_dims(x, 0), True
    raise ShapeError(
        f"{name} takes (batch, channels{', size' * rank}) or the same without batch, but was given {x.shape}"
    )


def _unbatched(y: Tensor, alone: bool) -> Tensor:
    return f.squeeze(y, 0) if alone else y


# -- convolution


def _padding(padding: Any, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Padding:
    if padding == "valid":
        return ((0, 0),) * len(kernel)
    if padding == "same":
        if any(step != 1 for step in stride):
            raise ConfigurationError("padding='same' needs stride 1")
        totals = [span(size, gap) - 1 for size, gap in zip(kernel, dilation)]
        return tuple((total // 2, total - total // 2) for total in totals)
    if isinstance(padding, str):
        raise ConfigurationError(f"padding is a number, numbers, 'same' or 'valid', not {padding!r}")
    return tuple((each, each) for each in per_axis(padding, len(kernel), "padding"))


def _conv(
    name: str, rank: int, input: Any, weight: Any, bias: Any, stride: Sizes, padding: Any, dilation: Sizes, groups: int
) -> Tensor:
    x, alone = _batched(asarray(input), rank, name)
    w = asarray(weight)
    steps, gaps = per_axis(stride, rank, "stride"), per_axis(dilation, rank, "dilation")
    edges = _padding(padding, w.shape[2:], steps, gaps)
    y = wrap(convolution(*_same_dtype(x, w), stride=steps, padding=edges, dilation=gaps, groups=groups))
    return _unbatched(_with_bias(y, bias, rank), alone)


def _same_dtype(x: Tensor, w: Tensor) -> tuple[Any, Any]:
    if x.dtype == w.dtype:
        return unwrap(x), unwrap(w)
    dtype = common(unwrap(f.zeros((), x.dtype)), unwrap(f.zeros((), w.dtype)))[0].dtype
    return unwrap(f.astype(x, dtype)), unwrap(f.astype(w, dtype))


def _with_bias(y: Tensor, bias: Any, rank: int) -> Tensor:
    return y if bias is None else y + f.reshape(bias, (-1,) + (1,) * rank)


def conv1d(
    input: Any, weight: Any, bias: Any = None, stride: Sizes = 1, padding: Any = 0, dilation: Sizes = 1, groups: int = 1
) -> Tensor:
    """Convolution of (batch, channels, length) with (out, channels / groups, kernel)."""
    return _conv("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Any, weight: Any, bias: Any = None, stride: Sizes = 1, padding: Any = 0, dilation: Sizes = 1, groups: int = 1
) -> Tensor:
    """Convolution of (batch, channels, height, width) with (out, channels / groups, kernel height, kernel width)."""
    return _conv("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: Any, weight: Any, bias: Any = None, stride: Sizes = 1, padding: Any = 0, dilation: Sizes = 1, groups: int = 1
) -> Tensor:
    """Convolution of (batch, channels, depth, height, width)."""
    return _conv("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


def _conv_transpose(
    name: str, rank: int, input: Any, weight: Any, bias: Any, options: tuple[Sizes, Sizes, Sizes, int, Sizes]
) -> Tensor:
    stride, padding, output_padding, groups, dilation = options
    x, alone = _batched(asarray(input), rank, name)
    w = asarray(weight)
    steps, gaps = per_axis(stride, rank, "stride"), per_axis(dilation, rank, "dilation")
    edges = per_axis(padding, rank, "padding")
    extra = per_axis(output_padding, rank, "output_padding")
    sizes = tuple(
        (count - 1) * step - 2 * edge + span(size, gap) + more
        for count, step, edge, size, gap, more in zip(x.shape[2:], steps, edges, w.shape[2:], gaps, extra)
    )
    pairs = tuple((edge, edge) for edge in edges)
    y = convolution_input_gradient(
        *_same_dtype(x, w), sizes=sizes, stride=steps, padding=pairs, dilation=gaps, groups=groups
    )
    return _unbatched(_with_bias(wrap(y), bias, rank), alone)


def conv_transpose1d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """What carries a cotangent back through conv1d: (batch, in, length) with weight (in, out / groups, kernel)."""
    return _conv_transpose(
        "conv_transpose1d", 1, input, weight, bias, (stride, padding, output_padding, groups, dilation)
    )


def conv_transpose2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """What carries a cotangent back through conv2d: (batch, in, height, width) with weight (in, out / groups, ...)."""
    return _conv_transpose(
        "conv_transpose2d", 2, input, weight, bias, (stride, padding, output_padding, groups, dilation)
    )


# -- pooling


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
    x, alone = _batched(asarray(input), rank, name)
    window, gaps = per_axis(kernel_size, rank, "kernel_size"), per_axis(dilation, rank, "dilation")
    steps = window if stride is None else per_axis(stride, rank, "stride")
    edges = _pool_edges(x.shape[2:], window, steps, per_axis(padding, rank, "padding"), gaps, ceil_mode)
    largest, positions = wrap(pooling.max_pool(unwrap(x), window, steps, edges, gaps))
    if return_indices:
        return _unbatched(largest, alone), _unbatched(positions, alone)
    return _unbatched(largest, alone)


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


def _avg_pool(
    name: str, rank: int, input: Any, kernel_size: Sizes, options: tuple[Any, Sizes, bool, bool, Any]
) -> Tensor:
    stride, padding, ceil_mode, count_include_pad, divisor_override = options
    x, alone = _batched(asarray(input), rank, name)
    window = per_axis(kernel_size, rank, "kernel_size")
    steps = window if stride is None else per_axis(stride, rank, "stride")
    given = per_axis(padding, rank, "padding")
    edges = _pool_edges(x.shape[2:], window, steps, given, (1,) * rank, ceil_mode)
    divisor = divisor_override or _divisor(x, window, steps, edges, given if count_include_pad else (0,) * rank)
    return _unbatched(wrap(pooling.avg_pool(unwrap(x), window, steps, edges, divisor)), alone)


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


def _adaptive(name: str, rank: int, input: Any, output_size: Any, reduce: Any) -> Tensor:
    x, alone = _batched(asarray(input), rank, name)
    given = output_size if isinstance(output_size, list | tuple) else (output_size,) * rank
    wanted = tuple(size if count is None else count for size, count in zip(x.shape[2:], given))
    return _unbatched(wrap(pooling.adaptive_pool(unwrap(x), wanted, reduce)), alone)


def _mean_part(part: Any, axis: int) -> Any:
    return unwrap(f.mean(wrap(part), axis, keepdims=True))


def _max_part(part: Any, axis: int) -> Any:
    return unwrap(f.max(wrap(part), axis, keepdims=True))


def adaptive_avg_pool1d(input: Any, output_size: Any) -> Tensor:
    """The length cut into output_size parts, each averaged."""
    return _adaptive("adaptive_avg_pool1d", 1, input, output_size, _mean_part)


def adaptive_avg_pool2d(input: Any, output_size: Any) -> Tensor:
    """Height and width cut into output_size parts, each averaged; None keeps a size."""
    return _adaptive("adaptive_avg_pool2d", 2, input, output_size, _mean_part)


def adaptive_max_pool1d(input: Any, output_size: Any) -> Tensor:
    """The length cut into output_size parts, the largest of each; equal ones share the gradient."""
    return _adaptive("adaptive_max_pool1d", 1, input, output_size, _max_part)


def adaptive_max_pool2d(input: Any, output_size: Any) -> Tensor:
    """Height and width cut into output_size parts, the largest of each; equal ones share the gradient."""
    return _adaptive("adaptive_max_pool2d", 2, input, output_size, _max_part)
