"""Boxes, grids, padding of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from .... import functions as fn
from .... import random
from ..call import Call, axes_of, dtype_of, known, numbers, operator, shape_of
from .elementwise import as_type


@operator("Pad")
def _pad(call: Call, x: Any, pads: Any = None, value: Any = None, axes: Any = None) -> Any:
    rank = len(shape_of(x))
    widths = list(call.get("pads") or call.get("paddings") or ()) if pads is None else numbers(pads, "the pads of Pad")
    places = axes_of(call, axes) or list(range(rank))
    half = len(widths) // 2
    edges = {axis % rank: (widths[n], widths[half + n]) for n, axis in enumerate(places)}
    mode = call.text("mode", "constant")
    if mode != "constant":
        names = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}
        for axis, (low, high) in edges.items():
            cut = np.arange(shape_of(x)[axis])[max(-low, 0) : shape_of(x)[axis] - max(-high, 0)]
            order = np.pad(cut, (max(low, 0), max(high, 0)), names[mode])  # type: ignore[call-overload]
            x = fn.take(x, order, axis=axis)
        return x
    return _filled(call, fn.asarray(x), edges, value)


def _filled(call: Call, x: Any, edges: dict[int, tuple[int, int]], value: Any) -> Any:
    cut = tuple(
        slice(max(-low, 0), size - max(-high, 0))
        for size, (low, high) in ((size, edges.get(axis, (0, 0))) for axis, size in enumerate(shape_of(x)))
    )
    x = x[cut]
    outer = [tuple(max(width, 0) for width in edges.get(axis, (0, 0))) for axis in range(len(shape_of(x)))]
    number = call.get("value", 0.0) if value is None else known(value, "the value of Pad").item()
    kind = dtype_of(x)
    if kind.kind != "b":
        return fn.astype(fn.pad(x, outer, number), kind)
    return fn.pad(fn.astype(x, np.int32), outer, int(number)) != 0


@operator("NonMaxSuppression")
def _non_max_suppression(
    call: Call, boxes: Any, scores: Any, most: Any = None, overlap: Any = None, least: Any = None
) -> Any:
    corners = _corners(known(boxes, "boxes"), call.get("center_point_box", 0))
    marks = known(scores, "scores")
    limit = 0 if most is None else int(np.asarray(known(most, "how many boxes")).item())
    shared = 0.0 if overlap is None else float(np.asarray(known(overlap, "the overlap")).item())
    lowest = -np.inf if least is None else float(np.asarray(known(least, "the least score")).item())
    found = [
        (batch, kind, box)
        for batch in range(marks.shape[0])
        for kind in range(marks.shape[1])
        for box in _kept(corners[batch], marks[batch, kind], limit, shared, lowest)
    ]
    return np.array(found, np.int64).reshape(-1, 3)


def _corners(boxes: Any, by_centre: int) -> Any:
    """(..., 4): the smaller corner, the larger corner."""
    if by_centre:
        centre, size = boxes[..., :2], boxes[..., 2:]
        return np.concatenate([centre - size / 2, centre + size / 2], axis=-1)
    first, second = boxes[..., :2], boxes[..., 2:]
    return np.concatenate([np.minimum(first, second), np.maximum(first, second)], axis=-1)


def _kept(boxes: Any, scores: Any, limit: int, overlap: float, lowest: float) -> list[int]:
    chosen: list[int] = []
    for number in np.argsort(-scores, kind="stable").tolist():
        if len(chosen) >= limit or scores[number] <= lowest:
            break
        if all(_shared(boxes[number], boxes[other]) <= overlap for other in chosen):
            chosen.append(number)
    return chosen


def _shared(one: Any, other: Any) -> float:
    """The area of the intersection over that of the union."""
    sides = np.maximum(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0)
    common = float(np.prod(sides))
    areas = [float(np.prod(box[2:] - box[:2])) for box in (one, other)]
    return common / (sum(areas) - common) if common else 0.0


# -- random numbers


def _dtype(call: Call, like: Any = None) -> Any:
    if call.get("dtype") is not None:
        return as_type(call.get("dtype"))
    return np.dtype(np.float32) if like is None else dtype_of(like)


@operator("RandomUniform", "RandomUniformLike")
def _random_uniform(call: Call, like: Any = None) -> Any:
    shape = tuple(call.get("shape")) if like is None else shape_of(like)
    drawn = random.uniform(shape, low=call.get("low", 0.0), high=call.get("high", 1.0))
    return fn.astype(drawn, _dtype(call, like))


@operator("RandomNormal", "RandomNormalLike")
def _random_normal(call: Call, like: Any = None) -> Any:
    shape = tuple(call.get("shape")) if like is None else shape_of(like)
    drawn = random.normal(shape) * call.get("scale", 1.0) + call.get("mean", 0.0)
    return fn.astype(drawn, _dtype(call, like))


@operator("Bernoulli")
def _bernoulli(call: Call, x: Any) -> Any:
    return fn.astype(random.uniform(shape_of(x)) < x, _dtype(call, x))
