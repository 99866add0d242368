"""The stages of a compiled program as text: graph, groups, buffers, kernels. Names depend on the program alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...ir.show import show_graph, value_names
from ..planning.buffers import lives, touched
from ..planning.place import Buffer, Kind
from ..planning.program import Call, Instruction

if TYPE_CHECKING:
    from ..planning.unit import Unit
    from ..stages import Lowered

STAGES = ("graph", "groups", "buffers", "kernels")


def show_stages(lowered: Lowered, stages: Sequence[str] = STAGES) -> str:
    """Each stage under its title."""
    makers = {"graph": _graph, "groups": show_groups, "buffers": show_buffers, "kernels": show_kernels}
    return "\n\n".join(f"# {stage}\n{makers[stage](lowered)}" for stage in stages)


def _graph(lowered: Lowered) -> str:
    return show_graph(lowered.graph, sources=False)


def show_groups(lowered: Lowered) -> str:
    """Which equations became one kernel, in the order in which they run.

    `row` marks what has one number for each row; `again` what another group computes too, and may have kept.
    """
    names = value_names(lowered.graph)
    return "\n".join(_group(number, unit, names) for number, unit in enumerate(lowered.units))


def _group(number: int, unit: Unit, names: dict[int, str]) -> str:
    over = f" reducing {list(unit.axes)}" if unit.axes is not None else ""
    lines = [f"{number}: nest {list(unit.domain)}{over}" if unit.is_nest else f"{number}: alone"]
    for equation in unit.members:
        mark = " again" if id(equation) in unit.guests else " row" if id(equation) in unit.rows else ""
        made = ", ".join(names.get(id(value), "?") for value in equation.outputs)
        read = ", ".join(names.get(id(value), "?") for value in equation.inputs)
        lines.append(f"   {made} = {equation.primitive.name}({read}){mark}")
    return "\n".join(lines)


def show_buffers(lowered: Lowered) -> str:
    """The plan of memory: what each buffer of the arena takes, where, and from which kernel to which it lives."""
    instructions = lowered.program.instructions
    names, known = _buffer_names(instructions), lives(instructions)
    lines = [f"{lowered.program.arena_bytes} bytes in {len(known)} buffers"]
    for buffer, life in known.items():
        end = buffer.offset + buffer.nbytes
        place = f"{buffer.dtype}[{buffer.size}] in {buffer.offset}..{end}"
        lines.append(f"{names[id(buffer)]}: {place}, kernels {life.first} to {life.last}")
    return "\n".join(lines)


def show_kernels(lowered: Lowered) -> str:
    """The kernels in order: what each writes and reads, its tasks, and what it computes."""
    return "\n".join(_lines(lowered.program.instructions, _buffer_names(lowered.program.instructions), ""))


def _buffer_names(instructions: Sequence[Instruction]) -> dict[int, str]:
    """b0, b1, ... in the order of first use; those of the caller as they are called, constants c0, c1, ..."""
    names: dict[int, str] = {}
    counts = {"b": 0, "c": 0}
    for buffer in (buffer for each in instructions for buffer in touched(each)):
        if id(buffer) in names:
            continue
        if buffer.kind is Kind.SLOT:
            names[id(buffer)] = buffer.name
            continue
        letter = "c" if buffer.kind is Kind.CONSTANT else "b"
        names[id(buffer)] = f"{letter}{counts[letter]}"
        counts[letter] += 1
    return names


def _lines(instructions: Sequence[Instruction], names: dict[int, str], indent: str) -> list[str]:
    lines: list[str] = []
    for number, each in enumerate(instructions):
        if isinstance(each, Call):
            read = _listed([b for b in touched(each) if b not in each.writes], names)
            written = _listed([b for b in touched(each) if b in each.writes], names)
            lines.append(f"{indent}{number}: {written} = {each.label}({read}), tasks {each.tasks}")
        else:
            lines += [f"{indent}{number}: {each.title}", *_lines(each.parts, names, indent + "   ")]
    return lines


def _listed(buffers: Sequence[Buffer], names: dict[int, str]) -> str:
    return ", ".join(names[id(buffer)] for buffer in buffers)
