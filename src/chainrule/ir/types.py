"""Array types: a shape and an element type, and how element types mix (Python Array API rules)."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from ..errors import AxisError, DtypeError, ShapeError
from ..records import dataclass

Shape = tuple[int, ...]
DType = np.dtype[Any]
NumpyArray = np.ndarray[Any, Any]

bool_ = np.dtype(np.bool_)
int8, int16, int32, int64 = (np.dtype(name) for name in ("int8", "int16", "int32", "int64"))
uint8, uint16, uint32, uint64 = (np.dtype(name) for name in ("uint8", "uint16", "uint32", "uint64"))
float32, float64 = np.dtype("float32"), np.dtype("float64")

FLOATS = (float32, float64)
SIGNED = (int8, int16, int32, int64)
UNSIGNED = (uint8, uint16, uint32, uint64)
INTEGERS = SIGNED + UNSIGNED
NUMBERS = INTEGERS + FLOATS
DTYPES = (bool_, *NUMBERS)
complex64, complex128 = np.dtype("complex64"), np.dtype("complex128")
COMPLEX = (complex64, complex128)
INEXACT = FLOATS + COMPLEX
ALL_DTYPES = (*DTYPES, *COMPLEX)
KNOWN = frozenset(ALL_DTYPES)
BFLOAT16 = "bfloat16"
"""NumPy has it from the package ml_dtypes, which is loaded when it is first named; its kind there is "V"."""


@dataclass(frozen=True, slots=True)
class ArrayType:
    """What is known of an array before it has values."""

    shape: Shape
    dtype: DType

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of a dense array of this type."""
        return self.size * self.dtype.itemsize

    @property
    def is_float(self) -> bool:
        """Whether a gradient can flow through it: floats and complex numbers."""
        return self.dtype.kind in "fcV"  # of kind "V" there is bfloat16 alone

    @property
    def is_complex(self) -> bool:
        """Whether its elements are complex numbers."""
        return self.dtype.kind == "c"

    def with_shape(self, shape: Shape) -> ArrayType:
        """The same element type in another shape."""
        return ArrayType(shape, self.dtype)

    def with_dtype(self, dtype: DType) -> ArrayType:
        """The same shape with another element type."""
        return ArrayType(self.shape, dtype)

    def __str__(self) -> str:
        return f"{self.dtype.name}[{', '.join(map(str, self.shape))}]"


def as_dtype(given: Any) -> DType:
    """The element type that `given` names (`float32`, `np.float64`, `"int64"`, `float`), if it is one we have."""
    if isinstance(given, str) and given == BFLOAT16:
        from .bfloat16 import bfloat16_dtype

        return bfloat16_dtype()
    if given is float:
        return float32
    if given is int:
        return int64
    if given is complex:
        return complex64
    try:
        dtype = np.dtype(given)
    except TypeError:
        raise DtypeError(f"{given!r} is no element type; known: {', '.join(d.name for d in ALL_DTYPES)}") from None
    if not is_known(dtype):
        raise DtypeError(f"the element type {dtype} is not supported; known: {', '.join(d.name for d in ALL_DTYPES)}")
    return native(dtype)


def native(dtype: DType) -> DType:
    """The same elements with their bytes in the processor's order."""
    return dtype if dtype.isnative else dtype.newbyteorder("=")


def is_bfloat16(dtype: DType) -> bool:
    """Whether it is the upper half of a float32."""
    return dtype.kind == "V" and dtype.name == BFLOAT16


def is_known(dtype: DType) -> bool:
    """Whether arrays may have it."""
    return dtype in KNOWN or is_bfloat16(dtype)


def is_real_float(dtype: DType) -> bool:
    """Whether it is a float, and not complex."""
    return dtype.kind == "f" or is_bfloat16(dtype)


def is_inexact(dtype: DType) -> bool:
    """Whether it is a float or complex."""
    return dtype.kind in "fc" or is_bfloat16(dtype)


