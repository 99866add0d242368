"""In loops, an elementwise result that is read in parts alone is computed part by part, in the nest that reads them.

The gates of an LSTM are so: the sum of two products, cut in four. It would be written by one kernel and read by the
next, in every round. Where the whole is stacked, the parts are put side by side: they are computed in their places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..ir.graph import Equation, Graph, Value
from ..ir.primitive import all_primitives
from ..passes.rewrite import ELEMENTWISE, Inputs, Rewriter, apply_rules
from .loop_views import with_body


def compute_parts(graph: Graph) -> Graph:
    """`graph` with the bodies of its loops changed so."""
    return apply_rules(graph, {all_primitives()["scan"]: (_in_body,)})


def _in_body(rewriter: Rewriter, equation: Equation, inputs: Inputs) -> tuple[Value, ...] | None:
    body: Graph = equation.params["body"]
    changed = _by_parts(compute_parts(body))
    return None if changed is body else with_body(rewriter, equation, inputs, changed)


def _by_parts(body: Graph) -> Graph:
    users: dict[int, list[Equation]] = {}
    for equation in body.equations:
        for value in equation.inputs:
            users.setdefault(id(value), []).append(equation)
    rewriter, parts = Rewriter(body), dict[int, Value]()
    for equation in body.equations:
        if id(equation) in parts:
            rewriter.replace(equation, (parts[id(equation)],))
            continue
        inputs = rewriter.inputs_of(equation)
        found = _cuts(equation, users)
        if found is None:
            rewriter.keep(equation, inputs)
            continue
        axis, cuts = found
        made = [_part(rewriter, equation, inputs, cut) for cut in cuts]
        parts.update((id(cut), part) for cut, part in zip(cuts, made))
        if any(value is equation.outputs[0] for value in body.outputs):
            rewriter.replace(equation, (rewriter.emit(all_primitives()["concat"], *made, axis=axis),))
    return rewriter.finish()


def _cuts(equation: Equation, users: Mapping[int, Sequence[Equation]]) -> tuple[int, list[Equation]] | None:
    """The axis and the slices, in order, that an elementwise result is cut into, if nothing else reads it."""
    if equation.primitive not in ELEMENTWISE or any(value.data is not None for value in equation.inputs):
        return None
    value = equation.outputs[0]
    slices = list(users.get(id(value), ()))
    if len(slices) < 2 or any(each.primitive.name != "slice" or set(each.params["steps"]) != {1} for each in slices):
        return None
    axes = {axis for each in slices for axis, size in enumerate(each.outputs[0].shape) if size != value.shape[axis]}
    if len(axes) != 1:
        return None
    (axis,) = axes
    slices.sort(key=lambda each: int(each.params["starts"][axis]))
    edges = [0, *(each.params["stops"][axis] for each in slices)]
    if [each.params["starts"][axis] for each in slices] != edges[:-1] or edges[-1] != value.shape[axis]:
        return None
    return axis, slices


def _part(rewriter: Rewriter, equation: Equation, inputs: Inputs, cut: Equation) -> Value:
    parts = [rewriter.emit(cut.primitive, value, **cut.params) for value in inputs]
    return rewriter.emit(equation.primitive, *parts, **equation.params)
