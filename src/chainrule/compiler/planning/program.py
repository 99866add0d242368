"""What a graph becomes: kernels called in order on parts of buffers, and the step function that all threads run.

The kernels are divided into tasks by shape alone; `steps/writer` writes the function that divides them among threads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from ...records import dataclass
from ..text.emit import Module
from .place import Buffer, Place

SERIAL_COST = 6_000.0
"""Work below which one thread does a kernel alone: a barrier costs about as much as 6,000 elements moved."""


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


@dataclass(frozen=True)
class TaskParts:
    """What task t of a call touches. slices: buffers of which it is the t-th of as many equal parts as there are tasks.

    places: of each buffer, what of it the call touches.
    """

    slices: frozenset[Buffer] = frozenset()
    places: Mapping[Buffer, tuple[Place, ...]] = field(default_factory=dict)


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
    own: TaskParts = field(default_factory=TaskParts)

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

    def hands_over(self, before: Buffer, after: Buffer) -> bool:
        """Whether one kernel in it is the last to touch the one buffer and the first to touch the other."""
        return False


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

    @property
    def nbytes(self) -> int:
        """Bytes of all that it runs on."""
        return self.arena_bytes + sum(buffer.nbytes for buffer in self.table)

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
