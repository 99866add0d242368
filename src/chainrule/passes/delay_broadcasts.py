"""Compute first, broadcast then: f(broadcast(a), broadcast(b)) is broadcast(f(a, b)), with fewer elements."""

from __future__ import annotations

import math

from ..ir.graph import Equation, Graph, Value
from ..ir.types import ArrayType, Shape, broadcast_shapes
from ..ops import broadcasting
from ..ops import elementwise as ew
from .rewrite import ELEMENTWISE, Inputs, Rewriter, full


def delay_broadcasts(graph: Graph) -> Graph:
    """`graph` with elementwise equations, all of whose inputs are repeated along some axis, done on one copy of it."""
    rewriter = Rewriter(graph)
    for equation in graph.equations:
        inputs = rewriter.inputs_of(equation)
        small = _before_broadcast(rewriter, equation, inputs) if equation.primitive in ELEMENTWISE else None
        if small is None:
            rewriter.keep(equation, inputs)
            continue
        result = rewriter.emit(equation.primitive, *small, **equation.params)
        wide = rewriter.emit(broadcasting.broadcast_to, result, shape=equation.outputs[0].shape)
        rewriter.replace(equation, (wide,))
    return rewriter.finish()


def _before_broadcast(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> list[Value] | None:
    """Inputs of one smaller shape that lead to the same result; None where there are none."""
    shape = equation.outputs[0].shape
    sources: list[Value] = []
    for value in inputs:
        source = _source(rewriter, value)
        if source is None:
            return None
        sources.append(source)
    common = broadcast_shapes(*[source.shape for source in sources])
    if math.prod(common) >= math.prod(shape) or not _exponent_stays(rewriter, equation, inputs):
        return None
    return [_wide(rewriter, source, common) for source in sources]


def _exponent_stays(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> bool:
    """NumPy's power takes another way where one exponent serves all, so others are not made one."""
    return equation.primitive is not ew.power or rewriter.number(inputs[1]) is not None


def _source(rewriter: Rewriter, value: Value) -> Value | None:
    """What a value repeats; itself for a constant of one number, without a shape."""
    number = rewriter.number(value)
    if number is not None:
        return full(number, ArrayType((), value.dtype))
    broadcast = rewriter.origin(value, broadcasting.broadcast_to)
    if broadcast is not None:
        return broadcast.inputs[0]
    return _one_copy(value) if rewriter.is_constant(value) else None


def _one_copy(value: Value) -> Value | None:
    """A constant that repeats itself in memory (stride 0), with size 1 along those axes."""
    array = value.data
    if array is None or array.size == 0 or 0 not in array.strides:
        return None
    once = array[tuple([slice(0, 1) if stride == 0 else slice(None) for stride in array.strides])]
    return Value(ArrayType(once.shape, once.dtype), once)


def _wide(rewriter: Rewriter, source: Value, shape: Shape) -> Value:
    if source.shape == shape:
        return source
    number = rewriter.number(source)
    if number is not None:
        return full(number, ArrayType(shape, source.dtype))
    return rewriter.emit(broadcasting.broadcast_to, source, shape=shape)
