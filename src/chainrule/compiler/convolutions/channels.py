"""Convolutions whose lanes are output channels, in arrays laid out as (height, width, examples, channels).

So the examples of one place lie side by side: all of them are cut alike at the edges, nothing outside the input is
multiplied or stored, and a tile reads and writes whole runs of memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from ..planning.place import Place
from ..products.pack import split
from ..text.emit import Function, Reg, bytes_of, const, element_type, vector_of, word
from ..text.fetch import CACHE_LINE
from ..text.tile import part
from .ahead import FEWEST_BYTES, Share, fetch, lie_far, shares_ahead
from .reach import ONE_TAP, Reach, Run, Tile, choose_tile, column_runs, height_of
from .window import Window, first_row, panels, taps_inside

if TYPE_CHECKING:
    from ..planning.lowering import Lowering

Range = tuple[Reg, Reg]

MOST_PRODUCTS = 60
"""Multiplications in the body of a loop, at most."""
FEW_TAPS = 4
"""Up to so many, what the next panel reads is asked for: with more, memory keeps up by itself."""
NEAR_BYTES, WEIGHT_BYTES = 1 << 14, 1 << 19
"""Weights that the first and the second cache hold beside what else is needed."""


class ChannelsKernel:
    """y = convolution of x with packed weights, (vector of output channels, row, column, channel, lane).

    One task is one tile of places of a row, for all examples: so memory is read in long runs. All output channels
    belong to it too, unless their weights are more than a cache holds: then one task is one tile of channels.
    """

    def __init__(
        self, lowering: Lowering, x: Place, y: Place, rows: Window, columns: Window, depthwise: bool = False
    ) -> None:
        """depthwise: each output channel is made of the input channel of its number alone."""
        self.x, self.y, self.rows, self.columns, self.depthwise = x, y, rows, columns, depthwise
        self.element = element_type(x.dtype)
        self.lanes = lowering.target.lanes(x.dtype.itemsize)
        self.examples, self.out = x.shape[0], y.shape[1]
        self.channels = 1 if depthwise else x.shape[1]  # of each output channel
        self.vectors = -(-self.out // self.lanes)
        at_once = 1 if depthwise else self.vectors
        self.tap_step = self.channels * self.lanes  # in the weights
        self.vector_step = rows.kernel * columns.kernel * self.tap_step
        self.far = at_once * self.vector_step * x.dtype.itemsize > NEAR_BYTES
        self.tile = choose_tile(lowering.target.registers, columns, self.examples, at_once, self.far)
        self.vector_tiles = -(-self.vectors // self.tile.vectors)
        self.fetches = self.vector_tiles == 1 and not depthwise and rows.kernel * columns.kernel <= FEW_TAPS
        self.divides_vectors = self.vectors * self.vector_step * x.dtype.itemsize > WEIGHT_BYTES

    @property
    def tasks(self) -> int:
        """One for each tile of places, and of channels where those are divided."""
        return self.rows.count * self._across * (self.vector_tiles if self.divides_vectors else 1)

    @property
    def _across(self) -> int:
        """Tiles of places in a row."""
        return -(-self.columns.count // self.tile.places)

    @property
    def _runs(self) -> Sequence[Run]:
        """Tiles of places that meet the input alike: all of them, where taps are gone over one by one."""
        if self.tile.by_tap:
            return [Run(0, self.columns.count, ONE_TAP)]
        return column_runs(self.columns, self.tile.places)

    def write(self, f: Function, pointers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        """The kernel's body: pointers to weights, input, output."""
        with f.loop(begin, end) as loop:
            task, across = split(f, loop.index, self._across)
            vectors, row = split(f, task, self.rows.count)
            tiles = (vectors, f.add(vectors, 1)) if self.divides_vectors else (word(0), word(self.vector_tiles))
            place = f.times(across, self.tile.places)
            for run in self._runs:
                first = run.first // self.tile.places
                with chosen(f, across, first, first + run.count, self._across):
                    self._examples(f, pointers, tiles, row, place, run.reach)

    def _examples(self, f: Function, pointers: Sequence[Reg], tiles: Range, row: Reg, place: Reg, reach: Reach) -> None:
        """A tile of places for all examples."""
        weight, x, y = pointers
        steps, to = self.x.strides, self.y.strides
        corner = f.add(f.times(row, self.rows.stride * steps[2]), f.times(place, self.columns.stride * steps[3]))
        corner = f.add(corner, -self.rows.low * steps[2] - self.columns.low * steps[3])
        x = f.at(x, self.element, corner)
        y = f.at(y, self.element, f.add(f.times(row, to[2]), f.times(place, to[3])))
        taps = taps_inside(f, self.rows, row), taps_inside(f, self.columns, place) if self.tile.by_tap else None
        height = height_of(self.tile, reach, self.examples, self.far)
        for high, low, last in panels(height, self.examples):
            with f.loop(low, last) as panel:
                example = first_row(f, panel.index, height, self.examples)
                here = f.at(x, self.element, f.times(example, steps[0]))
                there = f.at(y, self.element, f.times(example, to[0]))
                ahead = self._ahead(f, x, y, example, Tile(reach.places, high, self.vectors, self.tile.by_tap))
                self._channels(f, (weight, here, there), tiles, taps, reach, high, ahead)

    def _ahead(self, f: Function, x: Reg, y: Reg, example: Reg, tile: Tile) -> list[Share]:
        """What a tile asks for, where its shares are not too small to be worth it."""
        if self.depthwise or self.fetches or not lie_far(self.x, self.y):
            return []
        windows, fewest = (self.rows, self.columns), FEWEST_BYTES * self.vector_tiles * self.rows.kernel * self.channels
        shares = shares_ahead(f, (self.x, x), (self.y, y), windows, self.tile.places, example, tile)
        return [share for share in shares if share.size >= fewest]

    def _channels(
        self,
        f: Function,
        pointers: Sequence[Reg],
        tiles: Range,
        taps: tuple[Range, Range | None],
        reach: Reach,
        high: int,
        ahead: Sequence[Share],
    ) -> None:
        """The tiles of output channels that are asked for; a narrow last vector has a tile of its own."""
        weight, x, y = pointers
        wide = self.tile.vectors
        whole = self.out // self.lanes // wide
        for vectors, first, last in ((wide, 0, whole), (self.vectors - whole * wide, whole, self.vector_tiles)):
            if first == last:
                continue
            narrow = self.out % self.lanes if last > whole else 0
            with f.loop(f.maximum(tiles[0], word(first)), f.minimum(tiles[1], word(last))) as loop:
                number = f.times(loop.index, wide)
                b = f.at(weight, self.element, f.times(number, self.vector_step))
                shares = [share.part(f, loop.index, self.vector_tiles) for share in ahead]
                body = _Body(self, f, reach, high, vectors, narrow, shares)
                totals = body.run(f.at(x, self.element, f.times(number, self.lanes)) if self.depthwise else x, b, *taps)
                body.store(f.at(y, self.element, f.times(number, self.lanes)), totals)


