"""Opening: equations of primitives that no kernel is written for become equations that compute the same.

An opening is a function of tensors, written with array functions and loops; it is traced once for each combination of
types and parameters. What it gives agrees with the NumPy meaning of the primitive to within rounding, not to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any

from ..ir.build import Trace, placeholder, recording, tracing
from ..ir.graph import Equation, Graph, Value
from ..ir.types import ArrayType
from ..ir.walk import bodies
from ..names import name_of
from ..tensor import unwrap, wrap
from .rewrite import Inputs, Rewriter

Opening = Callable[..., Any]
Openings = Mapping[str, Opening]


def open_primitives(graph: Graph, openings: Openings) -> Graph:
    """`graph` with every primitive that `openings` names replaced, in the bodies of loops and branches too."""
    known: dict[Any, Graph] = {}

    def body(equation: Equation) -> Graph:
        name, kinds = equation.primitive.name, tuple(value.type for value in equation.inputs)
        key = (name, kinds, tuple(sorted(equation.params.items())))
        if key not in known:
            known[key] = traced(openings[name], kinds, equation.params)
        return known[key]

    return put_in_place(graph, openings, body)


def put_in_place(graph: Graph, names: Container[str], body: Callable[[Equation], Graph]) -> Graph:
    """`graph` with `body(equation)` in the place of every equation of these primitives, in loops and branches too.

    What is put in is searched for them in turn; a body given for several equations is searched once.
    """
    return _Opener(names, body).graph(graph)


class _Opener:
    def __init__(self, names: Container[str], body: Callable[[Equation], Graph]) -> None:
        self.names, self.body = names, body
        self.known: dict[int, tuple[Graph, Graph]] = {}  # by id of a body: it, and what is put in place

    def graph(self, graph: Graph) -> Graph:
        if not self._needs(graph):
            return graph
        rewriter = Rewriter(graph)
        for equation in graph.equations:
            inputs = rewriter.inputs_of(equation)
            if equation.primitive.name in self.names:
                rewriter.replace(equation, put(rewriter, self._opened(self.body(equation)), inputs))
            elif self._concerns(equation):
                params = {name: self._parameter(each) for name, each in equation.params.items()}
                rewriter.rewrite(equation, Equation(equation.primitive, inputs, params, equation.source))
            else:
                rewriter.keep(equation, inputs)
        return rewriter.finish()

    def _needs(self, graph: Graph) -> bool:
        return any(self._concerns(equation) for equation in graph.equations)

    def _concerns(self, equation: Equation) -> bool:
        return equation.primitive.name in self.names or any(map(self._needs, bodies(equation)))

    def _parameter(self, parameter: Any) -> Any:
        if isinstance(parameter, Graph):
            return self.graph(parameter)
        return tuple(map(self._parameter, parameter)) if type(parameter) is tuple else parameter

    def _opened(self, body: Graph) -> Graph:
        if id(body) not in self.known:
            self.known[id(body)] = body, self.graph(body)
        return self.known[id(body)][1]


def traced(function: Opening, kinds: tuple[ArrayType, ...], params: Mapping[str, Any]) -> Graph:
    """A function of tensors as a graph."""
    with tracing(Trace()) as trace, recording(False):
        assert trace is not None
        inputs = tuple(placeholder(kind) for kind in kinds)
        result = function(*map(wrap, inputs), **params)
    outputs = tuple(map(unwrap, result)) if isinstance(result, tuple) else (unwrap(result),)
    return Graph(inputs, tuple(trace.equations), outputs, name_of(function))


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
