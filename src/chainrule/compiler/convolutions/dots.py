"""The gradient of the weights where examples are the lanes: each is a dot product along examples and places."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..planning.place import Place
from ..products.pack import split
from ..text.emit import Function, Reg, const, element_type, vector_of, word
from ..text.tile import horizontal
from .channels import chosen
from .reach import LATENCY
from .window import Window, first_row, panels, places_inside, span_of

if TYPE_CHECKING:
    from ..planning.lowering import Lowering

PLACES = 32
"""Places of a row, or of several short ones, that stay in the nearest cache."""


@dataclass(frozen=True)
class Tile:
    """Sums in registers: output channels x channels, for one tap of a row of the kernel or for all of them."""

    out: int
    channels: int
    all_taps: bool


def choose_tile(registers: int, out: int, channels: int, taps: int) -> Tile:
    """The tile with the fewest cycles."""
    options = list(_options(registers, out, channels, taps))
    return min(options, key=lambda tile: _cycles(tile, out, channels, taps))


def _options(registers: int, out: int, channels: int, taps: int) -> Iterator[Tile]:
    for at_once in {1, taps}:
        for wide in range(1, channels + 1):
            most = (registers - 1 - wide * at_once) // (wide * at_once)
            if most > 0:
                yield Tile(min(out, most), wide, at_once > 1)


def _cycles(tile: Tile, out: int, channels: int, taps: int) -> float:
    """For one place: two multiplications a cycle, loads nearly as dear."""
    total = 0.0
    at_once = taps if tile.all_taps else 1
    for (high, *h), (wide, *w) in itertools.product(panels(tile.out, out), panels(tile.channels, channels)):
        loads, products = high + wide * at_once, high * wide * at_once
        count = (h[1] - h[0]) * (w[1] - w[0]) * taps // at_once
        total += count * (max(products / 2, loads / 2, LATENCY) + 0.25 * loads + 1)
    return total


class WeightDots:
    """Lanes are examples.

    A tile holds (output channels x channels) accumulators, each a vector of examples. Rows of places are gone through
    in blocks that stay in the cache; between blocks the accumulators rest in scratch memory.
    """

    def __init__(self, lowering: Lowering, x: Place, g: Place, weight: Place, rows: Window, columns: Window) -> None:
        self.x, self.g, self.weight, self.rows, self.columns = x, g, weight, rows, columns
        self.element = element_type(x.dtype)
        self.lanes = lowering.target.lanes(x.dtype.itemsize)
        self.out, self.channels = g.shape[1], x.shape[1]
        self.tile = choose_tile(lowering.target.registers, self.out, self.channels, columns.kernel)
        self.block = max(1, -(-PLACES // columns.count))

    @property
    def out_panels(self) -> int:
        """Panels of output channels."""
        return -(-self.out // self.tile.out)

    @property
    def tasks(self) -> int:
        """One for each panel of output channels and each row of the kernel."""
        return self.out_panels * self.rows.kernel

    @property
    def _task_elements(self) -> int:
        """Accumulators of one task."""
        return -(-self.out // self.out_panels) * self.channels * self.columns.kernel * self.lanes

    @property
    def scratch_elements(self) -> int:
        """Accumulators of all tasks."""
        return self.tasks * self._task_elements

    def write(self, f: Function, pointers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        """The kernel's body: pointers to cotangent, input, gradient, scratch."""
        with f.loop(begin, end) as loop:
            panel, tap = split(f, loop.index, self.rows.kernel)
            scratch = f.at(pointers[3], self.element, f.times(loop.index, self._task_elements))
            offset = first_row(f, panel, self.tile.out, self.out)
            for high, first, last in panels(self.tile.out, self.out):
                with chosen(f, panel, first, last, self.out_panels):
                    self._task(f, (*pointers[:3], scratch), tap, offset, high)

    def _task(self, f: Function, pointers: Sequence[Reg], tap: Reg, offset: Reg, high: int) -> None:
        g, x, weight, scratch = pointers
        zero = const(vector_of(self.element, self.lanes), 0.0)
        with f.loop(0, high * self.channels * self.columns.kernel) as loop:
            f.store(zero, f.at(scratch, self.element, f.times(loop.index, self.lanes)))
        g = f.at(g, self.element, f.times(offset, self.g.strides[1]))
        x = f.at(x, self.element, f.times(_tap_place(f, self.rows, tap), self.x.strides[2]))
        low, high_place = places_inside(f, self.rows, tap)
        with f.loop(0, -(-self.rows.count // self.block)) as loop:
            start = f.maximum(f.times(loop.index, self.block), low)
            stop = f.minimum(f.times(f.add(loop.index, 1), self.block), high_place)
            for wide, first, last in panels(self.tile.channels, self.channels):
                with f.loop(first, last) as panel:
                    channel = first_row(f, panel.index, self.tile.channels, self.channels)
                    here = f.at(x, self.element, f.times(channel, self.x.strides[1]))
                    sums = f.at(scratch, self.element, f.times(channel, high * self.lanes))
                    _Taps(self, f, (g, here, sums), (start, stop), high, wide).write()
        self._finish(f, weight, scratch, tap, offset, high)

    def _finish(self, f: Function, weight: Reg, scratch: Reg, tap: Reg, offset: Reg, high: int) -> None:
        """Add up the lanes, and write the gradient."""
        steps = self.weight.strides
        to = f.at(weight, self.element, f.add(f.times(offset, steps[0]), f.times(tap, steps[2])))
        with f.loop(0, self.columns.kernel) as across, f.loop(0, self.channels) as channel:
            number = f.add(f.times(across.index, self.channels), channel.index)
            sums = f.at(scratch, self.element, f.times(number, high * self.lanes))
            there = f.add(f.times(across.index, steps[3]), f.times(channel.index, steps[1]))
            for row in range(high):
                vector = f.load(vector_of(self.element, self.lanes), f.at(sums, self.element, row * self.lanes))
                total = horizontal(f, vector, lambda a, b: f.binary("fadd", a, b))
                f.store(total, f.at(to, self.element, f.add(there, row * steps[0])))


def _tap_place(f: Function, window: Window, tap: Reg) -> Reg:
    """The place of the input that a tap meets at the first place of the output."""
    return f.add(f.times(tap, window.dilation), -window.low)


class _Taps:
    """All taps of a row of the kernel over some rows of places, for a tile of output channels and channels."""

    def __init__(
        self, kernel: WeightDots, f: Function, pointers: Sequence[Reg], places: tuple[Reg, Reg], high: int, wide: int
    ) -> None:
        self.kernel, self.f, self.places, self.high, self.wide = kernel, f, places, high, wide
        self.g, self.x, self.sums = pointers
        self.vector = vector_of(kernel.element, kernel.lanes)
        self.tap_step = kernel.channels * high * kernel.lanes  # in the sums

    def write(self) -> None:
        """All taps at once where all of them meet the input; one by one elsewhere, or everywhere."""
        f, window = self.f, self.kernel.columns
        first, last = self._common() if self.kernel.tile.all_taps else (0, 0)
        if first < last:
            self._run([word(tap) for tap in range(window.kernel)], (word(first), word(last)))
            if all(span_of(window, tap) == (first, last) for tap in range(window.kernel)):
                return
        with f.loop(0, window.kernel) as tap:
            low, high = places_inside(f, window, tap.index)
            edges = [(low, f.minimum(high, word(first))), (f.maximum(low, word(last)), high)]
            for span in edges if first < last else [(low, high)]:
                with f.when(f.compare("icmp slt", *span)):
                    self._run([tap.index], span)

    def _common(self) -> tuple[int, int]:
        """The places of a row at which every tap lies inside."""
        spans = [span_of(self.kernel.columns, tap) for tap in range(self.kernel.columns.kernel)]
        return max(low for low, _ in spans), min(high for _, high in spans)

    def _run(self, taps: Sequence[Reg], span: tuple[Reg, Reg]) -> None:
        """Some taps over the places of `span` in each row."""
        f, kernel = self.f, self.kernel
        slots = [self._at(self._at(self.sums, f.times(taps[0], self.tap_step)), n) for n in self._numbers(len(taps))]
        x = self._at(self.x, f.times(_tap_place(f, kernel.columns, taps[0]), kernel.x.strides[3]))
        with f.loop(*self.places, 1, [f.load(self.vector, slot) for slot in slots]) as row:
            g_row = self._at(self.g, f.times(row.index, kernel.g.strides[2]))
            x_row = self._at(x, f.times(row.index, kernel.rows.stride * kernel.x.strides[2]))
            with f.loop(*span, 1, row.carried) as column:
                g_place = self._at(g_row, f.times(column.index, kernel.g.strides[3]))
                x_place = self._at(x_row, f.times(column.index, kernel.columns.stride * kernel.x.strides[3]))
                column.carry(*self._examples(g_place, x_place, len(taps), column.carried))
            row.carry(*column.results)
        for slot, total in zip(slots, row.results):
            f.store(total, slot)

    def _numbers(self, taps: int) -> list[int]:
        """Where the sums rest: (tap, channel, output channel, lanes)."""
        high, lanes = self.high, self.kernel.lanes
        return [
            tap * self.tap_step + (channel * high + out) * lanes
            for tap in range(taps)
            for channel in range(self.wide)
            for out in range(high)
        ]

    def _at(self, pointer: Reg, offset: Reg | int) -> Reg:
        return self.f.at(pointer, self.kernel.element, offset)

    def _examples(self, g: Reg, x: Reg, taps: int, totals: Sequence[Reg]) -> list[Reg]:
        f, lanes = self.f, self.kernel.lanes
        batch = self.kernel.x.shape[0]
        whole = batch // lanes * lanes
        with f.loop(0, whole, lanes, totals) as loop:
            here = [self._at(pointer, loop.index) for pointer in (g, x)]
            loop.carry(*self._multiply(here[0], here[1], taps, lanes, loop.carried))
        if batch == whole:
            return list(loop.results)
        return self._multiply(self._at(g, whole), self._at(x, whole), taps, batch - whole, loop.results)

    def _multiply(self, g: Reg, x: Reg, taps: int, lanes: int, totals: Sequence[Reg]) -> list[Reg]:
        kernel = self.kernel
        across, along = kernel.columns.dilation * kernel.x.strides[3], kernel.x.strides[1]
        offsets = [tap * across + channel * along for tap in range(taps) for channel in range(self.wide)]
        right = [self._load(self._at(x, offset), lanes) for offset in offsets]
        result = list(totals)
        for row in range(self.high):  # one register at a time for the cotangents: the accumulators take most of them
            left = self._load(self._at(g, row * kernel.g.strides[1]), lanes)
            for column in range(len(right)):
                place = column * self.high + row
                result[place] = self.f.fma(left, right[column], totals[place])
        return result

    def _load(self, pointer: Reg, lanes: int) -> Reg:
        """So many examples, the other lanes zero."""
        f, all_lanes = self.f, self.kernel.lanes
        value = f.load(vector_of(self.kernel.element, lanes), pointer)
        if lanes == all_lanes:
            return value
        mask = ", ".join(f"i32 {min(lane, lanes)}" for lane in range(all_lanes))
        zero = const(value.type, 0.0)
        return f.emit(self.vector, f"shufflevector {value}, {zero}, <{all_lanes} x i32> <{mask}>")
