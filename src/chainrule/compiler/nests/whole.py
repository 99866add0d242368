"""Nests over so few elements that one vector holds them all, whatever their axes.

Where an operand repeats or leaves out elements, a shuffle puts them into their lanes. So the hidden units of a tiny net
take one sigmoid for all examples, not one for each.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...ir.types import DType
from ..planning.nest_plan import Axis, Operand
from ..text.emit import Function, Reg, vector_of
from ..text.register import element_type, memory_type

if TYPE_CHECKING:
    from ..planning.unit import Unit


def widest_bytes(unit: Unit) -> int:
    """Bytes of an element of the widest type in a nest; bools aside, whose size in registers is another."""
    dtypes = [value.dtype for equation in unit.members for value in (*equation.inputs, *equation.outputs)]
    return max((dtype.itemsize for dtype in dtypes if dtype.kind != "b"), default=1)


def fits_one_vector(unit: Unit, axes: Sequence[Axis], vector_bytes: int) -> bool:
    """Whether a nest without reductions, whose axes memory does not go through as one, has no more than one vector."""
    size = math.prod(axis.size for axis in axes)
    return unit.axes is None and len(axes) > 1 and size * widest_bytes(unit) <= vector_bytes


def places_of(unit: Unit, order: Sequence[int], operand: Operand) -> list[int]:
    """Where the elements of all lanes lie, in elements from the operand's pointer."""
    ranges = [range(unit.domain[axis]) for axis in order]
    steps = [operand.strides[axis] for axis in order]
    return [sum(index * step for index, step in zip(point, steps)) for point in itertools.product(*ranges)]


def load_lanes(f: Function, operand: Operand, places: Sequence[int]) -> Reg:
    """A vector of the elements at `places`."""
    dtype, lanes, low, high = operand.place.dtype, len(places), min(places), max(places)
    first = f.at(operand.pointer, memory_type(dtype), low)
    if low == high:
        return f.splat(f.load_elements(dtype, 0, first), lanes)
    if high - low >= lanes:
        return gather_lanes(f, dtype, operand.pointer, places)
    span = f.load_elements(dtype, high - low + 1, first)
    if list(places) == list(range(low, high + 1)):
        return span
    chosen = ", ".join(f"i32 {place - low}" for place in places)
    return f.emit(
        vector_of(span.element, lanes), f"shufflevector {span}, {span.type} poison, <{lanes} x i32> <{chosen}>"
    )


def store_lanes(f: Function, operand: Operand, places: Sequence[int], value: Reg) -> None:
    """Each lane to its place."""
    dtype = operand.place.dtype
    if list(places) == list(range(places[0], places[0] + len(places))):
        f.store_elements(dtype, value, f.at(operand.pointer, memory_type(dtype), places[0]))
    else:
        scatter_lanes(f, dtype, operand.pointer, places, value)


def gather_lanes(f: Function, dtype: DType, address: Reg, places: Sequence[int]) -> Reg:
    """A vector of the elements at `places` behind an address, read one by one."""
    result = Reg(vector_of(element_type(dtype), len(places)), "poison")
    for lane, place in enumerate(places):
        one = f.load_elements(dtype, 0, f.at(address, memory_type(dtype), place))
        result = f.emit(result.type, f"insertelement {result}, {one}, i64 {lane}")
    return result


def scatter_lanes(f: Function, dtype: DType, address: Reg, places: Sequence[int], value: Reg) -> None:
    """Each lane to its place behind an address, one by one."""
    for lane, place in enumerate(places):
        f.store_elements(dtype, f.extract(value, lane), f.at(address, memory_type(dtype), place))
