"""Loops that pack operands of matrix products: one function for each kind of them in a program.

The kernels that call them are left with hardly anything but calls, which LLVM need not optimise.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...records import dataclass
from ..text.emit import Function, Reg, const, vector_of
from ..text.fetch import ask_for

AHEAD, ROWS_AHEAD = 16, 4
"""How many k before they are packed elements of A and B are asked for: the processor does not, they lie far apart.

Rows of B a power of two apart meet in few places of the first cache: of eight, the first are gone before they are used.
So do those of A of which more is packed at once.
"""


@dataclass(frozen=True)
class PanelKind:
    """How panels of A are packed.

    padded: rows in whole vectors, of `width` lanes; neighbours: whether the rows of one k are; asks: whether what lies
    further on is asked for.
    """

    element: str
    rows: int
    padded: int
    width: int
    neighbours: bool
    asks: bool

    @property
    def name(self) -> str:
        """The name of its function."""
        marks = "_asks" * self.asks + "_scattered" * (not self.neighbours)
        return f"pack_panels_{self.element}_{self.rows}of{self.padded}{marks}"


def pack_panels(
    f: Function, kind: PanelKind, a: Reg, to: Reg, strides: Sequence[Reg], panels: Sequence[Reg], terms: Sequence[Reg]
) -> None:
    """Pack panels that are neighbours in A, so that each line of memory is read once.

    strides: elements of A from row to row, from k to k, to what is asked for; panels: how many, elements from one
    packed panel to the next; terms: the first, the last.
    """
    if f.module.is_new(kind.name):
        told = _told("a to", "a_m a_k further panels apart low high")
        _write_panels(Function(f.module, kind.name, told, f.attributes), kind)
    f.call(kind.name, a, to, *strides, *panels, *terms)


def _write_panels(f: Function, kind: PanelKind) -> None:
    a, to, a_m, a_k, further, panels, apart, low, high = f.parameters
    with f.loop(low, high) as k:
        here = f.at(a, kind.element, f.binary("mul", k.index, a_k))
        place = f.at(to, kind.element, f.times(k.index, kind.padded))
        with f.loop(0, panels, 1, [here, place]) as panel:
            source, target = panel.carried
            if kind.asks:
                ask_for(f, f.at(source, kind.element, further))
            _write_line(f, kind, source, target, a_m)
            following = f.times(a_m, kind.rows) if not kind.neighbours else kind.rows
            panel.carry(f.at(source, kind.element, following), f.at(target, kind.element, apart))
    f.finish()


def _write_line(f: Function, kind: PanelKind, source: Reg, to: Reg, a_m: Reg) -> None:
    """The rows of one k."""
    if not kind.neighbours:
        with f.loop(0, kind.rows) as row:
            one = f.load(kind.element, f.at(source, kind.element, f.binary("mul", row.index, a_m)))
            f.store(one, f.at(to, kind.element, row.index))
        return
    whole = vector_of(kind.element, kind.width)
    for low in range(0, kind.rows, kind.width):
        part, count = f.at(source, kind.element, low), min(kind.width, kind.rows - low)
        value = f.load(whole, part) if count == kind.width else f.load_first(whole, part, count)
        f.store(value, f.at(to, kind.element, low))


@dataclass(frozen=True)
class TilesKind:
    """How tiles of a block of B are copied. part: columns of the very last vector, 0 if it is a whole one."""

    element: str
    columns: int
    part: int
    width: int

    @property
    def name(self) -> str:
        """The name of its function."""
        return f"pack_tiles_{self.element}_{self.columns}" + f"_part{self.part}" * (self.part > 0)


def pack_tiles(
    f: Function, kind: TilesKind, pointers: Sequence[Reg], strides: Sequence[Reg], tiles: Sequence[Reg], length: Reg
) -> None:
    """Copy some tiles of so many k; row by row, since what lies in a row comes soonest.

    pointers: to B and its copy; strides: elements of B from k to k, from one copied tile to the next; tiles: the first,
    the last, how many are whole, columns in whole vectors of the one behind these.
    """
    if f.module.is_new(kind.name):
        told = _told("b to", "b_k apart low high whole rest length")
        _write_tiles(Function(f.module, kind.name, told, f.attributes), kind)
    f.call(kind.name, *pointers, *strides, *tiles, length)


def _write_tiles(f: Function, kind: TilesKind) -> None:
    b, to, b_k, apart, low, high, whole, rest, length = f.parameters
    element, width, further = kind.element, kind.width, f.times(b_k, ROWS_AHEAD)
    last, behind = f.minimum(high, whole), f.add(whole, f.times(low, -1))
    has_rest = f.compare("icmp sgt", high, whole)
    to_rest, padded = f.at(to, element, f.binary("mul", behind, apart)), f.add(rest, width if kind.part else 0)
    with f.loop(0, length, 1, [f.at(b, element, f.times(low, kind.columns)), to, to_rest]) as k:
        row, place, place_of_rest = k.carried
        with f.loop(low, last, 1, [row, place]) as tile:
            source, target = tile.carried
            copy_row(f, element, width, (source, target), kind.columns, further)
            tile.carry(f.at(source, element, kind.columns), f.at(target, element, apart))
        with f.when(has_rest):
            source = f.at(row, element, f.times(behind, kind.columns))
            with f.loop(0, rest, width) as vector:
                here = f.at(source, element, vector.index), f.at(place_of_rest, element, vector.index)
                copy_row(f, element, width, here, width, further)
            if kind.part:
                here = f.at(source, element, rest), f.at(place_of_rest, element, rest)
                copy_row(f, element, width, here, kind.part, further)
        k.carry(f.at(row, element, b_k), f.at(place, element, kind.columns), f.at(place_of_rest, element, padded))
    f.finish()


def copy_row(
    f: Function, element: str, width: int, pointers: tuple[Reg, Reg], columns: int, further: Reg | int
) -> None:
    """A row of a tile, zero behind its columns up to a whole vector. further: elements to what is asked for."""
    source, to = pointers
    for start in range(0, columns, width):
        here = f.at(source, element, start)
        ask_for(f, f.at(here, element, further))
        row = f.load(vector_of(element, min(width, columns - start)), here)
        f.store(_widened(f, row, width), f.at(to, element, start))


def _widened(f: Function, row: Reg, width: int) -> Reg:
    """A whole vector, zero behind what there is."""
    if row.lanes == width:
        return row
    mask = ", ".join(f"i32 {min(lane, row.lanes)}" for lane in range(width))
    zero, type = const(row.type, 0), vector_of(row.element, width)
    return f.emit(type, f"shufflevector {row}, {zero}, <{width} x i32> <{mask}>")


def _told(pointers: str, words: str) -> list[Reg]:
    return [*(Reg("ptr", f"%{name}") for name in pointers.split()), *(Reg("i64", f"%{name}") for name in words.split())]
