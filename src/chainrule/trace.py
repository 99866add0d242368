"""Tracing: run a function on values that stand for arrays to come, and keep the equations it writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .errors import TraceError
from .ir.build import Trace, placeholder, tracing
from .ir.check import check_graph
from .ir.graph import Graph, Value
from .ir.types import ArrayType
from .names import name_of
from .ops.operators import lift
from .tensor import Tensor, unwrap, wrap
from .tensor.contents import apart

tree.register(ArrayType, lambda _: None)  # a dataclass, but one leaf: it stands for an array


def trace(function: Callable[..., Any]) -> Callable[..., Graph]:
    """A function that gives the graph of `function` instead of its result.

    Arguments may be arrays, tensors, numbers (only their shape and element type matter) or ArrayTypes, nested in
    containers. Arrays that the function reads from outside become constants of the graph, and so do random numbers
    that it draws: the graph gives the same ones on each run.

    >>> import chainrule as cr
    >>> print(cr.trace(lambda x: x * 2.0)(cr.zeros(3)))  # doctest: +ELLIPSIS
    <lambda>(%0: float32[3]):...
    """

    def graph_of(*args: Any) -> Graph:
        leaves, structure = tree.flatten(args)
        inputs = tuple(placeholder(_type_of(leaf)) for leaf in leaves)
        writing = Trace()
        with apart(), tracing(writing):
            result = function(*tree.unflatten(structure, map(wrap, inputs)))
            outputs = tuple(result_value(leaf, "a traced function") for leaf in tree.leaves(result))
        name = name_of(function)
        _refuse_foreign(writing, inputs, outputs, name)
        return check_graph(Graph(inputs, tuple(writing.equations), outputs, name))

    return graph_of


def _refuse_foreign(writing: Trace, inputs: Sequence[Value], outputs: Sequence[Value], name: str) -> None:
    """A TraceError where the function read a traced value of another trace: it has no place in this graph."""
    made = {id(value) for value in inputs}
    for equation in writing.equations:
        _refuse_unknown(equation.inputs, made, name)
        made.update(id(value) for value in equation.outputs)
    _refuse_unknown(outputs, made, name)


def _refuse_unknown(values: Sequence[Value], made: set[int], name: str) -> None:
    for value in values:
        if value.data is None and id(value) not in made:
            place = f" (made at {value.source})" if value.source else ""
            raise TraceError(
                f"{name} reads a traced value of type {value.type} that another trace made{place}; "
                "pass it as an argument instead of storing it"
            )


def _type_of(leaf: Any) -> ArrayType:
    if isinstance(leaf, ArrayType):
        return leaf
    return lift(unwrap(leaf)).type


def result_value(leaf: Any, function: str) -> Value:
    """A leaf of what a function returned. Raises TraceError for what is no array. function: what it is called there."""
    if isinstance(leaf, Tensor | Value | np.ndarray | np.generic | bool | int | float | complex):
        return lift(unwrap(leaf))
    kind, shown = type(leaf).__name__, f"{leaf!r}"[:60]
    raise TraceError(f"{function} returns arrays in containers, not {kind}: leave {shown} out of its result")
