"""The one place where + * @ get their meaning: numbers are lifted, types promoted, broadcasts inserted.

Everything here takes Values, NumPy arrays and Python numbers in any mix and gives a Value. Python numbers are weak:
they take the element type of the array beside them. NumPy's scalars are not: they keep their type, as in NumPy 2, so
np.float64(2) times a float32 array is float64.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from ..errors import DtypeError, ShapeError
from ..ir.build import constant, splat
from ..ir.graph import Value
from ..ir.memory import copied
from ..ir.operand import MEANING
from ..ir.primitive import Primitive
from ..ir.types import (
    KNOWN,
    ArrayType,
    DType,
    NumpyArray,
    Shape,
    as_dtype,
    bool_,
    broadcast_shapes,
    complex64,
    complex_dtype,
    float32,
    int64,
    is_inexact,
    is_known,
    promote,
)
from . import elementwise as ew
from . import linear
from .bfloat16 import rounded_product
from .broadcasting import broadcast_to as broadcast_p
from .structure import reshape as reshape_p

Number = bool | int | float | complex

ON_COMPLEX: dict[str, Callable[..., Value]] = {}
"""Name of a primitive of real numbers -> its meaning on complex ones; filled by complex_functions.py."""


def apply(primitive: Primitive, *values: Value) -> Value:
    """The primitive on values of one type, or what stands for it on complex numbers."""
    if values[0].type.is_complex and primitive.name in ON_COMPLEX:
        return ON_COMPLEX[primitive.name](*values)
    result: Value = primitive(*values)
    return result


def lift(operand: Any, like: DType | None = None) -> Value:
    """`operand` as a Value. A Python number takes the type `like` if it can hold it."""
    if isinstance(operand, Value):
        return operand
    if isinstance(operand, Number) and not isinstance(operand, np.generic):
        dtype = weak_dtype(operand, like)
        if dtype.kind in "iu":
            check_fits(operand, dtype)
        return splat(operand, ArrayType((), dtype))
    return constant(own_array(operand))


def weak_dtype(number: Number, like: DType | None) -> DType:
    """The element type that a Python number takes beside arrays of type `like`."""
    if isinstance(number, complex):
        return complex64 if like is None else complex_dtype(like)
    natural = bool_ if isinstance(number, bool) else int64 if isinstance(number, int) else float32
    if like is None or (natural.kind == "f" and not is_inexact(like)) or (like == bool_ and natural != bool_):
        return natural
    return like


def check_fits(number: Number, dtype: DType) -> None:
    """A DtypeError where a number is not one of an integer type: it would be cut off or wrap round."""
    if isinstance(number, complex | np.complexfloating):
        raise DtypeError(f"the complex number {number} does not fit into {dtype}; use a complex dtype")
    if isinstance(number, float | np.floating) and not float(number).is_integer():
        raise DtypeError(f"{number} is no whole number, as {dtype} needs; use a float dtype")
    limits = np.iinfo(dtype)
    if not limits.min <= number <= limits.max:
        raise DtypeError(f"{number} does not fit into {dtype} ({limits.min} to {limits.max}); use another dtype")


def own_array(data: Any) -> NumpyArray:
    """A NumPy copy of `data` in a supported element type: Python floats become float32, integers int64."""
    refuse_masked(data)
    source = data if isinstance(data, np.ndarray | np.generic) else _nested(data)
    if not is_known(source.dtype.newbyteorder("=")):
        raise DtypeError(
            f"can't make an array of element type {source.dtype}; known: {', '.join(sorted(map(str, KNOWN)))}"
        )
    return copied(source, source.dtype.newbyteorder("="))


def refuse_masked(data: Any) -> None:
    """A DtypeError for a masked array. It is known by its field: numpy.ma takes long to import."""
    if isinstance(data, np.ndarray) and hasattr(data, "_mask"):
        raise DtypeError("a masked array would lose its mask; use its .filled(...), and cr.where for the rest")


def _nested(data: Any) -> NumpyArray:
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ShapeError(f"nested lists must be of equal lengths to make an array: {error}") from None
    if array.dtype == np.float64 and not hasattr(data, "dtype") and not hasattr(data, "__array__"):
        with np.errstate(over="ignore"):  # too large for float32 is infinite
            return array if _holds_numpy_float64(data) else array.astype(np.float32)
    if array.dtype == np.complex128 and not hasattr(data, "dtype") and not hasattr(data, "__array__"):
        with np.errstate(over="ignore"):
            return array.astype(np.complex64)
    return array


def _holds_numpy_float64(data: Any) -> bool:
    first = data
    while isinstance(first, list | tuple) and first:
        first = first[0]
    return getattr(first, "dtype", None) == np.float64


def common(*operands: Any) -> list[Value]:
    """The operands lifted, promoted to one element type and broadcast to one shape."""
    if fast := _already_common(operands):
        return fast
    dtypes = [operand.dtype for operand in operands if not is_weak(operand) and hasattr(operand, "dtype")]
    like = reduce(promote, map(as_dtype, dtypes)) if dtypes else None
    values = [lift(operand, like) for operand in operands]
    dtype = reduce(promote, (value.dtype for value in values))
    shape = broadcast_shapes(*(value.shape for value in values))
    return [broadcast(astype(value, dtype), shape) for value in values]


def _already_common(operands: tuple[Any, ...]) -> list[Value]:
    """The two cases that make up most of a program: two values of one type, a float value and a number."""
    if len(operands) != 2:
        return []
    first, second = operands
    if isinstance(first, Value):
        if isinstance(second, Value):
            return [first, second] if first.type == second.type else []
        if type(second) in (int, float) and first.type.is_float:
            return [first, splat(second, first.type)]
    elif type(first) in (int, float) and isinstance(second, Value) and second.type.is_float:
        return [splat(first, second.type), second]
    return []


def is_weak(operand: Any) -> bool:
    """Whether it is a Python number, which takes the element type of the array beside it."""
    return isinstance(operand, Number) and not isinstance(operand, np.generic)


def astype(value: Any, dtype: Any) -> Value:
    """Cast to another element type; nothing where it has it already."""
    lifted = lift(value)
    if lifted.dtype is dtype or lifted.dtype == (wanted := as_dtype(dtype)):
        return lifted
    result: Value = ew.cast(lifted, dtype=wanted)
    return result


def broadcast(value: Value, shape: Shape) -> Value:
    """Broadcast; nothing where it has the shape already."""
    if value.shape == shape:
        return value
    result: Value = broadcast_p(value, shape=shape)
    return result


def reshape(value: Value, shape: Shape) -> Value:
    """Reshape; nothing where it has the shape already."""
    if value.shape == shape:
        return value
    result: Value = reshape_p(value, shape=shape)
    return result


def floating(operand: Any) -> Value:
    """The operand as floats: integers and bools become float32."""
    value = lift(operand)
    return value if value.type.is_float else astype(value, float32)


def unary(primitive: Primitive) -> Callable[[Any], Value]:
    """A function of one operand of any type the primitive takes."""

    def function(x: Any) -> Value:
        return apply(primitive, lift(x))

    return function


def unary_float(primitive: Primitive) -> Callable[[Any], Value]:
    """A function of one operand that computes in floats."""

    def function(x: Any) -> Value:
        return apply(primitive, floating(x))

    return function


def floats_only(primitive: Primitive) -> Callable[[Any], Value]:
    """A function of one operand that changes floats and leaves integers and bools as they are."""

    def function(x: Any) -> Value:
        value = lift(x)
        return apply(primitive, value) if value.type.is_float else value

    return function


def binary(primitive: Primitive) -> Callable[[Any, Any], Value]:
    """A function of two operands, promoted and broadcast."""

    def function(x: Any, y: Any) -> Value:
        result: Value = primitive(*common(x, y))
        return result

    return function


def comparison(primitive: Primitive, verdict: Callable[[int, int], bool]) -> Callable[[Any, Any], Value]:
    """A function that compares two operands, promoted and broadcast.

    A whole number that the other's element type can't hold lies beyond all its elements: uint8 labels may be compared
    with -100.
    """

    def function(x: Any, y: Any) -> Value:
        if _lies_beyond(x, y):
            return splat(verdict(x, 0), ArrayType(lift(y).shape, bool_))
        if _lies_beyond(y, x):
            return splat(verdict(0, y), ArrayType(lift(x).shape, bool_))
        result: Value = primitive(*common(x, y))
        return result

    return function


def _lies_beyond(number: Any, array: Any) -> bool:
    if type(number) is not int or getattr(array, "dtype", bool_).kind not in "iu":
        return False
    limits = np.iinfo(array.dtype)
    return not limits.min <= number <= limits.max


def binary_float(primitive: Primitive) -> Callable[[Any, Any], Value]:
    """A function of two operands, promoted and broadcast, that computes in floats."""

    def function(x: Any, y: Any) -> Value:
        first, second = common(x, y)
        return apply(primitive, floating(first), floating(second))

    return function


def add(x: Any, y: Any) -> Value:
    """Sum; of bools it is their disjunction, as in NumPy."""
    first, second = common(x, y)
    result: Value = (ew.bitwise_or if first.dtype == bool_ else ew.add)(first, second)
    return result


def multiply(x: Any, y: Any) -> Value:
    """Product; of bools it is their conjunction, as in NumPy."""
    first, second = common(x, y)
    result: Value = (ew.bitwise_and if first.dtype == bool_ else ew.multiply)(first, second)
    return result


def power(x: Any, y: Any) -> Value:
    """x to the power y. A whole Python number as exponent is exact to any order of derivative, at 0 too.

    Integers to the power of integers stay integers, and wrap round as in NumPy; to the power of floats they become
    floats. A negative power of an integer is a DtypeError where it is known, and 0 in a traced program.
    """
    if is_weak(y) and not isinstance(y, complex) and abs(y) <= 64 and float(y).is_integer():
        return _whole_power(floating(x) if isinstance(y, float) else lift(x), int(y))
    if is_weak(y) and y == 0.5:
        return unary_float(ew.sqrt)(x)
    first, second = common(x, y)
    if first.dtype.kind in "iu":
        return _power_of_integers(first, second)
    return apply(ew.power, floating(first), floating(second))


def _power_of_integers(x: Value, exponent: Value) -> Value:
    """By repeated squaring, for each bit of the exponent: of a known one, those it has."""
    if exponent.data is not None and exponent.data.min(initial=0) < 0:
        raise DtypeError(f"{x.type} to a negative power is no integer; cast it with astype(float32)")
    one, zero = splat(1, x.type), splat(0, x.type)
    result: Value = ew.where(exponent < zero, zero, one)
    square = x
    bits = 8 * x.dtype.itemsize - (x.dtype.kind == "i")
    if exponent.data is not None:
        bits = int(exponent.data.max(initial=0)).bit_length()
    for _ in range(bits):
        odd = ew.equal(ew.bitwise_and(exponent, one), one)
        result = ew.where(odd, ew.multiply(result, square), result)
        square = ew.multiply(square, square)
        exponent = ew.bitwise_right_shift(exponent, one)
    return result


def _whole_power(x: Value, exponent: int) -> Value:
    if not x.type.is_float:
        return _integer_array_power(x, exponent)
    if exponent == 1:
        return x
    if x.type.is_complex and exponent != 2:
        return _complex_power(x, exponent)
    result: Value = ew.multiply(x, x) if exponent == 2 else ew.integer_power(x, exponent=exponent)
    return result


def _complex_power(x: Value, exponent: int) -> Value:
    """Repeated squaring."""
    if exponent < 0:
        return 1 / _complex_power(x, -exponent)
    result = splat(1, x.type)
    for bit in bin(exponent)[2:]:
        squared = result * result
        result = squared * x if bit == "1" else squared
    return result


def _integer_array_power(x: Value, exponent: int) -> Value:
    if exponent < 0:
        raise DtypeError(f"{x.type} to the power {exponent} is no integer; cast it with astype(float32)")
    if exponent == 0:
        return lift(np.ones(x.shape, x.dtype))
    return reduce(multiply, [x] * exponent)


def where(condition: Any, x: Any, y: Any) -> Value:
    """x where the condition holds, else y."""
    first, second = common(x, y)
    mask = astype(condition, bool_)
    shape = broadcast_shapes(mask.shape, first.shape)
    result: Value = ew.where(broadcast(mask, shape), broadcast(first, shape), broadcast(second, shape))
    return result


def matmul(x: Any, y: Any) -> Value:
    """Matrix product with NumPy's rules: vectors gain an axis for the product, leading axes broadcast."""
    first, second = _same_dtype(x, y)
    if first.ndim == 0 or second.ndim == 0:
        raise ShapeError(f"matmul needs at least one axis on each side, but was given {first.type} @ {second.type}")
    return rounded_product(_product, first, second)


