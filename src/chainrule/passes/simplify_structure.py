"""Movements of elements that cancel, that move nothing, or that are one movement written as two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ir.graph import Equation, Graph, Value
from ..ir.primitive import Primitive
from ..ir.types import Shape
from ..ops import broadcasting, elementwise, reduction, structure
from .rewrite import Inputs, Rewriter, Rule, apply_rules, full


def simplify_structure(graph: Graph) -> Graph:
    """`graph` with fewer movements of elements."""
    return apply_rules(graph, RULES)


def _nothing_to_do(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """A reshape or broadcast to the shape there is, a slice of everything, a pad by nothing, a concat of one."""
    return inputs[0] if len(inputs) == 1 and inputs[0].shape == equation.outputs[0].shape else None


def _shaped(rewriter: Rewriter, x: Value, shape: Shape) -> Value:
    return x if x.shape == shape else rewriter.emit(structure.reshape, x, shape=shape)


def _stretched(rewriter: Rewriter, x: Value, shape: Shape) -> Value:
    return x if x.shape == shape else rewriter.emit(broadcasting.broadcast_to, x, shape=shape)


def _padded(shape: Shape, ndim: int) -> Shape:
    return (1,) * (ndim - len(shape)) + shape


def _without_ones(sizes: Sequence[int]) -> list[int]:
    return [size for size in sizes if size != 1]


# -- reshape


def _reshape_of_reshape(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    inner = rewriter.origin(inputs[0], structure.reshape)
    return _shaped(rewriter, inner.inputs[0], equation.outputs[0].shape) if inner else None


def _reshape_of_broadcast(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """A reshape that only adds or drops axes of size 1 is done before the broadcast, where there is less to move."""
    inner = rewriter.origin(inputs[0], broadcasting.broadcast_to)
    if inner is None:
        return None
    x, wide, shape = inner.inputs[0], inputs[0].shape, equation.outputs[0].shape
    if x.size == 1:
        return _stretched(rewriter, _shaped(rewriter, x, ()), shape)
    if _without_ones(wide) != _without_ones(shape):
        return None
    sizes = iter([have for have, want in zip(_padded(x.shape, len(wide)), wide) if want != 1])
    small = tuple([next(sizes) if size != 1 else 1 for size in shape])
    return _stretched(rewriter, _shaped(rewriter, x, small), shape)


# -- broadcast_to


def _broadcast_of_broadcast(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    inner = rewriter.origin(inputs[0], broadcasting.broadcast_to)
    return _stretched(rewriter, inner.inputs[0], equation.outputs[0].shape) if inner else None


def _broadcast_of_reshape(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """Axes of size 1 in front need no reshape: a broadcast adds them itself."""
    inner = rewriter.origin(inputs[0], structure.reshape)
    if inner is None:
        return None
    x, shape = inner.inputs[0], equation.outputs[0].shape
    if x.ndim > len(shape) or _padded(x.shape, len(shape)) != _padded(inputs[0].shape, len(shape)):
        return None
    return _stretched(rewriter, x, shape)


# -- permute_dims


def _permute_in_order(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """A permutation that leaves the order of all but axes of size 1 is a reshape, or nothing."""
    x = inputs[0]
    moved = [axis for axis in equation.params["axes"] if x.shape[axis] != 1]
    return _shaped(rewriter, x, equation.outputs[0].shape) if moved == sorted(moved) else None


def _permute_of_permute(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    inner = rewriter.origin(inputs[0], structure.permute_dims)
    if inner is None:
        return None
    axes = tuple([inner.params["axes"][axis] for axis in equation.params["axes"]])
    return rewriter.emit(structure.permute_dims, inner.inputs[0], axes=axes)


def _permute_of_broadcast(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """The permutation is done before the broadcast, where there is less to move."""
    inner = rewriter.origin(inputs[0], broadcasting.broadcast_to)
    if inner is None:
        return None
    x = _shaped(rewriter, inner.inputs[0], _padded(inner.inputs[0].shape, inputs[0].ndim))
    moved = rewriter.emit(structure.permute_dims, x, axes=equation.params["axes"])
    return _stretched(rewriter, moved, equation.outputs[0].shape)


# -- slice and pad


def _slice_of_slice(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    inner = rewriter.origin(inputs[0], structure.slice)
    if inner is None:
        return None
    starts = tuple(map(_start_within, inner.params["starts"], inner.params["steps"], equation.params["starts"]))
    steps = tuple([a * b for a, b in zip(inner.params["steps"], equation.params["steps"])])
    sizes = equation.outputs[0].shape
    if 0 in sizes:
        return None
    stops = tuple([start + (size - 1) * step + 1 for start, step, size in zip(starts, steps, sizes)])
    return rewriter.emit(structure.slice, inner.inputs[0], starts=starts, stops=stops, steps=steps)


def _start_within(start: int, step: int, further: int) -> int:
    return start + step * further


def _slice_of_pad(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """Where the slice takes out what the pad put in."""
    inner = rewriter.origin(inputs[0], structure.pad)
    if inner is None or inner.inputs[0].shape != equation.outputs[0].shape:
        return None
    gaps = tuple([step - 1 for step in equation.params["steps"]])
    same = inner.params["low"] == equation.params["starts"] and inner.params["interior"] == gaps
    return inner.inputs[0] if same else None


def _slice_of_choice(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """Of one side of a choice where the condition is known and the same for all that is taken: inside of a padding."""
    inner = rewriter.origin(inputs[0], elementwise.where)
    if inner is None or inner.inputs[0].data is None or 0 in equation.outputs[0].shape:
        return None
    places = zip(equation.params["starts"], equation.params["stops"], equation.params["steps"])
    condition = inner.inputs[0].data[tuple([slice(*each) for each in places])]
    if condition.any() and not condition.all():
        return None
    return rewriter.emit(structure.slice, inner.inputs[1 if condition.all() else 2], **equation.params)


def _slice_of_concat(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """A slice that lies in one of the parts is taken from it."""
    inner = rewriter.origin(inputs[0], structure.concat)
    if inner is None:
        return None
    axis = inner.params["axis"] % inputs[0].ndim
    start, stop = equation.params["starts"][axis], equation.params["stops"][axis]
    before = 0
    for part in inner.inputs:
        after = before + part.shape[axis]
        if before <= start < stop <= after:
            return rewriter.emit(structure.slice, part, **_moved(equation.params, axis, before))
        before = after
    return None


def _moved(params: Any, axis: int, by: int) -> dict[str, Any]:
    """The parameters of a slice whose axis begins `by` elements later."""
    starts, stops = list(params["starts"]), list(params["stops"])
    starts[axis] -= by
    stops[axis] -= by
    return {"starts": tuple(starts), "stops": tuple(stops), "steps": params["steps"]}


def _pad_of_pad(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    inner = rewriter.origin(inputs[0], structure.pad)
    if inner is None or any(equation.params["interior"]) or any(inner.params["interior"]):
        return None
    low, high = (tuple([a + b for a, b in zip(inner.params[side], equation.params[side])]) for side in ("low", "high"))
    return rewriter.emit(structure.pad, inner.inputs[0], low=low, high=high, interior=inner.params["interior"])


# -- flip


def _flip(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """Axes of size 1 need no flip, and two flips of one axis cancel."""
    x = inputs[0]
    given = {axis % x.ndim for axis in equation.params["axes"]}
    axes = {axis for axis in given if x.shape[axis] != 1}
    inner = rewriter.origin(x, structure.flip)
    if inner:
        x = inner.inputs[0]
        axes = axes ^ {axis % x.ndim for axis in inner.params["axes"]}
    elif axes == given and axes:
        return None
    return rewriter.emit(structure.flip, x, axes=tuple(sorted(axes))) if axes else x


# -- reductions


def _reduction_of_nothing(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """A reduction over axes of size 1, or over none, is a reshape."""
    x, shape = inputs[0], equation.outputs[0].shape
    single = all(x.shape[axis] == 1 for axis in equation.params["axes"])
    return _shaped(rewriter, x, shape) if single else None


def _sum_of_nothing(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> Value | None:
    """A sum starts at 0.0, so that of -0.0 alone is 0.0."""
    shaped = _reduction_of_nothing(rewriter, equation, inputs)
    if shaped is None or shaped.dtype.kind != "f":
        return shaped
    return rewriter.emit(elementwise.add, shaped, full(0, shaped.type))


RULES: dict[Primitive, Sequence[Rule]] = {
    structure.reshape: (_nothing_to_do, _reshape_of_reshape, _reshape_of_broadcast),
    broadcasting.broadcast_to: (_nothing_to_do, _broadcast_of_broadcast, _broadcast_of_reshape),
    structure.permute_dims: (_permute_in_order, _permute_of_permute, _permute_of_broadcast),
    structure.concat: (_nothing_to_do,),
    structure.slice: (_nothing_to_do, _slice_of_slice, _slice_of_pad, _slice_of_concat, _slice_of_choice),
    structure.pad: (_nothing_to_do, _pad_of_pad),
    structure.flip: (_flip,),
    broadcasting.sum: (_sum_of_nothing,),
    reduction.max: (_reduction_of_nothing,),
    reduction.min: (_reduction_of_nothing,),
    reduction.all: (_reduction_of_nothing,),
    reduction.any: (_reduction_of_nothing,),
}
