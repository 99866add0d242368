"""Loop nests over views: work cut into tasks by shape alone, loops merged where memory allows, vectors at the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ...ir.types import Shape
from ...records import dataclass
from ..text.array import Array
from ..text.emit import Function, Reg, is_literal, memory_type, word

GRAIN = 8192
"""About how many elements one task works on: some microseconds, so that handing it out costs little."""
ROW = 256
"""The longest piece of the last axis in one task, if there are other axes: near to square blocks transpose well."""

Range = tuple[Reg, Reg]


@dataclass(frozen=True, slots=True)
class Blocks:
    """A shape cut into blocks, one for each task, numbered row-major."""

    shape: Shape
    sizes: Shape

    @property
    def counts(self) -> Shape:
        """How many blocks there are along each axis."""
        return tuple(-(-size // block) if block else 0 for size, block in zip(self.shape, self.sizes))

    @property
    def tasks(self) -> int:
        """How many blocks there are."""
        return math.prod(self.counts)

    def ranges(self, f: Function, task: Reg) -> list[Range]:
        """The part of each axis that a task has; an axis that is not cut has literal bounds."""
        found: list[Range] = []
        for size, block, count in reversed(list(zip(self.shape, self.sizes, self.counts))):
            if count == 1:
                found.append((word(0), word(size)))
                continue
            low = f.times(f.binary("urem", task, word(count)), block)
            task = f.binary("udiv", task, word(count))
            high = f.add(low, block)
            found.append((low, high if size % block == 0 else f.minimum(high, word(size))))
        return found[::-1]


def blocks(shape: Shape, grain: int = GRAIN, row: int = ROW, least: Shape = ()) -> Blocks:
    """Blocks of about `grain` elements: as much as possible of the last axes, up to `row` of the last one.

    least: what the first axes get before all others, for arrays whose neighbours may lie there.
    """
    if 0 in shape:
        return Blocks(shape, shape)
    sizes = [*map(min, shape, least), *[1] * (len(shape) - len(least))]
    rowwise = [row if axis == len(shape) - 1 else size for axis, size in enumerate(shape)]
    for limits in (rowwise, shape):
        for axis in range(len(shape) - 1, -1, -1):
            left = max(1, grain // math.prod(sizes))
            sizes[axis] = max(sizes[axis], min(shape[axis], limits[axis], sizes[axis] * left))
    return Blocks(shape, tuple(sizes))


@dataclass(frozen=True, slots=True)
class Axis:
    """One loop, and how many elements each array moves on with every step."""

    low: Reg
    high: Reg
    size: int
    steps: tuple[int, ...]

    @property
    def is_whole(self) -> bool:
        """Whether it runs over its axis from 0 to the end."""
        return self.low.name == "0" and self.high.name == str(self.size)


def axes_of(ranges: Sequence[Range], *arrays: Array) -> list[Axis]:
    """One loop for each axis of arrays of one shape."""
    shape = arrays[0].shape
    steps = zip(*(array.strides for array in arrays)) if shape else ()
    return [Axis(low, high, size, step) for (low, high), size, step in zip(ranges, shape, steps)]


def whole(shape: Shape) -> list[Range]:
    """Every axis from 0 to its end."""
    return [(word(0), word(size)) for size in shape]


def merged(f: Function, axes: Sequence[Axis]) -> list[Axis]:
    """Loops of one step gone, and neighbours made one where all arrays go on from the end of the inner one."""
    result: list[Axis] = []
    for axis in axes:
        if axis.is_whole and axis.size == 1:
            continue
        if result and axis.is_whole and result[-1].steps == tuple(step * axis.size for step in axis.steps):
            outer = result.pop()
            low, high = f.times(outer.low, axis.size), f.times(outer.high, axis.size)
            axis = Axis(low, high, outer.size * axis.size, axis.steps)
        result.append(axis)
    return result


def in_order_of(axes: Sequence[Axis], position: int) -> list[Axis]:
    """The loops sorted so that the array at `position` is walked as it lies in memory."""
    return sorted(axes, key=lambda axis: -abs(axis.steps[position]))


def empty(low: Reg, high: Reg) -> bool:
    """Whether a loop is known never to run."""
    return is_literal(low) and is_literal(high) and int(low.name) >= int(high.name)


def moved(f: Function, pointers: Sequence[Reg], elements: Sequence[str], index: Reg, steps: Sequence[int]) -> list[Reg]:
    """Each pointer `index` steps on."""
    return [f.at(at, element, f.times(index, step)) for at, element, step in zip(pointers, elements, steps)]


def walk(
    f: Function,
    axes: Sequence[Axis],
    arrays: Sequence[Array],
    body: Callable[[list[Reg], list[Reg]], None],
    pointers: Sequence[Reg] | None = None,
    indices: Sequence[Reg] = (),
) -> None:
    """Loops over all axes; the body gets the pointers of the arrays there, and the indices."""
    at = list(pointers if pointers is not None else [array.pointer for array in arrays])
    if not axes:
        body(at, list(indices))
        return
    axis, elements = axes[0], [memory_type(array.dtype) for array in arrays]
    if empty(axis.low, axis.high):
        return
    with f.loop(axis.low, axis.high) as loop:
        there = moved(f, at, elements, loop.index, axis.steps)
        walk(f, axes[1:], arrays, body, there, (*indices, loop.index))


def span(f: Function, low: Reg, high: Reg, lanes: int, body: Callable[[Reg, int], None]) -> None:
    """body(index, lanes) from low to high: full vectors, then one narrow vector (or scalars, if the length varies).

    high must not lie below low unless both are literals.
    """
    if empty(low, high):
        return
    if is_literal(low) and is_literal(high):
        first, count = int(low.name), int(high.name) - int(low.name)
        rest = count % lanes
        if count > rest:
            with f.loop(first, first + count - rest, lanes) as loop:
                body(loop.index, lanes)
        if rest:
            body(word(first + count - rest), rest if rest > 1 else 0)
        return
    end = vectors_end(f, low, high, lanes)
    with f.loop(low, end, lanes) as loop:
        body(loop.index, lanes)
    with f.loop(end, high) as loop:
        body(loop.index, 0)


def vectors_end(f: Function, low: Reg, high: Reg, lanes: int) -> Reg:
    """Where the last full vector from low on ends; lanes is a power of two."""
    if is_literal(low) and is_literal(high):
        return word(int(low.name) + (int(high.name) - int(low.name)) // lanes * lanes)
    return f.add(low, f.binary("and", f.binary("sub", high, low), word(-lanes)))
