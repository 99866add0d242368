"""Matrix products of which only a triangle counts: each panel of rows goes over the terms or the columns that it has.

Panels and tiles are those of any product. Of a triangle of A, a panel is copied with zeros where nothing counts, and
its tiles add up the terms up to its last row, or from its first one on. Of a triangle of C, tiles that lie outside
are left out, and what is computed outside, in the tiles on the diagonal, is cleared.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...ir.graph import Equation
from ..planning.parts import usable
from ..planning.place import Place
from ..text.emit import Function, Reg, bytes_of, const, vector_of, word
from ..text.fetch import ask_for
from ..text.target import Target
from .contraction import call_tiles, product_of
from .matmul import ProductKernel, RowPanel, TermBlock, TileTask
from .pack import PackingOfA
from .product import Plan, Product, make_plan
from .tile import UNROLLED_WELL

if TYPE_CHECKING:
    from ..planning.lowering import Lowering

MOST_KEPT = 512 << 10
"""Bytes of B that a task packs for itself, at most."""
AHEAD = 16
"""How many k before they are copied elements of A are asked for."""


@dataclass(frozen=True)
class Triangle:
    """of: "left" or "result"; lower: whether what counts lies at and below the diagonal."""

    of: str
    lower: bool


def lower_triangle(lowering: Lowering, equation: Equation) -> None:
    """Lower a product of a triangle."""
    first, second = (lowering.place_of(value) for value in equation.inputs)
    result, triangle = equation.outputs[0], Triangle(equation.params["of"], equation.params["part"] == "lower")
    if first.shape[-1] == 0:
        target = lowering.allocate(result)
        lowering.opaque("matmul", [first, second], [target], {}, "matmul", equation.line)
        return
    if triangle.of == "left" and 1 not in first.strides[-2:]:
        first = lowering.copied(first, None)
    place = usable(lowering, result, False)
    product = product_of(first, second, result, False, place)
    place = lowering.allocate(result) if place is None else place
    lowering.places[id(result)] = place
    _call(lowering, equation, product, triangle, (first, second, place))


def _call(
    lowering: Lowering, equation: Equation, product: Product, triangle: Triangle, places: tuple[Place, Place, Place]
) -> None:
    target = lowering.target
    plan = triangle_plan(product, triangle, target, lowering.is_fixed(places[1]))
    sizes = "x".join(map(str, (*product.batch, product.m, product.n, product.k)))
    label = f"matmul {sizes} {equation.params['part']} {triangle.of}"

    def kernel(f: Function) -> TriangleKernel:
        return TriangleKernel(f, product, plan, target, triangle)

    call_tiles(lowering, product, plan, places, label, equation.line, kernel, triangle, share=0.5)


def triangle_plan(product: Product, triangle: Triangle, target: Target, known: bool) -> Plan:
    """That of the whole product, with all terms in one block and all columns in one."""
    plan = make_plan(product, target, known)
    kept = plan.pack_b == "keep" and product.k * plan.padded(product.n) * bytes_of(product.element) <= MOST_KEPT
    pack_b = plan.pack_b if plan.pack_b != "keep" or kept else ""
    tasks = min(plan.panels, plan.row_tasks * plan.column_blocks)
    plan = replace(plan, row_tasks=tasks, column_blocks=1, sum_length=product.k, pack_b=pack_b)
    return replace(plan, pack_a=triangle.of == "left", private=plan.private and bool(pack_b))


class TriangleKernel(ProductKernel):
    """Writes the body of a kernel: as that of a whole product, but for what a panel goes over."""

    def __init__(self, f: Function, product: Product, plan: Plan, target: Target, triangle: Triangle) -> None:
        super().__init__(f, product, plan, target)
        self.triangle, self.small, self.asked = triangle, False, 0
        self.own_a: Reg | None = None
        if triangle.of == "left":
            self.packing = _rows_or_lines(f, product, plan, triangle.lower)

    def _panels(self, task: TileTask, block: TermBlock, own_a: Reg | None) -> None:
        self.own_a = own_a
        super()._panels(task, block, None)

    def _panel(self, task: TileTask, block: TermBlock, panel: RowPanel) -> None:
        if self.triangle.of == "result":
            self._tiles(self._narrowed(task, panel), block, panel)
            self._clear(panel)
            return
        f, k = self.f, word(self.product.k)
        end = f.add(panel.row, panel.rows)
        bound = f.add(end, UNROLLED_WELL - 1) if self.triangle.lower else panel.row
        bound = f.minimum(f.binary("and", bound, word(-UNROLLED_WELL)), k)  # for tiles that go by whole rounds
        start, stop = (word(0), bound) if self.triangle.lower else (bound, k)
        assert self.own_a is not None and isinstance(self.packing, _TriangleOfA)
        self.packing.copy(panel, self.own_a, (start, stop))
        a = f.at(self.own_a, self.element, f.times(start, self.packing.strides(panel.rows)[1]))
        block = replace(block, b_row=start, length=f.add(stop, f.times(start, -1)))
        self._tiles(task, block, replace(panel, a=a))

    def _narrowed(self, task: TileTask, panel: RowPanel) -> TileTask:
        """With the tiles alone that have a column that counts."""
        f, columns, (low, high) = self.f, word(self.plan.columns), task.tiles
        if self.triangle.lower:
            last = f.add(panel.row, panel.rows - 1)
            return replace(task, tiles=(low, f.minimum(high, f.add(f.binary("udiv", last, columns), 1))))
        first = f.minimum(f.maximum(low, f.binary("udiv", panel.row, columns)), high)
        if task.kept is None:
            return replace(task, tiles=(first, high))
        further = f.times(f.add(first, f.times(low, -1)), self.plan.columns * self.plan.sum_length)
        return replace(task, tiles=(first, high), kept=f.at(task.kept, self.element, further))

    def _tile(self, task: TileTask, block: TermBlock, panel: RowPanel, columns: int, tile: Reg) -> None:
        if task.kept is not None:
            further = self.f.times(block.b_row, self.plan.padded(columns))
            task = replace(task, kept=self.f.at(task.kept, self.element, further))
        super()._tile(task, block, panel, columns, tile)

    def _clear(self, panel: RowPanel) -> None:
        """Zeros in the rows of a panel where nothing counts."""
        f, width, n = self.f, self.plan.width, self.product.n
        whole = n // width * width
        with f.loop(0, panel.rows) as loop:
            row = f.add(panel.row, loop.index)
            here = f.at(panel.c, self.element, f.times(loop.index, self.product.c_m))
            low, high = word(0), f.minimum(row, word(whole))
            if self.triangle.lower:
                low, high = f.binary("and", row, word(-width)), word(whole)
            with f.loop(low, high, width) as column:
                self._clear_vector(here, row, column.index, width)
            if whole < n:
                self._clear_vector(here, row, word(whole), n - whole)

    def _clear_vector(self, here: Reg, row: Reg, column: Reg, lanes: int) -> None:
        f, place = self.f, self.f.at(here, self.element, column)
        value = f.load(vector_of(self.element, lanes), place)
        distance = f.add(row, f.times(column, -1))
        f.store(_counting(f, value, distance, at_most=self.triangle.lower), place)


def _counting(f: Function, value: Reg, bound: Reg, at_most: bool) -> Reg:
    """A vector with zeros in lanes whose numbers are above a bound; else in those that are below."""
    lanes = value.lanes
    numbers = Reg(vector_of("i32", lanes), f"<{', '.join(f'i32 {lane}' for lane in range(lanes))}>")
    limit = f.splat(f.convert("trunc", bound, "i32"), lanes)
    counts = f.compare("icmp sle" if at_most else "icmp sge", numbers, limit)
    return f.select(counts, value, const(value.type, 0.0))


class _TriangleOfA(PackingOfA):
    """A panel of a triangle in memory of the task's own, with zeros where nothing counts."""

    def __init__(self, f: Function, product: Product, plan: Plan, lower: bool) -> None:
        super().__init__(f, product, plan)
        self.lower = lower

    def copy(self, panel: RowPanel, to: Reg, terms: tuple[Reg, Reg]) -> None:
        """The rows of a panel, for terms from the first up to the second."""
        raise NotImplementedError


