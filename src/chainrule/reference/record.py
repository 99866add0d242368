"""Run a graph and keep everything: each value, and after a backward pass each cotangent. Reports read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..autodiff import gradients
from ..errors import GraphError
from ..ir.build import constant, leaf, recording, tracing
from ..ir.graph import Graph, Value
from ..ir.types import NumpyArray
from ..ir.walk import rebind
from .run import bind_inputs


@dataclass(frozen=True)
class Cotangents:
    """How the outputs change with each value of a graph: `of(value)`, an array or None where nothing leads on."""

    _known: Mapping[int, NumpyArray]

    def of(self, value: Value) -> NumpyArray | None:
        """The cotangent of a value of the graph."""
        return self._known.get(id(value))


@dataclass(frozen=True)
class Recording:
    """One run of a graph with every array it computed."""

    graph: Graph
    _known: Mapping[int, Value]

    def array(self, value: Value) -> NumpyArray:
        """The elements that a value of the graph had in this run."""
        computed = self._known.get(id(value), value)
        if computed.data is None:
            raise GraphError(f"a value of type {value.type} does not belong to the graph that was recorded")
        return computed.data

    @property
    def outputs(self) -> tuple[NumpyArray, ...]:
        """The outputs of the run."""
        return tuple(self.array(value) for value in self.graph.outputs)

    def backward(self, cotangents: Sequence[NumpyArray | None] | None = None) -> Cotangents:
        """The cotangent of every value, given those of the outputs; 1 by default, for outputs of a single number."""
        outputs = [self._known.get(id(value), value) for value in self.graph.outputs]
        seeds = None if cotangents is None else [None if each is None else constant(each) for each in cotangents]
        carriers = {key: value for key, value in self._known.items() if value.tracked}
        with recording(False), tracing(None):
            found = gradients(outputs, list(carriers.values()), seeds)
        return Cotangents(
            {key: each.data for key, each in zip(carriers, found) if each is not None and each.data is not None}
        )


def record(graph: Graph, inputs: Sequence[Any]) -> Recording:
    """Run `graph` on the arrays given and keep every value; see `run` for what the inputs must be.

    >>> import chainrule as cr
    >>> graph = cr.trace(lambda x: (x * x).sum())(cr.zeros(2))
    >>> recorded = record(graph, [cr.tensor([1.0, 3.0])])
    >>> recorded.outputs
    (array(10., dtype=float32),)
    >>> recorded.backward().of(graph.inputs[0])
    array([2., 6.], dtype=float32)
    """
    given = bind_inputs(graph, inputs)
    known: dict[int, Value] = {id(value): leaf(given[id(value)]) for value in graph.inputs}
    with recording(True), tracing(None):
        rebind(graph.equations, known)
    return Recording(graph, known)
