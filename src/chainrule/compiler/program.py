"""What a graph becomes: kernels called in order on parts of buffers, and the step function that all threads run.

The kernels are divided into tasks by shape alone. A thread gets a range of the tasks of each kernel; a barrier stands
before a kernel that touches what another thread may have written, or reads, since the last one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .emit import Function, Module, Reg, word
from .place import Buffer, Kind, Place

SERIAL_COST = 6_000.0
"""Work below which one thread does a kernel alone: a barrier costs about as much as 6,000 elements moved."""
PARALLEL_COST = 60_000.0
"""Work of a whole program below which a second thread is not worth waking."""


@dataclass(frozen=True)
class Pointer:
    """An address in a buffer, in bytes from its start; steps: (depth of a loop, bytes further in each round)."""

    buffer: Buffer
    offset: int = 0
    steps: tuple[tuple[int, int], ...] = ()


def pointer_to(place: Place) -> Pointer:
    """The address of a place's first element."""
    size = place.dtype.itemsize
    return Pointer(place.buffer, place.offset * size, tuple((depth, step * size) for depth, step in place.steps))


@dataclass(eq=False)
class Call:
    """One kernel on some pointers. cost: about how many element operations it does, for dividing it among threads."""

    kernel: str
    pointers: tuple[Pointer, ...]
    tasks: int
    cost: float
    reads: frozenset[Buffer]
    writes: frozenset[Buffer]
    label: str = ""
    source: str = ""

    @property
    def is_serial(self) -> bool:
        """Whether one thread does it alone."""
        return self.tasks <= 1 or self.cost < SERIAL_COST

    def __str__(self) -> str:
        into = ", ".join(sorted(buffer.name or f"b{buffer.number}" for buffer in self.writes))
        return f"{self.kernel}[{self.tasks}] -> {into}: {self.label}"


@dataclass(eq=False)
class Block:
    """Instructions that belong together: done several times, or only if something holds."""

    body: list[Instruction]

    @property
    def parts(self) -> list[Instruction]:
        """Every instruction in it."""
        return self.body

    @property
    def asked(self) -> Pointer | None:
        """The bool that decides whether it runs, if there is one."""
        return None

    @property
    def reads(self) -> frozenset[Buffer]:
        """Buffers that any of them reads."""
        asked = [self.asked.buffer] if self.asked else []
        return frozenset(asked).union(*(each.reads for each in self.parts))

    @property
    def writes(self) -> frozenset[Buffer]:
        """Buffers that any of them writes."""
        return frozenset().union(*(each.writes for each in self.parts))

    @property
    def cost(self) -> float:
        """Work of all of it."""
        return sum(each.cost for each in self.parts)

    @property
    def is_serial(self) -> bool:
        """Whether one thread does all of it alone."""
        return False

    @property
    def title(self) -> str:
        """What it is, for people."""
        return "block"


@dataclass(eq=False)
class Repeat(Block):
    """Done `count` times, as a scan; reverse: the last round's slices first."""

    count: int = 1
    reverse: bool = False

    @property
    def cost(self) -> float:
        """Work of all rounds."""
        return self.count * super().cost

    @property
    def is_serial(self) -> bool:
        """Whether one thread does all of it alone."""
        return all(each.is_serial for each in self.body)

    @property
    def title(self) -> str:
        """What it is, for people."""
        return f"repeat {self.count}{' from the last' if self.reverse else ''}"


@dataclass(eq=False)
class Branch(Block):
    """Done if a bool holds, else others are."""

    predicate: Pointer | None = None
    otherwise: list[Instruction] = field(default_factory=list)

    @property
    def parts(self) -> list[Instruction]:
        """Both ways."""
        return [*self.body, *self.otherwise]

    @property
    def asked(self) -> Pointer | None:
        """What decides."""
        return self.predicate

    @property
    def title(self) -> str:
        """What it is, for people."""
        return "branch"


@dataclass(eq=False)
class While(Block):
    """Done as long as a bool holds, which `condition` computes before each round."""

    predicate: Pointer | None = None
    condition: list[Instruction] = field(default_factory=list)

    @property
    def parts(self) -> list[Instruction]:
        """The condition and the body."""
        return [*self.condition, *self.body]

    @property
    def asked(self) -> Pointer | None:
        """What decides."""
        return self.predicate

    @property
    def title(self) -> str:
        """What it is, for people."""
        return "while"


