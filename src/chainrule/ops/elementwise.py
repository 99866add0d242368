"""Elementwise primitives: one entry each. Inputs have one type; broadcasts and casts are equations of their own.

In the derivatives g is the cotangent of the output y. Where a derivative is singular or overflows it is applied with
`multiply_no_nan`: a cotangent of exactly zero gives zero even there, so `where(x > 0, sqrt(x), 0)` has the gradient 0
at x = 0 and not 0 * inf = NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np

from ..errors import DtypeError
from ..ir.build import splat, zeros_like
from ..ir.primitive import DISCRETE, PIECEWISE_CONSTANT, NoGradient, Primitive, Rule, Sample, register
from ..ir.types import (
    COMPLEX,
    DTYPES,
    FLOATS,
    INTEGERS,
    NUMBERS,
    ArrayType,
    DType,
    as_dtype,
    bool_,
    float32,
    float64,
)
from . import complex as complex_numbers
from . import special
from .samples import NASTY, SHAPES, converted, elementwise_samples, spread, variants, with_gaps
from .type_rules import elementwise, predicate, require_dtype, require_same

TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)
HALF_ROOT_PI = math.sqrt(math.pi) / 2
ROOT_HALF = math.sqrt(0.5)

COMPLEX_TOO = frozenset(
    {
        *("add", "subtract", "multiply", "divide", "negative", "equal", "not_equal"),
        *("identity", "stop_gradient"),
    }
)
"""What is done to complex numbers as it stands. Other functions of them are made of real parts and imaginary parts."""


def _taken(name: str, dtypes: Collection[DType]) -> Collection[DType]:
    return (*dtypes, *COMPLEX) if name in COMPLEX_TOO else dtypes


def adjoint(x: Any) -> Any:
    """The conjugate of complex numbers, real ones as they are: by what a derivative multiplies a cotangent."""
    return complex_numbers.conj(x) if x.type.is_complex else x


def _unary(
    name: str,
    numpy: Callable[..., Any],
    derivative: Rule | NoGradient,
    domain: tuple[float, float] = (-2.0, 2.0),
    dtypes: Collection[DType] = FLOATS,
    formula: str = "",
    kinks: tuple[float, ...] = (),
) -> Primitive:
    rules = derivative if isinstance(derivative, NoGradient) else (derivative,)
    samples = elementwise_samples(1, dtypes, domain, kinks)
    rule = elementwise(name, _taken(name, dtypes), 1)
    return register(Primitive(name, rule, numpy, rules, formula or f"{name}({{0}})", samples))


def _binary(
    name: str,
    numpy: Callable[..., Any],
    derivatives: tuple[Rule, Rule] | NoGradient,
    formula: str,
    domain: tuple[float, float] = (-2.0, 2.0),
    dtypes: Collection[DType] = NUMBERS,
) -> Primitive:
    samples = elementwise_samples(2, dtypes, domain)
    rule = elementwise(name, _taken(name, dtypes), 2)
    return register(Primitive(name, rule, numpy, derivatives, formula, samples))


def _compare(name: str, numpy: Callable[..., Any], formula: str, dtypes: Collection[DType] = NUMBERS) -> Primitive:
    samples = elementwise_samples(2, dtypes, (-2.0, 2.0))
    rule = predicate(name, _taken(name, dtypes), 2)
    return register(Primitive(name, rule, numpy, DISCRETE, formula, samples))


def _test(name: str, numpy: Callable[..., Any]) -> Primitive:
    samples = elementwise_samples(1, FLOATS, (-2.0, 2.0))
    return register(Primitive(name, predicate(name, FLOATS, 1), numpy, DISCRETE, f"{name}({{0}})", samples))


# Derivatives are written with primitives that are defined further down.
cast: Primitive
copysign: Primitive
cos: Primitive
cosh: Primitive
integer_power: Primitive
multiply_no_nan: Primitive
power: Primitive
sigmoid: Primitive
sign: Primitive
where: Primitive

# -- arithmetic

add = _binary("add", np.add, (lambda g, y, a, b: g, lambda g, y, a, b: g), "({0} + {1})")
subtract = _binary("subtract", np.subtract, (lambda g, y, a, b: g, lambda g, y, a, b: -g), "({0} - {1})")
multiply = _binary(
    "multiply",
    np.multiply,
    (lambda g, y, a, b: g * adjoint(b), lambda g, y, a, b: g * adjoint(a)),
    "({0} · {1})",
)


def _over_adjoint(g: Any, slope: Any) -> Any:
    return g * adjoint(slope) if g.type.is_complex else multiply_no_nan(slope, g)


divide = _binary(
    "divide",
    np.divide,
    (lambda g, y, a, b: _over_adjoint(g, 1 / b), lambda g, y, a, b: _over_adjoint(g, -(y / b))),
    "({0} / {1})",
    domain=(0.3, 2.0),
    dtypes=FLOATS,
)
negative = _unary("negative", np.negative, lambda g, y, x: -g, dtypes=NUMBERS, formula="-{0}")
abs = _unary("abs", np.abs, lambda g, y, x: g * sign(x), domain=(0.2, 2.0), dtypes=NUMBERS, formula="|{0}|")
sign = _unary("sign", np.sign, PIECEWISE_CONSTANT, domain=(0.2, 2.0), dtypes=NUMBERS)
copysign = _binary(
    "copysign",
    np.copysign,
    (lambda g, y, a, b: g * (sign(a) * copysign(splat(1, b.type), b)), lambda g, y, a, b: zeros_like(g)),
    "|{0}| · sign({1})",
    domain=(0.2, 2.0),
    dtypes=FLOATS,
)
nextafter = _binary(
    "nextafter",
    np.nextafter,
    NoGradient("steps from one number of the machine to the next: no function of real numbers"),
    "nextafter({0}, {1})",
    dtypes=FLOATS,
)


def _no_nan(d: Any, g: Any) -> Any:
    return np.where(g == 0, np.zeros((), g.dtype), d * g)


multiply_no_nan = _binary(
    "multiply_no_nan",
    _no_nan,
    (lambda k, y, d, g: multiply_no_nan(k, g), lambda k, y, d, g: multiply_no_nan(d, k)),
    "({0} · {1})",
    domain=(0.2, 2.0),
    dtypes=FLOATS,
)

# -- powers, exponentials, logarithms


def _log_of_base(x: Any, p: Any) -> Any:
    """log x, and 0 for 0^0: 0^p jumps there from 1 to 0, and PyTorch's convention is as good as any."""
    return where(bitwise_and(equal(x, zeros_like(x)), equal(p, zeros_like(p))), zeros_like(x), log(x))