class _Body:
    """The sums of one tile: places x examples x vectors."""

    def __init__(
        self,
        kernel: ChannelsKernel,
        f: Function,
        reach: Reach,
        high: int,
        wide: int,
        narrow: int,
        ahead: Sequence[Share],
    ) -> None:
        """narrow: how many lanes of the last vector there are, where not all. ahead: what is asked for meanwhile."""
        self.kernel, self.f, self.reach, self.high, self.wide, self.narrow = kernel, f, reach, high, wide, narrow
        self.ahead = ahead
        self.element = kernel.element
        self.vector = vector_of(kernel.element, narrow if narrow and kernel.depthwise else kernel.lanes)
        products = max(1, reach.products * high * wide)
        fitting = [n for n in (8, 4, 3, 2) if kernel.channels % n == 0 and n * products <= MOST_PRODUCTS]
        self.unrolled = fitting[0] if fitting else 1

    def store(self, y: Reg, totals: Sequence[Reg]) -> None:
        """Write the sums."""
        f, steps = self.f, self.kernel.y.strides
        for number, total in enumerate(totals):
            rest, vector = divmod(number, self.wide)
            place, example = divmod(rest, self.high)
            offset = place * steps[3] + example * steps[0] + vector * self.kernel.lanes
            cut_off = self.narrow and vector == self.wide - 1 and not self.kernel.depthwise
            kept = part(f, total, 0, self.narrow) if cut_off else total
            f.store(kept, f.at(y, self.element, offset))

    def run(self, x: Reg, weight: Reg, taps: tuple[Reg, Reg], across: tuple[Reg, Reg] | None) -> list[Reg]:
        """The sums. x: the corner of what the whole kernel meets; across: the taps of a row, where they vary."""
        f, kernel = self.f, self.kernel
        totals = [const(self.vector, 0.0)] * (self.reach.places * self.high * self.wide)
        with f.loop(*taps, 1, totals) as loop:
            a = f.at(x, self.element, f.times(loop.index, kernel.rows.dilation * kernel.x.strides[2]))
            b = f.at(weight, self.element, f.times(loop.index, kernel.columns.kernel * kernel.tap_step))
            shares = [share.part(f, loop.index, kernel.rows.kernel) for share in self.ahead]
            loop.carry(*self._row(a, b, across, shares, loop.carried))
        return list(loop.results)

    def _row(
        self, x: Reg, weight: Reg, across: Range | None, ahead: Sequence[Share], totals: Sequence[Reg]
    ) -> list[Reg]:
        f, kernel = self.f, self.kernel
        if across is None:
            return self._channels(x, weight, ahead, totals)
        with f.loop(*across, 1, totals) as loop:
            a = f.at(x, self.element, f.times(loop.index, kernel.columns.dilation * kernel.x.strides[3]))
            b = f.at(weight, self.element, f.times(loop.index, kernel.tap_step))
            loop.carry(*self._channels(a, b, [], loop.carried))
        return list(loop.results)

    def _channels(self, x: Reg, weight: Reg, ahead: Sequence[Share], totals: Sequence[Reg]) -> list[Reg]:
        f, kernel = self.f, self.kernel
        with f.loop(0, kernel.channels, self.unrolled, totals) as loop:
            a = f.at(x, self.element, loop.index)
            b = f.at(weight, self.element, f.times(loop.index, kernel.lanes))
            if kernel.fetches:
                self._fetch_ahead(x, loop.index)
            for share in ahead:
                share.part(f, loop.index, kernel.channels, self.unrolled).fetch(f)
            current = list(loop.carried)
            for channel in range(self.unrolled):
                at_channel = f.at(b, self.element, channel * kernel.lanes)
                current = self._multiply(f.at(a, self.element, channel), at_channel, current)
            loop.carry(*current)
        return list(loop.results)

    def _element(self, x: Reg) -> Reg:
        """What all lanes are multiplied with: one channel, or each lane its own."""
        if self.kernel.depthwise:
            return self.f.load(self.vector, x)
        return self.f.splat(self.f.load(self.element, x), self.kernel.lanes)

    def _fetch_ahead(self, x: Reg, channel: Reg) -> None:
        """Bring a part of what the next panel reads near, so that after all channels it is there."""
        f, kernel = self.f, self.kernel
        itemsize = bytes_of(self.element)
        step = self.high * itemsize  # for each channel
        offset = f.add(f.times(channel, step), self.high * kernel.x.strides[0] * itemsize)
        for column, _ in self.reach.meets:
            for line in range(0, self.unrolled * step, CACHE_LINE):
                fetch(f, x, f.add(offset, column * kernel.x.strides[3] * itemsize + line))

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
        for column, entered in self.reach.meets:  # the examples innermost, so that no sum waits for itself
            for example in range(self.high):
                offset = column * kernel.x.strides[3] + example * kernel.x.strides[0]
                element = self._element(f.at(x, self.element, offset))
                for place, tap in entered:
                    for vector in range(self.wide):
                        number = (place * self.high + example) * self.wide + vector
                        result[number] = f.fma(element, weights[tap, vector], result[number])
        return result


def chosen(f: Function, number: Reg, low: int, high: int, count: int) -> AbstractContextManager[None]:
    """A block that runs if low <= number < high, where it is one of `count`."""
    if (low, high) == (0, count):
        return nullcontext()
    if low == 0 or high == count:
        edge, condition = (low, "icmp sge") if low else (high, "icmp slt")
        return f.when(f.compare(condition, number, word(edge)))
    return f.when(f.compare("icmp ult", f.add(number, -low), word(high - low)))
