"""Products so small that one vector holds all of the result: each term is one multiplication of all lanes.

A term takes a column of the first matrix and a row of the second, each repeated over the lanes by a shuffle. So what
follows finds the result in one register, and a chain of tiny layers waits for few instructions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...ir.graph import Equation
from ...records import dataclass
from ..planning.place import Place
from ..planning.program import pointer_to
from ..text.emit import Function, Reg, const, memory_type, vector_of
from ..text.lanes import shuffled
from .product import FUSED_MULTIPLY

if TYPE_CHECKING:
    from ..planning.lowering import Lowering

MOST_TERMS = 8
TWO_CHAINS = 4
"""Terms from which on two sums run side by side."""


def lower_whole_product(lowering: Lowering, equation: Equation) -> bool:
    """Lower a product of two matrices whose result fits one vector; False where it doesn't."""
    result = equation.outputs[0]
    if equation.primitive.name != "matmul" or result.ndim != 2 or result.dtype.kind != "f" or result.size < 2:
        return False
    first, second = (lowering.place_of(value) for value in equation.inputs)
    lanes = lowering.target.lanes(result.dtype.itemsize)
    if first.dtype != result.dtype or not 2 <= first.shape[1] <= MOST_TERMS or result.size > lanes:
        return False
    if max(_span(first), _span(second)) > 2 * lanes or min(*first.strides, *second.strides) < 0:
        return False
    kernel, target = _Product(first, second), lowering.allocate(result)
    pointers = [pointer_to(place) for place in (first, second, target)]
    key = ("whole product", *((place.dtype, place.shape, place.strides) for place in (first, second)))
    label = f"product {'x'.join(map(str, (*result.shape, first.shape[1])))} in one vector"
    cost = 2.0 * result.size * first.shape[1] * FUSED_MULTIPLY
    source = equation.line
    lowering.call(kernel.write, pointers, 1, cost, [target.buffer], label, source, key)
    return True


def _span(place: Place) -> int:
    """Elements from the first to the last."""
    return 1 + sum((size - 1) * stride for size, stride in zip(place.shape, place.strides))


@dataclass(frozen=True)
class _Product:
    first: Place
    second: Place

    def write(self, f: Function, pointers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        """The kernel: one task, so whoever calls it has that one or none."""
        element, places = memory_type(self.first.dtype), (self.first, self.second)
        with f.when(f.compare("icmp slt", begin, end)):
            left, right = (
                f.load(vector_of(element, _span(place)), pointer) for place, pointer in zip(places, pointers)
            )
            f.store(self._sum(f, left, right), pointers[2])

    def _sum(self, f: Function, left: Reg, right: Reg) -> Reg:
        terms = self.first.shape[1]
        half = terms // 2 if terms >= TWO_CHAINS else terms
        parts = [self._chain(f, left, right, range(*span)) for span in ((0, half), (half, terms)) if span[0] < span[1]]
        return parts[0] if len(parts) == 1 else f.binary("fadd", *parts)

    def _chain(self, f: Function, left: Reg, right: Reg, terms: Sequence[int]) -> Reg:
        (rows, _), (_, columns) = self.first.shape, self.second.shape
        (a_m, a_k), (b_k, b_n) = self.first.strides, self.second.strides
        total = const(vector_of(left.element, rows * columns), 0.0)
        for k in terms:
            column = shuffled(f, left, left, [i * a_m + k * a_k for i in range(rows) for _ in range(columns)])
            row = shuffled(f, right, right, [k * b_k + j * b_n for _ in range(rows) for j in range(columns)])
            total = f.fma(column, row, total)
        return total
