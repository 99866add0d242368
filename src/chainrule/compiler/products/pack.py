"""Operands of matrix products laid out as the inner kernel reads them: tiles of B, panels of A.

A packed B is a row of tiles, each (k, columns of the tile); the last one has its columns in whole vectors, the rest of
them zero. A panel of A is (k, rows of the tile).
"""

from __future__ import annotations

from ..text.emit import Function, Reg, bytes_of, const, vector_of, word
from ..text.fetch import CACHE_LINE
from ..text.squares import turn_square
from .packing import AHEAD, ROWS_AHEAD, PanelKind, TilesKind, copy_row, pack_panels, pack_tiles
from .product import FEWEST_TILES, LEAST_AT_ONCE, LEAST_SUM, MEETING, Plan, Product, may_pack_ahead

CHUNK = 32  # rows of B that a task copies
FROM_NEAR = 1 << 20
"""Bytes of an A beyond which it isn't in the second cache."""


def packed_batch(product: Product, plan: Plan) -> tuple[int, ...]:
    """Elements from one packed B of a batch to the next."""
    steps, step = [], plan.packed_size(product)
    for size, source in zip(reversed(product.batch), reversed(product.b_batch)):
        steps.append(step if source else 0)
        step *= size if source else 1
    return tuple(reversed(steps))


def batch_offsets(f: Function, sizes: tuple[int, ...], steps: list[tuple[int, ...]], index: Reg) -> list[Reg]:
    """How far the operands of product number `index` of a batch lie from the first ones, for each list of steps."""
    offsets = [word(0)] * len(steps)
    for axis in reversed(range(len(sizes))):
        index, place = split(f, index, sizes[axis])
        offsets = [f.add(offset, f.times(place, each[axis])) for offset, each in zip(offsets, steps)]
    return offsets


def split(f: Function, index: Reg, size: int) -> tuple[Reg, Reg]:
    """index // size and index % size."""
    if size == 1:
        return index, word(0)
    return f.binary("udiv", index, word(size)), f.binary("urem", index, word(size))


