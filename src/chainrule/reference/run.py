"""Run a graph in NumPy: the meaning of the IR, which every other executor must reproduce."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import GraphError
from ..ir.build import evaluate
from ..ir.graph import Equation, Graph, Value
from ..ir.types import NumpyArray

Arrays = dict[int, NumpyArray]
"""The elements of values, by the id of the value."""


def run(graph: Graph, inputs: Sequence[Any]) -> tuple[NumpyArray, ...]:
    """The outputs of `graph` on the arrays given: the same bits as eager execution.

    inputs: one array for each input of the graph, of exactly its shape and element type; they are not written to.
    What is not needed any more is freed as soon as the last equation that reads it is done.
    Raises GraphError for inputs that do not fit.

    >>> import chainrule as cr
    >>> graph = cr.trace(lambda x: cr.exp(x) + 1.0)(cr.zeros(2))
    >>> run(graph, [cr.zeros(2)])
    (array([2., 2.], dtype=float32),)
    """
    arrays = bind_inputs(graph, inputs)
    for _ in steps(graph, arrays):
        pass
    return tuple(_array(arrays, value) for value in graph.outputs)


def steps(graph: Graph, arrays: Arrays) -> Iterator[tuple[Equation, tuple[NumpyArray, ...]]]:
    """Run a graph on the arrays of its inputs; after each equation, it and what it computed, for those who look on."""
    for equation, unneeded in zip(graph.equations, _unneeded_after(graph)):
        read = [_array(arrays, value) for value in equation.inputs]
        types = tuple(value.type for value in equation.outputs)
        results = evaluate(equation.primitive, read, dict(equation.params), types)
        arrays.update((id(value), result) for value, result in zip(equation.outputs, results))
        yield equation, results
        del read, results
        for key in unneeded:
            arrays.pop(key, None)


def bind_inputs(graph: Graph, inputs: Sequence[Any]) -> Arrays:
    """The inputs of a graph with the arrays given, if each has the type that the graph expects."""
    if len(inputs) != len(graph.inputs):
        raise GraphError(f"{graph.name} has {len(graph.inputs)} inputs, but {len(inputs)} arrays were given")
    arrays = [np.asarray(each) for each in inputs]
    for position, (value, array) in enumerate(zip(graph.inputs, arrays)):
        if array.shape != value.shape or array.dtype != value.dtype:
            raise GraphError(
                f"input {position} of {graph.name} is {value.type}, but was given {array.dtype}{list(array.shape)}"
            )
    return {id(value): array for value, array in zip(graph.inputs, arrays)}


def _array(arrays: Arrays, value: Value) -> NumpyArray:
    known = arrays.get(id(value), value.data)
    if known is None:
        raise GraphError(f"a value of type {value.type} is read before anything computes it")
    return known


def _unneeded_after(graph: Graph) -> list[set[int]]:
    """For each equation the values (by id) that nothing reads after it."""
    wanted = {id(value) for value in graph.outputs}
    after: list[set[int]] = []
    for equation in reversed(graph.equations):
        mentioned = _mentioned(equation)
        after.append(mentioned - wanted)
        wanted |= mentioned
    return after[::-1]


def _mentioned(equation: Equation) -> set[int]:
    return {id(value) for value in (*equation.inputs, *equation.outputs)}
