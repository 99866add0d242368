"""Arrays as native code sees them: dense, with the bytes of their elements in the processor's order."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ir.memory import ALIGNMENT, aligned
from ...ir.types import ArrayType, NumpyArray, native
from ...ops.operators import refuse_masked
from ...tensor import Tensor


def rounded(size: int) -> int:
    """Bytes up to the next place at which memory of ours may begin."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def as_array(leaf: Any) -> NumpyArray:
    """An argument as a dense array, with the bytes of its elements in the processor's order."""
    refuse_masked(leaf)
    array: Any = leaf._value.data if isinstance(leaf, Tensor) else np.asarray(leaf)
    if not (array.flags.c_contiguous and array.dtype.isnative):
        array = np.require(array, native(array.dtype), "C")
    found: NumpyArray = array
    return found


def dense(array: NumpyArray) -> NumpyArray:
    """The same elements without gaps, at an aligned address."""
    copy = aligned(ArrayType(array.shape, array.dtype))
    copy[...] = array
    return copy
