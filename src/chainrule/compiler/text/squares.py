"""Squares turned over their diagonal in registers: one function for each element type and size in a program.

Sixteen vectors are turned by 64 shuffles, which LLVM takes long to choose: longer than for all the rest of a kernel.
"""

from __future__ import annotations

from .emit import Function, Module, Reg, vector_of, word
from .tile import transpose


def turn_square(
    f: Function, element: str, lanes: int, source: Reg, source_step: int, target: Reg, target_step: int
) -> None:
    """target[column, row] = source[row, column]; steps: elements from row to row. Integers move as floats do."""
    element = {"i32": "float", "i64": "double"}.get(element, element)
    name = _turning_function(f.module, f.attributes, element, lanes)
    f.call(name, source, word(source_step), target, word(target_step))


def _turning_function(module: Module, attributes: str, element: str, lanes: int) -> str:
    name = f"turn_{element}_{lanes}"
    if module.is_new(name):
        source, source_step = Reg("ptr", "%source"), Reg("i64", "%source_step")
        target, target_step = Reg("ptr", "%target"), Reg("i64", "%target_step")
        f = Function(module, name, [source, source_step, target, target_step], attributes)
        rows, place = [], source
        for number in range(lanes):
            place = f.at(place, element, source_step) if number else place
            rows.append(f.load(vector_of(element, lanes), place))
        place = target
        for number, row in enumerate(transpose(f, rows)):
            place = f.at(place, element, target_step) if number else place
            f.store(row, place)
        f.finish()
    return name
