"""Convolutions whose lanes are output channels, in arrays laid out as (height, width, examples, channels).

So the examples of one place lie side by side: all of them are cut alike at the edges, nothing outside the input is
multiplied or stored, and a tile reads and writes whole runs of memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from .convolution_reach import ONE_TAP, Reach, choose_tile, column_runs
from .convolution_window import Window, first_row, panels, taps_inside
from .emit import Function, Reg, const, element_type, vector_of, word
from .place import Place
from .tile import part

if TYPE_CHECKING:
    from .units import Lowering

MOST_PRODUCTS = 96  # multiplications in the body of a loop


class ChannelsKernel:
    """y = convolution of x with packed weights, (vector of output channels, row, column, channel, lane).

    One task is one row of the output for one panel of examples.
    """

    def __init__(self, lowering: Lowering, x: Place, y: Place, rows: Window, columns: Window) -> None:
        self.x, self.y, self.rows, self.columns = x, y, rows, columns
        self.element = element_type(x.dtype)
        self.lanes = lowering.target.lanes(x.dtype.itemsize)
        self.examples, self.channels, self.out = x.shape[0], x.shape[1], y.shape[1]
        self.vectors = -(-self.out // self.lanes)
        self.tile = choose_tile(lowering.target, columns, self.examples, self.vectors)
        self.tap_step = self.channels * self.lanes  # in the weights
        self.vector_step = rows.kernel * columns.kernel * self.tap_step

    @property
    def panels(self) -> int:
        """How many panels the examples are divided into."""
        return -(-self.examples // self.tile.examples)

    @property
    def tasks(self) -> int:
        """One for each row and panel."""
        return self.rows.count * self.panels

    def write(self, f: Function, pointers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        """The kernel's body: pointers to weights, input, output."""
        with f.loop(begin, end) as loop:
            row, panel = divided(f, loop.index, self.panels)
            taps = taps_inside(f, self.rows, row)
            example = first_row(f, panel, self.tile.examples, self.examples)
            for high, low, last in panels(self.tile.examples, self.examples):
                with chosen(f, panel, low, last, self.panels):
                    self._panel(f, pointers, row, taps, example, high)

    def _panel(
        self, f: Function, pointers: Sequence[Reg], row: Reg, taps: tuple[Reg, Reg], example: Reg, high: int
    ) -> None:
        """One row of the output for `high` examples."""
        weight, x, y = pointers
        down = f.add(f.times(row, self.rows.stride * self.x.strides[2]), -self.rows.low * self.x.strides[2])
        x = f.at(x, self.element, f.add(down, f.times(example, self.x.strides[0])))
        y = f.at(y, self.element, f.add(f.times(row, self.y.strides[2]), f.times(example, self.y.strides[0])))
        if self.tile.by_tap:
            with f.loop(0, self.columns.count) as loop:
                self._place(f, (weight, x, y), taps, loop.index, high, None)
            return
        for run in column_runs(self.columns, self.tile.places):
            with f.loop(0, run.count) as loop:
                place = f.add(f.times(loop.index, self.tile.places), run.first)
                self._place(f, (weight, x, y), taps, place, high, run.reach)

    def _place(
        self, f: Function, pointers: Sequence[Reg], taps: tuple[Reg, Reg], place: Reg, high: int, reach: Reach | None
    ) -> None:
        """All output channels of a tile of places. reach: None where taps are gone over one by one."""
        weight, x, y = pointers
        step = self.x.strides[3]
        corner = f.at(x, self.element, f.add(f.times(place, self.columns.stride * step), -self.columns.low * step))
        y = f.at(y, self.element, f.times(place, self.y.strides[3]))
        across = taps_inside(f, self.columns, place) if reach is None else None
        for wide, first, count in self._vector_groups():
            with f.loop(0, count) as loop:
                vector = f.add(f.times(loop.index, self.tile.vectors), first)
                b = f.at(weight, self.element, f.times(vector, self.vector_step))
                body = _Body(self, f, reach or ONE_TAP, high, wide)
                totals = body.run(corner, b, taps, across)
                self._store(f, f.at(y, self.element, f.times(vector, self.lanes)), totals, body, first + wide)

    def _vector_groups(self) -> list[tuple[int, int, int]]:
        """(vectors of a tile, the first of them, how many tiles): a narrow last vector has a tile of its own."""
        wide = self.tile.vectors
        whole = self.out // self.lanes // wide
        rest = self.vectors - whole * wide
        return [each for each in ((wide, 0, whole), (rest, whole * wide, 1)) if each[0] and each[2]]

    def _store(self, f: Function, y: Reg, totals: Sequence[Reg], body: _Body, end: int) -> None:
        rest = self.out - (end - 1) * self.lanes if end == self.vectors else self.lanes
        found = iter(totals)
        for place in range(body.reach.places):
            for example in range(body.high):
                for vector in range(body.wide):
                    total = next(found)
                    if vector == body.wide - 1 and rest < self.lanes:
                        total = part(f, total, 0, rest)
                    offset = place * self.y.strides[3] + example * self.y.strides[0] + vector * self.lanes
                    f.store(total, f.at(y, self.element, offset))


