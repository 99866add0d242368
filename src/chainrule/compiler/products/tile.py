"""The inner kernel of matrix products: some rows of A times some vectors of B, added up in registers.

For each k the vectors of B are loaded, and each row's element of A is broadcast and multiplied into the accumulators of
its row. One function a kind of tile serves every product of a program: how long the sums are and how far apart the rows
of C lie is told by who calls. Small products have the same code in their own kernel.

How far apart rows and k lie in A and B is told by who calls too. A processor reaches a base plus 1, 2, 4 or 8 times a
register: with one register of a row's length and one of three, five rows share a base, and all fourteen need but three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...records import dataclass
from ..text.emit import Function, Module, Reg, bytes_of, const, is_literal, vector_of, word
from ..text.fetch import CACHE_LINE, ask_for
from ..text.pair_instruction import multiply_add
from ..text.target import Target
from .tile_assembly import Assembled, write_assembly
from .tile_rows import RowsOfC, rows_of

UNROLLED = 2
"""Terms in a round."""
UNROLLED_WELL = 4
"""Where that is worth it: what is done once a round would else take places that four instructions a cycle don't leave.

It is twice as much code, which takes twice as long to compile: for all products of a small network 60 ms.
"""
STRAIGHT = 16
"""Terms up to which a sum of known length is no loop."""
AHEAD = 8
"""How many k before it is needed a row of B is asked for: about a hundred cycles."""


@dataclass(frozen=True)
class Strides:
    """Elements from row to row and from k to k of A, from k to k of B: known, or told while the program runs."""

    a_row: Reg
    a_step: Reg
    b_step: Reg


@dataclass(frozen=True)
class TileKind:
    """rows by columns of C. a_row, a_step: the strides of A that its code knows, 1 or nothing.

    b_whole: whether B may be read up to a whole vector beyond the columns.
    unrolled: terms in a round. rounds: whether all sums are whole rounds, so that no code for one term is needed.
    paired: whether an element of A and of B is two numbers of bfloat16.
    whole_sums: whether C never holds a sum over what came before, so that no code is needed that adds to it.
    asked: lines of a row of memory that is far, of which each round asks for one.
    """

    element: str
    rows: int
    columns: int
    a_row: int | None = None
    a_step: int | None = None
    b_whole: bool = False
    unrolled: int = UNROLLED
    rounds: bool = False
    paired: bool = False
    whole_sums: bool = False
    asked: int = 0

    @property
    def name(self) -> str:
        """The name of its function."""
        known = ("_lines" if self.a_row else "") + ("_rows" if self.a_step else "")
        rounds = f"_by{self.unrolled}" + "_rounds" * self.rounds
        marks = "_whole" * self.b_whole + rounds + "_bfloat16" * self.paired
        marks += "_sums" * self.whole_sums + f"_asks{self.asked}" * (self.asked > 0)
        return f"tile_{self.element}_{self.rows}x{self.columns}{known}{marks}"

    def assembled(self, target: Target) -> Assembled | None:
        """What its assembly is written for; None where LLVM compiles it: where it has more than what that knows."""
        known = (self.b_whole, self.unrolled, self.rounds, self.whole_sums, self.asked)
        found = Assembled(self.element, self.rows, self.columns, bool(self.a_row), bool(self.a_step), *known)
        return found if not self.paired and found.fits(target) else None

    def knows(self, target: Target, strides: Strides) -> TileKind:
        """The kind whose function serves these strides, and as many others as can be."""
        a_row = 1 if strides.a_row.name == "1" and (strides.a_step.name != "1" or self.rows > 1) else None
        a_step = 1 if strides.a_step.name == "1" and a_row is None else None
        whole = self.b_whole and self.columns % target.lanes(bytes_of(self.element)) != 0
        return replace(self, a_row=a_row, a_step=a_step, b_whole=whole)


@dataclass(frozen=True)
class Terms:
    """What is summed: length of k; adds (i1): whether C holds the sum over what came before."""

    length: Reg
    adds: Reg


@dataclass(frozen=True)
class Far:
    """Memory that is needed after this tile: where it begins, and how many bytes lie between its rows."""

    begin: Reg
    apart: Reg


def call_tile(
    f: Function,
    target: Target,
    kind: TileKind,
    pointers: Sequence[Reg],
    strides: Strides,
    c_row: int,
    terms: Terms,
    far: Far | None = None,
) -> None:
    """Call the function of a kind of tile, which is written when it is first asked for. pointers: to A, B, C."""
    kind = kind.knows(target, strides)
    adding = replace(kind, whole_sums=False)
    kind = adding if adding.name in f.module.helpers else kind
    if f.module.is_new(kind.name):
        _write_function(f.module, target, kind)
    told = [strides.a_row, strides.a_step, strides.b_step, word(c_row)]
    asked = [] if far is None else [far.begin, far.apart]
    f.call(kind.name, *pointers, *told, terms.length, terms.adds, *asked)


def _write_function(module: Module, target: Target, kind: TileKind) -> None:
    a, b, c = (Reg("ptr", f"%{name}") for name in "abc")
    a_row, a_step, b_step, c_row, length = (
        Reg("i64", f"%{name}") for name in ("a_row", "a_step", "b_step", "c_row", "length")
    )
    adds = Reg("i1", "%adds")
    far = Far(Reg("ptr", "%far"), Reg("i64", "%apart")) if kind.asked else None
    asked = [] if far is None else [far.begin, far.apart]
    parameters = [a, b, c, a_row, a_step, b_step, c_row, length, adds, *asked]
    f = Function(module, kind.name, parameters, f"noinline {target.attributes}")
    f.promise_alone(c)
    assembled = kind.assembled(target)
    if assembled is not None:
        write_assembly(f, assembled, parameters)
        f.finish()
        return
    strides = Strides(word(kind.a_row) if kind.a_row else a_row, word(kind.a_step) if kind.a_step else a_step, b_step)
    terms = Terms(length, const("i1", 0) if kind.whole_sums else adds)
    write_tile(f, target, kind, (a, b, c), strides, c_row, terms, far)
    f.finish()


def write_tile(
    f: Function,
    target: Target,
    kind: TileKind,
    pointers: Sequence[Reg],
    strides: Strides,
    c_row: Reg,
    terms: Terms,
    far: Far | None = None,
) -> None:
    """The code of one tile."""
    _Tile(f, target, kind, strides, far).write(pointers, c_row, terms)


class _Tile:
    """Writes one tile."""

    def __init__(self, f: Function, target: Target, kind: TileKind, strides: Strides, far: Far | None) -> None:
        self.f, self.kind, self.strides, self.size = f, kind, strides, bytes_of(kind.element)
        self.far = far
        width = target.lanes(self.size)
        self.widths = [width] * (kind.columns // width)
        if kind.columns % width:
            self.widths.append(width if kind.b_whole else kind.columns % width)
        self.starts = [number * width for number in range(len(self.widths))]

    def write(self, pointers: Sequence[Reg], c_row: Reg, terms: Terms) -> None:
        """All of it."""
        kind = self.kind
        a, b, c = pointers
        known = is_literal(terms.length)
        self.ahead = not known
        totals = [const(vector_of(kind.element, lanes), 0.0) for _ in range(kind.rows) for lanes in self.widths]
        self.of_a = rows_of(self.f, self.kind.element, self.kind.rows, self.strides.a_row)
        of_a = self.of_a.begin(a)
        self.head = [*of_a, b]  # the pointers that move on with k
        self.head_steps = [self.strides.a_step] * len(of_a) + [self.strides.b_step]
        if known and int(terms.length.name) <= STRAIGHT:
            totals = self._steps([*self.head, *totals], int(terms.length.name))[len(self.head) :]
        else:
            totals = self._loops(totals, terms, RowsOfC(self.f, kind.element, (kind.rows, kind.columns), c, c_row))
        self._finish(c, c_row, totals, terms.adds)

    def _loops(self, totals: list[Reg], terms: Terms, of_c: RowsOfC) -> list[Reg]:
        """Several k in each round, then one by one."""
        f, length, unrolled = self.f, terms.length, self.kind.unrolled
        if is_literal(length):
            middle = word(int(length.name) // unrolled * unrolled)
        elif self.kind.rounds:
            middle = length
        else:
            middle = f.binary("and", length, word(-unrolled))
        carried, own = [*self.head, *totals, of_c.first], len(self.head) + len(totals)
        for low, high, count in ((word(0), middle, unrolled), (middle, length, 1)):
            if low.name == high.name:
                continue
            with f.loop(low, high, count, carried) as loop:
                row = of_c.ask(loop.carried[own]) if count > 1 else loop.carried[own]
                if self.far is not None and count > 1:
                    self._ask_for_far(self.far, loop.index)
                loop.carry(*self._steps(loop.carried[:own], count), row)
            carried = loop.results
        return carried[len(self.head) : own]

    def _ask_for_far(self, far: Far, term: Reg) -> None:
        """Line after line of its rows, one a round: more at once would take every buffer between the caches."""
        f, kind = self.f, self.kind
        place = f.binary("and", f.times(term, CACHE_LINE // kind.unrolled), word((kind.asked - 1) * CACHE_LINE))
        row = f.binary("lshr", term, word((kind.asked * kind.unrolled).bit_length() - 1))
        ask_for(f, f.at(f.at(far.begin, "i8", f.binary("mul", row, far.apart)), "i8", place), near=False)

    def _steps(self, carried: Sequence[Reg], count: int) -> list[Reg]:
        head, totals = carried[: len(self.head)], list(carried[len(self.head) :])
        for k in range(count):
            totals = self._step(self._further(head, k), totals)
        return [*self._further(head, count), *totals]

    def _further(self, head: Sequence[Reg], k: int) -> list[Reg]:
        """The pointers of A and B, k steps on."""
        return [_steps_on(self.f, self.kind.element, pointer, step, k) for pointer, step in zip(head, self.head_steps)]

    def _step(self, head: Sequence[Reg], totals: Sequence[Reg]) -> list[Reg]:
        f, kind = self.f, self.kind
        *of_a, b = head
        columns = self._columns(b)
        result = []
        for row in range(kind.rows):
            element = f.load(kind.element, self.of_a.place(of_a, row))
            for number, column in enumerate(columns):
                factor, total = f.splat(element, column.lanes), totals[row * len(columns) + number]
                result.append(multiply_add(f, kind.paired, factor, column, total))
        return result

    def _columns(self, b: Reg) -> list[Reg]:
        """A row of B."""
        f, kind = self.f, self.kind
        columns = []
        for start, lanes in zip(self.starts, self.widths):
            if self.ahead:
                further = _steps_on(f, kind.element, b, self.strides.b_step, AHEAD)
                ask_for(f, f.at(further, kind.element, start))
            columns.append(f.load(vector_of(kind.element, lanes), f.at(b, kind.element, start)))
        return columns

    def _finish(self, c: Reg, c_row: Reg, totals: Sequence[Reg], adds: Reg) -> None:
        """Store, or add to what is there."""
        if is_literal(adds):
            self._store(c, c_row, totals, adds.name not in ("false", "0"))
            return
        with self.f.when(adds):
            self._store(c, c_row, totals, True)
        with self.f.when(self.f.binary("xor", adds, const("i1", 1))):
            self._store(c, c_row, totals, False)

    def _store(self, row: Reg, c_row: Reg, totals: Sequence[Reg], adds: bool) -> None:
        """Row after row; where they lie is found out only now, as the sums leave no registers for it."""
        f, wide = self.f, len(self.starts)
        for number in range(self.kind.rows):
            row = f.at(row, self.kind.element, c_row) if number else row
            for start, total in zip(self.starts, totals[number * wide :]):
                kept, address = self._kept(total, start), f.at(row, self.kind.element, start)
                f.store(f.binary("fadd", f.load(kept.type, address), kept) if adds else kept, address)

    def _kept(self, total: Reg, start: int) -> Reg:
        """The lanes of an accumulator that are columns of C."""
        count = min(total.lanes, self.kind.columns - start)
        if count == total.lanes:
            return total
        mask = ", ".join(f"i32 {lane}" for lane in range(count))
        type = vector_of(self.kind.element, count)
        return self.f.emit(type, f"shufflevector {total}, {total.type} poison, <{count} x i32> <{mask}>")


def _steps_on(f: Function, element: str, pointer: Reg, step: Reg, count: int) -> Reg:
    """A pointer so many steps on."""
    return f.at(pointer, element, f.times(step, count)) if count else pointer
