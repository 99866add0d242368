"""Arrays as native code sees them: their addresses, and aligned memory for new ones."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from ...ir.types import ArrayType, NumpyArray, native
from ...ops.operators import refuse_masked
from ...tensor import Tensor

ALIGNMENT = 64
"""Bytes; what lies in memory of ours begins at multiples of it."""
_AT: Any = ctypes.c_char.from_buffer


def rounded(size: int) -> int:
    """Bytes up to the next such place."""
    return -(-size // ALIGNMENT) * ALIGNMENT


class _Room(np.ndarray[Any, Any]):
    """Memory. NumPy lets a view hold the owner of what it looks at, unless that is of another class than the view."""


def aligned(kind: ArrayType) -> NumpyArray:
    """Uninitialised memory for an array, at an address that is a multiple of 64.

    Views of the result hold the result itself, not what lies behind it: so it is known whether anyone looks.
    """
    room = _Room((kind.nbytes + ALIGNMENT,), np.uint8)
    return np.ndarray(kind.shape, kind.dtype, room, -address_of(room) % ALIGNMENT)


def address_of(array: NumpyArray) -> int:
    """Where the first element lies. NumPy's own answer takes several times as long; it is for what ctypes refuses."""
    try:
        return ctypes.addressof(_AT(array))
    except (TypeError, ValueError):  # read-only, empty, with gaps, of a type without a buffer
        address: int = array.__array_interface__["data"][0]
        return address


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
