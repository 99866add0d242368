"""Convolution over any number of spatial axes, as three primitives that are each other's derivatives.

x (batch, channels, *sizes), weight (out channels, channels / groups, *kernel), y (batch, out channels, *counts), as in
PyTorch. All three are bilinear: y of (x, weight), the gradient of x of (g, weight), the gradient of weight of (x, g).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ir.primitive import Primitive, Sample, register
from ..ir.types import FLOATS, ArrayType, NumpyArray, Shape
from .samples import spread, variants
from .type_rules import require_dtype, require_same
from .windows import Padding, inside, output_sizes, pad_spatial, taps, taps_within, window_view

# -- types


def _counts(name: str, x: Shape, weight: Shape, params: Any) -> Shape:
    return output_sizes(name, x[2:], weight[2:], params["stride"], params["padding"], params["dilation"])


def _check(name: str, x: ArrayType, weight: ArrayType, groups: int) -> None:
    require_dtype(name, x, FLOATS)
    require_same(name, x.with_shape(()), weight.with_shape(()))
    if x.ndim < 3 or x.ndim != weight.ndim:
        raise ShapeError(
            f"{name} needs an input (batch, channels, *sizes) and a weight (out, channels / groups, *kernel) of "
            f"as many axes, but was given {x} and {weight}"
        )
    if groups < 1 or x.shape[1] % groups or weight.shape[0] % groups:
        raise ShapeError(f"{name}: {x.shape[1]} channels in and {weight.shape[0]} out must divide into groups={groups}")
    if x.shape[1] // groups != weight.shape[1]:
        raise ShapeError(
            f"{name}: the weight {weight} takes {weight.shape[1] * groups} channels, but the input {x} has {x.shape[1]}"
        )


def _convolution_type(x: ArrayType, weight: ArrayType, **params: Any) -> ArrayType:
    _check("convolution", x, weight, params["groups"])
    counts = _counts("convolution", x.shape, weight.shape, params)
    return x.with_shape((x.shape[0], weight.shape[0], *counts))


def _input_gradient_type(g: ArrayType, weight: ArrayType, *, sizes: Shape, **params: Any) -> ArrayType:
    x = g.with_shape((*g.shape[:1], weight.shape[1] * params["groups"], *sizes))
    _check_cotangent(g, x, weight, params)
    return x


def _weight_gradient_type(x: ArrayType, g: ArrayType, *, kernel: Shape, **params: Any) -> ArrayType:
    if x.ndim < 3 or g.ndim != x.ndim:
        raise ShapeError(f"convolution_weight_gradient needs two arrays (batch, channels, *sizes), not {x} and {g}")
    weight = g.with_shape((g.shape[1], x.shape[1] // params["groups"], *kernel))
    _check_cotangent(g, x, weight, params)
    return weight


def _check_cotangent(g: ArrayType, x: ArrayType, weight: ArrayType, params: Any) -> None:
    expected = _convolution_type(x, weight, **params)
    if g != expected:
        raise ShapeError(f"the cotangent of a convolution of {x} with {weight} is {expected}, but was given {g}")


# -- values: one matrix product a group over all windows


def _columns(x: NumpyArray, kernel: Shape, counts: Shape, params: Any) -> NumpyArray:
    """Every window as a column: (channels, *kernel, batch, *counts) in one block of memory."""
    padded = pad_spatial(x, params["padding"])
    view = window_view(padded, kernel, params["stride"], params["dilation"], counts)
    rank = len(kernel)
    return np.ascontiguousarray(np.moveaxis(view, 0, rank + 1))


def _convolution(x: NumpyArray, weight: NumpyArray, **params: Any) -> NumpyArray:
    groups, kernel = params["groups"], weight.shape[2:]
    counts = _counts("convolution", x.shape, weight.shape, params)
    if not _padding_adds_nothing(params["padding"], weight):
        return _tap_by_tap(x, weight, counts, params)
    columns = _columns(x, kernel, counts, params)
    inner = weight.shape[1] * math.prod(kernel)
    rows = weight.reshape(groups, weight.shape[0] // groups, inner)
    product = np.matmul(rows, columns.reshape(groups, inner, x.shape[0] * math.prod(counts)))
    y = product.reshape(weight.shape[0], x.shape[0], *counts)
    return np.ascontiguousarray(np.swapaxes(y, 0, 1))


def _rows_of(g: NumpyArray, groups: int) -> NumpyArray:
    """A cotangent as (groups, channels of a group, batch and places)."""
    channels_first = np.ascontiguousarray(np.swapaxes(g, 0, 1))
    return channels_first.reshape(groups, g.shape[1] // groups, g.shape[0] * math.prod(g.shape[2:]))


def _weight_gradient(x: NumpyArray, g: NumpyArray, *, kernel: Shape, **params: Any) -> NumpyArray:
    groups = params["groups"]
    if not _padding_adds_nothing(params["padding"], g):
        return _weight_gradient_tap_by_tap(x, g, kernel, params)
    columns = _columns(x, kernel, g.shape[2:], params)
    inner = x.shape[1] // groups * math.prod(kernel)
    rows = _rows_of(g, groups)
    product = np.matmul(rows, columns.reshape(groups, inner, rows.shape[-1]).swapaxes(1, 2))
    return np.reshape(product, (g.shape[1], x.shape[1] // groups, *kernel))


def _input_gradient(g: NumpyArray, weight: NumpyArray, *, sizes: Shape, **params: Any) -> NumpyArray:
    groups, kernel, counts = params["groups"], weight.shape[2:], g.shape[2:]
    inner = weight.shape[1] * math.prod(kernel)
    rows = weight.reshape(groups, weight.shape[0] // groups, inner)
    columns = np.matmul(rows.swapaxes(1, 2), _rows_of(g, groups))
    channels = weight.shape[1] * groups
    spread_out = columns.reshape(channels, *kernel, g.shape[0], *counts)
    padding: Padding = params["padding"]
    padded_sizes = tuple(size + low + high for size, (low, high) in zip(sizes, padding))
    total = np.zeros((channels, g.shape[0], *padded_sizes), g.dtype)
    for place, index in taps(kernel, params["stride"], params["dilation"], counts):
        total[index] += spread_out[(slice(None), *place)]
    return np.ascontiguousarray(np.swapaxes(total[inside(padding, sizes)], 0, 1))


# -- where zeros of the padding would meet infinity or NaN: padding is left out, there is nothing in it to multiply


def _padding_adds_nothing(padding: Padding, factor: NumpyArray) -> bool:
    return not any(map(any, padding)) or bool(np.isfinite(factor).all())


def _in_groups(array: NumpyArray, axis: int, groups: int) -> NumpyArray:
    """An axis of channels as two: (groups, channels of a group)"""
    return array.reshape(*array.shape[:axis], groups, array.shape[axis] // max(groups, 1), *array.shape[axis + 1 :])


def _tap_by_tap(x: NumpyArray, weight: NumpyArray, counts: Shape, params: Any) -> NumpyArray:
    groups = params["groups"]
    y = np.zeros((x.shape[0], groups, weight.shape[0] // groups, *counts), x.dtype)
    source, rows = _in_groups(x, 1, groups), _in_groups(weight, 0, groups)
    for place, read, written in taps_within(weight.shape[2:], x.shape[2:], counts, params):
        y[written] += np.einsum("goc,bgc...->bgo...", rows[place], source[read])
    return y.reshape(x.shape[0], weight.shape[0], *counts)


def _weight_gradient_tap_by_tap(x: NumpyArray, g: NumpyArray, kernel: Shape, params: Any) -> NumpyArray:
    groups = params["groups"]
    source, cotangent = _in_groups(x, 1, groups), _in_groups(g, 1, groups)
    axes = "uvwxyz"[: len(kernel)]
    result = np.zeros((groups, cotangent.shape[2], source.shape[2], *kernel), x.dtype)
    for place, read, written in taps_within(kernel, x.shape[2:], g.shape[2:], params):
        result[place] = np.einsum(f"bgc{axes},bgo{axes}->goc", source[read], cotangent[written])
    return result.reshape(g.shape[1], x.shape[1] // groups, *kernel)


# -- samples


def _settings() -> Iterator[tuple[Shape, Shape, dict[str, Any]]]:
    """(x shape, weight shape, parameters), odd ones among them."""
    yield (2, 3, 5), (4, 3, 3), _params((1,), ((1, 1),), (1,))
    yield (1, 2, 6), (2, 2, 2), _params((2,), ((0, 1),), (2,))
    yield (2, 2, 5, 4), (3, 2, 3, 2), _params((1, 1), ((0, 0), (0, 0)), (1, 1))
    yield (2, 2, 5, 6), (3, 2, 3, 3), _params((2, 1), ((1, 1), (2, 0)), (1, 2))
    yield (2, 4, 4, 4), (4, 2, 2, 2), _params((1, 2), ((1, 0), (0, 1)), (1, 1), groups=2)
    yield (1, 3, 4, 4), (6, 1, 3, 3), _params((1, 1), ((1, 1), (1, 1)), (1, 1), groups=3)
    yield (0, 2, 4, 4), (3, 2, 3, 3), _params((1, 1), ((0, 0), (0, 0)), (1, 1))
    yield (1, 1, 1, 1), (1, 1, 1, 1), _params((1, 1), ((0, 0), (0, 0)), (1, 1))
    yield (1, 2, 3, 4, 3), (2, 2, 2, 2, 2), _params((1, 2, 1), ((0, 0), (1, 0), (0, 1)), (1, 1, 2))


def _params(stride: Shape, padding: Padding, dilation: Shape, groups: int = 1) -> dict[str, Any]:
    return {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


def _output_shape(x: Shape, weight: Shape, params: dict[str, Any]) -> Shape:
    return (x[0], weight[0], *_counts("convolution", x, weight, params))


def _convolution_samples() -> Iterator[Sample]:
    for x, weight, params in _settings():
        yield Sample((spread(x, -1, 1), spread(weight, -1, 1, 1)), params)
    yield Sample(tuple(spread((2, 2, 4, 4), -1, 1, seed).astype(np.float32) for seed in (0, 1)), _flat())
    yield Sample((spread((4, 4, 2, 2), -1, 1).T, spread((2, 2, 3, 3), -1, 1).swapaxes(2, 3)), _flat())
    yield Sample((np.full((1, 1, 2, 2), np.nan), np.array([[[[np.inf]]]])), _flat(), smooth=False)


def _flat() -> dict[str, Any]:
    return _params((1, 1), ((0, 0), (0, 0)), (1, 1))


def _input_gradient_samples() -> Iterator[Sample]:
    for x, weight, params in _settings():
        g = spread(_output_shape(x, weight, params), -1, 1)
        yield Sample((g, spread(weight, -1, 1, 1)), {**params, "sizes": x[2:]})
    g, weight32 = spread((2, 3, 2, 2), -1, 1).astype(np.float32), spread((3, 2, 3, 3), -1, 1).astype(np.float32)
    yield Sample((g, weight32), {**_flat(), "sizes": (4, 4)})
    wide = Sample((spread((2, 3, 2, 2), -1, 1), spread((3, 2, 3, 3), -1, 1)), {**_flat(), "sizes": (4, 4)})
    yield from variants(wide, dtypes=())


def _weight_gradient_samples() -> Iterator[Sample]:
    for x, weight, params in _settings():
        g = spread(_output_shape(x, weight, params), -1, 1)
        yield Sample((spread(x, -1, 1, 1), g), {**params, "kernel": weight[2:]})
    x32, g = spread((2, 2, 4, 4), -1, 1).astype(np.float32), spread((2, 3, 2, 2), -1, 1).astype(np.float32)
    yield Sample((x32, g), {**_flat(), "kernel": (3, 3)})
    wide = Sample((spread((2, 2, 4, 4), -1, 1), spread((2, 3, 2, 2), -1, 1)), {**_flat(), "kernel": (3, 3)})
    yield from variants(wide, dtypes=())


# -- the three primitives


def _without(params: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: each for key, each in params.items() if key != name}


convolution: Primitive = register(
    Primitive(
        "convolution",
        _convolution_type,
        _convolution,
        (
            lambda g, y, x, w, **params: convolution_input_gradient(g, w, sizes=x.shape[2:], **params),
            lambda g, y, x, w, **params: convolution_weight_gradient(x, g, kernel=w.shape[2:], **params),
        ),
        "conv({0}, {1})",
        _convolution_samples,
    )
)

convolution_input_gradient: Primitive = register(
    Primitive(
        "convolution_input_gradient",
        _input_gradient_type,
        _input_gradient,
        (
            lambda k, y, g, w, **params: convolution(k, w, **_without(params, "sizes")),
            lambda k, y, g, w, **params: convolution_weight_gradient(
                k, g, kernel=w.shape[2:], **_without(params, "sizes")
            ),
        ),
        "convᵀ({0}, {1})",
        _input_gradient_samples,
    )
)

convolution_weight_gradient: Primitive = register(
    Primitive(
        "convolution_weight_gradient",
        _weight_gradient_type,
        _weight_gradient,
        (
            lambda k, y, x, g, **params: convolution_input_gradient(
                g, k, sizes=x.shape[2:], **_without(params, "kernel")
            ),
            lambda k, y, x, g, **params: convolution(x, k, **_without(params, "kernel")),
        ),
        "conv_w({0}, {1})",
        _weight_gradient_samples,
    )
)
