"""Small products of a vector and a matrix. The neighbours in memory are the lanes, whichever way the matrix lies.

Where rows of the matrix lie along the result, each element of the vector times a row is added up, in several sums side
by side. Where they lie along what is summed, a vector's worth of results is summed at once and turned at the end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...ir.graph import Equation
from ...records import dataclass
from ..planning.place import Place
from ..planning.program import pointer_to
from ..text.emit import Function, Reg, const, element_type, vector_of, word
from ..text.lanes import shuffled
from .product import FUSED_MULTIPLY

if TYPE_CHECKING:
    from ..planning.lowering import Lowering

FEWEST_PRODUCTS, MOST_PRODUCTS = 1 << 8, 1 << 16
SUMS = 8
"""Sums side by side: a multiply-add takes four cycles, and two begin in each."""
VECTORS = 8
"""Vectors of the result in one task."""


@dataclass(frozen=True)
class Vector:
    """result(n) = Σ vector(k) matrix(k, n): sizes, and how far apart in memory neighbours along k and n are."""

    element: str
    k: int
    n: int
    vector_k: int
    matrix_k: int
    matrix_n: int
    lanes: int


def lower_vector_product(lowering: Lowering, equation: Equation) -> bool:
    """Lower a product of two matrices, one of which is a row or a column; False where it is none, or large."""
    if equation.primitive.name != "matmul" or equation.outputs[0].dtype.kind != "f":
        return False
    first, second = (lowering.place_of(value) for value in equation.inputs)
    result = equation.outputs[0]
    k, outer = first.shape[-1], math.prod(result.shape[:-2])
    if outer != 1 or k < 2 or 1 not in result.shape[-2:] or result.size < 2:
        return False
    if not FEWEST_PRODUCTS <= k * result.size <= MOST_PRODUCTS:
        return False
    swapped = result.shape[-1] == 1
    vector, matrix = (second, first) if swapped else (first, second)
    vector_k = vector.strides[-2 if swapped else -1]
    matrix_k, matrix_n = matrix.strides[:-3:-1] if swapped else matrix.strides[-2:]
    if 1 not in (matrix_k, matrix_n):
        return False
    lanes = lowering.target.lanes(result.dtype.itemsize)
    product = Vector(element_type(result.dtype), k, result.size, vector_k, matrix_k, matrix_n, lanes)
    _call(lowering, equation, product, vector, matrix)
    return True


def _call(lowering: Lowering, equation: Equation, product: Vector, vector: Place, matrix: Place) -> None:
    result = equation.outputs[0]
    place = lowering.allocate(result)
    along_result = product.matrix_n == 1
    tasks = -(-product.n // (product.lanes * (VECTORS if along_result else 1)))

    def write(f: Function, pointers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        vector, *others = pointers
        body = _rows if along_result else _dots
        if not along_result and product.vector_k != 1:
            vector = _gathered(f, product, vector)
        with f.loop(begin, end) as task:
            body(f, product, (vector, *others), task.index)

    label = f"vector {product.k} times matrix to {product.n}{'' if along_result else ', dots'}"
    cost = 2 * product.k * product.n * FUSED_MULTIPLY
    source = equation.line
    pointers = [pointer_to(each) for each in (vector, matrix, place)]
    lowering.call(write, pointers, tasks, cost, [place.buffer], label, source, ("vector product", product))


# -- rows of the matrix along the result


def _rows(f: Function, product: Vector, pointers: Sequence[Reg], task: Reg) -> None:
    """A task's columns: where some are left over they are computed with neighbours that others compute too."""
    step = product.lanes * VECTORS
    whole, rest = divmod(product.n, step)
    if whole:
        with f.when(f.compare("icmp slt", task, word(whole))):
            _columns(f, product, pointers, f.times(task, step), step)
    if rest:
        with f.when(f.compare("icmp eq", task, word(whole))):
            _columns(f, product, pointers, word(whole * step), rest)


