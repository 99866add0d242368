"""The table: elementwise primitive -> how registers compute it.

Inputs are vectors of any width or scalars; bools are i1. Each entry takes a Call and gives the output's Term. The
semantics are NumPy's, NaN and infinities included; integers never trap. Numbers below the normal range are kept.

Largest errors found, in units in the last place (arithmetic, sqrt, rounding and remainders are exact to the last bit),
among all numbers of float32 where they differ from 0 and 1, and millions of float64:

    float32 in float32   exp 1.1   expm1 1.7  log 0.83  log1p 0.84  sigmoid 2.9  tanh 4.9  erf 5.8  erfc 2.8
    float32, all others  0.51 (computed in float64 and rounded once)
    float64              exp 1.0   expm1 1.9  log 0.83  log1p 0.84  log2 0.51  log10 0.51  power 0.78  sigmoid 2.8
                         sin 0.83  cos 0.83  tan 2.3  asin 1.8  acos 1.1  atan 1.9  atan2 1.9  hypot 1.2
                         sinh 2.4  cosh 1.5  tanh 2.6  asinh 1.7  acosh 2.0  atanh 1.7  erf 1.6  erfc 7.0  erfinv 2.6
    logaddexp            1.6 of the larger of its inputs and output, as NumPy's

Angles of every size are reduced with an error below 2^-100. On a machine without a fused multiply-add the same holds,
slower (erfc through float64), but for float32's tanh 5.6, erf 6.5 and expm1 1.8.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...ir.types import DType, float32, is_bfloat16
from ...records import dataclass
from ..text.emit import Function, Reg, element_type
from . import bfloat16 as math_bfloat16
from . import division as math_division
from . import exp as math_exp
from . import gamma as math_gamma
from . import integer as math_integer
from . import log as math_log
from . import power as math_power
from . import special as math_special
from . import trig as math_trig
from .term import Term


@dataclass(frozen=True)
class Call:
    """One use of an elementwise primitive."""

    inputs: tuple[Term, ...]
    params: Mapping[str, Any]
    input_dtypes: tuple[DType, ...]
    output_dtype: DType

    @property
    def signed(self) -> bool:
        """Whether the first input is a signed integer."""
        return self.input_dtypes[0].kind == "i"

    @property
    def is_float(self) -> bool:
        """Whether the first input is a float."""
        return self.input_dtypes[0].kind == "f"


Emit = Callable[[Call], Term]


def _of(function: Callable[..., Term]) -> Emit:
    """A function of the inputs alone."""
    return lambda call: function(*call.inputs)


def _in_double(function: Callable[..., Term]) -> Emit:
    """A float64 function; float32 is computed in float64 and rounded, so that its error stays near half an ulp."""

    def emit(call: Call) -> Term:
        if call.input_dtypes[0].itemsize == 8:
            return function(*call.inputs, **call.params)
        return function(*(each.widen() for each in call.inputs), **call.params).narrow()

    return emit


def _by_sign(integers: Callable[..., Term], floats: Callable[..., Term]) -> Emit:
    """Integers, told whether they are signed, and floats."""
    return lambda call: floats(*call.inputs) if call.is_float else integers(*call.inputs, signed=call.signed)


def _comparison(condition: str) -> Emit:
    def emit(call: Call) -> Term:
        a, b = call.inputs
        if not call.is_float:
            return math_integer.compare(condition, a, b, call.signed)
        return Term(a.f, a.f.compare(f"fcmp o{condition}", a.reg, b.reg))

    return emit


def _extreme(condition: str) -> Emit:
    """The one that compares so with the other; a NaN wins."""
    choose = _comparison(condition)

    def emit(call: Call) -> Term:
        a, b = call.inputs
        chosen = choose(call).pick(a, b)
        return a.is_nan().pick(a, chosen) if call.is_float else chosen

    return emit


def _absolute(call: Call) -> Term:
    (x,) = call.inputs
    if call.is_float:
        return x.abs()
    return (x < 0).pick(-x, x) if call.signed else x


def _sign(call: Call) -> Term:
    (x,) = call.inputs
    if call.is_float:
        return (x.abs() > 0).pick(x.lift(1.0).copysign(x), x + 0.0)
    positive = x.differs(0).pick(x.lift(1), 0)
    return (x < 0).pick(-1, positive) if call.signed else positive


def _multiply_no_nan(d: Term, g: Term) -> Term:
    return g.equals(0).pick(0.0, d * g)


def _integer_power(call: Call) -> Term:
    """The same multiplications in the same order as the NumPy form."""
    (x,) = call.inputs
    exponent = int(call.params["exponent"])
    if exponent == 0:
        return x.lift(1.0)
    result = x
    for bit in bin(abs(exponent))[3:]:
        result = result * result * x if bit == "1" else result * result
    return 1 / result if exponent < 0 else result


def _cast(call: Call) -> Term:
    (x,), source, target = call.inputs, call.input_dtypes[0], call.output_dtype
    if source == target:
        return x
    if is_bfloat16(source):
        return _cast(replace(call, inputs=(math_bfloat16.widened(x),), input_dtypes=(float32,)))
    if is_bfloat16(target):
        return math_bfloat16.upper(_cast(replace(call, output_dtype=float32)))
    if target.kind == "b":
        return x.differs(0)
    if source.kind == "f":
        return _float_to_float(x, target) if target.kind == "f" else _float_to_integer(x, target)
    signed = source.kind == "i"
    if target.kind == "f":
        return _converted(x, "sitofp" if signed else "uitofp", element_type(target))
    source_bits = 1 if source.kind == "b" else 8 * source.itemsize
    return _resized(x, source_bits, 8 * target.itemsize, signed)


def _converted(x: Term, operation: str, element: str) -> Term:
    return Term(x.f, x.f.convert(operation, x.reg, element))


def _resized(x: Term, source_bits: int, target_bits: int, signed: bool) -> Term:
    if source_bits == target_bits:
        return x
    widen = "sext" if signed else "zext"
    return _converted(x, "trunc" if target_bits < source_bits else widen, f"i{target_bits}")


def _float_to_float(x: Term, target: DType) -> Term:
    return _converted(x, "fptrunc" if target.itemsize == 4 else "fpext", element_type(target))


def _float_to_integer(x: Term, target: DType) -> Term:
    """Towards zero, then the low bits. NaN and what does not fit become the smallest number, as on x86."""
    wide = 32 if target.itemsize < 4 or (target.kind == "i" and target.itemsize == 4) else 64
    limit = 2.0 ** (wide - 1)
    fits = (x >= -limit) & (x < limit)
    whole = _converted(fits.pick(x, -limit), "fptosi", f"i{wide}")
    if target.kind == "u" and target.itemsize == 8:
        high = (x >= limit) & (x < 2 * limit)
        whole = high.pick(_converted(high.pick(x - limit, 0.0), "fptosi", "i64") ^ -(1 << 63), whole)
    return _resized(whole, wide, 8 * target.itemsize, signed=True)


SCALAR: dict[str, Emit] = {
    "abs": _absolute,
    "acos": _in_double(math_trig.acos),
    "acosh": _in_double(math_log.acosh),
    "add": _of(lambda a, b: a + b),
    "asin": _in_double(math_trig.asin),
    "asinh": _in_double(math_log.asinh),
    "atan": _in_double(math_trig.atan),
    "atan2": _in_double(math_trig.atan2),
    "atanh": _in_double(math_log.atanh),
    "bfloat16_rounded": _of(math_bfloat16.rounded),
    "bfloat16_rounded_back": _of(lambda x: x),
    "bitwise_and": _of(lambda a, b: a & b),
    "bitwise_invert": _of(lambda x: ~x),
    "bitwise_left_shift": _of(math_integer.left_shift),
    "bitwise_or": _of(lambda a, b: a | b),
    "bitwise_right_shift": lambda call: math_integer.right_shift(call.inputs[0], call.inputs[1], call.signed),
    "bitwise_xor": _of(lambda a, b: a ^ b),
    "cast": _cast,
    "ceil": _of(lambda x: x.rounded("ceil")),
    "copysign": _of(lambda size, sign: size.copysign(sign)),
    "cos": _in_double(math_trig.cos),
    "cosh": _in_double(math_exp.cosh),
    "divide": _of(lambda a, b: a / b),
    "equal": _of(lambda a, b: a.equals(b)),
    "erf": _of(math_special.erf),
    "erfc": _of(math_special.erfc),
    "gelu": _of(math_special.gelu),
    "erfinv": _in_double(math_special.erfinv),
    "exp": _of(math_exp.exp),
    "expm1": _of(math_exp.expm1),
    "floor": _of(lambda x: x.rounded("floor")),
    "floor_divide": _by_sign(math_integer.floor_divide, math_division.floor_divide),
    "greater": _comparison("gt"),
    "greater_equal": _comparison("ge"),
    "hypot": _in_double(math_power.hypot),
    "identity": _of(lambda x: x),
    "integer_power": _integer_power,
    "isfinite": _of(lambda x: x.abs() < math.inf),
    "isinf": _of(lambda x: x.abs().equals(math.inf)),
    "isnan": _of(lambda x: x.is_nan()),
    "less": _comparison("lt"),
    "less_equal": _comparison("le"),
    "lgamma": _in_double(math_gamma.log_gamma),
    "log": _of(math_log.log),
    "log10": _in_double(math_power.log10),
    "log1p": _of(math_log.log1p),
    "log2": _in_double(math_power.log2),
    "logaddexp": _of(math_log.logaddexp),
    "maximum": _extreme("ge"),
    "minimum": _extreme("le"),
    "multiply": _of(lambda a, b: a * b),
    "multiply_no_nan": _of(_multiply_no_nan),
    "negative": _of(lambda x: -x),
    "nextafter": _of(math_special.nextafter),
    "not_equal": _of(lambda a, b: a.differs(b)),
    "polygamma": _in_double(math_gamma.polygamma),
    "power": _in_double(math_power.power),
    "relu": _of(lambda x: x.at_least(0.0)),
    "remainder": _by_sign(math_integer.remainder, math_division.remainder),
    "round": _of(lambda x: x.rounded("rint")),
    "sigmoid": _of(math_exp.sigmoid),
    "sign": _sign,
    "sin": _in_double(math_trig.sin),
    "sinh": _in_double(math_exp.sinh),
    "sqrt": _of(lambda x: x.sqrt()),
    "stop_gradient": _of(lambda x: x),
    "subtract": _of(lambda a, b: a - b),
    "tan": _in_double(math_trig.tan),
    "tanh": _of(math_exp.tanh),
    "trunc": _of(lambda x: x.rounded("trunc")),
    "where": _of(lambda mask, a, b: mask.pick(a, b)),
}


def emit_scalar(
    f: Function,
    name: str,
    inputs: Sequence[Reg],
    params: Mapping[str, Any],
    input_dtypes: Sequence[DType],
    output_dtype: DType,
) -> Reg:
    """The output of the elementwise primitive `name`, appended to f."""
    terms = tuple(Term(f, reg) for reg in inputs)
    return SCALAR[name](Call(terms, params, tuple(input_dtypes), output_dtype)).reg
