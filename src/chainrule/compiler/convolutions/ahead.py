"""What a convolution reads and writes next, asked for while it multiplies: a line every so many multiplications.

The processor fetches along runs of reads by itself, but not across pages and ends of rows, and hardly for what is
written: there a line is read before it is owned. All at once such lines keep the loads of the next tile waiting.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..text.emit import Function, Reg, word
from ..text.fetch import CACHE_LINE, ask_for
from .reach import Tile

if TYPE_CHECKING:
    from ..planning.place import Place
    from .channels import ChannelsKernel

FAR_BYTES = 1 << 19
"""Input and output of so many bytes are not all in the second cache."""
FEWEST_BYTES = 4
"""Of a share, for a row of taps of a channel: where it is less, lines are few and far between."""


@dataclass(frozen=True)
class Share:
    """So many bytes from `pointer` on."""

    pointer: Reg
    size: int
    write: bool

    def part(self, f: Function, number: Reg, count: int, parts: int = 1) -> Share:
        """`parts` of so many, from one of a number on."""
        size = self.size // count
        return Share(_behind(f, self.pointer, f.times(number, size)), size * parts, self.write)

    def fetch(self, f: Function) -> None:
        """Ask for all of it."""
        for line in range(0, self.size, CACHE_LINE):
            fetch(f, self.pointer, word(line), self.write)


def fetch(f: Function, pointer: Reg, offset: Reg, write: bool = False) -> None:
    """Ask for the line of the cache some bytes further on; nothing happens where there is no memory."""
    ask_for(f, _behind(f, pointer, offset), write)


def _behind(f: Function, pointer: Reg, offset: Reg) -> Reg:
    """Bytes further on, where there may be no memory."""
    return f.emit("ptr", f"getelementptr i8, ptr {pointer.name}, {offset}") if offset.name != "0" else pointer


def shares_ahead(kernel: ChannelsKernel, f: Function, x: Reg, y: Reg, example: Reg, tile: Tile) -> list[Share]:
    """What a tile asks for of what the next task reads and writes: as much as it works on itself, for all channels.

    x: the corner of what the tiles of a task meet; y: their first place; example: the first one of the tile.
    """
    if kernel.depthwise or kernel.fetches or _nbytes(kernel.x) + _nbytes(kernel.y) < FAR_BYTES:
        return []
    rows, columns, (_, _, row, column) = kernel.rows, kernel.columns, kernel.x.strides
    newest = (rows.kernel - 1) * rows.dilation * row + (columns.kernel - 1) * columns.dilation * column
    runs = [(kernel.y, y, 0, True)]
    if rows.stride == columns.stride == 1:
        runs.append((kernel.x, x, newest, False))
    shares = [
        _share(f, place, pointer, first + kernel.tile.places * place.strides[3], example, tile, write)
        for place, pointer, first, write in runs
        if _is_run(place)
    ]
    fewest = FEWEST_BYTES * kernel.vector_tiles * rows.kernel * kernel.channels
    return [share for share in shares if share.size >= fewest]


def _nbytes(place: Place) -> int:
    return math.prod(place.shape) * place.dtype.itemsize


def _is_run(place: Place) -> bool:
    """Whether neighbouring places are one run of memory: not where only every second one is worked on, or a group."""
    examples, channels, _, _ = place.shape
    return place.strides[0] == channels and place.strides[3] == examples * channels


def _share(f: Function, place: Place, pointer: Reg, first: int, example: Reg, tile: Tile, write: bool) -> Share:
    """Places and their examples are one run of memory, which the tiles of a task go over in parts."""
    itemsize, step = place.dtype.itemsize, tile.places * place.strides[0]
    offset = f.times(f.add(f.times(example, step), first), itemsize)
    return Share(_behind(f, pointer, offset), step * tile.examples * itemsize, write)
