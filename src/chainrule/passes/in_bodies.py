"""Change the graphs within a graph: the bodies of its branches and loops, which are parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..ir.graph import Equation, Graph
from .rewrite import Rewriter


def in_bodies(graph: Graph, change: Callable[[Graph], Graph]) -> Graph:
    """`graph` with every graph that is a parameter of an equation, or stands in a tuple there, changed by itself."""
    rewriter = Rewriter(graph)
    done: dict[int, Graph] = {}  # one body of two equations stays one, so that the equations can be merged

    def simplified(body: Graph) -> Graph:
        if id(body) not in done:
            done[id(body)] = change(body)
        return done[id(body)]

    for equation in graph.equations:
        inputs = rewriter.inputs_of(equation)
        if not any(type(each) is Graph or type(each) is tuple for each in equation.params.values()):
            rewriter.keep(equation, inputs)
            continue
        params = {name: _changed(parameter, simplified) for name, parameter in equation.params.items()}
        if all(params[name] is parameter for name, parameter in equation.params.items()):
            rewriter.keep(equation, inputs)
        else:
            rewriter.rewrite(equation, Equation(equation.primitive, inputs, params, equation.source))
    return rewriter.finish()


def _changed(parameter: Any, simplified: Callable[[Graph], Graph]) -> Any:
    """The parameter itself where there is nothing to change."""
    if isinstance(parameter, Graph):
        return simplified(parameter)
    if type(parameter) is not tuple:
        return parameter
    if not parameter or type(parameter[0]) is int:  # a shape, axes, steps
        return parameter
    parts = tuple([_changed(each, simplified) for each in parameter])
    return parameter if all(new is old for new, old in zip(parts, parameter)) else parts
