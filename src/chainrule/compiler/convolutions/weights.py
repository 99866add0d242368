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
from ..text.emit import Function, Reg, element_type, word
from ..text.target import Target
from .channels import Range
from .reach import LATENCY
from .weight_sums import WeightSums
from .window import Window, first_row, panels, places_inside

if TYPE_CHECKING:
    from ..planning.lowering import Lowering

TASKS = 8
"""About how many there should be, and the most chunks of rows: each has sums of its own."""
FEWEST_PLACES = 1 << 12, 1 << 10
"""And examples of a chunk, so that to write its sums and to add them up is little; the second for few tasks."""
BLOCK_BYTES = 1 << 18
"""Rows of input and cotangent that are gone over for all taps and output channels while they are in the cache."""
FEWEST_AT_ONCE = 1 << 8
"""Places and examples of such rows: for fewer, sums come and go too often."""
SUMS_BYTES = 1 << 19
"""Sums that stay in the cache beside such rows."""
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
        self.chunk_rows = -(-rows.count // self._most_chunks())
        self.chunks = -(-rows.count // self.chunk_rows)
        row_bytes = (rows.stride * x.strides[2] + g.strides[2]) * x.dtype.itemsize
        fewest = -(-FEWEST_AT_ONCE // (self.examples * columns.count))
        self.block_rows = max(1, min(self.chunk_rows, max(fewest, BLOCK_BYTES // row_bytes)))

    def _most_chunks(self) -> int:
        places = self.examples * self.rows.count * self.columns.count
        few, many = (places // fewest for fewest in FEWEST_PLACES)
        return max(1, min(TASKS, max(few, min(TASKS // self.parts, many))))

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
    def parts(self) -> int:
        """Of a chunk: a row of the kernel for a tile of output channels each. None needs what another one sums up."""
        return self.tiles * self.rows.kernel

    @property
    def parts_at_once(self) -> int:
        """So many that go over a block of rows one after the other: their sums are in the cache, too."""
        sums = self.wide * self.vector_step // self.rows.kernel * self.x.dtype.itemsize
        return min(self.parts, max(1, SUMS_BYTES // sums))

    @property
    def tasks(self) -> int:
        """One for each part of each chunk. Those that a thread does at once share the rows that are in its cache."""
        return self.chunks * self.parts

    def write(self, f: Function, pointers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        """The kernel's body: pointers to input, cotangent, sums."""
        x, g, sums = pointers
        first = f.binary("udiv", begin, word(self.parts))
        with f.loop(first, f.binary("udiv", f.add(end, self.parts - 1), word(self.parts))) as chunk:
            before = f.times(chunk.index, -self.parts)
            low, high = f.maximum(f.add(begin, before), word(0)), f.minimum(f.add(end, before), word(self.parts))
            own = f.at(sums, self.element, f.times(chunk.index, self.size))
            with f.loop(low, high, self.parts_at_once) as loop:
                parts = loop.index, f.minimum(f.add(loop.index, self.parts_at_once), high)
                self._chunk(f, (x, g, own), chunk.index, parts)

    def _chunk(self, f: Function, pointers: Sequence[Reg], chunk: Reg, parts: Range) -> None:
        first = f.times(chunk, self.chunk_rows)
        last = f.minimum(f.add(first, self.chunk_rows), word(self.rows.count))
        whole = self.out // self.tile_columns
        kinds = [(0, whole, [self.lanes] * self.wide)] if whole else []
        if rest := self.out - whole * self.tile_columns:
            kinds.append((whole, self.tiles, self._narrow(rest)))
        with f.loop(first, last, self.block_rows) as block:
            places = block.index, f.minimum(f.add(block.index, self.block_rows), last)
            fresh = f.compare("icmp eq", block.index, first)
            for kind in kinds:
                low, high = (tile * self.rows.kernel for tile in kind[:2])
                with f.loop(f.maximum(parts[0], word(low)), f.minimum(parts[1], word(high))) as part:
                    tile, tap = split(f, part.index, self.rows.kernel)
                    self._part(f, self._tile(f, pointers, tile), tap, places, fresh, kind[2])

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

    def _part(
        self, f: Function, pointers: Sequence[Reg], tap: Reg, places: Range, fresh: Reg, lanes: Sequence[int]
    ) -> None:
        """All that one row of the kernel takes from some rows of places. fresh: whether sums begin."""
        inside = places_inside(f, self.rows, tap)
        places = f.maximum(inside[0], places[0]), f.minimum(inside[1], places[1])
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
                    WeightSums(self, f, at, places, fresh, height, lanes, list(range(taps))).all_taps()
                    continue
                with f.loop(0, taps) as across:
                    to = f.at(at[2], self.element, f.times(across.index, self.lanes))
                    WeightSums(self, f, (at[0], g, to), places, fresh, height, lanes, [0]).one_tap(across.index)