class _Body:
    """The sums of one tile: places x examples x vectors."""

    def __init__(self, kernel: ChannelsKernel, f: Function, reach: Reach, high: int, wide: int) -> None:
        self.kernel, self.f, self.reach, self.high, self.wide = kernel, f, reach, high, wide
        self.element = kernel.element
        self.vector = vector_of(kernel.element, kernel.lanes)
        products = max(1, reach.products * high * wide)
        fitting = [n for n in (8, 4, 3, 2) if kernel.channels % n == 0 and n * products <= MOST_PRODUCTS]
        self.unrolled = fitting[0] if fitting else 1

    def run(self, x: Reg, weight: Reg, taps: tuple[Reg, Reg], across: tuple[Reg, Reg] | None) -> list[Reg]:
        """The sums. x: the corner of what the whole kernel meets; across: the taps of a row, where they vary."""
        f, kernel = self.f, self.kernel
        totals = [const(self.vector, 0.0)] * (self.reach.places * self.high * self.wide)
        with f.loop(*taps, 1, totals) as loop:
            a = f.at(x, self.element, f.times(loop.index, kernel.rows.dilation * kernel.x.strides[2]))
            b = f.at(weight, self.element, f.times(loop.index, kernel.columns.kernel * kernel.tap_step))
            loop.carry(*self._row(a, b, across, loop.carried))
        return list(loop.results)

    def _row(self, x: Reg, weight: Reg, across: tuple[Reg, Reg] | None, totals: Sequence[Reg]) -> list[Reg]:
        f, kernel = self.f, self.kernel
        if across is None:
            return self._channels(x, weight, totals)
        with f.loop(*across, 1, totals) as loop:
            a = f.at(x, self.element, f.times(loop.index, kernel.columns.dilation * kernel.x.strides[3]))
            b = f.at(weight, self.element, f.times(loop.index, kernel.tap_step))
            loop.carry(*self._channels(a, b, loop.carried))
        return list(loop.results)

    def _channels(self, x: Reg, weight: Reg, totals: Sequence[Reg]) -> list[Reg]:
        f, kernel = self.f, self.kernel
        with f.loop(0, kernel.channels, self.unrolled, totals) as loop:
            a = f.at(x, self.element, loop.index)
            b = f.at(weight, self.element, f.times(loop.index, kernel.lanes))
            current = list(loop.carried)
            for channel in range(self.unrolled):
                at_channel = f.at(b, self.element, channel * kernel.lanes)
                current = self._multiply(f.at(a, self.element, channel), at_channel, current)
            loop.carry(*current)
        return list(loop.results)

    def _multiply(self, x: Reg, weight: Reg, totals: list[Reg]) -> list[Reg]:
        """One channel: every weight and every element of the input is loaded once."""
        f, kernel = self.f, self.kernel
        weights = {
            (tap, vector): f.load(
                self.vector, f.at(weight, self.element, tap * kernel.tap_step + vector * kernel.vector_step)
            )
            for tap in self.reach.taps
            for vector in range(self.wide)
        }
        result = list(totals)
        for example in range(self.high):
            for column, entered in self.reach.meets:
                offset = column * kernel.x.strides[3] + example * kernel.x.strides[0]
                element = f.splat(f.load(self.element, f.at(x, self.element, offset)), kernel.lanes)
                for place, tap in entered:
                    for vector in range(self.wide):
                        number = (place * self.high + example) * self.wide + vector
                        result[number] = f.fma(element, weights[tap, vector], result[number])
        return result


def divided(f: Function, index: Reg, size: int) -> tuple[Reg, Reg]:
    """Quotient and remainder by a known number."""
    if size == 1:
        return index, word(0)
    return f.binary("udiv", index, word(size)), f.binary("urem", index, word(size))


def chosen(f: Function, number: Reg, low: int, high: int, count: int) -> AbstractContextManager[None]:
    """A block that runs if low <= number < high, where one of 0 and `count` is an end of that range."""
    if (low, high) == (0, count):
        return nullcontext()
    edge, condition = (low, "icmp sge") if low else (high, "icmp slt")
    return f.when(f.compare(condition, number, word(edge)))
