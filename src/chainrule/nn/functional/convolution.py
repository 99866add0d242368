"""Convolution as functions, with PyTorch's names and arguments."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from ... import functions as f
from ...errors import ConfigurationError, ShapeError
from ...ir.types import promote
from ...ops.bfloat16 import rounded_product
from ...ops.convolution import convolution, convolution_input_gradient
from ...ops.windows import Padding, span
from ...tensor import Tensor, asarray, unwrap, wrap
from .axes import Sizes, batched, sizes_per_axis, unbatched


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
    return tuple((each, each) for each in sizes_per_axis(padding, len(kernel), "padding", 0))


def _conv(
    name: str, rank: int, input: Any, weight: Any, bias: Any, stride: Sizes, padding: Any, dilation: Sizes, groups: int
) -> Tensor:
    x, alone = batched(asarray(input), rank, name)
    w = asarray(weight)
    steps, gaps = sizes_per_axis(stride, rank, "stride"), sizes_per_axis(dilation, rank, "dilation")
    edges = _padding(padding, w.shape[2:], steps, gaps)
    options = {"stride": steps, "padding": edges, "dilation": gaps, "groups": groups}
    y = wrap(rounded_product(partial(convolution, **options), *_same_dtype(x, w)))
    return unbatched(_with_bias(y, bias, rank), alone)


def _same_dtype(x: Tensor, w: Tensor) -> tuple[Any, Any]:
    if x.dtype == w.dtype:
        return unwrap(x), unwrap(w)
    dtype = promote(x.dtype, w.dtype)
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
    x, alone = batched(asarray(input), rank, name)
    w = asarray(weight)
    _check_transposed(name, rank, x, w, groups)
    steps, gaps = sizes_per_axis(stride, rank, "stride"), sizes_per_axis(dilation, rank, "dilation")
    edges = sizes_per_axis(padding, rank, "padding", 0)
    extra = sizes_per_axis(output_padding, rank, "output_padding", 0)
    if any(more >= max(step, gap) for more, step, gap in zip(extra, steps, gaps)):
        raise ConfigurationError(
            f"{name}: output_padding {extra} must be smaller than stride {steps} or dilation {gaps}"
        )
    sizes = tuple(
        (count - 1) * step - 2 * edge + span(size, gap) + more
        for count, step, edge, size, gap, more in zip(x.shape[2:], steps, edges, w.shape[2:], gaps, extra)
    )
    if min(sizes) < 1:
        raise ShapeError(f"{name}: padding {edges} leaves nothing of an input {x.shape}: sizes would be {sizes}")
    pairs = tuple((edge, edge) for edge in edges)
    how = {"sizes": sizes, "stride": steps, "padding": pairs, "dilation": gaps, "groups": groups}
    y = rounded_product(partial(convolution_input_gradient, **how), *_same_dtype(x, w))
    return unbatched(_with_bias(wrap(y), bias, rank), alone)


def _check_transposed(name: str, rank: int, x: Tensor, w: Tensor, groups: int) -> None:
    if w.ndim != rank + 2 or w.shape[0] != x.shape[1]:
        raise ShapeError(
            f"{name} needs a weight (channels in, channels out / groups, *kernel) for {x.shape[1]} channels, "
            f"but was given weight {w.shape} and input {x.shape}"
        )
    if groups < 1 or x.shape[1] % groups:
        raise ConfigurationError(f"{name}: {x.shape[1]} channels must divide into groups={groups}")


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


def conv_transpose3d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """What carries a cotangent back through conv3d: (batch, in, depth, height, width)."""
    return _conv_transpose(
        "conv_transpose3d", 3, input, weight, bias, (stride, padding, output_padding, groups, dilation)
    )
