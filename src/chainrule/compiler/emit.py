"""LLVM IR as text: values with their types, functions with structured loops. Nothing here knows what is computed.

Vectors have as many lanes as the emitter asks for, 10 as well as 16: LLVM splits odd ones into what the machine has.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ir.types import DType

ELEMENT = {"f4": "float", "f8": "double", "b1": "i1"}
WORD = "i64"


def element_type(dtype: DType) -> str:
    """The LLVM type of one element in a register."""
    code = f"{dtype.kind}{dtype.itemsize}"
    return ELEMENT.get(code) or f"i{8 * dtype.itemsize}"


def memory_type(dtype: DType) -> str:
    """The LLVM type of one element in memory: a bool takes a byte."""
    return "i8" if dtype.kind == "b" else element_type(dtype)


def vector_of(element: str, lanes: int) -> str:
    """`lanes` elements in one register; 0 lanes is a scalar."""
    return f"<{lanes} x {element}>" if lanes else element


def element_of(type: str) -> str:
    """The element type of a vector type, or the scalar type itself."""
    return type.rstrip(">").split(" x ")[1] if type.startswith("<") else type


def lanes_of(type: str) -> int:
    """How many lanes a vector type has; 0 for a scalar."""
    return int(type[1:].split(" ")[0]) if type.startswith("<") else 0


@dataclass(frozen=True, slots=True)
class Reg:
    """An SSA value or a literal."""

    type: str
    name: str

    def __str__(self) -> str:
        return f"{self.type} {self.name}"

    @property
    def element(self) -> str:
        """The type of one lane."""
        return element_of(self.type)

    @property
    def lanes(self) -> int:
        """How many lanes; 0 for a scalar."""
        return lanes_of(self.type)


def _literal(element: str, number: Any) -> str:
    if element == "float":
        with np.errstate(over="ignore"):
            number = float(np.float32(number))
    if element in ("float", "double"):
        return f"0x{struct.unpack('<Q', struct.pack('<d', float(number)))[0]:016X}"
    if element == "i1":
        return "true" if number else "false"
    return str(int(number))


def const(type: str, number: Any) -> Reg:
    """A literal; for a vector type the same number in every lane."""
    element = element_of(type)
    literal = _literal(element, number)
    return Reg(type, f"splat ({element} {literal})" if lanes_of(type) else literal)


def number_of(value: Reg) -> float | None:
    """The number that a literal float, or a vector of one, stands for; None for a register."""
    found = re.fullmatch(r"(?:splat \((?:float|double) )?0x([0-9A-F]{16})\)?", value.name)
    return struct.unpack("<d", struct.pack("<Q", int(found[1], 16)))[0] if found else None


def word(number: int) -> Reg:
    """A literal i64."""
    return Reg(WORD, str(number))


class Module:
    """Functions, globals and declarations, each written once."""

    def __init__(self, has_fma: bool = True) -> None:
        self.has_fma = has_fma
        self.functions: list[str] = []
        self.globals: dict[bytes, str] = {}
        self.declarations: dict[str, str] = {}
        self.helpers: set[str] = set()
        self.metadata: list[str] = []

    def is_new(self, helper: str) -> bool:
        """Whether nobody has asked for this function, which several kernels call, yet: who asks first writes it."""
        if helper in self.helpers:
            return False
        self.helpers.add(helper)
        return True

    def declare(self, name: str, signature: str) -> None:
        """`declare signature` for an external function or intrinsic."""
        self.declarations.setdefault(name, f"declare {signature}")

    def table(self, data: np.ndarray[Any, Any]) -> Reg:
        """A constant array in read-only memory; the same bytes are kept once."""
        raw = np.ascontiguousarray(data).tobytes()
        if raw not in self.globals:
            name = f"@table{len(self.globals)}"
            text = "".join(f"\\{byte:02X}" for byte in raw)
            self.globals[raw] = f'{name} = private unnamed_addr constant [{len(raw)} x i8] c"{text}", align 64'
        return Reg("ptr", self.globals[raw].split(" ")[0])

    def unrolled_loop(self) -> str:
        """Metadata for the branch back of one loop that is to be written out in full."""
        number = max(1, len(self.metadata))
        wish = '!0 = !{!"llvm.loop.unroll.full"}'
        self.metadata = [*(self.metadata or [wish]), f"!{number} = distinct !{{!{number}, !0}}"]
        return f"!{number}"

    def text(self) -> str:
        """The whole module."""
        lines = [*self.globals.values(), *self.functions, *self.declarations.values(), *self.metadata]
        return "\n".join([*lines, ""])


class Function:
    """One function being written. Every method appends an instruction and gives its result."""

    def __init__(
        self, module: Module, name: str, parameters: Sequence[Reg], attributes: str = "", result: str = "void"
    ):
        self.module, self.name, self.parameters = module, name, list(parameters)
        self.attributes, self.result = attributes, result
        self.lines: list[str] = []
        self._counter = 0
        self.block = "entry"

    # -- instructions

    def fresh(self, hint: str = "v") -> str:
        """A new local name."""
        self._counter += 1
        return f"%{hint}{self._counter}"

    def line(self, text: str) -> None:
        """An instruction without result."""
        self.lines.append("  " + text)

    def emit(self, type: str, text: str) -> Reg:
        """An instruction with a result of `type`."""
        name = self.fresh()
        self.lines.append(f"  {name} = {text}")
        return Reg(type, name)

    def binary(self, operation: str, left: Reg, right: Reg) -> Reg:
        """fadd, fsub, fmul, fdiv, add, sub, mul, and, or, xor, shl, lshr, ashr, sdiv ... of two of one type."""
        return self.emit(left.type, f"{operation} {left.type} {left.name}, {right.name}")

    def compare(self, condition: str, left: Reg, right: Reg) -> Reg:
        """`fcmp olt`, `icmp eq` ...: i1 in each lane."""
        return self.emit(vector_of("i1", left.lanes), f"{condition} {left.type} {left.name}, {right.name}")

    def select(self, mask: Reg, yes: Reg, no: Reg) -> Reg:
        """yes where mask, else no."""
        return self.emit(yes.type, f"select {mask}, {yes}, {no}")

    def convert(self, operation: str, value: Reg, element: str) -> Reg:
        """fptrunc, fpext, sitofp, uitofp, fptosi, zext, sext, trunc, bitcast ... lane by lane."""
        target = vector_of(element, value.lanes)
        return self.emit(target, f"{operation} {value} to {target}")

    def negate(self, value: Reg) -> Reg:
        """-x of floats."""
        return self.emit(value.type, f"fneg {value}")

    def intrinsic(self, name: str, *arguments: Reg, result: str | None = None) -> Reg:
        """Call `@llvm.<name>.<type>`, overloaded on the type of its first argument: fma, sqrt, fabs, floor, ..."""
        first = arguments[0].type
        suffix = f"v{lanes_of(first)}{_short(element_of(first))}" if lanes_of(first) else _short(first)
        full, answer = f"@llvm.{name}.{suffix}", result or first
        self.module.declare(full, f"{answer} {full}({', '.join(a.type for a in arguments)})")
        return self.emit(answer, f"call {answer} {full}({', '.join(map(str, arguments))})")

    def fma(self, a: Reg, b: Reg, c: Reg) -> Reg:
        """a·b + c, with one rounding where the machine has an instruction for it; a call a lane would be slow."""
        if self.module.has_fma:
            return self.intrinsic("fma", a, b, c)
        return self.binary("fadd", self.binary("fmul", a, b), c)

    def splat(self, scalar: Reg, lanes: int) -> Reg:
        """A scalar in every lane; 0 lanes leaves it."""
        if not lanes:
            return scalar
        if not scalar.name.startswith("%"):
            return Reg(vector_of(scalar.type, lanes), f"splat ({scalar})")
        type = vector_of(scalar.type, lanes)
        one = self.emit(type, f"insertelement {type} poison, {scalar}, i64 0")
        return self.emit(type, f"shufflevector {one}, {type} poison, <{lanes} x i32> zeroinitializer")

    def extract(self, vector: Reg, lane: int) -> Reg:
        """One lane as a scalar."""
        return self.emit(vector.element, f"extractelement {vector}, i64 {lane}")

    def reduce(self, operation: str, vector: Reg) -> Reg:
        """All lanes into one scalar, in a tree whose shape depends on the number of lanes only.

        operation: fadd, fmul, or an integer operation of llvm.vector.reduce (add, or, and, smax ...).
        """
        scalar = vector.element
        if vector.lanes in (0, 1):
            return self.extract(vector, 0) if vector.lanes else vector
        suffix = f"v{vector.lanes}{_short(scalar)}"
        name = f"@llvm.vector.reduce.{operation}.{suffix}"
        if operation in ("fadd", "fmul"):
            start = const(scalar, -0.0 if operation == "fadd" else 1.0)
            self.module.declare(name, f"{scalar} {name}({scalar}, {vector.type})")
            return self.emit(scalar, f"call reassoc {scalar} {name}({start}, {vector})")
        self.module.declare(name, f"{scalar} {name}({vector.type})")
        return self.emit(scalar, f"call {scalar} {name}({vector})")

    # -- memory

    def at(self, pointer: Reg, element: str, index: Reg | int) -> Reg:
        """The address of element `index` behind `pointer`."""
        place = word(index) if isinstance(index, int) else index
        if place.name == "0":
            return pointer
        return self.emit("ptr", f"getelementptr inbounds {element}, ptr {pointer.name}, {place}")

    def load(self, type: str, pointer: Reg, align: int | None = None) -> Reg:
        """Load a scalar or a vector of neighbours. align in bytes; the element's size by default."""
        return self.emit(type, f"load {type}, ptr {pointer.name}, align {align or bytes_of(element_of(type))}")

    def load_first(self, type: str, pointer: Reg, count: int) -> Reg:
        """Load the first `count` lanes of a vector; the others are zero, and their memory is not touched."""
        lanes, element = lanes_of(type), element_of(type)
        name, mask = f"@llvm.masked.load.v{lanes}{_short(element)}.p0", vector_of("i1", lanes)
        self.module.declare(name, f"{type} {name}(ptr, i32, {mask}, {type})")
        chosen = ", ".join(f"i1 {'true' if lane < count else 'false'}" for lane in range(lanes))
        arguments = f"ptr {pointer.name}, i32 {bytes_of(element)}, {mask} <{chosen}>, {type} zeroinitializer"
        return self.emit(type, f"call {type} {name}({arguments})")

    def store(self, value: Reg, pointer: Reg, align: int | None = None) -> None:
        """Store a scalar or a vector of neighbours."""
        self.line(f"store {value}, ptr {pointer.name}, align {align or bytes_of(value.element)}")

    def load_elements(self, dtype: DType, lanes: int, pointer: Reg) -> Reg:
        """Neighbouring elements of an array: a bool is a byte in memory and i1 in a register."""
        value = self.load(vector_of(memory_type(dtype), lanes), pointer)
        if dtype.kind != "b":
            return value
        return self.compare("icmp ne", value, const(value.type, 0))

    def store_elements(self, dtype: DType, value: Reg, pointer: Reg) -> None:
        """The reverse of load_elements."""
        self.store(self.convert("zext", value, "i8") if dtype.kind == "b" else value, pointer)

    # -- integers

    def add(self, left: Reg, right: Reg | int) -> Reg:
        """i64 sum; literals fold."""
        other = word(right) if isinstance(right, int) else right
        if _is_literal(left) and _is_literal(other):
            return word(int(left.name) + int(other.name))
        if other.name == "0":
            return left
        return other if left.name == "0" else self.binary("add nsw", left, other)

    def times(self, left: Reg, number: int) -> Reg:
        """i64 times a known number; literals fold."""
        if _is_literal(left):
            return word(int(left.name) * number)
        if number == 1:
            return left
        return word(0) if number == 0 else self.binary("mul nsw", left, word(number))

    def minimum(self, left: Reg, right: Reg) -> Reg:
        """The smaller of two i64."""
        if _is_literal(left) and _is_literal(right):
            return word(min(int(left.name), int(right.name)))
        return self.intrinsic("smin", left, right)

    def maximum(self, left: Reg, right: Reg) -> Reg:
        """The larger of two i64."""
        if _is_literal(left) and _is_literal(right):
            return word(max(int(left.name), int(right.name)))
        return self.intrinsic("smax", left, right)

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
        once = _is_literal(first) and _is_literal(last) and 0 < int(last.name) - int(first.name) <= step
        loop = Loop(first, list(carried))
        if once:
            yield loop
            loop.results = loop.next
            return
        never_empty = _is_literal(first) and _is_literal(last) and int(first.name) < int(last.name)
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
        following = self.emit(WORD, f"add nsw i64 {index.name}, {step}")
        again = self.compare("icmp slt", following, last)
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


def _is_literal(value: Reg) -> bool:
    return not value.name.startswith("%")


def is_literal(value: Reg) -> bool:
    """Whether an i64 is known while the program is emitted."""
    return _is_literal(value)


def _short(element: str) -> str:
    return {"float": "f32", "double": "f64", "ptr": "p0"}.get(element, element)


def bytes_of(element: str) -> int:
    """Bytes of one element in memory."""
    return {"float": 4, "double": 8, "ptr": 8, "i1": 1}.get(element) or int(element[1:]) // 8


Emit = Callable[..., Reg]
