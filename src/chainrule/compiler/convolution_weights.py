"""The gradient of the weights whose lanes are output channels, of (height, width, examples, channels) arrays.

A tile holds sums for some channels times vectors of output channels, and where all taps of a row fit, for each of
them; a row of places is one run of memory. The rows are divided into chunks by shape alone, each with sums of its own,
which are added up at the end: so several threads can share the work, and the bits don't depend on how many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .convolution_channels import chosen, divided, fetch
from .convolution_reach import LATENCY
from .convolution_window import Window, first_row, panels, places_inside
from .emit import Function, Reg, bytes_of, const, element_type, vector_of, word
from .place import Place
from .runtime import Target

if TYPE_CHECKING:
    from .units import Lowering

TASKS = 8
"""About how many tasks there are at most: each has sums of its own."""
SUMS_BYTES = 1 << 21
"""About how many bytes those sums may take."""
BLOCK_BYTES = 1 << 19
"""Rows of input and cotangent that are gone over for all taps while they are in the cache."""


MOST_PRODUCTS = 64
"""Multiplications in the body of a loop, at most, where it does several examples."""
AHEAD = 12
"""How many examples ahead memory is asked for."""


class WeightKernel:
    """Sums over places and examples into (chunk, kernel row, kernel column, channel, output channel)."""

    def __init__(
        self, lowering: Lowering, x: Place, g: Place, rows: Window, columns: Window, depthwise: bool = False
    ) -> None:
        """depthwise: each output channel was made of the input channel of its number alone."""
        self.x, self.g, self.rows, self.columns, self.depthwise = x, g, rows, columns, depthwise
        self.element = element_type(x.dtype)
        self.lanes = lowering.target.lanes(x.dtype.itemsize)
        self.examples, self.out = x.shape[0], g.shape[1]
        self.channels = 1 if depthwise else x.shape[1]
        self.height, self.wide, self.all_taps = self._choose(lowering.target)
        self.tile_columns = self.wide * self.lanes
        self.tiles = -(-self.out // self.tile_columns)
        self.size = rows.kernel * columns.kernel * self.channels * self.out
        most = max(1, min(TASKS // self.tiles, SUMS_BYTES // (self.size * x.dtype.itemsize)))
        self.chunk_rows = -(-rows.count // most)
        self.chunks = -(-rows.count // self.chunk_rows)
        row_bytes = (rows.stride * x.strides[2] + g.strides[2]) * x.dtype.itemsize
        self.block_rows = max(1, min(self.chunk_rows, BLOCK_BYTES // row_bytes))

    def _choose(self, target: Target) -> tuple[int, int, bool]:
        """Channels and vectors of a tile, and whether it holds the sums of all taps of a row."""
        vectors = -(-self.out // self.lanes)
        window = self.columns
        options = []
        for wide in range(1, min(4, vectors) + 1):
            options.append((min(self.channels, (target.registers - 2 - wide) // wide), wide, False))
            most = (target.registers - 2 - wide * window.kernel) // (wide * window.kernel)
            if window.stride == window.dilation == 1 and 1 < window.kernel <= 3 and most > 0:
                options.append((min(self.channels, most), wide, True))
        return min(options, key=lambda option: self._cycles(vectors, *option))

    def _cycles(self, vectors: int, height: int, wide: int, all_taps: bool) -> float:
        taps = self.columns.kernel
        total, bodies = 0.0, 0
        for rows, low, last in panels(height, self.channels):
            at_once = taps if all_taps else 1
            loads = rows + wide * at_once
            cycles = max(rows * wide * at_once / 2, loads / 2, LATENCY) + 0.15 * loads
            total += (last - low) * -(-vectors // wide) * cycles * taps / at_once
            bodies += at_once
        return total * (1 + 0.02 * bodies)

    @property
    def tasks(self) -> int:
        """One for each chunk of rows and tile of output channels."""
        return self.chunks * self.tiles

    def write(self, f: Function, pointers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        """The kernel's body: pointers to input, cotangent, sums."""
        whole = self.out // self.tile_columns
        with f.loop(begin, end) as loop:
            chunk, tile = divided(f, loop.index, self.tiles)
            column = f.times(tile, self.tile_columns)
            x, g, sums = pointers
            g = f.at(g, self.element, column)
            x = f.at(x, self.element, column) if self.depthwise else x
            sums = f.at(sums, self.element, f.add(f.times(chunk, self.size), column))
            if whole:
                with chosen(f, tile, 0, whole, self.tiles):
                    self._chunk(f, (x, g, sums), chunk, [self.lanes] * self.wide)
            if rest := self.out - whole * self.tile_columns:
                with chosen(f, tile, whole, self.tiles, self.tiles):
                    self._chunk(f, (x, g, sums), chunk, self._narrow(rest))

    def _narrow(self, rest: int) -> list[int]:
        """The lanes of the vectors of a last tile."""
        vectors, last = divmod(rest, self.lanes)
        return [self.lanes] * vectors + ([last] if last else [])

    def _chunk(self, f: Function, pointers: Sequence[Reg], chunk: Reg, lanes: Sequence[int]) -> None:
        self._clear(f, pointers[2], lanes)
        first = f.times(chunk, self.chunk_rows)
        last = f.minimum(f.add(first, self.chunk_rows), word(self.rows.count))
        with f.loop(first, last, self.block_rows) as block:
            stop = f.minimum(f.add(block.index, self.block_rows), last)
            with f.loop(0, self.rows.kernel) as tap:
                low, high = places_inside(f, self.rows, tap.index)
                here = f.maximum(low, block.index), f.minimum(high, stop)
                self._kernel_row(f, pointers, tap.index, here, lanes)

    def _clear(self, f: Function, sums: Reg, lanes: Sequence[int]) -> None:
        with f.loop(0, self.rows.kernel * self.columns.kernel * self.channels) as loop:
            to = f.at(sums, self.element, f.times(loop.index, self.out))
            for vector, width in enumerate(lanes):
                f.store(const(vector_of(self.element, width), 0.0), f.at(to, self.element, vector * self.lanes))

    def _kernel_row(
        self, f: Function, pointers: Sequence[Reg], tap: Reg, places: tuple[Reg, Reg], lanes: Sequence[int]
    ) -> None:
        """All that one row of the kernel takes from some rows of places."""
        x, g, sums = pointers
        strides, taps = self.x.strides, self.columns.kernel
        offset = f.times(f.add(f.times(tap, self.rows.dilation), -self.rows.low), strides[2])
        x = f.at(x, self.element, offset)
        sums = f.at(sums, self.element, f.times(tap, taps * self.channels * self.out))
        for height, low, high in panels(self.height, self.channels):
            with f.loop(low, high) as panel:
                channel = first_row(f, panel.index, self.height, self.channels)
                at = f.at(x, self.element, channel), g, f.at(sums, self.element, f.times(channel, self.out))
                if self.all_taps:
                    _Sums(self, f, at, places, height, lanes, list(range(taps))).all_taps()
                    continue
                with f.loop(0, taps) as across:
                    to = f.at(at[2], self.element, f.times(across.index, self.channels * self.out))
                    _Sums(self, f, (at[0], g, to), places, height, lanes, [0]).one_tap(across.index)


