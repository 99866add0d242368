"""The inner tile of matrix products and convolutions: a few rows times a vector of columns, kept in registers.

`rows` accumulators of `lanes` lanes each; for each k one vector of B is loaded and each row's element of A is broadcast
and multiplied into its accumulator. Each element of the result sums over k in one fixed order, so how rows and columns
are divided never changes a bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...records import dataclass
from .emit import Function, Reg, const, element_of, is_literal, vector_of, word
from .target import Target

UNROLLED = 4


@dataclass(frozen=True)
class Sum:
    """A loop over part of what is summed: from low to high; how far A and B move with each step, in elements."""

    low: Reg | int
    high: Reg | int
    a_step: int
    b_step: int


@dataclass(frozen=True)
class Shape:
    """A tile: rows of A by lanes of B, and the distance of rows in A. element is "float" or "double"."""

    rows: int
    lanes: int
    a_row: int
    element: str

    @property
    def vector(self) -> str:
        """The type of one accumulator."""
        return vector_of(self.element, self.lanes)


TILES = {16: ((6, 2), (12, 1), (2, 4), (1, 8)), 32: ((6, 4), (12, 2), (24, 1), (3, 8), (1, 16))}
"""Rows by vectors of the tiles that fit 16 and 32 registers."""


def best_tile(target: Target, itemsize: int, rows: int, columns: int) -> tuple[int, int]:
    """Rows and lanes of a tile for a product with so many rows and columns in all."""
    width = target.lanes(itemsize)
    vectors = -(-columns // width)
    height, wide = min(TILES[target.registers], key=lambda tile: _tile_cost(tile[0], tile[1], rows, vectors))
    return height, wide * width


def _tile_cost(height: int, wide: int, rows: int, vectors: int) -> float:
    """Cycles for one k of the whole product: two multiplications a cycle, each four long; loads cost a little."""
    panels = -(-rows // height)
    base, extra = divmod(rows, panels)
    whole, rest = divmod(vectors, wide)
    cost = 0.0
    for tall, count in ((base + 1, extra), (base, panels - extra)):
        for broad, tiles in ((wide, whole), (rest, 1 if rest else 0)):
            multiplications = tall * broad
            cost += count * tiles * (max(multiplications / 2, 4.0) + 0.25 * (tall + broad) if multiplications else 0.0)
    return cost


def zeros(shape: Shape) -> list[Reg]:
    """Accumulators before anything is summed."""
    return [const(shape.vector, 0.0)] * shape.rows


def accumulate(f: Function, shape: Shape, a: Reg, b: Reg, sums: Sequence[Sum], start: Sequence[Reg]) -> list[Reg]:
    """The accumulators after all of `sums`, loops from the outermost to the innermost."""
    if not sums:
        return _multiply(f, shape, a, b, list(start))
    first, rest = sums[0], sums[1:]
    low = word(first.low) if isinstance(first.low, int) else first.low
    high = word(first.high) if isinstance(first.high, int) else first.high
    if rest:
        return _counted(f, shape, a, b, first, rest, list(start), low, high)
    if not (is_literal(low) and is_literal(high)):
        return _by_fours(f, shape, a, b, first, list(start), low, high)
    count = int(high.name) - int(low.name)
    return _unrolled(
        f,
        shape,
        _moved(f, shape, a, low, first.a_step),
        _moved(f, shape, b, low, first.b_step),
        first,
        count,
        list(start),
    )


def _moved(f: Function, shape: Shape, pointer: Reg, index: Reg, step: int) -> Reg:
    return f.at(pointer, shape.element, f.times(index, step))


def _counted(
    f: Function, shape: Shape, a: Reg, b: Reg, first: Sum, rest: Sequence[Sum], start: list[Reg], low: Reg, high: Reg
) -> list[Reg]:
    with f.loop(low, high, 1, start) as loop:
        here_a = _moved(f, shape, a, loop.index, first.a_step)
        here_b = _moved(f, shape, b, loop.index, first.b_step)
        loop.carry(*accumulate(f, shape, here_a, here_b, rest, loop.carried))
    return list(loop.results)


def _by_fours(
    f: Function, shape: Shape, a: Reg, b: Reg, step: Sum, totals: list[Reg], low: Reg, high: Reg
) -> list[Reg]:
    """A number of terms that only a run knows: four at a time, then one by one."""
    count = f.maximum(f.binary("sub nsw", high, low), word(0))
    middle = f.add(low, f.binary("and", count, word(-UNROLLED)))
    for start, stop, terms in ((low, middle, UNROLLED), (middle, high, 1)):
        with f.loop(start, stop, terms, totals) as loop:
            here_a = _moved(f, shape, a, loop.index, step.a_step)
            here_b = _moved(f, shape, b, loop.index, step.b_step)
            loop.carry(*_several(f, shape, here_a, here_b, step, terms, loop.carried))
        totals = list(loop.results)
    return totals


def _unrolled(f: Function, shape: Shape, a: Reg, b: Reg, step: Sum, count: int, totals: list[Reg]) -> list[Reg]:
    whole = count // UNROLLED * UNROLLED
    if whole > UNROLLED:
        with f.loop(0, whole, UNROLLED, totals) as loop:
            here_a = _moved(f, shape, a, loop.index, step.a_step)
            here_b = _moved(f, shape, b, loop.index, step.b_step)
            loop.carry(*_several(f, shape, here_a, here_b, step, UNROLLED, loop.carried))
        totals = list(loop.results)
        a, b = f.at(a, shape.element, whole * step.a_step), f.at(b, shape.element, whole * step.b_step)
        count -= whole
    return _several(f, shape, a, b, step, count, totals)


def _several(f: Function, shape: Shape, a: Reg, b: Reg, step: Sum, count: int, totals: Sequence[Reg]) -> list[Reg]:
    current = list(totals)
    for k in range(count):
        current = _multiply(
            f, shape, f.at(a, shape.element, k * step.a_step), f.at(b, shape.element, k * step.b_step), current
        )
    return current


def _multiply(f: Function, shape: Shape, a: Reg, b: Reg, totals: list[Reg]) -> list[Reg]:
    columns = f.load(shape.vector, b)
    result = []
    for row, total in enumerate(totals):
        element = f.load(shape.element, f.at(a, shape.element, row * shape.a_row))
        result.append(f.fma(f.splat(element, shape.lanes), columns, total))
    return result


def store_rows(f: Function, shape: Shape, c: Reg, c_row: int, totals: Sequence[Reg]) -> None:
    """Write the accumulators into rows of C."""
    for row, total in enumerate(totals):
        f.store(total, f.at(c, shape.element, row * c_row))


def transpose(f: Function, rows: Sequence[Reg]) -> list[Reg]:
    """A square of registers turned over its diagonal: as many vectors as lanes, a power of two.

    LLVM would try to make one shuffle of several in a row, for half of its time, and find none: a fence ends that.
    """
    current, lanes = list(rows), rows[0].lanes
    distance = 1
    while distance < lanes:
        if lanes > 8 and distance == lanes // 4:
            current = [f.fenced(row) for row in current]
        low = ", ".join(f"i32 {lane if not lane & distance else lanes + (lane ^ distance)}" for lane in range(lanes))
        high = ", ".join(f"i32 {lane ^ distance if not lane & distance else lanes + lane}" for lane in range(lanes))
        following = list(current)
        for index in range(lanes):
            if not index & distance:
                first, second = current[index], current[index + distance]
                following[index] = f.emit(first.type, f"shufflevector {first}, {second}, <{lanes} x i32> <{low}>")
                following[index + distance] = f.emit(
                    first.type, f"shufflevector {first}, {second}, <{lanes} x i32> <{high}>"
                )
        current = following
        distance *= 2
    return current


def horizontal(f: Function, vector: Reg, combine_two: Callable[[Reg, Reg], Reg]) -> Reg:
    """All lanes into one, by halves: the order follows from the number of lanes alone."""
    odd: list[Reg] = []
    while vector.lanes > 1:
        half = vector.lanes // 2
        if vector.lanes % 2:
            odd.append(f.extract(vector, vector.lanes - 1))
        vector = combine_two(part(f, vector, 0, half), part(f, vector, half, half))
    total = f.extract(vector, 0) if vector.lanes else vector
    for other in odd:
        total = combine_two(total, other)
    return total


def part(f: Function, vector: Reg, start: int, count: int) -> Reg:
    """Neighbouring lanes of a vector."""
    mask = ", ".join(f"i32 {start + lane}" for lane in range(count))
    element = element_of(vector.type)
    return f.emit(f"<{count} x {element}>", f"shufflevector {vector}, {vector.type} poison, <{count} x i32> <{mask}>")
