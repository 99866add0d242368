"""Arithmetic, comparisons, casts."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .... import functions as fn
from ....ir.types import KNOWN
from ..call import OPERATORS, Call, OnnxError, dtype_of, known, operator, shape_of
from ..package import onnx

Function = Callable[..., Any]

UNARY: dict[str, Function] = {
    **{name.capitalize(): getattr(fn, name) for name in ("acos", "acosh", "asin", "asinh", "atan", "atanh")},
    **{name.capitalize(): getattr(fn, name) for name in ("ceil", "cos", "cosh", "erf", "exp", "floor", "log", "round")},
    **{name.capitalize(): getattr(fn, name) for name in ("sin", "sinh", "sqrt", "tan", "tanh", "sigmoid")},
    "Neg": fn.negative,
    "Reciprocal": fn.reciprocal,
    "IsNaN": fn.isnan,
    "Not": fn.logical_not,
    "BitwiseNot": fn.bitwise_invert,
    "Identity": lambda x: x,
}
BINARY: dict[str, Function] = {
    "Add": fn.add,
    "Sub": fn.subtract,
    "Mul": fn.multiply,
    "And": fn.logical_and,
    "Or": fn.logical_or,
    "Xor": fn.logical_xor,
    "Equal": fn.equal,
    "Greater": fn.greater,
    "GreaterOrEqual": fn.greater_equal,
    "Less": fn.less,
    "LessOrEqual": fn.less_equal,
    "BitwiseAnd": fn.bitwise_and,
    "BitwiseOr": fn.bitwise_or,
    "BitwiseXor": fn.bitwise_xor,
}


def _unary(function: Function) -> Function:
    return lambda call, x: function(x)


def _binary(function: Function) -> Function:
    return lambda call, a, b: function(a, aligned(call, a, b))


def aligned(call: Call, a: Any, b: Any) -> Any:
    """The second operand; before version 7 an attribute says along which axis of the first it lies."""
    axis = call.get("axis")
    if not call.get("broadcast") or axis is None:
        return b
    first = axis % len(shape_of(a))
    shape = (1,) * first + shape_of(b) + (1,) * (len(shape_of(a)) - first - len(shape_of(b)))
    return fn.reshape(b, shape)


OPERATORS.update({name: _unary(function) for name, function in UNARY.items()})
OPERATORS.update({name: _binary(function) for name, function in BINARY.items()})


@operator("Abs")
def _abs(call: Call, x: Any) -> Any:
    return x if dtype_of(x).kind == "u" else fn.abs(x)


@operator("Sign")
def _sign(call: Call, x: Any) -> Any:
    return fn.sign(x)


@operator("IsInf")
def _isinf(call: Call, x: Any) -> Any:
    wanted = [x > 0] * bool(call.get("detect_positive", 1)) + [x < 0] * bool(call.get("detect_negative", 1))
    if not wanted:
        return fn.zeros_like(x, np.bool_)
    return fn.logical_and(fn.isinf(x), functools.reduce(fn.logical_or, wanted))


@operator("Div")
def _div(call: Call, a: Any, b: Any) -> Any:
    b, kind = aligned(call, a, b), dtype_of(a).kind
    if kind == "f":
        return fn.divide(a, b)
    if kind == "u":
        return fn.floor_divide(a, b)
    return fn.floor_divide(fn.abs(a), fn.abs(b)) * fn.sign(a) * fn.sign(b)  # integers are cut off towards zero


@operator("Mod")
def _mod(call: Call, a: Any, b: Any) -> Any:
    if not call.get("fmod", 0):
        return fn.remainder(a, b)
    if dtype_of(a).kind == "u":
        return fn.remainder(a, b)
    return fn.remainder(fn.abs(a), fn.abs(b)) * fn.sign(a)


@operator("Pow")
def _pow(call: Call, x: Any, y: Any) -> Any:
    y, kind = aligned(call, x, y), dtype_of(x)
    if kind.kind != "f" and dtype_of(y).kind == "f":
        return fn.astype(fn.pow(fn.astype(x, np.float64), fn.astype(y, np.float64)), kind)
    return fn.pow(x, fn.astype(y, kind))


@operator("BitShift")
def _bit_shift(call: Call, x: Any, places: Any) -> Any:
    left = call.text("direction", "LEFT") == "LEFT"
    return fn.bitwise_left_shift(x, places) if left else fn.bitwise_right_shift(x, places)


@operator("Max")
def _max(call: Call, *inputs: Any) -> Any:
    return functools.reduce(fn.maximum, inputs)


@operator("Min")
def _min(call: Call, *inputs: Any) -> Any:
    return functools.reduce(fn.minimum, inputs)


@operator("Sum")
def _sum(call: Call, *inputs: Any) -> Any:
    return functools.reduce(fn.add, inputs)


@operator("Mean")
def _mean(call: Call, *inputs: Any) -> Any:
    return functools.reduce(fn.add, inputs) / np.asarray(len(inputs), dtype_of(inputs[0]))


@operator("Where")
def _where(call: Call, condition: Any, x: Any, y: Any) -> Any:
    return fn.where(condition, x, y)


def as_type(number: int) -> Any:
    """ONNX's number of an element type as ours."""
    dtype = np.dtype(onnx().helper.tensor_dtype_to_np_dtype(number))
    if dtype not in KNOWN:
        name = onnx().TensorProto.DataType.Name(number).lower()
        raise OnnxError(f"Chainrule has no arrays of {name}")
    return dtype


@operator("Cast")
def _cast(call: Call, x: Any) -> Any:
    return fn.astype(x, as_type(call.get("to")))


@operator("CastLike")
def _cast_like(call: Call, x: Any, like: Any) -> Any:
    return fn.astype(x, dtype_of(like))


@operator("BitCast")
def _bit_cast(call: Call, x: Any) -> Any:
    return known(x, "what BitCast reads anew").view(as_type(call.get("to")))
