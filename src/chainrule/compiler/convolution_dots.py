"""The gradient of the weights where examples are the lanes: each is a dot product along examples and places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .convolution_window import Window, places_inside, span_of
from .emit import Function, Reg, const, element_type, vector_of, word
from .place import Place
from .tile import horizontal

if TYPE_CHECKING:
    from .units import Lowering


class WeightDots:
    """Lanes are examples.

    A tile holds (output channels x channels) accumulators, each a vector of examples. Rows of places are gone through
    in blocks that stay in the cache; between blocks the accumulators rest in scratch memory.
    """

    def __init__(self, lowering: Lowering, x: Place, g: Place, weight: Place, rows: Window, columns: Window) -> None:
        self.x, self.g, self.weight, self.rows, self.columns = x, g, weight, rows, columns
        self.element, self.target = element_type(x.dtype), lowering.target
        self.lanes = lowering.target.lanes(x.dtype.itemsize)
        self.out, self.channels = g.shape[1], x.shape[1]
        most_out, most_in = (4, 3) if lowering.target.registers == 16 else (6, 4)
        most_out = max(
            most_out, 8 // self.channels
        )  # two multiplications a cycle, four cycles each: eight sums at least
        self.out_panels = -(-self.out // most_out)
        self.in_panels = -(-self.channels // most_in)
        self.block = max(1, -(-32 // columns.count))

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
        """The kernel's body."""
        base, extra = divmod(self.out, self.out_panels)
        with f.loop(begin, end) as loop:
            panel = f.binary("udiv", loop.index, word(self.rows.kernel))
            tap = f.binary("urem", loop.index, word(self.rows.kernel))
            scratch = f.at(pointers[3], self.element, f.times(loop.index, self._task_elements))
            offset = f.add(f.times(panel, base), f.minimum(panel, word(extra)))
            if extra:
                with f.when(f.compare("icmp slt", panel, word(extra))):
                    self._task(f, (*pointers[:3], scratch), tap, offset, base + 1)
                with f.when(f.compare("icmp sge", panel, word(extra))):
                    self._task(f, (*pointers[:3], scratch), tap, offset, base)
            else:
                self._task(f, (*pointers[:3], scratch), tap, offset, base)

    def _task(self, f: Function, pointers: Sequence[Reg], tap: Reg, offset: Reg, rows: int) -> None:
        g, x, weight, scratch = pointers
        vectors = rows * self.channels * self.columns.kernel
        with f.loop(0, vectors) as loop:
            f.store(
                const(vector_of(self.element, self.lanes), 0.0),
                f.at(scratch, self.element, f.times(loop.index, self.lanes)),
            )
        g = f.at(g, self.element, f.times(offset, self.g.strides[1]))
        low, high = places_inside(f, self.rows, tap)
        blocks = -(-self.rows.count // self.block)
        with f.loop(0, blocks) as loop:
            start = f.maximum(f.times(loop.index, self.block), low)
            stop = f.minimum(f.times(f.add(loop.index, 1), self.block), high)
            self._taps(f, (g, x, scratch), tap, start, stop, rows)
        self._finish(f, weight, scratch, tap, offset, rows)

    def _taps(self, f: Function, pointers: Sequence[Reg], tap: Reg, start: Reg, stop: Reg, rows: int) -> None:
        base, extra = divmod(self.channels, self.in_panels)
        for column_tap in range(self.columns.kernel):
            span = span_of(self.columns, column_tap)
            if span[0] == span[1]:
                continue
            for width, first, last in ((base + 1, 0, extra), (base, extra, self.in_panels)):
                if first == last:
                    continue
                with f.loop(first, last) as loop:
                    channel = f.add(f.times(loop.index, base), f.minimum(loop.index, word(extra)))
                    self._tile(f, pointers, tap, column_tap, start, stop, span, channel, rows, width)

    def _slot(self, f: Function, scratch: Reg, column_tap: int, channel: Reg, rows: int) -> Reg:
        """Where the accumulators of a tile rest: (tap, channel, output channel, lanes)."""
        per_channel = rows * self.lanes
        place = f.add(f.times(channel, per_channel), column_tap * self.channels * per_channel)
        return f.at(scratch, self.element, place)

    def _tile(
        self,
        f: Function,
        pointers: Sequence[Reg],
        tap: Reg,
        column_tap: int,
        start: Reg,
        stop: Reg,
        span: tuple[int, int],
        channel: Reg,
        rows: int,
        width: int,
    ) -> None:
        g, x, scratch = pointers
        vector = vector_of(self.element, self.lanes)
        slot = self._slot(f, scratch, column_tap, channel, rows)
        totals = [f.load(vector, f.at(slot, self.element, number * self.lanes)) for number in range(rows * width)]
        x = f.at(
            x,
            self.element,
            f.add(f.times(f.add(tap, -self.rows.low), self.x.strides[2]), f.times(channel, self.x.strides[1])),
        )
        x = f.at(x, self.element, (column_tap - self.columns.low) * self.x.strides[3])
        with f.loop(start, stop, 1, totals) as row:
            g_row = f.at(g, self.element, f.times(row.index, self.g.strides[2]))
            x_row = f.at(x, self.element, f.times(row.index, self.rows.stride * self.x.strides[2]))
            with f.loop(*span, 1, row.carried) as column:
                here_g = f.at(g_row, self.element, f.times(column.index, self.g.strides[3]))
                here_x = f.at(x_row, self.element, f.times(column.index, self.columns.stride * self.x.strides[3]))
                column.carry(*self._examples(f, here_g, here_x, rows, width, column.carried))
            row.carry(*column.results)
        for number, total in enumerate(row.results):
            f.store(total, f.at(slot, self.element, number * self.lanes))

    def _examples(self, f: Function, g: Reg, x: Reg, rows: int, width: int, totals: Sequence[Reg]) -> list[Reg]:
        batch = self.x.shape[0]
        whole = batch // self.lanes * self.lanes
        with f.loop(0, whole, self.lanes, totals) as loop:
            here = [f.at(pointer, self.element, loop.index) for pointer in (g, x)]
            loop.carry(*self._multiply(f, here[0], here[1], rows, width, self.lanes, loop.carried))
        results = list(loop.results)
        if batch > whole:
            here = [f.at(pointer, self.element, whole) for pointer in (g, x)]
            results = self._multiply(f, here[0], here[1], rows, width, batch - whole, results)
        return results

    def _multiply(
        self, f: Function, g: Reg, x: Reg, rows: int, width: int, lanes: int, totals: Sequence[Reg]
    ) -> list[Reg]:
        right = [self._load(f, f.at(x, self.element, number * self.x.strides[1]), lanes) for number in range(width)]
        result = list(totals)
        for row in range(rows):  # one register at a time for the cotangents: the accumulators take most of them
            left = self._load(f, f.at(g, self.element, row * self.g.strides[1]), lanes)
            for column in range(width):
                place = column * rows + row
                result[place] = f.fma(left, right[column], totals[place])
        return result

    def _load(self, f: Function, pointer: Reg, lanes: int) -> Reg:
        """So many examples, the other lanes zero."""
        value = f.load(vector_of(self.element, lanes), pointer)
        if lanes == self.lanes:
            return value
        mask = ", ".join(f"i32 {min(lane, lanes)}" for lane in range(self.lanes))
        zero = const(value.type, 0.0)
        return f.emit(
            vector_of(self.element, self.lanes), f"shufflevector {value}, {zero}, <{self.lanes} x i32> <{mask}>"
        )

    def _finish(self, f: Function, weight: Reg, scratch: Reg, tap: Reg, offset: Reg, rows: int) -> None:
        """Add up the lanes, and write the gradient."""
        steps = self.weight.strides
        to = f.at(weight, self.element, f.add(f.times(offset, steps[0]), f.times(tap, steps[2])))
        for column_tap in range(self.columns.kernel):
            with f.loop(0, self.channels) as loop:
                slot = self._slot(f, scratch, column_tap, loop.index, rows)
                for row in range(rows):
                    vector = f.load(vector_of(self.element, self.lanes), f.at(slot, self.element, row * self.lanes))
                    total = horizontal(f, vector, lambda a, b: f.binary("fadd", a, b))
                    place = f.at(
                        to, self.element, f.add(f.times(loop.index, steps[1]), row * steps[0] + column_tap * steps[3])
                    )
                    f.store(total, place)
