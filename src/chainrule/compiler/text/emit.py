"""LLVM IR as text: values with their types, functions with structured loops. Nothing here knows what is computed.

Vectors have as many lanes as the emitter asks for, 10 as well as 16: LLVM splits odd ones into what the machine has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ...records import dataclass
from .instructions import Instructions
from .module import Module
from .register import (
    WORD,
    Reg,
    bytes_of,
    const,
    element_of,
    element_type,
    is_literal,
    lanes_of,
    memory_type,
    number_of,
    vector_of,
    word,
)

__all__ = [
    "WORD",
    "Function",
    "Loop",
    "Module",
    "Reg",
    "bytes_of",
    "const",
    "element_of",
    "element_type",
    "is_literal",
    "lanes_of",
    "memory_type",
    "number_of",
    "vector_of",
    "word",
]


class Function(Instructions):
    """One function being written: instructions, structured loops around them, a head and an end."""

    def __init__(
        self, module: Module, name: str, parameters: Sequence[Reg], attributes: str = "", result: str = "void"
    ):
        super().__init__(module)
        self.name, self.parameters = name, list(parameters)
        self.attributes, self.result = attributes, result
        self.block = "entry"

    # -- control flow

    def _label(self, name: str) -> None:
        self.lines.append(f"{name[1:]}:")
        self.block = name[1:]

    @contextmanager
    def loop(self, start: Reg | int, stop: Reg | int, step: int = 1, carried: Sequence[Reg] = ()) -> Iterator[Loop]:
        """`for index in range(start, stop, step)`. Values carried round are read from `loop.carried` and replaced by
        `loop.carry(...)` before the block ends; afterwards `loop.results` holds the last of them.

        A loop whose bounds are literals and that runs once has no branches; one that runs never leaves no code behind
        only if the caller does not write into it, so ask `runs` first where that matters.
        """
        first = word(start) if isinstance(start, int) else start
        last = word(stop) if isinstance(stop, int) else stop
        once = is_literal(first) and is_literal(last) and 0 < int(last.name) - int(first.name) <= step
        loop = Loop(first, list(carried))
        if once:
            yield loop
            loop.results = loop.next
            return
        never_empty = is_literal(first) and is_literal(last) and int(first.name) < int(last.name)
        head, done = self.fresh("head"), self.fresh("done")
        before = self.block
        if never_empty:
            self.line(f"br label {head}")
        else:
            enter = self.compare("icmp slt", first, last)
            self.line(f"br {enter}, label {head}, label {done}")
        self._label(head)
        index = Reg(WORD, self.fresh("i"))
        phi_place = len(self.lines)
        phis = [Reg(value.type, self.fresh("c")) for value in carried]
        loop.index, loop.carried = index, phis
        loop.next = list(phis)
        yield loop
        following = self.emit_again(WORD, f"add nsw i64 {index.name}, {step}")
        again = self.emit_again("i1", f"icmp slt {following}, {last.name}")
        end = self.block
        self.line(f"br {again}, label {head}, label {done}")
        opened = [f"  {index.name} = phi i64 [ {first.name}, %{before} ], [ {following.name}, %{end} ]"]
        for phi, value, after in zip(phis, carried, loop.next):
            opened.append(f"  {phi.name} = phi {phi.type} [ {value.name}, %{before} ], [ {after.name}, %{end} ]")
        self.lines[phi_place:phi_place] = opened
        self._label(done)
        loop.results = []
        for value, after in zip(carried, loop.next):
            if never_empty:
                loop.results.append(after)
            else:
                loop.results.append(
                    self.emit(value.type, f"phi {value.type} [ {value.name}, %{before} ], [ {after.name}, %{end} ]")
                )

    @contextmanager
    def when(self, condition: Reg) -> Iterator[None]:
        """The block runs only if the i1 `condition` holds."""
        yes, done = self.fresh("yes"), self.fresh("after")
        self.line(f"br {condition}, label {yes}, label {done}")
        self._label(yes)
        yield
        self.line(f"br label {done}")
        self._label(done)

    # -- finishing

    def call(self, function: str, *arguments: Reg, result: str = "void") -> Reg | None:
        """Call a function of the module."""
        text = f"call {result} @{function}({', '.join(map(str, arguments))})"
        if result == "void":
            self.line(text)
            return None
        return self.emit(result, text)

    def finish(self, value: Reg | None = None) -> None:
        """Return, and add the function to its module."""
        self.line(f"ret {value}" if value is not None else "ret void")
        header = ", ".join(
            f"{p.type} {'noalias ' if p.type == 'ptr' and p.name in self._alone else ''}{p.name}"
            for p in self.parameters
        )
        body = "\n".join(self.lines)
        self.module.functions.append(
            f"define {self.result} @{self.name}({header}) {self.attributes} {{\nentry:\n{body}\n}}"
        )

    def mostly_calls(self) -> None:
        """What takes time is done by functions that it calls. LLVM need not optimise it, and takes half as long.

        Where it has vectors of its own it does: without, they would be taken apart.
        """
        if not any("<" in line for line in self.lines):
            self.attributes = f"optnone {self.attributes}"

    _alone: frozenset[str] = frozenset()

    def promise_alone(self, *pointers: Reg) -> None:
        """These pointer parameters overlap no other one that is written."""
        self._alone = self._alone | {pointer.name for pointer in pointers}


@dataclass
class Loop:
    """What the body of a loop sees."""

    index: Reg
    carried: list[Reg]

    def __post_init__(self) -> None:
        self.next: list[Reg] = list(self.carried)
        self.results: list[Reg] = list(self.carried)

    def carry(self, *values: Reg) -> None:
        """What goes round to the next iteration."""
        self.next = list(values)