power = _binary(
    "power",
    np.power,
    (
        lambda g, y, x, p: multiply_no_nan(multiply_no_nan(power(x, p - 1), p), g),
        lambda g, y, x, p: multiply_no_nan(multiply_no_nan(_log_of_base(x, p), y), g),
    ),
    "{0}^{1}",
    domain=(0.3, 2.0),
    dtypes=FLOATS,
)
exp = _unary("exp", np.exp, lambda g, y, x: multiply_no_nan(y, g))
expm1 = _unary("expm1", np.expm1, lambda g, y, x: multiply_no_nan(exp(x), g))  # y + 1 would lose all digits for x << 0
log = _unary("log", np.log, lambda g, y, x: multiply_no_nan(1 / x, g), domain=(0.1, 3.0))
log1p = _unary("log1p", np.log1p, lambda g, y, x: multiply_no_nan(1 / (1 + x), g), domain=(-0.8, 3.0))
log2 = _unary("log2", np.log2, lambda g, y, x: multiply_no_nan(1 / (x * math.log(2)), g), domain=(0.1, 3.0))
log10 = _unary("log10", np.log10, lambda g, y, x: multiply_no_nan(1 / (x * math.log(10)), g), domain=(0.1, 3.0))
sqrt = _unary("sqrt", np.sqrt, lambda g, y, x: multiply_no_nan(0.5 / y, g), domain=(0.1, 3.0), formula="√({0})")
logaddexp = _binary(
    "logaddexp",
    np.logaddexp,
    (lambda g, y, a, b: g * sigmoid(a - b), lambda g, y, a, b: g * sigmoid(b - a)),
    "log(exp {0} + exp {1})",
    dtypes=FLOATS,
)

