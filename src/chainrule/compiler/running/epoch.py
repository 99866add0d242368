"""A pass over arrays: many runs of a program in one native call, which picks the rows of each batch itself."""

from __future__ import annotations

import ctypes
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from ...counts import checked_count
from ...errors import DataError, OutOfRangeError
from ...ir.memory import address_of, aligned
from ...ir.types import NumpyArray, as_dtype
from ..machine.threads import pool
from ..planning.plan import HEAD
from .entry import Entry
from .given import Logged, Step, logged_steps

SECONDS_A_CALL = 0.05
"""How long native code runs before Python looks for Ctrl-C."""

Programs = Callable[[Sequence[NumpyArray], int], Entry]
"""The program for batches of so many rows of arrays, compiled if there is none that fits what is now."""


class Epoch:
    """A pass over arrays in native code, in calls of about a twentieth of a second."""

    def __init__(self, programs: Programs, arrays: Sequence[NumpyArray], batch_size: int, order: Any) -> None:
        lengths = {array.shape[:1] for array in arrays}
        if len(lengths) != 1 or () in lengths:
            shapes = ", ".join(str(array.shape) for array in arrays) or "none"
            raise DataError(f"an epoch needs arrays with one row an example each, all as long, but has shapes {shapes}")
        for array in arrays:
            as_dtype(array.dtype)
        self.length = len(arrays[0])
        self.programs, self.arrays, self.batch_size = programs, arrays, checked_count("batch_size", batch_size)
        self.order = np.arange(self.length) if order is None else _row_numbers(order)
        if self.order.size and self.order.view(np.uint64).max() >= self.length:  # what is negative is large
            raise OutOfRangeError(f"order names rows from {self.order.min()} to {self.order.max()}, of {self.length}")

    def run(self) -> Any:
        """All batches; the results stacked. Whatever has to be compiled is compiled before the first of them."""
        whole, rest = divmod(len(self.order), self.batch_size)
        if whole and not rest:
            entry = self._program(self.batch_size)
            return entry.wrapped(self._steps(entry, 0, whole))
        pieces = [(self.batch_size, 0, whole), (rest, whole * self.batch_size, 1)]
        pieces = [(rows, start, count) for rows, start, count in pieces if rows and count]
        if not pieces:
            raise DataError("an epoch over no rows has no results")
        if len(pieces) > 1:
            self._program(rest)
        parts = []
        for rows, start, count in pieces:
            entry = self._program(rows)
            parts.append(self._steps(entry, start, count))
        return entry.wrapped(_joined(parts))

    def _steps(self, entry: Entry, start: int, count: int) -> list[NumpyArray]:
        """`count` steps over rows from `start` on; where they are checked, the weights that they leave too."""
        results = steps_of(entry).run(self.arrays, self.order, start, count)
        if entry.checker is not None:
            entry.checker.end()
        return results

    def _program(self, rows: int) -> Entry:
        return self.programs(self.arrays, rows)


