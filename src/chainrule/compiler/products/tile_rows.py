"""Where the rows of A lie for a tile: one pointer where their distance is known, else one for every five rows.

And those of C, which are asked for while the sums are made.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...records import dataclass
from ..text.emit import Function, Reg, bytes_of, is_literal
from ..text.fetch import CACHE_LINE, ask_for

SHARE = 5
SCALED = {1: "i8", 2: "i16", 4: "i32"}
"""Types so long: an index of them is what an address of the processor multiplies by 1, 2 or 4."""


@dataclass(frozen=True)
class _KnownRows:
    f: Function
    element: str
    apart: int

    def begin(self, a: Reg) -> list[Reg]:
        """The pointers that the rows are reached from."""
        return [a]

    def place(self, pointers: Sequence[Reg], row: int) -> Reg:
        """The address of a row's element."""
        return self.f.at(pointers[0], self.element, row * self.apart)


@dataclass(frozen=True)
class _ToldRows:
    f: Function
    rows: int
    one: Reg  # bytes
    three: Reg

    def begin(self, a: Reg) -> list[Reg]:
        """The pointers that the rows are reached from."""
        pointers = [a]
        for _ in range(SHARE, self.rows, SHARE):
            pointers.append(self.f.at(self.f.at(pointers[-1], "i32", self.one), "i8", self.one))
        return pointers

    def place(self, pointers: Sequence[Reg], row: int) -> Reg:
        """The address of a row's element."""
        base, further = pointers[row // SHARE], row % SHARE
        if further == 0:
            return base
        return self.f.at(base, "i8", self.three) if further == 3 else self.f.at(base, SCALED[further], self.one)


RowsOfA = _KnownRows | _ToldRows


def rows_of(f: Function, element: str, rows: int, apart: Reg) -> RowsOfA:
    """The rows of A, so many elements apart."""
    if is_literal(apart):
        return _KnownRows(f, element, int(apart.name))
    one = f.times(apart, bytes_of(element))
    return _ToldRows(f, rows, one, f.times(one, 3))


class RowsOfC:
    """They are needed when the sums are done, and asked for meanwhile, one in each round.

    All at once they would take every buffer between the caches, and the sums would wait for theirs.
    """

    def __init__(self, f: Function, element: str, shape: tuple[int, int], c: Reg, c_row: Reg) -> None:
        rows, self.columns = shape
        self.f, self.element, self.c_row, self.first = f, element, c_row, c
        self.last = f.at(c, element, f.times(c_row, rows - 1))

    def ask(self, row: Reg) -> Reg:
        """Ask for a row, and give the next one; behind the last comes the last."""
        f, element = self.f, self.element
        for place in range(0, self.columns, CACHE_LINE // bytes_of(element)):
            ask_for(f, f.at(row, element, place), writes=True)
        return f.select(f.compare("icmp ult", row, self.last), f.at(row, element, self.c_row), row)
