"""Memory of cells between runs: programs update it in place, but never under the eyes of someone else who reads it.

A cell that a program writes gets a home: memory of its own, aligned, that the program writes and the tensor shows. If
anyone else still holds those elements (a NumPy view, a graph recorded before), they keep them, and the cell moves on.
Programs that share cells share homes: they remember them without holding them.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence

import numpy as np

from ...captured import Captured, Cell, GradientCell, TensorCell
from ...errors import ShapeError
from ...ir.graph import Value
from ...ir.memory import address_of, aligned
from ...ir.types import ArrayType, NumpyArray
from ...tensor import Tensor
from .watch import Watch

_homes: weakref.WeakValueDictionary[int, NumpyArray] = weakref.WeakValueDictionary()


def _is_home(array: NumpyArray) -> bool:
    return _homes.get(id(array)) is array


def _new_home(kind: ArrayType) -> NumpyArray:
    home = aligned(kind)
    _homes[id(home)] = home
    return home


def key_of(cell: Cell) -> tuple[type, int]:
    """What tells a cell from others."""
    assert isinstance(cell, TensorCell | GradientCell)
    return type(cell), id(cell.owner)


def memory_of(captured: Captured) -> CellMemory:
    """The memory of the cells of a captured function."""
    first, graph = captured.argument_count, captured.graph
    read = [value.type for value in graph.inputs[first : first + len(captured.cells)]]
    memory = CellMemory(captured.cells, captured.written, read)
    memory.kinds += [graph.outputs[captured.result_count + number].type for number in memory.only_written]
    return memory


def updated_in_place(captured: Captured, memory: CellMemory) -> dict[int, int]:
    """Output of the graph -> the input whose memory it takes over."""
    return {captured.result_count + number: captured.argument_count + cell for number, cell in memory.in_place.items()}


class CellMemory:
    """The memory of all cells of one program; `addresses`: of the cells that are read, then of those only written."""

    def __init__(self, cells: Sequence[Cell], written: Sequence[Cell], kinds: Sequence[ArrayType]) -> None:
        places = {key_of(cell): number for number, cell in enumerate(cells)}
        self.in_place = {
            number: places[key_of(cell)] for number, cell in enumerate(written) if key_of(cell) in places
        }  # written cell -> cell that is read
        self.only_written = [number for number in range(len(written)) if number not in self.in_place]
        self.cells = [*cells, *(written[number] for number in self.only_written)]
        self.kinds = list(kinds)
        self.is_written = [False] * len(self.cells)
        for number in (*self.in_place.values(), *range(len(cells), len(self.cells))):
            self.is_written[number] = True
        self.read_count = len(cells)
        self.addresses = [0] * len(self.cells)
        self._placed: dict[int, NumpyArray] = {}  # while a program runs on it
        self._new: dict[int, NumpyArray] = {}  # homes of cells that were found empty
        self._watch: Watch | None = None

    # -- before a run

    def refresh(self) -> bool:
        """Make the memory of every cell ready for a run; whether any address may have changed."""
        if self._watch is not None and self._watch.undisturbed():
            return False
        self._watch, self._new, self._placed = None, {}, {}
        for number, written in enumerate(self.is_written):
            if written:
                self._make_home(number)
            else:
                self._look_up(number)
        return True

    def _look_up(self, number: int) -> None:
        """The address of a cell that is only read."""
        value = self.cells[number].read()
        if value is None or value.data is None:  # a gradient that another thread has just cleared
            self._place(number, np.zeros(self.kinds[number].shape, self.kinds[number].dtype))
            return
        self._check(number, value)
        array = value.data
        self._place(number, array if array.flags.c_contiguous else np.ascontiguousarray(array))

    def _make_home(self, number: int) -> None:
        """Memory that the program may write: where the contents lie if nobody else looks there, else new."""
        if self._is_at_home(number):
            return
        value = self.cells[number].read()
        home = _new_home(self.kinds[number])
        self._place(number, home)
        if value is None:
            home.fill(0)  # what is seen if Ctrl-C comes before the program has run
            self._new[number] = home
            return
        self._check(number, value)
        if number < self.read_count:
            np.copyto(home, value.data)  # type: ignore[arg-type]
        self.cells[number].write(home)

    def _is_at_home(self, number: int) -> bool:
        value = self.cells[number].read()
        if value is None or value.data is None or not _is_home(value.data):
            return False
        self._check(number, value)
        del value
        watch = self._watching([number])
        if watch is None or not watch.undisturbed():
            return False
        (array,) = watch.arrays
        if not _is_home(array):
            return False
        self._place(number, array)
        return True

    def _place(self, number: int, array: NumpyArray) -> None:
        self.addresses[number] = address_of(array)
        self._placed[number] = array

    def _check(self, number: int, value: Value) -> None:
        if value.type != self.kinds[number]:
            raise ShapeError(f"a cell was {self.kinds[number]} when the function was compiled, but is {value.type} now")

    # -- after a run

    def after(self, cleared: Sequence[Tensor]) -> None:
        """After a run: cells that were empty before show what was written; then it is noted how everything stands.

        Unless another thread has given a cell other contents meanwhile: then it is looked up again before the next run.
        """
        for owner in cleared:
            owner._own_grad = None
        if self._watch is not None:
            return
        for number, home in self._new.items():
            self.cells[number].write(home)
        placed = [id(self._placed[number]) for number in self._in_order(range(len(self.cells)))]
        watch = self._watching(range(len(self.cells)))
        if watch is not None and [*map(id, watch.arrays)] == placed:
            self._watch = watch
        self._new, self._placed = {}, {}

    def _in_order(self, numbers: Iterable[int]) -> list[int]:
        """As a watch has them: tensors that are written, gradients that are written, what is only read."""
        return sorted(numbers, key=lambda n: isinstance(self.cells[n], GradientCell) if self.is_written[n] else 2)

    def _watching(self, numbers: Iterable[int]) -> Watch | None:
        """A watch over cells as they stand; none where another thread has just cleared a gradient."""
        chosen = [(self.cells[number], self.is_written[number]) for number in self._in_order(numbers)]
        tensors = [cell.owner for cell, written in chosen if written and isinstance(cell, TensorCell)]
        owners = [cell.owner for cell, written in chosen if written and isinstance(cell, GradientCell)]
        handles = [handle for owner in owners if (handle := owner._own_grad) is not None]
        if len(handles) < len(owners):
            return None
        return Watch(tensors, owners, handles, [cell for cell, written in chosen if not written])
