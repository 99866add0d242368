"""What a lowering is, and what its emitter works with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ...ir.types import ArrayType, DType
from ...records import dataclass
from ..machine.runtime import processor
from ..text.array import Array
from ..text.emit import Function, Reg
from .nest import Blocks, Range

Types = Sequence[ArrayType]
Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel being written: its function, arrays and range of tasks.

    scratch: temporary memory, where the lowering asks for some. errors: the i64 cell for a bad index, where it checks.
    """

    f: Function
    inputs: Sequence[Array]
    outputs: Sequence[Array]
    params: Params
    begin: Reg
    end: Reg
    scratch: Reg | None = None
    errors: Reg | None = None

    @contextmanager
    def each(self, blocks: Blocks) -> Iterator[list[Range]]:
        """The loop over the tasks: the ranges of each axis that one task has."""
        with self.f.loop(self.begin, self.end) as loop:
            yield blocks.ranges(self.f, loop.index)

    @contextmanager
    def each_task(self) -> Iterator[Reg]:
        """The loop over the tasks: their numbers."""
        with self.f.loop(self.begin, self.end) as loop:
            yield loop.index


def _no_scratch(inputs: Types, outputs: Types, params: Params) -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Lowering:
    """How a primitive becomes a kernel.

    tasks: how many independent tasks there are, by types alone; none if there is nothing to write.
    body: writes tasks begin..end-1 of a Kernel.
    scratch: bytes of temporary memory, for all tasks together.
    checks: whether the kernel gets an error cell, where it stores 1 + the flat position of an index out of range.
    """

    tasks: Callable[[Types, Types, Params], int]
    body: Callable[[Kernel], None]
    scratch: Callable[[Types, Types, Params], int] = _no_scratch
    checks: bool = False

    def emit(
        self,
        f: Function,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        params: Params,
        begin: Reg,
        end: Reg,
        scratch: Reg | None = None,
        errors: Reg | None = None,
    ) -> None:
        """Write a kernel that does the tasks begin..end-1."""
        self.body(Kernel(f, inputs, outputs, params, begin, end, scratch, errors))


def lanes_for(*dtypes: DType) -> int:
    """Lanes of the vectors in which to work: a register of the widest element, at most 16."""
    return min(16, processor().lanes(max(dtype.itemsize for dtype in dtypes)))
