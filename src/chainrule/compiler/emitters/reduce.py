"""Reductions of any element type over any axes: the plain way, where no fused loop takes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ...ir.types import DType, Shape
from ...records import dataclass
from ..text.array import Array, load_strided, store_strided
from ..text.emit import Function, Reg, const, element_type, memory_type, vector_of, word
from .along import wins
from .gather import add
from .kernel import Kernel, Lowering, Params, Types, lanes_for
from .nest import GRAIN, Axis, Blocks, axes_of, blocks, in_order_of, merged, moved, span, walk, whole


@dataclass(frozen=True, slots=True)
class Fold:
    """What a reduction starts with, and how it takes one more."""

    start: Callable[[DType], float]
    take: Callable[[Function, DType, Reg, Reg], Reg]


def _lowest(dtype: DType) -> float:
    return -math.inf if dtype.kind == "f" else int(np.iinfo(dtype).min)


def _highest(dtype: DType) -> float:
    return math.inf if dtype.kind == "f" else int(np.iinfo(dtype).max)


def _extremum(largest: bool) -> Callable[[Function, DType, Reg, Reg], Reg]:
    """The first NaN stays."""

    def take(f: Function, dtype: DType, best: Reg, candidate: Reg) -> Reg:
        return f.select(wins(f, dtype, candidate, best, largest), candidate, best)

    return take


FOLDS = {
    "sum": Fold(lambda dtype: 0, add),
    "max": Fold(_lowest, _extremum(True)),
    "min": Fold(_highest, _extremum(False)),
    "all": Fold(lambda dtype: 1, lambda f, dtype, total, value: f.binary("and", total, value)),
    "any": Fold(lambda dtype: 0, lambda f, dtype, total, value: f.binary("or", total, value)),
}


def _reduced_axes(shape: Shape, params: Params) -> tuple[int, ...]:
    return tuple(axis % len(shape) for axis in params["axes"])


def _plan(x: Shape, params: Params) -> Blocks:
    axes = _reduced_axes(x, params)
    kept = tuple(size for axis, size in enumerate(x) if axis not in axes)
    return blocks(kept, max(1, GRAIN // max(1, math.prod(x[axis] for axis in axes))))


def _tasks(inputs: Types, outputs: Types, params: Params) -> int:
    return _plan(inputs[0].shape, params).tasks


def _reduce(fold: Fold) -> Callable[[Kernel], None]:
    def body(kernel: Kernel) -> None:
        f, x, target = kernel.f, kernel.inputs[0], kernel.outputs[0]
        gone = _reduced_axes(x.shape, kernel.params)
        kept = x.permuted([axis for axis in range(x.ndim) if axis not in gone])
        lost = x.permuted(gone)
        inner = merged(f, in_order_of(axes_of(whole(lost.shape), lost), 0))
        with kernel.each(_plan(x.shape, kernel.params)) as ranges:
            outer = merged(f, in_order_of(axes_of(ranges, kept, target), 0))
            _rows(f, fold, outer, inner, kept, target)

    return body


def _rows(f: Function, fold: Fold, outer: Sequence[Axis], inner: Sequence[Axis], x: Array, target: Array) -> None:
    dtype, lanes = x.dtype, lanes_for(x.dtype)
    elements = [memory_type(dtype)] * 2
    along = bool(inner) and inner[-1].steps[0] == 1 and inner[-1].size >= 2 * lanes

    def one(at: Sequence[Reg]) -> None:
        if along:
            total = _fold_in_vectors(f, fold, dtype, inner, at[0])
        else:
            total = _fold(f, fold, dtype, inner, at[0], _start(fold, dtype, 0))
        store_strided(f, dtype, total, at[1], 0)

    def several(at: Sequence[Reg], last: Axis, index: Reg, count: int) -> None:
        there = moved(f, at, elements, index, last.steps)
        total = _fold(f, fold, dtype, inner, there[0], _start(fold, dtype, count))
        store_strided(f, dtype, total, there[1], last.steps[1])

    if along or not outer or outer[-1].steps[0] != 1:
        walk(f, outer, (x, target), lambda at, _: one(at))
        return
    last = outer[-1]
    walk(
        f,
        outer[:-1],
        (x, target),
        lambda at, _: span(f, last.low, last.high, lanes, lambda index, count: several(at, last, index, count)),
    )


def _start(fold: Fold, dtype: DType, lanes: int) -> Reg:
    return const(vector_of(element_type(dtype), lanes), fold.start(dtype))


def _fold(f: Function, fold: Fold, dtype: DType, axes: Sequence[Axis], at: Reg, total: Reg, stride: int = 1) -> Reg:
    """`total` with all elements that the loops reach, one after the other; each lane has its own.

    stride: of the last loop, which goes from vector to vector where the lanes lie along it.
    """
    if not axes:
        return fold.take(f, dtype, total, load_strided(f, dtype, at, 1, total.lanes))
    axis, rest = axes[0], axes[1:]
    if axis.size == 0:
        return total
    with f.loop(axis.low, axis.high, 1 if rest else stride, (total,)) as loop:
        there = f.at(at, memory_type(dtype), f.times(loop.index, axis.steps[0]))
        loop.carry(_fold(f, fold, dtype, rest, there, loop.carried[0], stride))
    return loop.results[0]


def _fold_in_vectors(f: Function, fold: Fold, dtype: DType, axes: Sequence[Axis], at: Reg) -> Reg:
    """Neighbours along the last loop in vectors, then the lanes of the vector in order, then what is left over."""
    last, lanes = axes[-1], lanes_for(dtype)
    end = last.size // lanes * lanes
    main = [*axes[:-1], Axis(word(0), word(end), end, (1,))]
    vector = _fold(f, fold, dtype, main, at, _start(fold, dtype, lanes), lanes)
    total = f.extract(vector, 0)
    for lane in range(1, lanes):
        total = fold.take(f, dtype, total, f.extract(vector, lane))
    if end == last.size:
        return total
    rest = [*axes[:-1], Axis(word(end), word(last.size), last.size, (1,))]
    return _fold(f, fold, dtype, rest, at, total)


REDUCTIONS = {name: Lowering(_tasks, _reduce(fold)) for name, fold in FOLDS.items()}
