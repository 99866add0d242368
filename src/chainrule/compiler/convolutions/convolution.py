"""Convolutions over two spatial axes as tiles that run over the windows: no windows are copied out, no halo multiplied.

Two ways. Channels that fill vectors are the lanes and lie innermost, behind the examples: (height, width, examples,
channels). Channels that don't: the examples are the lanes and lie innermost (height, width, channels, examples).
Groups are parts of the same arrays, one after the other; where each channel is a group, lanes are channels too.

The gradient of the input is a convolution of the cotangent with the weights turned round: for stride s, one for each
of the s · s sets of places that meet the same part of the kernel. The gradient of the weights sums over places.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...ir.graph import Equation
from ...ir.types import ArrayType
from ..planning.place import Buffer, Kind, Place, dense
from ..planning.program import Pointer, pointer_to
from .batch import BatchKernel
from .channels import ChannelsKernel
from .dots import WeightDots
from .finish import lower_finish
from .parts import clear, cut, every, packed_weights, swapped, taps_of
from .product import is_product, lower_images, lower_weights, suits_images, suits_weights
from .weight_plan import WeightPlan
from .weights import WeightKernel
from .window import Window, remainders, windows_of

if TYPE_CHECKING:
    from ..planning.lowering import Lowering

EXAMPLES_INNERMOST = (2, 3, 1, 0)
CHANNELS_INNERMOST = (2, 3, 0, 1)
FUSED_MULTIPLY = 1 / 50


def lower_convolution(lowering: Lowering, equation: Equation) -> bool:
    """Lower a convolution primitive of two spatial axes; False where this is none."""
    name, params = equation.primitive.name, equation.params
    if not name.startswith("convolution") or equation.inputs[0].ndim != 4:
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


@dataclass(frozen=True)
class Way:
    """How a convolution is done. groups: parts that are done one by one; in a depthwise one channels stay apart."""

    groups: int
    batch: bool
    depthwise: bool = False

    @property
    def order(self) -> tuple[int, ...]:
        """In which order images lie, from the outermost axis."""
        return EXAMPLES_INNERMOST if self.batch else CHANNELS_INNERMOST

    @property
    def is_whole(self) -> bool:
        """Whether all channels of a place belong together and lie side by side."""
        return self.groups == 1 and not self.batch and not self.depthwise


def _way(lowering: Lowering, batch: int, channels: int, out: int, equation: Equation) -> Way:
    """channels, out: of the convolution that is computed."""
    groups = equation.params["groups"]
    lanes = lowering.target.lanes(equation.inputs[0].dtype.itemsize)
    if groups == channels == out and 1 < groups >= lanes:
        return Way(1, False, True)
    channels, out = channels // groups, out // groups
    channels_fill = out % lanes == 0 and (channels % lanes == 0 or channels <= 4)
    return Way(groups, batch >= lanes and not channels_fill)


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
    way = _way(lowering, x.shape[0], x.shape[1], y.shape[1], equation)
    source, target = laid_out(lowering, x, way.order), lowering.allocate(y, way.order)
    if not _lies(target, way.order):
        target = lowering.temporary(y.type, way.order)
    for parts in _groups(way, source, weight, target):
        _convolve(lowering, *parts, rows, columns, way, equation)
    if target is not lowering.places[id(y)]:
        lowering.copy(target, lowering.places[id(y)])


def _groups(way: Way, x: Place, weight: Place, y: Place) -> Iterator[tuple[Place, Place, Place]]:
    """Channels of the images, and output channels of the weights, in groups."""
    yield from zip(cut(x, 1, way.groups), cut(weight, 0, way.groups), cut(y, 1, way.groups))


def _convolve(
    lowering: Lowering,
    x: Place,
    weight: Place,
    y: Place,
    rows: Window,
    columns: Window,
    way: Way,
    equation: Equation,
) -> None:
    """y(n, o, i, j) = Σ w(o, c, k, l) x(n, c, i·s + k·d - p, j·s + l·d - p)."""
    lie = _lies(x, way.order) and _lies(y, way.order)
    if way.is_whole and is_product(rows, columns) and suits_images(weight) and lie:
        lower_images(lowering, x, weight, y, _label(equation), equation.line)
        return
    flops = 2.0 * math.prod(y.shape) * math.prod(weight.shape[1:])
    kernel: BatchKernel | ChannelsKernel
    if way.batch:
        packed = lowering.copied(weight, (2, 3, 1, 0))  # (row, column, channel, output channel)
        kernel = BatchKernel(lowering, x, y, rows, columns)
    else:
        kernel = ChannelsKernel(lowering, x, y, rows, columns, way.depthwise)
        packed = packed_weights(lowering, weight, kernel.lanes, f"{_label(equation)}: weights laid out")
    pointers = [pointer_to(place) for place in (packed, x, y)]
    key = (type(kernel), way.depthwise, rows, columns, *_layouts(packed, x, y))
    cost = flops * FUSED_MULTIPLY
    lowering.call(kernel.write, pointers, kernel.tasks, cost, [y.buffer], _label(equation), equation.line, key)


def _layouts(*places: Place) -> tuple[Any, ...]:
    """All that a kernel depends on."""
    return tuple((place.dtype, place.shape, place.strides) for place in places)


# -- the gradient of the input


def _input_gradient(lowering: Lowering, equation: Equation) -> None:
    """dx(i) = Σ w(k) g(o) over o·s + k·d = i + p: for the places i of one remainder, a convolution with stride 1."""
    g, weight = (lowering.place_of(value) for value in equation.inputs)
    x = equation.outputs[0]
    way = _way(lowering, g.shape[0], g.shape[1], x.shape[1], equation)
    source, place = laid_out(lowering, g, way.order), lowering.allocate(x, way.order)
    target = place if _lies(place, way.order) else lowering.temporary(x.type, way.order)
    windows = windows_of(x.shape[2:], weight.shape[2:], g.shape[2:], equation.params)
    for part, own, piece in _groups(way, source, weight, target):
        turned = own if way.depthwise else swapped(own)
        _remainders(lowering, part, turned, piece, (windows[0], windows[1]), way, equation)
    if target is not place:
        lowering.copy(target, place)


def _remainders(
    lowering: Lowering,
    g: Place,
    weight: Place,
    x: Place,
    windows: tuple[Window, Window],
    way: Way,
    equation: Equation,
) -> None:
    for vertical in remainders(windows[0]):
        for across in remainders(windows[1]):
            piece = every(x, vertical, across)
            if not vertical.taps or not across.taps:
                clear(lowering, piece)
                continue
            taps = taps_of(weight, vertical, across)
            _convolve(lowering, g, taps, piece, vertical.window, across.window, way, equation)


# -- the gradient of the weights


def _weight_gradient(lowering: Lowering, equation: Equation) -> None:
    x, g = (lowering.place_of(value) for value in equation.inputs)
    weight = equation.outputs[0]
    windows = windows_of(x.shape[2:], weight.shape[2:], g.shape[2:], equation.params)
    way = _way(lowering, x.shape[0], x.shape[1], g.shape[1], equation)
    source, cotangent = (laid_out(lowering, place, way.order) for place in (x, g))
    place = lowering.allocate(weight)
    if way.is_whole and is_product(windows[0], windows[1]) and suits_weights(place):
        lower_weights(lowering, source, cotangent, place, _label(equation), equation.line)
        return
    for part, target, own in _groups(way, source, place, cotangent):
        if way.batch:
            _weight_dots(lowering, equation, part, own, target, (windows[0], windows[1]))
        else:
            _weight_tiles(lowering, equation, part, own, target, (windows[0], windows[1]), way.depthwise)


def _weight_dots(
    lowering: Lowering, equation: Equation, x: Place, g: Place, target: Place, windows: tuple[Window, Window]
) -> None:
    kernel = WeightDots(lowering, x, g, target, *windows)
    scratch = Buffer(x.dtype, kernel.scratch_elements, Kind.ARENA)
    pointers = [*map(pointer_to, (g, x, target)), Pointer(scratch)]
    key = (WeightDots, windows, *_layouts(x, g, target))
    cost, written = _weight_cost(equation), [target.buffer, scratch]
    lowering.call(kernel.write, pointers, kernel.tasks, cost, written, _label(equation), equation.line, key)


def _weight_tiles(
    lowering: Lowering,
    equation: Equation,
    x: Place,
    g: Place,
    target: Place,
    windows: tuple[Window, Window],
    depthwise: bool,
) -> None:
    plan = WeightPlan(lowering.target, x, g, *windows, depthwise)
    sums = lowering.temporary(ArrayType((plan.chunks, plan.size), x.dtype))
    key = (WeightKernel, depthwise, windows, *_layouts(x, g))
    pointers = [pointer_to(place) for place in (x, g, sums)]
    cost, written, write = _weight_cost(equation), [sums.buffer], WeightKernel(plan).write
    lowering.call(write, pointers, plan.tasks, cost, written, _label(equation), equation.line, key)
    lower_finish(lowering, plan, sums, target, _label(equation))


def _weight_cost(equation: Equation) -> float:
    g, weight = equation.inputs[1], equation.outputs[0]
    return 2.0 * math.prod(g.shape) * math.prod(weight.shape[1:]) * FUSED_MULTIPLY
