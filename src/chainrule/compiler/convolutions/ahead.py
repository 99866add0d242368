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
    from .window import Window

At = tuple["Place", Reg]
"""An array, and a pointer to the first place that counts."""

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


def lie_far(*places: Place) -> bool:
    """Whether arrays are so large together that what comes next is worth asking for."""
    return sum(_nbytes(place) for place in places) >= FAR_BYTES


def shares_ahead(
    f: Function, x: At, y: At, windows: tuple[Window, Window], places: int, example: Reg, tile: Tile
) -> list[Share]:
    """What a tile asks for of what the next task reads and writes: as much as it works on itself, for all channels.

    x: from the corner of what the tiles of a task meet; y: from their first place. windows: along rows and columns;
    places: how many a task has; example: the first one of the tile.
    """
    (rows, columns), (_, _, row, column) = windows, x[0].strides
    newest = (rows.kernel - 1) * rows.dilation * row + (columns.kernel - 1) * columns.dilation * column
    runs = [(*y, 0, True)]
    if rows.stride == columns.stride == 1:
        runs.append((*x, newest, False))
    return [
        _share(f, place, pointer, first + places * place.strides[3], example, tile, write)
        for place, pointer, first, write in runs
        if _is_run(place)
    ]


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