class _Sums:
    """The sums of one tile: taps x channels x vectors, read from memory and written back."""

    def __init__(
        self,
        kernel: WeightKernel,
        f: Function,
        pointers: Sequence[Reg],
        places: tuple[Reg, Reg],
        height: int,
        lanes: Sequence[int],
        taps: Sequence[int],
    ) -> None:
        self.kernel, self.f, self.pointers, self.places = kernel, f, pointers, places
        self.height, self.lanes, self.taps = height, lanes, taps

    def one_tap(self, tap: Reg) -> None:
        """All places that have this tap inside: in a row they and their examples are one run of memory."""
        f, kernel, window = self.f, self.kernel, self.kernel.columns
        low, high = places_inside(f, window, tap)
        x, g, _ = self.pointers
        across = f.times(f.add(f.times(tap, window.dilation), -window.low), kernel.x.strides[3])
        totals = self._load()
        with f.loop(*self.places, 1, totals) as row:
            here_x = self._at(x, f.add(f.times(row.index, kernel.rows.stride * kernel.x.strides[2]), across))
            here_g = self._at(g, f.times(row.index, kernel.g.strides[2]))
            row.carry(*self._columns((here_x, here_g), (low, high), window.stride, [(0, 0)], row.carried))
        self._store(row.results)

    def all_taps(self) -> None:
        """Column by column of the input, for all the taps that meet it."""
        f, kernel, window = self.f, self.kernel, self.kernel.columns
        x, g, _ = self.pointers
        totals = self._load()
        with f.loop(*self.places, 1, totals) as row:
            here_x = self._at(x, f.times(row.index, kernel.rows.stride * kernel.x.strides[2]))
            here_g = self._at(g, f.times(row.index, kernel.g.strides[2]))
            current = list(row.carried)
            from_g = self._at(here_g, word(window.low * kernel.g.strides[3]))
            for first, last, taps in _column_runs(window):
                meets = [(tap, -tap * kernel.g.strides[3]) for tap in taps]
                current = self._columns((here_x, from_g), (word(first), word(last)), 1, meets, current)
            row.carry(*current)
        self._store(row.results)

    def _columns(
        self,
        pointers: tuple[Reg, Reg],
        places: tuple[Reg, Reg],
        stride: int,
        meets: Sequence[tuple[int, int]],
        totals: Sequence[Reg],
    ) -> list[Reg]:
        """Some places of a row. meets: (tap, where its cotangent lies). The examples of neighbours are one long run."""
        f, kernel, (low, high) = self.f, self.kernel, places
        steps = stride * kernel.x.strides[3], kernel.g.strides[3]
        if steps == (kernel.examples * kernel.x.strides[0], kernel.examples * kernel.g.strides[0]):
            here_x, here_g = (self._at(each, f.times(low, step)) for each, step in zip(pointers, steps))
            count = f.times(f.add(high, f.times(low, -1)), kernel.examples)
            return self._examples(here_x, here_g, count, meets, totals)
        with f.loop(low, high, 1, totals) as column:
            here_x, here_g = (self._at(each, f.times(column.index, step)) for each, step in zip(pointers, steps))
            column.carry(*self._examples(here_x, here_g, word(kernel.examples), meets, column.carried))
        return list(column.results)

    def _examples(
        self, x: Reg, g: Reg, count: Reg, meets: Sequence[tuple[int, int]], totals: Sequence[Reg]
    ) -> list[Reg]:
        f, kernel = self.f, self.kernel
        products = len(meets) * self.height * len(self.lanes)
        unrolled = next((n for n in (4, 2) if kernel.examples % n == 0 and n * products <= MOST_PRODUCTS), 1)
        with f.loop(0, count, unrolled, totals) as loop:
            here_x = self._at(x, f.times(loop.index, kernel.x.strides[0]))
            here_g = self._at(g, f.times(loop.index, kernel.g.strides[0]))
            current = list(loop.carried)
            for example in range(unrolled):
                x_example = self._at(here_x, word(example * kernel.x.strides[0]))
                g_example = self._at(here_g, word(example * kernel.g.strides[0]))
                self._fetch_ahead(x_example, g_example, meets)
                current = self._multiply(x_example, g_example, meets, current)
            loop.carry(*current)
        return list(loop.results)

    def _fetch_ahead(self, x: Reg, g: Reg, meets: Sequence[tuple[int, int]]) -> None:
        """Bring what is needed some examples later near; of the cotangent the newest column."""
        f, kernel = self.f, self.kernel
        itemsize = bytes_of(kernel.element)
        fetch(f, x, word(AHEAD * kernel.x.strides[0] * itemsize))
        newest = max(offset for _, offset in meets) + AHEAD * kernel.g.strides[0]
        for vector in range(len(self.lanes)):
            fetch(f, g, word((newest + vector * kernel.lanes) * itemsize))

    def _multiply(self, x: Reg, g: Reg, meets: Sequence[tuple[int, int]], totals: list[Reg]) -> list[Reg]:
        f, element, lanes = self.f, self.kernel.element, self.lanes
        right = {
            (tap, vector): f.load(vector_of(element, width), self._at(g, word(offset + vector * self.kernel.lanes)))
            for tap, offset in meets
            for vector, width in enumerate(lanes)
        }
        result = list(totals)
        for channel in range(self.height):
            left = self._left(x, channel)
            for tap, _ in meets:
                for vector in range(len(lanes)):
                    number = self._number(tap, channel, vector)
                    result[number] = f.fma(left[vector], right[tap, vector], result[number])
        return result

    def _left(self, x: Reg, channel: int) -> list[Reg]:
        """What the vectors of the cotangent are multiplied with: one channel, or each lane its own."""
        f, element = self.f, self.kernel.element
        if self.kernel.depthwise:
            at = [self._at(x, word(vector * self.kernel.lanes)) for vector in range(len(self.lanes))]
            return [f.load(vector_of(element, width), place) for width, place in zip(self.lanes, at)]
        one = f.load(element, self._at(x, word(channel)))
        return [f.splat(one, width) for width in self.lanes]

    def _at(self, pointer: Reg, offset: Reg) -> Reg:
        return self.f.at(pointer, self.kernel.element, offset)

    def _number(self, tap: int, channel: int, vector: int) -> int:
        return (tap * self.height + channel) * len(self.lanes) + vector

    def _places(self) -> list[tuple[Reg, int]]:
        """Where each sum rests, and its lanes."""
        kernel = self.kernel
        return [
            (self._at(self.pointers[2], word((tap * kernel.channels + c) * kernel.out + v * kernel.lanes)), width)
            for tap in self.taps
            for c in range(self.height)
            for v, width in enumerate(self.lanes)
        ]

    def _load(self) -> list[Reg]:
        return [self.f.load(vector_of(self.kernel.element, width), place) for place, width in self._places()]

    def _store(self, totals: Sequence[Reg]) -> None:
        for (place, _), total in zip(self._places(), totals):
            self.f.store(total, place)


def _column_runs(window: Window) -> list[tuple[int, int, list[int]]]:
    """(first, last, taps): columns of the input that meet the same taps; stride and dilation are 1."""
    runs: list[tuple[int, int, list[int]]] = []
    for column in range(window.size):
        taps = [tap for tap in range(window.kernel) if 0 <= column + window.low - tap < window.count]
        if runs and runs[-1][2] == taps:
            runs[-1] = (runs[-1][0], column + 1, taps)
        elif taps:
            runs.append((column, column + 1, taps))
    return runs
