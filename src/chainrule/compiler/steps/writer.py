"""Writes the step: the function that every thread runs, which calls the kernels in order.

A thread gets a range of the tasks of each kernel; a barrier stands before a kernel that touches what another thread may
have written, or reads, since the last one. Nothing is kept in registers between calls: addresses are read from the
table where they are used, and ranges from the stack, where they are put at the beginning. So the code is small, and
LLVM is soon done with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..planning.chains import Chain
from ..planning.place import Buffer, Kind
from ..planning.program import Block, Branch, Call, Instruction, Pointer, Program, Repeat, While
from ..text.emit import Function, Reg, word


class StepWriter:
    """Writes `void step(ptr table, i64 thread, i64 threads, ptr barrier)`; the table begins with the arena."""

    def __init__(self, program: Program, attributes: str, name: str = "step") -> None:
        self.program = program
        self.parameters = [Reg("ptr", "%table"), Reg("i64", "%thread"), Reg("i64", "%threads"), Reg("ptr", "%barrier")]
        self.f = Function(program.module, name, self.parameters, attributes)
        self.number = {id(buffer): place + 1 for place, buffer in enumerate(program.table)}
        self.ranges: dict[int, tuple[Reg, Reg]] = {}  # tasks -> where the first and the end of a thread's share lie
        self.rounds: list[Reg] = []
        self.pending: list[Instruction] = []
        self.alone: list[Call] = []  # calls that one thread makes, not yet written

    def write(self) -> None:
        """The whole function."""
        self._begin()
        self._write_all(self.program.instructions)
        self._barrier()
        self.f.finish()

    def _begin(self) -> None:
        self.first = self.f.compare("icmp eq", self.parameters[1], word(0))
        self._share_tasks(self.program.instructions)

    # -- which tasks a thread does

    def _share_tasks(self, instructions: Sequence[Instruction]) -> None:
        """Work out this thread's share of every number of tasks that occurs."""
        for each in instructions:
            if isinstance(each, Block):
                self._share_tasks(each.parts)
            elif not each.is_serial and each.tasks not in self.ranges:
                self.ranges[each.tasks] = self._share(each.tasks)

    def _share(self, tasks: int) -> tuple[Reg, Reg]:
        f = self.f
        _, thread, threads, _ = self.parameters
        begin = f.binary("udiv", f.times(thread, tasks), threads)
        end = f.binary("udiv", f.times(f.binary("add nsw", thread, word(1)), tasks), threads)
        return self._kept(begin), self._kept(end)

    def _kept(self, value: Reg) -> Reg:
        place = self.f.emit("ptr", f"alloca {value.type}")
        self.f.store(value, place)
        return place

    # -- instructions

    def _write_all(self, instructions: Sequence[Instruction]) -> None:
        for each in instructions:
            if any(_conflict(each, earlier) for earlier in self.pending):
                self._barrier()
            if isinstance(each, Call):
                self._call(each)
                self.pending.append(each)
            else:
                self._block(each)
        self._write_alone()

    def _call(self, call: Call) -> None:
        if call.is_serial:
            self.alone.append(call)
            return
        self._write_alone()
        f = self.f
        begin, end = (f.load("i64", place) for place in self.ranges[call.tasks])
        with f.when(f.compare("icmp slt", begin, end)):
            f.call(call.kernel, *self._addresses(call), begin, end)

    def _write_alone(self) -> None:
        if not self.alone:
            return
        with self.f.when(self.first):
            for call in self.alone:
                self.f.call(call.kernel, *self._addresses(call), word(0), word(call.tasks))
        self.alone = []

    def _barrier(self) -> None:
        """All threads meet, if any has done anything since they last did."""
        self._write_alone()
        if self.pending:
            self._meet()
        self.pending = []

    def _meet(self) -> None:
        self.f.call("barrier", self.parameters[3], self.parameters[2])

    def _addresses(self, call: Call) -> list[Reg]:
        bases: dict[int, Reg] = {}
        return [self._address(pointer, bases) for pointer in call.pointers]

    def _address(self, pointer: Pointer, bases: dict[int, Reg]) -> Reg:
        """Where a pointer points to. bases: what was read from the table for this call."""
        f, buffer = self.f, pointer.buffer
        is_arena = buffer.kind is Kind.ARENA
        place = 0 if is_arena else self.number[id(buffer)]
        if place not in bases:
            bases[place] = f.load("ptr", f.at(self.parameters[0], "ptr", place))
        address = f.at(bases[place], "i8", pointer.offset + (buffer.offset if is_arena else 0))
        for depth, step in pointer.steps:
            address = f.at(address, "i8", f.times(self.rounds[depth], step))
        return address

    # -- blocks

    def _block(self, block: Block) -> None:
        """Everyone has come before it begins, and before it is left."""
        self._barrier()
        if isinstance(block, Chain):
            self._chain(block)
        elif isinstance(block, Repeat):
            self._repeat(block)
        elif isinstance(block, Branch):
            self._branch(block)
        elif isinstance(block, While):
            self._while(block)

    def _chain(self, chain: Chain) -> None:
        """Task by task. What is private lies, in each task, where that of the thread's first one does."""
        f = self.f
        begin, end = (f.load("i64", place) for place in self.ranges[chain.tasks])
        with f.when(f.compare("icmp slt", begin, end)), f.loop(begin, end) as loop:
            following, back = f.binary("add nsw", loop.index, word(1)), f.binary("sub nsw", begin, loop.index)
            for call in chain.body:
                addresses = [
                    f.at(address, "i8", f.times(back, pointer.buffer.nbytes // chain.tasks))
                    if pointer.buffer in chain.private
                    else address
                    for pointer, address in zip(call.pointers, self._addresses(call))
                ]
                several = call.tasks // chain.tasks
                f.call(call.kernel, *addresses, f.times(loop.index, several), f.times(following, several))
        self.pending = [chain]

    def _repeat(self, loop: Repeat) -> None:
        with self.f.loop(0, loop.count) as rounds:
            index = rounds.index
            if loop.reverse:
                index = self.f.binary("sub nsw", word(loop.count - 1), index)
            self.rounds.append(index)
            self._write_all(loop.body)
            if not loop.is_serial:
                self._barrier()
            self.pending = []
            self.rounds.pop()
        if loop.is_serial:
            self.pending = [loop]

    def _branch(self, block: Branch) -> None:
        holds = self._decision(block)
        with self.f.when(holds):
            self._write_all(block.body)
            self._barrier()
        with self.f.when(self.f.binary("xor", holds, Reg("i1", "true"))):
            self._write_all(block.otherwise)
            self._barrier()

    def _while(self, block: While) -> None:
        f = self.f
        head, inside, done = (f.fresh(name) for name in ("asks", "goes", "ends"))
        f.line(f"br label {head}")
        f._label(head)
        self._write_all(block.condition)
        self._barrier()
        f.line(f"br {self._decision(block)}, label {inside}, label {done}")
        f._label(inside)
        self._write_all(block.body)
        self._barrier()
        f.line(f"br label {head}")
        f._label(done)

    def _decision(self, block: Block) -> Reg:
        """Read by all before anyone goes on: what comes next may use the memory of the bool for something else."""
        assert block.asked is not None
        holds = self.f.compare("icmp ne", self.f.load("i8", self._address(block.asked, {})), Reg("i8", "0"))
        self._meet()
        return holds


# -- what must wait for what


def _conflict(later: Instruction, earlier: Instruction) -> bool:
    if later.is_serial and earlier.is_serial:
        return False
    return (
        _overlap(later.reads, earlier.writes)
        or _overlap(later.writes, earlier.writes)
        or _overlap(later.writes, earlier.reads)
    )


def _overlap(first: frozenset[Buffer], second: frozenset[Buffer]) -> bool:
    return any(_touch(one, other) for one in first for other in second)


def _touch(one: Buffer, other: Buffer) -> bool:
    if one is other:
        return True
    if one.kind is not Kind.ARENA or other.kind is not Kind.ARENA:
        return False
    return one.offset < other.offset + other.nbytes and other.offset < one.offset + one.nbytes
