"""The elements of a NumPy array that a function reads, remembered to the bit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..ir.types import NumpyArray

PIECE = 1 << 20
"""Bytes of an array that are compared at a time."""


class Elements:
    """The elements of a NumPy array, as they were."""

    def __init__(self, array: NumpyArray) -> None:
        self.array = array
        self._form = self._form_now()
        self._pieces = [piece.tobytes() for piece in self._pieces_now()]

    def _form_now(self) -> Any:
        return self.array.shape, self.array.dtype

    def _pieces_now(self) -> Iterator[NumpyArray]:
        if self.array.nbytes <= PIECE:
            yield self.array
            return
        flat = self.array.reshape(-1, order="A")
        step = max(1, PIECE // flat.itemsize)
        for start in range(0, flat.size, step):
            yield flat[start : start + step]

    @property
    def hold(self) -> bool:
        """Whether they are the same to the bit."""
        return self._form == self._form_now() and all(
            piece.tobytes() == then for piece, then in zip(self._pieces_now(), self._pieces)
        )

    def put_back(self) -> None:
        """Make them what they were."""
        shape, dtype = self._form
        self.array.shape = shape
        large = self.array.nbytes > PIECE
        order = "F" if large and self.array.flags.fnc else "C"
        self.array[...] = np.frombuffer(b"".join(self._pieces), dtype).reshape(shape, order=order)  # type: ignore[call-overload]
