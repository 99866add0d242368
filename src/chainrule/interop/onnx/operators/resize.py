"""Resize and Upsample: along each axis a product with a matrix of weights, which is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .... import functions as fn
from ....ir.types import NumpyArray
from ..call import Call, OnnxError, dtype_of, known, operator, shape_of


@dataclass(frozen=True)
class Axis:
    """One axis of an image: its size, the size wanted, the scale, the part of it that is looked at."""

    size: int
    wanted: int
    scale: float
    start: float = 0.0
    end: float = 1.0


def _places(mode: str, axis: Axis) -> NumpyArray:
    """Where each element of the result lies in the original."""
    x, last = np.arange(axis.wanted, dtype=np.float64), axis.size - 1
    length = axis.scale * axis.size  # where a scale is given, not whole
    if mode == "asymmetric":
        return np.asarray(x / axis.scale)
    if mode == "align_corners":
        return x * last / (length - 1) if length != 1 else np.zeros(axis.wanted)
    if mode == "pytorch_half_pixel":
        return (x + 0.5) / axis.scale - 0.5 if axis.wanted > 1 else np.zeros(axis.wanted)
    if mode == "half_pixel_symmetric":
        adjusted = axis.wanted / (axis.scale * axis.size)
        return axis.size / 2 * (1 - adjusted) + (x + 0.5) / axis.scale - 0.5
    if mode == "tf_crop_and_resize":
        if axis.wanted > 1:
            return axis.start * last + x * (axis.end - axis.start) * last / (axis.wanted - 1)
        return np.full(axis.wanted, 0.5 * (axis.start + axis.end) * last)
    return np.asarray((x + 0.5) / axis.scale - 0.5)


NEAREST: dict[str, Callable[[NumpyArray], NumpyArray]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _linear(distance: NumpyArray) -> NumpyArray:
    return np.asarray(np.maximum(0, 1 - np.abs(distance)))


def _cubic(a: float) -> Callable[[NumpyArray], NumpyArray]:
    def weight(distance: NumpyArray) -> NumpyArray:
        d = np.abs(distance)
        near = ((a + 2) * d - (a + 3)) * d * d + 1
        far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
        return np.where(d <= 1, near, np.where(d < 2, far, 0))

    return weight


def _matrix(call: Call, axis: Axis, places: NumpyArray, mode: str) -> NumpyArray:
    """Weights (wanted, size). What lies beyond the edge counts for the element at the edge, or not at all."""
    reach = {"linear": 1, "cubic": 2}[mode]
    kernel = _linear if mode == "linear" else _cubic(call.get("cubic_coeff_a", -0.75))
    widen = max(1.0, 1 / axis.scale) if call.get("antialias", 0) else 1.0
    radius = math.ceil(reach * widen)
    near = np.floor(places)[:, None] + np.arange(-radius, radius + 1)  # (wanted, neighbours)
    weights = kernel((near - places[:, None]) / widen)
    outside = (near < 0) | (near > axis.size - 1)
    if call.get("exclude_outside", 0):
        weights = np.where(outside, 0, weights)
    weights = weights / weights.sum(axis=1, keepdims=True)
    matrix = np.zeros((axis.wanted, axis.size))
    rows = np.broadcast_to(np.arange(axis.wanted)[:, None], near.shape)
    np.add.at(matrix, (rows, np.clip(near, 0, axis.size - 1).astype(int)), weights)
    return matrix


def _resized(call: Call, x: Any, number: int, axis: Axis, mode: str, coordinates: str) -> Any:
    places = _places(coordinates, axis)
    if mode == "nearest":
        chosen = NEAREST[call.text("nearest_mode", "round_prefer_floor")](places)
        return fn.take(x, np.clip(chosen, 0, axis.size - 1).astype(np.int64), axis=number)
    matrix = _matrix(call, axis, places, mode)
    front = fn.moveaxis(fn.asarray(x), number, -1)
    return fn.moveaxis(fn.matmul(front, np.ascontiguousarray(matrix.T).astype(dtype_of(x))), -1, number)


@operator("Resize")
def _resize(call: Call, x: Any, roi: Any = None, scales: Any = None, sizes: Any = None) -> Any:
    if call.opset < 11:  # version 10: (x, scales)
        roi, scales = None, roi
    coordinates = call.text("coordinate_transformation_mode", "half_pixel" if call.opset >= 11 else "asymmetric")
    mode, kind = call.text("mode", "nearest"), dtype_of(x)
    numbers = list(call.get("axes") or range(len(shape_of(x))))
    axes = _axes(call, x, numbers, roi, scales, sizes)
    y = x if kind.kind == "f" or mode == "nearest" else fn.astype(x, np.float32)
    for number, axis in zip(numbers, axes):
        if (axis.size, axis.scale) != (axis.wanted, 1.0) or coordinates == "tf_crop_and_resize":
            y = _resized(call, y, number, axis, mode, coordinates)
    if coordinates == "tf_crop_and_resize":
        y = _outside_filled(call, y, numbers, axes)
    if kind.kind != "f" and mode != "nearest":
        y = fn.clip(fn.round(y), float(np.iinfo(kind).min), float(np.iinfo(kind).max))
    return fn.astype(y, kind)


def _axes(call: Call, x: Any, numbers: list[int], roi: Any, scales: Any, sizes: Any) -> list[Axis]:
    have = [shape_of(x)[number] for number in numbers]
    if scales is not None and np.size(known(scales, "the scales of Resize")):
        factors = [float(each) for each in known(scales, "the scales of Resize")]
        wanted = [math.floor(size * factor) for size, factor in zip(have, factors)]
    elif sizes is not None:
        wanted = [int(each) for each in known(sizes, "the sizes of Resize")]
        factors = [want / size for want, size in zip(wanted, have)]
        policy = call.text("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            factor = min(factors) if policy == "not_larger" else max(factors)
            factors = [factor] * len(have)
            wanted = [math.floor(factor * size + 0.5) for size in have]
    else:
        raise OnnxError("Resize is given neither scales nor sizes")
    box = [0.0] * len(have) + [1.0] * len(have)
    if roi is not None and np.size(known(roi, "the part that Resize looks at")):
        box = [float(each) for each in known(roi, "the part that Resize looks at")]
    return [Axis(*each) for each in zip(have, wanted, factors, box[: len(have)], box[len(have) :])]


def _outside_filled(call: Call, y: Any, numbers: list[int], axes: list[Axis]) -> Any:
    value = np.asarray(call.get("extrapolation_value", 0.0), dtype_of(y))
    for number, axis in zip(numbers, axes):
        places = _places("tf_crop_and_resize", axis)
        inside = (places >= 0) & (places <= axis.size - 1)
        shape = [1] * len(shape_of(y))
        shape[number] = axis.wanted
        y = fn.where(inside.reshape(shape), y, value)
    return y


@operator("Upsample")
def _upsample(call: Call, x: Any, scales: Any = None) -> Any:
    factors = np.asarray(call.get("scales")) if scales is None else scales
    old = Call("Resize", {"mode": call.get("mode", b"nearest"), "nearest_mode": "floor"}, 10, 1, call.training, {})
    return _resize(old, x, factors)
