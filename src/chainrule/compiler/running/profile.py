"""Where the time of a compiled program goes: the same kernels, with a clock read after each of them.

All threads meet after every kernel, so the seconds are those of the slowest thread; the sum is a little above what the
program takes by itself, where independent kernels overlap. Cells are copied first: nothing of the model changes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...ir.memory import address_of, aligned
from ...ir.types import ArrayType, NumpyArray, int64
from ..machine.runtime import Code, processor
from ..machine.threads import pool
from ..planning.chains import Chain
from ..planning.program import Call, Instruction, Program
from ..steps.writer import StepWriter
from ..text.emit import Function, Module, Reg

if TYPE_CHECKING:
    from .entry import Entry


@dataclass(frozen=True)
class KernelTime:
    """One kernel of a program: what it computes, the user's line, and its seconds in one run, the best of several."""

    label: str
    source: str
    kernel: str
    tasks: int
    seconds: float


CALIBRATION = 0.01
"""Seconds that the clock of the processor is held against the system's, at least."""


def profile(entry: Entry, arrays: Sequence[NumpyArray], runs: int) -> list[KernelTime]:
    """The kernels of a program in the order in which they run, with the seconds that each takes.

    The call of the program from Python is no part of them: what a tick lasts follows from the ends of two runs.
    """
    program = entry.compiled.program
    calls = all_calls(program.instructions)
    ticks = aligned(ArrayType((len(calls) + 1,), int64))
    code, memory = _timed(program, calls), _Memory(entry, arrays, ticks)

    def run() -> tuple[float, int]:
        ticks[:] = 0
        pool().run(code.address("timed"), address_of(memory.table), entry.threads)
        return time.perf_counter(), int(ticks[-1])

    first = last = run()
    best = np.array(ticks[:-1])
    while runs > 0 or last[0] - first[0] < CALIBRATION:
        last, runs = run(), runs - 1
        best = np.minimum(best, ticks[:-1])
    rate = (last[0] - first[0]) / (last[1] - first[1])
    return [KernelTime(c.label, c.source, c.kernel, c.tasks, float(b * rate)) for c, b in zip(calls, best)]


class _Memory:
    """A table of addresses like the program's own, with copies of what it writes to: cells and results."""

    def __init__(self, entry: Entry, arrays: Sequence[NumpyArray], ticks: NumpyArray) -> None:
        entry.enter()
        self.table = aligned(ArrayType((len(entry.table) + 1,), np.dtype(np.uint64)))
        self.table[:-1] = entry.table
        self.copies: list[NumpyArray] = [aligned(kind) for kind in (*entry.result_kinds, *entry.cells.kinds)]
        cells = self.copies[len(entry.result_kinds) :]
        for copy, cell in zip(cells, entry.cells.cells):
            contents = cell.read()
            if contents is not None:
                np.copyto(copy, contents.data)  # type: ignore[arg-type]
        slots = [*entry.result_slots, *entry.cell_slots]
        self.numbers = np.array([source.read() for source in entry.captured.numbers], np.float64)
        addresses = [*zip(slots, map(address_of, self.copies)), *zip(entry.argument_slots, map(address_of, arrays))]
        addresses += [(slot, address_of(self.numbers) + 8 * place) for place, slot in enumerate(entry.number_slots)]
        for slot, address in addresses:
            self.table[slot] = address
        self.table[-1] = address_of(ticks)


def all_calls(instructions: Sequence[Instruction]) -> list[Call | Chain]:
    """Every kernel call, those inside loops and branches too; of those that are done task by task all in one."""
    found: list[Call | Chain] = []
    for each in instructions:
        found += [each] if isinstance(each, Call | Chain) else all_calls(each.parts)
    return found


def _timed(program: Program, calls: Sequence[Call | Chain]) -> Code:
    """The program as `timed`, loaded."""
    module = Module(program.module.has_fma, program.module.has_scaling, bfloat16=program.module.bfloat16)
    module.globals, module.declarations = program.module.globals, dict(program.module.declarations)
    module.functions, module.metadata = list(program.module.functions), program.module.metadata
    module.data = program.module.data
    number = {id(call): place for place, call in enumerate(calls)}
    copy = Program(program.instructions, module, program.slots, program.constants, program.arena_bytes)
    _TimedWriter(copy, number).write()
    return Code(module.text())


class _TimedWriter(StepWriter):
    """Adds the ticks that pass up to the end of each kernel to a table behind the program's own."""

    def __init__(self, program: Program, number: dict[int, int]) -> None:
        super().__init__(program, processor().attributes, "timed")
        self.place = number

    def _begin(self) -> None:
        super()._begin()
        self.ticks = self.f.load("ptr", self.f.at(self.parameters[0], "ptr", len(self.program.table) + 1))
        with self.f.when(self.first):
            self.f.store(_now(self.f), self.f.at(self.ticks, "i64", len(self.place)))

    def _call(self, call: Call) -> None:
        super()._call(call)
        self._write_alone()
        self._tick(call)

    def _chain(self, chain: Chain) -> None:
        super()._chain(chain)
        self._tick(chain)

    def _tick(self, call: Call | Chain) -> None:
        f = self.f
        self._meet()
        with f.when(self.first):
            last, mine = f.at(self.ticks, "i64", len(self.place)), f.at(self.ticks, "i64", self.place[id(call)])
            now = _now(f)
            passed = f.binary("sub", now, f.load("i64", last))
            f.store(f.binary("add", f.load("i64", mine), passed), mine)
            f.store(now, last)
        self._meet()


def _now(f: Function) -> Reg:
    """A counter that goes on steadily, whatever its rate."""
    name = "readcyclecounter" if processor().triple.startswith(("x86_64", "i686")) else "readsteadycounter"
    f.module.declare(f"@llvm.{name}", f"i64 @llvm.{name}()")
    return f.emit("i64", f"call i64 @llvm.{name}()")