def _product(first: Value, second: Value) -> Value:
    if first.ndim == 1:
        return _drop_axis(_product(reshape(first, (1, *first.shape)), second), -1 if second.ndim == 1 else -2)
    if second.ndim == 1:
        return _drop_axis(_product(first, reshape(second, (*second.shape, 1))), -1)
    if second.ndim == 2 and first.ndim > 2:
        return _rows_at_once(first, second)
    return _batched(first, second)


def _same_dtype(x: Any, y: Any) -> tuple[Value, Value]:
    first, second = lift(x), lift(y)
    dtype = promote(first.dtype, second.dtype)
    return astype(first, dtype), astype(second, dtype)


def _drop_axis(value: Value, axis: int) -> Value:
    shape = list(value.shape)
    del shape[axis]
    return reshape(value, tuple(shape))


def _rows_at_once(first: Value, second: Value) -> Value:
    """(..., m, k) @ (k, n) is one product of all rows, not one a batch."""
    if first.shape[-1] != second.shape[0]:
        result: Value = linear.matmul(first, second)  # its type rule explains what does not fit
        return result
    rows = int(np.prod(first.shape[:-1]))
    flat = linear.matmul(reshape(first, (rows, first.shape[-1])), second)
    return reshape(flat, (*first.shape[:-1], second.shape[-1]))