# -- trigonometric and hyperbolic functions

sin = _unary("sin", np.sin, lambda g, y, x: g * cos(x))
cos = _unary("cos", np.cos, lambda g, y, x: -g * sin(x))
tan = _unary("tan", np.tan, lambda g, y, x: g * (1 + y * y), domain=(-1.2, 1.2))
asin = _unary("asin", np.arcsin, lambda g, y, x: multiply_no_nan(1 / sqrt((1 - x) * (1 + x)), g), domain=(-0.9, 0.9))
acos = _unary("acos", np.arccos, lambda g, y, x: multiply_no_nan(-1 / sqrt((1 - x) * (1 + x)), g), domain=(-0.9, 0.9))
atan = _unary("atan", np.arctan, lambda g, y, x: g / (1 + x * x))


def _over(side: Any, length: Any) -> Any:
    """side / length, and 0 at the origin: one of the slopes that the tip of the cone has."""
    return side / where(equal(length, zeros_like(length)), splat(1, length.type), length)


hypot = _binary(
    "hypot",
    np.hypot,
    (lambda g, y, a, b: multiply_no_nan(_over(a, y), g), lambda g, y, a, b: multiply_no_nan(_over(b, y), g)),
    "√({0}² + {1}²)",
    domain=(0.3, 2.0),
    dtypes=FLOATS,
)
atan2 = _binary(
    "atan2",
    np.arctan2,
    (
        lambda g, y, a, b: multiply_no_nan(_over(_over(b, hypot(a, b)), hypot(a, b)), g),
        lambda g, y, a, b: multiply_no_nan(-_over(_over(a, hypot(a, b)), hypot(a, b)), g),
    ),
    "atan2({0}, {1})",
    domain=(0.3, 2.0),
    dtypes=FLOATS,
)
sinh = _unary("sinh", np.sinh, lambda g, y, x: multiply_no_nan(cosh(x), g))
cosh = _unary("cosh", np.cosh, lambda g, y, x: multiply_no_nan(sinh(x), g))
asinh = _unary("asinh", np.arcsinh, lambda g, y, x: g / hypot(x, splat(1, x.type)))
acosh = _unary(
    "acosh",
    np.arccosh,
    lambda g, y, x: multiply_no_nan(1 / sqrt(x - 1), multiply_no_nan(1 / sqrt(x + 1), g)),
    domain=(1.2, 3.0),
)
atanh = _unary("atanh", np.arctanh, lambda g, y, x: multiply_no_nan(1 / ((1 - x) * (1 + x)), g), (-0.9, 0.9))

# -- activations and special functions


def _tanh_slope(twice: Any) -> Any:
    """1 - tanh²(x) from 2x. In float32 1 - y*y is off by 15 % at |x| = 8: it subtracts numbers that are nearly equal.

    Both sigmoids come from one exponential when compiled.
    """
    return 4 * sigmoid(twice) * sigmoid(-twice)


def _gelu_slope(x: Any) -> Any:
    """Φ(x) + x φ(x). It is known before any cotangent is, so a compiled step works it out beside gelu, and keeps it."""
    turned = x * -ROOT_HALF
    return 0.5 * erfc(turned) + x * (exp(-(turned * turned)) * (ROOT_HALF / math.sqrt(math.pi)))


tanh = _unary("tanh", np.tanh, lambda g, y, x: g * _tanh_slope(x + x))
sigmoid = _unary("sigmoid", special.sigmoid, lambda g, y, x: g * (y * sigmoid(-x)), formula="σ({0})")
relu = _unary(
    "relu",
    lambda x: np.maximum(x, 0),
    lambda g, y, x: where(x > 0, g, zeros_like(g)),
    domain=(0.2, 2.0),
    formula="max({0}, 0)",
)
erf = _unary("erf", special.erf, lambda g, y, x: g * (TWO_OVER_ROOT_PI * exp(-(x * x))))
erfc = _unary("erfc", special.erfc, lambda g, y, x: -g * (TWO_OVER_ROOT_PI * exp(-(x * x))))
gelu = _unary(
    "gelu",
    special.gelu,
    lambda g, y, x: g * _gelu_slope(x),
    formula="gelu({0})",
)
erfinv = _unary(
    "erfinv",
    special.erfinv,
    lambda g, y, x: multiply_no_nan(HALF_ROOT_PI * exp(integer_power(y, exponent=2)), g),
    domain=(-0.9, 0.9),
)

