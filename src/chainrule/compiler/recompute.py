"""Parts that are computed again for the gradient, put in place. After the passes, which would merge the two runs."""

from __future__ import annotations

from typing import Any

from ..ir.graph import Equation, Graph, Value
from ..ir.primitive import all_primitives
from ..passes.rewrite import Inputs, Rewriter


def open_checkpoints(graph: Graph) -> Graph:
    """`graph` with the bodies of checkpoints in their places, also in the bodies of loops and branches."""
    known = all_primitives()["checkpoint"]
    if not any(equation.primitive is known or _has_bodies(equation) for equation in graph.equations):
        return graph
    rewriter = Rewriter(graph)
    for equation in graph.equations:
        inputs = rewriter.inputs_of(equation)
        if equation.primitive is known:
            rewriter.replace(equation, _put(rewriter, open_checkpoints(equation.params["body"]), inputs))
        elif _has_bodies(equation):
            params = {name: _opened(each) for name, each in equation.params.items()}
            rewriter.rewrite(equation, Equation(equation.primitive, inputs, params, equation.source))
        else:
            rewriter.keep(equation, inputs)
    return rewriter.finish()


def _has_bodies(equation: Equation) -> bool:
    return any(isinstance(each, Graph) for each in equation.params.values())


def _opened(parameter: Any) -> Any:
    return open_checkpoints(parameter) if isinstance(parameter, Graph) else parameter


def _put(rewriter: Rewriter, body: Graph, inputs: Inputs) -> list[Value]:
    """The body's equations written on `inputs`; its outputs."""
    known: dict[int, Value] = {id(old): new for old, new in zip(body.inputs, inputs)}
    for equation in body.equations:
        arguments = tuple(known.get(id(value), value) for value in equation.inputs)
        copy = Equation(equation.primitive, arguments, equation.params, equation.source)
        rewriter.equations.append(copy)
        results = copy.produce([value.type for value in equation.outputs], tracked=False)
        known.update((id(old), new) for old, new in zip(equation.outputs, results))
    return [known.get(id(value), value) for value in body.outputs]
