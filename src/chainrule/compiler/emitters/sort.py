"""Sorting along one axis: a stable merge sort of positions, bottom up, between two halves of the scratch memory."""

from __future__ import annotations

from collections.abc import Sequence

from ...ir.types import DType, int64
from ..text.array import Array, dense_strides
from ..text.emit import Function, Reg, word
from .along import Line, for_lines, line_blocks, tasks_of_lines, without
from .kernel import Kernel, Lowering, Params, Types

WORD = "i64"


def _sort_scratch(inputs: Types, outputs: Types, params: Params) -> int:
    return 2 * 8 * inputs[0].size


def _argsort(kernel: Kernel) -> None:
    x, target = kernel.inputs[0].raw(), kernel.outputs[0]
    axis = kernel.params["axis"] % x.ndim
    size, rest = x.shape[axis], without(x.shape, axis)
    assert kernel.scratch is not None
    strides = tuple(2 * size * step for step in dense_strides(rest))
    scratch = Array(kernel.scratch, int64, rest, strides)
    for_lines(kernel, line_blocks(x.shape, axis), axis, [x, target, scratch], 0, lambda lines: _sort(lines, size))


def _sort(lines: Sequence[Line], size: int) -> None:
    keys, target, scratch = lines
    f = keys.f
    halves = scratch.pointer, f.at(scratch.pointer, WORD, size)
    with f.loop(0, size) as loop:
        f.store(loop.index, f.at(halves[0], WORD, loop.index))
    passes = (size - 1).bit_length()
    if passes:
        with f.loop(0, passes) as turn:
            odd = f.compare("icmp ne", f.binary("and", turn.index, word(1)), word(0))
            source, result = (f.select(odd, halves[1 - half], halves[half]) for half in (0, 1))
            _merge_runs(f, keys, (source, result), f.binary("shl", word(1), turn.index), size)
    with f.loop(0, size) as loop:
        target.store(loop.index, f.load(WORD, f.at(halves[passes % 2], WORD, loop.index)))


def _merge_runs(f: Function, keys: Line, halves: tuple[Reg, Reg], width: Reg, size: int) -> None:
    """Neighbouring sorted runs of `width` positions become runs of twice the width."""
    pair = f.binary("shl", width, word(1))
    count = f.binary("udiv", f.binary("sub", f.add(pair, size), word(1)), pair)
    with f.loop(0, count) as loop:
        low = f.binary("mul", loop.index, pair)
        middle, high = (f.minimum(f.add(low, step), word(size)) for step in (width, pair))
        _merge(f, keys, halves, (low, middle, high))


def _merge(f: Function, keys: Line, halves: tuple[Reg, Reg], bounds: tuple[Reg, Reg, Reg]) -> None:
    """Without branches: a run that has come to its end is read at its last position, and not taken."""
    source, result = halves
    low, middle, high = bounds
    last, final = f.add(middle, -1), f.add(high, -1)
    with f.loop(low, high, 1, (low, middle)) as loop:
        left, right = loop.carried
        first = f.load(WORD, f.at(source, WORD, f.minimum(left, last)))
        second = f.load(WORD, f.at(source, WORD, f.minimum(right, final)))
        smaller = before(f, keys.dtype, keys.load(second), keys.load(first))
        smaller = f.binary("or", smaller, f.compare("icmp sge", left, middle))
        taken = f.binary("and", smaller, f.compare("icmp slt", right, high))
        f.store(f.select(taken, second, first), f.at(result, WORD, loop.index))
        step = f.convert("zext", taken, WORD)
        loop.carry(f.add(left, f.binary("sub", word(1), step)), f.add(right, step))


def before(f: Function, dtype: DType, first: Reg, second: Reg) -> Reg:
    """Whether one key goes before another that came earlier: it is smaller; NaN is the largest."""
    if dtype.kind == "f":
        return f.binary("and", f.compare("fcmp ult", first, second), f.compare("fcmp ord", first, first))
    return f.compare("icmp ult" if dtype.kind in "ub" else "icmp slt", first, second)


SORTS = {"argsort": Lowering(tasks_of_lines, _argsort, _sort_scratch)}
