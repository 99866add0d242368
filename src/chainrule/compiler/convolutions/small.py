"""Convolutions of an example or a few with few output channels: those are the lanes, and everything else is unrolled.

All output places of an example are kept in registers while the kernel is gone over, or all taps of the kernel while the
places are. The input is read where it lies, one element for all lanes; it has been padded before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...ir.graph import Equation
from ..planning.place import Place
from ..planning.program import pointer_to
from ..text.emit import Function, Reg, const, memory_type, vector_of, word
from ..text.target import Target
from .convolution import CHANNELS_INNERMOST, FUSED_MULTIPLY, laid_out
from .patches import lower_patches, wanted
from .window import Window, windows_of

if TYPE_CHECKING:
    from ..planning.lowering import Lowering

SPARE = 4
"""Registers for something else than sums."""
TAPS_INNER = (1, 2, 3, 0)  # the order of weights here: (channel, row, column, output channel)
MOST_PRODUCTS = 1 << 20
MOST_GROUPS = 8


def lower_small_convolution(lowering: Lowering, equation: Equation) -> bool:
    """Lower a convolution or its gradient by the weights, if it is a small one; False where it is not."""
    forward = equation.primitive.name == "convolution"
    if not forward and equation.primitive.name != "convolution_weight_gradient":
        return False
    x, other = equation.inputs
    y, weight = (equation.outputs[0], other) if forward else (other, equation.outputs[0])
    params = equation.params
    if x.ndim != 4 or params["groups"] > MOST_GROUPS or any(low or high for low, high in params["padding"]):
        return False
    lanes = lowering.target.lanes(x.dtype.itemsize)
    out = y.shape[1] // params["groups"]
    if x.shape[0] >= lanes or out > lanes or 0 in (*x.shape, *y.shape, *weight.shape):
        return False
    if math.prod(y.shape) * math.prod(weight.shape[1:]) > MOST_PRODUCTS:
        return False
    rows, columns = windows_of(x.shape[2:], weight.shape[2:], y.shape[2:], params)
    if wanted(lanes, out, weight.shape, rows, columns) and lower_patches(lowering, equation, rows, columns):
        return True
    if forward:
        return _lower_forward(lowering, equation, rows, columns, out)
    return _lower_weights(lowering, equation, rows, columns)


def _lower_forward(lowering: Lowering, equation: Equation, rows: Window, columns: Window, out: int) -> bool:
    y = equation.outputs[0]
    if columns.count + SPARE > lowering.target.registers or out % 4:
        return False
    x, weight = (lowering.place_of(value) for value in equation.inputs)
    weight = laid_out(lowering, weight, TAPS_INNER)
    target = lowering.temporary(y.type, CHANNELS_INNERMOST)
    for own_x, own_weight, own_y in _groups(equation, (x, 1), (weight, 0), (target, 1)):
        kernel = _Forward(own_x, own_weight, own_y, rows, columns, lowering.target)
        _call(lowering, equation, kernel, (own_x, own_weight, own_y), x.shape[0])
    lowering.copy(target, lowering.allocate(y))  # what follows has most often its own elements row-major
    return True


def _lower_weights(lowering: Lowering, equation: Equation, rows: Window, columns: Window) -> bool:
    if columns.kernel + SPARE > lowering.target.registers:
        return False
    x, g = (lowering.place_of(value) for value in equation.inputs)
    g = laid_out(lowering, g, CHANNELS_INNERMOST)
    target = lowering.temporary(equation.outputs[0].type, TAPS_INNER)
    lowering.places[id(equation.outputs[0])] = target
    for own_x, own_g, own_target in _groups(equation, (x, 1), (g, 1), (target, 0)):
        kernel = _Weights(own_x, own_g, own_target, rows, columns, lowering.target)
        _call(lowering, equation, kernel, (own_x, own_g, own_target), own_x.shape[1])
    _deliver(lowering, equation, target)
    return True


def _groups(equation: Equation, *places: tuple[Place, int]) -> list[list[Place]]:
    """Each group's part of places, which are cut along an axis each."""
    groups = equation.params["groups"]
    return [[_part(place, axis, number, groups) for place, axis in places] for number in range(groups)]


