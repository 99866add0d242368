"""Primitives that run along one axis: positions of extrema, running sums. Across the axis in vectors where they fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...ir.types import DType, Shape
from ...records import dataclass
from ..text.array import Array, load_strided, store_strided
from ..text.emit import Function, Reg, const, memory_type, vector_of, word
from .gather import add
from .kernel import Kernel, Lowering, Params, Types, lanes_for
from .nest import GRAIN, Axis, Blocks, axes_of, blocks, in_order_of, merged, moved, span, walk


def without(shape: Shape, axis: int) -> Shape:
    """A shape that has lost one axis."""
    return (*shape[:axis], *shape[axis + 1 :])


def wins(f: Function, dtype: DType, candidate: Reg, best: Reg, largest: bool) -> Reg:
    """Whether a candidate replaces the best so far: it is strictly beyond it, or the first NaN."""
    if dtype.kind != "f":
        sign = "u" if dtype.kind in "ub" else "s"
        return f.compare(f"icmp {sign}{'gt' if largest else 'lt'}", candidate, best)
    beyond = f.compare(f"fcmp {'ugt' if largest else 'ult'}", candidate, best)
    return f.binary("and", beyond, f.compare("fcmp ord", best, best))


@dataclass(frozen=True, slots=True)
class Line:
    """`lanes` neighbouring lines along the axis: where they start, and how to step along and across."""

    f: Function
    dtype: DType
    pointer: Reg
    lanes: int
    along: int
    across: int

    def load(self, index: Reg | int) -> Reg:
        """Element `index` of each line."""
        place = word(index) if isinstance(index, int) else index
        at = self.f.at(self.pointer, memory_type(self.dtype), self.f.times(place, self.along))
        return load_strided(self.f, self.dtype, at, self.across, self.lanes)

    def store(self, index: Reg, value: Reg) -> None:
        """Set element `index` of each line."""
        at = self.f.at(self.pointer, memory_type(self.dtype), self.f.times(index, self.along))
        store_strided(self.f, self.dtype, value, at, self.across)


LineBody = Callable[[Sequence[Line]], None]


def for_lines(kernel: Kernel, plan: Blocks, axis: int, arrays: Sequence[Array], lanes: int, body: LineBody) -> None:
    """The body for each line along `axis`, several lines at once if the first array has them side by side.

    Arrays with one axis less have no steps along. 0 lanes: always one line after the other.
    """
    f, full = kernel.f, arrays[0].ndim
    along = [array.strides[axis] if array.ndim == full else 0 for array in arrays]
    shape = without(arrays[0].shape, axis)
    views = [
        Array(array.pointer, array.dtype, shape, without(array.strides, axis)) if array.ndim == full else array
        for array in arrays
    ]
    elements = [memory_type(array.dtype) for array in arrays]
    with kernel.each(plan) as ranges:
        axes = merged(f, in_order_of(axes_of(ranges, *views), 0))
        across = axes[-1] if lanes and axes and axes[-1].steps[0] == 1 and along[0] != 1 else None

        def lines(at: Sequence[Reg], count: int, steps: Sequence[int]) -> None:
            body([Line(f, *each) for each in zip((a.dtype for a in arrays), at, [count] * len(at), along, steps)])

        def inner(at: Sequence[Reg], chosen: Axis) -> None:
            def several(index: Reg, count: int) -> None:
                lines(moved(f, at, elements, index, chosen.steps), count, chosen.steps)

            span(f, chosen.low, chosen.high, lanes, several)

        if across is None:
            walk(f, axes, views, lambda at, _: lines(at, 0, [0] * len(arrays)))
        else:
            walk(f, axes[:-1], views, lambda at, _: inner(at, across))


# -- argmax, argmin


def line_blocks(shape: Shape, axis: int) -> Blocks:
    """Tasks of about a grain of elements, each some whole lines along `axis`."""
    return blocks(without(shape, axis), max(1, GRAIN // max(1, shape[axis])))


def tasks_of_lines(inputs: Types, outputs: Types, params: Params) -> int:
    """Tasks of a primitive that goes along one axis of its input."""
    shape = inputs[0].shape
    return line_blocks(shape, params["axis"] % len(shape)).tasks if inputs[0].size else 0


def _position(largest: bool) -> Callable[[Kernel], None]:
    def body(kernel: Kernel) -> None:
        x, target = kernel.inputs[0], kernel.outputs[0]
        axis = kernel.params["axis"] % x.ndim
        lanes = lanes_for(x.dtype)
        in_vectors = x.strides[axis] == 1 and x.shape[axis] >= 2 * lanes

        def one(lines: Sequence[Line]) -> None:
            search = _search_in_vectors if in_vectors and not lines[0].lanes else _search
            lines[1].store(word(0), search(lines[0], x.shape[axis], largest))

        for_lines(kernel, line_blocks(x.shape, axis), axis, [x, target], lanes, one)

    return body


def _counter(dtype: DType, size: int) -> str:
    """Positions are counted in integers as wide as the elements where they fit."""
    return "i32" if dtype.itemsize < 8 and size < 2**31 else "i64"


def _wide(f: Function, position: Reg) -> Reg:
    return position if position.element == "i64" else f.convert("sext", position, "i64")


def _narrow(f: Function, index: Reg, element: str) -> Reg:
    if index.name.lstrip("-").isdigit():
        return Reg(element, index.name)
    return index if element == "i64" else f.convert("trunc", index, element)


def _search(line: Line, size: int, largest: bool) -> Reg:
    f, element = line.f, _counter(line.dtype, size)
    start = const(vector_of(element, line.lanes), 0)
    best, position = line.load(0), start
    if size > 1:
        with f.loop(1, size, 1, (best, position)) as loop:
            loop.carry(*_step(line, loop.index, loop.carried, element, largest))
        position = loop.results[1]
    return _wide(f, position)


def _step(line: Line, index: Reg, carried: Sequence[Reg], element: str, largest: bool) -> tuple[Reg, Reg]:
    f = line.f
    candidate = line.load(index)
    better = wins(f, line.dtype, candidate, carried[0], largest)
    here = f.splat(_narrow(f, index, element), line.lanes)
    return f.select(better, candidate, carried[0]), f.select(better, here, carried[1])


def _search_in_vectors(line: Line, size: int, largest: bool) -> Reg:
    """One line with neighbours along it: each lane looks at its own elements, then the lanes are compared."""
    f, lanes, element = line.f, lanes_for(line.dtype), _counter(line.dtype, size)
    wide = Line(f, line.dtype, line.pointer, lanes, 1, 1)
    numbers = ", ".join(f"{element} {lane}" for lane in range(lanes))
    best, position = wide.load(0), Reg(vector_of(element, lanes), f"<{numbers}>")
    end = size // lanes * lanes
    with f.loop(lanes, end, lanes, (best, position)) as loop:
        candidate = wide.load(loop.index)
        better = wins(f, line.dtype, candidate, loop.carried[0], largest)
        here = f.binary("add", f.splat(_narrow(f, loop.index, element), lanes), position)
        loop.carry(f.select(better, candidate, loop.carried[0]), f.select(better, here, loop.carried[1]))
    found = _best_lane(f, line.dtype, loop.results, largest)
    for index in range(end, size):
        found = _step(line, word(index), found, element, largest)
    return _wide(f, found[1])


def _best_lane(f: Function, dtype: DType, vectors: Sequence[Reg], largest: bool) -> tuple[Reg, Reg]:
    """Of equal elements, or of several NaNs, the one with the lowest position."""
    best, position = (f.extract(vector, 0) for vector in vectors)
    for lane in range(1, vectors[0].lanes):
        candidate, here = (f.extract(vector, lane) for vector in vectors)
        better = wins(f, dtype, candidate, best, largest)
        worse = wins(f, dtype, best, candidate, largest)
        equal = f.binary("xor", f.binary("or", better, worse), const("i1", 1))
        earlier = f.binary("and", equal, f.compare("icmp slt", here, position))
        better = f.binary("or", better, earlier)
        best, position = f.select(better, candidate, best), f.select(better, here, position)
    return best, position


# -- running sums


def _running_sum(kernel: Kernel) -> None:
    f, x, target = kernel.f, kernel.inputs[0], kernel.outputs[0]
    axis = kernel.params["axis"] % x.ndim
    size = x.shape[axis]

    def one(lines: Sequence[Line]) -> None:
        source, result = lines
        total = source.load(0)
        result.store(word(0), total)
        if size > 1:
            with f.loop(1, size, 1, (total,)) as loop:
                total = add(f, x.dtype, loop.carried[0], source.load(loop.index))
                result.store(loop.index, total)
                loop.carry(total)

    for_lines(kernel, line_blocks(x.shape, axis), axis, [x, target], lanes_for(x.dtype), one)


ALONG = {
    "argmax": Lowering(tasks_of_lines, _position(True)),
    "argmin": Lowering(tasks_of_lines, _position(False)),
    "cumulative_sum": Lowering(tasks_of_lines, _running_sum),
}
