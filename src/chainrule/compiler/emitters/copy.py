"""Primitives that move elements: copies from any strides to any, by 2-D tiles where the layouts are transposed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...ir.types import Shape
from ..text.array import Array, load_strided, store_strided
from ..text.emit import Function, Reg, const, is_literal, memory_type, vector_of, word
from ..text.fetch import CACHE_LINE
from ..text.squares import turn_square
from .kernel import Kernel, Lowering, Params, Types, lanes_for
from .nest import Axis, Range, axes_of, blocks, empty, in_order_of, merged, moved, span, vectors_end, walk

LARGEST_TILE = 16
"""Lanes of the largest block that is transposed in registers."""
SMALLEST_TILE = 4

# -- blocks of one array to another


def copy_block(f: Function, source: Array, target: Array, ranges: Sequence[Range]) -> None:
    """target[ranges] = source[ranges], of one shape."""
    arrays = source.raw(), target.raw()
    axes = merged(f, in_order_of(axes_of(ranges, *arrays), 1))
    partner = _partner(axes)
    if partner is None:
        _copy_rows(f, axes, arrays)
        return
    rest = [axis for place, axis in enumerate(axes[:-1]) if place != partner]
    walk(f, rest, arrays, lambda at, _: _transpose(f, axes[partner], axes[-1], _placed(arrays, at)))


def fill_block(f: Function, target: Array, ranges: Sequence[Range], number: float) -> None:
    """target[ranges] = number."""
    raw = target.raw()
    axes = merged(f, in_order_of(axes_of(ranges, raw), 0))
    element = memory_type(raw.dtype)

    def fill(at: Sequence[Reg], index: Reg, lanes: int) -> None:
        value = const(vector_of(element, lanes), number)
        there = moved(f, at, [element], index, axes[-1].steps) if axes else at
        store_strided(f, raw.dtype, value, there[0], axes[-1].steps[0] if axes else 0)

    if not axes:
        fill([raw.pointer], word(0), 0)
        return
    last, lanes = axes[-1], lanes_for(raw.dtype)
    walk(f, axes[:-1], [raw], lambda at, _: span(f, last.low, last.high, lanes, lambda i, n: fill(at, i, n)))


def _placed(arrays: Sequence[Array], pointers: Sequence[Reg]) -> list[Array]:
    return [replace(array, pointer=pointer) for array, pointer in zip(arrays, pointers)]


def _copy_rows(f: Function, axes: Sequence[Axis], arrays: Sequence[Array]) -> None:
    dtype = arrays[0].dtype
    if any(empty(axis.low, axis.high) for axis in axes):
        return
    if not axes:
        f.store(f.load(memory_type(dtype), arrays[0].pointer), arrays[1].pointer)
        return
    last, element = axes[-1], memory_type(dtype)

    def piece(at: Sequence[Reg], index: Reg, lanes: int) -> None:
        source, target = moved(f, at, [element] * 2, index, last.steps)
        store_strided(f, dtype, load_strided(f, dtype, source, last.steps[0], lanes), target, last.steps[1])

    lanes = lanes_for(dtype)
    walk(f, axes[:-1], arrays, lambda at, _: span(f, last.low, last.high, lanes, lambda i, n: piece(at, i, n)))


# -- transposing in registers


def _partner(axes: Sequence[Axis]) -> int | None:
    """The loop along which the source has its neighbours, if the target has them along the last."""
    if not axes or axes[-1].steps[1] != 1 or axes[-1].steps[0] in (0, 1):
        return None
    for place, axis in enumerate(axes[:-1]):
        if axis.steps[0] == 1 and min(axis.size, axes[-1].size) >= SMALLEST_TILE:
            return place
    return None


def _transpose(f: Function, down: Axis, along: Axis, arrays: Sequence[Array]) -> None:
    """A plane whose source has neighbours along `down` and whose target has them along `along`."""
    dtype = arrays[0].dtype
    tile = min(lanes_for(dtype), LARGEST_TILE)
    while tile > min(down.size, along.size):
        tile //= 2
    down_end, along_end = (vectors_end(f, axis.low, axis.high, tile) for axis in (down, along))
    if not empty(down.low, down_end) and not empty(along.low, along_end):
        elements = [memory_type(dtype)] * 2
        line = max(tile, CACHE_LINE // dtype.itemsize)
        with f.loop(along.low, along_end, line) as part, f.loop(down.low, down_end, tile) as row:
            corner = moved(f, [array.pointer for array in arrays], elements, row.index, down.steps)
            with f.loop(part.index, f.minimum(f.add(part.index, line), along_end), tile) as column:
                _tile(f, _placed(arrays, moved(f, corner, elements, column.index, along.steps)), down, along, tile)
    _rest(f, replace(down, high=down_end), _from(along, along_end), arrays)
    _rest(f, _from(down, down_end), along, arrays)


def _from(axis: Axis, low: Reg) -> Axis:
    """What is left of an axis; its size where that is known."""
    known = is_literal(low) and is_literal(axis.high)
    return replace(axis, low=low, size=int(axis.high.name) - int(low.name) if known else 0)


def _rest(f: Function, down: Axis, along: Axis, arrays: Sequence[Array]) -> None:
    """What is left of a plane: in smaller squares where these fit, else row by row."""
    if min(down.size, along.size) >= SMALLEST_TILE:
        _transpose(f, down, along, arrays)
    else:
        _copy_rows(f, [down, along], arrays)


def _tile(f: Function, arrays: Sequence[Array], down: Axis, along: Axis, tile: int) -> None:
    element = memory_type(arrays[0].dtype)
    source, target = (array.pointer for array in arrays)
    turn_square(f, element, tile, source, along.steps[0], target, down.steps[1])


# -- views as copies


def _copy_tasks(inputs: Types, outputs: Types, params: Params) -> int:
    return blocks(outputs[0].shape).tasks


def _copy_all(kernel: Kernel, source: Array) -> None:
    target = kernel.outputs[0]
    with kernel.each(blocks(target.shape)) as ranges:
        copy_block(kernel.f, source, target, ranges)


def _copy(kernel: Kernel) -> None:
    _copy_all(kernel, kernel.inputs[0])


def _permute(kernel: Kernel) -> None:
    _copy_all(kernel, kernel.inputs[0].permuted(kernel.params["axes"]))


def _broadcast(kernel: Kernel) -> None:
    _copy_all(kernel, kernel.inputs[0].broadcast(kernel.params["shape"]))


def _slice(kernel: Kernel) -> None:
    starts, steps = kernel.params["starts"], kernel.params["steps"]
    _copy_all(kernel, kernel.inputs[0].sliced(kernel.f, starts, steps, kernel.outputs[0].shape))


def _flip(kernel: Kernel) -> None:
    source, axes = kernel.inputs[0], {axis % max(1, kernel.inputs[0].ndim) for axis in kernel.params["axes"]}
    starts = tuple(size - 1 if axis in axes else 0 for axis, size in enumerate(source.shape))
    steps = tuple(-1 if axis in axes else 1 for axis in range(source.ndim))
    _copy_all(kernel, source.sliced(kernel.f, starts, steps, source.shape))


# -- reshape


def _reshape_tasks(inputs: Types, outputs: Types, params: Params) -> int:
    return blocks(inputs[0].shape).tasks


def _reshape(kernel: Kernel) -> None:
    source, target = kernel.inputs[0], kernel.outputs[0]
    with kernel.each(blocks(source.shape)) as ranges:
        if target.is_dense:
            copy_block(kernel.f, source, target.reshaped(source.shape), ranges)
        else:
            _copy_by_number(kernel.f, source, target, ranges)


def _copy_by_number(f: Function, source: Array, target: Array, ranges: Sequence[Range]) -> None:
    """Element by element, by the number of the element in row-major order."""
    raw = source.raw(), target.raw()

    def one(at: Sequence[Reg], indices: Sequence[Reg]) -> None:
        raw[1].store(f, unravelled(f, ravelled(f, indices, source.shape), target.shape), f.load(memory, at[0]))

    memory = memory_type(raw[0].dtype)
    walk(f, axes_of(ranges, raw[0]), raw[:1], one)


def ravelled(f: Function, indices: Sequence[Reg], shape: Shape) -> Reg:
    """The row-major number of an element."""
    number = word(0)
    for index, size in zip(indices, shape):
        number = f.add(f.times(number, size), index)
    return number


def unravelled(f: Function, number: Reg, shape: Shape) -> list[Reg]:
    """The indices of the element with a row-major number."""
    found: list[Reg] = []
    for size in shape[:0:-1]:
        found.append(f.binary("urem", number, word(size)))
        number = f.binary("udiv", number, word(size))
    return [number, *found[::-1]] if shape else []


# -- concat, pad, custom_gradient


def _concat(kernel: Kernel) -> None:
    """Each task fills its block of the output from the inputs that reach into it."""
    f, target, axis = kernel.f, kernel.outputs[0], kernel.params["axis"] % kernel.outputs[0].ndim
    with kernel.each(blocks(target.shape)) as ranges:
        start = 0
        for source in kernel.inputs:
            size = source.shape[axis]
            starts = tuple(start if place == axis else 0 for place in range(target.ndim))
            part = target.sliced(f, starts, (1,) * target.ndim, source.shape)
            own = list(ranges)
            own[axis] = clipped(f, ranges[axis], start, 1, size)
            if size:
                copy_block(f, source, part, own)
            start += size


def clipped(f: Function, bounds: Range, start: int, step: int, size: int) -> Range:
    """Which of `size` elements that lie at start, start + step, ... lie within bounds."""
    low, high = (f.add(bound, step - 1 - start) for bound in bounds)
    low, high = (f.maximum(_quotient(f, bound, step), word(0)) for bound in (low, high))
    return low, f.maximum(f.minimum(high, word(size)), low)


def _quotient(f: Function, number: Reg, divisor: int) -> Reg:
    """Rounded toward zero; good enough where negative numbers become 0 anyway."""
    if divisor == 1:
        return number
    if not number.name.startswith("%"):
        return word(int(number.name) // divisor)
    return f.binary("sdiv", number, word(divisor))


def _pad(kernel: Kernel) -> None:
    """Each task fills its block with zeros and copies what lies in it."""
    f, source, target = kernel.f, kernel.inputs[0], kernel.outputs[0]
    low, steps = kernel.params["low"], tuple(gap + 1 for gap in kernel.params["interior"])
    with kernel.each(blocks(target.shape)) as ranges:
        if target.shape != source.shape:
            fill_block(f, target, ranges, 0)
        own = [clipped(f, *each) for each in zip(ranges, low, steps, source.shape)]
        if source.size:
            copy_block(f, source, target.sliced(f, low, steps, source.shape), own)


def _custom_tasks(inputs: Types, outputs: Types, params: Params) -> int:
    return sum(blocks(kind.shape).tasks for kind in outputs)


def _custom(kernel: Kernel) -> None:
    """The first inputs are the outputs; each has tasks of its own."""
    f, first = kernel.f, 0
    for source, target in zip(kernel.inputs, kernel.outputs):
        plan = blocks(target.shape)
        begin, end = f.maximum(kernel.begin, word(first)), f.minimum(kernel.end, word(first + plan.tasks))
        if plan.tasks:
            with f.loop(begin, end) as loop:
                task = f.add(loop.index, -first)
                copy_block(f, source, target, plan.ranges(f, task))
        first += plan.tasks


COPIES = {
    "copy": Lowering(_copy_tasks, _copy),
    "permute_dims": Lowering(_copy_tasks, _permute),
    "broadcast_to": Lowering(_copy_tasks, _broadcast),
    "slice": Lowering(_copy_tasks, _slice),
    "flip": Lowering(_copy_tasks, _flip),
    "reshape": Lowering(_reshape_tasks, _reshape),
    "concat": Lowering(_copy_tasks, _concat),
    "pad": Lowering(_copy_tasks, _pad),
    "custom_gradient": Lowering(_custom_tasks, _custom),
}
