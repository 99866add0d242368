"""A pass over arrays: many runs of a program in one native call, which picks the rows of each batch itself."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import ConfigurationError, DataError, OutOfRangeError
from ..ir.types import ArrayType, NumpyArray
from .entry import Entry
from .memory import address_of, aligned
from .threads import pool

SECONDS_A_CALL = 0.05
"""How long native code runs before Python looks for Ctrl-C."""

Programs = Callable[[Sequence[ArrayType]], Entry]
"""The program for arguments of these types, compiled if there is none that fits what is now."""


def batch_kinds(arrays: Sequence[NumpyArray], rows: int) -> tuple[ArrayType, ...]:
    """The types of a batch of so many rows."""
    return tuple(ArrayType((rows, *array.shape[1:]), array.dtype) for array in arrays)


class Epoch:
    """A pass over arrays in native code, in calls of about a twentieth of a second."""

    def __init__(self, programs: Programs, arrays: Sequence[NumpyArray], batch_size: int, order: Any) -> None:
        lengths = {len(array) if array.ndim else -1 for array in arrays}
        if len(lengths) != 1 or -1 in lengths or not arrays:
            raise DataError(f"an epoch needs arrays with one row an example each, all as long, not {sorted(lengths)}")
        if batch_size < 1:
            raise ConfigurationError(f"batch_size is at least 1, not {batch_size}")
        (self.length,) = lengths
        self.programs, self.arrays, self.batch_size = programs, arrays, batch_size
        given = np.arange(self.length) if order is None else np.asarray(order)
        self.order = np.ascontiguousarray(given, np.int64)
        if self.order.size and (self.order.min() < 0 or self.order.max() >= self.length):
            raise OutOfRangeError(f"order names rows from {self.order.min()} to {self.order.max()}, of {self.length}")

    def run(self) -> Any:
        """All batches; the results stacked. Whatever has to be compiled is compiled before the first of them."""
        whole, rest = divmod(len(self.order), self.batch_size)
        pieces = [(self.batch_size, 0, whole), (rest, whole * self.batch_size, 1)]
        pieces = [(rows, start, count) for rows, start, count in pieces if rows and count]
        for rows, _, _ in pieces:
            self._program(rows)
        parts = []
        for rows, start, count in pieces:
            entry = self._program(rows)
            parts.append(steps_of(entry).run(self.arrays, self.order[start:], count))
        if not parts:
            raise DataError("an epoch over no rows has no results")
        return entry.wrapped(_joined(parts))

    def _program(self, rows: int) -> Entry:
        return self.programs(batch_kinds(self.arrays, rows))


def _joined(parts: Sequence[list[NumpyArray]]) -> list[NumpyArray]:
    if len(parts) == 1:
        return parts[0]
    columns = list(zip(*parts))
    if any(len({part.shape[1:] for part in column}) > 1 for column in columns):
        raise DataError("the results of a smaller last batch have another shape; return reduced figures like the loss")
    return [np.concatenate(column) for column in columns]


def steps_of(entry: Entry) -> Steps:
    """The repeated runs of a program, made once."""
    if entry.steps is None:
        entry.steps = Steps(entry)
    found: Steps = entry.steps
    return found


class Steps:
    """Many runs of one program over rows of arrays in one native call."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.rows = entry.argument_kinds[0].shape[0]
        self.seconds = 0.0  # that a step took last time
        self._batches = [aligned(kind) for kind in entry.argument_kinds]
        self._addresses = [address_of(batch) for batch in self._batches]
        count = 3 + len(self._batches) + len(entry.result_kinds) + len(entry.captured.numbers)
        self._context = (ctypes.c_uint64 * count)()
        self._function = entry.compiled.code.address("steps")

    def run(self, arrays: Sequence[NumpyArray], order: NumpyArray, count: int) -> list[NumpyArray]:
        """`count` steps over rows in `order`, results stacked; in calls of about a twentieth of a second."""
        columns = [np.full(count, source.read()) for source in self.entry.captured.numbers]
        results = self._room(count)
        done = 0
        while done < count:
            steps = min(self.at_once(), count - done)
            self._call(arrays, order, results, columns, done, steps)
            done += steps
        return results

    def once(
        self, arrays: Sequence[NumpyArray], order: NumpyArray, count: int, numbers: NumpyArray
    ) -> list[NumpyArray]:
        """`count` steps in one call. numbers: (count, options), those of each step."""
        columns = [np.ascontiguousarray(numbers[:, each], np.float64) for each in range(numbers.shape[1])]
        results = self._room(count)
        self._call(arrays, np.ascontiguousarray(order, np.int64), results, columns, 0, count)
        return results

    def at_once(self) -> int:
        """How many steps a call may have."""
        if self.seconds:
            return max(1, int(SECONDS_A_CALL / self.seconds))
        return max(1, int(SECONDS_A_CALL / 4 / self._expected_seconds()))

    def _expected_seconds(self) -> float:
        """About how long a step takes, before one has been run: an element operation a nanosecond, 50 a kernel."""
        program = self.entry.compiled.program
        return 1e-9 * (program.cost + 50 * len(program.instructions))

    def _room(self, count: int) -> list[NumpyArray]:
        return [np.empty((count, *kind.shape), kind.dtype) for kind in self.entry.result_kinds]

    def _call(
        self,
        arrays: Sequence[NumpyArray],
        order: NumpyArray,
        results: Sequence[NumpyArray],
        columns: Sequence[NumpyArray],
        done: int,
        steps: int,
    ) -> None:
        entry = self.entry
        entry.enter()
        for slot, address in zip(entry.argument_slots, self._addresses):
            entry.table[slot] = address
        words = [entry.table_address, steps, address_of(order) + 8 * done * self.rows]
        words += [address_of(array) for array in arrays]
        words += [address_of(result) + done * (result.nbytes // len(result)) for result in results]
        words += [address_of(column) + 8 * done for column in columns]
        for place, number in enumerate(words):
            self._context[place] = number
        start = time.perf_counter()
        pool().run(self._function, ctypes.addressof(self._context), entry.threads)
        self.seconds = max((time.perf_counter() - start) / steps, 1e-9)
        for number, slot in enumerate(entry.number_slots):
            entry.table[slot] = ctypes.addressof(entry.numbers) + 8 * number
        entry.leave()
