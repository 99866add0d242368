"""Opening: equations of primitives that no kernel is written for become equations that compute the same.

An opening is a function of tensors, written with array functions and loops; it is traced once for each combination of
types and parameters. What it gives agrees with the NumPy meaning of the primitive to within rounding, not to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..ir.build import Trace, placeholder, recording, tracing
from ..ir.graph import Equation, Graph, Value
from ..ir.types import ArrayType
from ..ir.walk import bodies
from ..tensor import unwrap, wrap
from .rewrite import Inputs, Rewriter

Opening = Callable[..., Any]
Openings = Mapping[str, Opening]


def open_primitives(graph: Graph, openings: Openings) -> Graph:
    """`graph` with every primitive that `openings` names replaced, in the bodies of loops and branches too."""
    return _Opener(openings).graph(graph)


class _Opener:
    def __init__(self, openings: Openings) -> None:
        self.openings = openings
        self.known: dict[Any, Graph] = {}

    def graph(self, graph: Graph) -> Graph:
        if not self._needs(graph):
            return graph
        rewriter = Rewriter(graph)
        for equation in graph.equations:
            inputs = rewriter.inputs_of(equation)
            if equation.primitive.name in self.openings:
                rewriter.replace(equation, put(rewriter, self._opened(equation), inputs))
            elif self._concerns(equation):
                params = {name: self._parameter(each) for name, each in equation.params.items()}
                rewriter.rewrite(equation, Equation(equation.primitive, inputs, params, equation.source))
            else:
                rewriter.keep(equation, inputs)
        return rewriter.finish()

    def _needs(self, graph: Graph) -> bool:
        return any(self._concerns(equation) for equation in graph.equations)

    def _concerns(self, equation: Equation) -> bool:
        return equation.primitive.name in self.openings or any(map(self._needs, bodies(equation)))

    def _parameter(self, parameter: Any) -> Any:
        if isinstance(parameter, Graph):
            return self.graph(parameter)
        return tuple(map(self._parameter, parameter)) if type(parameter) is tuple else parameter

    def _opened(self, equation: Equation) -> Graph:
        kinds = tuple(value.type for value in equation.inputs)
        key = (equation.primitive.name, kinds, tuple(sorted(equation.params.items())))
        if key not in self.known:
            self.known[key] = self.graph(traced(self.openings[equation.primitive.name], kinds, equation.params))
        return self.known[key]


def traced(function: Opening, kinds: tuple[ArrayType, ...], params: Mapping[str, Any]) -> Graph:
    """A function of tensors as a graph."""
    with tracing(Trace()) as trace, recording(False):
        assert trace is not None
        inputs = tuple(placeholder(kind) for kind in kinds)
        result = function(*map(wrap, inputs), **params)
    outputs = tuple(map(unwrap, result)) if isinstance(result, tuple) else (unwrap(result),)
    return Graph(inputs, tuple(trace.equations), outputs, getattr(function, "__name__", "opened"))


def put(rewriter: Rewriter, body: Graph, inputs: Inputs) -> list[Value]:
    """The equations of `body` written on `inputs`; its outputs."""
    known: dict[int, Value] = {id(old): new for old, new in zip(body.inputs, inputs)}
    for equation in body.equations:
        arguments = tuple(known.get(id(value), value) for value in equation.inputs)
        copy = Equation(equation.primitive, arguments, equation.params, equation.source)
        rewriter.equations.append(copy)
        results = copy.produce([value.type for value in equation.outputs], tracked=False)
        known.update((id(old), new) for old, new in zip(equation.outputs, results))
    return [known.get(id(value), value) for value in body.outputs]
