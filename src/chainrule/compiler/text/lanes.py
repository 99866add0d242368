"""Lanes of several vectors put together as one."""

from __future__ import annotations

from collections.abc import Sequence

from .emit import Function, Reg, vector_of


def picked(f: Function, vectors: Sequence[Reg], wanted: Sequence[tuple[int, int]]) -> Reg:
    """A vector of the lanes that are wanted: (number of a vector, its lane)."""
    lanes = vectors[0].lanes
    numbers = list(dict.fromkeys(number for number, _ in wanted))
    result = vectors[numbers[0]]
    chosen: list[int | None] = [lane if number == numbers[0] else None for number, lane in wanted]
    result = shuffled(f, result, result, [*chosen, *[None] * (lanes - len(chosen))])
    for each in numbers[1:]:
        picked = [lanes + lane if number == each else place for place, (number, lane) in enumerate(wanted)]
        result = shuffled(f, result, vectors[each], [*picked, *[None] * (lanes - len(picked))])
    return result


def shuffled(f: Function, first: Reg, second: Reg, lanes: Sequence[int | None]) -> Reg:
    """Lanes of two vectors by their numbers; where there is none, anything."""
    if list(lanes) == list(range(first.lanes)):
        return first
    chosen = ", ".join(f"i32 {'poison' if lane is None else lane}" for lane in lanes)
    kind = vector_of(first.element, len(lanes))
    return f.emit(kind, f"shufflevector {first}, {second}, <{len(lanes)} x i32> <{chosen}>")
