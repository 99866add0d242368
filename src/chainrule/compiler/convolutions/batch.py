"""Convolutions whose channels do not fill vectors: the examples are the lanes and lie innermost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..planning.place import Place
from ..text.emit import Function, Reg, bytes_of, element_type, word
from ..text.tile import Shape, Sum, accumulate, best_tile, store_rows, zeros
from .window import Window, all_places, first_row, kinds, panels, taps_inside

if TYPE_CHECKING:
    from ..planning.lowering import Lowering


class BatchKernel:
    """Lanes are examples; rows of the tile are output channels. One task is one row of places."""

    def __init__(self, lowering: Lowering, x: Place, y: Place, rows: Window, columns: Window) -> None:
        self.x, self.y, self.rows, self.columns = x, y, rows, columns
        self.element = element_type(x.dtype)
        self.channels, self.out = x.shape[1], y.shape[1]
        self.height, self.lanes = best_tile(lowering.target, bytes_of(self.element), self.out, self.y.shape[0])

    @property
    def tasks(self) -> int:
        """One for each row of the output."""
        return self.rows.count

    def write(self, f: Function, pointers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        """The kernel's body: pointers to weights, input, output."""
        batch, lanes = self.y.shape[0], self.lanes
        with f.loop(begin, end) as loop:
            taps = taps_inside(f, self.rows, loop.index)
            whole = batch // lanes * lanes
            if whole:
                with f.loop(0, whole, lanes) as across:
                    self._row(f, pointers, loop.index, taps, across.index, lanes)
            if batch > whole:
                self._row(f, pointers, loop.index, taps, word(whole), batch - whole)

    def _row(
        self, f: Function, pointers: Sequence[Reg], row: Reg, taps: tuple[Reg, Reg], lane: Reg, lanes: int
    ) -> None:
        for cut in kinds(self.columns):
            with all_places(f, self.columns, cut) as column:
                self._place(f, pointers, row, taps, column, lane, lanes, cut)

    def _place(
        self,
        f: Function,
        pointers: Sequence[Reg],
        row: Reg,
        taps: tuple[Reg, Reg],
        column: Reg,
        lane: Reg,
        lanes: int,
        cut: bool,
    ) -> None:
        weight, x, y = pointers
        down, across = self._input_offset(f, row, self.rows, 2), self._input_offset(f, column, self.columns, 3)
        b = self._at(f, x, f.add(down, f.add(across, lane)))
        out = f.add(f.times(row, self.y.strides[2]), f.add(f.times(column, self.y.strides[3]), lane))
        c = self._at(f, y, out)
        span = taps_inside(f, self.columns, column) if cut else (word(0), word(self.columns.kernel))
        step = self.y.strides[1]
        for rows, start, stop in panels(self.height, self.out):
            with f.loop(start, stop) as loop:
                offset = first_row(f, loop.index, self.height, self.out)
                shape = Shape(rows, lanes, 1, self.element)
                sums = self._sums(taps, span, cut)
                totals = accumulate(f, shape, self._at(f, weight, offset), b, sums, zeros(shape))
                store_rows(f, shape, self._at(f, c, f.times(offset, step)), step, totals)

    def _sums(self, taps: tuple[Reg, Reg], across: tuple[Reg, Reg], cut: bool) -> list[Sum]:
        x, channels, out = self.x.strides, self.channels, self.out
        vertical = Sum(*taps, self.columns.kernel * channels * out, self.rows.dilation * x[2])
        if not cut and (self.columns.dilation == 1 or self.columns.kernel == 1) and x[3] == channels * x[1]:
            return [vertical, Sum(0, self.columns.kernel * channels, out, x[1])]
        return [vertical, Sum(*across, channels * out, self.columns.dilation * x[3]), Sum(0, channels, out, x[1])]

    def _at(self, f: Function, pointer: Reg, offset: Reg) -> Reg:
        return f.at(pointer, self.element, offset)

    def _input_offset(self, f: Function, place: Reg, window: Window, axis: int) -> Reg:
        stride = self.x.strides[axis]
        return f.add(f.times(place, window.stride * stride), -window.low * stride)
