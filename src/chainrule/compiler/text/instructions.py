"""Instructions of LLVM IR, appended one after another. Vectors have as many lanes as the emitter asks for."""

from __future__ import annotations

from functools import lru_cache

from ...ir.types import DType
from .module import Module
from .register import (
    Reg,
    bytes_of,
    const,
    element_of,
    is_literal,
    lanes_of,
    memory_type,
    short_name,
    vector_of,
    word,
)

NOT_TWICE_THE_SAME = ("load ", "call ", "alloca ", "phi ", "cmpxchg ", "atomicrmw ")
"""Instructions whose result may be another one when they are done again."""


@lru_cache(maxsize=1024)
def _overloaded(intrinsic: str, type: str) -> str:
    """The name of an intrinsic for arguments of a type."""
    suffix = f"v{lanes_of(type)}{short_name(element_of(type))}" if lanes_of(type) else short_name(type)
    return f"@llvm.{intrinsic}.{suffix}"


class Instructions:
    """A straight piece of code being written. Every method appends an instruction and gives its result.

    One that stands there already, with no branch since, is not written again: LLVM would only take time to see it.
    """

    def __init__(self, module: Module) -> None:
        self.module = module
        self.lines: list[str] = []
        self._counter = 0
        self._known: dict[str, Reg] = {}  # results since the last branch, by their instructions

    # -- instructions

    def fresh(self, hint: str = "v") -> str:
        """A new local name."""
        self._counter += 1
        return f"%{hint}{self._counter}"

    def line(self, text: str) -> None:
        """An instruction without result."""
        self.lines.append("  " + text)
        if text.startswith(("br ", "switch ")):
            self._known = {}

    def emit(self, type: str, text: str) -> Reg:
        """The result, of `type`, of an instruction."""
        known = self._known.get(text)
        if known is not None:
            return known
        result = self.emit_again(type, text)
        if not text.startswith(NOT_TWICE_THE_SAME):
            self._known[text] = result
        return result

    def emit_again(self, type: str, text: str) -> Reg:
        """The same, written even where it stands there already."""
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
        full, answer = _overloaded(name, arguments[0].type), result or arguments[0].type
        if full not in self.module.declarations:
            self.module.declare(full, f"{answer} {full}({', '.join(a.type for a in arguments)})")
        return self.emit(answer, f"call {answer} {full}({', '.join(map(str, arguments))})")

    def fma(self, a: Reg, b: Reg, c: Reg) -> Reg:
        """a·b + c, with one rounding where the machine has an instruction for it; a call a lane would be slow."""
        if self.module.has_fma:
            return self.intrinsic("fma", a, b, c)
        return self.binary("fadd", self.binary("fmul", a, b), c)

    def fenced(self, value: Reg) -> Reg:
        """The same floats, which LLVM does not look through."""
        return self.intrinsic("arithmetic.fence", value) if value.element in ("float", "double") else value

    def scaled(self, value: Reg, exponents: Reg) -> Reg:
        """value * 2^exponents, by AVX-512's instruction."""
        return self._in_pieces("mask.scalef", [value, exponents])

    def about_inverse(self, value: Reg) -> Reg:
        """1 / value of float32 to 14 bits, by AVX-512's instruction; the same bits in vectors of any length."""
        return self._in_pieces("rcp14", [value])

    def _in_pieces(self, name: str, vectors: list[Reg]) -> Reg:
        """An instruction of AVX-512 on vectors of any length: 64 bytes at a time, the last in fewer."""
        lanes, size = max(1, vectors[0].lanes), bytes_of(vectors[0].element)
        most = 64 // size
        if lanes > most:
            even = most << (-(-lanes // most) - 1).bit_length()  # so that halves of halves are whole, too
            pairs = [self.halves(self.resized(each, even)) for each in vectors]
            return self.resized(self.joined(*(self._in_pieces(name, [*each]) for each in zip(*pairs))), lanes)
        full = next(width for width in (16 // size, 32 // size, most) if lanes <= width)
        whole = [self.resized(each, full) for each in vectors]
        return self.resized(self._avx_512(name, whole), vectors[0].lanes)

    def _avx_512(self, name: str, vectors: list[Reg]) -> Reg:
        first, suffix = vectors[0], "ps" if vectors[0].element == "float" else "pd"
        bits = 8 * bytes_of(first.element) * first.lanes
        mask = f"i{max(8, first.lanes)}"
        given = [*map(str, vectors), f"{first.type} zeroinitializer", f"{mask} -1"]
        if name == "mask.scalef" and bits == 512:
            given.append("i32 4")
        full = f"@llvm.x86.avx512.{name}.{suffix}.{bits}"
        kinds = ", ".join(
            [*(each.type for each in vectors), first.type, mask, *["i32"] * (len(given) - len(vectors) - 2)]
        )
        self.module.declare(full, f"{first.type} {full}({kinds})")
        return self.emit(first.type, f"call {first.type} {full}({', '.join(given)})")

    def resized(self, vector: Reg, lanes: int) -> Reg:
        """The first lanes of a vector, or all of them and others that are undefined; 0 lanes is a scalar."""
        if vector.lanes == lanes:
            return vector
        if lanes == 0:
            return self.extract(vector, 0)
        type = vector_of(vector.element, lanes)
        if vector.lanes == 0:
            return self.emit(type, f"insertelement {type} poison, {vector}, i64 0")
        chosen = ", ".join(f"i32 {lane if lane < vector.lanes else 'poison'}" for lane in range(lanes))
        return self.emit(type, f"shufflevector {vector}, {vector.type} poison, <{lanes} x i32> <{chosen}>")

    def halves(self, vector: Reg) -> list[Reg]:
        """The first and the last lanes of a vector."""
        half = vector.lanes // 2
        chosen = [", ".join(f"i32 {lane + start}" for lane in range(half)) for start in (0, half)]
        type = vector_of(vector.element, half)
        return [
            self.emit(type, f"shufflevector {vector}, {vector.type} poison, <{half} x i32> <{lanes}>")
            for lanes in chosen
        ]

    def joined(self, first: Reg, last: Reg) -> Reg:
        """The lanes of two vectors behind each other."""
        lanes = 2 * first.lanes
        every = ", ".join(f"i32 {lane}" for lane in range(lanes))
        type = vector_of(first.element, lanes)
        return self.emit(type, f"shufflevector {first}, {last}, <{lanes} x i32> <{every}>")

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
        suffix = f"v{vector.lanes}{short_name(scalar)}"
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
        name, mask = f"@llvm.masked.load.v{lanes}{short_name(element)}.p0", vector_of("i1", lanes)
        self.module.declare(name, f"{type} {name}(ptr, i32, {mask}, {type})")
        chosen = ", ".join(f"i1 {'true' if lane < count else 'false'}" for lane in range(lanes))
        arguments = f"ptr {pointer.name}, i32 {bytes_of(element)}, {mask} <{chosen}>, {type} zeroinitializer"
        return self.emit(type, f"call {type} {name}({arguments})")

    def store(self, value: Reg, pointer: Reg, align: int | None = None) -> None:
        """Store a scalar or a vector of neighbours."""
        self.line(f"store {value}, ptr {pointer.name}, align {align or bytes_of(value.element)}")

    def store_far(self, value: Reg, pointer: Reg, align: int) -> None:
        """Store whole vectors past the caches. Before others may read them: `wait_for_far`."""
        self.line(f"store {value}, ptr {pointer.name}, align {align}, !nontemporal !{{i32 1}}")

    def wait_for_far(self) -> None:
        """What went past the caches is there before what is written from here on: x86 promises it of other stores."""
        self.module.declare("@llvm.x86.sse.sfence", "void @llvm.x86.sse.sfence()")
        self.line("call void @llvm.x86.sse.sfence()")

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
        if is_literal(left) and is_literal(other):
            return word(int(left.name) + int(other.name))
        if other.name == "0":
            return left
        return other if left.name == "0" else self.binary("add nsw", left, other)

    def times(self, left: Reg, number: int) -> Reg:
        """i64 times a known number; literals fold."""
        if is_literal(left):
            return word(int(left.name) * number)
        if number == 1:
            return left
        return word(0) if number == 0 else self.binary("mul nsw", left, word(number))

    def minimum(self, left: Reg, right: Reg) -> Reg:
        """The smaller of two i64."""
        if is_literal(left) and is_literal(right):
            return word(min(int(left.name), int(right.name)))
        return self.intrinsic("smin", left, right)

    def maximum(self, left: Reg, right: Reg) -> Reg:
        """The larger of two i64."""
        if is_literal(left) and is_literal(right):
            return word(max(int(left.name), int(right.name)))
        return self.intrinsic("smax", left, right)
