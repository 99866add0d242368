"""The inner kernel of matrix products in the assembly of AVX-512: what LLVM makes of a tile, for a quarter of its time.

The same multiply-adds in the same order as in `tile`, where it is explained what is asked for ahead and why. Sums have
registers of their own; which ones hold addresses, and what a function saves, is left to LLVM.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...records import dataclass
from ..text.emit import Function, Reg, bytes_of, word
from ..text.fetch import CACHE_LINE
from ..text.target import Target

SHARE = 7
"""Rows that a pointer reaches: with one, three and five times their distance, and the double and fourfold of it."""
REACHED = ("({0})", "({0},{1})", "({0},{1},2)", "({0},{2})", "({0},{1},4)", "({0},{3})", "({0},{2},2)")
REGISTERS, MOST_ROWS = 31, 28
"""Vectors of sums and operands; the last register keeps where C begins."""
EARLY = 4
"""Rounds between the one that asks for the last row of C and the last one."""


@dataclass(frozen=True)
class Assembled:
    """A kind of tile. lines, rows: whether the rows of A, or its terms, are neighbours. The rest: see `TileKind`."""

    element: str
    height: int
    columns: int
    lines: bool
    rows: bool
    b_whole: bool
    unrolled: int
    rounds: bool
    whole_sums: bool
    asked: int

    @property
    def size(self) -> int:
        """Bytes of an element."""
        return bytes_of(self.element)

    @property
    def wide(self) -> int:
        """Vectors of columns."""
        return -(-self.columns * self.size // CACHE_LINE)

    def fits(self, target: Target) -> bool:
        """Whether there are registers for it, and an assembler."""
        told = not (self.lines or self.rows)
        few = self.height * self.wide + self.wide + (self.wide > 1) <= REGISTERS
        pointers = self.height <= (2 * SHARE if told or (self.asked and self.rows) else MOST_ROWS)
        return target.has_assembler and few and pointers and not (told and self.asked)


def write_assembly(f: Function, kind: Assembled, given: Sequence[Reg]) -> None:
    """The code of one tile. given: pointers to A, B, C; distances of rows and terms of A, of terms of B, of rows of C;
    how many terms; i1: whether C holds the sum over what came before; if lines are asked for, see `Far`."""
    _Assembly(f, kind).write(given)


class _Assembly:
    """Writes one tile: first what the operands are, then the instructions, in which $0 stands for the first of them."""

    def __init__(self, f: Function, kind: Assembled) -> None:
        self.f, self.kind, self.lines = f, kind, list[str]()
        self.moving: list[Reg] = []
        self.fixed: list[Reg] = []
        letters = "sd"[kind.size == 8]
        self.packed, self.one, self.copies = f"p{letters}", f"s{letters}", f"{{1to{CACHE_LINE // kind.size}}}"
        self.wide, self.sums = kind.wide, kind.height * kind.wide
        self.partial = kind.columns * kind.size % CACHE_LINE // kind.size  # columns of the last vector; 0: all

    def write(self, given: Sequence[Reg]) -> None:
        """All of it."""
        self._take(given)
        self._begin()
        self._loops()
        self._finish()
        self._call()

    # -- operands

    def _take(self, given: Sequence[Reg]) -> None:
        """Pointers that move on come first, then the register that takes what is in between, then what stays."""
        f, kind = self.f, self.kind
        a, b, c, a_row, a_step, b_step, c_row, length, adds, *far = given
        row, row_of_c = f.times(a_row, kind.size), f.times(c_row, kind.size)
        starts = range(0, 1 if kind.lines else kind.height, SHARE)
        self.moving = [*(f.at(a, "i8", f.times(row, start)) for start in starts), b, c, length]
        self.of_a, (self.b, self.c, self.count) = _names(0, len(starts)), _names(len(starts), 3)
        self.far = f"${len(self.moving)}"
        self.moving += [self._first_line(length, *far)] if far else []
        self.between = f"${len(self.moving)}"
        self.b_step, self.c_row = (self._stays(each) for each in (f.times(b_step, kind.size), row_of_c))
        self.c_last = "" if kind.whole_sums else self._stays(f.at(c, "i8", f.times(row_of_c, kind.height - 1)))
        self.apart = [] if kind.lines else [self._stays(f.times(row, number)) for number in (1, 3, 5)]
        self.a_step = "" if kind.rows else self._stays(f.times(a_step, kind.size))
        self.adds = "" if kind.whole_sums else self._stays(f.convert("sext", adds, "i16"))
        self.to_next = self._stays(f.add(far[1], -kind.asked * CACHE_LINE)) if far else ""

    def _first_line(self, length: Reg, begin: Reg, apart: Reg) -> Reg:
        """Where to ask first, so that each row ends where as many rounds are left as whole rows take.

        What is over is asked for at the end of the row before the first.
        """
        f, kind = self.f, self.kind
        rounds = f.binary("udiv", length, word(kind.unrolled))
        before = f.binary("and", f.times(rounds, -1), word(kind.asked - 1))
        row = f.select(f.compare("icmp ne", before, word(0)), f.times(apart, -1), word(0))
        return f.at(f.at(begin, "i8", row), "i8", f.times(before, CACHE_LINE))

    def _stays(self, value: Reg) -> str:
        """The name of an operand that does not change. Those that do count twice: before and after."""
        self.fixed.append(value)
        return f"${2 * len(self.moving) + len(self.fixed)}"

    def _call(self) -> None:
        f = self.f
        outputs = [*(each.type for each in self.moving), "i64"]
        inputs = [*self.moving, *self.fixed]
        marks = ["=&r"] * len(outputs) + [str(number) for number in range(len(self.moving))]
        marks += ["^Yk" if each.type == "i16" else "r" for each in self.fixed]
        used = [*range(self.sums + self.wide + (self.wide > 1)), REGISTERS]
        marks += [f"~{{zmm{number}}}" for number in used] + ["~{k1}", "~{memory}", "~{flags}"]
        text, given = "\\0A".join(self.lines), ", ".join(map(str, inputs))
        result = f"{{ {', '.join(outputs)} }}"
        f.line(f'{f.fresh("v")} = call {result} asm sideeffect "{text}", "{",".join(marks)}"({given})')

    # -- instructions

    def _say(self, *lines: str) -> None:
        self.lines.extend(lines)

    def _begin(self) -> None:
        """Sums are zero; C is kept where there is room, while its rows are asked for."""
        if not self.kind.whole_sums:
            self._say(f"vmovq {self.c}, %xmm{REGISTERS}")
        if self.partial:
            half = f"${{{self.between[1:]}:k}}"
            self._say(f"movl $${(1 << self.partial) - 1}, {half}", f"kmovw {half}, %k1")
        self._say(*(f"vxorps %xmm{number}, %xmm{number}, %xmm{number}" for number in range(self.sums)))

    def _loops(self) -> None:
        """Several terms in each round, then one by one. A loop that begins anywhere in a line may be slower by 4 %."""
        kind, count, terms = self.kind, self.count, self.kind.unrolled
        self._say(f"subq $${terms}, {count}", "jl 2f", f".p2align {CACHE_LINE.bit_length() - 1}", "1:")
        if not kind.whole_sums:
            self._ask_for_c()
        self._ask_for_far()
        for term in range(terms):
            self._term(term if kind.rows else 0)
        self._move_on(terms)
        self._say(f"subq $${terms}, {count}", "jge 1b", "2:")
        if kind.rounds:
            return
        self._say(f"addq $${terms}, {count}", "jle 4f", ".p2align 4", "3:")
        self._term(0)
        self._move_on(1)
        self._say(f"subq $$1, {count}", "jg 3b", "4:")

    def _ask_for_c(self) -> None:
        """In the last rounds a row of C, then the next one; behind the last comes the last.

        Only where C is read: those that are just stored wait for nothing, and each instruction more costs time.
        """
        self._say(f"cmpq $${self.kind.unrolled * (self.kind.height + EARLY)}, {self.count}", "jge 7f")
        for place in range(0, self.kind.columns * self.kind.size, CACHE_LINE):
            self._say(f"prefetchw {place}({self.c})")
        self._say(f"cmpq {self.c_last}, {self.c}")
        self._say(f"leaq ({self.c},{self.c_row}), {self.between}", f"cmovbq {self.between}, {self.c}", "7:")

    def _ask_for_far(self) -> None:
        """A line, then the next one; behind the last of a row comes the first of the next."""
        asked = self.kind.asked
        if asked:
            self._say(f"prefetcht1 ({self.far})", f"addq $${CACHE_LINE}, {self.far}")
            self._say(f"leaq ({self.far},{self.to_next}), {self.between}")
            self._say(f"testq $${(asked - 1) * self.kind.unrolled}, {self.count}", f"cmoveq {self.between}, {self.far}")

    def _term(self, further: int) -> None:
        """One k. further: terms by which the pointers to A lag behind."""
        columns = [f"%zmm{self.sums + number}" for number in range(self.wide)]
        for number, column in enumerate(columns):
            place = number * CACHE_LINE
            self._say(f"prefetcht0 {place}({self.b},{self.b_step},8)")
            part = self.partial and not self.kind.b_whole and number == self.wide - 1
            self._say(f"vmovu{self.packed} {place}({self.b}), {column}{' {%k1} {z}' if part else ''}")
        for row in range(self.kind.height):
            self._row(row, self._place(row, further), columns)
        self._say(f"addq {self.b_step}, {self.b}")
        if not self.kind.rows:
            self._say(*(f"addq {self.a_step}, {each}" for each in self.of_a))

    def _row(self, row: int, place: str, columns: Sequence[str]) -> None:
        factor = f"{place}{self.copies}"
        if self.wide > 1:
            factor = f"%zmm{self.sums + self.wide}"
            self._say(f"vbroadcast{self.one} {place}, {factor}")
        for number, column in enumerate(columns):
            factors = f"{column}, {factor}" if self.wide > 1 else f"{factor}, {column}"
            self._say(f"vfmadd231{self.packed} {factors}, %zmm{row * self.wide + number}")

    def _place(self, row: int, further: int) -> str:
        """The address of a row's element."""
        if self.kind.lines:
            return f"{row * self.kind.size}({self.of_a[0]})"
        base, reached = self.of_a[row // SHARE], REACHED[row % SHARE]
        return f"{further * self.kind.size}{reached.format(base, *self.apart)}"

    def _move_on(self, terms: int) -> None:
        if self.kind.rows:
            self._say(*(f"addq $${terms * self.kind.size}, {each}" for each in self.of_a))

    def _finish(self) -> None:
        """Store, or add to what is there."""
        if not self.kind.whole_sums:
            self._say(f"vmovq %xmm{REGISTERS}, {self.c}")
            self._say(f"kortestw {self.adds}, {self.adds}", "je 5f")
            self._store(True)
            self._say("jmp 6f", "5:")
        self._store(False)
        self._say("6:")

    def _store(self, adds: bool) -> None:
        for number in range(self.sums):
            row, vector = divmod(number, self.wide)
            if row and vector == 0:
                self._say(f"addq {self.c_row}, {self.c}")
            place, total = f"{vector * CACHE_LINE}({self.c})", f"%zmm{number}"
            part = " {%k1}" if self.partial and vector == self.wide - 1 else ""
            if adds:
                self._say(f"vadd{self.packed} {place}, {total}, {total}{part}")
            self._say(f"vmovu{self.packed} {total}, {place}{part}")


def _names(first: int, count: int) -> list[str]:
    return [f"${number}" for number in range(first, first + count)]
