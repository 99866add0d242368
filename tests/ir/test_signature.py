"""A graph traced twice is the same program; one other constant, parameter, or order of inputs, and it is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.capture import capture
from chainrule.ir.build import Trace, placeholder, tracing
from chainrule.ir.graph import Graph, Value
from chainrule.ir.primitive import Primitive, all_primitives, every
from chainrule.ir.signature import same_graph, signature_of
from chainrule.ir.types import ArrayType
from chainrule.ops import elementwise as ew
from chainrule.ops.control import scanned
from chainrule.ops.pullback import extended

KINDS = [ArrayType((3, 3), np.dtype(np.float32))] * 2


@cr.custom_gradient
def doubled(x: Any) -> Any:
    return x * 2.0, lambda cotangent: cotangent * 2.0


FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "one": lambda x, y: x * 2.0 + y,
    "another number": lambda x, y: x * 2.5 + y,
    "its sign": lambda x, y: x * -0.0 + y,
    "that without it": lambda x, y: x * 0.0 + y,
    "another input": lambda x, y: y * 2.0 + x,
    "another operation": lambda x, y: x * 2.0 - y,
    "an array": lambda x, y: x * np.float32([1, 2, 3]) + y,
    "another array": lambda x, y: x * np.float32([1, 2, 4]) + y,
    "a sum": lambda x, y: x.sum(axis=0),
    "along another axis": lambda x, y: x.sum(axis=1),
    "fewer": lambda x, y: x,
    "a loop": lambda x, y: cr.scan(lambda carry, row: (carry + row * 2.0, None), y[0], x)[0],
    "another loop": lambda x, y: cr.scan(lambda carry, row: (carry + row * 3.0, None), y[0], x)[0],
    "a gradient of the user's": lambda x, y: cr.grad(lambda x: doubled(x).sum())(x),
    "which nobody asks for": lambda x, y: doubled(x.requires_grad_()),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_only_the_same_is_the_same(name: str) -> None:
    graph = capture(FUNCTIONS[name], KINDS).graph
    found = [other for other, function in FUNCTIONS.items() if same_graph(graph, capture(function, KINDS).graph)]
    assert found == [name]


def test_bodies_of_the_same_values_are_told_apart_by_what_they_give() -> None:
    """The loop of a gradient is made of the values of the loop itself, and gives more of them."""
    row = ArrayType((3,), np.dtype(np.float32))
    inputs = (placeholder(row), placeholder(row))
    with tracing(Trace()) as writing:
        assert writing is not None
        sine, cosine = ew.sin(inputs[1]), ew.cos(inputs[1])
        total = inputs[0] + sine * cosine
    body = Graph(inputs, tuple(writing.equations), (total,))

    def twice(more: Value) -> Graph:
        start, rows = placeholder(row), placeholder(ArrayType((5, 3), row.dtype))
        with tracing(Trace()) as trace:
            assert trace is not None
            given = [scanned(each, [start, rows], 0, 1, 5, False) for each in (body, extended(body, [more]))]
        return Graph((start, rows), tuple(trace.equations), tuple(value for each in given for value in each))

    assert same_graph(twice(sine), twice(sine)) and not same_graph(twice(sine), twice(cosine))


@pytest.mark.parametrize("primitive", all_primitives().values(), ids=lambda primitive: primitive.name)
def test_all_parameters_of_equations_have_a_text(primitive: Primitive) -> None:
    """So all programs are kept on disk, and it is known of any two whether they are the same."""
    for sample in primitive.samples():
        inputs = tuple(placeholder(ArrayType(each.shape, each.dtype)) for each in sample.inputs)
        with tracing(Trace()) as trace:
            assert trace is not None
            outputs = every(primitive(*inputs, **sample.params))
        assert signature_of(Graph(inputs, tuple(trace.equations), outputs)) is not None


def test_a_parameter_without_a_text_is_never_the_same() -> None:
    (x,) = (placeholder(KINDS[0]),)
    reading = Primitive("reads_a_list", lambda x, rows: x, lambda x, rows: x, (), "{0}", lambda: iter(()))
    with tracing(Trace()) as trace:
        assert trace is not None
        output = reading(x, rows=[1])
    graph = Graph((x,), tuple(trace.equations), (output,))
    assert signature_of(graph) is None and not same_graph(graph, graph)
