"""Sizes that depend on the batch: a function is traced for two batch sizes, and what differs between the traces is
a multiple of the batch plus a number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import TraceError
from ...ir.graph import Equation, Graph, Value

UNLIKE = (
    "{what} with the size of the batch, so the batch axis can't be left open; export with batch_axis=None for batches "
    "of the example's size"
)


@dataclass(frozen=True)
class Size:
    """base + per_example * batch."""

    base: int
    per_example: int = 0

    @property
    def is_known(self) -> bool:
        """Whether it is the same for every batch."""
        return not self.per_example

    @property
    def is_batch(self) -> bool:
        """Whether it is the batch itself."""
        return (self.base, self.per_example) == (0, 1)


class Twins:
    """Each value of a graph with the one that takes its place in the graph for another batch size."""

    def __init__(self, graph: Graph, other: Graph | None, batches: tuple[int, int]) -> None:
        self.batches, self.graph = batches, graph
        self._values: dict[int, Value] = {}
        self._equations: dict[int, Equation] = {}
        if other is not None:
            self._pair(graph, other)

    def _pair(self, graph: Graph, other: Graph) -> None:
        if len(graph.equations) != len(other.equations):
            raise TraceError(UNLIKE.format(what="the operations of the function change"))
        for value, twin in zip(graph.inputs, other.inputs):
            self._values[id(value)] = twin
        for equation, twin_equation in zip(graph.equations, other.equations):
            self._check(equation, twin_equation)
            self._equations[id(equation)] = twin_equation
            for value, twin in zip(equation.outputs, twin_equation.outputs):
                self._values[id(value)] = twin
            for body, twin_body in zip(_bodies(equation), _bodies(twin_equation)):
                self._pair(body, twin_body)
        for value, twin in zip(graph.outputs, other.outputs):
            self._values.setdefault(id(value), twin)

    def _check(self, equation: Equation, twin: Equation) -> None:
        alike = equation.primitive is twin.primitive and len(equation.inputs) == len(twin.inputs)
        for value, other in zip(equation.inputs, twin.inputs):
            if value.is_constant and other.is_constant:
                self._values[id(value)] = other
            elif self._values.get(id(value)) is not other:
                alike = False
        if not alike:
            raise TraceError(UNLIKE.format(what="the operations of the function change"))

    def of(self, value: Value) -> Value:
        """The twin; the value itself where there is only one graph."""
        return self._values.get(id(value), value)

    def size(self, here: int, there: int) -> Size:
        """A number that is `here` in this graph and `there` in the other."""
        first, second = self.batches
        if here == there:
            return Size(here)
        per_example, rest = divmod(there - here, second - first)
        if rest:
            raise TraceError(UNLIKE.format(what="a size in the function grows unevenly"))
        return Size(here - per_example * first, per_example)

    def shape(self, value: Value) -> list[Size]:
        """The sizes of the axes of a value."""
        return [self.size(here, there) for here, there in zip(value.shape, self.of(value).shape)]

    def param(self, equation: Equation, name: str) -> Any:
        """A parameter of an equation that is a size or a tuple of sizes."""
        here, there = equation.params[name], self._equations.get(id(equation), equation).params[name]
        if isinstance(here, int):
            return self.size(here, there)
        return [self.size(one, other) for one, other in zip(here, there)]


def known(sizes: Sequence[Size]) -> list[int]:
    """Sizes that can't depend on the batch."""
    if all(size.is_known for size in sizes):
        return [size.base for size in sizes]
    raise TraceError(UNLIKE.format(what="windows, paddings or axes of the function change"))


def _bodies(equation: Equation) -> Iterator[Graph]:
    for each in equation.params.values():
        if isinstance(each, Graph):
            yield each
