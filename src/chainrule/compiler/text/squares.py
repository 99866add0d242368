"""Squares turned over their diagonal in registers: one function for each element type and size in a program.

Sixteen vectors are turned by 64 shuffles, which LLVM takes long to choose: longer than for all the rest of a kernel.
For AVX-512 they are written as assembly.
"""

from __future__ import annotations

from collections.abc import Iterator

from .emit import Function, Module, Reg, bytes_of, vector_of, word
from .target import assembles_here
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
        if module.has_scaling and assembles_here() and (element, lanes) == ("float", 16):
            _assemble(f)
        else:
            _turn(f, element, lanes)
        f.finish()
    return name


def _turn(f: Function, element: str, lanes: int) -> None:
    source, source_step, target, target_step = f.parameters
    rows, place = [], source
    for number in range(lanes):
        place = f.at(place, element, source_step) if number else place
        rows.append(f.load(vector_of(element, lanes), place))
    place = target
    for number, row in enumerate(transpose(f, rows)):
        place = f.at(place, element, target_step) if number else place
        f.store(row, place)


def _assemble(f: Function) -> None:
    """Sixteen rows of sixteen floats. $0 and $1 move through the rows, $4 and $5 are the bytes between them."""
    source, source_step, target, target_step = f.parameters
    steps = [f.times(step, bytes_of("float")) for step in (source_step, target_step)]
    lines = [line for row in range(16) for line in (f"vmovups ($0), %zmm{row}", "addq $4, $0")]
    lines += [f"{shuffle} %zmm{second}, %zmm{first}, %zmm{to}" for shuffle, first, second, to in _shuffles()]
    lines += [line for row in range(16) for line in (f"vmovups %zmm{row}, ($1)", "addq $5, $1")]
    marks = ["=&r", "=&r", "0", "1", "r", "r", *(f"~{{zmm{number}}}" for number in range(32)), "~{memory}", "~{flags}"]
    text, given = "\\0A".join(lines), ", ".join(map(str, (source, target, *steps)))
    f.line(f'{f.fresh("v")} = call {{ ptr, ptr }} asm sideeffect "{text}", "{",".join(marks)}"({given})')


def _shuffles() -> Iterator[tuple[str, int, int, int]]:
    """Rows in registers 0 to 15 become columns there: in squares of four, then squares change places, twice."""
    for row in range(0, 16, 2):
        yield "vunpcklps", row, row + 1, 16 + row
        yield "vunpckhps", row, row + 1, 17 + row
    for row in range(16, 32, 4):
        for half in (0, 1):
            yield "vunpcklpd", row + half, row + half + 2, row - 16 + 2 * half
            yield "vunpckhpd", row + half, row + half + 2, row - 15 + 2 * half
    for number in range(4):
        for square in (number, number + 8):
            yield "vshuff32x4 $$0x88,", square, square + 4, square + 16
            yield "vshuff32x4 $$0xdd,", square, square + 4, square + 20
    for number in range(4):
        for square in (number, number + 4):
            yield "vshuff32x4 $$0x88,", square + 16, square + 24, square
            yield "vshuff32x4 $$0xdd,", square + 16, square + 24, square + 8
