"""What a matrix product is, and how it is cut for the caches: C[m, n] = Σ A[m, k] B[k, n].

The plan follows from shapes, strides and the machine's registers alone: never from the number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...records import dataclass
from ..text.emit import bytes_of
from ..text.fetch import CACHE_LINE
from ..text.target import Target

HEIGHTS = {16: {1: 12, 2: 6, 3: 3, 4: 2}, 32: {1: 28, 2: 14, 3: 8, 4: 6, 6: 4, 8: 2}}
"""Rows of the tallest tile that so many vectors of columns leave registers for, in 16 and in 32 registers."""
LONGEST_BYTES = 2 << 10  # of k in one block where A is read as it lies: its panel stays in the first cache
LONGEST_SUM = 384  # k in one block where A is packed
LONGEST_KEPT = 288  # the same where each task packs its block of B: more columns have room, so A is packed less often
LEAST_SUM = 128  # k in one block from which on C is not read and written too often
NARROW = range(257, (2 << 10) + 1)
"""Bytes of a row of B with which more panels of an A that comes from memory are packed at once, of fewer k each.

The more of each of its rows is read at once, the sooner it is there.
"""
LEAST_AT_ONCE, MOST_AT_ONCE = 8, 16
FEWEST_TILES, MOST_TILES = 4, 12
"""Tiles of a panel: so many ask, a line a round, for all that the next panels are packed from; of more than these,
packing is a small part of the time, and they would ask again and again."""
FROM_AFAR = 2 << 20
"""Bytes of an A beyond which packing it waits for memory so long that it is packed ahead."""
SECOND_CACHE = 512 << 10  # bytes of a block of B, which stays in the second one
BESIDE_A = 416 << 10  # the same, with panels of A that are packed
PRIVATE_BYTES = 192 << 10  # what a task packs for itself
MOST_TASKS = 16
TASK_FLOPS = 1 << 18
FEW_PRODUCTS = 8
MEETING, FEW_ROWS = 2 << 10, 8
"""So many bytes apart, or a multiple of it, more rows than so many push one another out of the first cache."""
FAR, FEW_PANELS = 1 << 10, 3
"""Bytes between rows of B from which on packing pays, and panels of A that read it."""
MEETING_FAR = 64 << 10  # bytes apart, or a multiple of it, rows meet in one place of the second cache
FEW_MEETINGS, SHORT = 1500, 128
"""Panels that read B, times the square of how many of its rows meet there; rows of A that count as few."""
RESTING = 256 << 10  # bytes of a B that stays in the second cache as it lies
KEPT = 0.1
COPIED, TURNED, SCATTERED, FETCHED = 0.3, 0.45, 1.5, 1.0
"""Cycles an element that is packed: from rows, from columns in squares, one by one; more where it comes from afar."""
SECOND_CACHE_ALL = 1 << 20
FUSED_MULTIPLY = 1 / 56
"""Cost of an operation, in elements moved."""


@dataclass(frozen=True)
class Product:
    """A batch of products. Strides in elements; the columns of C are neighbours (c_n = 1).

    paired: whether an element of A and of B is two numbers of bfloat16, in the bits of a float32 (see `pairs`).
    """

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
    paired: bool = False

    @property
    def flops(self) -> int:
        """Multiplications and additions of all of them; those of a pair are one."""
        return 2 * self.m * self.n * self.k * math.prod(self.batch)

    @property
    def different_b(self) -> int:
        """How many different B there are."""
        return math.prod(size for size, step in zip(self.batch, self.b_batch) if step)


@dataclass(frozen=True)
class Plan:
    """rows, columns: of the largest tile; panels: of rows, as equal as can be, the taller ones first.

    pack_a: whether each task packs A for itself, all rows of one k side by side. at_once: how many panels.
    pack_b: "" or "copy" or "turn" or "keep", a copy of one block at a time.
    private: B is packed by each task for itself, not by a kernel of its own.
    """

    rows: int
    columns: int
    panels: int
    row_tasks: int
    column_blocks: int
    sum_length: int
    pack_a: bool
    pack_b: str
    private: bool
    width: int
    at_once: int
    cycles: float

    def padded(self, columns: int) -> int:
        """Columns in whole vectors, as they are packed."""
        return -(-columns // self.width) * self.width

    def packed_size(self, product: Product) -> int:
        """Elements of one packed B, or of the block of it that is kept."""
        if self.pack_b != "keep":
            return product.k * self.padded(product.n)
        tiles = -(-product.n // self.columns)
        return self.sum_length * self.columns * -(-tiles // self.column_blocks)

    def tasks(self, product: Product) -> int:
        """How many tasks a product has."""
        return math.prod(product.batch) * self.column_blocks * self.row_tasks


def make_plan(product: Product, target: Target, known: bool = False) -> Plan:
    """Tile, blocks and packing. known: B does not change where the product is done again and again."""
    size = bytes_of(product.element)
    width = target.lanes(size)
    vectors = max(1, -(-product.n // width))
    heights = _heights(product, size, target)
    wide = min(heights, key=lambda wide: tile_cycles(heights[wide], wide, product.m, vectors))
    rows, columns = heights[wide], wide * width
    panels = max(1, -(-product.m // rows))
    pack_b = _packing_of_b(product, size, panels, known)
    pack_a = _packing_of_a(product, size, -(-product.n // columns))
    tiles = -(-product.n // columns)
    longest, row = LONGEST_KEPT if pack_b == "keep" else LONGEST_SUM, size * columns * tiles
    far = product.a_m == 1 and product.m * product.k * size >= SECOND_CACHE_ALL
    if pack_a and row in NARROW and far and not may_pack_ahead(product, size, panels, tiles):
        longest = LEAST_SUM
    sum_length = _sum_length(product.k, row, size, pack_a, longest)
    at_once = MOST_AT_ONCE if longest == LEAST_SUM else LEAST_AT_ONCE
    small = product.k * vectors * width * size <= PRIVATE_BYTES
    alone = pack_b == "turn" and not known and small and product.different_b >= FEW_PRODUCTS
    row_tasks, column_blocks = (1, 1) if alone else _tasks(product, panels, columns, sum_length * size, pack_a)
    private = pack_b == "keep" or (pack_b == "turn" and not known and small and row_tasks == column_blocks == 1)
    cycles = tile_cycles(rows, wide, product.m, vectors) * product.k * math.prod(product.batch)
    cycles += _packing_cycles(product, size, pack_a, pack_b if not known else "", column_blocks)
    shares = rows, columns, panels, row_tasks, column_blocks, sum_length
    return Plan(*shares, pack_a, pack_b, private, width, at_once, cycles)


def may_pack_ahead(product: Product, size: int, panels: int, tiles: int) -> bool:
    """Whether panels of A are packed while those before are multiplied, if it is packed."""
    large = product.m * product.k * size > FROM_AFAR and panels > LEAST_AT_ONCE
    return large and product.a_m == 1 and FEWEST_TILES <= tiles <= MOST_TILES


def _sum_length(k: int, row: int, size: int, pack_a: bool, longest: int) -> int:
    """How many k are in one block: many, as sums are read back and written once for each. row: bytes of one k of B.

    A is packed for each block of columns, which takes longer than to add to C once more: rather once for shorter sums
    over all columns than twice, and where not even the shortest have room for all, rather twice than four times.
    """
    if not pack_a:
        return _equal_length(k, max(longest, LONGEST_BYTES // size))
    length, whole = _equal_length(k, longest), BESIDE_A // row // 16 * 16
    return _equal_length(k, max(whole, LEAST_SUM)) if length * row > SECOND_CACHE else length


def _equal_length(k: int, most: int) -> int:
    """The length of blocks as equal as can be, in steps of 16."""
    blocks = -(-k // most)
    return -(-k // blocks // 16) * 16 if blocks > 1 else max(k, 1)


def _heights(product: Product, size: int, target: Target) -> dict[int, int]:
    """Rows of the tallest tile by its width. Rows of A a power of two apart meet in few places of the first cache."""
    heights = HEIGHTS[target.registers]
    if product.a_k != 1 or product.a_m * size % MEETING or product.m <= FEW_ROWS:
        return heights
    return {wide: tall for wide, tall in heights.items() if tall <= FEW_ROWS}


def _packing_cycles(product: Product, size: int, pack_a: bool, pack_b: str, column_blocks: int) -> float:
    """What packing costs; A is packed for each block of columns."""
    cycles = 0.0
    elements = product.k * product.n * product.different_b
    if pack_b == "keep":
        cycles += KEPT * elements
    elif pack_b:
        each = COPIED if pack_b == "copy" else TURNED if product.b_k == 1 else SCATTERED
        cycles += elements * (each + (FETCHED if 2 * elements * size > SECOND_CACHE_ALL else 0.0))
    if pack_a:
        each = COPIED if product.a_m == 1 else SCATTERED
        cycles += (each + 0.2) * product.k * product.m * math.prod(product.batch) * column_blocks
    return cycles


def tile_cycles(height: int, wide: int, rows: int, vectors: int) -> float:
    """Cycles for one k of a whole product, `vectors` wide.

    Two multiplications a cycle, and two loads; each sum waits four cycles for the one before; a vector of B comes from
    the second cache in two.
    """
    panels = max(1, -(-rows // height))
    base, extra = divmod(rows, panels)
    whole, rest = divmod(vectors, wide)
    cost = 0.0
    for tall, count in ((base + 1, extra), (base, panels - extra)):
        for broad, tiles in ((wide, whole), (rest, 1 if rest else 0)):
            if tall and broad:
                cost += count * tiles * (0.3 + max(tall * broad / 2, (tall + broad) / 2 * 1.15, 4.0, 2.2 * broad))
    return cost


def _packing_of_b(product: Product, size: int, panels: int, known: bool) -> str:
    """Rows of B that lie far apart are packed if several panels read them and would wait for them."""
    if product.b_n != 1 and product.n > 1:
        return "turn"
    if product.k * min(product.n * size, 256) <= 8 << 10 or product.b_k * size < FAR:
        return ""
    if known:
        return "copy"
    return "" if panels < FEW_PANELS or _rests_as_it_lies(product, size, panels) else "keep"


def _rests_as_it_lies(product: Product, size: int, panels: int) -> bool:
    """Whether panels find B in the second cache though it is not packed: whole lines that don't push one another out.

    A few rows of A never make up for packing it: lines that come from beyond that cache for the first panel come no
    sooner for a copy. Rows of B that meet there push one another out, the more the longer they are called for again.
    More rows read B often: all of it must stay near, several rows in a page, or addresses are looked up again.
    """
    apart = product.b_k * size
    if apart % CACHE_LINE:
        return False
    if product.m > SHORT:
        return apart <= FAR and product.k * apart <= RESTING
    places = MEETING_FAR // math.gcd(MEETING_FAR, apart)
    meeting = -(-min(product.k, LONGEST_BYTES // size) // places)
    return panels * meeting**2 <= FEW_MEETINGS


def _packing_of_a(product: Product, size: int, tiles: int) -> bool:
    """Whether A is packed: rows that lie side by side are far apart from k to k, and push one another out if many."""
    if product.k <= 32 or product.m == 1 or product.a_k == 1:
        return False
    return product.a_k * size >= (256 if product.k > 128 else 512) and (tiles > 1 or product.m > 32)


def _tasks(product: Product, panels: int, columns: int, bytes_a_column: int, pack_a: bool) -> tuple[int, int]:
    """Tasks along the rows and blocks of columns."""
    tiles = max(1, -(-product.n // columns))
    blocks = -(-tiles // max(1, SECOND_CACHE // (bytes_a_column * columns)))
    wanted = -(-MOST_TASKS // math.prod(product.batch))
    wanted = max(1, min(wanted, 2 * product.m * product.n * product.k // TASK_FLOPS))
    row_tasks = min(panels, -(-wanted // blocks))
    if row_tasks * blocks < wanted and tiles > blocks and panels < 2 * MOST_TASKS:
        row_tasks, blocks = _by_columns(panels, tiles, blocks, wanted, pack_a)
    return row_tasks, blocks


def _by_columns(panels: int, tiles: int, blocks: int, wanted: int, pack_a: bool) -> tuple[int, int]:
    """Few rows: tasks are blocks of columns, as many as are wanted or there are tiles; few where each packs A."""
    few = 1 << (-(-wanted // panels) - 1).bit_length()  # a power of two, so that threads get as much
    blocks = max(blocks, min(tiles, few if pack_a else wanted))
    return max(1, min(panels, wanted // blocks)), blocks


def equal_parts(count: int, parts: int) -> Sequence[tuple[int, int]]:
    """(size, how many) of parts as equal as can be, the larger first; none that are empty."""
    base, extra = divmod(count, parts)
    return [(size, many) for size, many in ((base + 1, extra), (base, parts - extra)) if size and many]
