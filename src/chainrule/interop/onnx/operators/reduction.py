"""Sums, means, extremes, and what runs along an axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .... import functions as fn
from ..call import OPERATORS, Call, axes_of, dtype_of, numbers, operator, shape_of

Reduce = Callable[[Any, tuple[int, ...], bool], Any]


def _extreme(function: Any, lowest: bool) -> Reduce:
    """Of bools too; of nothing it is the end of the element type."""

    def reduce(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
        dtype = dtype_of(x)
        if any(shape_of(x)[axis] == 0 for axis in axes):
            ends: Any = (
                (-np.inf, np.inf)
                if dtype.kind == "f"
                else (False, True)
                if dtype.kind == "b"
                else (np.iinfo(dtype).min, np.iinfo(dtype).max)
            )
            shape = np.sum(np.empty(shape_of(x)), axis=axes, keepdims=keepdims).shape
            return np.full(shape, ends[not lowest], dtype)
        if dtype.kind == "b":
            return fn.astype(function(fn.astype(x, np.int32), axis=axes, keepdims=keepdims), np.bool_)
        return function(x, axis=axes, keepdims=keepdims)

    return reduce


def _sum(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    return fn.astype(fn.sum(x, axis=axes, keepdims=keepdims), dtype_of(x))


def _mean(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    if dtype_of(x).kind == "f":
        return fn.mean(x, axis=axes, keepdims=keepdims)
    return fn.astype(fn.mean(fn.astype(x, np.float64), axis=axes, keepdims=keepdims), dtype_of(x))


def _log_sum_exp(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    if any(shape_of(x)[axis] == 0 for axis in axes):
        return fn.log(_sum(x, axes, keepdims))
    return fn.logsumexp(x, axis=axes, keepdims=keepdims)


REDUCTIONS: dict[str, Reduce] = {
    "ReduceSum": _sum,
    "ReduceMean": _mean,
    "ReduceMax": _extreme(fn.max, True),
    "ReduceMin": _extreme(fn.min, False),
    "ReduceProd": lambda x, axes, keepdims: fn.astype(fn.prod(x, axis=axes, keepdims=keepdims), dtype_of(x)),
    "ReduceL1": lambda x, axes, keepdims: _sum(fn.abs(x), axes, keepdims),
    "ReduceL2": lambda x, axes, keepdims: fn.sqrt(_sum(x * x, axes, keepdims)),
    "ReduceSumSquare": lambda x, axes, keepdims: _sum(x * x, axes, keepdims),
    "ReduceLogSum": lambda x, axes, keepdims: fn.log(_sum(x, axes, keepdims)),
    "ReduceLogSumExp": _log_sum_exp,
}
ONE_BY_ONE: dict[str, Any] = {
    "ReduceL1": fn.abs,
    "ReduceL2": fn.abs,
    "ReduceSumSquare": lambda x: x * x,
    "ReduceLogSum": fn.log,
}
"""What a reduction over no axes does to each element."""


def _reduction(name: str, reduce: Reduce) -> Any:
    def compute(call: Call, x: Any, axes: Any = None) -> Any:
        chosen, rank = axes_of(call, axes), len(shape_of(x))
        if not chosen and call.get("noop_with_empty_axes", 0):
            return ONE_BY_ONE.get(name, lambda x: x)(x)
        places = tuple(axis % rank for axis in chosen) if chosen else tuple(range(rank))
        return reduce(x, places, bool(call.get("keepdims", 1)))

    return compute


OPERATORS.update({name: _reduction(name, reduce) for name, reduce in REDUCTIONS.items()})


def _position(call: Call, x: Any, function: Any) -> Any:
    axis, keepdims = call.get("axis", 0), bool(call.get("keepdims", 1))
    if not call.get("select_last_index", 0):
        return function(x, axis=axis, keepdims=keepdims)
    return shape_of(x)[axis] - 1 - function(fn.flip(x, axis=axis), axis=axis, keepdims=keepdims)


@operator("ArgMax")
def _argmax(call: Call, x: Any) -> Any:
    return _position(call, x, fn.argmax)


@operator("ArgMin")
def _argmin(call: Call, x: Any) -> Any:
    return _position(call, x, fn.argmin)


def _running(call: Call, x: Any, axis: Any, function: Any, start: int) -> Any:
    (place,), kind = numbers(axis, f"the axis of {call.operator}"), dtype_of(x)
    place %= len(shape_of(x))
    if call.get("reverse", 0):
        x = fn.flip(x, axis=place)
    if call.get("exclusive", 0):
        shifted = tuple(slice(0, -1) if axis == place else slice(None) for axis in range(len(shape_of(x))))
        one = (*shape_of(x)[:place], 1, *shape_of(x)[place + 1 :])
        x = fn.concat([fn.full(one, start, kind), fn.asarray(x)[shifted]], axis=place)
    result = fn.astype(function(x, axis=place), kind)
    return fn.flip(result, axis=place) if call.get("reverse", 0) else result


@operator("CumSum")
def _cumulative_sum(call: Call, x: Any, axis: Any) -> Any:
    return _running(call, x, axis, fn.cumulative_sum, 0)


@operator("CumProd")
def _cumulative_prod(call: Call, x: Any, axis: Any) -> Any:
    return _running(call, x, axis, fn.cumulative_prod, 1)


@operator("TopK")
def _top_k(call: Call, x: Any, k: Any = None) -> Any:
    axis = call.get("axis", -1) % len(shape_of(x))
    count = numbers(k, "how many TopK gives")[0] if k is not None else call.get("k")
    first = tuple(slice(0, count) if place == axis else slice(None) for place in range(len(shape_of(x))))
    order = fn.argsort(x, axis=axis, descending=bool(call.get("largest", 1)))[first]
    return fn.take_along_axis(x, order, axis=axis), order