def _part(place: Place, axis: int, number: int, groups: int) -> Place:
    size = place.shape[axis] // groups
    shape = tuple(size if each == axis else whole for each, whole in enumerate(place.shape))
    return replace(place, shape=shape, offset=place.offset + number * size * place.strides[axis])


def _call(lowering: Lowering, equation: Equation, kernel: Any, places: Sequence[Place], tasks: int) -> None:
    x, y = equation.inputs[0], equation.outputs[0]
    label = f"small {equation.primitive.name} {'x'.join(map(str, x.shape))} to {'x'.join(map(str, y.shape))}"
    key = (type(kernel), kernel.rows, kernel.columns, *((each.dtype, each.shape, each.strides) for each in places))
    cost = 2.0 * kernel.products * FUSED_MULTIPLY
    source = equation.line
    lowering.call(kernel.write, [*map(pointer_to, places)], tasks, cost, [places[-1].buffer], label, source, key)


def _deliver(lowering: Lowering, equation: Equation, target: Place) -> None:
    """Also where the result is wished, row-major."""
    wish = lowering.wishes.get(id(equation.outputs[0]))
    if wish is not None:
        lowering.copy(target, wish)
        lowering.places[id(equation.outputs[0])] = wish


@dataclass(frozen=True)
class _Forward:
    """y(n, :, i, j) = Σ w(c, k, l, :) x(n, c, i·s + k·d, j·s + l·d), an example a task."""

    x: Place
    weight: Place
    y: Place
    rows: Window
    columns: Window
    machine: Target

    @property
    def products(self) -> int:
        """Multiplications."""
        return math.prod(self.y.shape) * math.prod(self.weight.shape[1:])

    def write(self, f: Function, pointers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        """The kernel: as many rows of places at once as there are registers for."""
        x, weight, y = pointers
        element = memory_type(self.x.dtype)
        at_once = max(1, (self.machine.registers - SPARE) // self.columns.count)
        whole, rest = divmod(self.rows.count, at_once)
        with f.loop(begin, end) as example:
            here = f.at(x, element, f.times(example.index, self.x.strides[0]))
            there = f.at(y, element, f.times(example.index, self.y.strides[0]))
            with f.loop(0, whole) as blocks:
                self._rows(f, here, weight, there, f.times(blocks.index, at_once), at_once)
            if rest:
                self._rows(f, here, weight, there, word(whole * at_once), rest)

    def _rows(self, f: Function, x: Reg, weight: Reg, y: Reg, first: Reg, count: int) -> None:
        """`count` rows of places from `first` on."""
        element = memory_type(self.x.dtype)
        here = f.at(x, element, f.times(first, self.rows.stride * self.x.strides[2]))
        there = f.at(y, element, f.times(first, self.y.strides[2]))
        places = [(i, j) for i in range(count) for j in range(self.columns.count)]
        for (i, j), total in zip(places, self._sums(f, here, weight, places)):
            f.store(total, f.at(there, element, i * self.y.strides[2] + j * self.y.strides[3]))

    def _sums(self, f: Function, x: Reg, weight: Reg, places: list[tuple[int, int]]) -> list[Reg]:
        element, (_, channel, row, column) = memory_type(self.x.dtype), self.x.strides
        vector = vector_of(element, self.y.shape[1])
        start = [const(vector, 0.0)] * len(places)
        _, weight_channel, weight_row, weight_column = self.weight.strides
        with f.loop(0, self.x.shape[1], 1, start) as channels:
            here, mine = (
                f.at(pointer, element, f.times(channels.index, step))
                for pointer, step in ((x, channel), (weight, weight_channel))
            )
            with f.loop(0, self.rows.kernel, 1, channels.carried) as taps:
                line = f.at(here, element, f.times(taps.index, self.rows.dilation * row))
                weights = f.at(mine, element, f.times(taps.index, weight_row))
                current = list(taps.carried)
                for tap in range(self.columns.kernel):
                    factors = f.load(vector, f.at(weights, element, tap * weight_column))
                    for number, (i, j) in enumerate(places):
                        step = i * self.rows.stride * row
                        step += (j * self.columns.stride + tap * self.columns.dilation) * column
                        one = f.splat(f.load(element, f.at(line, element, step)), factors.lanes)
                        current[number] = f.fma(one, factors, current[number])
                taps.carry(*current)
            channels.carry(*taps.results)
        return list(channels.results)


@dataclass(frozen=True)
class _Weights:
    """dw(c, k, l, :) = Σ g(n, :, i, j) x(n, c, i·s + k·d, j·s + l·d), an input channel a task."""

    x: Place
    g: Place
    target: Place
    rows: Window
    columns: Window
    machine: Target

    @property
    def products(self) -> int:
        """Multiplications."""
        return math.prod(self.g.shape) * math.prod(self.target.shape[1:])

    def write(self, f: Function, pointers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        """The kernel: as many rows of taps at once as there are registers for."""
        x, g, target = pointers
        element = memory_type(self.x.dtype)
        at_once = max(1, (self.machine.registers - SPARE) // self.columns.kernel)
        _, channel, row, _ = self.target.strides
        with f.loop(begin, end) as channels:
            here = f.at(x, element, f.times(channels.index, self.x.strides[1]))
            there = f.at(target, element, f.times(channels.index, channel))
            for first in range(0, self.rows.kernel, at_once):
                rows = range(first, min(first + at_once, self.rows.kernel))
                taps = [(tap, other) for tap in rows for other in range(self.columns.kernel)]
                for (tap, other), total in zip(taps, self._sums(f, here, g, taps)):
                    f.store(total, f.at(there, element, tap * row + other * self.target.strides[3]))

    def _sums(self, f: Function, x: Reg, g: Reg, taps: list[tuple[int, int]]) -> list[Reg]:
        vector = vector_of(memory_type(self.x.dtype), self.g.shape[1])
        loops = ((0, self.x.shape[0], 1), (2, self.rows.count, self.rows.stride))
        return self._over(f, x, g, taps, [const(vector, 0.0)] * len(taps), loops)

    def _over(
        self,
        f: Function,
        x: Reg,
        g: Reg,
        taps: list[tuple[int, int]],
        sums: list[Reg],
        loops: Sequence[tuple[int, int, int]],
    ) -> list[Reg]:
        """Loops over examples and rows, (axis, count, stride) each, and over the columns inside."""
        element = memory_type(self.x.dtype)
        axis, count, stride = loops[0] if loops else (3, self.columns.count, self.columns.stride)
        with f.loop(0, count, 1, sums) as loop:
            here = f.at(x, element, f.times(loop.index, stride * self.x.strides[axis]))
            there = f.at(g, element, f.times(loop.index, self.g.strides[axis]))
            if loops:
                loop.carry(*self._over(f, here, there, taps, loop.carried, loops[1:]))
            else:
                loop.carry(*self._place(f, here, there, taps, loop.carried))
        return list(loop.results)

    def _place(self, f: Function, x: Reg, g: Reg, taps: list[tuple[int, int]], sums: Sequence[Reg]) -> list[Reg]:
        element = memory_type(self.x.dtype)
        factors = f.load(vector_of(element, self.g.shape[1]), g)
        result = []
        for (tap, other), total in zip(taps, sums):
            step = tap * self.rows.dilation * self.x.strides[2] + other * self.columns.dilation * self.x.strides[3]
            result.append(f.fma(f.splat(f.load(element, f.at(x, element, step)), factors.lanes), factors, total))
        return result
