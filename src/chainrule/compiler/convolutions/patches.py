"""Small convolutions with few output channels and long sums: each place's part of the image is copied out as a row.

Along such rows, in the order of the weights (channel, row, column), run the vectors of the products: forward, and for
the gradient of the weights. Weights and results are read and written as they lie. Where output channels fill a good
part of a vector they are the lanes, and nothing is copied (see `small`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...ir.graph import Equation
from ..planning.place import Place
from ..planning.program import pointer_to
from ..products.pack import scratch
from ..products.vector import turned_sums
from ..text.emit import Function, Reg, const, memory_type, vector_of, word
from ..text.lanes import picked
from ..text.tile import part
from .convolution import FUSED_MULTIPLY, laid_out
from .window import Window

if TYPE_CHECKING:
    from ..planning.lowering import Lowering

ROW_MAJOR = (0, 1, 2, 3)
ROWS = 4
"""Output channels at once."""
LONG = 4
"""Vectors that a sum has at least."""
CHANNELS = 4
"""Channels that are copied in one round of a loop."""
MOST_ROOM = 1 << 15
SPARE = 2
"""Registers for something else than sums and vectors of a patch."""


@dataclass(frozen=True)
class Sizes:
    """Of one convolution: a task is a group of an example.

    out, channels: of a group. step: elements from row to row of the patches, whole vectors. room: for all rows of a
    task, and a vector that a copy may write too much.
    """

    element: str
    lanes: int
    registers: int
    groups: int
    out: int
    channels: int
    rows: Window
    columns: Window
    x: Place
    weight: Place
    y: Place

    @property
    def terms(self) -> int:
        """Elements of a row."""
        return self.channels * self.rows.kernel * self.columns.kernel

    @property
    def step(self) -> int:
        """Elements from row to row."""
        return -(-self.terms // self.lanes) * self.lanes

    @property
    def places(self) -> int:
        """Rows of a task."""
        return self.rows.count * self.columns.count

    @property
    def room(self) -> int:
        """Elements of a task."""
        return self.places * self.step + self.lanes

    @property
    def image(self) -> int:
        """Elements of a group of an example."""
        return self.channels * self.x.strides[1]

    @property
    def tasks(self) -> int:
        """Groups of examples."""
        return self.x.shape[0] * self.groups

    @property
    def products(self) -> int:
        """Multiplications."""
        return self.tasks * self.places * self.out * self.terms


def wanted(lanes: int, out: int, weight: Sequence[int], rows: Window, columns: Window) -> bool:
    """Whether it is done so: the lanes would be mostly empty otherwise, and a tile of results is one vector."""
    fits = columns.dilation == 1 and columns.kernel <= lanes and rows.count * columns.count >= lanes // ROWS
    return fits and ROWS <= out <= lanes // 2 and math.prod(weight[1:]) >= LONG * lanes


def lower_patches(lowering: Lowering, equation: Equation, rows: Window, columns: Window) -> bool:
    """Lower a convolution without padding, or its gradient by the weights."""
    forward = equation.primitive.name == "convolution"
    x, other = (laid_out(lowering, lowering.place_of(value), ROW_MAJOR) for value in equation.inputs)
    result = lowering.allocate(equation.outputs[0], ROW_MAJOR)
    weight, y = (other, result) if forward else (result, other)
    groups, target = equation.params["groups"], lowering.target
    lanes, element = target.lanes(x.dtype.itemsize), memory_type(x.dtype)
    parts = weight.shape[0] // groups, weight.shape[1]
    sizes = Sizes(element, lanes, target.registers, groups, *parts, rows, columns, x, weight, y)
    if sizes.room * x.shape[0] > MOST_ROOM:
        return False
    kernel = _Forward(sizes) if forward else _Weights(sizes)
    shapes = f"{'x'.join(map(str, x.shape))} to {'x'.join(map(str, result.shape))}"
    key = (type(kernel), *_key(sizes), weight.shape)
    source = equation.line
    label = f"small {equation.primitive.name} {shapes} of patches"
    cost, tasks = 2.0 * sizes.products * FUSED_MULTIPLY, sizes.tasks if forward else groups
    lowering.call(
        kernel.write, [*map(pointer_to, (x, other, result))], tasks, cost, [result.buffer], label, source, key
    )
    return True


def _key(sizes: Sizes) -> tuple[object, ...]:
    return (sizes.rows, sizes.columns, sizes.groups, sizes.x.dtype, sizes.x.shape)


def _copy_patches(f: Function, sizes: Sizes, image: Reg, target: Reg) -> None:
    """A group of an example. A vector may go beyond its row, where the next one is written afterwards."""
    down, across = (window.stride * step for window, step in zip((sizes.rows, sizes.columns), sizes.x.strides[2:]))
    with f.loop(0, sizes.rows.count) as i, f.loop(0, sizes.columns.count) as j:
        here = f.at(image, sizes.element, f.add(f.times(i.index, down), f.times(j.index, across)))
        place = f.add(f.times(i.index, sizes.columns.count), j.index)
        there = f.at(target, sizes.element, f.times(place, sizes.step))
        if sizes.step > sizes.terms:  # what happens to lie there may be slow to compute with: numbers near zero
            zeros = const(vector_of(sizes.element, sizes.lanes), 0.0)
            f.store(zeros, f.at(there, sizes.element, sizes.step - sizes.lanes))
        whole, rest = divmod(sizes.channels, CHANNELS)
        with f.loop(0, whole, 1, [here, there]) as loop:
            loop.carry(*_copy_channels(f, sizes, loop.carried, CHANNELS))
        _copy_channels(f, sizes, loop.results, rest)


def _copy_channels(f: Function, sizes: Sizes, pointers: Sequence[Reg], count: int) -> list[Reg]:
    """So many neighbouring channels of one place; where the next ones are."""
    steps = sizes.x.strides[1], sizes.rows.kernel * sizes.columns.kernel

    def behind(number: int) -> list[Reg]:
        return [f.at(pointer, sizes.element, number * step) for pointer, step in zip(pointers, steps)]

    for number in range(count):
        _copy_patch(f, sizes, *behind(number))
    return behind(count)


def _copy_patch(f: Function, sizes: Sizes, source: Reg, target: Reg) -> None:
    """The taps of one channel at one place."""
    high, wide, lanes = sizes.rows.kernel, sizes.columns.kernel, sizes.lanes
    kind = vector_of(sizes.element, max(2, 1 << (wide - 1).bit_length()))
    step = sizes.rows.dilation * sizes.x.strides[2]
    lines = [f.load_first(kind, f.at(source, sizes.element, tap * step), wide) for tap in range(high)]
    lines = [f.resized(line, lanes) for line in lines]
    for first in range(0, high * wide, lanes):
        flat = range(first, min(first + lanes, high * wide))
        f.store(picked(f, lines, [divmod(place, wide) for place in flat]), f.at(target, sizes.element, first))


@dataclass(frozen=True)
class _Forward:
    """y(o, p) = Σ w(o, k) patch(p, k): as many sums side by side as a vector has lanes, turned into one at the end."""

    sizes: Sizes

    def write(self, f: Function, pointers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        """The kernel."""
        sizes, (x, weight, y) = self.sizes, pointers
        element, wide = sizes.element, sizes.lanes // ROWS
        own = scratch(f, element, sizes.room)
        with f.loop(begin, end) as task:
            group = task.index if sizes.x.shape[0] == 1 else f.binary("urem", task.index, word(sizes.groups))
            _copy_patches(f, sizes, f.at(x, element, f.times(task.index, sizes.image)), own)
            weights = f.at(weight, element, f.times(group, sizes.out * sizes.terms))
            results = f.at(y, element, f.times(task.index, sizes.out * sizes.places))
            with f.loop(0, -(-sizes.out // ROWS)) as outs, f.loop(0, -(-sizes.places // wide)) as places:
                out = f.minimum(f.times(outs.index, ROWS), word(sizes.out - ROWS))
                place = f.minimum(f.times(places.index, wide), word(sizes.places - wide))
                total = self._tile(
                    f,
                    f.at(weights, element, f.times(out, sizes.terms)),
                    f.at(own, element, f.times(place, sizes.step)),
                )
                there = f.at(results, element, f.add(f.times(out, sizes.places), place))
                for row in range(ROWS):
                    f.store(part(f, total, row * wide, wide), f.at(there, element, row * sizes.places))

    def _tile(self, f: Function, weights: Reg, patches: Reg) -> Reg:
        sizes = self.sizes
        whole = sizes.terms // sizes.lanes * sizes.lanes
        sums = [const(vector_of(sizes.element, sizes.lanes), 0.0)] * sizes.lanes
        with f.loop(0, whole, sizes.lanes, sums) as loop:
            loop.carry(*self._terms(f, weights, patches, loop.index, sizes.lanes, loop.carried))
        return turned_sums(f, self._terms(f, weights, patches, word(whole), sizes.terms - whole, loop.results))

    def _terms(self, f: Function, weights: Reg, patches: Reg, first: Reg, count: int, sums: Sequence[Reg]) -> list[Reg]:
        if not count:
            return list(sums)
        sizes, kind = self.sizes, sums[0].type

        def loaded(base: Reg, number: int, step: int) -> Reg:
            address = f.at(f.at(base, sizes.element, first), sizes.element, number * step)
            return f.load(kind, address) if count == sizes.lanes else f.load_first(kind, address, count)

        left = [loaded(weights, row, sizes.terms) for row in range(ROWS)]
        right = [loaded(patches, place, sizes.step) for place in range(sizes.lanes // ROWS)]
        pairs = [(one, other) for one in left for other in right]
        return [f.fma(one, other, total) for (one, other), total in zip(pairs, sums)]


@dataclass(frozen=True)
class _Weights:
    """dw(o, k) = Σ g(o, p) patch(p, k) over places and examples: a group a task."""

    sizes: Sizes

    def write(self, f: Function, pointers: Sequence[Reg], begin: Reg, end: Reg) -> None:
        """The kernel."""
        sizes, many = self.sizes, self.sizes.x.shape[0]
        own = scratch(f, sizes.element, sizes.room * many)
        with f.loop(begin, end) as task:
            with f.loop(0, many) as examples:
                number = f.add(f.times(examples.index, sizes.groups), task.index)
                image = f.at(pointers[0], sizes.element, f.times(number, sizes.image))
                _copy_patches(f, sizes, image, f.at(own, sizes.element, f.times(examples.index, sizes.room)))
            with f.loop(0, -(-sizes.out // ROWS)) as outs:
                out = f.minimum(f.times(outs.index, ROWS), word(sizes.out - ROWS))
                row = f.add(f.times(task.index, sizes.out), out)
                g = f.at(pointers[1], sizes.element, f.times(row, sizes.places))
                self._outs(f, own, g, f.at(pointers[2], sizes.element, f.times(row, sizes.terms)))

    def _outs(self, f: Function, patches: Reg, g: Reg, target: Reg) -> None:
        """Some output channels: blocks of vectors as equal as can be, the last one perhaps with fewer."""
        element, lanes = self.sizes.element, self.sizes.lanes
        vectors, most = self.sizes.step // lanes, (self.sizes.registers - SPARE) // (ROWS + 1)
        at_once = -(-vectors // -(-vectors // most))
        whole = (vectors - 1) // at_once  # all but the last block: its last vector may not be whole
        with f.loop(0, whole) as blocks:
            start = f.times(blocks.index, at_once * lanes)
            here, there = f.at(patches, element, start), f.at(target, element, start)
            self._block(f, here, g, there, at_once, at_once * lanes)
        done = whole * at_once
        here, there = f.at(patches, element, done * lanes), f.at(target, element, done * lanes)
        self._block(f, here, g, there, vectors - done, self.sizes.terms - done * lanes)

    def _block(self, f: Function, patches: Reg, g: Reg, target: Reg, vectors: int, terms: int) -> None:
        """So many vectors of some output channels; of the last one what are terms."""
        sizes, lanes = self.sizes, self.sizes.lanes
        sums = [const(vector_of(sizes.element, lanes), 0.0)] * (ROWS * vectors)
        example = sizes.room, sizes.groups * sizes.out * sizes.places
        with f.loop(0, sizes.x.shape[0], 1, sums) as examples:
            rows, factors = (
                f.at(base, sizes.element, f.times(examples.index, step)) for base, step in zip((patches, g), example)
            )
            with f.loop(0, sizes.places, 1, examples.carried) as places:
                row = f.at(rows, sizes.element, f.times(places.index, sizes.step))
                factor = f.at(factors, sizes.element, places.index)
                places.carry(*self._place(f, row, factor, vectors, places.carried))
            examples.carry(*places.results)
        for place, total in enumerate(examples.results):
            out, vector = divmod(place, vectors)
            kept = part(f, total, 0, min(lanes, terms - vector * lanes))
            f.store(kept, f.at(target, sizes.element, out * sizes.terms + vector * lanes))

    def _place(self, f: Function, patch: Reg, factor: Reg, vectors: int, sums: Sequence[Reg]) -> list[Reg]:
        sizes, kind = self.sizes, sums[0].type
        values = [f.load(kind, f.at(patch, sizes.element, number * sizes.lanes)) for number in range(vectors)]
        result = []
        for row in range(ROWS):
            one = f.splat(f.load(sizes.element, f.at(factor, sizes.element, row * sizes.places)), sizes.lanes)
            result += [f.fma(one, value, sums[row * vectors + number]) for number, value in enumerate(values)]
        return result
