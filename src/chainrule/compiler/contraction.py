"""Matrix products as kernel calls: which operand is packed, which way round, what order the result lies in.

A product C = A B may as well be computed as Cᵀ = Bᵀ Aᵀ: the result then lies with its rows innermost. What costs least
is chosen from the strides of the operands and from how the result is wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..ir.graph import Equation, Value
from .emit import Function, Reg, element_type
from .matmul import Product, ProductKernel, dot_plan, dot_tasks, make_plan, tasks_of, write_dots
from .place import Place, dense, is_view, same_layout
from .program import pointer_to
from .unit import is_elementwise, root_of, seen_through

if TYPE_CHECKING:
    from .units import Lowering

PACKED = 1.0  # costs in elements moved
SCATTERED = 4.0
TURNED = 3.0
SUMMED_UP = 3.0
FUSED_MULTIPLY = 1 / 56


@dataclass(frozen=True)
class Choice:
    """One way to compute a product: with operands swapped or not, as tiles or as dots."""

    cost: float
    product: Product
    swapped: bool
    dots: bool


def lower_product(lowering: Lowering, equation: Equation) -> bool:
    """Lower a matrix product of floats; False where this is none."""
    if equation.primitive.name != "matmul" or equation.outputs[0].dtype.kind != "f":
        return False
    first, second = (lowering.place_of(value) for value in equation.inputs)
    result = equation.outputs[0]
    if first.shape[-1] == 0:
        return False
    wanted = wanted_order(lowering, result)
    first, second = (_turned_outside(lowering, place) for place in (first, second))
    choice = choose(lowering, first, second, result, wanted)
    _emit(lowering, equation, choice, first, second, result)
    return True


def _turned_outside(lowering: Lowering, place: Place) -> Place:
    """In a loop: an operand that the loop does not change, and whose rows lie along k, is turned once, before it."""
    rows, columns = place.shape[-2:]
    unchanged = lowering.outer is not None and place.buffer.number not in lowering.local and not place.steps
    if not unchanged or len(place.shape) != 2 or place.strides[0] != 1 or rows < 16 or columns < 16:
        return place
    return lowering.shared_copy(place, (0, 1))


def choose(lowering: Lowering, first: Place, second: Place, result: Value, wanted: tuple[int, ...] | None) -> Choice:
    """The cheapest way."""
    choices = []
    ndim = result.ndim
    natural = tuple(range(ndim))
    turned = (*range(ndim - 2), ndim - 1, ndim - 2)
    for swapped, order in ((False, natural), (True, turned)):
        product = _product(first, second, result, swapped)
        penalty = 0.0 if wanted is None or wanted == order or 1 in result.shape[-2:] else TURNED * result.size
        choices.append(Choice(_tile_cost(lowering, product) + penalty, product, swapped, False))
        if product.a_k == 1 and product.b_k == 1:
            choices.append(Choice(_dot_cost(lowering, product) + penalty, product, swapped, True))
    return min(choices, key=lambda each: each.cost)


def _product(first: Place, second: Place, result: Value, swapped: bool) -> Product:
    m, n = result.shape[-2:]
    k = first.shape[-1]
    a_m, a_k = first.strides[-2:]
    b_k, b_n = second.strides[-2:]
    if m == 1:
        a_m = 0
    if n == 1:
        b_n = 1
    batch = result.shape[:-2]
    c_batch = dense(result.shape)[:-2]
    element = element_type(result.dtype)
    if swapped:
        b_n = second.strides[-1] if n > 1 else 0
        a_m = first.strides[-2] if m > 1 else 1
        return Product(element, n, m, k, b_n, b_k, a_k, a_m, m, batch, second.strides[:-2], first.strides[:-2], c_batch)
    return Product(element, m, n, k, a_m, a_k, b_k, b_n, n, batch, first.strides[:-2], second.strides[:-2], c_batch)


def _tile_cost(lowering: Lowering, product: Product) -> float:
    width = lowering.target.lanes(4 if product.element == "float" else 8)
    vectors = -(-product.n // width)
    multiply = product.m * product.k * vectors * width * FUSED_MULTIPLY * (1 if product.m >= 4 else 1.5)
    pack = 0.0
    if product.b_n != 1:
        pack = product.n * product.k * (PACKED if product.b_k == 1 else SCATTERED)
    return multiply + pack


def _dot_cost(lowering: Lowering, product: Product) -> float:
    width = lowering.target.lanes(4 if product.element == "float" else 8)
    vectors = -(-product.k // width)
    return product.m * product.n * (vectors * width * FUSED_MULTIPLY * 1.4 + SUMMED_UP)


def wanted_order(lowering: Lowering, value: Value) -> tuple[int, ...] | None:
    """How the result had best lie: as the parameter that it updates, or None where nobody minds."""
    if id(value) in lowering.wishes or value.ndim < 2:
        return lowering.wishes[id(value)].order if id(value) in lowering.wishes else None
    waiting = [value]
    while waiting:
        seen = waiting.pop()
        for user in lowering.users.get(id(seen), ()):
            if is_view(user):
                waiting.extend(user.outputs)
                continue
            strides = _partner(lowering, user, seen) if is_elementwise(user) else None
            if strides is not None:
                return _order_behind(seen, value, strides)
    return None


def _partner(lowering: Lowering, user: Equation, seen: Value) -> tuple[int, ...] | None:
    """The strides of what an elementwise equation combines a value with, where that has a place already."""
    for other in user.inputs:
        if other is seen or other.shape != seen.shape or other.data is not None:
            continue
        root, _ = root_of(other)
        if id(root) in lowering.places and all(lowering.place_of(other).strides):
            return lowering.place_of(other).strides
    return None


def _order_behind(seen: Value, value: Value, wanted: tuple[int, ...]) -> tuple[int, ...] | None:
    """The order of `value` that makes what is seen of it lie as its partner does."""
    order_wanted = sorted(range(seen.ndim), key=lambda axis: -wanted[axis])
    _, chain = _chain_between(seen, value)
    ndim = value.ndim
    for order in (tuple(range(ndim)), (*range(ndim - 2), ndim - 1, ndim - 2)):
        strides = seen_through(value.shape, dense(value.shape, order), chain)
        if strides is not None and same_layout(strides, dense(seen.shape, order_wanted), seen.shape):
            return order
    return None


def _chain_between(seen: Value, value: Value) -> tuple[Value, list[Equation]]:
    chain: list[Equation] = []
    while seen is not value and seen.equation is not None:
        chain.append(seen.equation)
        seen = seen.equation.inputs[0]
    return seen, chain[::-1]


def _emit(lowering: Lowering, equation: Equation, choice: Choice, first: Place, second: Place, result: Value) -> None:
    ndim = result.ndim
    order: Sequence[int] = (*range(ndim - 2), ndim - 1, ndim - 2) if choice.swapped else tuple(range(ndim))
    place = lowering.allocate(result, order)
    a, b = (second, first) if choice.swapped else (first, second)
    pointers = [pointer_to(each) for each in (a, b, place)]
    product, target = choice.product, lowering.target
    if choice.dots:
        dots = dot_plan(product, target)
        tasks = dot_tasks(product, dots)

        def write(f: Function, registers: Sequence[Reg], begin: Reg, end: Reg) -> None:
            write_dots(f, product, dots, target, registers, begin, end)
    else:
        tiles = make_plan(product, target)
        tasks = tasks_of(product, tiles)

        def write(f: Function, registers: Sequence[Reg], begin: Reg, end: Reg) -> None:
            a, b, c = registers
            ProductKernel(f, product, tiles, target).write(a, b, c, begin, end)

    sizes = "x".join(map(str, (*product.batch, product.m, product.n, product.k)))
    label = f"matmul {sizes}{' dots' if choice.dots else ''}{' swapped' if choice.swapped else ''}"
    source = str(equation.source) if equation.source else ""
    lowering.call(write, pointers, tasks, product.flops * FUSED_MULTIPLY, [place.buffer], label, source)