# -- choices


def _share(g: Any, mine: Any, other: Any, loses: Any) -> Any:
    """All of the cotangent to the larger input, half to each where they are equal."""
    return where(loses, zeros_like(g), where(mine == other, 0.5 * g, g))


maximum = _binary(
    "maximum",
    np.maximum,
    (lambda g, y, a, b: _share(g, a, b, a < b), lambda g, y, a, b: _share(g, b, a, b < a)),
    "max({0}, {1})",
)
minimum = _binary(
    "minimum",
    np.minimum,
    (lambda g, y, a, b: _share(g, a, b, a > b), lambda g, y, a, b: _share(g, b, a, b > a)),
    "min({0}, {1})",
)


def _where_type(mask: ArrayType, first: ArrayType, second: ArrayType) -> ArrayType:
    require_dtype("where (its first input)", mask, (bool_,))
    require_same("where", first, second)
    require_same("where", mask.with_dtype(first.dtype), first)
    return first


def _where_samples() -> Any:
    for dtype in DTYPES:
        yield Sample((spread((2, 3), -1, 1) > 0, *(spread((2, 3), 0, 5, seed).astype(dtype) for seed in (1, 2))))
    yield from _where_shapes()
    nasty = np.array(NASTY)
    yield Sample((np.arange(nasty.size) % 2 == 0, nasty, nasty[::-1]), smooth=False)


def _where_shapes() -> Iterator[Sample]:
    for shape in SHAPES:
        sample = Sample((spread(shape, -1, 1) > 0, spread(shape, 0, 5, seed=1), spread(shape, 0, 5, seed=2)))
        yield sample
        yield Sample(tuple(map(with_gaps, sample.inputs)))


where = register(
    Primitive(
        "where",
        _where_type,
        np.where,
        (
            None,
            lambda g, y, mask, a, b: where(mask, g, zeros_like(g)),
            lambda g, y, mask, a, b: where(mask, zeros_like(g), g),
        ),
        "({1} if {0} else {2})",
        _where_samples,
    )
)

# -- rounding and division with remainder

floor = _unary("floor", np.floor, PIECEWISE_CONSTANT, domain=(0.1, 0.9), formula="⌊{0}⌋")
ceil = _unary("ceil", np.ceil, PIECEWISE_CONSTANT, domain=(0.1, 0.9), formula="⌈{0}⌉")
round = _unary("round", np.round, PIECEWISE_CONSTANT, domain=(0.6, 0.9))
trunc = _unary("trunc", np.trunc, PIECEWISE_CONSTANT, domain=(0.1, 0.9))
floor_divide = _binary("floor_divide", np.floor_divide, PIECEWISE_CONSTANT, "⌊{0} / {1}⌋", domain=(1.1, 1.9))
remainder = _binary(
    "remainder",
    np.remainder,
    (lambda g, y, a, b: g, lambda g, y, a, b: multiply_no_nan(-floor_divide(a, b), g)),
    "({0} mod {1})",
    domain=(0.6, 1.9),
)

# -- comparisons, tests, bits

equal = _compare("equal", np.equal, "({0} = {1})", DTYPES)
not_equal = _compare("not_equal", np.not_equal, "({0} ≠ {1})", DTYPES)
less = _compare("less", np.less, "({0} < {1})")
less_equal = _compare("less_equal", np.less_equal, "({0} ≤ {1})")
greater = _compare("greater", np.greater, "({0} > {1})")
greater_equal = _compare("greater_equal", np.greater_equal, "({0} ≥ {1})")
isnan, isinf, isfinite = _test("isnan", np.isnan), _test("isinf", np.isinf), _test("isfinite", np.isfinite)

