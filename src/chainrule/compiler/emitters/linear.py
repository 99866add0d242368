"""Matrix products and convolutions the plain way: any element type, rank, stride, dilation and groups. Not fast."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from ...ir.types import DType, Shape
from ..text.array import Array, load_strided, store_strided
from ..text.emit import Function, Reg, const, memory_type, vector_of, word
from .kernel import Kernel, Lowering, Params, Types, lanes_for
from .nest import GRAIN, Blocks, axes_of, blocks, moved, span, walk
from .places import Place
from .taps import Taps, backward_taps, element, forward_taps, met, over_taps


def multiply_add(f: Function, dtype: DType, left: Reg, right: Reg, total: Reg) -> Reg:
    """total + left · right; integers modulo their size."""
    if dtype.kind == "f":
        return f.fma(left, right, total)
    return f.binary("add", total, f.binary("mul", left, right))


# -- matmul


def _matmul_blocks(left: Shape, output: Shape) -> Blocks:
    return blocks(output, max(1, GRAIN // max(1, left[-1])))


def _matmul_tasks(inputs: Types, outputs: Types, params: Params) -> int:
    return _matmul_blocks(inputs[0].shape, outputs[0].shape).tasks


def _matmul(kernel: Kernel) -> None:
    f, (left, right), target = kernel.f, kernel.inputs, kernel.outputs[0]
    rows = replace(left, shape=target.shape, strides=(*left.strides[:-1], 0))
    columns = replace(right, shape=target.shape, strides=(*right.strides[:-2], 0, right.strides[-1]))
    arrays = (rows, columns, target)
    elements = [memory_type(target.dtype)] * 3
    with kernel.each(_matmul_blocks(left.shape, target.shape)) as ranges:
        axes = axes_of(ranges, *arrays)
        last = axes[-1]
        lanes = lanes_for(target.dtype) if last.steps[1] == 1 else 1

        def several(at: Sequence[Reg], index: Reg, count: int) -> None:
            there = moved(f, at, elements, index, last.steps)
            steps = left.strides[-1], right.strides[-2]
            total = _product(f, target.dtype, there, steps, left.shape[-1], count if lanes > 1 else 0)
            store_strided(f, target.dtype, total, there[2], last.steps[2])

        walk(f, axes[:-1], arrays, lambda at, _: span(f, last.low, last.high, lanes, lambda i, n: several(at, i, n)))


def _product(f: Function, dtype: DType, at: Sequence[Reg], steps: tuple[int, int], inner: int, lanes: int) -> Reg:
    """One row times `lanes` neighbouring columns."""
    element_type = memory_type(dtype)
    total = const(vector_of(element_type, lanes), 0)
    if not inner:
        return total
    with f.loop(0, inner, 1, (total,)) as loop:
        left, right = moved(f, at[:2], [element_type] * 2, loop.index, steps)
        row = f.splat(f.load(element_type, left), lanes)
        column = load_strided(f, dtype, right, 1, lanes)
        loop.carry(multiply_add(f, dtype, row, column, loop.carried[0]))
    return loop.results[0]


# -- convolutions: walk the output, sum over channels (or the batch) and taps

Sum = Callable[[Kernel, Sequence[Reg], Place], Reg]


def _work(inputs: Types, outputs: Types, params: Params) -> int:
    """Products in one element of the output, at most."""
    if "kernel" in params:
        return inputs[0].shape[0] * math.prod(inputs[1].shape[2:])
    weight = inputs[1].shape
    return math.prod(weight[2:]) * (weight[0] // params["groups"] if "sizes" in params else weight[1])


def _conv_blocks(inputs: Types, outputs: Types, params: Params) -> Blocks:
    return blocks(outputs[0].shape, max(1, GRAIN // max(1, _work(inputs, outputs, params))))


def _conv_tasks(inputs: Types, outputs: Types, params: Params) -> int:
    return _conv_blocks(inputs, outputs, params).tasks


def _for_outputs(total: Sum) -> Callable[[Kernel], None]:
    def body(kernel: Kernel) -> None:
        f, target = kernel.f, kernel.outputs[0]
        plan = _conv_blocks([each.type for each in kernel.inputs], [target.type], kernel.params)

        def one(at: Sequence[Reg], indices: Sequence[Reg]) -> None:
            place = Place(target.pointer, at[0], indices[2:], [False] * (target.ndim - 2))
            store_strided(f, target.dtype, total(kernel, indices[:2], place), at[0], 0)

        with kernel.each(plan) as ranges:
            walk(f, axes_of(ranges, target), [target], one)

    return body


def _weight_at(f: Function, weight: Array, taps: Sequence[Taps], numbers: Sequence[Reg]) -> Reg:
    """The kernel element of a tap; `weight` is the kernel of one channel."""
    places = [f.add(each.start, f.times(number, each.jump)) for each, number in zip(taps, numbers)]
    return weight.load(f, places)


def _sum_over(f: Function, dtype: DType, count: int, body: Callable[[Reg, Reg], Reg]) -> Reg:
    """body(index, total so far) -> total, for each index."""
    total = const(memory_type(dtype), 0.0)
    if not count:
        return total
    with f.loop(0, count, 1, (total,)) as loop:
        loop.carry(body(loop.index, loop.carried[0]))
    return loop.results[0]


def _forward(kernel: Kernel, indices: Sequence[Reg], place: Place) -> Reg:
    f, (x, weight), params = kernel.f, kernel.inputs, kernel.params
    batch, out = indices
    channels = weight.shape[1]
    group = f.binary("udiv", out, word(max(1, weight.shape[0] // params["groups"])))
    taps = forward_taps(f, params, x.shape[2:], weight.shape[2:], place)

    def channel(index: Reg, total: Reg) -> Reg:
        source = replace(place, source=x.address(f, [batch, f.add(f.times(group, channels), index)]))
        own = weight.row(f, out, index)

        def step(numbers: Sequence[Reg], carried: Sequence[Reg]) -> Sequence[Reg]:
            value = element(f, x, taps, numbers, source)
            return [multiply_add(f, x.dtype, value, _weight_at(f, own, taps, numbers), carried[0])]

        return over_taps(f, taps, [total], step)[0]

    return _sum_over(f, x.dtype, channels, channel)


def _input_gradient(kernel: Kernel, indices: Sequence[Reg], place: Place) -> Reg:
    f, (g, weight), params = kernel.f, kernel.inputs, kernel.params
    batch, into = indices
    many, channels = weight.shape[0] // params["groups"], weight.shape[1]
    group, channel = (f.binary(operation, into, word(channels)) for operation in ("udiv", "urem"))
    taps = backward_taps(f, params, weight.shape[2:], g.shape[2:], place)

    def output(index: Reg, total: Reg) -> Reg:
        out = f.add(f.times(group, many), index)
        plane, own = g.row(f, batch, out), weight.row(f, out, channel)

        def step(numbers: Sequence[Reg], carried: Sequence[Reg]) -> Sequence[Reg]:
            places, exists = met(f, taps, numbers)
            product = multiply_add(f, g.dtype, plane.load(f, places), _weight_at(f, own, taps, numbers), carried[0])
            return [product if exists is None else f.select(exists, product, carried[0])]

        return over_taps(f, taps, [total], step)[0]

    return _sum_over(f, g.dtype, many, output)


def _weight_gradient(kernel: Kernel, indices: Sequence[Reg], place: Place) -> Reg:
    """A window as large as the output, whose taps lie a stride apart, slides by the dilation."""
    f, (x, g), params = kernel.f, kernel.inputs, kernel.params
    out, channel = indices
    channels = x.shape[1] // params["groups"]
    group = f.binary("udiv", out, word(max(1, g.shape[1] // params["groups"])))
    swapped: Params = {**params, "stride": params["dilation"], "dilation": params["stride"]}
    taps = forward_taps(f, swapped, x.shape[2:], g.shape[2:], place)

    def example(index: Reg, total: Reg) -> Reg:
        source = replace(place, source=x.address(f, [index, f.add(f.times(group, channels), channel)]))
        plane = g.row(f, index, out)

        def step(numbers: Sequence[Reg], carried: Sequence[Reg]) -> Sequence[Reg]:
            value = element(f, x, taps, numbers, source)
            return [multiply_add(f, x.dtype, value, plane.load(f, numbers), carried[0])]

        return over_taps(f, taps, [total], step)[0]

    return _sum_over(f, x.dtype, x.shape[0], example)


LINEAR = {
    "matmul": Lowering(_matmul_tasks, _matmul),
    "convolution": Lowering(_conv_tasks, _for_outputs(_forward)),
    "convolution_input_gradient": Lowering(_conv_tasks, _for_outputs(_input_gradient)),
    "convolution_weight_gradient": Lowering(_conv_tasks, _for_outputs(_weight_gradient)),
}
