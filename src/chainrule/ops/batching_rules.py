"""What each primitive that is not elementwise does to a batch: axes move on, examples join rows or channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..ir.build import bind, constant
from ..ir.graph import Value
from ..ir.primitive import Primitive, every
from ..ir.types import Shape, int64
from . import broadcasting, convolution, elementwise, indexing, linear, pooling, reduction, structure, triangle
from .batching import RULES, Flags, Rule, spread_out

# -- structure


def _whole(size: int, values: Sequence[Value], flags: Flags) -> list[Value]:
    return [spread_out(value, flag, size) for value, flag in zip(values, flags)]


def _broadcast_to(size: int, values: Sequence[Value], flags: Flags, params: dict[str, Any]) -> Sequence[Value]:
    (x,), shape = values, params["shape"]
    padded = (size, *[1] * (len(shape) - x.ndim + 1), *x.shape[1:])
    return every(broadcasting.broadcast_to(structure.reshape(x, shape=padded), shape=(size, *shape)))


def _reshape(size: int, values: Sequence[Value], flags: Flags, params: dict[str, Any]) -> Sequence[Value]:
    return every(structure.reshape(values[0], shape=(size, *params["shape"])))


def _permute_dims(size: int, values: Sequence[Value], flags: Flags, params: dict[str, Any]) -> Sequence[Value]:
    return every(structure.permute_dims(values[0], axes=(0, *(axis + 1 for axis in params["axes"]))))


def _slice(size: int, values: Sequence[Value], flags: Flags, params: dict[str, Any]) -> Sequence[Value]:
    ends = {"starts": (0, *params["starts"]), "stops": (size, *params["stops"]), "steps": (1, *params["steps"])}
    return every(structure.slice(values[0], **ends))


def _pad(size: int, values: Sequence[Value], flags: Flags, params: dict[str, Any]) -> Sequence[Value]:
    return every(structure.pad(values[0], **{name: (0, *widths) for name, widths in params.items()}))


def _axis_after(primitive: Primitive) -> Rule:
    """For primitives along one axis or several, which move on by one."""

    def rule(size: int, values: Sequence[Value], flags: Flags, params: dict[str, Any]) -> Sequence[Value]:
        moved = dict(params)
        if "axis" in params:
            moved["axis"] = params["axis"] + 1
        if "axes" in params:
            moved["axes"] = tuple(axis + 1 for axis in params["axes"])
        return every(bind(primitive, *_whole(size, values, flags), **moved))

    return rule


# -- products


def _matmul(size: int, values: Sequence[Value], flags: Flags, params: dict[str, Any]) -> Sequence[Value]:
    a, b = values
    if flags[0] and not flags[1] and b.ndim == 2:  # (size, m, k) @ (k, n): one product of all rows
        rows = structure.reshape(a, shape=(a.shape[0] * a.shape[1], a.shape[2]))
        return every(structure.reshape(linear.matmul(rows, b), shape=(*a.shape[:2], b.shape[1])))
    return every(linear.matmul(*_whole(size, values, flags)))


def _triangle_product(size: int, values: Sequence[Value], flags: Flags, params: dict[str, Any]) -> Sequence[Value]:
    return every(triangle.triangle_product(*_whole(size, values, flags), **params))


def _merged(value: Value) -> Any:
    """(size, n, ...) as (size · n, ...)."""
    return structure.reshape(value, shape=(value.shape[0] * value.shape[1], *value.shape[2:]))


def _parted(value: Value, size: int) -> Any:
    """(size · n, ...) as (size, n, ...)."""
    return structure.reshape(value, shape=(size, value.shape[0] // size, *value.shape[1:]))


def _beside(value: Value) -> Any:
    """(size, batch, channels, ...) as (batch, size · channels, ...): each example a group of channels."""
    moved = structure.permute_dims(value, axes=(1, 0, *range(2, value.ndim)))
    return structure.reshape(moved, shape=(moved.shape[0], moved.shape[1] * moved.shape[2], *moved.shape[3:]))


def _apart(value: Value, size: int) -> Any:
    """(batch, size · channels, ...) as (size, batch, channels, ...)."""
    parts = structure.reshape(value, shape=(value.shape[0], size, value.shape[1] // size, *value.shape[2:]))
    return structure.permute_dims(parts, axes=(1, 0, *range(2, parts.ndim)))


def _by_weight(primitive: Primitive) -> Rule:
    """Convolution, and the gradient of its input: examples join the batch, or become groups where weights differ."""

    def rule(size: int, values: Sequence[Value], flags: Flags, params: dict[str, Any]) -> Sequence[Value]:
        if not flags[1]:
            return (_parted(primitive(_merged(values[0]), values[1], **params), size),)
        x, weight = _whole(size, values, flags)
        grouped = {**params, "groups": params["groups"] * size}
        return (_apart(primitive(_beside(x), _merged(weight), **grouped), size),)

    return rule


def _weight_gradient(size: int, values: Sequence[Value], flags: Flags, params: dict[str, Any]) -> Sequence[Value]:
    x, g = (_beside(each) for each in _whole(size, values, flags))
    grouped = {**params, "groups": params["groups"] * size}
    return (_parted(convolution.convolution_weight_gradient(x, g, **grouped), size),)


def _window(primitive: Primitive) -> Rule:
    """Pooling and its derivatives: examples join the batch."""

    def rule(size: int, values: Sequence[Value], flags: Flags, params: dict[str, Any]) -> Sequence[Value]:
        joined = [_merged(each) for each in _whole(size, values, flags)]
        return [_parted(each, size) for each in every(bind(primitive, *joined, **params))]

    return rule


# -- indices


def _gather(size: int, values: Sequence[Value], flags: Flags, params: dict[str, Any]) -> Sequence[Value]:
    x, indices = values
    if not flags[0]:
        return every(indexing.gather(x, indices))
    return every(indexing.gather(_merged(x), _rows_of(size, indices, flags[1], x.shape[1])))


def _scatter_add(size: int, values: Sequence[Value], flags: Flags, params: dict[str, Any]) -> Sequence[Value]:
    x, indices, updates = values
    x, updates = spread_out(x, flags[0], size), spread_out(updates, flags[2], size)
    flat = indexing.scatter_add(_merged(x), _rows_of(size, indices, flags[1], x.shape[1]), updates)
    return (_parted(flat, size),)


def _rows_of(size: int, indices: Value, flag: bool, rows: int) -> Value:
    """Indices into (size, rows, ...) taken as (size · rows, ...); what lies outside its example stays outside."""
    own = elementwise.cast(spread_out(indices, flag, size), dtype=int64)
    shape: Shape = own.shape
    first = np.arange(size).reshape(size, *[1] * (len(shape) - 1)) * rows
    outside = elementwise.bitwise_or(
        elementwise.less(own, _number(0, shape)), elementwise.greater_equal(own, _number(rows, shape))
    )
    moved = elementwise.add(own, constant(np.broadcast_to(first, shape)))
    result: Value = elementwise.where(outside, _number(-1, shape), moved)
    return result


def _number(number: int, shape: Shape) -> Value:
    return constant(np.broadcast_to(np.int64(number), shape))


_AXES = (
    *(structure.concat, structure.flip, broadcasting.sum, reduction.max, reduction.min, reduction.all, reduction.any),
    *(reduction.argmax, reduction.argmin, reduction.argsort, reduction.cumulative_sum, reduction.softmax),
)
_WINDOWS = (
    *(pooling.window_max, pooling.window_scatter, pooling.window_pick),
    *(pooling.window_sum, pooling.window_spread),
)
RULES.update(
    {
        "broadcast_to": _broadcast_to,
        "reshape": _reshape,
        "permute_dims": _permute_dims,
        "slice": _slice,
        "pad": _pad,
        "matmul": _matmul,
        "triangle_product": _triangle_product,
        "gather": _gather,
        "scatter_add": _scatter_add,
        "convolution": _by_weight(convolution.convolution),
        "convolution_input_gradient": _by_weight(convolution.convolution_input_gradient),
        "convolution_weight_gradient": _weight_gradient,
        **{each.name: _axis_after(each) for each in _AXES},
        **{each.name: _window(each) for each in _WINDOWS},
    }
)