_BITS = (bool_, *INTEGERS)
bitwise_and = _binary("bitwise_and", np.bitwise_and, DISCRETE, "({0} and {1})", dtypes=_BITS)
bitwise_or = _binary("bitwise_or", np.bitwise_or, DISCRETE, "({0} or {1})", dtypes=_BITS)
bitwise_xor = _binary("bitwise_xor", np.bitwise_xor, DISCRETE, "({0} xor {1})", dtypes=_BITS)
bitwise_invert = _unary("bitwise_invert", np.invert, DISCRETE, dtypes=_BITS, formula="(not {0})")
bitwise_left_shift = _binary(
    "bitwise_left_shift", np.left_shift, DISCRETE, "({0} << {1})", domain=(0, 2), dtypes=INTEGERS
)
bitwise_right_shift = _binary(
    "bitwise_right_shift", np.right_shift, DISCRETE, "({0} >> {1})", domain=(0, 2), dtypes=INTEGERS
)

# -- identity and casts

identity = _unary("identity", lambda x: x, lambda g, y, x: g, dtypes=DTYPES, formula="{0}")
stop_gradient = _unary(
    "stop_gradient", lambda x: x, NoGradient("the user stopped the gradient here"), dtypes=DTYPES, formula="{0}"
)


def _integer_power_type(kind: ArrayType, *, exponent: int) -> ArrayType:
    require_dtype("integer_power", kind, FLOATS)
    return kind


def _integer_power(x: Any, *, exponent: int) -> Any:
    """Repeated squaring, so that the compiled form can follow it bit by bit."""
    if exponent < 0:
        return 1 / _integer_power(x, exponent=-exponent)
    result = np.ones_like(x)
    for bit in bin(exponent)[2:]:
        result = result * result * x if bit == "1" else result * result
    return result


def _integer_power_rule(g: Any, y: Any, x: Any, *, exponent: int) -> Any:
    if exponent == 0:
        return zeros_like(g)
    return multiply_no_nan(exponent * integer_power(x, exponent=exponent - 1), g)


def _integer_power_samples() -> Any:
    for exponent in (-2, -1, 0, 1, 2, 3, 7):
        yield Sample((spread((2, 3), 0.3, 2.0),), {"exponent": exponent})
        yield from variants(Sample((spread((2, 3), 0.3, 2.0),), {"exponent": exponent}))
        yield Sample((np.array([0.0, -1.0, 2.0, np.inf, np.nan]),), {"exponent": exponent}, smooth=False)
    yield Sample((np.array([0.0, -1.5]),), {"exponent": 3})
    for shape in SHAPES:
        yield Sample((spread(shape, 0.3, 2.0),), {"exponent": -3})


integer_power = register(
    Primitive(
        "integer_power",
        _integer_power_type,
        _integer_power,
        (_integer_power_rule,),
        "{0}^{exponent}",
        _integer_power_samples,
    )
)


def _cast_type(kind: ArrayType, *, dtype: DType) -> ArrayType:
    target = as_dtype(dtype)
    if kind.is_complex and target.kind not in "cb":
        raise DtypeError(f"{kind} can't become {target}: take a part of it, with cr.real, cr.imag or cr.abs")
    return kind.with_dtype(target)


def _cast(x: Any, *, dtype: DType) -> Any:
    return x.astype(dtype)


def _cast_rule(g: Any, y: Any, x: Any, *, dtype: DType) -> Any:
    if not g.type.is_complex or x.type.is_complex:
        return cast(g, dtype=x.dtype)
    part = complex_numbers.real(g)
    return part if part.dtype == x.dtype else cast(part, dtype=x.dtype)


def _cast_samples() -> Any:
    for source in DTYPES:
        for target in DTYPES:
            numbers = converted(spread((2, 3), 0, 5), source, middle=2)
            yield Sample((numbers,), {"dtype": target}, smooth=source == target == float64)
    for shape in SHAPES:
        yield Sample((with_gaps(spread(shape, 0, 5)),), {"dtype": float32}, smooth=False)
    yield Sample((np.array(NASTY),), {"dtype": float32}, smooth=False)
    yield Sample((np.array(NASTY, np.float32),), {"dtype": float64}, smooth=False)
    yield Sample((np.array(NASTY),), {"dtype": bool_}, smooth=False)


cast = register(Primitive("cast", _cast_type, _cast, (_cast_rule,), "{dtype}({0})", _cast_samples))
