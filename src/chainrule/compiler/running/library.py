"""Captured functions as one object file for C: they share a block of memory that holds weights, moments and options.

Each routine is `int NAME(void *state, inputs..., results...)` and runs on the thread that calls it. It gives 1 where
an index lay outside its axis or a matrix was singular, else 0. `init` fills the block as everything stood when the
library was made.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...captured import Captured, Cell, Number
from ...ir.memory import ALIGNMENT
from ...ir.types import ArrayType, NumpyArray, float64
from ..compile import lowered
from ..job import Job
from ..machine.memory import rounded
from ..machine.runtime import compiling_for, library, processor
from ..stages import Lowered
from ..text.emit import Function, Module, Reg, bytes_of, const, word
from ..text.target import Target
from .cells import key_of, memory_of, updated_in_place
from .entry import ERROR_CELL


@dataclass(frozen=True, eq=False)
class Routine:
    """A captured function and the name it has in the library."""

    name: str
    captured: Captured


@dataclass(frozen=True, eq=False)
class Slot:
    """A part of the state: a cell or an option, what it holds now, and where it lies, in bytes."""

    source: Cell | Number
    kind: ArrayType
    contents: NumpyArray
    offset: int


@dataclass(eq=False)
class State:
    """The block that all routines share: slots first, then what is needed only during a call."""

    slots: dict[Any, Slot] = field(default_factory=dict)
    saved_bytes: int = 0
    arena_bytes: int = 0

    @property
    def errors(self) -> int:
        """Where the word lies that tells of an index out of range, or a singular matrix."""
        return self.saved_bytes

    @property
    def arena(self) -> int:
        """Where a call's own memory begins."""
        return self.errors + rounded(ERROR_CELL.nbytes)

    @property
    def total_bytes(self) -> int:
        """Bytes of the whole block."""
        return self.arena + rounded(self.arena_bytes)

    def contents(self) -> bytes:
        """The slots as they stand."""
        block = bytearray(self.saved_bytes)
        for slot in self.slots.values():
            block[slot.offset : slot.offset + slot.kind.nbytes] = np.ascontiguousarray(slot.contents).tobytes()
        return bytes(block)

    def add(self, key: Any, source: Cell | Number, kind: ArrayType, contents: NumpyArray) -> None:
        """A slot for something, unless it has one."""
        if key not in self.slots:
            self.slots[key] = Slot(source, kind, contents, self.saved_bytes)
            self.saved_bytes += rounded(kind.nbytes)


@dataclass(frozen=True, eq=False)
class Library:
    """An object file, and what a header says of it."""

    code: bytes
    state: State
    routines: tuple[Routine, ...]
    target: Target
    stack_bytes: int


def make_library(name: str, routines: Sequence[Routine], target: Target, embed: bool) -> Library:
    """Compile routines for a processor. embed: whether the state's contents are in the object file, with `init`."""
    with compiling_for(target):
        state = State()
        lowered = [_lowered(routine.captured, state) for routine in routines]
        texts = [
            (_text(f"{name}_{routine.name}", routine.captured, part, state), part.is_tiny)
            for routine, part in zip(routines, lowered)
        ]
        if embed:
            texts.append((_init(name, state), False))
        stack = max(_stack_bytes(text) for text, _ in texts)
        return Library(library(texts), state, tuple(routines), target, stack)


def _lowered(captured: Captured, state: State) -> Lowered:
    """The kernels of a function; its cells and options get places in the state."""
    memory = memory_of(captured)
    for cell, kind in zip(memory.cells, memory.kinds):
        value = cell.read()
        known = np.zeros(kind.shape, kind.dtype) if value is None or value.data is None else value.data
        state.add(key_of(cell), cell, kind, known)
    for number in captured.numbers:
        state.add(_number_key(number), number, ArrayType((), float64), np.array(number.read()))
    made = lowered(Job(captured.graph, updated_in_place(captured, memory), True, None))
    state.arena_bytes = max(state.arena_bytes, made.plan.arena_bytes)
    return made


