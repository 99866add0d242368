"""In loops, an elementwise result that is read in parts alone is computed part by part, in the nest that reads them.

The gates of an LSTM are so: the sum of two products, cut in four. It would be written by one kernel and read by the
next, in every round. Where the whole is stacked, the parts are put side by side: they are computed in their places.
And a row that is added to all that a loop goes through, as a bias, is added in the loop, where it costs nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ...ir.build import placeholder
from ...ir.graph import Equation, Graph, Value
from ...ir.primitive import all_primitives
from ...passes.remove_unused import remove_unused
from ...passes.rewrite import ELEMENTWISE, Inputs, Rewriter, apply_rules
from .loop_views import with_body

MOST_SUMS = 4
"""So many results that follow from one another are cut, at most."""


def compute_parts(graph: Graph) -> Graph:
    """`graph` with its loops changed so."""
    if not any(equation.primitive.name == "scan" for equation in graph.equations):
        return graph
    return remove_unused(apply_rules(graph, {all_primitives()["scan"]: (_Loops(graph).rule,)}))


class _Loops:
    def __init__(self, graph: Graph) -> None:
        reads = [*(value for equation in graph.equations for value in equation.inputs), *graph.outputs]
        self.reads = Counter(map(id, reads))

    def rule(self, rewriter: Rewriter, equation: Equation, inputs: Inputs) -> tuple[Value, ...] | None:
        """A loop with rows added inside, and parts computed by themselves."""
        body, constants = compute_parts(equation.params["body"]), equation.params["constants"]
        for number in range(constants + equation.params["carry"], len(equation.inputs)):
            place = number + len(inputs) - len(equation.inputs)  # behind the rows so far
            found = _sum_with_row(inputs[place]) if self.reads[id(equation.inputs[number])] == 1 else None
            if found is not None:
                body, inputs = _added_inside(body, inputs, constants, place, found)
                constants += 1
        for _ in range(MOST_SUMS):
            before, body = body, _by_parts(body)
            if body is before:
                break
        if body is equation.params["body"]:
            return None
        return with_body(rewriter, equation, inputs, body=body, constants=constants)


def _sum_with_row(value: Value) -> tuple[Value, Value, bool] | None:
    """What is added up, of which one is a row that is the same in all rounds: that, the other, whether it is first."""
    equation = value.equation
    if equation is None or value.data is not None or equation.primitive.name != "add":
        return None
    for place, operand in enumerate(equation.inputs):
        source = operand.equation
        if source is not None and operand.data is None and source.primitive.name == "broadcast_to":
            (row,) = source.inputs
            if row.ndim < value.ndim:
                return row, equation.inputs[1 - place], place == 0
    return None


def _added_inside(
    body: Graph, inputs: Inputs, constants: int, place: int, found: tuple[Value, Value, bool]
) -> tuple[Graph, Inputs]:
    """The body with one more constant, a row that it adds to one of its xs; and the inputs of such a loop."""
    row, other, row_first = found
    old = body.inputs[place]
    inner_row, inner = placeholder(row.type), placeholder(old.type)

    def changed(values: Inputs, first: Value, second: Value) -> Inputs:
        return (*values[:constants], first, *values[constants:place], second, *values[place + 1 :])

    rewriter = Rewriter(Graph(changed(body.inputs, inner_row, inner), body.equations, body.outputs, body.name))
    known = all_primitives()
    spread = rewriter.emit(known["broadcast_to"], inner_row, shape=old.shape)
    rewriter.use(old, rewriter.emit(known["add"], *((spread, inner) if row_first else (inner, spread))))
    for equation in body.equations:
        rewriter.keep(equation, rewriter.inputs_of(equation))
    return rewriter.finish(), changed(inputs, row, other)


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
