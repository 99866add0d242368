"""Elementwise primitives as ONNX operators."""

from __future__ import annotations

import math

import numpy as np

from ...ir.graph import Equation
from .writer import Emitter, Writer, emitter_into

SAME_NAME = {
    **{name: name.capitalize() for name in ("abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos")},
    **{name: name.capitalize() for name in ("cosh", "erf", "exp", "floor", "log", "relu", "round", "sigmoid", "sign")},
    **{name: name.capitalize() for name in ("sin", "sinh", "sqrt", "tan", "tanh", "identity")},
    "negative": "Neg",
    "stop_gradient": "Identity",
    "bfloat16_rounded_back": "Identity",
    "isnan": "IsNaN",
    "isinf": "IsInf",
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "power": "Pow",
    "maximum": "Max",
    "minimum": "Min",
    "equal": "Equal",
    "greater": "Greater",
    "greater_equal": "GreaterOrEqual",
    "less": "Less",
    "less_equal": "LessOrEqual",
}
"""Primitive -> the operator that does the same."""

BITWISE = {
    "bitwise_and": ("And", "BitwiseAnd"),
    "bitwise_or": ("Or", "BitwiseOr"),
    "bitwise_xor": ("Xor", "BitwiseXor"),
    "bitwise_invert": ("Not", "BitwiseNot"),
}
"""Primitive -> the operators for bools and for integers."""

BFLOAT16 = 16
"""ONNX's number of the element type, for which NumPy need not have one."""

ELEMENTWISE: dict[str, Emitter] = {}
emitter = emitter_into(ELEMENTWISE)


def _plain(operator: str) -> Emitter:
    return lambda w, equation: w.node(operator, *w.operands(equation.inputs, equation.outputs[0]))


def _bitwise(bools: str, integers: str) -> Emitter:
    def emit(w: Writer, equation: Equation) -> str:
        operator = bools if equation.inputs[0].dtype.kind == "b" else integers
        return w.node(operator, *w.operands(equation.inputs, equation.outputs[0]))

    return emit


ELEMENTWISE |= {name: _plain(operator) for name, operator in SAME_NAME.items()}
ELEMENTWISE |= {name: _bitwise(*operators) for name, operators in BITWISE.items()}


@emitter("not_equal")
def _not_equal(w: Writer, equation: Equation) -> str:
    return w.node("Not", w.node("Equal", *w.operands(equation.inputs, equation.outputs[0])))


@emitter("isfinite")
def _isfinite(w: Writer, equation: Equation) -> str:
    x = w.name(equation.inputs[0])
    return w.node("Not", w.node("Or", w.node("IsInf", x), w.node("IsNaN", x)))


@emitter("integer_power")
def _integer_power(w: Writer, equation: Equation) -> str:
    x, exponent = w.name(equation.inputs[0]), equation.params["exponent"]
    return w.node("Mul", x, x) if exponent == 2 else w.node("Pow", x, w.like(equation.inputs[0], exponent))


@emitter("cast")
def _cast(w: Writer, equation: Equation) -> str:
    return w.cast(w.name(equation.inputs[0]), equation.outputs[0].dtype)


@emitter("erfc")
def _erfc(w: Writer, equation: Equation) -> str:
    (x,) = equation.inputs
    return w.node("Sub", w.like(x, 1), w.node("Erf", w.name(x)))


@emitter("gelu")
def _gelu(w: Writer, equation: Equation) -> str:
    (x,) = equation.inputs
    inner = w.node("Erf", w.node("Mul", w.name(x), w.like(x, math.sqrt(0.5))))
    return w.node("Mul", w.node("Mul", w.name(x), w.like(x, 0.5)), w.node("Add", inner, w.like(x, 1)))


@emitter("expm1")
def _expm1(w: Writer, equation: Equation) -> str:
    (x,) = equation.inputs
    return w.node("Sub", w.node("Exp", w.name(x)), w.like(x, 1))


@emitter("log1p")
def _log1p(w: Writer, equation: Equation) -> str:
    (x,) = equation.inputs
    return w.node("Log", w.node("Add", w.name(x), w.like(x, 1)))


def _scaled_log(scale: float) -> Emitter:
    return lambda w, e: w.node("Mul", w.node("Log", w.name(e.inputs[0])), w.like(e.inputs[0], scale))


ELEMENTWISE["log2"] = _scaled_log(1 / math.log(2))
ELEMENTWISE["log10"] = _scaled_log(1 / math.log(10))


