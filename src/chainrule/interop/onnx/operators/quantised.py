"""Numbers as small integers with a scale and a zero point. They are computed as what they stand for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .... import functions as fn
from ..call import OPERATORS, Call, dtype_of, operator, shape_of
from .elementwise import as_type


def _along(call: Call, axis: int) -> Call:
    """The same, scales lying along an axis."""
    return replace(call, attributes={"axis": axis})


def _spread(call: Call, x: Any, part: Any) -> Any:
    """A scale or a zero point for each element: of all, of places along an axis, or of blocks along it."""
    rank, shape = len(shape_of(x)), shape_of(part)
    axis, block = call.get("axis", 1), call.get("block_size", 0)
    if len(shape) == 0 or (shape == (1,) and not block):
        return fn.reshape(part, ())
    axis %= rank
    if block:
        wide = fn.repeat(part, block, axis=axis)
        return fn.asarray(wide)[tuple(slice(0, size) for size in shape_of(x))]
    return fn.reshape(part, tuple(shape[0] if place == axis else 1 for place in range(rank)))


@operator("QuantizeLinear")
def _quantize(call: Call, x: Any, scale: Any, zero: Any = None) -> Any:
    kind = dtype_of(zero) if zero is not None else as_type(call.get("output_dtype", 0) or 2)  # 2: uint8
    ends = np.iinfo(kind)
    scaled = x / fn.astype(_spread(call, x, scale), dtype_of(x))  # in the type of x: ties depend on it
    wide = fn.astype(fn.round(scaled), np.float64)
    wide = wide if zero is None else wide + fn.astype(_spread(call, x, zero), np.float64)
    return fn.astype(fn.clip(wide, float(ends.min), float(ends.max)), kind)


@operator("DequantizeLinear")
def _dequantize(call: Call, x: Any, scale: Any, zero: Any = None) -> Any:
    kind = dtype_of(scale)
    return _shifted(call, x, zero, kind) * _spread(call, x, scale)


def _shifted(call: Call, x: Any, zero: Any, kind: Any) -> Any:
    """What integers stand for before they are scaled."""
    wide = fn.astype(fn.asarray(x), kind)
    return wide if zero is None else wide - fn.astype(_spread(call, x, zero), kind)


@operator("MatMulInteger")
def _matmul_integer(call: Call, a: Any, b: Any, zero_a: Any = None, zero_b: Any = None) -> Any:
    rows, columns = _along(call, -2), _along(call, -1)
    product = fn.matmul(_shifted(rows, a, zero_a, np.int64), _shifted(columns, b, zero_b, np.int64))
    return fn.astype(product, np.int32)


@operator("ConvInteger")
def _conv_integer(call: Call, x: Any, weight: Any, zero_x: Any = None, zero_weight: Any = None) -> Any:
    first = _along(call, 0)
    wide = _shifted(call, x, zero_x, np.float64), _shifted(first, weight, zero_weight, np.float64)
    return fn.astype(OPERATORS["Conv"](call, *wide), np.int32)


def _requantized(call: Call, wide: Any, scale: Any, zero: Any) -> Any:
    return _quantize(_along(call, 1), wide, scale, zero)


@operator("QLinearMatMul")
def _linear_matmul(
    call: Call, a: Any, a_scale: Any, a_zero: Any, b: Any, b_scale: Any, b_zero: Any, y_scale: Any, y_zero: Any
) -> Any:
    rows, columns = _along(call, -2), _along(call, -1)
    first = _shifted(rows, a, a_zero, np.float64) * fn.astype(_spread(rows, a, a_scale), np.float64)
    second = _shifted(columns, b, b_zero, np.float64) * fn.astype(_spread(columns, b, b_scale), np.float64)
    return _requantized(call, fn.matmul(first, second), y_scale, y_zero)


@operator("QLinearConv")
def _linear_conv(
    call: Call,
    x: Any,
    x_scale: Any,
    x_zero: Any,
    w: Any,
    w_scale: Any,
    w_zero: Any,
    y_scale: Any,
    y_zero: Any,
    bias: Any = None,
) -> Any:
    first = _along(call, 0)
    image = _shifted(call, x, x_zero, np.float64) * fn.astype(_spread(call, x, x_scale), np.float64)
    weight = _shifted(first, w, w_zero, np.float64) * fn.astype(_spread(first, w, w_scale), np.float64)
    scale = fn.astype(x_scale, np.float64) * fn.astype(fn.reshape(w_scale, (-1,)), np.float64)
    number = None if bias is None else fn.astype(bias, np.float64) * scale
    return _requantized(call, OPERATORS["Conv"](call, image, weight, number), y_scale, y_zero)
