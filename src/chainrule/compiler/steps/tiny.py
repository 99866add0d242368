"""Tiny programs as one function: kernels written into the step, the step into the loop over steps, for one thread.

Each buffer has memory of its own on the stack, and each address its own parameter that no other overlaps. So LLVM,
whose passes are run for such a program, sees through it: what one kernel writes and the next reads stays in registers.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..planning.place import Buffer, Kind
from ..planning.plan import HEAD
from ..planning.program import Block, Call, Instruction, Pointer, Program, While
from ..text.emit import Function, Module, Reg, word
from ..text.module import name_of
from .many import Batch, gather
from .writer import StepWriter

MOST_COST = 4_000.0
MOST_CALLS = 48
"""What makes a program tiny: so little work that calls and barriers would be much of it, and soon compiled."""


def is_tiny(instructions: Sequence[Instruction]) -> bool:
    """Whether a program is written as one function."""
    return sum(each.cost for each in instructions) <= MOST_COST and len(_calls(instructions)) <= MOST_CALLS


def _calls(instructions: Sequence[Instruction]) -> list[Call]:
    found: list[Call] = []
    for each in instructions:
        found += _calls(each.parts) if isinstance(each, Block) else [each]
    return found


def _has_while(instructions: Sequence[Instruction]) -> bool:
    """Whether there is a loop without a count.

    What is wished for a loop that stands before its end passes to it when LLVM has written that one out: a wish that
    LLVM can't fulfil, of which it would complain.
    """
    blocks = [each for each in instructions if isinstance(each, Block)]
    return any(isinstance(each, While) or _has_while(each.parts) for each in blocks)


def write_body(program: Program, attributes: str) -> None:
    """Make the kernels part of whoever calls them, and add `body(ptr...)`: one parameter a place of the table."""
    module = program.module
    if not _has_while(program.instructions):
        from .tiny_loops import written_out

        tasks = {call.kernel: call.tasks for call in _calls(program.instructions)}
        module.functions = [written_out(text, module, tasks.get(name_of(text))) for text in module.functions]
    module.functions = [_inside(text) for text in module.functions]
    writer = _BodyWriter(program, attributes)
    writer.write()
    module.functions[-1] = _inside(module.functions[-1])


def _inside(function: str) -> str:
    """The text of a function that is only ever a part of another."""
    return function.replace("define ", "define internal ", 1).replace(") noinline ", ") alwaysinline ", 1)


class _BodyWriter(StepWriter):
    def __init__(self, program: Program, attributes: str) -> None:
        super().__init__(program, attributes, "body")
        self.parameters = [Reg("ptr", f"%place{number}") for number in range(len(program.table))]
        self.f = Function(program.module, "body", self.parameters, f"noinline {attributes}")
        self.f.promise_alone(*self.parameters)
        self.memory: dict[int, Reg] = {}

    def _begin(self) -> None:
        for call in _calls(self.program.instructions):
            for pointer in call.pointers:
                self._reserve(pointer.buffer)

    def _reserve(self, buffer: Buffer) -> None:
        if buffer.kind is Kind.ARENA and id(buffer) not in self.memory:
            self.memory[id(buffer)] = self.f.emit("ptr", f"alloca [{max(1, buffer.nbytes)} x i8], align 64")

    def _call(self, call: Call) -> None:
        addresses = [self._address(pointer, {}) for pointer in call.pointers]
        self.f.call(call.kernel, *addresses, word(0), word(call.tasks))

    def _meet(self) -> None:
        """There is only one thread."""

    def _address(self, pointer: Pointer, bases: dict[int, Reg]) -> Reg:
        f, buffer = self.f, pointer.buffer
        self._reserve(buffer)
        base = self.memory.get(id(buffer)) or self.parameters[self.number[id(buffer)] - 1]
        address = f.at(base, "i8", pointer.offset)
        for depth, step in pointer.steps:
            address = f.at(address, "i8", f.times(self.rounds[depth], step))
        return address


def write_step(program: Program, attributes: str) -> None:
    """Add `step`, which the first thread runs alone."""
    parameters = [Reg("ptr", "%table"), Reg("i64", "%thread"), Reg("i64", "%threads"), Reg("ptr", "%barrier")]
    f = Function(program.module, "step", parameters, attributes)
    with f.when(f.compare("icmp eq", parameters[1], word(0))):
        f.call("body", *_places(f, program, parameters[0]))
    f.finish()


def _places(f: Function, program: Program, table: Reg) -> list[Reg]:
    return [f.load("ptr", f.at(table, "ptr", number + 1)) for number in range(len(program.table))]


def write_steps(
    program: Program,
    attributes: str,
    batches: Sequence[Batch],
    results: Sequence[tuple[int, int]],
    numbers: Sequence[int],
) -> None:
    """Add `steps`, as it is for other programs; batches lie on the stack, and everything else stays where it is."""
    module: Module = program.module
    parameters = [Reg("ptr", "%context"), Reg("i64", "%thread"), Reg("i64", "%threads"), Reg("ptr", "%block")]
    context = parameters[0]
    f = Function(module, "steps", parameters, attributes)
    places = _places(f, program, f.load("ptr", context))
    count, order = f.load("i64", f.at(context, "i64", 1)), f.load("ptr", f.at(context, "i64", 2))
    stride = f.load("i64", f.at(context, "i64", 3))
    words = [f.load("ptr", f.at(context, "i64", HEAD + n)) for n in range(len(batches) + len(results) + len(numbers))]
    sources, rest = words[: len(batches)], words[len(batches) :]
    for batch in batches:
        places[batch.slot - 1] = f.emit("ptr", f"alloca [{max(1, batch.rows * batch.row_bytes)} x i8], align 64")
    with f.when(f.compare("icmp eq", parameters[1], word(0))), f.loop(0, count) as loop:
        for (slot, size), base in zip(results, rest):
            places[slot - 1] = f.at(base, "i8", f.times(loop.index, size))
        for slot, base in zip(numbers, rest[len(results) :]):
            places[slot - 1] = f.at(base, "i8", f.binary("mul", loop.index, stride))
        for batch, source in zip(batches, sources):
            rows = f.at(order, "i64", f.times(loop.index, batch.rows))
            gather(f, batch, source, rows, places[batch.slot - 1], word(0), word(batch.rows))
        f.call("body", *places)
    f.finish()
