"""Arrays as native code sees them: their addresses, and aligned memory for new ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ir.types import ArrayType, NumpyArray
from ..tensor import Tensor

ALIGNMENT = 64


def aligned(kind: ArrayType) -> NumpyArray:
    """Uninitialised memory for an array, at an address that is a multiple of 64."""
    room = np.empty(kind.nbytes + ALIGNMENT, np.uint8)
    start = -address_of(room) % ALIGNMENT
    return room[start : start + kind.nbytes].view(kind.dtype).reshape(kind.shape)


def address_of(array: NumpyArray) -> int:
    """Where the first element lies."""
    address: int = array.__array_interface__["data"][0]
    return address


def as_array(leaf: Any) -> NumpyArray:
    """An argument as a dense array."""
    array: Any = leaf._value.data if isinstance(leaf, Tensor) else np.asarray(leaf)
    return array if array.flags.c_contiguous else np.ascontiguousarray(array)