@emitter("trunc")
def _trunc(w: Writer, equation: Equation) -> str:
    x = w.name(equation.inputs[0])
    return w.node("Mul", w.node("Sign", x), w.node("Floor", w.node("Abs", x)))


@emitter("logaddexp")
def _logaddexp(w: Writer, equation: Equation) -> str:
    a, b = w.operands(equation.inputs, equation.outputs[0])
    x = equation.outputs[0]
    apart = w.node("Neg", w.node("Abs", w.node("Sub", a, b)))
    return w.node("Add", w.node("Max", a, b), w.node("Log", w.node("Add", w.node("Exp", apart), w.like(x, 1))))


@emitter("hypot")
def _hypot(w: Writer, equation: Equation) -> str:
    a, b = w.operands(equation.inputs, equation.outputs[0])
    return w.node("Sqrt", w.node("Add", w.node("Mul", a, a), w.node("Mul", b, b)))


@emitter("bfloat16_rounded")
def _bfloat16_rounded(w: Writer, equation: Equation) -> str:
    return w.cast(w.node("Cast", w.name(equation.inputs[0]), to=BFLOAT16), np.float32)


@emitter("multiply_no_nan")
def _multiply_no_nan(w: Writer, equation: Equation) -> str:
    a, b = w.operands(equation.inputs, equation.outputs[0])
    zero = w.like(equation.outputs[0], 0)
    return w.node("Where", w.node("Equal", a, zero), zero, w.node("Mul", a, b))


@emitter("floor_divide")
def _floor_divide(w: Writer, equation: Equation) -> str:
    a, b = w.operands(equation.inputs, equation.outputs[0])
    if equation.outputs[0].dtype.kind == "f":
        return w.node("Floor", w.node("Div", a, b))
    return _floor_divided(w, a, b)


@emitter("remainder")
def _remainder(w: Writer, equation: Equation) -> str:
    a, b = w.operands(equation.inputs, equation.outputs[0])
    if equation.outputs[0].dtype.kind != "f":
        return w.node("Mod", a, b)
    return w.node("Sub", a, w.node("Mul", w.node("Floor", w.node("Div", a, b)), b))


@emitter("copysign")
def _copysign(w: Writer, equation: Equation) -> str:
    size, sign = w.operands(equation.inputs, equation.outputs[0])
    kind = equation.outputs[0]
    zero, size = w.like(kind, 0), w.node("Abs", size)
    below = w.node(
        "Or", w.node("Less", sign, zero), w.node("Less", w.node("Div", w.like(kind, 1), sign), zero)
    )  # of -0
    return w.node("Where", below, w.node("Neg", size), size)


@emitter("atan2")
def _atan2(w: Writer, equation: Equation) -> str:
    y, x = w.operands(equation.inputs, equation.outputs[0])
    kind = equation.outputs[0]
    zero, pi, half = (w.like(kind, number) for number in (0, np.pi, np.pi / 2))
    angle = w.node("Atan", w.node("Div", y, x))
    turned = w.node("Add", angle, w.node("Where", w.node("Less", y, zero), w.node("Neg", pi), pi))
    upright = w.node("Mul", w.node("Sign", y), half)
    left = w.node("Where", w.node("Less", x, zero), turned, upright)
    return w.node("Where", w.node("Greater", x, zero), angle, left)


def _floor_divided(w: Writer, a: str, b: str) -> str:
    return w.node("Div", w.node("Sub", a, w.node("Mod", a, b)), b)  # Mod has the sign of b, so this divides evenly


def _scale_of_shift(w: Writer, equation: Equation) -> tuple[str, str]:
    """The operands of a shift; the second as the power of two that it stands for. ONNX shifts unsigned numbers only."""
    a, places = w.operands(equation.inputs, equation.outputs[0])
    return a, w.node("Pow", w.like(equation.outputs[0], 2), places)


@emitter("bitwise_left_shift")
def _left_shift(w: Writer, equation: Equation) -> str:
    return w.node("Mul", *_scale_of_shift(w, equation))


@emitter("bitwise_right_shift")
def _right_shift(w: Writer, equation: Equation) -> str:
    return _floor_divided(w, *_scale_of_shift(w, equation))


@emitter("where")
def _where(w: Writer, equation: Equation) -> str:
    condition, yes, no = w.operands(equation.inputs, equation.outputs[0])
    if equation.outputs[0].dtype.kind != "b":
        return w.node("Where", condition, yes, no)
    return w.node("Or", w.node("And", condition, yes), w.node("And", w.node("Not", condition), no))
