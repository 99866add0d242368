"""How the work of the gradient of the weights is divided: it follows from shapes and the width of vectors alone."""

from __future__ import annotations

from ..planning.place import Place
from ..text.emit import element_type
from ..text.target import Target
from .reach import LATENCY
from .window import Window, panels

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


class WeightPlan:
    """Sums over places and examples into (chunk, vector, channel, kernel row, kernel column, lane)."""

    def __init__(self, target: Target, x: Place, g: Place, rows: Window, columns: Window, depthwise: bool) -> None:
        """depthwise: each output channel was made of the input channel of its number alone."""
        self.x, self.g, self.rows, self.columns, self.depthwise = x, g, rows, columns, depthwise
        self.element = element_type(x.dtype)
        self.lanes = target.lanes(x.dtype.itemsize)
        self.examples, self.out = x.shape[0], g.shape[1]
        self.channels = 1 if depthwise else x.shape[1]
        self.height, self.wide, self.all_taps = self._choose(target)
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