class PackingOfB:
    """Writes the code that packs B."""

    def __init__(self, f: Function, product: Product, plan: Plan) -> None:
        self.f, self.product, self.plan, self.element = f, product, plan, product.element
        self.whole, self.rest = divmod(product.n, plan.columns)

    @staticmethod
    def tasks(product: Product, plan: Plan) -> int:
        """How many tasks a kernel of its own has."""
        return product.different_b * _parts(product, plan)

    def write(self, source: Reg, packed: Reg, begin: Reg, end: Reg) -> None:
        """The body of a kernel of its own: pointers to B and to the packed B."""
        f, product, plan = self.f, self.product, self.plan
        different = [axis for axis, step in enumerate(product.b_batch) if step]
        sizes = tuple(product.batch[axis] for axis in different)
        into = packed_batch(product, plan)
        steps = [tuple(each[axis] for axis in different) for each in (product.b_batch, into)]
        with f.loop(begin, end) as loop:
            number, part = split(f, loop.index, _parts(product, plan))
            offsets = batch_offsets(f, sizes, steps, number)
            here, to = (f.at(pointer, self.element, offset) for pointer, offset in zip((source, packed), offsets))
            if plan.pack_b == "copy":
                low = f.times(part, CHUNK)
                self._copy(here, to, low, f.minimum(f.add(low, CHUNK), word(product.k)))
            else:
                self._turn(here, to, part, f.add(part, 1))

    def pack_all(self, source: Reg, packed: Reg) -> None:
        """The whole of one B."""
        if self.plan.pack_b == "copy":
            self._copy(source, packed, word(0), word(self.product.k))
        else:
            self._turn(source, packed, word(0), word(_parts(self.product, self.plan)))

    def pack_block(self, source: Reg, packed: Reg, tiles: tuple[Reg, Reg], length: Reg) -> None:
        """Some tiles of so many k, which begin at `source`; row by row, since what lies in a row comes soonest."""
        product, plan = self.product, self.plan
        whole, part = self.rest // plan.width * plan.width, self.rest % plan.width
        kind = TilesKind(self.element, plan.columns, part, plan.width)
        strides = word(product.b_k), word(plan.columns * plan.sum_length)
        pack_tiles(self.f, kind, (source, packed), strides, (*tiles, word(self.whole), word(whole)), length)

    # -- rows that lie side by side

    def _copy(self, source: Reg, packed: Reg, low: Reg, high: Reg) -> None:
        f, product, columns = self.f, self.product, self.plan.columns
        if self.whole:
            with f.loop(0, self.whole) as loop:
                here = f.at(source, self.element, f.times(loop.index, columns))
                self._copy_tile(
                    here, f.at(packed, self.element, f.times(loop.index, columns * product.k)), low, high, columns
                )
        if self.rest:
            here = f.at(source, self.element, self.whole * columns)
            self._copy_tile(here, f.at(packed, self.element, self.whole * columns * product.k), low, high, self.rest)

    def _copy_tile(self, source: Reg, packed: Reg, low: Reg, high: Reg, columns: int) -> None:
        f = self.f
        with f.loop(low, high) as loop:
            here = f.at(source, self.element, f.times(loop.index, self.product.b_k))
            to = f.at(packed, self.element, f.times(loop.index, self.plan.padded(columns)))
            copy_row(f, self.element, self.plan.width, (here, to), columns, ROWS_AHEAD * self.product.b_k)

    # -- columns that lie side by side, or nothing that does

    def _turn(self, source: Reg, packed: Reg, low: Reg, high: Reg) -> None:
        """Tiles number low to high."""
        f, product, columns = self.f, self.product, self.plan.columns
        if self.whole:
            with f.loop(low, f.minimum(high, word(self.whole))) as loop:
                here = f.at(source, self.element, f.times(f.times(loop.index, columns), product.b_n))
                to = f.at(packed, self.element, f.times(loop.index, columns * product.k))
                self._turn_tile(here, to, columns)
        if self.rest:
            here = f.at(source, self.element, self.whole * columns * product.b_n)
            to = f.at(packed, self.element, self.whole * columns * product.k)
            with f.when(f.compare("icmp sgt", high, word(self.whole))):
                self._turn_tile(here, to, self.rest)

    def _turn_tile(self, source: Reg, packed: Reg, columns: int) -> None:
        product, width, step = self.product, self.plan.width, self.plan.padded(columns)
        squares = product.b_k == 1 and width & (width - 1) == 0
        whole = product.k // width * width if squares else 0
        straight = columns // width * width if whole else 0
        if whole and straight:
            self._squares(source, packed, step, (whole, straight))
        if whole < product.k and straight:
            self._one_by_one(source, packed, step, (whole, product.k), (0, straight))
        if straight < columns:
            self._clear(packed, step, straight)
            self._one_by_one(source, packed, step, (0, product.k), (straight, columns))

    def _squares(self, source: Reg, packed: Reg, step: int, sizes: tuple[int, int]) -> None:
        """Whole squares, along k first where columns a power of two apart would push one another out of the cache."""
        f, product, width = self.f, self.product, self.plan.width
        along = product.b_n * bytes_of(self.element) % MEETING == 0
        with f.loop(0, sizes[along], width) as outer, f.loop(0, sizes[not along], width) as inner:
            k, column = (inner.index, outer.index) if along else (outer.index, inner.index)
            here = f.at(f.at(source, self.element, k), self.element, f.times(column, product.b_n))
            to = f.at(packed, self.element, f.add(f.times(k, step), column))
            turn_square(f, self.element, width, here, product.b_n, to, step)

    def _one_by_one(self, source: Reg, packed: Reg, step: int, rows: tuple[int, int], columns: tuple[int, int]) -> None:
        f, product = self.f, self.product
        with f.loop(*rows) as row, f.loop(*columns) as column:
            here = f.at(source, self.element, f.times(row.index, product.b_k))
            to = f.at(packed, self.element, f.add(f.times(row.index, step), column.index))
            f.store(f.load(self.element, f.at(here, self.element, f.times(column.index, product.b_n))), to)

    def _clear(self, packed: Reg, step: int, start: int) -> None:
        """The last vectors of each row are zero first."""
        f, width = self.f, self.plan.width
        with f.loop(0, self.product.k) as row:
            for place in range(start, step, width):
                to = f.at(packed, self.element, f.add(f.times(row.index, step), place))
                f.store(const(vector_of(self.element, width), 0), to)


