"""Matrix products: C[m, n] = Σ A[m, k] B[k, n], in blocks that fit the caches, with B packed where that pays.

The plan follows from shapes, strides and the machine's vector width alone: never from the number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .emit import Function, Reg, bytes_of, const, vector_of, word
from .runtime import Target
from .squares import turn_square
from .tile import Shape, Sum, accumulate, best_tile, horizontal, load_rows, store_rows, transpose, zeros

SECOND_CACHE = 384 << 10  # bytes of a packed block of B
LONGEST_SUM = 1024  # k in one block
LONGEST_PACKED = 256  # the same where B is packed: then a block of B may be broad
FEWEST_TASKS = 8
TASK_FLOPS = 1 << 18


@dataclass(frozen=True)
class Product:
    """A batch of products. Strides in elements; the columns of C are neighbours (c_n = 1)."""

    element: str
    m: int
    n: int
    k: int
    a_m: int
    a_k: int
    b_k: int
    b_n: int
    c_m: int
    batch: tuple[int, ...] = ()
    a_batch: tuple[int, ...] = ()
    b_batch: tuple[int, ...] = ()
    c_batch: tuple[int, ...] = ()

    @property
    def flops(self) -> int:
        """Multiplications and additions of all of them."""
        return 2 * self.m * self.n * self.k * math.prod(self.batch)


@dataclass(frozen=True)
class Plan:
    """How a product is cut: panels of rows, tiles of columns, blocks of k; what is packed."""

    rows: int
    lanes: int
    panels: int
    panels_a_task: int
    tiles_a_block: int
    sum_length: int
    pack_a: bool
    pack_b: str  # "", "copy", "transpose"

    def row_tasks(self) -> int:
        """Tasks along the rows."""
        return -(-self.panels // self.panels_a_task)


def make_plan(product: Product, target: Target) -> Plan:
    """Tile, blocks and packing for a product."""
    size = bytes_of(product.element)
    height, lanes = best_tile(target, size, product.m, product.n)
    panels = max(1, -(-product.m // height))
    pack_b = "transpose" if product.b_n != 1 and product.n > 1 else _copy_or_not(product, size, panels)
    blocks = -(-product.k // (LONGEST_PACKED if pack_b else LONGEST_SUM))
    sum_length = -(-product.k // blocks)
    block_tiles = max(1, SECOND_CACHE // (sum_length * lanes * size))
    tiles = -(-product.n // lanes)
    column_blocks = -(-tiles // block_tiles)
    block_tiles = -(-tiles // column_blocks)
    pack_a = product.a_k * size >= 512 and product.k > 32 and tiles > 1
    flops_a_panel = 2 * height * product.k * min(product.n, block_tiles * lanes)
    panels_a_task = max(1, TASK_FLOPS // max(flops_a_panel, 1))
    if pack_b:  # each task packs its block of B anew: it wants many rows, and there want to be some tasks
        wanted = -(-panels * column_blocks * math.prod(product.batch) // FEWEST_TASKS)
        panels_a_task = max(panels_a_task, min(max(wanted, 16), 64))
    panels_a_task = -(-panels // -(-panels // min(panels_a_task, panels)))
    return Plan(height, lanes, panels, panels_a_task, block_tiles, sum_length, pack_a, pack_b)


def _copy_or_not(product: Product, size: int, panels: int) -> str:
    """Packing costs one copy of B: worth it where B's rows lie far apart and many panels read them."""
    far = product.b_k * size >= 1024 and product.k * 64 > 8 << 10
    return "copy" if far and panels >= 8 else ""


def tasks_of(product: Product, plan: Plan) -> int:
    """How many tasks a product has."""
    return math.prod(product.batch) * _column_blocks(product, plan) * plan.row_tasks()


