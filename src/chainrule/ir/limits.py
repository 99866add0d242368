"""Limits of floating point types."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DtypeError
from ..records import dataclass
from .types import DType, as_dtype, is_bfloat16


@dataclass(frozen=True)
class FloatInfo:
    """Limits of a floating point type; for a complex one those of its parts."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: DType


def finfo(type: Any) -> FloatInfo:
    """Limits of the floating point type `type`, or of that of an array.

    >>> finfo("float32").bits
    32
    """
    dtype = as_dtype(getattr(type, "dtype", type))
    if is_bfloat16(dtype):
        return FloatInfo(16, 2.0**-7, (2 - 2.0**-7) * 2.0**127, -(2 - 2.0**-7) * 2.0**127, 2.0**-126, dtype)
    if dtype.kind not in "fc":
        raise DtypeError(f"finfo is about floats, not {dtype}; see iinfo")
    found = np.finfo(dtype)
    eps, largest, smallest, normal = map(float, (found.eps, found.max, found.min, found.smallest_normal))
    return FloatInfo(int(found.bits), eps, largest, smallest, normal, np.dtype(found.dtype))