def promote(first: DType, second: DType) -> DType:
    """The element type of a mixed operation: the Array API table, and floats and complex win over integers and bools.

    Mixing uint64 with a signed integer has no common integer type and is an error.
    """
    if first == second:
        return first
    if is_inexact(first) or is_inexact(second):
        return _promote_floats(first, second)
    if first == bool_:
        return second
    if second == bool_:
        return first
    result = np.promote_types(first, second)
    if result.kind == "f":
        raise DtypeError(f"{first} and {second} have no common integer type; cast one of them with astype")
    return result


def _promote_floats(first: DType, second: DType) -> DType:
    if is_bfloat16(first) or is_bfloat16(second):
        narrow, other = (first, second) if is_bfloat16(first) else (second, first)
        return other if other.kind in "fc" else narrow
    if first.kind in "fc" and second.kind in "fc":
        result: DType = np.promote_types(first, second)
        return result
    return first if first.kind in "fc" else second


def part_dtype(dtype: DType) -> DType:
    """The element type of the real and imaginary parts of a complex one; another is its own."""
    if dtype.kind != "c":
        return dtype
    return float32 if dtype == complex64 else float64


def complex_dtype(dtype: DType) -> DType:
    """The complex element type whose parts are of this one; complex64 for integers and bools."""
    return dtype if dtype.kind == "c" else complex128 if dtype == float64 else complex64


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The common shape of `shapes` under NumPy's broadcasting; a ShapeError names the axis that does not fit."""
    ndim = max((len(shape) for shape in shapes), default=0)
    padded = [(1,) * (ndim - len(shape)) + shape for shape in shapes]
    return tuple(_broadcast_axis(axis, sizes, shapes) for axis, sizes in enumerate(zip(*padded)))


def _broadcast_axis(axis: int, sizes: tuple[int, ...], shapes: tuple[Shape, ...]) -> int:
    wide = {size for size in sizes if size != 1}
    if len(wide) > 1:
        listed = " and ".join(map(str, shapes))
        raise ShapeError(
            f"shapes {listed} don't broadcast: along axis {axis} of the result the sizes are "
            f"{' and '.join(map(str, sizes))}; they must be equal or 1"
        )
    return wide.pop() if wide else 1


def as_integer(number: Any, what: str) -> int:
    """A Python or NumPy integer as an int; anything else is a DtypeError."""
    try:
        return operator.index(number)
    except TypeError:
        raise DtypeError(f"{what} is an integer, but was given as {number!r}") from None


def as_sizes(sizes: Any) -> tuple[int, ...]:
    """One integer, or a sequence of them, as a tuple."""
    try:
        return (operator.index(sizes),)
    except TypeError:
        listed = tuple(sizes) if hasattr(sizes, "__iter__") else (sizes,)
    return tuple(as_integer(size, "a size") for size in listed)


def as_shape(shape: Any) -> Shape:
    """A size, or a sequence of them, as a shape; a negative size is a ShapeError."""
    sizes = as_sizes(shape)
    if min(sizes, default=0) < 0:
        raise ShapeError(f"sizes must not be negative, but the shape is {sizes}")
    return sizes


def normalize_axis(axis: int, ndim: int) -> int:
    """`axis` counted from the front; an axis outside -ndim..ndim-1 is an AxisError."""
    place = as_integer(axis, "an axis")
    if not -ndim <= place < ndim:
        allowed = f"expected {-ndim} to {ndim - 1}" if ndim else "it has no axis"
        raise AxisError(f"axis {place} is out of range for an array of {ndim} axes: {allowed}")
    return place % ndim


def normalize_axes(axes: int | tuple[int, ...] | list[int] | None, ndim: int) -> tuple[int, ...]:
    """Axes counted from the front, sorted; None means all of them; a repeated axis is a ShapeError."""
    if axes is None:
        return tuple(range(ndim))
    listed = tuple(axes) if isinstance(axes, tuple | list) else (axes,)
    normal = tuple(sorted(normalize_axis(axis, ndim) for axis in listed))
    if len(set(normal)) != len(normal):
        raise ShapeError(f"axes {listed} name one axis twice")
    return normal