def _columns(f: Function, product: Vector, pointers: Sequence[Reg], first: Reg, count: int) -> None:
    vector, matrix, result = pointers
    element, lanes = product.element, min(product.lanes, count)
    offsets = [*range(0, count - lanes + 1, lanes)]
    if count % lanes:
        offsets.append(count - lanes)
    kind = vector_of(element, lanes)
    here, there = f.at(matrix, element, first), f.at(result, element, first)
    ways = max(1, min(4, SUMS // len(offsets), product.k // 4))
    sums = [const(kind, 0.0)] * (len(offsets) * ways)
    whole = product.k // ways * ways
    with f.loop(0, whole, ways, sums) as loop:
        loop.carry(*_terms(f, product, vector, here, loop.index, ways, offsets, loop.carried))
    rest = _terms(f, product, vector, here, word(whole), product.k - whole, offsets, loop.results)
    for number, offset in enumerate(offsets):
        f.store(_tree(f, rest[number :: len(offsets)]), f.at(there, element, offset))


def _terms(
    f: Function,
    product: Vector,
    vector: Reg,
    matrix: Reg,
    first: Reg,
    count: int,
    offsets: Sequence[int],
    sums: Sequence[Reg],
) -> list[Reg]:
    """The sums with `count` more terms, each in sums of its own."""
    element, current = product.element, list(sums)
    here = f.at(vector, element, f.times(first, product.vector_k))
    row = f.at(matrix, element, f.times(first, product.matrix_k))
    for way in range(count):
        factor = f.load(element, f.at(here, element, way * product.vector_k))
        for number, offset in enumerate(offsets):
            place = way * len(offsets) + number
            values = f.load(current[place].type, f.at(row, element, way * product.matrix_k + offset))
            current[place] = f.fma(f.splat(factor, values.lanes), values, current[place])
    return current


def _tree(f: Function, parts: Sequence[Reg]) -> Reg:
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    return f.binary("fadd", _tree(f, parts[:middle]), _tree(f, parts[middle:]))


# -- rows of the matrix along what is summed


def _dots(f: Function, product: Vector, pointers: Sequence[Reg], task: Reg) -> None:
    """A vector's worth of results; the last of them overlap those before."""
    vector, matrix, result = pointers
    element, lanes = product.element, product.lanes
    first = f.minimum(f.times(task, lanes), word(max(0, product.n - lanes)))
    here = f.at(matrix, element, f.times(first, product.matrix_n))
    rows = [min(row, product.n - 1) * product.matrix_n for row in range(lanes)]
    whole = product.k // lanes * lanes
    sums = [const(vector_of(element, lanes), 0.0)] * lanes
    if whole:
        with f.loop(0, whole, lanes, sums) as loop:
            there = f.at(here, element, loop.index)
            factors = f.load(sums[0].type, f.at(vector, element, loop.index))
            values = [f.load(factors.type, f.at(there, element, row)) for row in rows]
            loop.carry(*(f.fma(factors, value, total) for value, total in zip(values, loop.carried)))
        sums = list(loop.results)
    if rest := product.k - whole:
        factors = f.load_first(sums[0].type, f.at(vector, element, whole), rest)
        values = [f.load_first(factors.type, f.at(here, element, whole + row), rest) for row in rows]
        sums = [f.fma(factors, value, total) for value, total in zip(values, sums)]
    f.store(f.resized(turned_sums(f, sums), min(lanes, product.n)), f.at(result, element, first))


def _gathered(f: Function, product: Vector, vector: Reg) -> Reg:
    """The vector without gaps."""
    copy = f.emit("ptr", f"alloca [{product.k} x {product.element}], align 64")
    with f.loop(0, product.k) as loop:
        one = f.load(product.element, f.at(vector, product.element, f.times(loop.index, product.vector_k)))
        f.store(one, f.at(copy, product.element, loop.index))
    return copy


def turned_sums(f: Function, vectors: Sequence[Reg]) -> Reg:
    """A vector whose lane i is the sum of all lanes of vector i; as many vectors as lanes."""
    lanes = len(vectors)
    current, distance = dict(enumerate(vectors)), lanes // 2
    while distance:
        for row in [row for row in current if not row & distance]:
            current[row] = _halved(f, current[row], current.pop(row | distance), distance)
        distance //= 2
    return current[0]


def _halved(f: Function, low: Reg, high: Reg, distance: int) -> Reg:
    """Lanes whose number lacks the bit `distance`: pairs of `low` added up; the others: pairs of `high`."""
    lanes = low.lanes
    own = [lane + (lanes if lane & distance else 0) for lane in range(lanes)]
    others = [(lane ^ distance) + (lanes if lane & distance else 0) for lane in range(lanes)]
    return f.binary("fadd", shuffled(f, low, high, own), shuffled(f, low, high, others))