def _number_key(number: Number) -> Any:
    return id(number.container), number.key, number.index


# -- code

ROOM = re.compile(r"alloca (?:\[(\d+) x )?([\w ]+)")
FRAMES = 4096
"""Bytes of the stack for registers that don't fit, and for the calls themselves."""


def _stack_bytes(text: str) -> int:
    """About how much of the stack a call takes: the table, and the largest kernel, since they run one after another."""
    sizes = [
        sum(int(count or 1) * bytes_of(element) for count, element in ROOM.findall(function))
        for function in re.split(r"^define ", text, flags=re.MULTILINE)
    ]
    frames = sorted(sizes)[-4:]  # of the function C calls, the step, what goes through its table, a kernel
    return rounded(sum(frames) + FRAMES)


def _text(name: str, captured: Captured, lowered: Lowered, state: State) -> str:
    """A program of which only the function that C calls can be seen from outside."""
    inside = re.sub(r"^define (?!internal)", "define internal ", lowered.text, flags=re.MULTILINE)
    plan = lowered.plan
    places = plan.constant_places(len(lowered.constants))
    constants = [_constant(f"constant{place}", array.tobytes()) for place, array in zip(places, lowered.constants)]
    return "\n".join([inside, *constants, _entry(name, captured, lowered, state)])


def _constant(name: str, raw: bytes) -> str:
    text = "".join(f"\\{byte:02X}" for byte in raw)
    return f'@{name} = private unnamed_addr constant [{len(raw)} x i8] c"{text}", align {ALIGNMENT}'


def _entry(name: str, captured: Captured, lowered: Lowered, state: State) -> str:
    """`i32 name(ptr state, ptr inputs..., ptr results...)`: fills the table of addresses and runs the step."""
    plan, module = lowered.plan, Module()
    block = Reg("ptr", "%state")
    inputs = [Reg("ptr", f"%in{number}") for number in range(captured.argument_count)]
    results = [Reg("ptr", f"%out{number}") for number in range(captured.result_count)]
    f = Function(module, name, [block, *inputs, *results], processor().attributes, "i32")
    table = f.emit("ptr", f"alloca [{plan.places} x ptr], align 8")
    errors = f.at(block, "i8", state.errors)
    addresses = {
        0: f.at(block, "i8", state.arena),
        **dict(zip(plan.inputs, inputs)),
        **dict(zip(plan.outputs, results)),
    }
    memory, rest = memory_of(captured), plan.inputs[captured.argument_count :]
    only = [plan.outputs[captured.result_count + number] for number in memory.only_written]
    for cell, place in zip(memory.cells, [*rest[: memory.read_count], *only]):
        addresses[place] = f.at(block, "i8", state.slots[key_of(cell)].offset)
    for number, place in zip(captured.numbers, rest[memory.read_count :]):
        addresses[place] = f.at(block, "i8", state.slots[_number_key(number)].offset)
    for place in plan.constant_places(len(lowered.constants)):
        addresses[place] = Reg("ptr", f"@constant{place}")
    if plan.errors is not None:
        addresses[plan.errors] = errors
        f.store(word(0), errors)
    for place, address in addresses.items():
        f.store(address, f.at(table, "ptr", place))
    f.call("alone", table)
    failed = const("i1", 0) if plan.errors is None else f.compare("icmp ne", f.load("i64", errors), word(0))
    f.finish(f.convert("zext", failed, "i32"))
    return module.text()


def _init(name: str, state: State) -> str:
    """`void name_init(ptr state)`: copies the contents that the library carries."""
    module, block = Module(), Reg("ptr", "%state")
    f = Function(module, f"{name}_init", [block], processor().attributes)
    module.declare("@llvm.memcpy.p0.p0.i64", "void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
    f.line(f"call void @llvm.memcpy.p0.p0.i64({block}, ptr @contents, i64 {state.saved_bytes}, i1 false)")
    f.finish()
    return "\n".join([_constant("contents", state.contents()), module.text()])