Instruction = Call | Block


@dataclass
class Program:
    """Instructions, the buffers they use, and the module that holds their kernels."""

    instructions: list[Instruction]
    module: Module
    slots: list[Buffer] = field(default_factory=list)
    constants: list[Buffer] = field(default_factory=list)
    arena_bytes: int = 0

    @property
    def cost(self) -> float:
        """Work of one run."""
        return sum(each.cost for each in self.instructions)

    @property
    def table(self) -> list[Buffer]:
        """Buffers whose addresses the program is given, in order, behind the address of the arena."""
        return [*self.slots, *self.constants]

    def __str__(self) -> str:
        return "\n".join(_lines(self.instructions, ""))


def _lines(instructions: Sequence[Instruction], indent: str) -> list[str]:
    lines: list[str] = []
    for each in instructions:
        if isinstance(each, Call):
            lines.append(f"{indent}{each}")
        else:
            lines += [f"{indent}{each.title}:", *_lines(each.parts, indent + "  ")]
    return lines


class StepWriter:
    """Writes `void step(ptr table, i64 thread, i64 threads, ptr barrier)`; the table begins with the arena."""

    def __init__(self, program: Program, attributes: str, name: str = "step") -> None:
        self.program = program
        self.parameters = [Reg("ptr", "%table"), Reg("i64", "%thread"), Reg("i64", "%threads"), Reg("ptr", "%barrier")]
        self.f = Function(program.module, name, self.parameters, attributes)
        self.number = {id(buffer): place + 1 for place, buffer in enumerate(program.table)}
        self.bases: dict[int, Reg] = {}
        self.rounds: list[Reg] = []
        self.pending: list[Instruction] = []

    def write(self) -> None:
        """The whole function."""
        self.first = self.f.compare("icmp eq", self.parameters[1], word(0))
        self._load_bases()
        self._write_all(self.program.instructions)
        self._barrier()
        self.f.finish()

    def _load_bases(self) -> None:
        table = self.parameters[0]
        self.arena = self.f.load("ptr", table)
        for buffer in self.program.table:
            self.bases[id(buffer)] = self.f.load("ptr", self.f.at(table, "ptr", self.number[id(buffer)]))

    def _write_all(self, instructions: Sequence[Instruction]) -> None:
        for each in instructions:
            if any(self._conflict(each, earlier) for earlier in self.pending):
                self._barrier()
            if isinstance(each, Call):
                self._call(each)
                self.pending.append(each)
            else:
                self._block(each)

    def _block(self, block: Block) -> None:
        """Everyone has come before it begins, and before it is left."""
        self._barrier()
        if isinstance(block, Repeat):
            self._repeat(block)
        elif isinstance(block, Branch):
            self._branch(block)
        elif isinstance(block, While):
            self._while(block)

    def _decision(self, block: Block) -> Reg:
        assert block.asked is not None
        return self.f.compare("icmp ne", self.f.load("i8", self._address(block.asked)), Reg("i8", "0"))

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

    def _barrier(self) -> None:
        """All threads meet, if any has done anything since they last did."""
        if self.pending:
            self.f.call("barrier", self.parameters[3], self.parameters[2])
        self.pending = []

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

    def _call(self, call: Call) -> None:
        f = self.f
        pointers = [self._address(pointer) for pointer in call.pointers]
        if call.is_serial:
            with f.when(self.first):
                f.call(call.kernel, *pointers, word(0), word(call.tasks))
            return
        _, thread, threads, _ = self.parameters
        begin = f.binary("udiv", f.times(thread, call.tasks), threads)
        end = f.binary("udiv", f.times(f.binary("add nsw", thread, word(1)), call.tasks), threads)
        with f.when(f.compare("icmp slt", begin, end)):
            f.call(call.kernel, *pointers, begin, end)

    def _address(self, pointer: Pointer) -> Reg:
        f, buffer = self.f, pointer.buffer
        if buffer.kind is Kind.ARENA:
            base = f.at(self.arena, "i8", buffer.offset + pointer.offset)
        else:
            base = f.at(self.bases[id(buffer)], "i8", pointer.offset)
        for depth, step in pointer.steps:
            base = f.at(base, "i8", f.times(self.rounds[depth], step))
        return base

    def _conflict(self, later: Instruction, earlier: Instruction) -> bool:
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
