"""The gradient of the input of a small convolution: places are the lanes, and all channels at hand are done at once.

Places that meet the same part of the kernel, for stride s each s-th along both axes, are one vector, and so is a plane
of the cotangent. For each tap that plane, moved, is multiplied by one number of the weights, which are read as they
lie: nothing is laid out before. Lanes that a tap does not meet keep their sum.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...ir.graph import Equation
from ...ir.types import Shape
from ..planning.place import Place
from ..planning.program import pointer_to
from ..products.pack import split
from ..text.emit import Function, Reg, const, memory_type, vector_of
from ..text.lanes import picked, shuffled
from ..text.target import Target
from .convolution import FUSED_MULTIPLY, laid_out
from .small import MOST_PRODUCTS, SPARE
from .window import Remainder, Window, remainders, windows_of

if TYPE_CHECKING:
    from ..planning.lowering import Lowering

ROW_MAJOR = (0, 1, 2, 3)
MOST_VECTORS = 4
"""Vectors of the machine that a plane of the input or of the cotangent may have."""
MOST_UNROLLED = 128


def lower_turned_convolution(lowering: Lowering, equation: Equation) -> bool:
    """Lower the gradient of the input of a small convolution; False where it is none."""
    if equation.primitive.name != "convolution_input_gradient" or equation.inputs[0].ndim != 4:
        return False
    g, weight = equation.inputs
    x, params = equation.outputs[0], equation.params
    lanes = lowering.target.lanes(x.dtype.itemsize)
    if 0 in (*g.shape, *weight.shape, *x.shape) or g.shape[0] >= lanes or weight.shape[1] % lanes == 0:
        return False
    if params["groups"] == x.shape[1] or math.prod(g.shape) * math.prod(weight.shape[1:]) > MOST_PRODUCTS:
        return False
    if any(gap > 1 and step > 1 for gap, step in zip(params["dilation"], params["stride"])):
        return False
    rows, columns = windows_of(x.shape[2:], weight.shape[2:], g.shape[2:], params)
    if not _fits(lanes, x.shape, g.shape, rows, columns):
        return False
    source, target = laid_out(lowering, lowering.place_of(g), ROW_MAJOR), lowering.allocate(x, ROW_MAJOR)
    own = lowering.place_of(weight)
    kernel = _Turned(source, own, target, rows, columns, params["groups"], lowering.target)
    label = f"turned convolution {'x'.join(map(str, g.shape))} to {'x'.join(map(str, x.shape))}"
    key = (_Turned, rows, columns, params["groups"], *((p.dtype, p.shape, p.strides) for p in (source, own, target)))
    cost = 2.0 * math.prod(g.shape) * math.prod(weight.shape[1:]) * FUSED_MULTIPLY
    pointers = [pointer_to(place) for place in (source, own, target)]
    line = equation.line
    lowering.call(kernel.write, pointers, g.shape[0] * params["groups"], cost, [target.buffer], label, line, key)
    return True


def _fits(lanes: int, x: Shape, g: Shape, rows: Window, columns: Window) -> bool:
    """Whether planes are a few vectors, places that are one vector use most of its lanes, and the code is short."""
    places = max(each.count for each in remainders(rows)) * max(each.count for each in remainders(columns))
    if max(math.prod(x[2:]), math.prod(g[2:])) > MOST_VECTORS * lanes or 2 * places < lanes:
        return False
    return places <= 2 * lanes and rows.kernel * columns.kernel <= MOST_UNROLLED


@dataclass(frozen=True)
class _Set:
    """The places of one remainder along both axes."""

    down: Remainder
    across: Remainder

    @property
    def lanes(self) -> int:
        """How many there are."""
        return self.down.count * self.across.count

    @property
    def taps(self) -> list[tuple[int, int]]:
        """Numbers of the taps that they meet."""
        return list(itertools.product(range(self.down.taps), range(self.across.taps)))

    def tap(self, down: int, across: int) -> tuple[int, int]:
        """The place of a tap in the kernel."""
        return self.down.start + down * self.down.step, self.across.start + across * self.across.step

    def met(self, counts: Shape, down: int, across: int) -> list[int | None]:
        """For each place the flat place of the cotangent that a tap brings there, if any."""
        found: list[int | None] = []
        for q, r in itertools.product(range(self.down.count), range(self.across.count)):
            row, column = _behind(self.down, down) + q, _behind(self.across, across) + r
            inside = 0 <= row < counts[0] and 0 <= column < counts[1]
            found.append(row * counts[1] + column if inside else None)
        return found

    def places(self, width: int) -> list[int]:
        """Flat places in the plane of the input."""
        downs = [self.down.first + q * self.down.step for q in range(self.down.count)]
        return [
            down * width + self.across.first + r * self.across.step for down in downs for r in range(self.across.count)
        ]


def _behind(remainder: Remainder, tap: int) -> int:
    """Which place of the cotangent, along one axis, a tap brings to the first place."""
    window = remainder.window
    return window.dilation * (remainder.taps - 1 - tap) - window.low


@dataclass(frozen=True)
class _Turned:
    """x(n, c, i, j) = Σ w(o, c, k, l) g(n, o, p, q) over p·s + k·d = i + low: a group of an example a task."""

    g: Place
    weight: Place
    x: Place
    rows: Window
    columns: Window
    groups: int
    machine: Target

    @property
    def sets(self) -> list[_Set]:
        """All places, in sets."""
        return [_Set(*pair) for pair in itertools.product(remainders(self.rows), remainders(self.columns))]

    @property
    def at_once(self) -> int:
        """Channels whose sums are in registers."""
        width = self.machine.lanes(self.x.dtype.itemsize)
        vectors = sum(-(-each.lanes // width) for each in self.sets)
        taps = self.rows.kernel * self.columns.kernel
        room = (self.machine.registers - SPARE - 2 * -(-math.prod(self.g.shape[2:]) // width)) // vectors
        most = max(1, min(room, MOST_UNROLLED // taps))
        return -(-self.weight.shape[1] // -(-self.weight.shape[1] // most))  # as equal as can be

    def write(self, f: Function, pointers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        """The kernel: some channels at once."""
        element, many = memory_type(self.x.dtype), self.weight.shape[0] // self.groups
        whole, rest = divmod(self.weight.shape[1], self.at_once)
        with f.loop(begin, end) as loop:
            example, group = split(f, loop.index, self.groups)
            g, weight, x = pointers
            g = f.at(g, element, f.add(f.times(example, self.g.strides[0]), f.times(group, many * self.g.strides[1])))
            weight = f.at(weight, element, f.times(group, many * self.weight.strides[0]))
            own = f.times(group, self.weight.shape[1] * self.x.strides[1])
            x = f.at(x, element, f.add(f.times(example, self.x.strides[0]), own))
            for first, blocks, count in ((0, whole, self.at_once), (whole * self.at_once, 1, rest)):
                if count:
                    with f.loop(0, blocks) as block:
                        channel = f.add(f.times(block.index, count), first)
                        here = f.at(weight, element, f.times(channel, self.weight.strides[1]))
                        self._channels(f, g, here, f.at(x, element, f.times(channel, self.x.strides[1])), count)

    def _channels(self, f: Function, g: Reg, weight: Reg, x: Reg, count: int) -> None:
        """So many neighbouring channels."""
        element, sets = memory_type(self.x.dtype), self.sets
        start = [const(vector_of(element, each.lanes), 0.0) for each in sets for _ in range(count)]
        with f.loop(0, self.weight.shape[0] // self.groups, 1, start) as outputs:
            plane = f.load(
                vector_of(element, math.prod(self.g.shape[2:])),
                f.at(g, element, f.times(outputs.index, self.g.strides[1])),
            )
            here = f.at(weight, element, f.times(outputs.index, self.weight.strides[0]))
            sums = list(outputs.carried)
            for number, each in enumerate(sets):
                own = slice(number * count, (number + 1) * count)
                sums[own] = self._set(f, each, plane, here, sums[own])
            outputs.carry(*sums)
        for channel in range(count):
            self._store(f, outputs.results[channel::count], f.at(x, element, channel * self.x.strides[1]))

    def _set(self, f: Function, places: _Set, plane: Reg, weight: Reg, sums: Sequence[Reg]) -> list[Reg]:
        """The sums of one set, of all channels, with the terms of one output channel."""
        element, result = plane.element, list(sums)
        _, channel, row, column = self.weight.strides
        for tap in places.taps:
            met = places.met(self.g.shape[2:], *tap)
            if all(place is None for place in met):
                continue
            moved, mask = shuffled(f, plane, plane, met), _mask(f, met)
            down, across = places.tap(*tap)
            for number, total in enumerate(result):
                step = number * channel + down * row + across * column
                factor = f.splat(f.load(element, f.at(weight, element, step)), moved.lanes)
                result[number] = f.select(mask, f.fma(factor, moved, total), total)
        return result

    def _store(self, f: Function, vectors: Sequence[Reg], x: Reg) -> None:
        """The sums of all sets of places as one plane, a vector after the other."""
        height, width = self.x.shape[2:]
        source = {
            place: (number, lane)
            for number, each in enumerate(self.sets)
            for lane, place in enumerate(each.places(width))
        }
        lanes = max(vector.lanes for vector in vectors)
        wide = [f.resized(vector, lanes) for vector in vectors]
        for first in range(0, height * width, lanes):
            wanted = [source[place] for place in range(first, min(first + lanes, height * width))]
            f.store(f.resized(picked(f, wide, wanted), len(wanted)), f.at(x, vectors[0].element, first))


def _mask(f: Function, met: Sequence[int | None]) -> Reg:
    """Which lanes meet something. AVX-512 has masks in registers, if LLVM doesn't know them: else it writes blends."""
    lanes, bits = len(met), [place is not None for place in met]
    if not f.module.has_scaling or lanes not in (8, 16, 32, 64) or all(bits):
        return Reg(vector_of("i1", lanes), f"<{', '.join(f'i1 {str(bit).lower()}' for bit in bits)}>")
    table = f.module.table(np.packbits(bits, bitorder="little"))
    return f.emit(vector_of("i1", lanes), f"bitcast {f.load(f'i{lanes}', table)} to <{lanes} x i1>")