class _Rows(_TriangleOfA):
    """Of an A whose rows lie side by side in memory: so they do in the copy."""

    @property
    def elements(self) -> int:
        """How much memory it takes."""
        return self.plan.rows * self.plan.padded(self.product.k)

    def strides(self, rows: int) -> tuple[int, int]:
        """From row to row, from k to k."""
        return self.plan.padded(self.product.k), 1

    def copy(self, panel: RowPanel, to: Reg, terms: tuple[Reg, Reg]) -> None:
        """Vectors of a row, one after another."""
        f, width, k = self.f, self.plan.width, self.product.k
        whole = k // width * width
        start, stop = f.binary("and", terms[0], word(-width)), f.minimum(terms[1], word(whole))
        with f.loop(0, panel.rows) as row:
            source = f.at(panel.a, self.element, f.times(row.index, self.product.a_m))
            target = f.at(to, self.element, f.times(row.index, self.strides(panel.rows)[0]))
            number = f.add(panel.row, row.index)
            with f.loop(start, stop, width) as term:
                value = f.load(vector_of(self.element, width), f.at(source, self.element, term.index))
                self._put(value, target, number, term.index)
            if whole < k:
                vector = vector_of(self.element, width)
                value = f.load_first(vector, f.at(source, self.element, whole), k - whole)
                self._put(value, target, number, word(whole))

    def _put(self, value: Reg, target: Reg, row: Reg, term: Reg) -> None:
        f = self.f
        distance = f.add(row, f.times(term, -1))
        f.store(_counting(f, value, distance, at_most=self.lower), f.at(target, self.element, term))


class _Lines(_TriangleOfA):
    """Of an A of which the rows of one k are neighbours in memory: so they are in the copy."""

    @property
    def elements(self) -> int:
        """How much memory it takes."""
        return self.plan.padded(self.plan.rows) * self.product.k

    def copy(self, panel: RowPanel, to: Reg, terms: tuple[Reg, Reg]) -> None:
        """The rows of one k after those of another."""
        f, width, rows = self.f, self.plan.width, panel.rows
        vector = vector_of(self.element, width)
        with f.loop(*terms) as term:
            source = f.at(panel.a, self.element, f.times(term.index, self.product.a_k))
            target = f.at(to, self.element, f.times(term.index, self.plan.padded(rows)))
            ask_for(f, f.at(source, self.element, AHEAD * self.product.a_k))
            for low in range(0, rows, width):
                part, count = f.at(source, self.element, low), min(width, rows - low)
                value = f.load(vector, part) if count == width else f.load_first(vector, part, count)
                distance = f.add(term.index, f.times(f.add(panel.row, low), -1))
                f.store(_counting(f, value, distance, at_most=not self.lower), f.at(target, self.element, low))


def _rows_or_lines(f: Function, product: Product, plan: Plan, lower: bool) -> _TriangleOfA:
    return _Rows(f, product, plan, lower) if product.a_k == 1 else _Lines(f, product, plan, lower)