def _column_blocks(product: Product, plan: Plan) -> int:
    tiles = -(-product.n // plan.lanes)
    return -(-tiles // plan.tiles_a_block)


class ProductKernel:
    """Writes the body of a kernel for one product: pointers to A, B, C, and tasks begin to end."""

    def __init__(self, f: Function, product: Product, plan: Plan, target: Target) -> None:
        self.f, self.product, self.plan, self.target = f, product, plan, target
        self.size = bytes_of(product.element)

    def write(self, a: Reg, b: Reg, c: Reg, begin: Reg, end: Reg) -> None:
        """The whole body: for each task its batch, its block of columns and its panels."""
        f, product, plan = self.f, self.product, self.plan
        if product.k == 0:
            raise ValueError("a product over nothing is zero: it has no kernel")
        self.packed_b = self._scratch(plan.tiles_a_block * plan.lanes * plan.sum_length) if plan.pack_b else None
        self.packed_a = self._scratch(plan.rows * plan.sum_length) if plan.pack_a else None
        with f.loop(begin, end) as loop:
            task = loop.index
            task, row_task = self._split(task, plan.row_tasks())
            task, column_block = self._split(task, _column_blocks(product, plan))
            for size, a_step, b_step, c_step in reversed(
                list(zip(product.batch, product.a_batch, product.b_batch, product.c_batch))
            ):
                task, index = self._split(task, size)
                a = f.at(a, product.element, f.times(index, a_step))
                b = f.at(b, product.element, f.times(index, b_step))
                c = f.at(c, product.element, f.times(index, c_step))
            self._sum_blocks(a, b, c, row_task, column_block)

    def _scratch(self, elements: int) -> Reg:
        name = self.f.fresh("scratch")
        self.f.lines.insert(0, f"  {name} = alloca [{elements} x {self.product.element}], align 64")
        return Reg("ptr", name)

    def _split(self, index: Reg, size: int) -> tuple[Reg, Reg]:
        """index // size and index % size."""
        if size == 1:
            return index, word(0)
        f = self.f
        return f.binary("udiv", index, word(size)), f.binary("urem", index, word(size))

    # -- blocks of k

    def _sum_blocks(self, a: Reg, b: Reg, c: Reg, row_task: Reg, column_block: Reg) -> None:
        f, product, length = self.f, self.product, self.plan.sum_length
        whole, rest = divmod(product.k, length)
        if whole == 1 and not rest:
            self._block(a, b, c, row_task, column_block, length, None)
            return
        with f.loop(0, whole) as loop:
            first = f.compare("icmp eq", loop.index, word(0))
            start = f.times(loop.index, length)
            here_a = f.at(a, product.element, f.times(start, product.a_k))
            here_b = f.at(b, product.element, f.times(start, product.b_k))
            self._block(here_a, here_b, c, row_task, column_block, length, first)
        if rest:
            here_a = f.at(a, product.element, whole * length * product.a_k)
            here_b = f.at(b, product.element, whole * length * product.b_k)
            self._block(here_a, here_b, c, row_task, column_block, rest, const("i1", 0))

    def _block(self, a: Reg, b: Reg, c: Reg, row_task: Reg, column_block: Reg, length: int, first: Reg | None) -> None:
        """One block of k: pack, then panels of rows by tiles of columns. first: whether C is still to be set."""
        f, plan, product = self.f, self.plan, self.product
        tiles, rest = divmod(product.n, plan.lanes)
        first_tile = f.times(column_block, plan.tiles_a_block)
        last_tile = f.minimum(f.add(first_tile, plan.tiles_a_block), word(tiles))
        last_block = _column_blocks(product, plan) - 1
        has_rest = f.compare("icmp eq", column_block, word(last_block)) if rest and last_block else None
        if plan.pack_b:
            self._pack_columns(b, first_tile, last_tile, length, rest, has_rest)
        base, extra = divmod(product.m, plan.panels)
        low = f.times(row_task, plan.panels_a_task)
        high = f.minimum(f.add(low, plan.panels_a_task), word(plan.panels))
        for rows, start, stop in (
            (base + 1, low, f.minimum(high, word(extra))),
            (base, f.maximum(low, word(extra)), high),
        ):
            if (rows == base + 1 and extra == 0) or (rows == base and extra == plan.panels):
                continue
            with f.loop(start, stop) as loop:
                offset = f.add(f.times(loop.index, base), f.minimum(loop.index, word(extra)))
                self._panel(a, b, c, rows, offset, first_tile, last_tile, length, first, rest, has_rest)

    def _panel(
        self,
        a: Reg,
        b: Reg,
        c: Reg,
        rows: int,
        offset: Reg,
        first_tile: Reg,
        last_tile: Reg,
        length: int,
        first: Reg | None,
        rest: int,
        has_rest: Reg | None,
    ) -> None:
        f, product, plan = self.f, self.product, self.plan
        a = f.at(a, product.element, f.times(offset, product.a_m))
        c = f.at(c, product.element, f.times(offset, product.c_m))
        a_row, a_step = product.a_m, product.a_k
        if self.packed_a is not None:
            a = self._pack_panel(a, rows, length)
            a_row, a_step = 1, rows
        if product.n >= plan.lanes:
            with f.loop(first_tile, last_tile) as loop:
                slot = f.binary("sub nsw", loop.index, first_tile)
                self._tile(
                    a, b, c, Shape(rows, plan.lanes, a_row, product.element), a_step, loop.index, slot, length, first
                )
        if not rest:
            return
        tail = Shape(rows, rest, a_row, product.element)
        whole = word(product.n // plan.lanes)
        if has_rest is None:
            slot = f.binary("sub nsw", whole, first_tile)
            self._tile(a, b, c, tail, a_step, whole, slot, length, first)
            return
        with f.when(has_rest):
            slot = f.binary("sub nsw", whole, first_tile)
            self._tile(a, b, c, tail, a_step, whole, slot, length, first)

    def _tile(
        self, a: Reg, b: Reg, c: Reg, shape: Shape, a_step: int, tile: Reg, slot: Reg, length: int, first: Reg | None
    ) -> None:
        f, product, plan = self.f, self.product, self.plan
        c = f.at(c, product.element, f.times(tile, plan.lanes))
        if self.packed_b is not None:
            b = f.at(self.packed_b, product.element, f.times(slot, plan.lanes * plan.sum_length))
            b_step = plan.lanes
        else:
            b, b_step = f.at(b, product.element, f.times(tile, plan.lanes)), product.b_k
        start = zeros(shape)
        if first is not None:
            before = load_rows(f, shape, c, product.c_m)
            start = (
                before if first.name == "false" else [f.select(first, zero, old) for zero, old in zip(start, before)]
            )
        totals = accumulate(f, shape, a, b, [Sum(0, length, a_step, b_step)], start)
        store_rows(f, shape, c, product.c_m, totals)

    # -- packing

    def _pack_panel(self, a: Reg, rows: int, length: int) -> Reg:
        """Rows of A as (length, rows), k after k."""
        f, product = self.f, self.product
        assert self.packed_a is not None
        with f.loop(0, length) as loop:
            here = f.at(a, product.element, f.times(loop.index, product.a_k))
            to = f.at(self.packed_a, product.element, f.times(loop.index, rows))
            if product.a_m == 1:
                f.store(f.load(vector_of(product.element, rows), here), to)
            else:
                for row in range(rows):
                    f.store(
                        f.load(product.element, f.at(here, product.element, row * product.a_m)),
                        f.at(to, product.element, row),
                    )
        return self.packed_a

    def _pack_columns(
        self, b: Reg, first_tile: Reg, last_tile: Reg, length: int, rest: int, has_rest: Reg | None
    ) -> None:
        """Tiles of B one after the other, each (length, lanes)."""
        f, product, plan = self.f, self.product, self.plan
        assert self.packed_b is not None
        if product.n >= plan.lanes:
            with f.loop(first_tile, last_tile) as loop:
                self._pack_tile(b, loop.index, first_tile, plan.lanes, length)
        if rest and has_rest is None:
            self._pack_tile(b, word(product.n // plan.lanes), first_tile, rest, length)
        elif rest and has_rest is not None:
            with f.when(has_rest):
                self._pack_tile(b, word(product.n // plan.lanes), first_tile, rest, length)

    def _pack_tile(self, b: Reg, tile: Reg, first_tile: Reg, lanes: int, length: int) -> None:
        f, product, plan = self.f, self.product, self.plan
        assert self.packed_b is not None
        slot = f.binary("sub nsw", tile, first_tile)
        to = f.at(self.packed_b, product.element, f.times(slot, plan.lanes * plan.sum_length))
        here = f.at(b, product.element, f.times(f.times(tile, plan.lanes), product.b_n))
        if plan.pack_b == "copy":
            with f.loop(0, length) as loop:
                row = f.load(
                    vector_of(product.element, lanes), f.at(here, product.element, f.times(loop.index, product.b_k))
                )
                f.store(row, f.at(to, product.element, f.times(loop.index, plan.lanes)))
            return
        self._transpose_tile(here, to, lanes, length)

    def _transpose_tile(self, here: Reg, to: Reg, lanes: int, length: int) -> None:
        """Columns of B, whose elements along k are neighbours (or not), into rows."""
        f, product, plan = self.f, self.product, self.plan
        width = self.target.lanes(self.size)
        whole = length // width * width if product.b_k == 1 else 0
        if whole:
            with f.loop(0, whole, width) as loop:
                for start in range(0, lanes, width):
                    count = min(width, lanes - start)
                    self._square(here, to, loop.index, start, count, width)
        if whole < length:
            with f.loop(whole, length) as loop:
                for lane in range(lanes):
                    source = f.at(
                        f.at(here, product.element, lane * product.b_n),
                        product.element,
                        f.times(loop.index, product.b_k),
                    )
                    target = f.at(to, product.element, f.add(f.times(loop.index, plan.lanes), lane))
                    f.store(f.load(product.element, source), target)

    def _square(self, here: Reg, to: Reg, k: Reg, start: int, count: int, width: int) -> None:
        f, product, plan = self.f, self.product, self.plan
        if count == width and width & (width - 1) == 0:
            source = f.at(f.at(here, product.element, start * product.b_n), product.element, k)
            target = f.at(to, product.element, f.add(f.times(k, plan.lanes), start))
            turn_square(f, product.element, width, source, product.b_n, target, plan.lanes)
            return
        vector = vector_of(product.element, width)
        rows = []
        for lane in range(width):
            column = f.at(here, product.element, min(start + lane, start + count - 1) * product.b_n)
            rows.append(f.load(vector, f.at(column, product.element, k)) if lane < count else Reg(vector, "poison"))
        for step, turned in enumerate(transpose(f, rows)):
            target = f.at(to, product.element, f.add(f.times(f.add(k, step), plan.lanes), start))
            if count < width:
                mask = ", ".join(f"i32 {lane}" for lane in range(count))
                turned = f.emit(
                    vector_of(product.element, count),
                    f"shufflevector {turned}, {turned.type} poison, <{count} x i32> <{mask}>",
                )
            f.store(turned, target)


# -- products of few rows or columns whose sums run along neighbours in both: one dot product an element


@dataclass(frozen=True)
class DotPlan:
    """Tiles of so many rows by so many columns."""

    rows: int
    columns: int


def dot_plan(product: Product, target: Target) -> DotPlan:
    """A tile of accumulators, each a vector along k."""
    if target.registers == 16:
        choices: Sequence[tuple[int, int]] = ((4, 2), (3, 3), (2, 4), (8, 1), (1, 8))
    else:
        choices = ((4, 5), (5, 4), (3, 6), (2, 8), (16, 1), (1, 16))
    cost = {(m, n): (-(-product.m // m)) * (-(-product.n // n)) * (m * n + 0.7 * (m + n)) for m, n in choices}
    rows, columns = min(choices, key=lambda each: cost[each])
    return DotPlan(min(rows, product.m), min(columns, product.n))


def dot_tasks(product: Product, plan: DotPlan) -> int:
    """One task a panel of rows of each product, or of columns where there are more of those."""
    return math.prod(product.batch) * -(-product.m // plan.rows)


def write_dots(
    f: Function, product: Product, plan: DotPlan, target: Target, pointers: Sequence[Reg], begin: Reg, end: Reg
) -> None:
    """The body of the kernel."""
    a, b, c = pointers
    panels = -(-product.m // plan.rows)
    rest_rows = product.m - (panels - 1) * plan.rows
    with f.loop(begin, end) as loop:
        task = loop.index
        panel = word(0)
        if panels > 1:
            task, panel = f.binary("udiv", task, word(panels)), f.binary("urem", task, word(panels))
        for size, a_step, b_step, c_step in reversed(
            list(zip(product.batch, product.a_batch, product.b_batch, product.c_batch))
        ):
            index = word(0) if size == 1 else f.binary("urem", task, word(size))
            task = task if size == 1 else f.binary("udiv", task, word(size))
            a = f.at(a, product.element, f.times(index, a_step))
            b = f.at(b, product.element, f.times(index, b_step))
            c = f.at(c, product.element, f.times(index, c_step))
        row = f.times(panel, plan.rows)
        a = f.at(a, product.element, f.times(row, product.a_m))
        c = f.at(c, product.element, f.times(row, product.c_m))
        if rest_rows == plan.rows:
            _dot_columns(f, product, plan, target, (a, b, c), plan.rows)
            continue_ = None
        else:
            continue_ = f.compare("icmp slt", panel, word(panels - 1))
        if continue_ is not None:
            if panels > 1:
                with f.when(continue_):
                    _dot_columns(f, product, plan, target, (a, b, c), plan.rows)
            with f.when(f.compare("icmp eq", panel, word(panels - 1))):
                _dot_columns(f, product, plan, target, (a, b, c), rest_rows)


def _dot_columns(
    f: Function, product: Product, plan: DotPlan, target: Target, pointers: tuple[Reg, Reg, Reg], rows: int
) -> None:
    a, b, c = pointers
    whole = product.n // plan.columns
    with f.loop(0, whole) as loop:
        column = f.times(loop.index, plan.columns)
        here = f.at(b, product.element, f.times(column, product.b_n))
        _dot_tile(f, product, target, (a, here, f.at(c, product.element, column)), rows, plan.columns)
    rest = product.n - whole * plan.columns
    if rest:
        column = word(whole * plan.columns)
        here = f.at(b, product.element, f.times(column, product.b_n))
        _dot_tile(f, product, target, (a, here, f.at(c, product.element, column)), rows, rest)


def _dot_tile(
    f: Function, product: Product, target: Target, pointers: tuple[Reg, Reg, Reg], rows: int, columns: int
) -> None:
    a, b, c = pointers
    width = target.lanes(bytes_of(product.element))
    whole = product.k // width * width
    totals: list[Reg] = []
    if whole:
        start = [const(vector_of(product.element, width), 0.0)] * (rows * columns)
        with f.loop(0, whole, width, start) as loop:
            loop.carry(*_dot_step(f, product, (a, b), rows, columns, loop.index, width, loop.carried))
        totals = [horizontal(f, total, lambda x, y: f.binary("fadd", x, y)) for total in loop.results]
    rest = product.k - whole
    if rest:
        zero = [const(vector_of(product.element, rest), 0.0)] * (rows * columns)
        tails = _dot_step(f, product, (a, b), rows, columns, word(whole), rest, zero)
        ends = [horizontal(f, tail, lambda x, y: f.binary("fadd", x, y)) for tail in tails]
        totals = [f.binary("fadd", total, tail) for total, tail in zip(totals, ends)] if totals else ends
    for row in range(rows):
        for column in range(columns):
            f.store(totals[row * columns + column], f.at(c, product.element, row * product.c_m + column))


def _dot_step(
    f: Function,
    product: Product,
    pointers: tuple[Reg, Reg],
    rows: int,
    columns: int,
    k: Reg,
    lanes: int,
    totals: Sequence[Reg],
) -> list[Reg]:
    a, b = (f.at(pointer, product.element, k) for pointer in pointers)
    vector = vector_of(product.element, lanes)
    right = [f.load(vector, f.at(b, product.element, column * product.b_n)) for column in range(columns)]
    result = []
    for row in range(rows):
        left = f.load(vector, f.at(a, product.element, row * product.a_m))
        result += [f.fma(left, right[column], totals[row * columns + column]) for column in range(columns)]
    return result
