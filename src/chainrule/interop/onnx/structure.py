"""Primitives that move, reduce or multiply along axes, as ONNX operators."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ir.graph import Equation
from .sizes import Size, known
from .writer import Emitter, Writer, emitter_into

STRUCTURE: dict[str, Emitter] = {}
TO_THE_BEGINNING = np.iinfo(np.int64).min + 1
emitter = emitter_into(STRUCTURE)


def _numbers(w: Writer, numbers: Any) -> str:
    return w.constant(np.array(list(numbers), np.int64))


@emitter("broadcast_to")
def _broadcast_to(w: Writer, equation: Equation) -> list[str]:
    w.delay_broadcast(equation.outputs[0], equation.inputs[0])
    return []


@emitter("reshape")
def _reshape(w: Writer, equation: Equation) -> str:
    return w.reshape(w.name(equation.inputs[0]), w.twins.shape(equation.outputs[0]))


@emitter("permute_dims")
def _permute_dims(w: Writer, equation: Equation) -> str:
    return w.node("Transpose", w.name(equation.inputs[0]), perm=list(equation.params["axes"]))


@emitter("concat")
def _concat(w: Writer, equation: Equation) -> str:
    return w.node("Concat", *map(w.name, equation.inputs), axis=equation.params["axis"])


@emitter("flip")
def _flip(w: Writer, equation: Equation) -> str:
    axes = equation.params["axes"]
    bounds = [_numbers(w, [bound] * len(axes)) for bound in (-1, TO_THE_BEGINNING)]
    return w.node("Slice", w.name(equation.inputs[0]), *bounds, _numbers(w, axes), _numbers(w, [-1] * len(axes)))


@emitter("slice")
def _slice(w: Writer, equation: Equation) -> str:
    starts, stops = (w.twins.param(equation, name) for name in ("starts", "stops"))
    steps, shape = known(w.twins.param(equation, "steps")), w.twins.shape(equation.inputs[0])
    axes = [
        axis
        for axis, (start, stop, step) in enumerate(zip(starts, stops, steps))
        if (start, stop, step) != (Size(0), shape[axis], 1)
    ]
    bounds = [w.sizes([each[axis] for axis in axes]) for each in (starts, stops)]
    every = [*bounds, _numbers(w, axes), _numbers(w, [steps[axis] for axis in axes])]
    return w.node("Slice", w.name(equation.inputs[0]), *every)


@emitter("pad")
def _pad(w: Writer, equation: Equation) -> str:
    low, high, interior = (known(w.twins.param(equation, name)) for name in ("low", "high", "interior"))
    (x,) = equation.inputs
    name = w.cast(w.name(x), np.int32) if x.dtype.kind == "b" else w.name(x)
    for axis, gap in enumerate(interior):
        if gap:
            name = _spread(w, name, w.twins.shape(x)[axis], axis, gap)
    zero = w.constant(np.zeros((), np.int32 if x.dtype.kind == "b" else x.dtype))
    if any((*low, *high)):
        name = w.node("Pad", name, _numbers(w, (*low, *high)), zero)
    return w.cast(name, np.bool_) if x.dtype.kind == "b" else name


def _spread(w: Writer, name: str, size: Size, axis: int, gap: int) -> str:
    """Zeros between the elements along an axis: behind each element, and those behind the last cut off again."""
    apart = w.node("Unsqueeze", name, _numbers(w, [axis + 1]))
    widened = w.node("Pad", apart, _numbers(w, [0, gap]), "", _numbers(w, [axis + 1]))
    length = Size(size.base * (gap + 1), size.per_example * (gap + 1))
    zeros = w.constant(np.zeros(0, np.int64))
    before = w.node("Shape", name, start=0, end=axis) if axis else zeros
    shape = w.node("Concat", before, w.sizes([length]), w.node("Shape", name, start=axis + 1), axis=0)
    flat = w.node("Reshape", widened, shape, allowzero=1)
    return w.node("Slice", flat, _numbers(w, [0]), _numbers(w, [-gap]), _numbers(w, [axis]))


# -- reductions


def _reduce(operator: str) -> Emitter:
    def emit(w: Writer, equation: Equation) -> str:
        axes = list(equation.params["axes"])
        if not axes:
            return w.name(equation.inputs[0])
        return w.node(operator, w.name(equation.inputs[0]), _numbers(w, axes), keepdims=0)

    return emit


def _of_bools(operator: str) -> Emitter:
    def emit(w: Writer, equation: Equation) -> str:
        numbers = w.cast(w.name(equation.inputs[0]), np.int32)
        axes = list(equation.params["axes"])
        reduced = w.node(operator, numbers, _numbers(w, axes), keepdims=0) if axes else numbers
        return w.cast(reduced, np.bool_)

    return emit


def _position(operator: str) -> Emitter:
    return lambda w, e: w.node(operator, w.name(e.inputs[0]), axis=e.params["axis"], keepdims=0)


STRUCTURE |= {"sum": _reduce("ReduceSum"), "max": _reduce("ReduceMax"), "min": _reduce("ReduceMin")}
STRUCTURE |= {"all": _of_bools("ReduceMin"), "any": _of_bools("ReduceMax")}
STRUCTURE |= {"argmax": _position("ArgMax"), "argmin": _position("ArgMin")}


@emitter("softmax")
def _softmax(w: Writer, equation: Equation) -> str:
    return w.node("Softmax", w.name(equation.inputs[0]), axis=equation.params["axis"])


@emitter("cumulative_sum")
def _cumulative_sum(w: Writer, equation: Equation) -> str:
    axis = w.constant(np.array(equation.params["axis"], np.int64))
    return w.node("CumSum", w.name(equation.inputs[0]), axis)


@emitter("argsort")
def _argsort(w: Writer, equation: Equation) -> str:
    (x,), axis = equation.inputs, equation.params["axis"]
    name = w.cast(w.name(x), np.int32) if x.dtype.kind == "b" else w.name(x)
    length = w.sizes([w.twins.shape(x)[axis]])
    return w.nodes_of("TopK", [name, length], 2, axis=axis, largest=0, sorted=1)[1]


# -- products, gathers


@emitter("matmul")
def _matmul(w: Writer, equation: Equation) -> str:
    return w.node("MatMul", *w.operands(equation.inputs, equation.outputs[0], inner=2))


@emitter("triangle_product")
def _triangle_product(w: Writer, equation: Equation) -> str:
    first, second = w.operands(equation.inputs, equation.outputs[0], inner=2)
    upper = int(equation.params["part"] == "upper")
    if equation.params["of"] == "left":
        return w.node("MatMul", w.node("Trilu", first, upper=upper), second)
    return w.node("Trilu", w.node("MatMul", first, second), upper=upper)


@emitter("det")
def _det(w: Writer, equation: Equation) -> str:
    return w.node("Det", w.name(equation.inputs[0]))


def _indices(w: Writer, equation: Equation) -> str:
    indices = equation.inputs[1]
    return w.name(indices) if indices.dtype in (np.int32, np.int64) else w.cast(w.name(indices), np.int64)


@emitter("gather")
def _gather(w: Writer, equation: Equation) -> str:
    return w.node("Gather", w.name(equation.inputs[0]), _indices(w, equation), axis=0)


@emitter("scatter_add")
def _scatter_add(w: Writer, equation: Equation) -> str:
    x, indices, updates = equation.inputs
    rows = w.node("Unsqueeze", w.cast(w.name(indices), np.int64), _numbers(w, [-1]))
    return w.node("ScatterND", w.name(x), rows, w.name(updates), reduction="add")
