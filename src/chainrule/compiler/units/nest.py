"""A unit that is a loop nest as one kernel call: what it reads, what it keeps and where, in which order it runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...ir.graph import Value
from ..nests.loops import Loops
from ..nests.nest import Nest
from ..planning.arrays import Arrays
from ..planning.chains import parts_of_nest
from ..planning.far import written_past
from ..planning.nest_key import nest_key
from ..planning.nest_plan import EXPENSIVE, spilled
from ..planning.place import Kind, Place, splat_number
from ..planning.take_over import note_overwritten
from ..planning.unit import Unit, root_of
from ..products.epilogue import lower_behind
from ..text.emit import Function, Reg

if TYPE_CHECKING:
    from ..planning.lowering import Lowering


def lower_nest(lowering: Lowering, unit: Unit) -> None:
    """Append the kernel of a nest."""
    own = {id(equation.outputs[0]) for equation in unit.members if id(equation) not in unit.guests}
    stored = own & lowering.outside
    operands, literals = _operands(lowering, unit)
    order = _order(lowering, unit, operands)
    stores = _stores(lowering, unit, stored, order)
    own_memory = {key for key, place in stores.items() if lowering.wishes.get(key) is not place}
    note_overwritten(unit, operands, stores, own_memory)
    arrays = Arrays(unit, far=written_past(unit, stores, lowering.far))
    for value, place in operands.items():
        arrays.add("in", value, place)
    for value, place in stores.items():
        arrays.add("out", value, place)

    def nest(f: Function, registers: Sequence[Reg]) -> Nest:
        inputs, outputs = arrays.operands("in", registers), arrays.operands("out", registers)
        return Nest(Loops(f, unit, inputs, literals, outputs, order, lowering.target.vector_bytes))

    def count_tasks() -> int:
        return nest(Function(lowering.module, "none", []), [Reg("ptr", "%none")] * len(arrays.pointers)).tasks

    if lower_behind(lowering, unit, arrays, literals, _cost(unit)):
        return
    key = nest_key(unit, arrays.numbered("in"), literals, arrays.numbered("out"), order, arrays.marks)
    tasks = lowering.kernels.tasks_of(key, count_tasks)
    lowering.call(
        lambda f, registers, begin, end: nest(f, registers).write(begin, end),
        arrays.pointers,
        tasks,
        _cost(unit),
        [place.buffer for place in stores.values()],
        str(unit),
        str(unit.members[-1].source or ""),
        key,
        parts_of_nest(unit, [*operands.values(), *stores.values()], order, tasks),
    )


def _operands(lowering: Lowering, unit: Unit) -> tuple[dict[int, Place], dict[int, Any]]:
    """What a nest reads from memory, and the numbers that it has in its code."""
    members = {id(equation) for equation in unit.members}
    operands: dict[int, Place] = {}
    literals: dict[int, Any] = {}
    for equation in unit.members:
        for value in equation.inputs:
            root, _ = root_of(value)
            if root.equation is not None and id(root.equation) in members:
                continue
            number = splat_number(root.data) if root.data is not None else None
            if number is not None:
                literals[id(value)] = number
            elif id(value) not in operands:
                operands[id(value)] = lowering.place_of(value)
    return operands, literals


def _stores(lowering: Lowering, unit: Unit, stored: set[int], order: Sequence[int]) -> dict[int, Place]:
    """Where what others read lies, and what later phases of the nest itself read."""
    extra = spilled(unit, stored)
    stores: dict[int, Place] = {}
    for equation in unit.members:
        value = equation.outputs[0]
        if id(value) in stored:
            stores[id(value)] = lowering.allocate(value, _order_of(unit, value, order), gaps=True)
        elif id(value) in extra:
            stores[id(value)] = lowering.temporary(value.type, _order_of(unit, value, order))
    return stores


def _order(lowering: Lowering, unit: Unit, operands: dict[int, Place]) -> tuple[int, ...]:
    """The axes of the domain from the outermost to the innermost: as the operands that matter most lie."""
    natural = tuple(range(len(unit.domain)))
    full = [place for place in operands.values() if place.shape == unit.domain and any(place.strides)]
    if not full:
        return natural
    most = max(sum(1 for stride in place.strides if stride) for place in full)
    chosen = [place for place in full if sum(1 for stride in place.strides if stride) == most]
    owned = [place for place in chosen if place.buffer.kind is Kind.SLOT]
    if owned and any(id(equation.outputs[0]) in lowering.wishes for equation in unit.members):
        return owned[0].order
    orders = [place.order for place in chosen]
    return max(orders, key=orders.count)


def _order_of(unit: Unit, value: Value, order: Sequence[int]) -> tuple[int, ...]:
    """The order of a member's own axes that follows from that of the domain."""
    if value.shape == unit.domain:
        return tuple(order)
    kept = [axis for axis in order if axis in unit.kept and unit.domain[axis] != 1]
    places = [axis for axis, size in enumerate(value.shape) if size != 1]
    rank = {axis: position for position, axis in enumerate(a for a in unit.kept if unit.domain[a] != 1)}
    ones = [axis for axis, size in enumerate(value.shape) if size == 1]
    return (*ones, *(places[rank[axis]] for axis in kept))


def _cost(unit: Unit) -> float:
    dear = sum(equation.primitive.name in EXPENSIVE for equation in unit.members)
    return math.prod(unit.domain) * (1 + 0.25 * len(unit.members) + 1.5 * dear)
