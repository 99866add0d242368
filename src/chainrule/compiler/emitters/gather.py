"""Gather and scatter-add. An index out of range never reaches memory: it becomes 0, and the error cell is set."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ...ir.types import DType, Shape
from ..text.array import Array, load_strided, store_strided
from ..text.emit import Function, Reg, const, memory_type, vector_of, word
from .copy import copy_block, ravelled
from .kernel import Kernel, Lowering, Params, Types, lanes_for
from .nest import GRAIN, Blocks, Range, axes_of, blocks, in_order_of, merged, moved, span, walk, whole

NARROWEST = 32
"""Fewest columns that a task of scatter_add has: two lines of cache."""
MOST_PARTS = 4
"""Most parts of a vector that scatter_add fills at once: each looks at all indices."""

# -- indices


def as_word(f: Function, value: Reg, dtype: DType) -> Reg:
    """An integer of any type, or a vector of them, as i64. A uint64 beyond the signed range turns negative."""
    return value if dtype.itemsize == 8 else f.convert("zext" if dtype.kind == "u" else "sext", value, "i64")


def checked(f: Function, index: Reg, rows: int, place: Sequence[Reg], shape: Shape, errors: Reg | None) -> Reg:
    """The index if it lies in 0..rows-1, else 0; then the error cell gets 1 + the flat position of the index."""
    wrong = f.compare("icmp uge", index, word(rows))
    if errors is not None:
        with f.when(wrong):
            f.store(f.add(ravelled(f, place, shape), 1), errors)
    return f.select(wrong, word(0), index)


# -- gather


def _gather_tasks(inputs: Types, outputs: Types, params: Params) -> int:
    return blocks(outputs[0].shape).tasks


def _gather(kernel: Kernel) -> None:
    f, (x, indices), target = kernel.f, kernel.inputs, kernel.outputs[0]
    count = indices.ndim

    def copy_row(ranges: Sequence[Range], at: Sequence[Reg], place: Sequence[Reg]) -> None:
        index = as_word(f, f.load(memory_type(indices.dtype), at[0]), indices.dtype)
        row = checked(f, index, x.shape[0], place, indices.shape, kernel.errors)
        if x.shape[0]:
            there = Array(at[1], target.dtype, target.shape[count:], target.strides[count:])
            copy_block(f, x.row(f, row), there, ranges)

    with kernel.each(blocks(target.shape)) as ranges:
        leading = replace(target, shape=indices.shape, strides=target.strides[:count])
        axes = axes_of(ranges[:count], indices, leading)
        walk(f, axes, (indices, leading), lambda at, place: copy_row(ranges[count:], at, place))


# -- scatter-add


def _scatter_blocks(x: Shape, indices: Shape) -> Blocks:
    """Tasks own columns, or parts of a vector: each element's sum is in the order of the updates."""
    rest, work = x[1:], x[0] + math.prod(indices)
    if math.prod(rest) > 1:
        return blocks(rest, max(NARROWEST, GRAIN // max(1, work)))
    grain = max(2 * GRAIN, -(-x[0] // MOST_PARTS))
    return Blocks(x, (min(x[0], grain), *rest))


def _scatter_tasks(inputs: Types, outputs: Types, params: Params) -> int:
    return _scatter_blocks(inputs[0].shape, inputs[1].shape).tasks if outputs[0].size else 0


def _scatter(kernel: Kernel) -> None:
    x, indices, _ = kernel.inputs
    plan = _scatter_blocks(x.shape, indices.shape)
    with kernel.each(plan) as ranges:
        if math.prod(x.shape[1:]) > 1:
            _scatter_columns(kernel, ranges)
        else:
            _scatter_part(kernel, plan, ranges)


def _scatter_columns(kernel: Kernel, columns: Sequence[Range]) -> None:
    f, (x, indices, updates), target = kernel.f, kernel.inputs, kernel.outputs[0]
    copy_block(f, x, target, [*whole(x.shape[:1]), *columns])
    count = indices.ndim

    def add_row(at: Sequence[Reg], place: Sequence[Reg]) -> None:
        index = as_word(f, f.load(memory_type(indices.dtype), at[0]), indices.dtype)
        row = checked(f, index, x.shape[0], place, indices.shape, kernel.errors)
        update = Array(at[1], updates.dtype, updates.shape[count:], updates.strides[count:])
        _add_block(f, update, target.row(f, row), columns)

    leading = replace(updates, shape=indices.shape, strides=updates.strides[:count])
    walk(f, axes_of(whole(indices.shape), indices, leading), (indices, leading), add_row)


def _add_block(f: Function, source: Array, target: Array, ranges: Sequence[Range]) -> None:
    axes = merged(f, in_order_of(axes_of(ranges, source, target), 1))
    dtype, element = source.dtype, memory_type(source.dtype)
    last = axes[-1]

    def piece(at: Sequence[Reg], index: Reg, lanes: int) -> None:
        pointers = moved(f, at, [element] * 2, index, last.steps)
        update, old = (load_strided(f, dtype, pointer, step, lanes) for pointer, step in zip(pointers, last.steps))
        store_strided(f, dtype, add(f, dtype, old, update), pointers[1], last.steps[1])

    arrays, lanes = (source, target), lanes_for(dtype)
    walk(f, axes[:-1], arrays, lambda at, _: span(f, last.low, last.high, lanes, lambda i, n: piece(at, i, n)))


def add(f: Function, dtype: DType, left: Reg, right: Reg) -> Reg:
    """A sum of floats, or of integers modulo their size."""
    return f.binary("fadd" if dtype.kind == "f" else "add", left, right)


def _scatter_part(kernel: Kernel, plan: Blocks, ranges: Sequence[Range]) -> None:
    """A task that owns elements low..high-1 looks at all indices, at several at once where they lie together."""
    f, (x, indices, updates), target = kernel.f, kernel.inputs, kernel.outputs[0]
    copy_block(f, x, target, ranges)
    low, high = ranges[0]
    alone = plan.tasks == 1

    def add_one(at: Sequence[Reg], place: Sequence[Reg]) -> None:
        index = as_word(f, f.load(memory_type(indices.dtype), at[0]), indices.dtype)
        row = checked(f, index, x.shape[0], place, indices.shape, kernel.errors)
        if alone:
            add_at(at[1], row)
            return
        inside = f.compare("icmp ult", f.binary("sub", row, low), f.binary("sub", high, low))
        with f.when(inside):
            add_at(at[1], row)

    def add_at(update: Reg, row: Reg) -> None:
        pointer = target.address(f, [row])
        old, new = (f.load(memory_type(x.dtype), each) for each in (pointer, update))
        f.store(add(f, x.dtype, old, new), pointer)

    leading = replace(updates, shape=indices.shape, strides=updates.strides[: indices.ndim])
    arrays = (indices, leading)
    axes = axes_of(whole(indices.shape), *arrays)
    if alone or not axes or axes[-1].steps[0] != 1:
        walk(f, axes, arrays, add_one)
        return
    last, elements = axes[-1], [memory_type(array.dtype) for array in arrays]

    def several(at: Sequence[Reg], place: Sequence[Reg], first: Reg, lanes: int) -> None:
        there = moved(f, at, elements, first, last.steps)
        if not lanes:
            add_one(there, [*place, first])
            return
        found = _any_between(f, indices.dtype, there[0], lanes, low, high, x.shape[0])
        with f.when(found), f.loop(0, lanes) as loop:
            add_one(moved(f, there, elements, loop.index, last.steps), [*place, f.add(first, loop.index)])

    lanes = 2 * lanes_for(indices.dtype)

    def inner(at: Sequence[Reg], place: Sequence[Reg]) -> None:
        span(f, last.low, last.high, lanes, lambda first, count: several(at, place, first, count))

    walk(f, axes[:-1], arrays, inner)


def _any_between(f: Function, dtype: DType, at: Reg, lanes: int, low: Reg, high: Reg, rows: int) -> Reg:
    """Whether one of `lanes` indices lies in low..high-1, or out of range."""
    index = as_word(f, f.load(vector_of(memory_type(dtype), lanes), at), dtype)
    start, width = f.splat(low, lanes), f.splat(f.binary("sub", high, low), lanes)
    mine = f.compare("icmp ult", f.binary("sub", index, start), width)
    wrong = f.compare("icmp uge", index, const(index.type, rows))
    return f.reduce("or", f.binary("or", mine, wrong))


GATHERS = {
    "gather": Lowering(_gather_tasks, _gather, checks=True),
    "scatter_add": Lowering(_scatter_tasks, _scatter, checks=True),
}
