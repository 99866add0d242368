"""What a loop nest goes over: its operands and axes, the phases of its reductions, what is kept between phases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...ir.graph import Equation, Value
from ...records import dataclass
from ..text.emit import Reg
from .place import Place
from .unit import Unit, is_reduction, root_of

_EXPENSIVE = """
exp expm1 log log1p log2 log10 tanh sigmoid erf erfc erfinv gelu sin cos tan asin acos atan atan2
sinh cosh asinh acosh atanh power logaddexp hypot sqrt divide floor_divide remainder lgamma polygamma
"""
EXPENSIVE = frozenset(_EXPENSIVE.split())
"""What costs many instructions an element: it is not computed twice without need."""


@dataclass(frozen=True)
class Operand:
    """An array that a nest reads or writes: its pointer, and its strides over the axes of the domain.

    far: whether whole vectors of it are written past the caches.
    """

    place: Place
    strides: tuple[int, ...]
    pointer: Reg
    far: bool = False


@dataclass(frozen=True)
class Axis:
    """Axes of the domain that memory goes through as one. strides by operand come from its innermost."""

    size: int
    reduced: bool
    inner: int


def over_domain(unit: Unit, place: Place) -> tuple[int, ...]:
    """The strides of an operand over the domain: it has the domain's shape, or that of a row (axes of size 1 aside)."""
    if place.shape == unit.domain:
        return place.strides
    steps = iter([stride for stride, size in zip(place.strides, place.shape) if size != 1])
    strides = [0] * len(unit.domain)
    for axis in unit.kept:
        if unit.domain[axis] != 1:
            strides[axis] = next(steps)
    return tuple(strides)


def levels(unit: Unit) -> dict[int, int]:
    """The phase in which each member is first known, by id of its value."""
    found: dict[int, int] = {}
    for equation in unit.members:
        level = max((found.get(id(root_of(value)[0]), 0) for value in equation.inputs), default=0)
        found[id(equation.outputs[0])] = level + 1 if is_reduction(equation) else level
    return found


def phase_of(equation: Equation, known: Mapping[int, int]) -> int:
    """The phase that computes a member."""
    level = known[id(equation.outputs[0])]
    return level - 1 if is_reduction(equation) else level


def spilled(unit: Unit, stored: set[int]) -> set[int]:
    """Members (ids of values) that must lie in memory because a later phase needs what is too dear to compute again."""
    if unit.axes is None:
        return set()
    known = levels(unit)
    by_value = {id(equation.outputs[0]): equation for equation in unit.members}
    result: set[int] = set()
    seen: set[tuple[int, int]] = set()

    def visit(value: Value, phase: int) -> None:
        root, _ = root_of(value)
        equation = by_value.get(id(root))
        if equation is None or id(equation) in unit.rows or (id(root), phase) in seen:
            return
        seen.add((id(root), phase))
        if known[id(root)] < phase and (id(root) in stored or equation.primitive.name in EXPENSIVE):
            result.add(id(root))
            return
        for operand in equation.inputs:
            visit(operand, phase)

    for equation in unit.members:
        phase = phase_of(equation, known)
        is_root = is_reduction(equation) or id(equation.outputs[0]) in stored
        if is_root and (is_reduction(equation) or id(equation) not in unit.rows):
            for operand in equation.inputs:
                visit(operand, phase)
    while True:  # what is kept is a root of its own phase
        before = len(result)
        for equation in unit.members:
            if id(equation.outputs[0]) in result:
                for operand in equation.inputs:
                    visit(operand, known[id(equation.outputs[0])])
        if len(result) == before:
            return result - stored


def last_reads(unit: Unit, stored: set[int]) -> dict[int, int]:
    """The last phase that reads each value from memory, by id: operands, and members that are stored."""
    known = levels(unit)
    by_value = {id(equation.outputs[0]): equation for equation in unit.members}
    found: dict[int, int] = {}
    seen: set[tuple[int, int]] = set()

    def visit(value: Value, phase: int) -> None:
        key = id(root_of(value)[0])
        if (key, phase) in seen:
            return
        seen.add((key, phase))
        equation = by_value.get(key)
        if equation is None or (known[key] < phase and key in stored):
            found[key] = max(found.get(key, 0), phase)
            return
        for operand in equation.inputs:
            visit(operand, phase)

    for equation in unit.members:
        if is_reduction(equation) or id(equation.outputs[0]) in stored:
            for operand in equation.inputs:
                visit(operand, phase_of(equation, known))
    return found


def collapse(unit: Unit, order: Sequence[int], strides: Sequence[tuple[int, ...]]) -> list[Axis]:
    """The axes of the domain in the order of memory, those joined that all operands go through as one."""
    result: list[Axis] = []
    for axis in order:
        size = unit.domain[axis]
        if size == 1:
            continue
        reduced = axis in (unit.axes or ())
        if result and result[-1].reduced == reduced:
            outer = result[-1].inner
            if all(steps[outer] == steps[axis] * size for steps in strides):
                result[-1] = Axis(result[-1].size * size, reduced, axis)
                continue
        result.append(Axis(size, reduced, axis))
    return result
