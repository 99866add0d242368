"""Windows that slide over spatial axes: the places of the output, and which taps of each window meet an element."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..ir.types import Shape
from .array import Array, load_strided
from .emit import Function, Reg, is_literal, memory_type, word
from .lower_kernel import Kernel, Params, lanes_for
from .lower_nest import Axis, Blocks, Range, moved, span, walk

ZERO = word(0)
UNROLLED = 16
"""Windows of at most so many taps have no loop."""

# -- places: the elements of the output


@dataclass(frozen=True, slots=True)
class Place:
    """One element of the output, or `lanes` neighbours. inner: no tap along the last axis falls outside.

    source: the input's first element in this batch and channel. places: the spatial indices. step: from lane to lane.
    along_last: the lanes lie along the last axis.
    """

    source: Reg
    target: Reg
    places: Sequence[Reg]
    lanes: int
    step: int
    inner: bool
    along_last: bool = False


PlaceBody = Callable[[Place], None]


def _vector_axis(source: Array, target: Array, last_step: int) -> int | None:
    """The axis with neighbours in both; last_step: how far the input moves with the last output index."""
    for axis in (1, 0, target.ndim - 1):
        step = source.strides[axis] if axis < 2 else last_step
        if target.shape[axis] >= 4 and target.strides[axis] == 1 and step in ((1,) if axis < 2 else (1, 2)):
            return axis
    return None


def for_places(
    kernel: Kernel, plan: Blocks, last_step: int, inner: tuple[int, int], body: PlaceBody, source: Array, target: Array
) -> None:
    """The body for all places. last_step: 0 forbids vectors along the last axis; inner: the places with all taps."""
    f, lanes, chosen = kernel.f, lanes_for(source.dtype), _vector_axis(source, target, last_step)
    order = sorted(range(target.ndim), key=lambda axis: (axis == chosen, -abs(target.strides[axis])))
    elements = [memory_type(source.dtype), memory_type(target.dtype)]
    every = inner == (0, target.shape[-1])

    with kernel.each(plan) as ranges:
        steps = [(source.strides[axis] if axis < 2 else 0, target.strides[axis]) for axis in range(target.ndim)]
        axes = [Axis(*ranges[axis], target.shape[axis], steps[axis]) for axis in order]

        def spatial(indices: Sequence[Reg]) -> list[Reg]:
            named = dict(zip(order, indices))
            return [named[axis] for axis in range(2, target.ndim)]

        def one(at: Sequence[Reg], indices: Sequence[Reg]) -> None:
            body(Place(at[0], at[1], spatial(indices), 0, 0, every))

        def several(at: Sequence[Reg], indices: Sequence[Reg], last: Axis) -> None:
            def piece(index: Reg, count: int, inside: bool) -> None:
                there = moved(f, at, elements, index, last.steps)
                step = 1 if chosen in (0, 1) else last_step
                body(Place(there[0], there[1], spatial([*indices, index]), count, step, inside, chosen not in (0, 1)))

            if chosen in (0, 1) or every:
                span(f, last.low, last.high, lanes, lambda index, count: piece(index, count, every))
                return
            low, high = clamped(f, inner, (last.low, last.high))
            span(f, last.low, low, 1, lambda index, _: piece(index, 0, False))
            span(f, low, high, lanes, lambda index, count: piece(index, count, True))
            span(f, high, last.high, 1, lambda index, _: piece(index, 0, False))

        if chosen is None:
            walk(f, axes, (source, target), one)
        else:
            walk(f, axes[:-1], (source, target), lambda at, indices: several(at, indices, axes[-1]))


def clamped(f: Function, inner: tuple[int, int], bounds: Range) -> Range:
    """The part of `bounds` within `inner`; an empty one lies at an end of `bounds`."""
    low = f.minimum(f.maximum(word(inner[0]), bounds[0]), bounds[1])
    return low, f.maximum(f.minimum(word(inner[1]), bounds[1]), low)


# -- taps: the elements of a window


@dataclass(frozen=True, slots=True)
class Taps:
    """Along one axis: tap k of low..high-1 meets element first + k * step.

    It is element start + k * jump of the kernel. valid: tells instead whether tap k meets an element, and which.
    """

    low: Reg
    high: Reg
    first: Reg
    step: int
    valid: Callable[[Reg], tuple[Reg, Reg]] | None = None
    start: Reg = ZERO
    jump: int = 1


TapBody = Callable[[Sequence[Reg], Sequence[Reg]], Sequence[Reg]]


def over_taps(f: Function, taps: Sequence[Taps], start: Sequence[Reg], body: TapBody) -> list[Reg]:
    """body(tap numbers, carried) -> carried over all taps, the last axis fastest; unrolled where they are few."""
    known = all(is_literal(each.low) and is_literal(each.high) for each in taps)
    bounds = [(int(each.low.name), int(each.high.name)) for each in taps] if known else []
    carried = list(start)
    if known and math.prod(high - low for low, high in bounds) <= UNROLLED:
        for numbers in itertools.product(*(range(*each) for each in bounds)):
            carried = list(body([word(number) for number in numbers], carried))
        return carried
    return _tap_loops(f, taps, carried, body, ())


def _tap_loops(
    f: Function, taps: Sequence[Taps], carried: Sequence[Reg], body: TapBody, outer: Sequence[Reg]
) -> list[Reg]:
    if not taps:
        return list(body(outer, carried))
    with f.loop(taps[0].low, taps[0].high, 1, carried) as loop:
        loop.carry(*_tap_loops(f, taps[1:], loop.carried, body, (*outer, loop.index)))
    return loop.results


def _ceiling(f: Function, number: Reg, divisor: int) -> Reg:
    """Rounded up if it is positive; else something that is not."""
    above = f.add(number, divisor - 1)
    return above if divisor == 1 else f.binary("sdiv", above, word(divisor))


def forward_taps(f: Function, params: Params, sizes: Shape, window: Shape, place: Place) -> list[Taps]:
    """Which elements of the input the window of a place meets."""
    found: list[Taps] = []
    for axis, size in enumerate(sizes):
        kernel, stride, gap = window[axis], params["stride"][axis], params["dilation"][axis]
        before, after = params["padding"][axis]
        first = f.add(f.times(place.places[axis], stride), -before)
        inside = before == after == 0 or (place.inner and axis == len(sizes) - 1)
        if inside:
            found.append(Taps(word(0), word(kernel), first, gap))
            continue
        low = f.maximum(_ceiling(f, f.binary("sub", word(0), first), gap), word(0))
        low = f.minimum(low, word(kernel))
        high = f.minimum(_ceiling(f, f.binary("sub", word(size), first), gap), word(kernel))
        found.append(Taps(low, f.maximum(high, low), first, gap))
    return found


def inner_places(params: Params, sizes: Shape, window: Shape, counts: Shape) -> tuple[int, int]:
    """The places along the last axis all of whose taps lie in the input."""
    before, stride = params["padding"][-1][0], params["stride"][-1]
    reach = (window[-1] - 1) * params["dilation"][-1]
    low = -(-before // stride)
    high = (sizes[-1] - 1 + before - reach) // stride + 1
    return min(low, counts[-1]), max(min(high, counts[-1]), min(low, counts[-1]))


def element(f: Function, array: Array, taps: Sequence[Taps], numbers: Sequence[Reg], place: Place) -> Reg:
    """What a tap meets: the element, or as many as the place has lanes."""
    offset = word(0)
    for each, number, stride in zip(taps, numbers, array.strides[2:]):
        offset = f.add(f.times(f.add(each.first, f.times(number, each.step)), stride), offset)
    pointer = f.at(place.source, memory_type(array.dtype), offset)
    return load_strided(f, array.dtype, pointer, place.step, place.lanes)


# -- windows that meet an element of the input


def backward_taps(f: Function, params: Params, sizes: Shape, window: Shape, counts: Shape, place: Place) -> list[Taps]:
    """Which windows meet an element of the input, in the order of the taps."""
    found: list[Taps] = []
    for axis, count in enumerate(counts):
        kernel, stride, gap = window[axis], params["stride"][axis], params["dilation"][axis]
        shifted = f.add(place.places[axis], params["padding"][axis][0])
        if place.inner and axis == len(counts) - 1 and stride == 1:
            found.append(Taps(word(0), word(kernel), shifted, -gap))
        elif gap == 1:
            found.append(_backward_steps(f, sizes[axis] + params["padding"][axis][0], kernel, stride, count, shifted))
        elif stride == 1:
            low = f.maximum(_ceiling(f, f.add(shifted, 1 - count), gap), word(0))
            high = f.minimum(f.add(f.binary("udiv", shifted, word(gap)), 1), word(kernel))
            found.append(Taps(f.minimum(low, high), high, shifted, -gap))
        else:
            found.append(_any_taps(f, kernel, stride, gap, count, shifted))
    return found


def _backward_steps(f: Function, reach: int, kernel: int, stride: int, count: int, shifted: Reg) -> Taps:
    """Undilated: only every `stride`-th tap meets the element, from the remainder on."""
    last = f.binary("udiv", shifted, word(stride)) if stride > 1 else shifted
    start = f.binary("urem", shifted, word(stride)) if stride > 1 else word(0)
    if kernel == stride and (reach - 1) // stride < count:
        return Taps(word(0), word(1), last, -1, None, start, stride)
    above = f.binary("sub", word(kernel + stride - 1), start)
    many = f.binary("udiv", above, word(stride)) if kernel % stride else word(kernel // stride)
    high = f.minimum(many, f.add(last, 1))
    low = f.minimum(f.maximum(f.add(last, 1 - count), word(0)), high)
    return Taps(low, high, last, -1, None, start, stride)


def _any_taps(f: Function, kernel: int, stride: int, gap: int, count: int, shifted: Reg) -> Taps:
    """Strided and dilated: all taps are tried."""

    def valid(number: Reg) -> tuple[Reg, Reg]:
        distance = f.binary("sub", shifted, f.times(number, gap))
        place = f.binary("sdiv", distance, word(stride))
        fits = f.compare("icmp eq", f.binary("srem", distance, word(stride)), word(0))
        fits = f.binary("and", fits, f.compare("icmp ult", place, word(count)))
        return f.binary("and", fits, f.compare("icmp sge", distance, word(0))), place

    return Taps(word(0), word(kernel), word(0), 0, valid)


def met(f: Function, taps: Sequence[Taps], numbers: Sequence[Reg]) -> tuple[list[Reg], Reg | None]:
    """The places that taps meet, and whether they all exist (None: yes)."""
    places: list[Reg] = []
    exists: Reg | None = None
    for each, number in zip(taps, numbers):
        if each.valid is None:
            places.append(f.add(each.first, f.times(number, each.step)))
            continue
        fits, place = each.valid(number)
        places.append(f.select(fits, place, word(0)))
        exists = fits if exists is None else f.binary("and", exists, fits)
    return places, exists


def inner_elements(params: Params, window: Shape, counts: Shape, sizes: Shape) -> tuple[int, int]:
    """The elements along the last axis that all taps of stride-1 windows meet."""
    before = params["padding"][-1][0]
    low = max(0, min((window[-1] - 1) * params["dilation"][-1] - before, sizes[-1]))
    return low, max(low, min(counts[-1] - before, sizes[-1]))
