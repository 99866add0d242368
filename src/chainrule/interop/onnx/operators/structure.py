"""What moves elements, and what makes arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .... import functions as fn
from ..call import Call, OnnxError, axes_of, dtype_of, known, numbers, operator, shape_of
from ..stored import array_of
from .elementwise import as_type


@operator("Reshape")
def _reshape(call: Call, x: Any, shape: Any = None) -> Any:
    wanted = list(call.get("shape")) if shape is None else numbers(shape, "the shape of Reshape")
    if not call.get("allowzero", 0):
        wanted = [shape_of(x)[axis] if size == 0 else size for axis, size in enumerate(wanted)]
    if -1 in wanted:
        rest = math.prod(size for size in wanted if size != -1)
        wanted[wanted.index(-1)] = math.prod(shape_of(x)) // rest if rest else 0
    return fn.reshape(x, tuple(wanted))


@operator("Transpose")
def _transpose(call: Call, x: Any) -> Any:
    return fn.permute_dims(x, tuple(call.get("perm") or reversed(range(len(shape_of(x))))))


@operator("Concat")
def _concat(call: Call, *inputs: Any) -> Any:
    return fn.concat(inputs, axis=call.get("axis", 1))


@operator("Split")
def _split(call: Call, x: Any, sizes: Any = None) -> Any:
    axis = call.get("axis", 0) % len(shape_of(x))
    length = shape_of(x)[axis]
    parts = call.get("split") if sizes is None else numbers(sizes, "the sizes of Split")
    if parts is None:
        each = -(-length // call.outputs)
        parts = [max(0, min(each, length - each * place)) for place in range(call.outputs)]
    ends = np.cumsum(parts)
    cut = fn.asarray(x)
    return [cut[(slice(None),) * axis + (slice(end - size, end),)] for size, end in zip(parts, ends.tolist())]


@operator("Slice")
def _slice(call: Call, x: Any, starts: Any = None, ends: Any = None, axes: Any = None, steps: Any = None) -> Any:
    if starts is None:
        begins, stops = list(call.get("starts")), list(call.get("ends"))
    else:
        begins, stops = numbers(starts, "the starts of Slice"), numbers(ends, "the ends of Slice")
    places = axes_of(call, axes) or list(range(len(begins)))
    gaps = [1] * len(begins) if steps is None else numbers(steps, "the steps of Slice")
    index = [slice(None)] * len(shape_of(x))
    for axis, begin, stop, gap in zip(places, begins, stops, gaps):
        index[axis] = _bounds(begin, stop, gap, shape_of(x)[axis])
    return fn.asarray(x)[tuple(index)]


def _bounds(begin: int, stop: int, gap: int, size: int) -> slice:
    """A slice of an axis, as Python counts."""
    if gap > 0:
        return slice(begin, stop, gap)
    first = max(min(begin + size if begin < 0 else begin, size - 1), -1)
    last = max(stop + size if stop < 0 else stop, -1)
    return slice(0, 0) if first <= last or first < 0 else slice(first, None if last < 0 else last, gap)


@operator("Squeeze")
def _squeeze(call: Call, x: Any, axes: Any = None) -> Any:
    chosen = axes_of(call, axes)
    if chosen is None:
        chosen = [axis for axis, size in enumerate(shape_of(x)) if size == 1]
    return fn.squeeze(x, tuple(chosen))


@operator("Unsqueeze")
def _unsqueeze(call: Call, x: Any, axes: Any = None) -> Any:
    return fn.expand_dims(x, tuple(axes_of(call, axes) or ()))


@operator("Expand")
def _expand(call: Call, x: Any, shape: Any) -> Any:
    wanted = np.broadcast_shapes(shape_of(x), tuple(numbers(shape, "the shape of Expand")))
    return fn.broadcast_to(x, wanted)


@operator("Tile")
def _tile(call: Call, x: Any, repeats: Any, axis: Any = None) -> Any:
    counts = numbers(repeats, "the repeats of Tile")
    if axis is not None:  # version 1: one axis
        (place,) = numbers(axis, "the axis of Tile")
        counts = [counts[0] if each == place else 1 for each in range(len(shape_of(x)))]
    return fn.tile(x, tuple(counts))


@operator("Flatten")
def _flatten(call: Call, x: Any) -> Any:
    shape, axis = shape_of(x), call.get("axis", 1)
    axis = axis + len(shape) if axis < 0 else axis
    return fn.reshape(x, (math.prod(shape[:axis]), math.prod(shape[axis:])))


@operator("Shape")
def _shape(call: Call, x: Any) -> Any:
    return np.array(shape_of(x)[slice(call.get("start", 0), call.get("end"))], np.int64)


@operator("Size")
def _size(call: Call, x: Any) -> Any:
    return np.array(math.prod(shape_of(x)), np.int64)


@operator("Constant")
def _constant(call: Call) -> Any:
    ((name, value),) = call.attributes.items()
    if name == "value":
        return array_of(value)
    if name in ("value_string", "value_strings", "sparse_value"):
        raise OnnxError("a constant of strings, or a sparse one")
    return np.array(value, np.int64 if "int" in name else np.float32)


@operator("ConstantOfShape")
def _constant_of_shape(call: Call, shape: Any) -> Any:
    value = call.get("value")
    number = np.zeros(1, np.float32) if value is None else array_of(value)
    sizes = numbers(shape, "the shape of ConstantOfShape") if shape_of(shape) != (0,) else []
    return np.full(tuple(sizes), number.reshape(()), number.dtype)


@operator("Range")
def _range(call: Call, start: Any, limit: Any, delta: Any) -> Any:
    first, last, step = (known(each, "the bounds of Range") for each in (start, limit, delta))
    count = max(0, math.ceil((last.item() - first.item()) / step.item()))
    return (first + np.arange(count) * step).astype(first.dtype)


@operator("EyeLike")
def _eye_like(call: Call, x: Any) -> Any:
    dtype = as_type(call.get("dtype")) if call.get("dtype") is not None else dtype_of(x)
    rows, columns = shape_of(x)
    return np.eye(rows, columns, call.get("k", 0), dtype)


@operator("Trilu")
def _trilu(call: Call, x: Any, k: Any = None) -> Any:
    place = 0 if k is None else numbers(k, "the diagonal of Trilu")[0]
    return (fn.triu if call.get("upper", 1) else fn.tril)(x, place)


@operator("DepthToSpace")
def _depth_to_space(call: Call, x: Any) -> Any:
    (n, c, h, w), b = shape_of(x), call.get("blocksize")
    if call.text("mode", "DCR") == "DCR":
        parts, order = (n, b, b, c // b**2, h, w), (0, 3, 4, 1, 5, 2)
    else:
        parts, order = (n, c // b**2, b, b, h, w), (0, 1, 4, 2, 5, 3)
    return fn.reshape(fn.permute_dims(fn.reshape(x, parts), order), (n, c // b**2, h * b, w * b))


@operator("SpaceToDepth")
def _space_to_depth(call: Call, x: Any) -> Any:
    (n, c, h, w), b = shape_of(x), call.get("blocksize")
    order = (0, 3, 5, 1, 2, 4) if call.text("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    parts = fn.permute_dims(fn.reshape(x, (n, c, h // b, b, w // b, b)), order)
    return fn.reshape(parts, (n, c * b * b, h // b, w // b))


@operator("CenterCropPad")
def _center_crop_pad(call: Call, x: Any, shape: Any) -> Any:
    wanted = numbers(shape, "the shape of CenterCropPad")
    for axis, size in zip(axes_of(call, None) or range(len(shape_of(x))), wanted):
        have = shape_of(x)[axis]
        before = abs(have - size) // 2
        axis %= len(shape_of(x))
        if size < have:
            x = fn.asarray(x)[(slice(None),) * axis + (slice(before, before + size),)]
        elif size > have:
            edges = (before, size - have - before)
            x = fn.pad(x, [edges if each == axis else (0, 0) for each in range(len(shape_of(x)))])
    return x


@operator("ReverseSequence")
def _reverse_sequence(call: Call, x: Any, lengths: Any) -> Any:
    time, batch = call.get("time_axis", 0), call.get("batch_axis", 1)
    front = fn.moveaxis(x, (time, batch), (0, 1))  # (time, batch, ...)
    places = np.arange(shape_of(front)[0])[:, None]
    last = fn.reshape(fn.asarray(lengths), (1, -1))
    order = fn.where(places < last, last - 1 - places, places + fn.zeros_like(last))
    order = fn.broadcast_to(fn.reshape(order, (*shape_of(order), *(1,) * (len(shape_of(x)) - 2))), shape_of(front))
    return fn.moveaxis(fn.take_along_axis(front, order, axis=0), (0, 1), (time, batch))