def _row_numbers(order: Any) -> NumpyArray:
    rows = np.asarray(order)
    if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
        raise DataError(
            f"order is the row numbers in which examples are seen, integers (n,), but was given {rows.dtype} "
            f"of shape {rows.shape}{': np.flatnonzero makes rows of a mask' if rows.dtype.kind == 'b' else ''}"
        )
    return np.ascontiguousarray(rows, np.int64)


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
        self._sizes = [kind.nbytes for kind in entry.result_kinds]
        self._places = [ctypes.addressof(entry.numbers) + 8 * number for number in range(len(entry.number_slots))]
        count = HEAD + len(self._batches) + len(entry.result_kinds) + len(entry.number_slots)
        self._context = (ctypes.c_uint64 * count)()
        self._layout = struct.Struct(f"{count}Q")
        self._function = entry.compiled.code.address("steps")

    def run(self, arrays: Sequence[NumpyArray], order: NumpyArray, first: int, count: int) -> list[NumpyArray]:
        """`count` steps over rows order[first:], results stacked; in calls of about a twentieth of a second."""
        for number, source in enumerate(self.entry.captured.numbers):
            self.entry.numbers[number] = source.read()
        results = self._room(count)
        words = self._words(arrays, order, results)
        done = 0
        while done < count:
            steps = min(self.at_once(), count - done)
            if self.entry.checker is None:
                given = partial(self._given, arrays, order[first + done * self.rows :], None, steps)
                self._call(words, self._places, 0, done, steps, given, first)
            else:
                numbers = np.tile(np.array(self.entry.numbers), (steps, 1))
                rest = order[first + done * self.rows :], [result[done:] for result in results]
                with self._checked(arrays, rest[0], numbers, rest[1], steps):
                    given = partial(self._given, arrays, rest[0], numbers, steps)
                    self._call(words, self._places, 0, done, steps, given, first)
            done += steps
        return results

    def once(
        self, arrays: Sequence[NumpyArray], order: NumpyArray, count: int, numbers: NumpyArray
    ) -> list[NumpyArray]:
        """`count` steps in one call. numbers: (count, options), those of each step."""
        numbers, order = np.ascontiguousarray(numbers, np.float64), np.ascontiguousarray(order, np.int64)
        first = address_of(numbers)
        places = [first + 8 * number for number in range(numbers.shape[1])]
        results = self._room(count)
        words = self._words(arrays, order, results)
        given = partial(self._given, arrays, order, numbers, count)
        if self.entry.checker is None:
            self._call(words, places, 8 * len(places), 0, count, given)
        else:
            with self._checked(arrays, order, numbers, results, count):
                self._call(words, places, 8 * len(places), 0, count, given)
        return results

    def _given(
        self, arrays: Sequence[NumpyArray], order: NumpyArray, numbers: NumpyArray | None, count: int
    ) -> Iterator[Step]:
        """What the next `count` steps are given. numbers: (count, options); None: those of the program now."""
        if numbers is None:
            numbers = np.tile(np.array(self.entry.numbers), (count, 1))
        return logged_steps(arrays, order[: count * self.rows], self.rows, numbers)()

    @contextmanager
    def _checked(
        self,
        arrays: Sequence[NumpyArray],
        order: NumpyArray,
        numbers: NumpyArray,
        results: Sequence[NumpyArray],
        count: int,
    ) -> Iterator[None]:
        """Around a call of `count` steps, which are looked at for NaN and infinity."""
        checker = self.entry.checker
        assert checker is not None
        checker.before(logged_steps(arrays, np.array(order[: count * self.rows]), self.rows, numbers), 8 * order.size)
        yield
        checker.after([result[:count] for result in results])

    def at_once(self) -> int:
        """How many steps a call may have."""
        if self.seconds:
            return max(1, int(SECONDS_A_CALL / self.seconds))
        return max(1, int(SECONDS_A_CALL / 4 / self._expected_seconds()))

    def _expected_seconds(self) -> float:
        """About how long a step takes, before one has been run: an element operation a nanosecond, 50 a kernel."""
        plan = self.entry.compiled.plan
        return 1e-9 * (plan.cost + 50 * max(1, plan.kernels))

    def _room(self, count: int) -> list[NumpyArray]:
        return [np.empty((count, *kind.shape), kind.dtype) for kind in self.entry.result_kinds]

    def _words(
        self, arrays: Sequence[NumpyArray], order: NumpyArray, results: Sequence[NumpyArray]
    ) -> tuple[int, list[int], list[int]]:
        """Addresses: of the row numbers, the arrays, the results."""
        return address_of(order), [*map(address_of, arrays)], [*map(address_of, results)]

    def _call(
        self,
        words: tuple[int, list[int], list[int]],
        numbers: Sequence[int],
        stride: int,
        done: int,
        steps: int,
        given: Logged,
        first: int = 0,
    ) -> None:
        """Steps `done` to `done + steps` over rows from `first` on.

        numbers: where those of the first step lie; stride: bytes to those of the next. given: what the steps are given.
        """
        entry, (order, arrays, results) = self.entry, words
        entry.enter()
        for slot, address in zip(entry.argument_slots, self._addresses):
            entry.table[slot] = address
        here = [result + done * size for result, size in zip(results, self._sizes)]
        head = (entry.table_address, steps, order + 8 * (first + done * self.rows), stride)
        self._layout.pack_into(self._context, 0, *head, *arrays, *here, *numbers)
        start = time.perf_counter()
        try:
            pool().run(self._function, ctypes.addressof(self._context), entry.threads)
            self.seconds = max((time.perf_counter() - start) / steps, 1e-9)
        finally:  # Ctrl-C is raised as native code returns
            for slot, address in zip(entry.number_slots, self._places):
                entry.table[slot] = address
            failed = entry.leave()
        if failed:
            entry.raise_noted(given)
