"""One axis of a convolution: which taps of the kernel meet the input, and which places of the output a tap serves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..text.emit import Function, Reg, word


@dataclass(frozen=True)
class Window:
    """One axis of a convolution: sizes, kernel, stride, zeros before the first element, dilation."""

    size: int
    kernel: int
    count: int
    stride: int
    low: int
    dilation: int


def windows_of(sizes: Sequence[int], kernel: Sequence[int], counts: Sequence[int], params: Any) -> list[Window]:
    return [
        Window(size, taps, count, stride, low, dilation)
        for size, taps, count, stride, (low, _), dilation in zip(
            sizes, kernel, counts, params["stride"], params["padding"], params["dilation"]
        )
    ]


@dataclass(frozen=True)
class Remainder:
    """Places first, first + step, ... of the input along one axis, which meet the taps start, start + step, ...

    window: of these places over the cotangent, with the taps turned round.
    """

    first: int
    step: int
    count: int
    start: int
    window: Window

    @property
    def taps(self) -> int:
        """How many taps they meet."""
        return self.window.kernel


def remainders(window: Window) -> list[Remainder]:
    """i + p = s·o + d·k. For i = first + s·q: k = start + s·j and o = shift + q - d·j; shift = (first + p - start) / s.

    A dilated kernel has stride 1 here.
    """
    found = []
    stride, gap = window.stride, window.dilation
    for first in range(min(stride, window.size)):
        start = (first + window.low) % stride
        taps = max(0, -(-(window.kernel - start) // stride))
        shift = (first + window.low - start) // stride
        count = -(-(window.size - first) // stride)
        # with j turned round, o = shift + q - d·(taps - 1) + d·j': so many zeros stand before the first element
        turned = Window(window.count, taps, count, 1, gap * (taps - 1) - shift, gap)
        found.append(Remainder(first, stride, count, start, turned))
    return found


def taps_inside(f: Function, window: Window, place: Reg) -> tuple[Reg, Reg]:
    """Which taps of the kernel lie inside: 0 <= place·s + k·d - p < size."""
    if always_inside(window):
        return word(0), word(window.kernel)
    start = f.binary("sub nsw", word(window.low), f.times(place, window.stride))  # the first k·d that is inside
    d = window.dilation
    low = f.maximum(_divided(f, f.add(start, d - 1), d), word(0))
    high = f.minimum(_divided(f, f.add(start, window.size + d - 1), d), word(window.kernel))
    return low, f.maximum(high, low)


def _divided(f: Function, value: Reg, by: int) -> Reg:
    """Floor division by a positive number, of what may be negative."""
    if by == 1:
        return value
    shifted = f.add(value, by * 1024)
    return f.add(f.binary("sdiv", shifted, word(by)), -1024)


def always_inside(window: Window) -> bool:
    last = (window.count - 1) * window.stride + (window.kernel - 1) * window.dilation - window.low
    return window.low <= 0 and last < window.size


@contextmanager
def all_places(f: Function, window: Window, cut: bool) -> Iterator[Reg]:
    """A loop over the places along an axis: those where the kernel is cut at an edge, or the others."""
    first, last = uncut(window)
    if not cut:
        with f.loop(first, last) as loop:
            yield loop.index
        return
    with f.loop(0, window.count - (last - first)) as loop:
        beyond = f.compare("icmp sge", loop.index, word(first))
        yield f.add(loop.index, f.select(beyond, word(last - first), word(0)))


def uncut(window: Window) -> tuple[int, int]:
    """The places from which the whole kernel meets the input: first to last - 1."""
    first = min(window.count, max(0, -(-window.low // window.stride)))
    reach = window.size - 1 + window.low - (window.kernel - 1) * window.dilation
    last = min(window.count, reach // window.stride + 1) if reach >= 0 else 0
    return (first, last) if last > first else (window.count, window.count)


def kinds(window: Window) -> list[bool]:
    """Which kinds of places there are: cut, uncut, or both."""
    first, last = uncut(window)
    return [cut for cut, count in ((True, window.count - (last - first)), (False, last - first)) if count]


def panels(height: int, extent: int) -> list[tuple[int, int, int]]:
    """(rows, first panel, last panel): panels of nearly equal height, the higher ones first."""
    panels = -(-extent // height)
    base, extra = divmod(extent, panels)
    return [each for each in ((base + 1, 0, extra), (base, extra, panels)) if each[1] < each[2]]


def first_row(f: Function, panel: Reg, height: int, extent: int) -> Reg:
    """The row at which a panel begins."""
    base, extra = divmod(extent, -(-extent // height))
    return f.add(f.times(panel, base), f.minimum(panel, word(extra)))


def places_inside(f: Function, window: Window, tap: Reg) -> tuple[Reg, Reg]:
    """The output places whose tap lies inside the input: 0 <= o·s + k·d - p < size."""
    s = window.stride
    first = f.binary("sub nsw", word(window.low), f.times(tap, window.dilation))
    low = f.maximum(_divided(f, f.add(first, s - 1), s), word(0))
    high = f.minimum(_divided(f, f.add(first, window.size - 1), s), word(window.count - 1))
    return low, f.add(high, 1)


def span_of(window: Window, tap: int) -> tuple[int, int]:
    """The same for a known tap."""
    first = window.low - tap * window.dilation
    low = max(0, -(-first // window.stride))
    high = min(window.count - 1, (window.size - 1 + first) // window.stride)
    return low, max(high + 1, low)