def _parts(product: Product, plan: Plan) -> int:
    if plan.pack_b == "copy":
        return -(-product.k // CHUNK)
    return -(-product.n // plan.columns)


def packs_ahead(product: Product, plan: Plan) -> bool:
    """Whether panels of A are packed while the ones before are multiplied: from rows that lie far away."""
    tiles = -(-product.n // plan.columns) // plan.column_blocks
    few = plan.at_once == LEAST_AT_ONCE
    return few and plan.pack_a and may_pack_ahead(product, bytes_of(product.element), plan.panels, tiles)


def lines_asked(product: Product, plan: Plan) -> int:
    """Of each row of the next panel of an A that is read as it lies, from far away: a power of two; or 0.

    Not where rows meet in few places of the caches: the lines of one panel would push out those of another.
    """
    size, tiles = bytes_of(product.element), -(-product.n // plan.columns) // plan.column_blocks
    large = product.m * product.k * size > FROM_NEAR and plan.panels > plan.row_tasks
    apart = not plan.pack_a and product.a_k == 1 and product.a_m * size % MEETING != 0
    if not (large and apart and tiles >= FEWEST_TILES and plan.sum_length >= LEAST_SUM):
        return 0
    return 1 << (plan.sum_length * size // CACHE_LINE - 1).bit_length()


class PackingOfA:
    """Panels of A in memory of the task's own, each (k, rows in whole vectors)."""

    def __init__(self, f: Function, product: Product, plan: Plan) -> None:
        self.f, self.product, self.plan, self.element = f, product, plan, product.element
        self.ahead = packs_ahead(product, plan)

    @property
    def panel_elements(self) -> int:
        """From one packed panel to the next."""
        return self.plan.padded(self.plan.rows) * self.plan.sum_length

    @property
    def elements(self) -> int:
        """How much memory it takes."""
        return self.plan.at_once * self.panel_elements * (2 if self.ahead else 1)

    def strides(self, rows: int) -> tuple[int, int]:
        """From row to row, from k to k."""
        return (1, self.plan.padded(rows)) if self.plan.pack_a else (self.product.a_m, self.product.a_k)

    def lines(self, rows: int) -> int:
        """Lines of memory that one k of the panels that are packed at once takes: a power of two."""
        return 1 << (self.plan.at_once * rows * bytes_of(self.element) // CACHE_LINE).bit_length()

    def write(self, a: Reg, to: Reg, rows: int, panels: Reg, terms: tuple[Reg, Reg], asked_for: bool = False) -> None:
        """Pack so many panels that begin at `a`: they are neighbours, so that each line of memory is read once."""
        product, plan = self.product, self.plan
        away = AHEAD if plan.at_once == LEAST_AT_ONCE else ROWS_AHEAD
        asks = product.a_m == 1 and not asked_for
        kind = PanelKind(self.element, rows, plan.padded(rows), plan.width, product.a_m == 1, asks)
        strides = [word(each) for each in (product.a_m, product.a_k, away * product.a_k)]
        pack_panels(self.f, kind, a, to, strides, (panels, word(self.panel_elements)), terms)


def scratch(f: Function, element: str, elements: int) -> Reg:
    """Memory of the kernel's own, until it returns."""
    name = f.fresh("scratch")
    f.lines.insert(0, f"  {name} = alloca [{elements + 64 // bytes_of(element)} x {element}], align 64")
    return Reg("ptr", name)
