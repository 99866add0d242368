"""Let loops compute only what is read: carries, ys, constants and xs that nothing asks for are left out.

A loop that may be differentiated gives more than the user asked for: what its pullback would read of each step. Where
nothing reads it in the end, it is not worth stacking.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..ir.graph import Equation, Graph, Value
from ..ops.control import scan
from .remove_unused import remove_unused
from .rewrite import Inputs, Rewriter


def narrow_loops(graph: Graph) -> Graph:
    """`graph` with each loop reduced to the outputs that something reads, and to the inputs that these depend on."""
    read = {id(value) for equation in graph.equations for value in equation.inputs} | set(map(id, graph.outputs))
    rewriter = Rewriter(graph)
    for equation in graph.equations:
        inputs = rewriter.inputs_of(equation)
        if equation.primitive is not scan or not _narrow(rewriter, equation, inputs, read):
            rewriter.keep(equation, inputs)
    return rewriter.finish()


def _narrow(rewriter: Rewriter, equation: Equation, inputs: Inputs, read: set[int]) -> bool:
    body, constants, carry = (equation.params[name] for name in ("body", "constants", "carry"))
    live = [id(value) in read for value in equation.outputs]
    if not any(live):
        return False
    narrow, used = _narrow_body(body, constants, carry, live)
    if all(used) and len(narrow.outputs) == len(body.outputs):
        return False
    params = {
        **equation.params,
        "body": narrow,
        "constants": sum(used[:constants]),
        "carry": sum(used[constants : constants + carry]),
    }
    chosen = tuple(value for value, flag in zip(inputs, used) if flag)
    copy = Equation(scan, chosen, params, equation.source)
    kept = [value for value, flag in zip(equation.outputs, live) if flag]
    made = iter(copy.produce([value.type for value in kept], tracked=False))
    rewriter.equations.append(copy)
    rewriter.replace(equation, [next(made) if flag else value for value, flag in zip(equation.outputs, live)])
    return True


def _narrow_body(body: Graph, constants: int, carry: int, live: list[bool]) -> tuple[Graph, list[bool]]:
    """The body with its live outputs and what they read; `live` gains the carries that the next step needs."""
    while True:
        narrow = remove_unused(Graph(body.inputs, body.equations, _chosen(body.outputs, live), body.name))
        read = {id(value) for equation in narrow.equations for value in equation.inputs} | set(map(id, narrow.outputs))
        needed = [id(value) in read for value in body.inputs]
        carried = needed[constants : constants + carry]
        if not any(need and not have for need, have in zip(carried, live)):
            break
        live[:carry] = [need or have for need, have in zip(carried, live)]
    used = [*needed[:constants], *live[:carry], *needed[constants + carry :]]
    return Graph(_chosen(body.inputs, used), narrow.equations, narrow.outputs, body.name), used


def _chosen(values: Sequence[Value], flags: Sequence[bool]) -> tuple[Value, ...]:
    return tuple(value for value, flag in zip(values, flags) if flag)
