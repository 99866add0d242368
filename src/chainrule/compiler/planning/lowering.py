"""A graph on its way to kernel calls: where each value lies, copies in other layouts, each distinct kernel once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...ir.graph import Equation, Graph, Value
from ...ir.types import ArrayType, int64, uint8
from ..emitters.table import LOWERINGS
from ..text.array import Array
from ..text.emit import Function, Module, Reg
from ..text.target import Target
from .kernels import Kernels, Writer
from .place import Buffer, Kind, Place, constant_place, copy_order, dense, is_view, same_layout, same_order, view_of
from .program import Call, Instruction, Pointer, TaskParts, pointer_to

if TYPE_CHECKING:
    from ..products.epilogue import Finishable


class Lowering:
    """What is known of one graph while its units are lowered, in order."""

    def __init__(self, graph: Graph, module: Module, target: Target, outer: Lowering | None = None) -> None:
        self.graph, self.module, self.target, self.outer = graph, module, target, outer
        self.depth: int = 0 if outer is None else outer.depth  # loops around
        self.places: dict[int, Place] = {}
        self.instructions: list[Instruction] = []
        self.constants: list[Buffer] = [] if outer is None else outer.constants
        self.wishes: dict[int, Place] = {}  # id of value -> where it had best be computed
        self.relaid: dict[int, dict[Any, Place]] = {}  # by number of a buffer: copies of it in other layouts, shared
        self.wholes: dict[int, Place] = {}  # id of a concatenation's value -> where its parts are wanted
        self.errors: Buffer | None = None
        self.kernels: Kernels = Kernels(module, target) if outer is None else outer.kernels
        self.local: set[int] = set()  # numbers of buffers that are written in this graph, or between its rounds
        self.users = self._count_users()
        self.output_ids = {id(value) for value in graph.outputs}
        self.outside: set[int] = set()  # ids of the values that must lie in memory
        self.far: set[int] = set()  # ids of the values that are read much later, see `far`
        self.finishable: Finishable | None = None  # the last product

    def _count_users(self) -> dict[int, list[Equation]]:
        found: dict[int, list[Equation]] = {}
        for equation in self.graph.equations:
            for value in equation.inputs:
                found.setdefault(id(value), []).append(equation)
        return found

    # -- places

    def place_of(self, value: Value) -> Place:
        """Where a value lies; a view that can't be one is copied."""
        known = self.places.get(id(value))
        if known is None:
            known = self.places[id(value)] = self._find(value)
        return known

    def _find(self, value: Value) -> Place:
        if value.data is not None:
            place = constant_place(value.data)
            self.constants.append(place.buffer)
            return place
        equation = value.equation
        if equation is None or not is_view(equation):
            raise KeyError(f"a value of type {value.type} has no place yet")
        source = self.place_of(equation.inputs[0])
        seen = view_of(equation, source)
        if seen is None:
            dense_source = self.copied(source, None)
            seen = view_of(equation, dense_source)
        assert seen is not None
        return seen

    def allocate(self, value: Value, order: Sequence[int] | None = None, gaps: bool = False) -> Place:
        """Memory for a value that is about to be computed, its axes in `order` from the outermost.

        gaps: whether it may be a part of something larger.
        """
        wish = self.wishes.get(id(value))
        strides = dense(value.shape, order)
        if wish is not None and (same_layout if not gaps else same_order)(wish.strides, strides, value.shape):
            self.places[id(value)] = wish
            return wish
        place = self.temporary(value.type, order)
        self.places[id(value)] = place
        return place

    def temporary(self, kind: ArrayType, order: Sequence[int] | None = None) -> Place:
        """Memory in the arena."""
        buffer = Buffer(kind.dtype, kind.size, Kind.ARENA)
        self.local.add(buffer.number)
        return Place(buffer, kind.dtype, kind.shape, dense(kind.shape, order))

    def copied(self, source: Place, order: Sequence[int] | None) -> Place:
        """The same elements without gaps, in `order` (row-major by default)."""
        target = self.temporary(source.type, order)
        self.copy(source, target)
        return target

    def shared_copy(self, place: Place, order: tuple[int, ...]) -> Place:
        """A copy in another layout, made once for all who ask."""
        key = (place.offset, place.shape, place.strides, place.steps, order)
        return self.shared(place, key, lambda lowering: lowering.copied(place, order))

    def shared(self, place: Place, key: Any, make: Callable[[Lowering], Place]) -> Place:
        """What is made of a place once for all who ask, until its memory is written again.

        It is made outside of a loop that does not change the place.
        """
        if self.is_fixed(place):
            assert self.outer is not None
            return self.outer.shared(place, key, make)
        known = self.relaid.setdefault(place.buffer.number, {})
        if key not in known:
            known[key] = make(self)
        return known[key]

    def is_fixed(self, place: Place) -> bool:
        """In the body of a loop or branch: whether a place is the same in all rounds."""
        return self.outer is not None and place.buffer.number not in self.local and not place.steps

    def _forget_copies(self, written: Sequence[Buffer]) -> None:
        """What was made of memory that now changes serves no more."""
        scope: Lowering | None = self
        while scope is not None:
            for buffer in written:
                scope.relaid.pop(buffer.number, None)
            scope = scope.outer

    def copy(self, source: Place, target: Place, label: str = "copy") -> None:
        """Move elements from one place to another of the same shape."""
        if source.type.size:
            axes = copy_order(source, target)
            self.opaque("copy", [source.permuted(axes)], [target.permuted(axes)], {}, label, "")

    # -- calls

    def call(
        self,
        writer: Writer,
        pointers: Sequence[Pointer],
        tasks: int,
        cost: float,
        written: Sequence[Buffer],
        label: str,
        source: str = "",
        key: Any = None,
        own: TaskParts | None = None,
    ) -> None:
        """Append a kernel; one with the same text is written once, one with the same key not even looked at."""
        if tasks == 0:
            return
        kernel = self.kernels.named(writer, len(pointers), label, key)
        writes = frozenset(written)
        reads = frozenset(pointer.buffer for pointer in pointers)
        own = own or TaskParts()
        self.instructions.append(Call(kernel, tuple(pointers), tasks, cost, reads, writes, label, source, own))
        self._forget_copies(written)

    def take_back(self, call: Call) -> None:
        """The last call is not made after all."""
        last = self.instructions.pop()
        assert last is call
        self.kernels.take_back(call.kernel)

    # -- primitives of the table

    def opaque(
        self, name: str, inputs: Sequence[Place], outputs: Sequence[Place], params: Any, label: str, source: str
    ) -> None:
        """A primitive of the table of lowerings."""
        lowering = LOWERINGS[name]
        in_types, out_types = [place.type for place in inputs], [place.type for place in outputs]
        tasks = lowering.tasks(in_types, out_types, params)
        if tasks == 0:
            return
        scratch = lowering.scratch(in_types, out_types, params)
        pointers = [pointer_to(place) for place in (*inputs, *outputs)]
        written = [place.buffer for place in outputs]
        if scratch:
            extra = Buffer(uint8, scratch, Kind.ARENA)
            pointers.append(Pointer(extra))
            written.append(extra)
        if lowering.checks:
            pointers.append(Pointer(self.error_cell()))

        def write(f: Function, registers: Sequence[Reg], begin: Reg, end: Reg) -> None:
            arrays = [
                Array(register, place.dtype, place.shape, place.strides)
                for register, place in zip(registers, (*inputs, *outputs))
            ]
            rest = list(registers[len(arrays) :])
            space = rest.pop(0) if scratch else None
            error = rest.pop(0) if lowering.checks else None
            count = len(inputs)
            lowering.emit(f, arrays[:count], arrays[count:], params, begin, end, space, error)

        cost = 2.0 * max(sum(kind.size for kind in out_types), sum(kind.size for kind in in_types))
        layouts = [(place.dtype, place.shape, place.strides) for place in (*inputs, *outputs)]
        key = ("copy", *layouts) if name == "copy" else None
        self.call(write, pointers, tasks, cost, written, label, source, key)

    def error_cell(self) -> Buffer:
        """Where kernels note that an index lay outside."""
        if self.outer is not None:
            return self.outer.error_cell()
        if self.errors is None:
            self.errors = Buffer(int64, 8, Kind.SLOT, "errors")
        return self.errors
