"""Runs that are checked for NaN and infinity, at the cost of a copy of the cells now and then.

Before a run the cells are copied if the last copy has paid off, else it is only noted what the run was given. After it
the results are looked at; the cells are, before each new copy. Where something is not finite, the cells get what the
copy holds, and the runs since are made again one by one: same program, same bits. So the step is found, and the cells
are as they were before it. Then NumPy runs that step value by value.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...captured import Cell, GradientCell, TensorCell
from ...errors import NonFiniteError, OutOfRangeError, telling
from ...finite.message import told
from ...finite.store import SavedStep, keep
from ...finite.trail import follow, is_bad
from ...ir.types import NumpyArray, is_real_float
from ...records import dataclass
from ...tensor import Parameter, Tensor
from .given import Logged, Step

if TYPE_CHECKING:
    from .entry import Entry

PAYS_OFF = 100.0
"""A copy is made when the runs since the last one took so many times as long as it did, and looking at the cells."""
MOST_BYTES = 1 << 25
MOST_RUNS = 10_000


@dataclass
class Names:
    """What things are called in messages. cells: by the id of their tensor."""

    function: str
    arguments: Sequence[str]
    results: Sequence[str]
    cells: dict[int, str]

    def cell(self, cell: Cell) -> str:
        """A parameter by its name, others by their type."""
        assert isinstance(cell, TensorCell | GradientCell)
        name = self.cells.get(id(cell.owner)) or f"a tensor {cell.owner._value.type} outside"
        return f"the gradient of {name}" if isinstance(cell, GradientCell) else name


class Checker:
    """The checks of one program. folder: where a step that fails is saved."""

    def __init__(self, entry: Entry, names: Names, folder: Path | None) -> None:
        self.entry, self.names, self.folder = entry, names, folder
        self._copy: list[NumpyArray | None] | None = None
        self._log: list[Logged] = []
        self._lent: list[list[NumpyArray]] = []  # the arguments of calls in the log
        self._spare: list[list[NumpyArray]] = []  # memory of those of earlier calls: fresh pages cost more than a copy
        self._bytes = 0
        self._seconds = self._cost = self._start = 0.0
        self._run_number = -1

    # -- around a run

    def before_call(self, arguments: Sequence[NumpyArray], numbers: Sequence[float]) -> None:
        """Before one run; it is logged with copies of its arguments, which the caller may change."""
        kept: list[NumpyArray] = []
        step = Step(kept, list(numbers))
        self.before(lambda: iter([step]), sum(array.nbytes for array in arguments))
        kept += self._spare.pop() if self._spare else map(np.empty_like, arguments)
        for copy, array in zip(kept, arguments):
            np.copyto(copy, array)
        self._lent.append(kept)

    def before(self, logged: Logged, size: int) -> None:
        """logged: how to make the run again; size: bytes that are kept for it."""
        disturbed = self.entry.enter()  # some cell was given new contents from outside
        others = self.entry.run_number != self._run_number + 1  # a program ran that may have written the same cells
        self._run_number = self.entry.run_number + 1
        if self._copy is None or disturbed or others:
            self._take_copy()
        elif self._seconds > PAYS_OFF * self._cost or self._bytes > MOST_BYTES or len(self._log) > MOST_RUNS:
            start = time.perf_counter()
            if self._bad_cells(self._copy):
                self._find()
            self._take_copy()
            self._cost = time.perf_counter() - start
        self._log.append(logged)
        self._bytes += size
        self._start = time.perf_counter()

    def after(self, results: Sequence[NumpyArray]) -> None:
        """Raises NonFiniteError where a result is not finite."""
        self._seconds += time.perf_counter() - self._start
        for result in results:
            if is_real_float(result.dtype) and not _is_finite(result):
                self._find()

    def end(self) -> None:
        """After an epoch: the cells too."""
        if self._copy is not None and self._bad_cells(self._copy):
            self._find()

    def undo(self) -> bool:
        """After a step that met an index out of range: the cells as they were before it. Gives whether they are."""
        if self._copy is None:
            return False
        log, self._log = self._log, []
        self._restore(self._copy)
        self._copy = None
        for step in itertools.chain.from_iterable(logged() for logged in log):
            before = self._contents(every=True)
            try:
                self.entry.run_unchecked(step.arguments, step.numbers)
            except OutOfRangeError:
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
            found.append(array if array is None or not (written or every) else _copied(array, old))
        return found

    def _take_copy(self) -> None:
        start = time.perf_counter()
        self._copy = self._contents(every=False, over=self._copy or ())
        self._log, self._bytes, self._seconds = [], 0, 0.0
        self._spare += self._lent
        self._lent = []
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


def _copied(array: NumpyArray, old: NumpyArray | None) -> NumpyArray:
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


def cell_names(function: Any) -> dict[int, str]:
    """Tensors that a function has hold of by the name of the variable, those of modules by theirs; by id."""
    found: dict[int, str] = {}
    for name, value in held(function):
        if isinstance(value, Tensor):
            found[id(value)] = f"parameter {name}" if isinstance(value, Parameter) else f"tensor {name}"
        for owner in (value, getattr(value, "model", None)):
            for kind, method in (("parameter", "named_parameters"), ("buffer", "named_buffers")):
                if callable(getattr(owner, method, None)) and not isinstance(owner, type):
                    found.update((id(tensor), f"{kind} {name}") for name, tensor in getattr(owner, method)())
    return found


def held(function: Any) -> Iterator[tuple[str, Any]]:
    """What a function reaches without being given it: variables around it, globals it names, what it is a method of."""
    code = getattr(function, "__code__", None)
    for name, cell in zip(getattr(code, "co_freevars", ()), getattr(function, "__closure__", None) or ()):
        with suppress(ValueError):  # a variable that has no value yet
            yield name, cell.cell_contents
    known = getattr(function, "__globals__", {})
    yield from ((name, known[name]) for name in getattr(code, "co_names", ()) if name in known)
    yield "self", getattr(function, "__self__", function)
