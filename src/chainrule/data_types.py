"""Functions of element types: the Array API standard's finfo, iinfo, isdtype, result_type and can_cast."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from .errors import ConfigurationError, DtypeError
from .ir.limits import finfo
from .ir.types import DType, as_dtype, is_bfloat16, promote
from .ops.operators import is_weak, weak_dtype
from .records import dataclass

__all__ = ["can_cast", "finfo", "iinfo", "isdtype", "result_type"]

KINDS: dict[str, str] = {
    "bool": "b",
    "signed integer": "i",
    "unsigned integer": "u",
    "integral": "iu",
    "real floating": "f",
    "complex floating": "c",
    "numeric": "iufc",
}


@dataclass(frozen=True)
class IntegerInfo:
    """Limits of an integer type."""

    bits: int
    max: int
    min: int
    dtype: DType


def _dtype_of(given: Any) -> DType:
    return as_dtype(getattr(given, "dtype", given))


def iinfo(type: Any) -> IntegerInfo:
    """Limits of the integer type `type`, or of that of an array."""
    dtype = _dtype_of(type)
    if dtype.kind not in "iu":
        raise DtypeError(f"iinfo is about integers, not {dtype}; see finfo")
    found = np.iinfo(dtype)
    return IntegerInfo(found.bits, found.max, found.min, dtype)


def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether an element type is of a kind: an element type, the name of a kind ("integral"), or a tuple of these."""
    given = as_dtype(dtype)
    if isinstance(kind, tuple):
        return any(isdtype(given, each) for each in kind)
    if isinstance(kind, str) and kind in KINDS:
        return ("f" if is_bfloat16(given) else given.kind) in KINDS[kind]
    try:
        return given == as_dtype(kind)
    except DtypeError:
        raise ConfigurationError(f"isdtype: {kind!r} is no kind; known: {', '.join(KINDS)}") from None


def result_type(*arrays_and_dtypes: Any) -> DType:
    """The element type of a mixed operation; Python numbers take that of the arrays where it can hold them.

    >>> result_type("int8", "int16", 3)
    dtype('int16')
    """
    if not arrays_and_dtypes:
        raise ConfigurationError("result_type needs at least one array or element type")
    known = [_dtype_of(each) for each in arrays_and_dtypes if not is_weak(each)]
    like = reduce(promote, known) if known else None
    numbers = [weak_dtype(each, like) for each in arrays_and_dtypes if is_weak(each)]
    return reduce(promote, [*known, *numbers])


def can_cast(from_: Any, to: Any) -> bool:
    """Whether a mixed operation of both types has the type `to`."""
    source, target = _dtype_of(from_), _dtype_of(to)
    try:
        return promote(source, target) == target
    except DtypeError:
        return False
