"""Elementwise nests behind a matrix product, done panel by panel: what a panel's tiles wrote is still in a near cache.

The nest has the same code as in a kernel of its own, for the columns of a block, so that no bit depends on it. It may
write over the product (`take_over`): then the product itself never reaches memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ...records import dataclass
from ..nests.loops import Loops
from ..nests.nest import Nest
from ..planning.nest_key import nest_key
from ..planning.nest_plan import over_domain
from ..planning.place import Place
from ..planning.program import Call, Pointer
from ..planning.unit import Unit
from ..text.emit import Function, Reg, memory_type
from .matmul import ProductKernel
from .product import Plan, Product

if TYPE_CHECKING:
    from ..planning.arrays import Arrays
    from ..planning.lowering import Lowering

LEAST_BYTES = 512 << 10
"""Results of a product from which something is done behind it: smaller ones are still in a near cache afterwards."""
MOST_ARRAYS = 3
"""As large as the product, it among them: an update of a parameter is better off in long rows of its own."""

Steps = tuple[int, int]
"""Elements from row to row and from column to column of the product."""


@dataclass(frozen=True)
class Finishable:
    """The last product that was lowered: its call, its plan, where it lies."""

    call: Call
    product: Product
    plan: Plan
    place: Place

    @property
    def columns(self) -> int | None:
        """Columns in a block; None where blocks are not alike."""
        tiles, blocks = -(-self.product.n // self.plan.columns), self.plan.column_blocks
        if blocks > 1 and (self.product.n % self.plan.columns or tiles % blocks):
            return None
        return self.product.n // blocks


def lower_behind(lowering: Lowering, unit: Unit, arrays: Arrays, literals: Mapping[int, Any], cost: float) -> bool:
    """Make a nest part of the product right before it; False where that can't be or doesn't pay."""
    ready = lowering.finishable
    if ready is None or not lowering.instructions or lowering.instructions[-1] is not ready.call:
        return False
    steps = _steps(unit, arrays, ready)
    if ready.columns is None or steps is None or not _may_write(arrays, steps, ready):
        return False
    _keep_from_overwriting(arrays, ready)
    product, columns = ready.product, ready.columns
    part = replace(unit, domain=(product.m, columns))

    def write(f: Function, registers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        inputs, outputs = (arrays.operands(way, registers, steps) for way in ("in", "out"))
        loops = Loops(f, part, inputs, literals, outputs, (0, 1), lowering.target.vector_bytes, joined=False)
        Nest(loops).write(begin, end)

    key = nest_key(unit, arrays.numbered("in"), literals, arrays.numbered("out"), (), arrays.marks)
    key = None if key is None else ("behind", product.m, columns, product.c_m, key)
    name = lowering.kernels.named(write, len(arrays.pointers), str(unit), key)
    _replace(lowering, ready, unit, arrays, _finisher(name, arrays, steps, columns), name, cost)
    return True


def _steps(unit: Unit, arrays: Arrays, ready: Finishable) -> dict[tuple[str, int], Steps] | None:
    """How each array of a nest lies along rows and columns of the product; None where the nest goes another way."""
    product = ready.product
    if ready.place.type.nbytes < LEAST_BYTES or math.prod(product.batch) != 1 or 1 in (product.m, product.n):
        return None
    if unit.axes is not None or any(each.outputs[0].shape != unit.domain for each in unit.members):
        return None
    over = {key: over_domain(unit, place) for key, place in arrays.places.items()}
    mine = [over[key] for key, place in arrays.places.items() if place.buffer is ready.place.buffer]
    if not mine:
        return None
    axes = [axis for axis in sorted(range(len(unit.domain)), key=lambda axis: -mine[0][axis]) if unit.domain[axis] != 1]
    rows = [axis for axis in axes if mine[0][axis] >= product.c_m]
    columns = [axis for axis in axes if mine[0][axis] < product.c_m]
    if [math.prod(unit.domain[axis] for axis in each) for each in (rows, columns)] != [product.m, product.n]:
        return None
    found = {key: (_joined(unit, steps, rows), _joined(unit, steps, columns)) for key, steps in over.items()}
    if any(row is None or column not in (0, 1) for row, column in found.values()):
        return None
    large = {arrays.number[key] for key, (row, column) in found.items() if row and column}
    own = {found[key] for key, place in arrays.places.items() if place.buffer is ready.place.buffer}
    if own != {(product.c_m, 1)} or len(large) > MOST_ARRAYS:
        return None
    return {key: (row or 0, column or 0) for key, (row, column) in found.items()}


def _joined(unit: Unit, steps: Sequence[int], axes: Sequence[int]) -> int | None:
    """How far apart neighbours are along several axes that are gone through as one."""
    if any(steps[outer] != steps[inner] * unit.domain[inner] for outer, inner in pairwise(axes)):
        return None
    return steps[axes[-1]]


def _may_write(arrays: Arrays, steps: Mapping[tuple[str, int], Steps], ready: Finishable) -> bool:
    """Whether the nest leaves alone what the product reads, and each pointer moves with the columns in one way."""
    read = {pointer.buffer for pointer in ready.call.pointers}
    if any(way == "out" and place.buffer in read for (way, _), place in arrays.places.items()):
        return False
    views: dict[int, set[Any]] = {}
    for key, place in arrays.places.items():
        views.setdefault(arrays.number[key], set()).add((place.dtype, steps[key]))
    return all(len(each) == 1 for each in views.values())


def _keep_from_overwriting(arrays: Arrays, ready: Finishable) -> None:
    """What the product reads is needed until its last panel: the nest must not take that memory over any more."""
    read = {pointer.buffer for pointer in ready.call.pointers}
    for place in (place for (way, _), place in arrays.places.items() if way == "out"):
        place.buffer.over = tuple(
            other for other in place.buffer.over if other is ready.place.buffer or other not in read
        )
        place.buffer.over_slices = tuple(other for other in place.buffer.over_slices if other not in read)


Finisher = Callable[[Function, Sequence[Reg], Reg, int, Reg], None]
"""(function, pointers of the nest, first row, rows, block of columns) -> writes what follows a panel's tiles."""


def _finisher(name: str, arrays: Arrays, steps: Mapping[tuple[str, int], Steps], columns: int) -> Finisher:
    moves = {
        arrays.number[key]: (memory_type(place.dtype), columns * steps[key][1]) for key, place in arrays.places.items()
    }

    def finish(f: Function, pointers: Sequence[Reg], row: Reg, rows: int, block: Reg) -> None:
        here = [f.at(each, moves[n][0], f.times(block, moves[n][1])) for n, each in enumerate(pointers)]
        f.call(name, *here, row, f.add(row, rows))

    return finish


def _replace(
    lowering: Lowering, ready: Finishable, unit: Unit, arrays: Arrays, finish: Finisher, name: str, cost: float
) -> None:
    """The call of the product gives way to one that does the nest too."""
    call, product, plan, target = ready.call, ready.product, ready.plan, lowering.target

    def write(f: Function, registers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        a, b, c, *others = registers
        kernel = ProductKernel(f, product, plan, target, lambda *panel: finish(f, others, *panel))
        kernel.write(a, b, c, begin, end)

    lowering.take_back(call)
    pointers: list[Pointer] = [*call.pointers, *arrays.pointers]
    written = [*call.writes, *(place.buffer for (way, _), place in arrays.places.items() if way == "out")]
    names = " ".join(equation.primitive.name for equation in unit.members)
    label, source = f"{call.label}: {names}", call.source
    key = ("product", product, plan, name)
    lowering.call(write, pointers, call.tasks, call.cost + cost, written, label, source, key)
