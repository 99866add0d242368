"""Runs that are checked for NaN and infinity, at the cost of a copy of the cells now and then.

Before a run the cells are copied if the last copy has paid off, else it is only noted what the run was given: tensors
as they are, since their elements never change, NumPy arrays as copies. After it the results are looked at; the cells
are, before each new copy. Where something is not finite, the cells get what the copy holds, and the runs since are made
again one by one: same program, same bits. So the step is found, and the cells are as they were before it. Then NumPy
runs that step value by value.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...captured import GradientCell
from ...errors import LinearAlgebraError, NonFiniteError, OutOfRangeError, telling
from ...finite.message import told
from ...finite.store import SavedStep, keep
from ...finite.trail import follow, is_bad
from ...ir.types import NumpyArray, is_real_float
from ...tensor import Tensor
from .given import Logged, Step, logged_call
from .names import Names
from .others import Others

if TYPE_CHECKING:
    from .entry import Entry

PAYS_OFF = 100.0
"""A copy is made when the runs since the last one took so many times as long as it did, and looking at the cells."""
MOST_BYTES = 1 << 26
MOST_RUNS = 10_000


class Checker:
    """The checks of one program. folder: where a step that fails is saved."""

    def __init__(self, entry: Entry, names: Names, folder: Path | None) -> None:
        self.entry, self.names, self.folder = entry, names, folder
        self._others = Others(entry)
        self._floats = [place for place, kind in enumerate(entry.result_kinds) if is_real_float(kind.dtype)]
        self._copy: list[NumpyArray | None] | None = None
        self._log: list[Logged] = []
        self._kept: list[NumpyArray] = []  # the arguments of the last call
        self._lent: list[list[NumpyArray]] = [[] for _ in entry.argument_kinds]  # copies that are in the log
        self._spare: list[list[NumpyArray]] = [[] for _ in entry.argument_kinds]  # fresh pages cost more than a copy
        self._bytes = 0
        self._seconds = self._cost = self._start = 0.0
        self._run_number = -1

    # -- around a run

    def before_call(self, arguments: Sequence[NumpyArray], owners: Sequence[Any], numbers: Sequence[float]) -> None:
        """Enters the program for one run. owners: what the caller gave as arguments."""
        self._enter()
        kept = [
            array if isinstance(owner, Tensor) else self._copied(place, array)
            for place, (array, owner) in enumerate(itertools.zip_longest(arguments, owners))
        ]
        self._log.append(logged_call(kept, numbers))
        self._bytes += sum(array.nbytes for array, last in itertools.zip_longest(kept, self._kept) if array is not last)
        self._kept = kept
        self._start = time.perf_counter()

    def before(self, logged: Logged, size: int) -> None:
        """The same for many runs. logged: how to make them again; size: bytes that are kept for it."""
        self._enter()
        self._log.append(logged)
        self._bytes += size
        self._start = time.perf_counter()

    def _enter(self) -> None:
        """Enters the program, and copies its cells if need be."""
        others = self.entry.run_number != self._run_number or self._others.ran_since(self._run_number)
        disturbed = self.entry.enter()  # some cell was given new contents from outside
        if self._copy is None or disturbed or others:
            self._take_copy()
        elif self._seconds > PAYS_OFF * self._cost or self._bytes > MOST_BYTES or len(self._log) > MOST_RUNS:
            start = time.perf_counter()
            if self._bad_cells(self._copy):
                self._find()
            self._take_copy()
            self._cost = time.perf_counter() - start

    def _copied(self, place: int, argument: NumpyArray) -> NumpyArray:
        """A copy of an argument, which the caller may change."""
        copy = self._spare[place].pop() if self._spare[place] else np.empty_like(argument)
        np.copyto(copy, argument)
        self._lent[place].append(copy)
        return copy

    def after(self, results: Sequence[NumpyArray]) -> None:
        """Raises NonFiniteError where a result is not finite."""
        self._seconds += time.perf_counter() - self._start
        self._run_number = self.entry.run_number
        for place in self._floats:
            if not _is_finite(results[place]):
                self._find()

    def end(self) -> None:
        """After an epoch: the cells too."""
        if self._copy is not None and self._bad_cells(self._copy):
            self._find()

    def undo(self) -> bool:
        """After a step that went wrong (see `noted`): the cells as they were before it. Gives whether they are."""
        if self._copy is None:
            return False
        log, self._log = self._log, []
        self._restore(self._copy)
        self._copy = None
        for step in itertools.chain.from_iterable(logged() for logged in log):
            before = self._contents(every=True)
            try:
                self.entry.run_unchecked(step.arguments, step.numbers)
            except (OutOfRangeError, LinearAlgebraError):
                self._restore(before)
                return True
        return False

    # -- copies of cells

    def _contents(self, every: bool, over: Sequence[NumpyArray | None] = ()) -> list[NumpyArray | None]:
        """What cells hold; of those that are written, or of all, a copy. over: copies that nobody needs any more."""
        cells = self.entry.cells
        found: list[NumpyArray | None] = []
        for cell, written, old in itertools.zip_longest(cells.cells, cells.is_written, over):
            value = cell.read()
            array = None if value is None else value.data
            found.append(array if array is None or not (written or every) else _copied_over(array, old))
        return found

    def _take_copy(self) -> None:
        start = time.perf_counter()
        self._copy = self._contents(every=False, over=self._copy or ())
        self._log, self._bytes, self._seconds = [], 0, 0.0
        for spare, lent in zip(self._spare, self._lent):
            spare += lent
            lent.clear()
        self._cost = time.perf_counter() - start

    def _restore(self, contents: Sequence[NumpyArray | None]) -> None:
        for cell, written, array in zip(self.entry.cells.cells, self.entry.cells.is_written, contents):
            if not written:
                continue
            if array is not None:
                cell.write(np.array(array))
            elif isinstance(cell, GradientCell):
                cell.owner._own_grad = None

    def _bad_cells(self, before: Sequence[NumpyArray | None]) -> bool:
        """Whether a cell that was finite is not any more."""
        cells = self.entry.cells
        for cell, written, was in zip(cells.cells, cells.is_written, before):
            if not written:
                continue
            value = cell.read()
            now = None if value is None else value.data
            if (
                now is not None
                and is_real_float(now.dtype)
                and not _is_finite(now)
                and (was is None or _is_finite(was))
            ):
                return True
        return False

    # -- where it was

    def _find(self) -> None:
        """Make the runs since the copy again, step by step, until one is not finite."""
        assert self._copy is not None
        log, self._log = self._log, []
        self._restore(self._copy)
        self._copy = None
        for step in itertools.chain.from_iterable(logged() for logged in log):
            before = self._contents(every=True)
            results = self.entry.run_unchecked(step.arguments, step.numbers)
            if any(map(is_bad, results)) or self._bad_cells(before):
                self._restore(before)
                raise self._error(step, before)
        raise NonFiniteError(
            f"{self.names.function} gave something that is not finite, but not when its last steps were made again: "
            "the arrays it was given have been changed since"
        )

    def _error(self, step: Step, before: Sequence[NumpyArray | None]) -> NonFiniteError:
        captured, names = self.entry.captured, self.names
        read = [array for array, _ in zip(before, captured.cells)]
        numbers = [np.float64(number) for number in step.numbers]
        inputs = [*step.arguments, *(array for array in read if array is not None), *numbers]
        input_names = [*names.arguments, *map(names.cell, captured.cells), *(each.key for each in captured.numbers)]
        outputs = [*names.results, *(f"{names.cell(cell)} after the step" for cell in captured.written)]
        sizes = {array.shape[0] if array.ndim else 0 for array in step.arguments}
        saved = SavedStep(
            captured.graph,
            tuple(np.asarray(each) for each in inputs),
            tuple(input_names),
            tuple(outputs),
            sizes.pop() if len(sizes) == 1 else None,
            None if step.rows is None else tuple(map(int, step.rows)),
        )
        with telling(f"in {names.function}; the weights are as they were before this step"):
            trail = follow(saved.graph, saved.inputs, saved.names, saved.outputs)
        text = (
            "native code gave something that is not finite, where NumPy gives none"
            if trail is None
            else told(trail, saved.batch, saved.rows)
        )
        told_how, file = keep(saved, self.folder, "it")
        return NonFiniteError(f"{text}\nThe weights are as they were before this step. {told_how}", trail, file)


def _copied_over(array: NumpyArray, old: NumpyArray | None) -> NumpyArray:
    """A copy, in the memory of an old one if there is one: fresh pages cost more than what is written to them."""
    if old is None or (old.shape, old.dtype, old.strides) != (array.shape, array.dtype, array.strides):
        return np.array(array)
    np.copyto(old, array)
    return old


def _is_finite(array: NumpyArray) -> bool:
    """Told by the sum, which is not finite if any element is not; looked at one by one only where it is not."""
    if array.size == 1:
        return math.isfinite(array.item())
    with np.errstate(all="ignore"):
        return bool(np.isfinite(array.sum())) or bool(np.isfinite(array).all())
