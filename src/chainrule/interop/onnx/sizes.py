"""Sizes that depend on the batch: a function is traced for several batch sizes, and what differs between the traces
must be a multiple of the batch plus a number. Two traces would fit any line: the third says whether it is one."""

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
    """Each value of a graph with those that take its place in the graphs for other batch sizes."""

    def __init__(self, graphs: Sequence[Graph], batches: Sequence[int]) -> None:
        self.batches = list(batches)
        self._values: list[dict[int, Value]] = [{} for _ in graphs[1:]]
        self._equations: list[dict[int, Equation]] = [{} for _ in graphs[1:]]
        for place, other in enumerate(graphs[1:]):
            self._pair(graphs[0], other, place)

    def _pair(self, graph: Graph, other: Graph, place: int) -> None:
        if len(graph.equations) != len(other.equations):
            raise TraceError(UNLIKE.format(what="the operations of the function change"))
        values = self._values[place]
        for value, twin in zip(graph.inputs, other.inputs):
            values[id(value)] = twin
        for equation, twin_equation in zip(graph.equations, other.equations):
            self._check(equation, twin_equation, values)
            self._equations[place][id(equation)] = twin_equation
            for value, twin in zip(equation.outputs, twin_equation.outputs):
                values[id(value)] = twin
            for body, twin_body in zip(_bodies(equation), _bodies(twin_equation)):
                self._pair(body, twin_body, place)
        for value, twin in zip(graph.outputs, other.outputs):
            values.setdefault(id(value), twin)

    def _check(self, equation: Equation, twin: Equation, values: dict[int, Value]) -> None:
        alike = equation.primitive is twin.primitive and len(equation.inputs) == len(twin.inputs)
        for value, other in zip(equation.inputs, twin.inputs):
            if value.is_constant and other.is_constant:
                values[id(value)] = other
            elif values.get(id(value)) is not other:
                alike = False
        if not alike:
            raise TraceError(UNLIKE.format(what="the operations of the function change"))

    def of(self, value: Value) -> list[Value]:
        """The value in each of the graphs."""
        return [value, *(values.get(id(value), value) for values in self._values)]

    def size(self, *numbers: int) -> Size:
        """A number that is another one in each graph."""
        if len(set(numbers)) == 1:
            return Size(numbers[0])
        first, second = self.batches[:2]
        per_example = (numbers[1] - numbers[0]) // (second - first)
        found = Size(numbers[0] - per_example * first, per_example)
        if any(found.base + per_example * batch != number for batch, number in zip(self.batches, numbers)):
            raise TraceError(UNLIKE.format(what="a size in the function grows unevenly"))
        return found

    def shape(self, value: Value) -> list[Size]:
        """The sizes of the axes of a value."""
        return [self.size(*sizes) for sizes in zip(*(each.shape for each in self.of(value)))]

    def param(self, equation: Equation, name: str) -> Any:
        """A parameter of an equation that is a size or a tuple of sizes."""
        equations = [equation, *(each.get(id(equation), equation) for each in self._equations)]
        found = [each.params[name] for each in equations]
        if isinstance(found[0], int):
            return self.size(*found)
        return [self.size(*numbers) for numbers in zip(*found)]


def known(sizes: Sequence[Size]) -> list[int]:
    """Sizes that can't depend on the batch."""
    if all(size.is_known for size in sizes):
        return [size.base for size in sizes]
    raise TraceError(UNLIKE.format(what="windows, paddings or axes of the function change"))


def _bodies(equation: Equation) -> Iterator[Graph]:
    for each in equation.params.values():
        if isinstance(each, Graph):
            yield each
