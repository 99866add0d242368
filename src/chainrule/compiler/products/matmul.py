"""Matrix products in blocks that fit the caches: the loops around the inner kernel.

A task is a block of columns of one product times some panels of its rows; neighbouring tasks with the same columns are
done as one. For each block of k it goes through its panels, and for each panel through its tiles: the panel of A stays
in the first cache, the block of B in the second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from ...records import dataclass
from ..text.emit import Function, Reg, bytes_of, const, word
from ..text.target import Target
from .pack import PackingOfA, PackingOfB, batch_offsets, lines_asked, packed_batch, scratch, split
from .product import LEAST_AT_ONCE, Plan, Product, equal_parts
from .tile import UNROLLED, UNROLLED_WELL, Far, Strides, Terms, TileKind, call_tile, write_tile

Finish = Callable[[Reg, int, Reg], None]
"""(first row, rows, block of columns) -> writes what is done with them when their sums are whole."""

SMALL_FLOPS = 1 << 15
"""Work of a product up to which its tiles stand in its own kernel."""


@dataclass(frozen=True)
class TileTask:
    """What a task works on: pointers to one product, its panels, its tiles, its block of columns; where it keeps B."""

    a: Reg
    b: Reg
    c: Reg
    panels: tuple[Reg, Reg]
    tiles: tuple[Reg, Reg]
    block: Reg
    kept: Reg | None


@dataclass(frozen=True)
class TermBlock:
    """One block of k: where A and B begin, how long it is, and whether C holds a sum already."""

    a: Reg
    b_row: Reg
    length: Reg
    adds: Reg


@dataclass(frozen=True)
class PanelsAhead:
    """The panels that are packed next, a few terms behind each tile: where they lie, where they go, how many.

    terms: behind each tile; tiles: that are done before those of this panel; apart: bytes from k to k.
    """

    a: Reg
    to: Reg
    panels: Reg
    terms: Reg
    tiles: Reg
    apart: Reg


@dataclass(frozen=True)
class RowPanel:
    """Some rows: where they begin in A and C, which they are, how many."""

    a: Reg
    c: Reg
    row: Reg
    rows: int
    ahead: PanelsAhead | None = None


class ProductKernel:
    """Writes the body of a kernel for one product: pointers to A, B (packed if the plan says so), C."""

    def __init__(self, f: Function, product: Product, plan: Plan, target: Target, finish: Finish | None = None) -> None:
        self.f, self.product, self.plan, self.target, self.element = f, product, plan, target, product.element
        self.packing, self.finish = PackingOfA(f, product, plan), finish
        self.asked = lines_asked(product, plan)
        self.small = 2 * product.m * product.n * product.k <= SMALL_FLOPS

    def write(self, a: Reg, b: Reg, c: Reg, begin: Reg, end: Reg) -> None:
        """The whole body: for each task its product, its block of columns and its panels."""
        f, product, plan = self.f, self.product, self.plan
        if product.k == 0:
            raise ValueError("a product over nothing is zero: it has no kernel")
        own_a = scratch(f, self.element, self.packing.elements) if plan.pack_a else None
        own_b = scratch(f, self.element, plan.packed_size(product)) if plan.private else None
        b_batch = packed_batch(product, plan) if plan.pack_b and not plan.private else product.b_batch
        with self._products(begin, end) as (index, panels):
            number, block = split(f, index, plan.column_blocks)
            offsets = batch_offsets(f, product.batch, [product.a_batch, b_batch, product.c_batch], number)
            here = [f.at(each, self.element, offset) for each, offset in zip((a, b, c), offsets)]
            kept = own_b if plan.pack_b == "keep" else None
            if own_b is not None and kept is None:
                PackingOfB(f, product, plan).pack_all(here[1], own_b)
                here[1] = own_b
            tiles = -(-product.n // plan.columns)
            columns = [self._start(tiles, plan.column_blocks, each) for each in (block, f.add(block, 1))]
            self._sum_blocks(TileTask(here[0], here[1], here[2], panels, (columns[0], columns[1]), block, kept), own_a)
        if not self.small:
            f.mostly_calls()

    @contextmanager
    def _products(self, begin: Reg, end: Reg) -> Iterator[tuple[Reg, tuple[Reg, Reg]]]:
        """For each block of columns of each product: its number, and the panels of its tasks from begin to end."""
        f, many, panels = self.f, self.plan.row_tasks, self.plan.panels
        if many == 1:
            with f.loop(begin, end) as loop:
                yield loop.index, (word(0), word(panels))
            return
        first, last = f.binary("udiv", begin, word(many)), f.binary("udiv", f.add(end, many - 1), word(many))
        with f.loop(first, last) as loop:
            before = f.times(loop.index, -many)
            low, high = f.maximum(f.add(begin, before), word(0)), f.minimum(f.add(end, before), word(many))
            yield loop.index, (self._start(panels, many, low), self._start(panels, many, high))

    def _start(self, count: int, parts: int, number: Reg) -> Reg:
        """Where part `number` of so many equal ones begins."""
        return (
            self.f.times(number, count)
            if parts == 1
            else self.f.binary("udiv", self.f.times(number, count), word(parts))
        )

    def _sum_blocks(self, task: TileTask, own_a: Reg | None) -> None:
        f, product, length = self.f, self.product, self.plan.sum_length
        with f.loop(0, product.k, length) as loop:
            start = loop.index
            block = TermBlock(
                f.at(task.a, self.element, f.times(start, product.a_k)),
                start,
                f.minimum(word(length), f.add(word(product.k), f.times(start, -1))),
                f.compare("icmp ne", start, word(0)),
            )
            if task.kept is not None:
                here = f.at(task.b, self.element, f.times(start, product.b_k))
                PackingOfB(f, product, self.plan).pack_block(here, task.kept, task.tiles, block.length)
            self._panels(task, block, own_a)

    # -- panels of rows

    def _panels(self, task: TileTask, block: TermBlock, own_a: Reg | None) -> None:
        """The taller panels, then the others; those that are packed, some at once."""
        f, plan = self.f, self.plan
        low, high = task.panels
        first = 0
        for rows, many in equal_parts(self.product.m, plan.panels):
            start = f.maximum(low, word(first)) if first else low
            stop = f.minimum(high, word(first + many)) if first + many < plan.panels else high
            skipped = self.product.m - plan.panels * rows if first else 0
            if own_a is not None and self.packing.ahead:
                self._panels_ahead(task, block, (rows, skipped), (start, stop), own_a)
                first += many
                continue
            step = plan.at_once if own_a is not None else 1
            with f.loop(start, stop, step) as loop:
                panel = self._panel_at(task, block, (rows, skipped), loop.index)
                if own_a is None:
                    self._panel(task, block, panel)
                else:
                    count = f.minimum(word(step), f.add(stop, f.times(loop.index, -1)))
                    self.packing.write(panel.a, own_a, rows, count, (word(0), block.length))
                    self._packed_panels(task, block, replace(panel, a=own_a), count)
            first += many

    def _panel_at(self, task: TileTask, block: TermBlock, rows: tuple[int, int], number: Reg) -> RowPanel:
        """A panel of so many rows, with so many more before it than its number says."""
        f = self.f
        row = f.add(f.times(number, rows[0]), rows[1])
        a = f.at(block.a, self.element, f.times(row, self.product.a_m))
        c = f.at(task.c, self.element, f.times(row, self.product.c_m))
        return RowPanel(a, c, row, rows[0])

    def _packed_panels(self, task: TileTask, block: TermBlock, first: RowPanel, count: Reg) -> None:
        """Some panels that are packed, one behind the other."""
        f, rows, ahead = self.f, first.rows, first.ahead
        with f.loop(0, count) as loop:
            a = f.at(first.a, self.element, f.times(loop.index, self.packing.panel_elements))
            c = f.at(first.c, self.element, f.times(loop.index, rows * self.product.c_m))
            row = f.add(first.row, f.times(loop.index, rows))
            if ahead is not None:
                ahead = replace(ahead, tiles=f.binary("mul", loop.index, ahead.tiles))
            self._panel(task, block, RowPanel(a, c, row, rows, ahead))

    # -- panels that are packed while the ones before are multiplied

    def _panels_ahead(
        self, task: TileTask, block: TermBlock, rows: tuple[int, int], bounds: tuple[Reg, Reg], own: Reg
    ) -> None:
        """Some at once; tiles ask for what is copied behind them, so that nothing waits for memory but the first."""
        f, packing, (start, stop) = self.f, self.packing, bounds
        other = f.at(own, self.element, LEAST_AT_ONCE * packing.panel_elements)
        at_once, tiles = word(LEAST_AT_ONCE), f.add(task.tiles[1], f.times(task.tiles[0], -1))
        calls = f.times(tiles, LEAST_AT_ONCE)
        terms = f.binary("udiv", f.add(block.length, f.add(calls, -1)), calls)
        first = self._panel_at(task, block, rows, start)
        packing.write(
            first.a, own, rows[0], f.minimum(at_once, f.add(stop, f.times(start, -1))), (word(0), block.length)
        )
        with f.loop(start, stop, LEAST_AT_ONCE, [own, other]) as loop:
            now, then = loop.carried
            panel, left = self._panel_at(task, block, rows, loop.index), f.add(stop, f.times(loop.index, -1))
            following = f.minimum(at_once, f.add(left, -LEAST_AT_ONCE))
            more = f.compare("icmp sgt", following, word(0))
            apart = f.select(more, word(self.product.a_k * bytes_of(self.element)), word(0))
            further = f.at(panel.a, self.element, LEAST_AT_ONCE * rows[0])
            source = f.select(more, further, now)  # behind the last what is near is asked for
            ahead = PanelsAhead(source, then, following, f.select(more, terms, word(0)), tiles, apart)
            self._packed_panels(task, block, replace(panel, a=now, ahead=ahead), f.minimum(at_once, left))
            loop.carry(then, now)

    def _pack_ahead(self, ahead: PanelsAhead, rows: int, terms: Reg, length: Reg) -> None:
        """The terms that are copied behind a tile; `terms` come before."""
        f = self.f
        bounds = terms, f.minimum(f.add(terms, ahead.terms), length)
        self.packing.write(ahead.a, ahead.to, rows, ahead.panels, bounds, asked_for=True)

    def _panel(self, task: TileTask, block: TermBlock, panel: RowPanel) -> None:
        """A panel times all tiles of a block, and what follows when its sums are whole."""
        f, product = self.f, self.product
        self._tiles(task, block, panel)
        if self.finish is not None:
            with f.when(f.compare("icmp sge", f.add(block.b_row, block.length), word(product.k))):
                self.finish(panel.row, panel.rows, task.block)

    # -- tiles of columns

    def _tiles(self, task: TileTask, block: TermBlock, panel: RowPanel) -> None:
        f, product, columns = self.f, self.product, self.plan.columns
        whole, rest = divmod(product.n, columns)
        low, high = task.tiles
        if whole:
            with f.loop(low, f.minimum(high, word(whole))) as loop:
                self._tile(task, block, panel, columns, loop.index)
        if not rest:
            return
        if self.plan.column_blocks == 1:
            self._tile(task, block, panel, rest, word(whole))
            return
        with f.when(f.compare("icmp sgt", high, word(whole))):
            self._tile(task, block, panel, rest, word(whole))

    def _tile(self, task: TileTask, block: TermBlock, panel: RowPanel, columns: int, tile: Reg) -> None:
        f, product, plan, rows = self.f, self.product, self.plan, panel.rows
        packed, padded = plan.pack_b in ("copy", "turn"), plan.padded(columns)
        b_step = padded if packed else product.b_k
        b = f.at(task.b, self.element, f.times(tile, plan.columns * (product.k if packed else 1)))
        b = f.at(b, self.element, f.times(block.b_row, b_step))
        c = f.at(panel.c, self.element, f.times(tile, plan.columns))
        unrolled = UNROLLED_WELL if f.module.long_rounds else UNROLLED
        rounds = product.k % unrolled == plan.sum_length % unrolled == 0
        kind = TileKind(self.element, rows, columns, b_whole=packed, unrolled=unrolled, rounds=rounds)
        in_one = plan.sum_length >= product.k  # else the kernel goes from block to block of k
        kind = replace(kind, paired=product.paired, whole_sums=in_one)
        terms = Terms(block.length, block.adds)
        far, before = None, word(0)
        if self.asked:
            far, kind = self._next_rows(task, panel, tile, unrolled), replace(kind, asked=self.asked)
        elif panel.ahead is not None:
            number = f.add(panel.ahead.tiles, f.add(tile, f.times(task.tiles[0], -1)))
            before = f.binary("mul", number, panel.ahead.terms)
            apart = panel.ahead.apart
            place = f.binary("mul", f.add(before, panel.ahead.terms), apart)
            far, kind = Far(f.at(panel.ahead.a, "i8", place), apart), replace(kind, asked=self.packing.lines(rows))
        if task.kept is not None:
            number = f.add(tile, f.times(task.tiles[0], -1))
            kept = f.at(task.kept, self.element, f.times(number, plan.columns * plan.sum_length))
            self._call(replace(kind, b_whole=True), (panel.a, kept, c), padded, terms, far)
        elif in_one and self.small:
            terms = Terms(word(product.k), const("i1", 0))
            strides = Strides(*map(word, (*self.packing.strides(rows), b_step)))
            write_tile(f, self.target, kind, (panel.a, b, c), strides, word(product.c_m), terms)
        else:
            self._call(kind, (panel.a, b, c), b_step, terms, far)
        if panel.ahead is not None:
            self._pack_ahead(panel.ahead, rows, before, block.length)

    def _next_rows(self, task: TileTask, panel: RowPanel, tile: Reg, unrolled: int) -> Far:
        """Those of the next panel: each tile asks for some, as many as it has rounds for."""
        f, product = self.f, self.product
        each = max(1, self.plan.sum_length // (unrolled * self.asked))
        number = f.add(tile, f.times(task.tiles[0], -1))
        row = f.add(f.minimum(f.times(number, each), word(panel.rows)), panel.rows)
        begin = f.at(panel.a, self.element, f.times(row, product.a_m))
        return Far(begin, word(product.a_m * bytes_of(self.element)))

    def _call(self, kind: TileKind, pointers: tuple[Reg, Reg, Reg], b_step: int, terms: Terms, far: Far | None) -> None:
        strides = Strides(*map(word, (*self.packing.strides(kind.rows), b_step)))
        call_tile(self.f, self.target, kind, pointers, strides, self.product.c_m, terms, far)
