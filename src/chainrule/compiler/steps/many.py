"""Many steps in one native call: gather the rows of a batch, run the step, and again.

`void steps(ptr context, i64 thread, i64 threads, ptr block)`. The context holds, as words: the table of the step, the
number of steps, the address of the first row number, how far the numbers of a step are from those of the one before;
then an address each: of the arrays that rows are taken from, of the stacked results, of the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...ir.types import ArrayType
from ...records import dataclass
from ..planning.plan import HEAD
from ..text.emit import Function, Module, Reg, vector_of, word

WIDE = 32


@dataclass(frozen=True)
class Batch:
    """An argument of the step: its place in the table, its rows, and the bytes of one."""

    slot: int
    rows: int
    row_bytes: int


def batch_of(slot: int, kind: ArrayType) -> Batch | None:
    """An argument as a batch of rows; None where it has no axis."""
    if not kind.ndim:
        return None
    return Batch(slot, kind.shape[0], kind.nbytes // max(kind.shape[0], 1))


def write_steps(
    module: Module,
    attributes: str,
    batches: Sequence[Batch],
    results: Sequence[tuple[int, int]],
    numbers: Sequence[int],
) -> None:
    """Add `steps`. results: (place in the table, bytes of one step). numbers: places in the table."""
    parameters = [Reg("ptr", "%context"), Reg("i64", "%thread"), Reg("i64", "%threads"), Reg("ptr", "%block")]
    context, thread, threads, block = parameters
    f = Function(module, "steps", parameters, attributes)
    table = f.load("ptr", context)
    count = f.load("i64", f.at(context, "i64", 1))
    order, stride = f.load("ptr", f.at(context, "i64", 2)), f.load("i64", f.at(context, "i64", 3))
    words = [f.load("ptr", f.at(context, "i64", HEAD + n)) for n in range(len(batches) + len(results) + len(numbers))]
    sources, rest = words[: len(batches)], words[len(batches) :]
    first = f.compare("icmp eq", thread, word(0))
    with f.loop(word_of(f, 0), count) as loop:
        with f.when(first):
            for (slot, size), base in zip(results, rest):
                f.store(f.at(base, "i8", f.times(loop.index, size)), f.at(table, "ptr", slot))
            for slot, base in zip(numbers, rest[len(results) :]):
                f.store(f.at(base, "i8", f.binary("mul", loop.index, stride)), f.at(table, "ptr", slot))
        for batch, source in zip(batches, sources):
            rows = f.at(order, "i64", f.times(loop.index, batch.rows))
            begin = f.binary("udiv", f.times(thread, batch.rows), threads)
            end = f.binary("udiv", f.times(f.binary("add", thread, word(1)), batch.rows), threads)
            gather(f, batch, source, rows, f.load("ptr", f.at(table, "ptr", batch.slot)), begin, end)
        f.call("barrier", block, threads)
        f.call("step", table, thread, threads, block)
    f.finish()


def write_alone(module: Module, attributes: str) -> None:
    """Add `void alone(ptr table)`: one step on one thread. Calls from Python cost by the argument."""
    table = Reg("ptr", "%table")
    f = Function(module, "alone", [table], attributes)
    f.call("step", table, word(0), word(1), Reg("ptr", "null"))
    f.finish()


def word_of(f: Function, number: int) -> Reg:
    """A known number that the loop does not know to be known: its count is not."""
    return word(number)


def gather(f: Function, batch: Batch, source: Reg, rows: Reg, target: Reg, begin: Reg, end: Reg) -> None:
    """Rows of a batch from `begin` to `end`."""
    with f.loop(begin, end) as loop:
        row = f.load("i64", f.at(rows, "i64", loop.index))
        here = f.at(source, "i8", f.times(row, batch.row_bytes))
        there = f.at(target, "i8", f.times(loop.index, batch.row_bytes))
        _copy(f, here, there, batch.row_bytes)


def _copy(f: Function, source: Reg, target: Reg, size: int) -> None:
    whole = size // WIDE * WIDE
    if whole:
        with f.loop(0, whole, WIDE) as loop:
            value = f.load(vector_of("i8", WIDE), f.at(source, "i8", loop.index), 1)
            f.store(value, f.at(target, "i8", loop.index), 1)
    place = whole
    for width in (16, 8, 4, 2, 1):
        while size - place >= width:
            value = f.load(f"i{8 * width}", f.at(source, "i8", place), 1)
            f.store(value, f.at(target, "i8", place), 1)
            place += width
