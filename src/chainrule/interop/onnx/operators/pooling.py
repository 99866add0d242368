"""Windows reduced to one number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .... import functions as fn
from ....ops.pooling import window_max, window_sum
from ....tensor import wrap
from ..call import Call, dtype_of, numbers, operator, shape_of
from .windows import paddings, values


class _Windows:
    """The windows of a pooling: their parameters, and how far the last one may reach over the edge."""

    def __init__(self, call: Call, x: Any) -> None:
        self.sizes = shape_of(x)[2:]
        rank = len(self.sizes)
        self.kernel = tuple(call.get("kernel_shape"))
        self.strides = tuple(call.get("strides") or [1] * rank)
        self.gaps = tuple(call.get("dilations") or [1] * rank)
        spans = [(width - 1) * gap + 1 for width, gap in zip(self.kernel, self.gaps)]
        self.edges = paddings(call, self.sizes, spans, self.strides)
        self.beyond = [0] * rank
        if call.get("ceil_mode", 0):
            self.beyond = [
                _beyond(size, low, high, span, step)
                for size, (low, high), span, step in zip(self.sizes, self.edges, spans, self.strides)
            ]

    def params(self, edges: Any) -> dict[str, Any]:
        """As the primitives want them."""
        padding = tuple((low, high + more) for (low, high), more in zip(edges, self.beyond))
        return {"window": self.kernel, "stride": self.strides, "padding": padding, "dilation": self.gaps}


def _beyond(size: int, low: int, high: int, span: int, step: int) -> int:
    """What the high edge lacks for one more window; it must begin in the array or before it."""
    room = size + low + high - span
    count = -(-room // step) + 1
    if (count - 1) * step >= size + low:
        count -= 1
    return max(0, (count - 1) * step - room)


def _summed(x: Any, params: dict[str, Any]) -> Any:
    return wrap(window_sum(*values(x), **params))


@operator("MaxPool")
def _max_pool(call: Call, x: Any) -> Any:
    windows, kind = _Windows(call, x), dtype_of(x)
    numbers_in = x if kind.kind == "f" else fn.astype(x, np.float32)
    largest, places = map(wrap, window_max(*values(numbers_in), **windows.params(windows.edges)))
    largest = fn.astype(largest, kind)
    if call.outputs == 1:
        return largest
    plane = math.prod(windows.sizes)
    if call.get("storage_order", 0):
        order = np.arange(plane).reshape(windows.sizes[::-1]).T.ravel()  # the first spatial axis innermost
        places = fn.asarray(order)[places]
    first = np.arange(math.prod(shape_of(x)[:2])).reshape((*shape_of(x)[:2], *(1,) * len(windows.sizes))) * plane
    return largest, fn.astype(places, np.int64) + first


@operator("AveragePool")
def _average_pool(call: Call, x: Any) -> Any:
    windows = _Windows(call, x)
    if call.get("count_include_pad", 0):
        padded = [size + low + high for size, (low, high) in zip(windows.sizes, windows.edges)]
        counted, edges = np.ones((1, 1, *padded), dtype_of(x)), [(0, 0)] * len(padded)
    else:
        counted, edges = np.ones((1, 1, *windows.sizes), dtype_of(x)), windows.edges
    divisor = _summed(counted, windows.params(edges)).numpy()
    return _summed(x, windows.params(windows.edges)) / divisor


@operator("LpPool")
def _lp_pool(call: Call, x: Any) -> Any:
    windows, p = _Windows(call, x), call.get("p", 2)
    return _root(_summed(fn.pow(fn.abs(x), float(p)), windows.params(windows.edges)), p)


def _root(x: Any, p: int) -> Any:
    return fn.sqrt(x) if p == 2 else x if p == 1 else fn.pow(x, 1.0 / p)


def _spatial(x: Any) -> tuple[int, ...]:
    return tuple(range(2, len(shape_of(x))))


@operator("GlobalAveragePool")
def _global_average_pool(call: Call, x: Any) -> Any:
    return fn.mean(x, axis=_spatial(x), keepdims=True)


@operator("GlobalMaxPool")
def _global_max_pool(call: Call, x: Any) -> Any:
    return fn.max(x, axis=_spatial(x), keepdims=True)


@operator("GlobalLpPool")
def _global_lp_pool(call: Call, x: Any) -> Any:
    p = call.get("p", 2)
    return _root(fn.sum(fn.pow(fn.abs(x), float(p)), axis=_spatial(x), keepdims=True), p)


@operator("MaxUnpool")
def _max_unpool(call: Call, x: Any, places: Any, shape: Any = None) -> Any:
    kernel = call.get("kernel_shape")
    strides = call.get("strides") or [1] * len(kernel)
    pads = call.get("pads") or [0] * 2 * len(kernel)
    sizes = [
        (size - 1) * step - low - high + width
        for size, step, low, high, width in zip(
            shape_of(x)[2:], strides, pads[: len(kernel)], pads[len(kernel) :], kernel
        )
    ]
    inner = (*shape_of(x)[:2], *sizes)
    whole = inner if shape is None else tuple(numbers(shape, "the shape of MaxUnpool"))
    spots = fn.astype(fn.reshape(fn.asarray(places), (-1,)), np.int64)
    if whole != inner:  # places count in the smaller array
        spots = _moved(spots, inner, whole)
    flat = fn.scatter_add(fn.zeros(math.prod(whole), dtype_of(x)), spots, fn.reshape(fn.asarray(x), (-1,)))
    return fn.reshape(flat, whole)


def _moved(places: Any, inner: tuple[int, ...], whole: tuple[int, ...]) -> Any:
    target = np.arange(math.prod(whole)).reshape(whole)[tuple(slice(0, size) for size in inner)]
    return fn.asarray(target.reshape(-1))[places]
