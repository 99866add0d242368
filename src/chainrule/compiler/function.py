"""What `cr.compile` gives: a function that becomes a native program when first called on arrays of given types."""

from __future__ import annotations

import functools
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..capture import Captured, capture
from ..errors import ConfigurationError, DataError, OutOfRangeError
from ..ir.build import current_trace, is_recording
from ..ir.graph import Value
from ..ir.types import KNOWN, ArrayType, NumpyArray, int64
from ..source import user_source
from ..tensor import Parameter, Tensor, wrap
from .cells import CellMemory, address_of, aligned, as_array
from .compile import Compiled, Repeated, compile_graph
from .profile import KernelTime, profile
from .program import PARALLEL_COST
from .threads import default_threads, pool

ERROR_CELL = ArrayType((8,), int64)
SECONDS_A_CALL = 0.05
"""How long native code runs before Python looks for Ctrl-C."""


class RecompileWarning(UserWarning):
    """A compiled function was compiled again; the message says why."""


class CompiledFunction:
    """A function with its native programs."""

    def __init__(self, function: Callable[..., Any], threads: int | None = None) -> None:
        if not callable(function):
            raise ConfigurationError(f"compile takes a function, not {function!r}")
        if threads is not None and threads < 1:
            raise ConfigurationError(f"threads is at least 1, not {threads}")
        functools.update_wrapper(self, function, updated=())
        self.function, self.threads = function, threads
        self._entries: dict[Any, list[Entry]] = {}
        self._lock = threading.RLock()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program for these arguments; inside a trace the function is traced along."""
        if current_trace() is not None:
            return self.function(*args, **kwargs)
        with self._lock:
            entry, arrays = self._entry(args, kwargs)
            return entry.run(arrays)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """As a method: bound to its instance."""
        return self if instance is None else functools.partial(self, instance)

    def program(self, *args: Any, **kwargs: Any) -> Entry:
        """The program for these arguments, compiled if it is not yet; nothing is run."""
        with self._lock:
            return self._entry(args, kwargs)[0]

    def memory(self, *args: Any, **kwargs: Any) -> dict[str, int]:
        """Bytes that a call on these arguments needs, by what they hold; nothing is run."""
        return self.program(*args, **kwargs).memory()

    def profile(self, *args: Any, runs: int = 10, **kwargs: Any) -> list[KernelTime]:
        """Where the time of a call on these arguments goes: the seconds of each kernel, in the order they run.

        The best of `runs` runs on copies of parameters and other cells, so nothing that the function would change is.
        """
        with self._lock:
            return profile(*self._entry(args, kwargs), runs)

    def epoch(self, *arrays: Any, batch_size: int, order: Any = None, numbers: Any = None) -> Any:
        """Run the function over all rows of arrays, batch after batch, in native code.

        arrays: (n, ...) each, the function's arguments. order: row numbers (n,) in which they are seen. The last batch
        is smaller where n is no multiple of batch_size. Gives the results of all batches, stacked: (batches, ...).
        Ctrl-C is seen between batches, about twenty times a second.
        """
        with self._lock:
            return Epoch(self, [as_array(each) for each in arrays], batch_size, order).run()

    # -- finding the program

    def _entry(self, args: Any, kwargs: Any) -> tuple[Entry, list[NumpyArray]]:
        leaves, structure = tree.flatten((args, kwargs))
        arrays = [as_array(leaf) for leaf in leaves if _is_array(leaf)]
        pattern = tuple(ArrayType(np.shape(l), l.dtype) if _is_array(l) else _static(l) for l in leaves)
        key = (structure, pattern, is_recording())
        found = self._entries.setdefault(key, [])
        for entry in found:
            if entry.holds:
                return entry, arrays
        reason = _reason(found, self._entries)
        if reason:
            where = f" at {source}" if (source := user_source()) else ""
            name = getattr(self.function, "__name__", "function")
            warnings.warn(f"{name} is compiled again{where}: {reason}", RecompileWarning, stacklevel=4)
        given = [kind if isinstance(kind, ArrayType) else leaf for kind, leaf in zip(pattern, leaves)]
        positional, named = tree.unflatten(structure, given)
        entry = Entry(capture(self.function, positional, named), self.threads)
        found.append(entry)
        return entry, arrays


def _is_array(leaf: Any) -> bool:
    if isinstance(leaf, Tensor):
        return not isinstance(leaf, Parameter) and not leaf.requires_grad
    return isinstance(leaf, np.ndarray | np.generic) and leaf.dtype in KNOWN


def _static(leaf: Any) -> Any:
    try:
        hash(leaf)
    except TypeError:
        return ("object", id(leaf))
    return (type(leaf), leaf)


def _reason(found: Sequence[Entry], every: dict[Any, list[Entry]]) -> str:
    if not found:
        return ""
    broken = [guard.name for guard in found[-1].captured.guards if not guard.holds]
    return f"{broken[0]} is not what it was" if broken else "something it looked at has changed"


# -- one program


class Entry:
    """A captured function, its program, and the memory that the program runs on."""

    def __init__(self, captured: Captured, threads: int | None) -> None:
        self.captured = captured
        graph = captured.graph
        first = captured.argument_count
        cells = len(captured.cells)
        kinds = [value.type for value in graph.inputs[first : first + cells]]
        probe = CellMemory(captured.cells, captured.written, kinds)
        only = [n for n in range(len(captured.written)) if n not in probe.in_place]
        kinds += [graph.outputs[captured.result_count + n].type for n in only]
        self.cells = CellMemory(captured.cells, captured.written, kinds)
        in_place = {captured.result_count + n: first + cell for n, cell in self.cells.in_place.items()}
        repeated = Repeated(first, len(captured.numbers), captured.result_count)
        self.compiled: Compiled = compile_graph(graph, in_place, repeated=repeated)
        self._threads = threads
        self._prepare(only)

    def _prepare(self, only: Sequence[int]) -> None:
        """The table of addresses, and which of its places are set at each call."""
        captured, compiled = self.captured, self.compiled
        program = compiled.program
        place = {id(buffer): number + 1 for number, buffer in enumerate(program.table)}
        self.table = np.zeros(len(program.table) + 1, np.uint64)
        self.arena = aligned(ArrayType((program.arena_bytes,), np.dtype(np.uint8)))
        self.table[0] = address_of(self.arena)
        for buffer, array in zip(program.constants, compiled.constants):
            self.table[place[id(buffer)]] = address_of(array)
        self.errors = aligned(ERROR_CELL)
        self.errors[:] = 0
        if compiled.errors is not None:
            self.table[place[id(compiled.errors)]] = address_of(self.errors)
        first, cells = captured.argument_count, len(captured.cells)
        slots = [place[id(buffer)] for buffer in compiled.inputs]
        outs = [place[id(buffer)] for buffer in compiled.outputs]
        self.argument_slots = slots[:first]
        self.number_slots = slots[first + cells :]
        self.cell_slots = [*slots[first : first + cells], *(outs[captured.result_count + n] for n in only)]
        self.result_slots = outs[: captured.result_count]
        self.result_kinds = [value.type for value in compiled.graph.outputs[: captured.result_count]]
        self.argument_kinds = [value.type for value in compiled.graph.inputs[:first]]
        self.numbers = np.zeros(max(1, len(captured.numbers)))
        for number, slot in enumerate(self.number_slots):
            self.table[slot] = address_of(self.numbers) + 8 * number
        self.table_address = address_of(self.table)

    @property
    def holds(self) -> bool:
        """Whether what the function looked at while it was traced is still so."""
        return all(guard.holds for guard in self.captured.guards)

    @property
    def threads(self) -> int:
        """How many threads run it: one where a second would not be worth waking."""
        if self.compiled.program.cost < PARALLEL_COST:
            return 1
        return self._threads or default_threads()

    def run(self, arrays: Sequence[NumpyArray]) -> Any:
        """One run on dense arrays of the right types."""
        self.enter()
        for slot, array in zip(self.argument_slots, arrays):
            self.table[slot] = address_of(array)
        for number, source in enumerate(self.captured.numbers):
            self.numbers[number] = source.read()
        results = [np.empty(kind.shape, kind.dtype) for kind in self.result_kinds]
        for slot, result in zip(self.result_slots, results):
            self.table[slot] = address_of(result)
        pool().run(self.compiled.address, self.table_address, self.threads)
        self.leave()
        return self.wrapped(results)

    def wrapped(self, results: Sequence[NumpyArray]) -> Any:
        """Results in the structure that the function returns."""
        kinds = [ArrayType(result.shape, result.dtype) for result in results]
        tensors = [wrap(Value(kind, result)) for kind, result in zip(kinds, results)]
        return tree.unflatten(self.captured.result_structure, tensors)

    def enter(self) -> None:
        """Before a run: the addresses of the cells."""
        table, cells = self.table, self.cells
        for number, slot in enumerate(self.cell_slots):
            table[slot] = cells.refresh(number)

    def leave(self) -> None:
        """After a run: cells show what was written; an index out of range is an error."""
        self.cells.after(self.captured.cleared)
        if self.errors[0]:
            self.errors[:] = 0
            raise OutOfRangeError(
                "an index lies outside its axis in a compiled function; call the function without compile to see which"
            )

    def memory(self) -> dict[str, int]:
        """Bytes, by what they hold."""
        sizes = {"arguments": sum(kind.nbytes for kind in self.argument_kinds)}
        sizes["cells"] = sum(kind.nbytes for kind in self.cells.kinds)
        sizes["results"] = sum(kind.nbytes for kind in self.result_kinds)
        sizes["constants"] = sum(array.nbytes for array in self.compiled.constants)
        sizes["workspace"] = self.compiled.program.arena_bytes
        sizes["total"] = sum(sizes.values())
        return sizes


# -- an epoch


class Epoch:
    """A pass over arrays in native code, in calls of about a twentieth of a second."""

    def __init__(self, function: CompiledFunction, arrays: Sequence[NumpyArray], batch_size: int, order: Any) -> None:
        lengths = {len(array) if array.ndim else -1 for array in arrays}
        if len(lengths) != 1 or -1 in lengths or not arrays:
            raise DataError(f"an epoch needs arrays with one row an example each, all as long, not {sorted(lengths)}")
        if batch_size < 1:
            raise ConfigurationError(f"batch_size is at least 1, not {batch_size}")
        (self.length,) = lengths
        self.function, self.arrays, self.batch_size = function, arrays, batch_size
        given = np.arange(self.length) if order is None else np.asarray(order)
        self.order = np.ascontiguousarray(given, np.int64)
        if self.order.size and (self.order.min() < 0 or self.order.max() >= self.length):
            raise OutOfRangeError(f"order names rows from {self.order.min()} to {self.order.max()}, of {self.length}")

    def run(self) -> Any:
        """All batches; the results stacked."""
        whole, rest = divmod(len(self.order), self.batch_size)
        parts: list[list[NumpyArray]] = []
        entry = None
        if whole:
            entry = self._entry(self.batch_size)
            parts.append(Steps(entry, self.arrays, self.batch_size).run(self.order, whole))
        if rest:
            entry = self._entry(rest)
            parts.append(Steps(entry, self.arrays, rest).run(self.order[whole * self.batch_size :], 1))
        if entry is None:
            raise DataError("an epoch over no rows has no results")
        columns = list(zip(*parts))
        if not all(_same_rows(each) for each in columns):
            raise DataError(
                "the results of a smaller last batch have another shape; return reduced figures such as the loss"
            )
        return entry.wrapped([np.concatenate(each) for each in columns])

    def _entry(self, rows: int) -> Entry:
        kinds = [np.empty((rows, *array.shape[1:]), array.dtype) for array in self.arrays]
        return self.function._entry(tuple(kinds), {})[0]


def _same_rows(parts: Sequence[NumpyArray]) -> bool:
    return len({part.shape[1:] for part in parts}) == 1


class Steps:
    """Many runs of one program over rows of arrays in one native call."""

    def __init__(self, entry: Entry, arrays: Sequence[NumpyArray], rows: int) -> None:
        self.entry, self.arrays, self.rows = entry, arrays, rows
        self.batches = [aligned(kind) for kind in entry.argument_kinds]

    def run(self, order: NumpyArray, count: int) -> list[NumpyArray]:
        """`count` steps, results stacked; in calls of about a twentieth of a second."""
        results, columns = self._room(count), self._columns(count, None)
        done, at_once = 0, max(1, int(SECONDS_A_CALL / 4 / self._expected_seconds()))
        while done < count:
            steps = min(at_once, count - done)
            seconds = self._call(order[done * self.rows :], done, steps, results, columns)
            done += steps
            at_once = max(1, min(steps * 8, int(steps * SECONDS_A_CALL / max(seconds, 1e-7))))
        return results

    def at_once(self, order: NumpyArray, count: int, numbers: NumpyArray) -> tuple[list[NumpyArray], float]:
        """`count` steps in one call, and its seconds. numbers: (count, options), those of each step."""
        results, columns = self._room(count), self._columns(count, numbers)
        seconds = self._call(np.ascontiguousarray(order, np.int64), 0, count, results, columns)
        return results, seconds

    def _expected_seconds(self) -> float:
        """About how long a step takes, before one has been run: an element operation a nanosecond, 50 a kernel."""
        program = self.entry.compiled.program
        return 1e-9 * (program.cost + 50 * len(program.instructions))

    def _room(self, count: int) -> list[NumpyArray]:
        return [np.empty((count, *kind.shape), kind.dtype) for kind in self.entry.result_kinds]

    def _columns(self, count: int, numbers: NumpyArray | None) -> list[NumpyArray]:
        sources = self.entry.captured.numbers
        if numbers is None:
            return [np.full(count, source.read()) for source in sources]
        return [np.ascontiguousarray(numbers[:, each], np.float64) for each in range(len(sources))]

    def _call(
        self, order: NumpyArray, done: int, steps: int, results: Sequence[NumpyArray], columns: Sequence[NumpyArray]
    ) -> float:
        entry = self.entry
        entry.enter()
        for slot, batch in zip(entry.argument_slots, self.batches):
            entry.table[slot] = address_of(batch)
        words = [entry.table_address, steps, address_of(order)]
        words += [address_of(array) for array in self.arrays]
        words += [address_of(result) + done * result[0].nbytes for result in results]
        words += [address_of(column) + 8 * done for column in columns]
        context = np.array(words, np.uint64)
        start = time.perf_counter()
        pool().run(entry.compiled.code.address("steps"), address_of(context), entry.threads)
        seconds = time.perf_counter() - start
        entry.leave()
        return seconds
