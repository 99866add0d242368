"""The gradient of the weights whose lanes are output channels, of (height, width, examples, channels) arrays.

A tile holds sums for some channels times vectors of output channels, and where all taps of a row fit, for each of
them; a row of places is one run of memory. The rows are divided into chunks by shape alone, each with sums of its own,
which are added up at the end: so several threads can share the work, and the bits don't depend on how many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..planning.place import Place
from ..products.pack import split
from ..text.emit import Function, Reg, const, element_type, vector_of, word
from ..text.target import Target
from .channels import Range
from .reach import LATENCY
from .weight_sums import WeightSums
from .window import Window, first_row, panels, places_inside

if TYPE_CHECKING:
    from ..planning.lowering import Lowering

TASKS = 8
"""About how many tasks there are at most: each has sums of its own."""
SUMS_BYTES, MOST_SUMS_BYTES = 1 << 20, 1 << 21
"""About how many bytes those sums may take, the second where there would be few tasks."""
BLOCK_BYTES = 1 << 19
"""Rows of input and cotangent that are gone over for all taps and output channels while they are in the cache."""
NEAR_BYTES = 1 << 15
"""The first cache."""
LINE_COST = 0.35
"""Cycles that a line from the second cache costs."""


class WeightKernel:
    """Sums over places and examples into (chunk, vector, channel, kernel row, kernel column, lane)."""

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
        self.taps = rows.kernel * columns.kernel
        self.vector_step = self.channels * self.taps * self.lanes
        self.size = -(-self.out // self.lanes) * self.vector_step
        itemsize = x.dtype.itemsize
        few, many = (limit // (self.size * itemsize) for limit in (SUMS_BYTES, MOST_SUMS_BYTES))
        most = max(1, min(TASKS, max(few, min(TASKS // self.tiles, many))))
        self.chunk_rows = -(-rows.count // most)
        self.chunks = -(-rows.count // self.chunk_rows)
        self.tiles_at_once = -(-self.tiles // max(1, TASKS // self.chunks))
        self.parts = -(-self.tiles // self.tiles_at_once)
        row_bytes = (rows.stride * x.strides[2] + g.strides[2]) * itemsize
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
            lines = 1 + wide * (1 if self._is_near(at_once) else at_once)
            cycles = max(rows * wide * at_once / 2, loads / 2, LATENCY) + 0.15 * loads + LINE_COST * lines
            total += (last - low) * -(-vectors // wide) * cycles * taps / at_once
            bodies += at_once
        return total * (1 + 0.02 * bodies)

    def _is_near(self, columns: int) -> bool:
        """Whether so many columns of the cotangent stay in the first cache: with what lies between a tile's lines."""
        return columns * self.examples * self.g.strides[0] * self.g.dtype.itemsize <= NEAR_BYTES

    @property
    def tasks(self) -> int:
        """One for each chunk of rows and part of the tiles of output channels."""
        return self.chunks * self.parts

    def write(self, f: Function, pointers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        """The kernel's body: pointers to input, cotangent, sums."""
        with f.loop(begin, end) as loop:
            chunk, part = split(f, loop.index, self.parts)
            x, g, sums = pointers
            sums = f.at(sums, self.element, f.times(chunk, self.size))
            low = f.times(part, self.tiles_at_once)
            tiles = low, f.minimum(f.add(low, self.tiles_at_once), word(self.tiles))
            self._chunk(f, (x, g, sums), chunk, tiles)

    def _chunk(self, f: Function, pointers: Sequence[Reg], chunk: Reg, tiles: Range) -> None:
        self._clear(f, pointers[2], tiles)
        first = f.times(chunk, self.chunk_rows)
        last = f.minimum(f.add(first, self.chunk_rows), word(self.rows.count))
        whole = self.out // self.tile_columns
        kinds = [(0, whole, [self.lanes] * self.wide)] if whole else []
        if rest := self.out - whole * self.tile_columns:
            kinds.append((whole, self.tiles, self._narrow(rest)))
        with f.loop(first, last, self.block_rows) as block:
            places = block.index, f.minimum(f.add(block.index, self.block_rows), last)
            for low, high, lanes in kinds:
                with f.loop(f.maximum(tiles[0], word(low)), f.minimum(tiles[1], word(high))) as tile:
                    self._block(f, self._tile(f, pointers, tile.index), places, lanes)

    def _narrow(self, rest: int) -> list[int]:
        """The lanes of the vectors of a last tile."""
        vectors, last = divmod(rest, self.lanes)
        return [self.lanes] * vectors + ([last] if last else [])

    def _tile(self, f: Function, pointers: Sequence[Reg], tile: Reg) -> tuple[Reg, Reg, Reg]:
        """Where a tile of output channels begins."""
        x, g, sums = pointers
        column = f.times(tile, self.tile_columns)
        sums = f.at(sums, self.element, f.times(tile, self.wide * self.vector_step))
        return f.at(x, self.element, column) if self.depthwise else x, f.at(g, self.element, column), sums

    def _block(self, f: Function, pointers: Sequence[Reg], places: Range, lanes: Sequence[int]) -> None:
        """Some rows of places, for all of the kernel."""
        with f.loop(0, self.rows.kernel) as tap:
            low, high = places_inside(f, self.rows, tap.index)
            here = f.maximum(low, places[0]), f.minimum(high, places[1])
            self._kernel_row(f, pointers, tap.index, here, lanes)

    def _clear(self, f: Function, sums: Reg, tiles: Range) -> None:
        last = word(self.size // self.lanes)
        low, high = (f.times(each, self.wide * self.channels * self.taps) for each in tiles)
        with f.loop(low, f.minimum(high, last)) as loop:
            to = f.at(sums, self.element, f.times(loop.index, self.lanes))
            f.store(const(vector_of(self.element, self.lanes), 0.0), to)

    def _kernel_row(self, f: Function, pointers: Sequence[Reg], tap: Reg, places: Range, lanes: Sequence[int]) -> None:
        """All that one row of the kernel takes from some rows of places."""
        x, g, sums = pointers
        strides, taps = self.x.strides, self.columns.kernel
        offset = f.times(f.add(f.times(tap, self.rows.dilation), -self.rows.low), strides[2])
        x = f.at(x, self.element, offset)
        sums = f.at(sums, self.element, f.times(tap, taps * self.lanes))
        for height, low, high in panels(self.height, self.channels):
            with f.loop(low, high) as panel:
                channel = first_row(f, panel.index, self.height, self.channels)
                to = f.at(sums, self.element, f.times(channel, self.taps * self.lanes))
                at = f.at(x, self.element, channel), g, to
                if self.all_taps:
                    WeightSums(self, f, at, places, height, lanes, list(range(taps))).all_taps()
                    continue
                with f.loop(0, taps) as across:
                    to = f.at(at[2], self.element, f.times(across.index, self.lanes))
                    WeightSums(self, f, (at[0], g, to), places, height, lanes, [0]).one_tap(across.index)
