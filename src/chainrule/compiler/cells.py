"""Memory of cells between runs: programs update it in place, but never under the eyes of someone else who reads it.

A cell that a program writes gets a home: memory of its own, aligned, that the program writes and the tensor shows. If
anyone else still holds those elements (a NumPy view, a graph recorded before), they keep them, and the cell moves on.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..capture import Cell, GradientCell, TensorCell
from ..errors import ShapeError
from ..ir.graph import Value
from ..ir.types import ArrayType, NumpyArray
from ..tensor import Tensor

ALIGNMENT = 64
OWN_REFERENCES = 4  # to a home that nobody else looks at: the value, the list, a local variable, the question itself
VALUE_REFERENCES = (
    4  # to contents that nobody else holds: the tensor, a variable here and one of the caller, the question
)


def aligned(kind: ArrayType) -> NumpyArray:
    """Uninitialised memory for an array, at an address that is a multiple of 64."""
    room = np.empty(kind.nbytes + ALIGNMENT, np.uint8)
    start = -address_of(room) % ALIGNMENT
    return room[start : start + kind.nbytes].view(kind.dtype).reshape(kind.shape)


def address_of(array: NumpyArray) -> int:
    """Where the first element lies."""
    address: int = array.__array_interface__["data"][0]
    return address


def _key(cell: Cell) -> tuple[type, int]:
    assert isinstance(cell, TensorCell | GradientCell)
    return type(cell), id(cell.owner)


class CellMemory:
    """The memory of all cells of one program; `addresses`: of the cells that are read, then of those only written."""

    def __init__(self, cells: Sequence[Cell], written: Sequence[Cell], kinds: Sequence[ArrayType]) -> None:
        places = {_key(cell): number for number, cell in enumerate(cells)}
        self.in_place = {
            number: places[_key(cell)] for number, cell in enumerate(written) if _key(cell) in places
        }  # written cell -> cell that is read
        only_written = [cell for number, cell in enumerate(written) if number not in self.in_place]
        self.cells = [*cells, *only_written]
        self.kinds = list(kinds)
        self.is_written = [False] * len(self.cells)
        for number in (*self.in_place.values(), *range(len(cells), len(self.cells))):
            self.is_written[number] = True
        self.read_count = len(cells)
        self.arrays: list[NumpyArray | None] = [None] * len(self.cells)
        self.addresses = [0] * len(self.cells)

    def refresh(self, number: int) -> int:
        """The address of a cell's memory, made ready for a run."""
        value = self.cells[number].read()
        if self.is_written[number]:
            return self._home(number, value)
        assert value is not None and value.data is not None
        if value.data is not self.arrays[number]:
            self._check(number, value)
            self.arrays[number] = value.data
            dense = value.data if value.data.flags.c_contiguous else np.ascontiguousarray(value.data)
            self._dense = dense
            self.addresses[number] = address_of(dense)
            if dense is not value.data:
                self.arrays[number] = None  # looked at again next time
                self._keep_alive(number, dense)
        return self.addresses[number]

    def _keep_alive(self, number: int, array: NumpyArray) -> None:
        kept = getattr(self, "_copies", {})
        kept[number] = array
        self._copies = kept

    def _check(self, number: int, value: Value) -> None:
        if value.type != self.kinds[number]:
            raise ShapeError(f"a cell was {self.kinds[number]} when the function was compiled, but is {value.type} now")

    def _home(self, number: int, value: Value | None) -> int:
        home = self.arrays[number]
        if value is None or value.data is None:
            return self._free_home(number, home)
        if (
            value.data is home
            and sys.getrefcount(home) <= OWN_REFERENCES
            and sys.getrefcount(value) <= VALUE_REFERENCES
        ):
            return self.addresses[number]
        self._check(number, value)
        new = aligned(value.type)
        if number < self.read_count:
            np.copyto(new, value.data)
        self._move(number, new)
        return self.addresses[number]

    def _free_home(self, number: int, home: NumpyArray | None) -> int:
        """Memory for a cell that is empty before the run."""
        if home is None or sys.getrefcount(home) > OWN_REFERENCES - 1:
            self._move(number, aligned(self.kinds[number]), write=False)
        return self.addresses[number]

    def _move(self, number: int, new: NumpyArray, write: bool = True) -> None:
        self.arrays[number] = new
        self.addresses[number] = address_of(new)
        if write:
            self.cells[number].write(new)

    def after(self, cleared: Sequence[Tensor]) -> None:
        """After a run: cells that were empty before show what was written."""
        for number in range(len(self.cells)):
            home = self.arrays[number]
            if self.is_written[number] and home is not None:
                value = self.cells[number].read()
                if value is None or value.data is not home:
                    self.cells[number].write(home)
        for owner in cleared:
            owner._grad = None


def as_array(leaf: Any) -> NumpyArray:
    """An argument as a dense array."""
    array: Any = leaf._value.data if isinstance(leaf, Tensor) else np.asarray(leaf)
    return array if array.flags.c_contiguous else np.ascontiguousarray(array)
