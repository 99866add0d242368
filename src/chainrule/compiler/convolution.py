"""Convolutions over two spatial axes as tiles that run over the windows: no windows are copied out, no halo multiplied.

Two ways. Channels that fill vectors are the lanes and lie innermost (batch, height, width, channels); the rows of a
tile are examples at one place, so that all are cut alike at the edges, or with few examples the places of a row, and
then the input is padded with zeros. Channels that don't fill vectors: the examples are the lanes and lie innermost
(height, width, channels, batch), and the weights are broadcast.

The gradient of the input is a convolution of the cotangent with the weights turned round: for stride s, one for each
of the s · s sets of places that meet the same part of the kernel. The gradient of the weights sums over places.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..ir.graph import Equation
from ..ir.types import ArrayType
from .emit import Function, Reg, bytes_of, const, element_type, vector_of, word
from .place import Buffer, Kind, Place, dense
from .program import Pointer, pointer_to
from .tile import Shape, Sum, accumulate, best_tile, horizontal, load_rows, store_rows, zeros

if TYPE_CHECKING:
    from .units import Lowering

BATCH_INNERMOST = (2, 3, 1, 0)
CHANNELS_INNERMOST = (0, 2, 3, 1)
FUSED_MULTIPLY = 1 / 50
FEWEST_EXAMPLES = 4  # from which on the rows of a tile are examples


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


def _uses_batch(lowering: Lowering, batch: int, channels: int, out: int, dtype: Any) -> bool:
    lanes = lowering.target.lanes(dtype.itemsize)
    channels_fill = out % lanes == 0 and (channels % lanes == 0 or channels <= 4)
    return batch >= lanes and not channels_fill


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
    return lowering.shared_copy(place, order)


# -- the three primitives


def _forward(lowering: Lowering, equation: Equation) -> None:
    x, weight = (lowering.place_of(value) for value in equation.inputs)
    y = equation.outputs[0]
    rows, columns = _windows(x.shape[2:], weight.shape[2:], y.shape[2:], equation.params)
    batch = _uses_batch(lowering, x.shape[0], x.shape[1], y.shape[1], x.dtype)
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
    batch = _uses_batch(lowering, g.shape[0], x.shape[1], g.shape[1], g.dtype)
    order = BATCH_INNERMOST if batch else CHANNELS_INNERMOST
    source = laid_out(lowering, g, order)
    place = lowering.allocate(x, order)
    target = place if _lies(place, order) else lowering.temporary(x.type, order)
    turned = replace(weight, shape=_swap(weight.shape), strides=_swap(weight.strides))
    params = equation.params
    parts = [
        _remainders(
            x.shape[axis], g.shape[axis], weight.shape[axis], params["stride"][axis - 2], params["padding"][axis - 2][0]
        )
        for axis in (2, 3)
    ]
    for vertical in parts[0]:
        for across in parts[1]:
            piece = _every(
                target, vertical.first, across.first, vertical.step, across.step, (vertical.count, across.count)
            )
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
    """i + p = s·o + k. For i = first + s·q: k = start + s·j and o = shift + q - j; shift = (first + p - start) / s."""
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
    flops = 2.0 * math.prod(y.shape) * math.prod(weight.shape[1:])
    if batch:
        packed = lowering.copied(weight, (2, 3, 1, 0))  # (kernel, kernel, channels, out)
        kernel: _Way = _Batch(lowering, x, y, rows, columns)
    else:
        rows_are_examples = x.shape[0] >= FEWEST_EXAMPLES
        if not rows_are_examples:
            x, rows, columns = _padded(lowering, x, rows, columns)
        kernel = (_Examples if rows_are_examples else _Places)(lowering, x, y, rows, columns)
        packed = _in_tiles(lowering, weight, kernel.lanes)
    pointers = [pointer_to(place) for place in (packed, x, y)]
    key = (type(kernel), rows, columns, *_layouts(packed, x, y))
    lowering.call(kernel.write, pointers, kernel.tasks, flops * FUSED_MULTIPLY, [y.buffer], label, key=key)


def _layouts(*places: Place) -> tuple[Any, ...]:
    """All that a kernel depends on."""
    return tuple((place.dtype, place.shape, place.strides) for place in places)


def _in_tiles(lowering: Lowering, weight: Place, lanes: int) -> Place:
    """The weights as (tile, kernel, kernel, channels, lanes), tiles of output channels; the last one may be narrow."""
    out = weight.shape[0]
    if out % lanes:
        return lowering.copied(weight, (2, 3, 1, 0))
    steps = weight.strides
    split = replace(weight, shape=(out // lanes, lanes, *weight.shape[1:]), strides=(steps[0] * lanes, *steps))
    return lowering.copied(split, (0, 3, 4, 2, 1))


def _padded(lowering: Lowering, x: Place, rows: Window, columns: Window) -> tuple[Place, Window, Window]:
    """The input with zeros around, as much as windows reach over its edges; its layout stays."""
    lows, highs = [0, 0], [0, 0]
    for axis, window in enumerate((rows, columns)):
        reach = (window.count - 1) * window.stride + (window.kernel - 1) * window.dilation + 1 - window.low
        lows[axis], highs[axis] = max(0, window.low), max(0, reach - window.size)
    moved = [
        replace(w, size=w.size + low + high, low=w.low - low) for w, low, high in zip((rows, columns), lows, highs)
    ]
    if not any((*lows, *highs)):
        return x, rows, columns
    shape = (*x.shape[:2], moved[0].size, moved[1].size)
    target = lowering.temporary(ArrayType(shape, x.dtype), CHANNELS_INNERMOST)
    params = {"low": (0, 0, *lows), "high": (0, 0, *highs), "interior": (0, 0, 0, 0)}
    lowering.opaque("pad", [x], [target], params, "pad", "")
    return target, moved[0], moved[1]


class _Way:
    """What all ways share."""

    def __init__(self, lowering: Lowering, x: Place, y: Place, rows: Window, columns: Window) -> None:
        self.x, self.y, self.rows, self.columns = x, y, rows, columns
        self.element = element_type(x.dtype)
        self.channels, self.out = x.shape[1], y.shape[1]
        self.target = lowering.target
        self.height, self.lanes = best_tile(self.target, bytes_of(self.element), *self.extent)

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns of the products."""
        raise NotImplementedError

    @property
    def tasks(self) -> int:
        """How many tasks there are."""
        raise NotImplementedError

    def write(self, f: Function, pointers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        """The kernel's body: pointers to weights, input, output."""
        raise NotImplementedError

    def _at(self, f: Function, pointer: Reg, offset: Reg) -> Reg:
        return f.at(pointer, self.element, offset)

    def _input_offset(self, f: Function, place: Reg, window: Window, axis: int) -> Reg:
        stride = self.x.strides[axis]
        return f.add(f.times(place, window.stride * stride), -window.low * stride)

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


@contextmanager
def _all_places(f: Function, window: Window, cut: bool) -> Iterator[Reg]:
    """A loop over the places along an axis: those where the kernel is cut at an edge, or the others."""
    first, last = _uncut(window)
    if not cut:
        with f.loop(first, last) as loop:
            yield loop.index
        return
    with f.loop(0, window.count - (last - first)) as loop:
        beyond = f.compare("icmp sge", loop.index, word(first))
        yield f.add(loop.index, f.select(beyond, word(last - first), word(0)))


def _uncut(window: Window) -> tuple[int, int]:
    """The places from which the whole kernel meets the input: first to last - 1."""
    first = min(window.count, max(0, -(-window.low // window.stride)))
    reach = window.size - 1 + window.low - (window.kernel - 1) * window.dilation
    last = min(window.count, reach // window.stride + 1) if reach >= 0 else 0
    return (first, last) if last > first else (window.count, window.count)


def _kinds(window: Window) -> list[bool]:
    """Which kinds of places there are: cut, uncut, or both."""
    first, last = _uncut(window)
    return [cut for cut, count in ((True, window.count - (last - first)), (False, last - first)) if count]


def _panels(height: int, extent: int) -> list[tuple[int, int, int]]:
    """(rows, first panel, last panel): panels of nearly equal height, the higher ones first."""
    panels = -(-extent // height)
    base, extra = divmod(extent, panels)
    return [each for each in ((base + 1, 0, extra), (base, extra, panels)) if each[1] < each[2]]


def _first_row(f: Function, panel: Reg, height: int, extent: int) -> Reg:
    """The row at which a panel begins."""
    base, extra = divmod(extent, -(-extent // height))
    return f.add(f.times(panel, base), f.minimum(panel, word(extra)))


class _Batch(_Way):
    """Lanes are examples; rows of the tile are output channels. One task is one row of places."""

    @property
    def extent(self) -> tuple[int, int]:
        """Output channels by examples."""
        return self.out, self.y.shape[0]

    @property
    def tasks(self) -> int:
        """One for each row of the output."""
        return self.rows.count

    def write(self, f: Function, pointers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        """The kernel's body."""
        batch, lanes = self.y.shape[0], self.lanes
        with f.loop(begin, end) as loop:
            taps = self._row_range(f, loop.index)
            whole = batch // lanes * lanes
            if whole:
                with f.loop(0, whole, lanes) as across:
                    self._row(f, pointers, loop.index, taps, across.index, lanes)
            if batch > whole:
                self._row(f, pointers, loop.index, taps, word(whole), batch - whole)

    def _row(
        self, f: Function, pointers: Sequence[Reg], row: Reg, taps: tuple[Reg, Reg], lane: Reg, lanes: int
    ) -> None:
        for cut in _kinds(self.columns):
            with _all_places(f, self.columns, cut) as column:
                self._place(f, pointers, row, taps, column, lane, lanes, cut)

    def _place(
        self,
        f: Function,
        pointers: Sequence[Reg],
        row: Reg,
        taps: tuple[Reg, Reg],
        column: Reg,
        lane: Reg,
        lanes: int,
        cut: bool,
    ) -> None:
        weight, x, y = pointers
        down, across = self._input_offset(f, row, self.rows, 2), self._input_offset(f, column, self.columns, 3)
        b = self._at(f, x, f.add(down, f.add(across, lane)))
        out = f.add(f.times(row, self.y.strides[2]), f.add(f.times(column, self.y.strides[3]), lane))
        c = self._at(f, y, out)
        span = _inside(f, self.columns, column) if cut else (word(0), word(self.columns.kernel))
        step = self.y.strides[1]
        for rows, start, stop in _panels(self.height, self.out):
            with f.loop(start, stop) as loop:
                offset = _first_row(f, loop.index, self.height, self.out)
                shape = Shape(rows, lanes, 1, self.element)
                sums = self._sums(taps, span, cut)
                totals = accumulate(f, shape, self._at(f, weight, offset), b, sums, zeros(shape))
                store_rows(f, shape, self._at(f, c, f.times(offset, step)), step, totals)

    def _sums(self, taps: tuple[Reg, Reg], across: tuple[Reg, Reg], cut: bool) -> list[Sum]:
        x, channels, out = self.x.strides, self.channels, self.out
        vertical = Sum(*taps, self.columns.kernel * channels * out, self.rows.dilation * x[2])
        if not cut and (self.columns.dilation == 1 or self.columns.kernel == 1) and x[3] == channels * x[1]:
            return [vertical, Sum(0, self.columns.kernel * channels, out, x[1])]
        return [vertical, Sum(*across, channels * out, self.columns.dilation * x[3]), Sum(0, channels, out, x[1])]


class _Channels(_Way):
    """Lanes are output channels; weights lie in tiles of them."""

    def _tiles(
        self, f: Function, a: Reg, weight: Reg, c: Reg, rows: int, a_row: int, c_row: int, sums: Sequence[Sum]
    ) -> None:
        """One panel of rows by all output channels."""
        lanes, whole = self.lanes, self.out // self.lanes
        in_tiles = self.out % lanes == 0
        tile_step = self.rows.kernel * self.columns.kernel * self.channels * lanes if in_tiles else lanes
        if whole:
            with f.loop(0, whole) as loop:
                b = self._at(f, weight, f.times(loop.index, tile_step))
                to = self._at(f, c, f.times(loop.index, lanes))
                shape = Shape(rows, lanes, a_row, self.element)
                store_rows(f, shape, to, c_row, accumulate(f, shape, a, b, sums, zeros(shape)))
        if not in_tiles:
            shape = Shape(rows, self.out - whole * lanes, a_row, self.element)
            b, to = f.at(weight, self.element, whole * lanes), f.at(c, self.element, whole * lanes)
            store_rows(f, shape, to, c_row, accumulate(f, shape, a, b, sums, zeros(shape)))

    def _sums(self, taps: tuple[Reg, Reg], across: tuple[Reg, Reg], cut: bool) -> list[Sum]:
        x, channels = self.x.strides, self.channels
        width = self.lanes if self.out % self.lanes == 0 else self.out  # between neighbours along what is summed
        vertical = Sum(*taps, self.rows.dilation * x[2], self.columns.kernel * channels * width)
        if not cut and (self.columns.dilation == 1 or self.columns.kernel == 1) and x[3] == channels:
            return [vertical, Sum(0, self.columns.kernel * channels, 1, width)]
        return [vertical, Sum(*across, self.columns.dilation * x[3], channels * width), Sum(0, channels, 1, width)]


class _Examples(_Channels):
    """Rows of the tile are examples at one place. One task is one row of places."""

    @property
    def extent(self) -> tuple[int, int]:
        """Examples by output channels."""
        return self.y.shape[0], self.out

    @property
    def tasks(self) -> int:
        """One for each row of the output."""
        return self.rows.count

    def write(self, f: Function, pointers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        """The kernel's body."""
        batch = self.y.shape[0]
        with f.loop(begin, end) as loop:
            taps = self._row_range(f, loop.index)
            for rows, low, high in _panels(self.height, batch):
                with f.loop(low, high) as panel:
                    first = _first_row(f, panel.index, self.height, batch)
                    self._row(f, pointers, loop.index, taps, first, rows)

    def _row(
        self, f: Function, pointers: Sequence[Reg], row: Reg, taps: tuple[Reg, Reg], example: Reg, rows: int
    ) -> None:
        weight, x, y = pointers
        down = f.add(self._input_offset(f, row, self.rows, 2), f.times(example, self.x.strides[0]))
        out = f.add(f.times(row, self.y.strides[2]), f.times(example, self.y.strides[0]))
        a_row, c_row = self.x.strides[0], self.y.strides[0]
        for cut in _kinds(self.columns):
            with _all_places(f, self.columns, cut) as column:
                a = self._at(f, x, f.add(down, self._input_offset(f, column, self.columns, 3)))
                c = self._at(f, y, f.add(out, f.times(column, self.y.strides[3])))
                span = _inside(f, self.columns, column) if cut else (word(0), word(self.columns.kernel))
                self._tiles(f, a, weight, c, rows, a_row, c_row, self._sums(taps, span, cut))


class _Places(_Channels):
    """Rows of the tile are places of one row of a padded input. One task is one row of one example."""

    @property
    def extent(self) -> tuple[int, int]:
        """Places of a row by output channels."""
        return self.columns.count, self.out

    @property
    def tasks(self) -> int:
        """One for each row of each example."""
        return self.y.shape[0] * self.rows.count

    def write(self, f: Function, pointers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        """The kernel's body."""
        weight, x, y = pointers
        count = self.columns.count
        with f.loop(begin, end) as loop:
            example, row = loop.index, word(0)
            if self.rows.count > 1:
                example = f.binary("udiv", loop.index, word(self.rows.count))
                row = f.binary("urem", loop.index, word(self.rows.count))
            down = f.add(f.times(example, self.x.strides[0]), self._input_offset(f, row, self.rows, 2))
            out = f.add(f.times(example, self.y.strides[0]), f.times(row, self.y.strides[2]))
            for rows, low, high in _panels(self.height, count):
                with f.loop(low, high) as panel:
                    place = _first_row(f, panel.index, self.height, count)
                    a = self._at(f, x, f.add(down, self._input_offset(f, place, self.columns, 3)))
                    c = self._at(f, y, f.add(out, f.times(place, self.y.strides[3])))
                    span = (word(0), word(self.columns.kernel))
                    sums = self._sums((word(0), word(self.rows.kernel)), span, False)
                    a_row, c_row = self.columns.stride * self.x.strides[3], self.y.strides[3]
                    self._tiles(f, a, weight, c, rows, a_row, c_row, sums)


# -- the gradient of the weights


def _weight_gradient(lowering: Lowering, equation: Equation) -> None:
    x, g = (lowering.place_of(value) for value in equation.inputs)
    weight = equation.outputs[0]
    rows, columns = _windows(x.shape[2:], weight.shape[2:], g.shape[2:], equation.params)
    flops = 2.0 * math.prod(g.shape) * math.prod(weight.shape[1:])
    if _uses_batch(lowering, x.shape[0], x.shape[1], g.shape[1], x.dtype):
        source, cotangent = (laid_out(lowering, place, BATCH_INNERMOST) for place in (x, g))
        target = lowering.allocate(weight)
        dots = _WeightDots(lowering, source, cotangent, target, rows, columns)
        scratch = Buffer(x.dtype, dots.scratch_elements, Kind.ARENA)
        pointers = [*map(pointer_to, (cotangent, source, target)), Pointer(scratch)]
        key = (_WeightDots, rows, columns, *_layouts(source, cotangent, target))
        cost = flops * FUSED_MULTIPLY
        lowering.call(dots.write, pointers, dots.tasks, cost, [target.buffer, scratch], _label(equation), key=key)
        return
    source, cotangent = (laid_out(lowering, place, CHANNELS_INNERMOST) for place in (x, g))
    packed = lowering.temporary(weight.type, (2, 3, 1, 0))
    tiles = _WeightTiles(lowering, source, cotangent, rows, columns)
    pointers = [pointer_to(place) for place in (source, cotangent, packed)]
    key = (_WeightTiles, rows, columns, *_layouts(source, cotangent, packed))
    cost = flops * FUSED_MULTIPLY
    lowering.call(tiles.write, pointers, tiles.tasks, cost, [packed.buffer], _label(equation), key=key)
    lowering.copy(packed, lowering.allocate(weight))


class _WeightTiles:
    """Rows of the tile are channels, lanes output channels; sums over places and examples.

    One task is one row of the kernel, one panel of channels, one tile of output channels. Between examples the sums
    rest in the result, (kernel, kernel, channels, out), so that an example is read from memory once for all taps.
    """

    def __init__(self, lowering: Lowering, x: Place, g: Place, rows: Window, columns: Window) -> None:
        self.x, self.g, self.rows, self.columns = x, g, rows, columns
        self.element = element_type(x.dtype)
        self.channels, self.out = x.shape[1], g.shape[1]
        self.height, self.lanes = best_tile(lowering.target, bytes_of(self.element), self.channels, self.out)
        self.panels = -(-self.channels // self.height)
        self.tiles = -(-self.out // self.lanes)

    @property
    def tasks(self) -> int:
        """One for each row of the kernel, panel of channels and tile of output channels."""
        return self.rows.kernel * self.panels * self.tiles

    def write(self, f: Function, pointers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        """The kernel's body."""
        with f.loop(begin, end) as loop:
            task, panel = self._split(f, loop.index, self.panels)
            tap, tile = self._split(f, task, self.tiles)
            channel = _first_row(f, panel, self.height, self.channels)
            for rows, low, high in _panels(self.height, self.channels):
                whole = self.out // self.lanes
                with self._chosen(f, panel, low, high, self.panels):
                    if whole:
                        with self._chosen(f, tile, 0, whole, self.tiles):
                            self._task(f, pointers, tap, channel, tile, rows, self.lanes)
                    if self.out % self.lanes:
                        with self._chosen(f, tile, whole, self.tiles, self.tiles):
                            self._task(f, pointers, tap, channel, tile, rows, self.out % self.lanes)

    def _split(self, f: Function, index: Reg, size: int) -> tuple[Reg, Reg]:
        if size == 1:
            return index, word(0)
        return f.binary("udiv", index, word(size)), f.binary("urem", index, word(size))

    def _chosen(self, f: Function, number: Reg, low: int, high: int, count: int) -> Any:
        """A block that runs if low <= number < high, where it is one of `count`."""
        if (low, high) == (0, count):
            return nullcontext()
        edge, condition = (low, "icmp sge") if low else (high, "icmp slt")
        return f.when(f.compare(condition, number, word(edge)))

    def _task(
        self, f: Function, pointers: Sequence[Reg], tap: Reg, channel: Reg, tile: Reg, rows: int, lanes: int
    ) -> None:
        x, g, weight = pointers
        shape = Shape(rows, lanes, 1, self.element)
        taps = self.columns.kernel
        column = f.times(tile, self.lanes)
        x = f.at(x, self.element, f.add(f.times(f.add(tap, -self.rows.low), self.x.strides[2]), channel))
        g = f.at(g, self.element, column)
        to = f.add(f.times(f.add(f.times(tap, taps * self.channels), channel), self.out), column)
        weight = f.at(weight, self.element, to)
        step = self.channels * self.out
        with f.loop(0, taps) as loop:
            store_rows(f, shape, f.at(weight, self.element, f.times(loop.index, step)), self.out, zeros(shape))
        low, high = _places_inside(f, self.rows, tap)
        with f.loop(0, self.x.shape[0]) as loop:
            here_x = f.at(x, self.element, f.times(loop.index, self.x.strides[0]))
            here_g = f.at(g, self.element, f.times(loop.index, self.g.strides[0]))
            with f.loop(0, taps) as across:
                to = f.at(weight, self.element, f.times(across.index, step))
                self._example(f, here_x, here_g, to, shape, across.index, low, high)

    def _example(self, f: Function, x: Reg, g: Reg, weight: Reg, shape: Shape, tap: Reg, low: Reg, high: Reg) -> None:
        first, last = _places_inside(f, self.columns, tap)
        sums = [
            Sum(low, high, self.rows.stride * self.x.strides[2], self.g.strides[2]),
            Sum(first, last, self.columns.stride * self.x.strides[3], self.g.strides[3]),
        ]
        x = f.at(x, self.element, f.times(f.add(tap, -self.columns.low), self.x.strides[3]))
        totals = accumulate(f, shape, x, g, sums, load_rows(f, shape, weight, self.out))
        store_rows(f, shape, weight, self.out, totals)


def _places_inside(f: Function, window: Window, tap: Reg) -> tuple[Reg, Reg]:
    """The output places whose tap lies inside the input: 0 <= o·s + k - p < size."""
    s = window.stride
    first = f.binary("sub nsw", word(window.low), tap)
    low = f.maximum(_divided(f, f.add(first, s - 1), s), word(0))
    high = f.minimum(_divided(f, f.add(first, window.size - 1), s), word(window.count - 1))
    return low, f.add(high, 1)


def _span(window: Window, tap: int) -> tuple[int, int]:
    """The same for a known tap."""
    low = max(0, -(-(window.low - tap) // window.stride))
    high = min(window.count - 1, (window.size - 1 + window.low - tap) // window.stride)
    return low, max(high + 1, low)


class _WeightDots:
    """Many examples: each weight's gradient is a dot product along examples and places.

    A tile holds (output channels x channels) accumulators, each a vector of examples. Rows of places are gone through
    in blocks that stay in the cache; between blocks the accumulators rest in scratch memory.
    """

    def __init__(self, lowering: Lowering, x: Place, g: Place, weight: Place, rows: Window, columns: Window) -> None:
        self.x, self.g, self.weight, self.rows, self.columns = x, g, weight, rows, columns
        self.element, self.target = element_type(x.dtype), lowering.target
        self.lanes = lowering.target.lanes(x.dtype.itemsize)
        self.out, self.channels = g.shape[1], x.shape[1]
        most_out, most_in = (4, 3) if lowering.target.registers == 16 else (6, 4)
        most_out = max(
            most_out, 8 // self.channels
        )  # two multiplications a cycle, four cycles each: eight sums at least
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
            f.store(
                const(vector_of(self.element, self.lanes), 0.0),
                f.at(scratch, self.element, f.times(loop.index, self.lanes)),
            )
        g = f.at(g, self.element, f.times(offset, self.g.strides[1]))
        low, high = _places_inside(f, self.rows, tap)
        blocks = -(-self.rows.count // self.block)
        with f.loop(0, blocks) as loop:
            start = f.maximum(f.times(loop.index, self.block), low)
            stop = f.minimum(f.times(f.add(loop.index, 1), self.block), high)
            self._taps(f, (g, x, scratch), tap, start, stop, rows)
        self._finish(f, weight, scratch, tap, offset, rows)

    def _taps(self, f: Function, pointers: Sequence[Reg], tap: Reg, start: Reg, stop: Reg, rows: int) -> None:
        base, extra = divmod(self.channels, self.in_panels)
        for column_tap in range(self.columns.kernel):
            span = _span(self.columns, column_tap)
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
        self,
        f: Function,
        pointers: Sequence[Reg],
        tap: Reg,
        column_tap: int,
        start: Reg,
        stop: Reg,
        span: tuple[int, int],
        channel: Reg,
        rows: int,
        width: int,
    ) -> None:
        g, x, scratch = pointers
        vector = vector_of(self.element, self.lanes)
        slot = self._slot(f, scratch, column_tap, channel, rows)
        totals = [f.load(vector, f.at(slot, self.element, number * self.lanes)) for number in range(rows * width)]
        x = f.at(
            x,
            self.element,
            f.add(f.times(f.add(tap, -self.rows.low), self.x.strides[2]), f.times(channel, self.x.strides[1])),
        )
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

    def _multiply(
        self, f: Function, g: Reg, x: Reg, rows: int, width: int, lanes: int, totals: Sequence[Reg]
    ) -> list[Reg]:
        right = [self._load(f, f.at(x, self.element, number * self.x.strides[1]), lanes) for number in range(width)]
        result = list(totals)
        for row in range(rows):  # one register at a time for the cotangents: the accumulators take most of them
            left = self._load(f, f.at(g, self.element, row * self.g.strides[1]), lanes)
            for column in range(width):
                place = column * rows + row
                result[place] = f.fma(left, right[column], totals[place])
        return result

    def _load(self, f: Function, pointer: Reg, lanes: int) -> Reg:
        """So many examples, the other lanes zero."""
        value = f.load(vector_of(self.element, lanes), pointer)
        if lanes == self.lanes:
            return value
        mask = ", ".join(f"i32 {min(lane, lanes)}" for lane in range(self.lanes))
        zero = const(value.type, 0.0)
        return f.emit(
            vector_of(self.element, self.lanes), f"shufflevector {value}, {zero}, <{self.lanes} x i32> <{mask}>"
        )

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
                    place = f.at(
                        to, self.element, f.add(f.times(loop.index, steps[1]), row * steps[0] + column_tap * steps[3])
                    )
                    f.store(total, place)
