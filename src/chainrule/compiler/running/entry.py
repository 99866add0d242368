"""One program with the memory that it runs on: a table of addresses, most of which stay as they are from run to run."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn, Protocol

import numpy as np

from ... import tree
from ...captured import Captured
from ...errors import ConfigurationError
from ...ir.graph import Value
from ...ir.memory import address_of, aligned
from ...ir.types import ArrayType, NumpyArray, int64
from ...tensor import Tensor, wrap
from ..compile import Compiled, compile_graph
from ..job import Repeated
from ..machine.cores import default_threads
from ..machine.give_back import MUCH, forget_code
from ..machine.threads import pool
from ..planning.plan import PARALLEL_COST
from .cells import memory_of, updated_in_place
from .forecast import MemoryForecast, bytes_by_kind
from .given import Logged, Step
from .others import RUNS, note
from .outside import Outside

ERROR_CELL = ArrayType((8,), int64)
SMALL = 1 << 14
"""Bytes of an argument up to which it is copied to where the last one lay: asking NumPy for an address costs more."""
KEPT = 1 << 12
"""Bytes of a result up to which its memory is kept for the next run."""
READ_AGAIN = 1 << 16
"""Bytes of a result from which on it is aligned: a product that reads it gains more than that costs."""

_ALONE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class RunChecker(Protocol):
    """Who looks at runs for NaN and infinity, as `checked.Checker` does."""

    def before_call(self, arguments: Sequence[NumpyArray], owners: Sequence[Any], numbers: Sequence[float]) -> None:
        """Before one run: enters the program. owners: what the caller gave as arguments."""

    def before(self, logged: Callable[[], Iterator[Any]], size: int) -> None:
        """Before many; logged: how to make them again."""

    def after(self, results: Sequence[NumpyArray]) -> None:
        """After them."""

    def end(self) -> None:
        """After the last for now."""

    def undo(self) -> bool:
        """After a step that went wrong: put back what it changed. Gives whether that was done."""


class Entry:
    """A captured function, its program, and the memory that the program runs on."""

    def __init__(
        self,
        captured: Captured,
        threads: int | None,
        tracked: Sequence[Tensor] = (),
        memory_limit: int | None = None,
    ) -> None:
        """tracked: tensors among the arguments that gradients may be wanted of. memory_limit: bytes."""
        self.captured = captured
        self._outside = Outside(captured, tracked)
        self.cells = memory_of(captured)
        in_place = updated_in_place(captured, self.cells)
        repeated = Repeated(captured.argument_count, len(captured.numbers), captured.result_count)
        self.compiled: Compiled = compile_graph(captured.graph, in_place, repeated=repeated, memory_limit=memory_limit)
        self.threads = 1 if self.compiled.plan.cost < PARALLEL_COST else threads or default_threads()
        self._prepare()

    def _prepare(self) -> None:
        """The table of addresses, and which of its places are set at each call."""
        captured, compiled = self.captured, self.compiled
        plan = compiled.plan
        self.table = (ctypes.c_uint64 * plan.places)()
        self.arena = aligned(ArrayType((plan.arena_bytes,), np.dtype(np.uint8)))
        self.table[0] = address_of(self.arena)
        for place, array in zip(plan.constant_places(len(compiled.constants)), compiled.constants):
            self.table[place] = address_of(array)
        self.errors = aligned(ERROR_CELL)
        self.errors[:] = 0
        if plan.errors is not None:
            self.table[plan.errors] = address_of(self.errors)
        first, cells = captured.argument_count, len(captured.cells)
        slots, outs = plan.inputs, plan.outputs
        self.argument_slots = slots[:first]
        self.number_slots = slots[first + cells :]
        self.cell_slots = [
            *slots[first : first + cells],
            *(outs[captured.result_count + n] for n in self.cells.only_written),
        ]
        self.result_slots = outs[: captured.result_count]
        self.result_kinds = [value.type for value in captured.graph.outputs[: captured.result_count]]
        self.argument_kinds = [value.type for value in captured.graph.inputs[:first]]
        self.numbers = (ctypes.c_double * max(1, len(captured.numbers)))()
        for number, slot in enumerate(self.number_slots):
            self.table[slot] = ctypes.addressof(self.numbers) + 8 * number
        self.table_address = ctypes.addressof(self.table)
        self._arguments = [_Argument(self.table, *each) for each in zip(self.argument_slots, self.argument_kinds)]
        self._results = [_Result(self.table, *each) for each in zip(self.result_slots, self.result_kinds)]
        self._is_single = captured.result_structure == tree.LEAF
        self.steps: Any = None  # the repeated runs of it, once there are any
        self.checker: RunChecker | None = None
        self.run_number = 0  # of the last run of this program, among those of all
        note(self)
        self.argument_names: Sequence[str] = ()  # what messages call them
        self._alone: Callable[[int], None] = _ALONE(compiled.code.address("alone"))
        if plan.arena_bytes >= MUCH:
            pool().prepare(self.threads)  # it would need LLVM once more
            forget_code()

    @property
    def holds(self) -> bool:
        """Whether what the function looked at while it was traced is still so."""
        return self.captured.guards.hold

    def run(self, arrays: Sequence[NumpyArray], owners: Sequence[Any] = ()) -> Any:
        """One run on dense arrays of the right types. owners: what the caller gave, of which they are the elements."""
        numbers = [source.read() for source in self.captured.numbers]
        if self.checker is None:
            results = self.run_unchecked(arrays, numbers)
        else:
            self.checker.before_call(arrays, owners, numbers)
            results = self._run_entered(arrays, numbers)
            self.checker.after(results)
        if self._is_single and not self._outside.any:
            return wrap(Value(self.result_kinds[0], results[0]))
        values = [Value(kind, result) for kind, result in zip(self.result_kinds, results)]
        return self._structured(self._outside.guarded(values))

    def run_unchecked(self, arrays: Sequence[NumpyArray], numbers: Sequence[float]) -> list[NumpyArray]:
        """The results of one run on dense arrays."""
        self.enter()
        return self._run_entered(arrays, numbers)

    def _run_entered(self, arrays: Sequence[NumpyArray], numbers: Sequence[float]) -> list[NumpyArray]:
        for argument, array in zip(self._arguments, arrays):
            argument.set(array)
        for place, number in enumerate(numbers):
            self.numbers[place] = number
        results = [result.array() for result in self._results]
        try:
            if self.threads == 1:
                self._alone(self.table_address)
            else:
                pool().run(self.compiled.address, self.table_address, self.threads)
        finally:  # Ctrl-C is raised as native code returns
            failed = self.leave()
        if failed:
            self.raise_noted(lambda: iter([Step(arrays, numbers)]))
        return results

    def wrapped(self, results: Sequence[NumpyArray]) -> Any:
        """Results of any shapes in the structure that the function returns."""
        values = [Value(ArrayType(result.shape, result.dtype), result) for result in results]
        values = self._outside.guarded(values)
        return wrap(values[0]) if self._is_single else self._structured(values)

    def _structured(self, values: Sequence[Value]) -> Any:
        return tree.unflatten(self.captured.result_structure, map(wrap, values))

    def enter(self) -> bool:
        """Before a run: the addresses of the cells; whether any may have changed since the last one."""
        RUNS[0] += 1
        self.run_number = RUNS[0]
        changed = self.cells.refresh()
        if changed:
            for slot, address in zip(self.cell_slots, self.cells.addresses):
                self.table[slot] = address
        return changed

    def leave(self) -> bool:
        """After a run: cells show what was written. Gives whether something was noted that is an error."""
        self.cells.after(self.captured.cleared)
        if self.compiled.plan.errors is None or not self.errors[0]:
            return False
        self.errors[:] = 0
        return True

    def raise_noted(self, given: Logged) -> NoReturn:
        """given: how to make again what the runs were given of which one went wrong."""
        from .noted import noted

        undone = self.checker is not None and self.checker.undo()
        raise noted(self.captured, self.argument_names, given(), undone)

    def show(self, *stages: str) -> str:
        """What it became, as text: the stages `graph`, `groups`, `buffers`, `kernels`, or those that are named."""
        from .show_stages import STAGES, show_stages

        wrong = [each for each in stages if each not in STAGES]
        if wrong:
            raise ConfigurationError(f"there is no stage {wrong[0]!r}; there are {', '.join(STAGES)}")
        return show_stages(self.compiled.lowered, stages or STAGES)

    def memory(self) -> MemoryForecast:
        """Bytes, by what they hold."""
        plan = self.compiled.plan
        return MemoryForecast(
            arguments=sum(kind.nbytes for kind in self.argument_kinds),
            activations=plan.activation_bytes,
            workspace=plan.arena_bytes - plan.activation_bytes,
            constants=sum(array.nbytes for array in self.compiled.constants),
            results=sum(kind.nbytes for kind in self.result_kinds),
            **bytes_by_kind(self.cells.cells, self.cells.kinds),
        )


class _Argument:
    """A place in the table for an argument. A small one is copied to where the one before it lay."""

    def __init__(self, table: Any, slot: int, kind: ArrayType) -> None:
        self.table, self.slot = table, slot
        self.copy = aligned(kind) if kind.nbytes <= SMALL else None
        self.address = 0 if self.copy is None else address_of(self.copy)

    def set(self, array: NumpyArray) -> None:
        """Let the program find it."""
        if self.copy is None:
            self.table[self.slot] = address_of(array)
            return
        self.copy[...] = array
        self.table[self.slot] = self.address


class _Memory:
    """Memory for a result, which someone may hold."""

    def __init__(self, kind: ArrayType) -> None:
        self.array = np.empty(kind.shape, kind.dtype)
        self.address = address_of(self.array)
        self._alone = self._count()

    def _count(self) -> int:
        return sys.getrefcount(self.array)

    @property
    def is_free(self) -> bool:
        """Whether nobody holds it now."""
        return self._count() == self._alone


class _Result:
    """A place in the table for a result. The memory of a small one is used again once nobody holds it."""

    def __init__(self, table: Any, slot: int, kind: ArrayType) -> None:
        self.table, self.slot, self.kind = table, slot, kind
        self.kept = [_Memory(kind) for _ in range(3)] if kind.nbytes <= KEPT else []

    def array(self) -> NumpyArray:
        """Memory for the result of this run."""
        for memory in self.kept:
            if memory.is_free:
                self.table[self.slot] = memory.address
                return memory.array
        array = aligned(self.kind) if self.kind.nbytes >= READ_AGAIN else np.empty(self.kind.shape, self.kind.dtype)
        self.table[self.slot] = address_of(array)
        return array
