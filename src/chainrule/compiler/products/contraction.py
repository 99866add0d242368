"""Matrix products as kernel calls: which operand is packed, which way round, what order the result lies in.

A product C = A B may as well be computed as Cᵀ = Bᵀ Aᵀ: the result then lies with its rows innermost. What costs least
is chosen from the strides of the operands and from how the result is wanted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...ir.graph import Equation, Value
from ...ir.types import ArrayType
from ...records import dataclass
from ..planning.chains import parts_of_product
from ..planning.parts import usable
from ..planning.place import Place, dense, is_view, same_layout
from ..planning.program import Call, pointer_to
from ..planning.unit import is_elementwise, is_reduction, reduced_axes, root_of, seen_through
from ..text.emit import Function, Reg, element_type
from .dots import dot_plan, dot_tasks, write_dots
from .epilogue import Finishable
from .matmul import ProductKernel
from .pack import PackingOfB
from .product import FUSED_MULTIPLY, Plan, Product, make_plan

if TYPE_CHECKING:
    from ..planning.lowering import Lowering

PRODUCTS = ("matmul", "pair_product")
TURNED = 5.0  # cycles an element of a result that lies the other way than it is wanted
SUMMED_UP = 5.0  # cycles a dot product
FOLLOWED = 16
"""Values that are looked at behind a product for what reduces it."""


@dataclass(frozen=True)
class Choice:
    """One way to compute a product: with operands swapped or not, as tiles (then with a plan) or as dots."""

    cost: float
    product: Product
    swapped: bool
    plan: Plan | None


def lower_product(lowering: Lowering, equation: Equation) -> bool:
    """Lower a matrix product of floats, or of pairs of bfloat16; False where this is none."""
    if equation.primitive.name not in PRODUCTS or equation.outputs[0].dtype.kind != "f":
        return False
    first, second = (lowering.place_of(value) for value in equation.inputs)
    result = equation.outputs[0]
    if first.shape[-1] == 0:
        return False
    wanted = wanted_order(lowering, result)
    choice = choose(lowering, first, second, result, wanted)
    _emit(lowering, equation, choice, first, second, result)
    _bring(lowering, result)
    return True


def _bring(lowering: Lowering, result: Value) -> None:
    """A result that lies another way than it is wanted is turned at once: all who read it read it as they are."""
    wish, place = lowering.wishes.get(id(result)), lowering.places[id(result)]
    if wish is not None and place is not wish:
        lowering.copy(place, wish)
        lowering.places[id(result)] = wish


def choose(lowering: Lowering, first: Place, second: Place, result: Value, wanted: tuple[int, ...] | None) -> Choice:
    """The cheapest way."""
    choices = []
    ndim = result.ndim
    natural = tuple(range(ndim))
    turned = (*range(ndim - 2), ndim - 1, ndim - 2)
    for swapped, order in ((False, natural), (True, turned)):
        product = product_of(first, second, result, swapped, usable(lowering, result, swapped))
        penalty = 0.0 if wanted is None or wanted == order or 1 in result.shape[-2:] else TURNED * result.size
        plan = make_plan(product, lowering.target, lowering.is_fixed(first if swapped else second))
        choices.append(Choice(plan.cycles + penalty, product, swapped, plan))
        if product.a_k == 1 and product.b_k == 1:
            choices.append(Choice(_dot_cost(lowering, product) + penalty, product, swapped, None))
    return min(choices, key=lambda each: each.cost)


def product_of(first: Place, second: Place, result: Value, swapped: bool, place: Place | None) -> Product:
    """place: where the result is wanted, if it can be computed there."""
    m, n = result.shape[-2:]
    k = first.shape[-1]
    a_m, a_k = first.strides[-2:]
    b_k, b_n = second.strides[-2:]
    if m == 1:
        a_m = 0
    if n == 1:
        b_n = 1
    batch = result.shape[:-2]
    c_batch = (dense(result.shape) if place is None else place.strides)[:-2]
    c_row, c_column = (n, m) if place is None else place.strides[-2:]
    element, paired = element_type(result.dtype), first.dtype != result.dtype
    if swapped:
        b_n = second.strides[-1] if n > 1 else 0
        a_m = first.strides[-2] if m > 1 else 1
        return Product(
            *(element, n, m, k, b_n, b_k, a_k, a_m, c_column),
            *(batch, second.strides[:-2], first.strides[:-2], c_batch, paired),
        )
    return Product(
        *(element, m, n, k, a_m, a_k, b_k, b_n, c_row),
        *(batch, first.strides[:-2], second.strides[:-2], c_batch, paired),
    )


def _dot_cost(lowering: Lowering, product: Product) -> float:
    width = lowering.target.lanes(4 if product.element == "float" else 8)
    vectors = -(-product.k // width)
    return math.prod(product.batch) * product.m * product.n * (0.7 * vectors + SUMMED_UP)


def wanted_order(lowering: Lowering, value: Value) -> tuple[int, ...] | None:
    """How the result had best lie: as the parameter that it updates, or None where nobody minds."""
    if id(value) in lowering.wishes or value.ndim < 2:
        return _order_wished(lowering.wishes[id(value)]) if id(value) in lowering.wishes and value.ndim > 1 else None
    waiting: list[tuple[Value, tuple[Equation, ...]]] = [(value, ())]  # what is seen of it, and through which views
    while waiting:
        seen, chain = waiting.pop()
        for user in lowering.users.get(id(seen), ()):
            if is_view(user):
                waiting.extend((output, (*chain, user)) for output in user.outputs)
                continue
            strides = _partner(lowering, user, seen) if is_elementwise(user) else None
            if strides is not None:
                return _order_behind(seen, value, chain, strides)
            if _adds_known(user, seen):
                waiting.append((user.outputs[0], chain))
    return _order_reduced(lowering, value)


def _adds_known(user: Equation, seen: Value) -> bool:
    """Whether a value is combined with a constant: so a sum over the rounds of a loop begins, with zeros."""
    others = [value for value in user.inputs if value is not seen]
    if not others or any(value.data is None for value in others):
        return False
    return is_elementwise(user) and user.outputs[0].shape == seen.shape


def _order_reduced(lowering: Lowering, value: Value) -> tuple[int, ...] | None:
    """Rows side by side where what follows element by element is reduced along them, as in a softmax."""
    waiting, seen = [value], {id(value)}
    while waiting and len(seen) < FOLLOWED:
        for user in lowering.users.get(id(waiting.pop()), ()):
            result = user.outputs[0]
            if is_reduction(user) and reduced_axes(user) == (value.ndim - 1,):
                return tuple(range(value.ndim))
            if is_elementwise(user) and result.shape == value.shape and id(result) not in seen:
                seen.add(id(result))
                waiting.append(result)
    return None


def _order_wished(place: Place) -> tuple[int, ...]:
    ndim = len(place.shape)
    row, column = place.strides[-2:]
    return tuple(range(ndim)) if column <= row else (*range(ndim - 2), ndim - 1, ndim - 2)


def _partner(lowering: Lowering, user: Equation, seen: Value) -> tuple[int, ...] | None:
    """The strides of what an elementwise equation combines a value with, where that has a place already."""
    for other in user.inputs:
        if other is seen or other.shape != seen.shape or other.data is not None:
            continue
        root, _ = root_of(other)
        if id(root) in lowering.places and all(lowering.place_of(other).strides):
            return lowering.place_of(other).strides
    return None


def _order_behind(
    seen: Value, value: Value, chain: Sequence[Equation], wanted: tuple[int, ...]
) -> tuple[int, ...] | None:
    """The order of `value` that makes what is seen of it through views lie as its partner does."""
    order_wanted = sorted(range(seen.ndim), key=lambda axis: -wanted[axis])
    ndim = value.ndim
    for order in (tuple(range(ndim)), (*range(ndim - 2), ndim - 1, ndim - 2)):
        strides = seen_through(value.shape, dense(value.shape, order), chain)
        if strides is not None and same_layout(strides, dense(seen.shape, order_wanted), seen.shape):
            return order
    return None


def _emit(lowering: Lowering, equation: Equation, choice: Choice, first: Place, second: Place, result: Value) -> None:
    ndim = result.ndim
    order: Sequence[int] = (*range(ndim - 2), ndim - 1, ndim - 2) if choice.swapped else tuple(range(ndim))
    place = usable(lowering, result, choice.swapped)
    if place is None:
        place = lowering.allocate(result, order)
    lowering.places[id(result)] = place
    a, b = (second, first) if choice.swapped else (first, second)
    product, plan, target = choice.product, choice.plan, lowering.target
    sizes = "x".join(map(str, (*product.batch, product.m, product.n, product.k)))
    name = "matmul of pairs" if product.paired else "matmul"
    label = f"{name} {sizes}{' dots' if plan is None else ''}{' swapped' if choice.swapped else ''}"
    source = equation.line
    if plan is not None:
        call_tiles(lowering, product, plan, (a, b, place), label, source)
        last = lowering.instructions[-1]
        assert isinstance(last, Call)
        lowering.finishable = Finishable(last, product, plan, place)
        return
    dots = dot_plan(product, target)

    def write(f: Function, registers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        write_dots(f, product, dots, target, registers, begin, end)

    pointers, tasks = [pointer_to(each) for each in (a, b, place)], dot_tasks(product, dots)
    cost, key = product.flops * FUSED_MULTIPLY, ("product", product, plan)
    lowering.call(write, pointers, tasks, cost, [place.buffer], label, source, key)


def call_tiles(
    lowering: Lowering,
    product: Product,
    plan: Plan,
    places: tuple[Place, Place, Place],
    label: str,
    source: str,
    kernel: Callable[[Function], ProductKernel] | None = None,
    kind: Any = "product",
    share: float = 1.0,
) -> None:
    """Append the kernel of a product A, B, C that is done in tiles, and before it that which packs B.

    kernel: what writes it, if not all is multiplied; kind: all that this one depends on beside product and plan;
    share: of the operations.
    """
    a, b, place = places
    b = _packed(lowering, b, product, plan) if plan.pack_b and not plan.private else b

    def write(f: Function, registers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        first, second, third = registers
        writer = ProductKernel(f, product, plan, lowering.target) if kernel is None else kernel(f)
        writer.write(first, second, third, begin, end)

    pointers, tasks = [pointer_to(each) for each in (a, b, place)], plan.tasks(product)
    cost, key = share * product.flops * FUSED_MULTIPLY, (kind, product, plan)
    own = parts_of_product((a, b, place), product.batch, tasks)
    lowering.call(write, pointers, tasks, cost, [place.buffer], label, source, key, own)


def _packed(lowering: Lowering, b: Place, product: Product, plan: Plan) -> Place:
    """B packed by a kernel of its own, once for all who ask; before a loop that does not change it."""
    size = product.different_b * plan.packed_size(product)

    def write(f: Function, registers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        PackingOfB(f, product, plan).write(registers[0], registers[1], begin, end)

    def make(where: Lowering) -> Place:
        target = where.temporary(ArrayType((size,), b.dtype))
        tasks = PackingOfB.tasks(product, plan)
        pointers = [pointer_to(b), pointer_to(target)]
        where.call(write, pointers, tasks, 2.0 * size, [target.buffer], f"pack {product.k}x{product.n}")
        return target

    key = ("packed", b.offset, b.shape, b.strides, b.steps, plan.columns, plan.pack_b)
    return lowering.shared(b, key, make)
