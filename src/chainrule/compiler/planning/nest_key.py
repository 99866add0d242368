"""What the code of a nest depends on, as a key: nests that are alike but for their pointers are written once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...ir.graph import Equation, Value
from .place import Place
from .unit import Unit, root_of

Key = tuple[Any, ...] | None


def nest_key(
    unit: Unit,
    operands: Mapping[int, tuple[int, Place]],
    literals: Mapping[int, Any],
    stores: Mapping[int, tuple[int, Place]],
    order: Sequence[int],
    marks: tuple[bool, ...] = (),
) -> Key:
    """None where a parameter can't be part of a key.

    operands, stores: for each value (by id) the number of its pointer, and its place. marks: of those arrays.
    """
    number = {id(equation.outputs[0]): place for place, equation in enumerate(unit.members)}

    def source(value: Value) -> tuple[Any, ...]:
        root, _ = root_of(value)
        if id(root) in number:
            return "member", number[id(root)]
        if id(value) in literals:
            return "number", repr(literals[id(value)]), value.dtype
        return "array", *_layout(operands[id(value)])

    def member(equation: Equation) -> tuple[Any, ...]:
        value = equation.outputs[0]
        kept = _layout(stores[id(value)]) if id(value) in stores else None
        params = tuple(equation.params.items())
        is_row, is_guest = id(equation) in unit.rows, id(equation) in unit.guests
        inputs = tuple([source(each) for each in equation.inputs])
        return equation.primitive.name, params, inputs, value.dtype, value.shape, is_row, is_guest, kept

    key = ("nest", unit.domain, unit.axes, tuple(order), marks, *map(member, unit.members))
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _layout(array: tuple[int, Place]) -> tuple[Any, ...]:
    pointer, place = array
    return pointer, place.dtype, place.shape, place.strides
