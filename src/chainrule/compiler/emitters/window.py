"""Pooling windows: where the largest is, sums, and their spreading back. In vectors along whichever axis allows it.

Both arrays may have their neighbours along the batch, the channels or the last spatial axis; otherwise one by one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...ir.types import Shape
from ..text.array import Array, load_strided, store_strided
from ..text.emit import Function, Reg, const, is_literal, memory_type, vector_of, word
from .along import wins
from .kernel import Kernel, Lowering, Params, Types
from .nest import GRAIN, Blocks, blocks
from .places import Place, PlaceBody, for_places
from .taps import (
    Taps,
    backward_taps,
    element,
    forward_taps,
    inner_elements,
    inner_places,
    met,
    over_taps,
)

NEIGHBOURS = 16
"""Examples and channels that one task has at least: with one of them innermost, a line of cache."""
ROW = 64
"""Places along the last axis that one task has at least."""

# -- window_max, window_sum


def _window_tasks(inputs: Types, outputs: Types, params: Params) -> int:
    return _window_blocks(outputs[0].shape, params).tasks


def _window_blocks(shape: Shape, params: Params) -> Blocks:
    least = (NEIGHBOURS, NEIGHBOURS, *[1] * (len(shape) - 3), ROW)
    return blocks(shape, max(1, GRAIN // math.prod(params["window"])), least=least)


def _for_windows(kernel: Kernel, body: PlaceBody) -> None:
    x, y, params = kernel.inputs[0], kernel.outputs[0], kernel.params
    inner = inner_places(params, x.shape[2:], params["window"], y.shape[2:])
    last_step = x.strides[-1] * params["stride"][-1]
    for_places(kernel, _window_blocks(y.shape, params), x, y, last_step, inner, body)


def _window_sum(kernel: Kernel) -> None:
    f, x, params = kernel.f, kernel.inputs[0], kernel.params

    def one(place: Place) -> None:
        taps = forward_taps(f, params, x.shape[2:], params["window"], place)

        def step(numbers: Sequence[Reg], carried: Sequence[Reg]) -> Sequence[Reg]:
            return [f.binary("fadd", carried[0], element(f, x, taps, numbers, place))]

        zero = const(vector_of(memory_type(x.dtype), place.lanes), 0.0)
        (total,) = over_taps(f, taps, [zero], step)
        store_strided(f, x.dtype, total, place.target, 1)

    _for_windows(kernel, one)


def _window_max(kernel: Kernel) -> None:
    f, x, (y, positions) = kernel.f, kernel.inputs[0], kernel.outputs

    def one(place: Place) -> None:
        best, found = _largest(f, x, kernel.params, place)
        store_strided(f, y.dtype, best, place.target, 1)
        store_strided(f, positions.dtype, found, _beside(f, place.target, y, positions), 1)

    _for_windows(kernel, one)


def _beside(f: Function, here: Reg, array: Array, other: Array) -> Reg:
    """The element of `other` at the place where `here` points into `array`; both lie alike."""
    first, second = (f.emit("i64", f"ptrtoint {pointer} to i64") for pointer in (array.pointer, here))
    elements = f.binary("sdiv exact", f.binary("sub", second, first), word(array.dtype.itemsize))
    return f.at(other.pointer, memory_type(other.dtype), elements)


def _largest(f: Function, x: Array, params: Params, place: Place) -> tuple[Reg, Reg]:
    """The largest, and its flat position in the plane; -1 where the window meets nothing but padding."""
    counter = "i32"
    taps = forward_taps(f, params, x.shape[2:], params["window"], place)
    positions = vector_of(counter, place.lanes)

    def step(numbers: Sequence[Reg], carried: Sequence[Reg]) -> Sequence[Reg]:
        best, found = carried
        candidate = element(f, x, taps, numbers, place)
        here = _positions(f, x.shape[2:], taps, numbers, place, counter, params)
        if is_literal(found) and found == const(positions, -1):
            return candidate, here
        better = wins(f, x.dtype, candidate, best, True)
        if not is_literal(found):
            better = f.binary("or", better, f.compare("icmp slt", found, const(positions, 0)))
        return f.select(better, candidate, best), f.select(better, here, found)

    lowest = const(vector_of(memory_type(x.dtype), place.lanes), -math.inf)
    best, where = over_taps(f, taps, [lowest, const(positions, -1)], step)
    return best, where


def _positions(
    f: Function, sizes: Shape, taps: Sequence[Taps], numbers: Sequence[Reg], place: Place, counter: str, params: Params
) -> Reg:
    flat = word(0)
    for size, each, number in zip(sizes, taps, numbers):
        flat = f.add(f.times(flat, size), f.add(each.first, f.times(number, each.step)))
    if counter == "i32":
        flat = Reg("i32", flat.name) if is_literal(flat) else f.convert("trunc", flat, "i32")
    same = f.splat(flat, place.lanes)
    if not place.lanes or not place.along_last:
        return same
    stride = params["stride"][-1]
    lanes = ", ".join(f"{counter} {lane * stride}" for lane in range(place.lanes))
    return f.binary("add", same, Reg(same.type, f"<{lanes}>"))


# -- window_spread


def _window_spread(kernel: Kernel) -> None:
    f, g, x, params = kernel.f, kernel.inputs[0], kernel.outputs[0], kernel.params
    sizes, counts, window = x.shape[2:], g.shape[2:], params["window"]

    def one(place: Place) -> None:
        taps = backward_taps(f, params, window, counts, place)
        zero = const(vector_of(memory_type(x.dtype), place.lanes), 0.0)

        def step(numbers: Sequence[Reg], carried: Sequence[Reg]) -> Sequence[Reg]:
            places, exists = met(f, taps, numbers)
            offset = word(0)
            for index, stride in zip(places, g.strides[2:]):
                offset = f.add(f.times(index, stride), offset)
            value = load_strided(f, g.dtype, f.at(place.source, memory_type(g.dtype), offset), place.step, place.lanes)
            value = value if exists is None else f.select(exists, value, zero)
            return [f.binary("fadd", carried[0], value)]

        (total,) = over_taps(f, taps, [zero], step)
        store_strided(f, x.dtype, total, place.target, 1)

    last_step = g.strides[-1] if params["stride"][-1] == 1 else 0
    inner = inner_elements(params, window, counts, sizes)
    for_places(kernel, _window_blocks(x.shape, params), g, x, last_step, inner, one)


# -- window_scatter, window_pick


def _window_scatter(kernel: Kernel) -> None:
    """Each element takes up what the windows that meet it found there. Both inputs lie alike."""
    f, (g, positions), x, params = kernel.f, kernel.inputs, kernel.outputs[0], kernel.params
    sizes, counts, window = x.shape[2:], g.shape[2:], params["window"]

    def one(place: Place) -> None:
        taps = backward_taps(f, params, window, counts, place)
        zero = const(vector_of(memory_type(x.dtype), place.lanes), 0.0)
        here = _flat(f, sizes, place.places)
        mine = _lane_positions(f, here, place, 1)

        def step(numbers: Sequence[Reg], carried: Sequence[Reg]) -> Sequence[Reg]:
            places, exists = met(f, taps, numbers)
            offset = word(0)
            for index, stride in zip(places, g.strides[2:]):
                offset = f.add(f.times(index, stride), offset)
            source = f.at(place.source, memory_type(g.dtype), offset)
            value = load_strided(f, g.dtype, source, place.step, place.lanes)
            where = load_strided(f, positions.dtype, _beside(f, source, g, positions), place.step, place.lanes)
            mask = f.compare("icmp eq", where, mine)
            mask = mask if exists is None else f.binary("and", mask, exists)
            return [f.binary("fadd", carried[0], f.select(mask, value, zero))]

        (total,) = over_taps(f, taps, [zero], step)
        store_strided(f, x.dtype, total, place.target, 1)

    last_step = g.strides[-1] if params["stride"][-1] == 1 else 0
    inner = inner_elements(params, window, counts, sizes)
    for_places(kernel, _window_blocks(x.shape, params), g, x, last_step, inner, one)


def _flat(f: Function, sizes: Shape, places: Sequence[Reg]) -> Reg:
    flat = word(0)
    for size, index in zip(sizes, places):
        flat = f.add(f.times(flat, size), index)
    return flat


def _lane_positions(f: Function, flat: Reg, place: Place, stride: int) -> Reg:
    narrow = Reg("i32", flat.name) if is_literal(flat) else f.convert("trunc", flat, "i32")
    same = f.splat(narrow, place.lanes)
    if not place.lanes or not place.along_last:
        return same
    lanes = ", ".join(f"i32 {lane * stride}" for lane in range(place.lanes))
    return f.binary("add", same, Reg(same.type, f"<{lanes}>"))


def _window_pick(kernel: Kernel) -> None:
    """The element at the position that each window is given. Positions and output lie alike."""
    f, (x, positions), y, params = kernel.f, kernel.inputs, kernel.outputs[0], kernel.params

    def one(place: Place) -> None:
        taps = forward_taps(f, params, x.shape[2:], params["window"], place)
        zero = const(vector_of(memory_type(x.dtype), place.lanes), 0.0)
        wanted = load_strided(f, positions.dtype, _beside(f, place.target, y, positions), 1, place.lanes)

        def step(numbers: Sequence[Reg], carried: Sequence[Reg]) -> Sequence[Reg]:
            mine = _positions(f, x.shape[2:], taps, numbers, place, "i32", params)
            return [f.select(f.compare("icmp eq", wanted, mine), element(f, x, taps, numbers, place), carried[0])]

        (found,) = over_taps(f, taps, [zero], step)
        store_strided(f, y.dtype, found, place.target, 1)

    _for_windows(kernel, one)


WINDOWS = {
    "window_max": Lowering(_window_tasks, _window_max),
    "window_scatter": Lowering(_window_tasks, _window_scatter),
    "window_pick": Lowering(_window_tasks, _window_pick),
    "window_sum": Lowering(_window_tasks, _window_sum),
    "window_spread": Lowering(_window_tasks, _window_spread),
}
