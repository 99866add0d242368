"""Windows that slide over spatial axes: which of their taps meet an element, and which windows meet one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

from ...ir.types import Shape
from ...records import dataclass
from ..text.array import Array, load_strided
from ..text.emit import Function, Reg, is_literal, memory_type, word
from .kernel import Params
from .places import Place

ZERO = word(0)
UNROLLED = 16
"""Windows of at most so many taps have no loop."""

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
        if before == after == 0 or place.inner[axis]:
            found.append(Taps(word(0), word(kernel), first, gap))
            continue
        low = f.maximum(_ceiling(f, f.binary("sub", word(0), first), gap), word(0))
        low = f.minimum(low, word(kernel))
        high = f.minimum(_ceiling(f, f.binary("sub", word(size), first), gap), word(kernel))
        found.append(Taps(low, f.maximum(high, low), first, gap))
    return found


def inner_places(params: Params, sizes: Shape, window: Shape, counts: Shape) -> list[tuple[int, int]]:
    """Along each axis, the places all of whose taps lie in the input."""
    found: list[tuple[int, int]] = []
    for axis, (size, count) in enumerate(zip(sizes, counts)):
        before, stride = params["padding"][axis][0], params["stride"][axis]
        reach = (window[axis] - 1) * params["dilation"][axis]
        low = min(-(-before // stride), count)
        found.append((low, max(low, min((size - 1 + before - reach) // stride + 1, count))))
    return found


def element(f: Function, array: Array, taps: Sequence[Taps], numbers: Sequence[Reg], place: Place) -> Reg:
    """What a tap meets: the element, or as many as the place has lanes."""
    offset = word(0)
    for each, number, stride in zip(taps, numbers, array.strides[2:]):
        offset = f.add(f.times(f.add(each.first, f.times(number, each.step)), stride), offset)
    pointer = f.at(place.source, memory_type(array.dtype), offset)
    return load_strided(f, array.dtype, pointer, place.step, place.lanes)


# -- windows that meet an element of the input


def backward_taps(f: Function, params: Params, window: Shape, counts: Shape, place: Place) -> list[Taps]:
    """Which windows meet an element of the input, in the order of the taps."""
    found: list[Taps] = []
    for axis, count in enumerate(counts):
        kernel, stride, gap = window[axis], params["stride"][axis], params["dilation"][axis]
        shifted = f.add(place.places[axis], params["padding"][axis][0])
        if place.inner[axis] and stride == 1:
            found.append(Taps(word(0), word(kernel), shifted, -gap))
        elif gap == 1:
            found.append(_backward_steps(f, kernel, stride, count, shifted, place.inner[axis]))
        elif stride == 1:
            low = f.maximum(_ceiling(f, f.add(shifted, 1 - count), gap), word(0))
            high = f.minimum(f.add(f.binary("udiv", shifted, word(gap)), 1), word(kernel))
            found.append(Taps(f.minimum(low, high), high, shifted, -gap))
        else:
            found.append(_any_taps(f, kernel, stride, gap, count, shifted))
    return found


def _backward_steps(f: Function, kernel: int, stride: int, count: int, shifted: Reg, inner: bool) -> Taps:
    """Undilated: only every `stride`-th tap meets the element, from the remainder on."""
    last = f.binary("udiv", shifted, word(stride)) if stride > 1 else shifted
    start = f.binary("urem", shifted, word(stride)) if stride > 1 else word(0)
    if inner:
        return Taps(word(0), word(kernel // stride), last, -1, None, start, stride)
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


def inner_elements(params: Params, window: Shape, counts: Shape, sizes: Shape) -> list[tuple[int, int]]:
    """Along each axis, the elements that as many windows meet as can, if that is one number for all of them."""
    found: list[tuple[int, int]] = []
    for axis, (size, count) in enumerate(zip(sizes, counts)):
        before, stride, gap = params["padding"][axis][0], params["stride"][axis], params["dilation"][axis]
        if stride > 1 and (gap > 1 or window[axis] % stride):
            found.append((0, 0))
            continue
        low = max(0, min((window[axis] - stride) * gap - before, size))
        found.append((low, max(low, min(count * stride - before, size))))
    return found
