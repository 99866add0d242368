"""Memory for arrays that begins at a line of the processor's cache, so that no vector of theirs lies on two."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from .types import ArrayType, DType, NumpyArray

ALIGNMENT = 64
"""Bytes; what lies in memory of ours begins at multiples of it."""
LARGE = 1 << 12
"""Bytes of an array from which on a copy is aligned: for a small one it would take longer than the copy itself."""
_AT: Any = ctypes.c_char.from_buffer


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


def copied(array: NumpyArray | np.generic, dtype: DType) -> NumpyArray:
    """A copy in an element type, aligned where it is large. One that lies in another order keeps that."""
    if array.nbytes < LARGE or not array.flags.c_contiguous:
        return np.array(array, dtype)
    copy = aligned(ArrayType(array.shape, dtype))
    copy[...] = array
    return copy
