"""Convolutions over two spatial axes as tiles that run over the windows: no windows are copied out, no halo multiplied.

Two ways, by the batch. Many examples: they are the lanes of the vectors and lie innermost (height, width, channels,
batch); weights are broadcast; windows that reach over the edge are cut. Few examples: output channels are the lanes
(batch, height, width, channels), and the input is padded with zeros first.

The gradient of the input is a convolution of the cotangent with the weights turned round: for stride s, one for each
of the s · s sets of places that meet the same part of the kernel. The gradient of the weights sums over places.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..ir.graph import Equation
from ..ir.types import ArrayType
from .emit import Function, Reg, bytes_of, const, element_type, vector_of, word
from .place import Buffer, Kind, Place, dense
from .program import Pointer
from .tile import Shape, Sum, accumulate, best_tile, horizontal, store_rows, zeros

if TYPE_CHECKING:
    from .units import Lowering

BATCH_INNERMOST = (2, 3, 1, 0)
CHANNELS_INNERMOST = (0, 2, 3, 1)
FUSED_MULTIPLY = 1 / 50


@dataclass(frozen=True)
class Window:
    """One axis of a convolution: sizes, kernel, stride, zeros before the first element, dilation."""

    size: int
    kernel: int
    count: int
    stride: int
    low: int
    dilation: int


def lower_convolution(lowering: Lowering, equation: Equation) -> bool:
    """Lower a convolution primitive of two spatial axes and one group; False where this is none."""
    name, params = equation.primitive.name, equation.params
    if not name.startswith("convolution") or params["groups"] != 1 or equation.inputs[0].ndim != 4:
        return False
    if any(value.size == 0 for value in equation.inputs):
        return False
    if name != "convolution" and params["dilation"] != (1, 1):
        return False
    makers = {
        "convolution": _forward,
        "convolution_input_gradient": _input_gradient,
        "convolution_weight_gradient": _weight_gradient,
    }
    makers[name](lowering, equation)
    return True


def _uses_batch(lowering: Lowering, batch: int, dtype: Any) -> bool:
    return batch >= lowering.target.lanes(dtype.itemsize)


def _windows(sizes: Sequence[int], kernel: Sequence[int], counts: Sequence[int], params: Any) -> list[Window]:
    return [
        Window(size, taps, count, stride, low, dilation)
        for size, taps, count, stride, (low, _), dilation in zip(
            sizes, kernel, counts, params["stride"], params["padding"], params["dilation"]
        )
    ]


def laid_out(lowering: Lowering, place: Place, order: tuple[int, ...]) -> Place:
    """A place with its axes in `order`; a copy is made once and shared by all who ask."""
    wanted = dense(place.shape, order)
    if all(have == want or size == 1 for have, want, size in zip(place.strides, wanted, place.shape)):
        return replace(place, strides=wanted)
    key = (place.buffer.number, place.offset, place.shape, place.strides, order)
    known = lowering.relaid.get(key)
    if known is None:
        known = lowering.relaid[key] = lowering.copied(place, order)
    return known


# -- the three primitives


def _forward(lowering: Lowering, equation: Equation) -> None:
    x, weight = (lowering.place_of(value) for value in equation.inputs)
    y = equation.outputs[0]
    rows, columns = _windows(x.shape[2:], weight.shape[2:], y.shape[2:], equation.params)
    batch = _uses_batch(lowering, x.shape[0], x.dtype)
    order = BATCH_INNERMOST if batch else CHANNELS_INNERMOST
    source = laid_out(lowering, x, order)
    target = lowering.allocate(y, order)
    if not _lies(target, order):
        target = lowering.temporary(y.type, order)
    _convolve(lowering, source, weight, target, rows, columns, batch, _label(equation))
    if target is not lowering.places[id(y)]:
        lowering.copy(target, lowering.places[id(y)])


def _lies(place: Place, order: tuple[int, ...]) -> bool:
    wanted = dense(place.shape, order)
    return all(have == want or size == 1 for have, want, size in zip(place.strides, wanted, place.shape))


def _label(equation: Equation) -> str:
    x, y = equation.inputs[0], equation.outputs[0]
    name = equation.primitive.name
    return f"{name} {'x'.join(map(str, x.shape))} to {'x'.join(map(str, y.shape))}"


def _input_gradient(lowering: Lowering, equation: Equation) -> None:
    """dx(i) = Σ w(k) g(o) over o·s + k = i + p: for the places i of one remainder, a convolution with stride 1."""
    g, weight = (lowering.place_of(value) for value in equation.inputs)
    x = equation.outputs[0]
    batch = _uses_batch(lowering, g.shape[0], g.dtype)
    order = BATCH_INNERMOST if batch else CHANNELS_INNERMOST
    source = laid_out(lowering, g, order)
    place = lowering.allocate(x, order)
    target = place if _lies(place, order) else lowering.temporary(x.type, order)
    turned = replace(weight, shape=_swap(weight.shape), strides=_swap(weight.strides))
    params = equation.params
    parts = [
        _remainders(x.shape[axis], g.shape[axis], weight.shape[axis], params["stride"][axis - 2], params["padding"][axis - 2][0])
        for axis in (2, 3)
    ]
    for vertical in parts[0]:
        for across in parts[1]:
            piece = _every(target, vertical.first, across.first, vertical.step, across.step, (vertical.count, across.count))
            if not vertical.taps or not across.taps:
                _clear(lowering, piece)
                continue
            taps = _taps(turned, vertical, across)
            windows = [Window(each.size, each.taps, each.count, 1, each.low, 1) for each in (vertical, across)]
            _convolve(lowering, source, taps, piece, windows[0], windows[1], batch, _label(equation))
    if target is not place:
        lowering.copy(target, place)


def _swap(listed: tuple[int, ...]) -> tuple[int, ...]:
    return (listed[1], listed[0], *listed[2:])


@dataclass(frozen=True)
class Remainder:
    """Places first, first + step, ... of the input along one axis, which meet the taps start, start + step, ..."""

    first: int
    step: int
    count: int
    start: int
    taps: int
    size: int
    low: int


def _remainders(size: int, outputs: int, kernel: int, stride: int, padding: int) -> list[Remainder]:
    """i + p = s·o + k. For i = first + s·q: k = start + s·j and o = shift + q - j, where shift = (first + p - start) / s."""
    found = []
    for first in range(min(stride, size)):
        start = (first + padding) % stride
        taps = max(0, -(-(kernel - start) // stride))
        shift = (first + padding - start) // stride
        count = -(-(size - first) // stride)
        # with j turned round, o = shift + q - (taps - 1) + j', so taps - 1 - shift zeros stand before the first element
        found.append(Remainder(first, stride, count, start, taps, outputs, taps - 1 - shift))
    return found


def _every(place: Place, y: int, x: int, step_y: int, step_x: int, counts: tuple[int, int]) -> Place:
    strides = place.strides
    return replace(
        place,
        shape=(*place.shape[:2], *counts),
        strides=(*strides[:2], strides[2] * step_y, strides[3] * step_x),
        offset=place.offset + y * strides[2] + x * strides[3],
    )


def _taps(weight: Place, vertical: Remainder, across: Remainder) -> Place:
    """Every step-th tap from start on, turned round."""
    s2, s3 = weight.strides[2:]
    last_y = vertical.start + (vertical.taps - 1) * vertical.step
    last_x = across.start + (across.taps - 1) * across.step
    return replace(
        weight,
        shape=(*weight.shape[:2], vertical.taps, across.taps),
        strides=(*weight.strides[:2], -s2 * vertical.step, -s3 * across.step),
        offset=weight.offset + last_y * s2 + last_x * s3,
    )


def _clear(lowering: Lowering, place: Place) -> None:
    import numpy as np

    zero = Buffer(place.dtype, 1, Kind.CONSTANT, data=np.zeros(1, place.dtype))
    lowering.constants.append(zero)
    lowering.copy(Place(zero, place.dtype, place.shape, (0,) * len(place.shape)), place)


def _convolve(
    lowering: Lowering, x: Place, weight: Place, y: Place, rows: Window, columns: Window, batch: bool, label: str
) -> None:
    """y(n, o, i, j) = Σ w(o, c, k, l) x(n, c, i·s + k·d - p, j·s + l·d - p)."""
    packed = lowering.copied(weight, (2, 3, 1, 0))  # (kernel, kernel, channels, out)
    if not batch:
        x, rows, columns = _padded(lowering, x, rows, columns)
    kernel = (_Batch if batch else _Channels)(lowering, x, packed, y, rows, columns)
    pointers = [_pointer(place) for place in (packed, x, y)]
    flops = 2.0 * math.prod(y.shape) * math.prod(weight.shape[1:])
    lowering.call(kernel.write, pointers, kernel.tasks, flops * FUSED_MULTIPLY, [y.buffer], label)


def _padded(lowering: Lowering, x: Place, rows: Window, columns: Window) -> tuple[Place, Window, Window]:
    """The input with zeros around, as much as windows reach over its edges; its layout stays."""
    lows, highs = [0, 0], [0, 0]
    for axis, window in enumerate((rows, columns)):
        reach = (window.count - 1) * window.stride + (window.kernel - 1) * window.dilation + 1 - window.low
        lows[axis], highs[axis] = max(0, window.low), max(0, reach - window.size)
    moved = [replace(w, size=w.size + low + high, low=w.low - low) for w, low, high in zip((rows, columns), lows, highs)]
    if not any((*lows, *highs)):
        return x, rows, columns
    shape = (*x.shape[:2], moved[0].size, moved[1].size)
    target = lowering.temporary(ArrayType(shape, x.dtype), CHANNELS_INNERMOST)
    params = {"low": (0, 0, *lows), "high": (0, 0, *highs), "interior": (0, 0, 0, 0)}
    lowering.opaque("pad", [x], [target], params, "pad", "")
    return target, moved[0], moved[1]


def _pointer(place: Place) -> Pointer:
    return Pointer(place.buffer, place.offset * place.dtype.itemsize)


class _Way:
    """What both ways share."""

    def __init__(self, lowering: Lowering, x: Place, packed: Place, y: Place, rows: Window, columns: Window) -> None:
        self.x, self.packed, self.y, self.rows, self.columns = x, packed, y, rows, columns
        self.element = element_type(x.dtype)
        self.channels, self.out = x.shape[1], y.shape[1]
        self.target = lowering.target

    def _row_range(self, f: Function, row: Reg) -> tuple[Reg, Reg]:
        return _inside(f, self.rows, row)


def _inside(f: Function, window: Window, place: Reg) -> tuple[Reg, Reg]:
    """Which taps of the kernel lie inside: 0 <= place·s + k·d - p < size."""
    if _always_inside(window):
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


def _always_inside(window: Window) -> bool:
    last = (window.count - 1) * window.stride + (window.kernel - 1) * window.dilation - window.low
    return window.low <= 0 and last < window.size


class _Batch(_Way):
    """Lanes are examples; rows of the tile are output channels. One task is one row of places."""

    @property
    def tasks(self) -> int:
        """One for each row of the output."""
        return self.rows.count

    def write(self, f: Function, pointers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        """The kernel's body."""
        batch = self.y.shape[0]
        height, lanes = best_tile(self.target, bytes_of(self.element), self.out, batch)
        panels = -(-self.out // height)
        self.base, self.extra = divmod(self.out, panels)
        self.panels = panels
        with f.loop(begin, end) as loop:
            taps = self._row_range(f, loop.index)
            whole = batch // lanes * lanes
            if whole:
                with f.loop(0, whole, lanes) as across:
                    self._places(f, pointers, loop.index, taps, across.index, lanes)
            if batch > whole:
                self._places(f, pointers, loop.index, taps, word(whole), batch - whole)

    def _places(self, f: Function, pointers: Sequence[Reg], row: Reg, taps: tuple[Reg, Reg], lane: Reg, lanes: int) -> None:
        """All places of one row: those near the edges, where the kernel is cut, and those between."""
        window = self.columns
        first = max(0, -(-window.low // window.stride))
        reach = window.size - 1 + window.low - (window.kernel - 1) * window.dilation
        last = min(window.count, reach // window.stride + 1) if reach >= 0 else 0
        first, last = (min(first, window.count), max(last, 0))
        if last <= first:
            first = last = window.count
        for start, stop, cut in ((0, first, True), (first, last, False), (last, window.count, True)):
            if start < stop:
                with f.loop(start, stop) as loop:
                    self._place(f, pointers, row, taps, loop.index, lane, lanes, cut)

    def _place(
        self, f: Function, pointers: Sequence[Reg], row: Reg, taps: tuple[Reg, Reg], column: Reg, lane: Reg, lanes: int, cut: bool
    ) -> None:
        weight, x, y = pointers
        b = self._at(f, x, f.add(self._input_offset(f, row, self.rows, 2), f.add(self._input_offset(f, column, self.columns, 3), lane)))
        c = self._at(f, y, f.add(f.times(row, self.y.strides[2]), f.add(f.times(column, self.y.strides[3]), lane)))
        across = _inside(f, self.columns, column) if cut else (word(0), word(self.columns.kernel))
        for rows, start, stop in ((self.base + 1, 0, self.extra), (self.base, self.extra, self.panels)):
            if start == stop:
                continue
            with f.loop(start, stop) as loop:
                offset = f.add(f.times(loop.index, self.base), f.minimum(loop.index, word(self.extra)))
                shape = Shape(rows, lanes, 1, self.element)
                totals = accumulate(f, shape, self._at(f, weight, offset), b, self._sums(taps, across, cut), zeros(shape))
                store_rows(f, shape, self._at(f, c, f.times(offset, self.y.strides[1])), self.y.strides[1], totals)

    def _input_offset(self, f: Function, place: Reg, window: Window, axis: int) -> Reg:
        stride = self.x.strides[axis]
        return f.add(f.times(place, window.stride * stride), -window.low * stride)

    def _at(self, f: Function, pointer: Reg, offset: Reg) -> Reg:
        return f.at(pointer, self.element, offset)

    def _sums(self, taps: tuple[Reg, Reg], across: tuple[Reg, Reg], cut: bool) -> list[Sum]:
        x, channels, out = self.x.strides, self.channels, self.out
        vertical = Sum(*taps, self.columns.kernel * channels * out, self.rows.dilation * x[2])
        if not cut and (self.columns.dilation == 1 or self.columns.kernel == 1) and x[3] == channels * x[1]:
            return [vertical, Sum(0, self.columns.kernel * channels, out, x[1])]
        return [vertical, Sum(*across, channels * out, self.columns.dilation * x[3]), Sum(0, channels, out, x[1])]


class _Channels(_Way):
    """Lanes are output channels; rows of the tile are places of one row. One task is one row of one example."""

    @property
    def tasks(self) -> int:
        """One for each row of each example."""
        return self.y.shape[0] * self.rows.count

    def write(self, f: Function, pointers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        """The kernel's body."""
        weight, x, y = pointers
        height, lanes = best_tile(self.target, bytes_of(self.element), self.columns.count, self.out)
        panels = -(-self.columns.count // height)
        base, extra = divmod(self.columns.count, panels)
        with f.loop(begin, end) as loop:
            example, row = loop.index, word(0)
            if self.rows.count > 1:
                example, row = f.binary("udiv", loop.index, word(self.rows.count)), f.binary("urem", loop.index, word(self.rows.count))
            a = self._at(f, x, f.add(f.times(example, self.x.strides[0]), f.times(row, self.rows.stride * self.x.strides[2])))
            a = f.at(a, self.element, -self.rows.low * self.x.strides[2] - self.columns.low * self.x.strides[3])
            c = self._at(f, y, f.add(f.times(example, self.y.strides[0]), f.times(row, self.y.strides[2])))
            for rows, start, stop in ((base + 1, 0, extra), (base, extra, panels)):
                if start == stop:
                    continue
                with f.loop(start, stop) as panel:
                    offset = f.add(f.times(panel.index, base), f.minimum(panel.index, word(extra)))
                    here = self._at(f, a, f.times(offset, self.columns.stride * self.x.strides[3]))
                    self._tiles(f, here, weight, self._at(f, c, f.times(offset, self.y.strides[3])), rows, lanes)

    def _at(self, f: Function, pointer: Reg, offset: Reg) -> Reg:
        return f.at(pointer, self.element, offset)

    def _tiles(self, f: Function, a: Reg, weight: Reg, c: Reg, rows: int, lanes: int) -> None:
        whole = self.out // lanes * lanes
        if whole:
            with f.loop(0, whole, lanes) as loop:
                self._tile(f, a, self._at(f, weight, loop.index), self._at(f, c, loop.index), rows, lanes)
        if self.out > whole:
            self._tile(f, a, f.at(weight, self.element, whole), f.at(c, self.element, whole), rows, self.out - whole)

    def _tile(self, f: Function, a: Reg, b: Reg, c: Reg, rows: int, lanes: int) -> None:
        x, out, channels = self.x.strides, self.out, self.channels
        shape = Shape(rows, lanes, self.columns.stride * x[3], self.element)
        sums = [Sum(0, self.rows.kernel, self.rows.dilation * x[2], self.columns.kernel * channels * out)]
        if self.columns.dilation == 1 and x[3] == channels and x[1] == 1:
            sums.append(Sum(0, self.columns.kernel * channels, 1, out))
        else:
            sums.append(Sum(0, self.columns.kernel, self.columns.dilation * x[3], channels * out))
            sums.append(Sum(0, channels, x[1], out))
        store_rows(f, shape, c, self.y.strides[3], accumulate(f, shape, a, b, sums, zeros(shape)))


# -- the gradient of the weights


def _weight_gradient(lowering: Lowering, equation: Equation) -> None:
    x, g = (lowering.place_of(value) for value in equation.inputs)
    weight = equation.outputs[0]
    rows, columns = _windows(x.shape[2:], weight.shape[2:], g.shape[2:], equation.params)
    flops = 2.0 * math.prod(g.shape) * math.prod(weight.shape[1:])
    if _uses_batch(lowering, x.shape[0], x.dtype):
        source, cotangent = (laid_out(lowering, place, BATCH_INNERMOST) for place in (x, g))
        target = lowering.allocate(weight)
        dots = _WeightDots(lowering, source, cotangent, target, rows, columns)
        scratch = Buffer(x.dtype, dots.scratch_elements, Kind.ARENA)
        pointers = [*map(_pointer, (cotangent, source, target)), Pointer(scratch)]
        lowering.call(dots.write, pointers, dots.tasks, flops * FUSED_MULTIPLY, [target.buffer, scratch], _label(equation))
        return
    source, cotangent = (laid_out(lowering, place, CHANNELS_INNERMOST) for place in (x, g))
    source, rows, columns = _padded(lowering, source, rows, columns)
    packed = lowering.temporary(weight.type, (2, 3, 1, 0))
    tiles = _WeightTiles(lowering, source, cotangent, packed, rows, columns)
    pointers = [_pointer(place) for place in (source, cotangent, packed)]
    lowering.call(tiles.write, pointers, tiles.tasks, flops * FUSED_MULTIPLY, [packed.buffer], _label(equation))
    lowering.copy(packed, lowering.allocate(weight))


class _WeightTiles:
    """Few examples: rows of the tile are (tap along the row, channel), lanes output channels; sums over places."""

    def __init__(self, lowering: Lowering, x: Place, g: Place, weight: Place, rows: Window, columns: Window) -> None:
        self.x, self.g, self.weight, self.rows, self.columns = x, g, weight, rows, columns
        self.element, self.target = element_type(x.dtype), lowering.target
        self.inner = columns.kernel * x.shape[1]

    @property
    def tasks(self) -> int:
        """One for each row of the kernel."""
        return self.rows.kernel

    def write(self, f: Function, pointers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        """The kernel's body."""
        x, g, weight = pointers
        out = self.g.shape[1]
        height, lanes = best_tile(self.target, bytes_of(self.element), self.inner, out)
        panels = -(-self.inner // height)
        base, extra = divmod(self.inner, panels)
        with f.loop(begin, end) as loop:
            a = f.at(x, self.element, f.add(f.times(loop.index, self.x.strides[2]), -self.rows.low * self.x.strides[2] - self.columns.low * self.x.strides[3]))
            c = f.at(weight, self.element, f.times(loop.index, self.inner * out))
            for rows, start, stop in ((base + 1, 0, extra), (base, extra, panels)):
                if start == stop:
                    continue
                with f.loop(start, stop) as panel:
                    offset = f.add(f.times(panel.index, base), f.minimum(panel.index, word(extra)))
                    here, to = f.at(a, self.element, offset), f.at(c, self.element, f.times(offset, out))
                    for low in range(0, out, lanes):
                        shape = Shape(rows, min(lanes, out - low), 1, self.element)
                        b = f.at(g, self.element, low)
                        totals = accumulate(f, shape, here, b, self._sums(), zeros(shape))
                        store_rows(f, shape, f.at(to, self.element, low), out, totals)

    def _sums(self) -> list[Sum]:
        x, g = self.x.strides, self.g.strides
        return [
            Sum(0, self.x.shape[0], x[0], g[0]),
            Sum(0, self.rows.count, self.rows.stride * x[2], g[2]),
            Sum(0, self.columns.count, self.columns.stride * x[3], g[3]),
        ]


class _WeightDots:
    """Many examples: each weight's gradient is a dot product along examples and places.

    A tile holds (output channels x channels) accumulators, each a vector of examples. Rows of places are gone through in
    blocks that stay in the cache; between blocks the accumulators rest in scratch memory.
    """

    def __init__(self, lowering: Lowering, x: Place, g: Place, weight: Place, rows: Window, columns: Window) -> None:
        self.x, self.g, self.weight, self.rows, self.columns = x, g, weight, rows, columns
        self.element, self.target = element_type(x.dtype), lowering.target
        self.lanes = lowering.target.lanes(x.dtype.itemsize)
        self.out, self.channels = g.shape[1], x.shape[1]
        most_out, most_in = (4, 3) if lowering.target.registers == 16 else (6, 4)
        self.out_panels = -(-self.out // most_out)
        self.in_panels = -(-self.channels // most_in)
        self.block = max(1, -(-32 // columns.count))

    @property
    def tasks(self) -> int:
        """One for each panel of output channels and each row of the kernel."""
        return self.out_panels * self.rows.kernel

    @property
    def _task_elements(self) -> int:
        """Accumulators of one task."""
        return -(-self.out // self.out_panels) * self.channels * self.columns.kernel * self.lanes

    @property
    def scratch_elements(self) -> int:
        """Accumulators of all tasks."""
        return self.tasks * self._task_elements

    def write(self, f: Function, pointers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        """The kernel's body."""
        base, extra = divmod(self.out, self.out_panels)
        with f.loop(begin, end) as loop:
            panel = f.binary("udiv", loop.index, word(self.rows.kernel))
            tap = f.binary("urem", loop.index, word(self.rows.kernel))
            scratch = f.at(pointers[3], self.element, f.times(loop.index, self._task_elements))
            offset = f.add(f.times(panel, base), f.minimum(panel, word(extra)))
            if extra:
                with f.when(f.compare("icmp slt", panel, word(extra))):
                    self._task(f, (*pointers[:3], scratch), tap, offset, base + 1)
                with f.when(f.compare("icmp sge", panel, word(extra))):
                    self._task(f, (*pointers[:3], scratch), tap, offset, base)
            else:
                self._task(f, (*pointers[:3], scratch), tap, offset, base)

    def _task(self, f: Function, pointers: Sequence[Reg], tap: Reg, offset: Reg, rows: int) -> None:
        g, x, weight, scratch = pointers
        vectors = rows * self.channels * self.columns.kernel
        with f.loop(0, vectors) as loop:
            f.store(const(vector_of(self.element, self.lanes), 0.0), f.at(scratch, self.element, f.times(loop.index, self.lanes)))
        g = f.at(g, self.element, f.times(offset, self.g.strides[1]))
        low, high = self._row_range(f, tap)
        blocks = -(-self.rows.count // self.block)
        with f.loop(0, blocks) as loop:
            start = f.maximum(f.times(loop.index, self.block), low)
            stop = f.minimum(f.times(f.add(loop.index, 1), self.block), high)
            self._taps(f, (g, x, scratch), tap, start, stop, rows)
        self._finish(f, weight, scratch, tap, offset, rows)

    def _row_range(self, f: Function, tap: Reg) -> tuple[Reg, Reg]:
        """The output places whose tap lies inside the input: 0 <= o·s + k - p < size."""
        window = self.rows
        s = window.stride
        first = f.binary("sub nsw", word(window.low), tap)
        low = f.maximum(_divided(f, f.add(first, s - 1), s), word(0))
        high = f.minimum(_divided(f, f.add(first, window.size - 1), s), word(window.count - 1))
        return low, f.add(high, 1)

    def _column_range(self, tap: int) -> tuple[int, int]:
        window = self.columns
        low = max(0, -(-(window.low - tap) // window.stride))
        high = min(window.count - 1, (window.size - 1 + window.low - tap) // window.stride)
        return low, max(high + 1, low)

    def _taps(self, f: Function, pointers: Sequence[Reg], tap: Reg, start: Reg, stop: Reg, rows: int) -> None:
        base, extra = divmod(self.channels, self.in_panels)
        for column_tap in range(self.columns.kernel):
            span = self._column_range(column_tap)
            if span[0] == span[1]:
                continue
            for width, first, last in ((base + 1, 0, extra), (base, extra, self.in_panels)):
                if first == last:
                    continue
                with f.loop(first, last) as loop:
                    channel = f.add(f.times(loop.index, base), f.minimum(loop.index, word(extra)))
                    self._tile(f, pointers, tap, column_tap, start, stop, span, channel, rows, width)

    def _slot(self, f: Function, scratch: Reg, column_tap: int, channel: Reg, rows: int) -> Reg:
        """Where the accumulators of a tile rest: (tap, channel, output channel, lanes)."""
        per_channel = rows * self.lanes
        place = f.add(f.times(channel, per_channel), column_tap * self.channels * per_channel)
        return f.at(scratch, self.element, place)

    def _tile(
        self, f: Function, pointers: Sequence[Reg], tap: Reg, column_tap: int, start: Reg, stop: Reg,
        span: tuple[int, int], channel: Reg, rows: int, width: int,
    ) -> None:
        g, x, scratch = pointers
        vector = vector_of(self.element, self.lanes)
        slot = self._slot(f, scratch, column_tap, channel, rows)
        totals = [f.load(vector, f.at(slot, self.element, number * self.lanes)) for number in range(rows * width)]
        x = f.at(x, self.element, f.add(f.times(f.add(tap, -self.rows.low), self.x.strides[2]), f.times(channel, self.x.strides[1])))
        x = f.at(x, self.element, (column_tap - self.columns.low) * self.x.strides[3])
        with f.loop(start, stop, 1, totals) as row:
            g_row = f.at(g, self.element, f.times(row.index, self.g.strides[2]))
            x_row = f.at(x, self.element, f.times(row.index, self.rows.stride * self.x.strides[2]))
            with f.loop(*span, 1, row.carried) as column:
                here_g = f.at(g_row, self.element, f.times(column.index, self.g.strides[3]))
                here_x = f.at(x_row, self.element, f.times(column.index, self.columns.stride * self.x.strides[3]))
                column.carry(*self._examples(f, here_g, here_x, rows, width, column.carried))
            row.carry(*column.results)
        for number, total in enumerate(row.results):
            f.store(total, f.at(slot, self.element, number * self.lanes))

    def _examples(self, f: Function, g: Reg, x: Reg, rows: int, width: int, totals: Sequence[Reg]) -> list[Reg]:
        batch = self.x.shape[0]
        whole = batch // self.lanes * self.lanes
        with f.loop(0, whole, self.lanes, totals) as loop:
            here = [f.at(pointer, self.element, loop.index) for pointer in (g, x)]
            loop.carry(*self._multiply(f, here[0], here[1], rows, width, self.lanes, loop.carried))
        results = list(loop.results)
        if batch > whole:
            here = [f.at(pointer, self.element, whole) for pointer in (g, x)]
            results = self._multiply(f, here[0], here[1], rows, width, batch - whole, results)
        return results

    def _multiply(self, f: Function, g: Reg, x: Reg, rows: int, width: int, lanes: int, totals: Sequence[Reg]) -> list[Reg]:
        right = [self._load(f, f.at(x, self.element, number * self.x.strides[1]), lanes) for number in range(width)]
        left = [self._load(f, f.at(g, self.element, number * self.g.strides[1]), lanes) for number in range(rows)]
        return [f.fma(left[row], right[column], totals[column * rows + row]) for column in range(width) for row in range(rows)]

    def _load(self, f: Function, pointer: Reg, lanes: int) -> Reg:
        """So many examples, the other lanes zero."""
        value = f.load(vector_of(self.element, lanes), pointer)
        if lanes == self.lanes:
            return value
        mask = ", ".join(f"i32 {min(lane, lanes)}" for lane in range(self.lanes))
        zero = const(value.type, 0.0)
        return f.emit(vector_of(self.element, self.lanes), f"shufflevector {value}, {zero}, <{self.lanes} x i32> <{mask}>")

    def _finish(self, f: Function, weight: Reg, scratch: Reg, tap: Reg, offset: Reg, rows: int) -> None:
        """Add up the lanes, and write the gradient."""
        steps = self.weight.strides
        to = f.at(weight, self.element, f.add(f.times(offset, steps[0]), f.times(tap, steps[2])))
        for column_tap in range(self.columns.kernel):
            with f.loop(0, self.channels) as loop:
                slot = self._slot(f, scratch, column_tap, loop.index, rows)
                for row in range(rows):
                    vector = f.load(vector_of(self.element, self.lanes), f.at(slot, self.element, row * self.lanes))
                    total = horizontal(f, vector, lambda a, b: f.binary("fadd", a, b))
                    place = f.at(to, self.element, f.add(f.times(loop.index, steps[1]), row * steps[0] + column_tap * steps[3]))
                    f.store(total, place)
