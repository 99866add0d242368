"""Images read between their pixels: GridSample, DeformConv, RoiAlign."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .... import functions as fn
from ..call import Call, dtype_of, known, operator, shape_of
from .windows import with_bias

CUBIC = -0.75


def _pixels(x: Any, places: Sequence[Any], outside: str, borders: Sequence[tuple[float, float]]) -> Any:
    """Elements of x (n, channels, *sizes) at integer places, an array (n, *points) for each axis."""
    sizes = shape_of(x)[2:]
    inside, flat = None, fn.zeros_like(places[0], np.int64)
    for place, size, border in zip(places, sizes, borders):
        if outside == "zeros":
            here = fn.logical_and(place >= 0, place <= size - 1)
            inside = here if inside is None else fn.logical_and(inside, here)
        elif outside == "reflection":
            place = _reflected(place, *border)
        flat = flat * size + fn.astype(fn.clip(place, 0.0, float(size - 1)), np.int64)
    count = math.prod(sizes)
    first = np.arange(shape_of(x)[0]).reshape((-1, *(1,) * (len(shape_of(flat)) - 1))) * count
    rows = fn.reshape(fn.moveaxis(x, 1, -1), (-1, shape_of(x)[1]))
    read = fn.moveaxis(rows[flat + first], -1, 1)  # (n, channels, *points)
    return read if inside is None else fn.where(fn.expand_dims(inside, 1), read, fn.zeros_like(read))


def _reflected(x: Any, low: float, high: float) -> Any:
    span = max(high - low, 1e-9)
    along = fn.remainder(x - low, fn.asarray(np.asarray(2 * span, dtype_of(x))))
    return low + fn.where(along <= span, along, 2 * span - along)


def _linear(part: Any) -> list[tuple[int, Any]]:
    return [(0, 1 - part), (1, part)]


def _cubic(part: Any) -> list[tuple[int, Any]]:
    def near(d: Any) -> Any:
        return ((CUBIC + 2) * d - (CUBIC + 3)) * d * d + 1

    def far(d: Any) -> Any:
        return ((CUBIC * d - 5 * CUBIC) * d + 8 * CUBIC) * d - 4 * CUBIC

    return [(-1, far(part + 1)), (0, near(part)), (1, near(1 - part)), (2, far(2 - part))]


KERNELS: dict[str, Callable[[Any], list[tuple[int, Any]]]] = {"linear": _linear, "cubic": _cubic}


def sampled(x: Any, places: Sequence[Any], mode: str, outside: str, borders: Sequence[tuple[float, float]]) -> Any:
    """x (n, channels, *sizes) at places between its pixels: weights of neighbours along each axis, multiplied."""
    if mode == "nearest":
        return _pixels(x, [fn.round(place) for place in places], outside, borders)
    wholes = [fn.floor(place) for place in places]
    neighbours = [KERNELS[mode](place - whole) for place, whole in zip(places, wholes)]
    total = None
    for chosen in itertools.product(*neighbours):
        weight = math.prod((weight for _, weight in chosen[1:]), start=chosen[0][1])
        spots = [whole + float(step) for whole, (step, _) in zip(wholes, chosen)]
        part = _pixels(x, spots, outside, borders) * fn.expand_dims(weight, 1)
        total = part if total is None else total + part
    return total


@operator("GridSample")
def _grid_sample(call: Call, x: Any, grid: Any) -> Any:
    sizes, corners = shape_of(x)[2:], bool(call.get("align_corners", 0))
    mode = call.text("mode", "linear").removeprefix("bi")
    outside = call.text("padding_mode", "zeros")
    borders = [(0.0, size - 1.0) if corners else (-0.5, size - 0.5) for size in sizes]
    points = fn.asarray(grid)
    places = []
    for axis, (size, border) in enumerate(zip(sizes, borders)):
        g = points[..., len(sizes) - 1 - axis]  # (x, y, z): the last axis first
        place = (g + 1) / 2 * (size - 1) if corners else ((g + 1) * size - 1) / 2
        if outside == "border":
            place = fn.clip(place, 0.0, float(size - 1))
        elif outside == "reflection":
            place = _reflected(place, *border)
        places.append(place)
    return sampled(x, places, mode, outside, borders)


@operator("DeformConv")
def _deform_conv(call: Call, x: Any, weight: Any, offset: Any, bias: Any = None, mask: Any = None) -> Any:
    """A convolution whose taps are each moved by an offset of their own."""
    kernel, (n, channels), counts = shape_of(weight)[2:], shape_of(x)[:2], shape_of(offset)[2:]
    rank, taps = len(kernel), math.prod(kernel)
    strides, gaps = call.get("strides") or [1] * rank, call.get("dilations") or [1] * rank
    pads, parts = call.get("pads") or [0] * 2 * rank, call.get("offset_group", 1)
    moved = fn.reshape(fn.asarray(offset), (n * parts, taps, rank, *counts))
    tap_of, window_of = np.indices(kernel).reshape(rank, taps), np.indices(counts)
    places = []
    for axis in range(rank):
        start = window_of[axis] * strides[axis] - pads[axis]
        base = tap_of[axis].reshape((taps, *(1,) * rank)) * gaps[axis] + start
        places.append(moved[:, :, axis] + base.astype(dtype_of(x)))
    images = fn.reshape(fn.asarray(x), (n * parts, channels // parts, *shape_of(x)[2:]))
    read = sampled(
        images, places, "linear", "zeros", [(0.0, 0.0)] * rank
    )  # (n * parts, channels / parts, taps, *counts)
    if mask is not None:
        read = read * fn.reshape(fn.asarray(mask), (n * parts, 1, taps, *counts))
    groups = call.get("group", 1)
    columns = fn.reshape(read, (n, groups, channels // groups * taps, math.prod(counts)))
    rows = fn.reshape(fn.asarray(weight), (groups, shape_of(weight)[0] // groups, -1))
    return with_bias(fn.reshape(fn.matmul(rows, columns), (n, shape_of(weight)[0], *counts)), bias)


@operator("RoiAlign")
def _roi_align(call: Call, x: Any, rois: Any, numbers: Any) -> Any:
    """Each box cut into (height, width) bins; points in a bin are averaged, or the largest is taken."""
    half = call.text("coordinate_transformation_mode", "half_pixel" if call.opset >= 16 else "output_half_pixel")
    boxes = known(rois, "the boxes of RoiAlign") * call.get("spatial_scale", 1.0) - 0.5 * (half == "half_pixel")
    images = known(numbers, "the images of the boxes")
    found = [_one_box(call, x, box, int(image), half == "half_pixel") for box, image in zip(boxes, images)]
    return fn.stack(found, axis=0)


def _one_box(call: Call, x: Any, box: Any, image: int, half: bool) -> Any:
    height, width = call.get("output_height", 1), call.get("output_width", 1)
    sizes = [box[3] - box[1], box[2] - box[0]]
    sizes = sizes if half else [max(size, 1.0) for size in sizes]
    counts = [call.get("sampling_ratio", 0) or math.ceil(size / n) for size, n in zip(sizes, (height, width))]
    lines = [
        start + (np.arange(n * count) + 0.5) * size / (n * count)
        for start, size, n, count in zip((box[1], box[0]), sizes, (height, width), counts)
    ]
    rows, columns = np.meshgrid(*lines, indexing="ij")
    picture = fn.asarray(x)[image]
    corners = _corners(rows, columns, shape_of(picture)[1:])
    parts = [picture[:, y, x_] * weight.astype(dtype_of(x)) for y, x_, weight in corners]
    shape = (shape_of(picture)[0], height, counts[0], width, counts[1])
    if call.text("mode", "avg") == "max":
        largest = fn.max(fn.stack(parts, axis=0), axis=0)
        return fn.max(fn.reshape(largest, shape), axis=(2, 4))
    return fn.mean(fn.reshape(sum(parts[1:], parts[0]), shape), axis=(2, 4))


def _corners(rows: Any, columns: Any, sizes: tuple[int, ...]) -> list[tuple[Any, Any, Any]]:
    """The four pixels around each point and their weights; points outside have none."""
    outside = (rows < -1) | (rows > sizes[0]) | (columns < -1) | (columns > sizes[1])
    ends = []
    for place, size in ((rows, sizes[0]), (columns, sizes[1])):
        place = np.clip(place, 0, size - 1)
        low = np.floor(place).astype(int)
        ends.append([(low, 1 - (place - low)), (np.minimum(low + 1, size - 1), place - low)])
    return [(y, x, np.where(outside, 0, above * left)) for y, above in ends[0] for x, left in ends[1]]