def _batched(first: Value, second: Value) -> Value:
    batch = broadcast_shapes(first.shape[:-2], second.shape[:-2])
    left = broadcast(first, batch + first.shape[-2:])
    right = broadcast(second, batch + second.shape[-2:])
    result: Value = linear.matmul(left, right)
    return result


MEANING.update(
    identity=unary(ew.identity),
    stop_gradient=unary(ew.stop_gradient),
    astype=astype,
    add=add,
    subtract=binary(ew.subtract),
    multiply=multiply,
    divide=binary_float(ew.divide),
    floor_divide=binary(ew.floor_divide),
    remainder=binary(ew.remainder),
    power=power,
    matmul=matmul,
    negative=unary(ew.negative),
    abs=unary(ew.abs),
    bitwise_invert=unary(ew.bitwise_invert),
    bitwise_and=binary(ew.bitwise_and),
    bitwise_or=binary(ew.bitwise_or),
    bitwise_xor=binary(ew.bitwise_xor),
    bitwise_left_shift=binary(ew.bitwise_left_shift),
    bitwise_right_shift=binary(ew.bitwise_right_shift),
    less=comparison(ew.less, operator.lt),
    less_equal=comparison(ew.less_equal, operator.le),
    greater=comparison(ew.greater, operator.gt),
    greater_equal=comparison(ew.greater_equal, operator.ge),
    equal=comparison(ew.equal, operator.eq),
    not_equal=comparison(ew.not_equal, operator.ne),
)
