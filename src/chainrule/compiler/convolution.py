"""Convolutions over two spatial axes as tiles that run over the windows: no windows are copied out, no halo multiplied.

Two ways. Channels that fill vectors are the lanes and lie innermost, behind the examples: (height, width, examples,
channels). Channels that don't: the examples are the lanes and lie innermost (height, width, channels, examples).

The gradient of the input is a convolution of the cotangent with the weights turned round: for stride s, one for each
of the s · s sets of places that meet the same part of the kernel. The gradient of the weights sums over places.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..ir.graph import Equation
from ..ir.types import ArrayType
from .convolution_batch import BatchKernel
from .convolution_channels import ChannelsKernel
from .convolution_dots import WeightDots
from .convolution_weights import WeightKernel
from .convolution_window import Remainder, Window, remainders, windows_of
from .place import Buffer, Kind, Place, dense
from .program import Pointer, pointer_to

if TYPE_CHECKING:
    from .units import Lowering

EXAMPLES_INNERMOST = (2, 3, 1, 0)
CHANNELS_INNERMOST = (2, 3, 0, 1)
FUSED_MULTIPLY = 1 / 50


def lower_convolution(lowering: Lowering, equation: Equation) -> bool:
    """Lower a convolution primitive of two spatial axes and one group; False where this is none."""
    name, params = equation.primitive.name, equation.params
    if not name.startswith("convolution") or params["groups"] != 1 or equation.inputs[0].ndim != 4:
        return False
    if any(value.size == 0 for value in equation.inputs):
        return False
    if name == "convolution_input_gradient" and any(
        gap > 1 and step > 1 for gap, step in zip(params["dilation"], params["stride"])
    ):
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


def laid_out(lowering: Lowering, place: Place, order: tuple[int, ...]) -> Place:
    """A place with its axes in `order`; a copy is made once and shared by all who ask."""
    if _lies(place, order):
        return replace(place, strides=dense(place.shape, order))
    return lowering.shared_copy(place, order)


def _lies(place: Place, order: tuple[int, ...]) -> bool:
    wanted = dense(place.shape, order)
    return all(have == want or size == 1 for have, want, size in zip(place.strides, wanted, place.shape))


def _label(equation: Equation) -> str:
    x, y = equation.inputs[0], equation.outputs[0]
    name = equation.primitive.name
    return f"{name} {'x'.join(map(str, x.shape))} to {'x'.join(map(str, y.shape))}"


# -- the convolution


def _forward(lowering: Lowering, equation: Equation) -> None:
    x, weight = (lowering.place_of(value) for value in equation.inputs)
    y = equation.outputs[0]
    rows, columns = windows_of(x.shape[2:], weight.shape[2:], y.shape[2:], equation.params)
    batch = _uses_batch(lowering, x.shape[0], x.shape[1], y.shape[1], x.dtype)
    order = EXAMPLES_INNERMOST if batch else CHANNELS_INNERMOST
    source = laid_out(lowering, x, order)
    target = lowering.allocate(y, order)
    if not _lies(target, order):
        target = lowering.temporary(y.type, order)
    _convolve(lowering, source, weight, target, rows, columns, batch, equation)
    if target is not lowering.places[id(y)]:
        lowering.copy(target, lowering.places[id(y)])


def _convolve(
    lowering: Lowering,
    x: Place,
    weight: Place,
    y: Place,
    rows: Window,
    columns: Window,
    batch: bool,
    equation: Equation,
) -> None:
    """y(n, o, i, j) = Σ w(o, c, k, l) x(n, c, i·s + k·d - p, j·s + l·d - p)."""
    flops = 2.0 * math.prod(y.shape) * math.prod(weight.shape[1:])
    kernel: BatchKernel | ChannelsKernel
    if batch:
        packed = lowering.copied(weight, (2, 3, 1, 0))  # (row, column, channel, output channel)
        kernel = BatchKernel(lowering, x, y, rows, columns)
    else:
        kernel = ChannelsKernel(lowering, x, y, rows, columns)
        packed = _packed(lowering, weight, kernel.lanes, f"{_label(equation)}: weights laid out")
    pointers = [pointer_to(place) for place in (packed, x, y)]
    key = (type(kernel), rows, columns, *_layouts(packed, x, y))
    cost = flops * FUSED_MULTIPLY
    lowering.call(kernel.write, pointers, kernel.tasks, cost, [y.buffer], _label(equation), _line(equation), key)


def _line(equation: Equation) -> str:
    return str(equation.source) if equation.source else ""


def _layouts(*places: Place) -> tuple[Any, ...]:
    """All that a kernel depends on."""
    return tuple((place.dtype, place.shape, place.strides) for place in places)


def _packed(lowering: Lowering, weight: Place, lanes: int, label: str) -> Place:
    """The weights as (vector, row, column, channel, lane), output channels in vectors; lanes beyond them are zero."""
    out, channels, *kernel = weight.shape
    whole, rest = divmod(out, lanes)
    target = lowering.temporary(ArrayType((-(-out // lanes), *kernel, channels, lanes), weight.dtype))
    for first, count, width in ((0, whole, lanes), (whole, 1, rest)):
        if not count or not width:
            continue
        vectors = replace(
            weight,
            shape=(count, *kernel, channels, width),
            strides=(weight.strides[0] * lanes, *weight.strides[2:], weight.strides[1], weight.strides[0]),
            offset=weight.offset + first * lanes * weight.strides[0],
        )
        lowering.opaque("copy", [vectors], [_part(target, first, count, 0, width)], {}, label, "")
    if rest:
        _clear(lowering, _part(target, whole, 1, rest, lanes - rest))
    return target


def _part(packed: Place, first: int, count: int, lane: int, lanes: int) -> Place:
    shape = (count, *packed.shape[1:-1], lanes)
    return replace(packed, shape=shape, offset=packed.offset + first * packed.strides[0] + lane)


def _clear(lowering: Lowering, place: Place) -> None:
    zero = Buffer(place.dtype, 1, Kind.CONSTANT, data=np.zeros(1, place.dtype))
    lowering.constants.append(zero)
    lowering.copy(Place(zero, place.dtype, place.shape, (0,) * len(place.shape)), place)


# -- the gradient of the input


def _input_gradient(lowering: Lowering, equation: Equation) -> None:
    """dx(i) = Σ w(k) g(o) over o·s + k·d = i + p: for the places i of one remainder, a convolution with stride 1."""
    g, weight = (lowering.place_of(value) for value in equation.inputs)
    x = equation.outputs[0]
    batch = _uses_batch(lowering, g.shape[0], x.shape[1], g.shape[1], g.dtype)
    order = EXAMPLES_INNERMOST if batch else CHANNELS_INNERMOST
    source = laid_out(lowering, g, order)
    place = lowering.allocate(x, order)
    target = place if _lies(place, order) else lowering.temporary(x.type, order)
    turned = replace(weight, shape=_swap(weight.shape), strides=_swap(weight.strides))
    windows = windows_of(x.shape[2:], weight.shape[2:], g.shape[2:], equation.params)
    for vertical in remainders(windows[0]):
        for across in remainders(windows[1]):
            piece = _every(target, vertical, across)
            if not vertical.taps or not across.taps:
                _clear(lowering, piece)
                continue
            taps = _taps(turned, vertical, across)
            _convolve(lowering, source, taps, piece, vertical.window, across.window, batch, equation)
    if target is not place:
        lowering.copy(target, place)


def _swap(listed: tuple[int, ...]) -> tuple[int, ...]:
    return (listed[1], listed[0], *listed[2:])


def _every(place: Place, vertical: Remainder, across: Remainder) -> Place:
    """The places of one remainder along both axes."""
    strides = place.strides
    return replace(
        place,
        shape=(*place.shape[:2], vertical.count, across.count),
        strides=(*strides[:2], strides[2] * vertical.step, strides[3] * across.step),
        offset=place.offset + vertical.first * strides[2] + across.first * strides[3],
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


# -- the gradient of the weights


def _weight_gradient(lowering: Lowering, equation: Equation) -> None:
    x, g = (lowering.place_of(value) for value in equation.inputs)
    weight = equation.outputs[0]
    windows = windows_of(x.shape[2:], weight.shape[2:], g.shape[2:], equation.params)
    batch = _uses_batch(lowering, x.shape[0], x.shape[1], g.shape[1], x.dtype)
    order = EXAMPLES_INNERMOST if batch else CHANNELS_INNERMOST
    source, cotangent = (laid_out(lowering, place, order) for place in (x, g))
    make = _weight_dots if batch else _weight_tiles
    make(lowering, equation, source, cotangent, (windows[0], windows[1]))


def _weight_dots(lowering: Lowering, equation: Equation, x: Place, g: Place, windows: tuple[Window, Window]) -> None:
    target = lowering.allocate(equation.outputs[0])
    kernel = WeightDots(lowering, x, g, target, *windows)
    scratch = Buffer(x.dtype, kernel.scratch_elements, Kind.ARENA)
    pointers = [*map(pointer_to, (g, x, target)), Pointer(scratch)]
    key = (WeightDots, windows, *_layouts(x, g, target))
    cost, written = _weight_cost(equation), [target.buffer, scratch]
    lowering.call(kernel.write, pointers, kernel.tasks, cost, written, _label(equation), _line(equation), key)


def _weight_tiles(lowering: Lowering, equation: Equation, x: Place, g: Place, windows: tuple[Window, Window]) -> None:
    weight = equation.outputs[0]
    packed = lowering.temporary(weight.type, (2, 3, 1, 0))
    kernel = WeightKernel(lowering, x, g, *windows)
    parts = ArrayType((kernel.chunks, kernel.size), x.dtype)
    sums = packed if kernel.chunks == 1 else lowering.temporary(parts)
    key = (WeightKernel, windows, *_layouts(x, g))
    pointers = [pointer_to(place) for place in (x, g, sums)]
    cost, written = _weight_cost(equation), [sums.buffer]
    lowering.call(kernel.write, pointers, kernel.tasks, cost, written, _label(equation), _line(equation), key)
    if sums is not packed:
        flat = replace(packed, shape=(kernel.size,), strides=(1,))
        lowering.opaque("sum", [sums], [flat], {"axes": (0,)}, f"{_label(equation)}: sum of parts", "")
    lowering.opaque("copy", [packed], [lowering.allocate(weight)], {}, f"{_label(equation)}: laid out", "")


def _weight_cost(equation: Equation) -> float:
    g, weight = equation.inputs[1], equation.outputs[0]
    return 2.0 * math.prod(g.shape) * math.prod(weight.shape[1:]) * FUSED_MULTIPLY
