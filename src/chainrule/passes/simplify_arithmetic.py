"""Arithmetic that changes nothing, or is cheaper written otherwise: each rule keeps every bit, with -0.0, inf, NaN.

So x + 0.0 stays (it turns -0.0 into 0.0), as do x * 0.0 (NaN for inf) and x / 3.0 (x * (1/3) rounds twice).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..ir.graph import Equation, Graph, Value
from ..ir.primitive import Primitive
from ..ir.types import DType, bool_
from ..ops import elementwise as ew
from ..ops.bfloat16 import bfloat16_rounded_back
from ..ops.custom import custom_gradient
from .rewrite import Inputs, Rewriter, Rule, apply_rules, full

_PLUS, _MINUS = 1.0, -1.0


def simplify_arithmetic(graph: Graph) -> Graph:
    """`graph` with simpler elementwise equations."""
    return apply_rules(graph, RULES)


def _is(number: Any, wanted: float) -> bool:
    """Whether a number is `wanted`, an integer or a float of the same sign (0.0 is not -0.0)."""
    return number is not None and number == wanted and _sign(number) == math.copysign(1, wanted)


def _sign(number: Any) -> float:
    return math.copysign(1, number)


def _is_zero(number: Any, sign: float) -> bool:
    """Whether a number is the zero of this sign; integers have but one, which serves as both."""
    return number is not None and number == 0 and (number.dtype.kind != "f" or _sign(number) == sign)


def _orders(inputs: Inputs) -> tuple[Inputs, Inputs]:
    return inputs, inputs[::-1]


# -- what only passes its input on


def _input(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value:
    return inputs[0]


def _inputs_passed_on(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Sequence[Value]:
    return inputs[: len(equation.outputs)]


def _both_the_same(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    return inputs[0] if inputs[0] is inputs[1] else None


def _twice(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """f(f(x)) = x"""
    inner = rewriter.origin(inputs[0], equation.primitive)
    return inner.inputs[0] if inner else None


# -- sums


def _add_zero(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """x + -0.0 = x; and x + 0.0 = x where x is never -0.0"""
    for x, other in _orders(inputs):
        number = rewriter.number(other)
        if _is_zero(number, _MINUS) or (_is_zero(number, _PLUS) and _never_minus_zero(rewriter, x)):
            return x
    return None


def _never_minus_zero(rewriter: Rewriter, x: Value) -> bool:
    if any(rewriter.origin(x, primitive) for primitive in (ew.exp, ew.abs, ew.sigmoid, ew.cosh)):
        return True
    square, converted = rewriter.origin(x, ew.multiply), rewriter.origin(x, ew.cast)
    if square:
        return square.inputs[0] is square.inputs[1]
    return converted is not None and converted.inputs[0].dtype.kind != "f"


def _add_negative(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """a + -b = a - b"""
    for a, other in _orders(inputs):
        b = rewriter.origin(other, ew.negative)
        if b:
            return rewriter.emit(ew.subtract, a, b.inputs[0])
    return None


def _subtract_zero(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """x - 0.0 = x, -0.0 - x = -x"""
    if _is_zero(rewriter.number(inputs[1]), _PLUS):
        return inputs[0]
    if _is_zero(rewriter.number(inputs[0]), _MINUS):
        return rewriter.emit(ew.negative, inputs[1])
    return None


def _subtract_negative(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """a - -b = a + b"""
    b = rewriter.origin(inputs[1], ew.negative)
    return rewriter.emit(ew.add, inputs[0], b.inputs[0]) if b else None


# -- products


def _multiply_number(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """x * 1 = x, x * -1 = -x, and 0 for an integer times 0"""
    for x, other in _orders(inputs):
        number = rewriter.number(other)
        if _is(number, 1):
            return x
        if _is(number, -1):
            return rewriter.emit(ew.negative, x)
        if x.dtype.kind != "f" and _is(number, 0):
            return other
    return None


def _divide_number(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """x / 1 = x, x / -1 = -x, x / 8 = x * 0.125"""
    x, number = inputs[0], rewriter.number(inputs[1])
    if _is(number, 1):
        return x
    if _is(number, -1):
        return rewriter.emit(ew.negative, x)
    if number is None or not _has_exact_reciprocal(number, x.dtype):
        return None
    return rewriter.emit(ew.multiply, x, full(np.divide(1, number, dtype=x.dtype), x.type))


def _has_exact_reciprocal(number: Any, dtype: DType) -> bool:
    """Whether it is a power of two, far from where floats end."""
    limits = np.finfo(dtype)
    return abs(math.frexp(number)[0]) == 0.5 and float(limits.tiny) <= abs(1 / float(number)) <= float(limits.max)


def _signs(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """-a * -b = a * b, -a * 3 = a * -3, -a * b = -(a * b); the same for division"""
    negated = [rewriter.origin(value, ew.negative) for value in inputs]
    if not any(negated):
        return None
    bare = [each.inputs[0] if each else value for each, value in zip(negated, inputs)]
    if all(negated):
        return rewriter.emit(equation.primitive, *bare)
    flipped = _negated_numbers(rewriter, bare)
    if flipped is not None:
        return rewriter.emit(equation.primitive, *flipped)
    return rewriter.emit(ew.negative, rewriter.emit(equation.primitive, *bare))


def _negated_numbers(rewriter: Rewriter, factors: Sequence[Value]) -> list[Value] | None:
    """The factors with the sign of the one that is a known number turned; None where there is none."""
    numbers = [rewriter.number(value) for value in factors]
    if all(number is None for number in numbers):
        return None
    place = 0 if numbers[0] is not None else 1
    turned = full(np.negative(numbers[place]), factors[place].type)
    return [turned if position == place else value for position, value in enumerate(factors)]


def _negative_of_product(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """-(x * 3) = x * -3, -(3 / x) = -3 / x"""
    product = rewriter.origin(inputs[0], ew.multiply) or rewriter.origin(inputs[0], ew.divide)
    turned = _negated_numbers(rewriter, product.inputs) if product else None
    return rewriter.emit(product.primitive, *turned) if product and turned else None


def _multiply_no_nan_number(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """A cotangent that is known not to be zero needs no guard; one that is zero gives 0.0."""
    number = rewriter.number(inputs[1])
    if number is None:
        return None
    if number == 0:
        return full(0, inputs[1].type)
    return rewriter.emit(ew.multiply, *inputs)


def _absolute(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """||x|| = |x|, |-x| = |x|; but of bytes -1 is 255"""
    if rewriter.origin(inputs[0], ew.abs):
        return inputs[0]
    x = rewriter.origin(inputs[0], ew.negative)
    return rewriter.emit(ew.abs, x.inputs[0]) if x and inputs[0].dtype.kind != "u" else None


# -- powers


def _integer_power(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """Exponents 0, 1, 2 and -1, as repeated squaring computes them."""
    return _small_power(rewriter, inputs[0], equation.params["exponent"])


def _power(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """Exponents 0, 1 and 2: NumPy computes x * x, too, where one number is the exponent of all elements."""
    number = rewriter.number(inputs[1])
    return _small_power(rewriter, inputs[0], int(number)) if number in (0, 1, 2) else None


def _small_power(rewriter: Rewriter, x: Value, exponent: int) -> Value | None:
    if exponent == 0:
        return full(1, x.type)
    if exponent == 1:
        return x
    if exponent == 2:
        return rewriter.emit(ew.multiply, x, x)
    return rewriter.emit(ew.divide, full(1, x.type), x) if exponent == -1 else None


# -- choices and bools


def _choice(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """A choice that is known, between two that are the same, or by a mask that is turned around."""
    mask, first, second = inputs
    number = rewriter.number(mask)
    if first is second or _is(number, 1):
        return first
    if _is(number, 0):
        return second
    turned = rewriter.origin(mask, ew.bitwise_invert)
    return rewriter.emit(ew.where, turned.inputs[0], second, first) if turned else None


def _and_or_number(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """For bools: m and True = m, m and False = False, m or False = m, m or True = True"""
    passing = equation.primitive is ew.bitwise_and
    for mask, other in _orders(inputs):
        number = rewriter.number(other) if mask.dtype == bool_ else None
        if number is not None:
            return mask if bool(number) == passing else other
    return None


def _invert_comparison(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """not (a = b) is a ≠ b; the same is wrong for a < b, where NaN is in neither order."""
    for comparison, opposite in ((ew.equal, ew.not_equal), (ew.not_equal, ew.equal)):
        found = rewriter.origin(inputs[0], comparison)
        if found and inputs[0].dtype == bool_:
            return rewriter.emit(opposite, *found.inputs)
    return None


# -- casts


def _cast(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """A cast to the type there is, and two casts of which the first loses nothing."""
    x, target = inputs[0], equation.outputs[0].dtype
    if x.dtype == target:
        return x
    inner = rewriter.origin(x, ew.cast)
    if inner is None or not _keeps_all(inner.inputs[0].dtype, x.dtype):
        return None
    source = inner.inputs[0]
    if source.dtype == target:
        return source
    whole = x.dtype.kind != "f" and target.kind != "f"  # bits are cut off in one way, whether in one step or two
    return rewriter.emit(ew.cast, source, dtype=target) if whole or target == bool_ else None


def _keeps_all(source: DType, target: DType) -> bool:
    """Whether every number of one type has a place in the other. NumPy calls int64 to float64 safe: it is not."""
    long = source.kind in "iu" and source.itemsize == 8 and target.kind == "f"
    return np.can_cast(source, target, "safe") and not long


RULES: dict[Primitive, Sequence[Rule]] = {
    ew.identity: (_input,),
    ew.stop_gradient: (_input,),
    bfloat16_rounded_back: (_input,),
    custom_gradient: (_inputs_passed_on,),
    ew.add: (_add_zero, _add_negative),
    ew.subtract: (_subtract_zero, _subtract_negative),
    ew.multiply: (_multiply_number, _signs),
    ew.divide: (_divide_number, _signs),
    ew.multiply_no_nan: (_multiply_no_nan_number,),
    ew.negative: (_twice, _negative_of_product),
    ew.abs: (_absolute,),
    ew.integer_power: (_integer_power,),
    ew.power: (_power,),
    ew.maximum: (_both_the_same,),
    ew.minimum: (_both_the_same,),
    ew.where: (_choice,),
    ew.bitwise_and: (_both_the_same, _and_or_number),
    ew.bitwise_or: (_both_the_same, _and_or_number),
    ew.bitwise_invert: (_twice, _invert_comparison),
    ew.cast: (_cast,),
}
