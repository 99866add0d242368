"""Reading graphs: constants, users, ancestors, one graph written into another."""

from __future__ import annotations

import numpy as np

import chainrule as cr
from chainrule.ir.build import Trace, placeholder, tracing
from chainrule.ir.graph import Graph
from chainrule.ir.walk import ancestors, constants, inline, users
from chainrule.reference import run

TABLE = np.arange(3.0)


def graph() -> Graph:
    return cr.trace(lambda x: cr.exp(x) * TABLE + TABLE[::-1] + cr.exp(x))(np.zeros(3))


def test_constants_come_in_the_order_of_first_use() -> None:
    found = constants(graph())
    assert [value.data.tolist() for value in found if value.data is not None] == [[0, 1, 2], [2, 1, 0]]


def test_users_of_each_value() -> None:
    example = graph()
    readers = users(example)
    assert [equation.primitive.name for equation in readers[id(example.inputs[0])]] == ["exp", "exp"]
    assert id(example.outputs[0]) not in readers


def test_ancestors_come_in_an_order_that_can_run() -> None:
    example = graph()
    found = ancestors(example.outputs)
    assert found == list(example.equations)
    seen = {id(value) for value in example.inputs}
    for equation in found:
        assert all(id(value) in seen or value.is_constant for value in equation.inputs)
        seen.update(id(value) for value in equation.outputs)
    assert ancestors(example.inputs) == []


def test_ancestors_leave_out_what_is_not_needed() -> None:
    example = graph()
    first = example.equations[0].outputs
    assert [equation.primitive.name for equation in ancestors(first)] == ["exp"]


def test_inline_writes_a_graph_into_another_trace() -> None:
    example, writing = graph(), Trace()
    with tracing(writing):
        x = placeholder(example.inputs[0].type)
        (once,) = inline(example, [x])
        (twice,) = inline(example, [once])
    assert len(writing.equations) == 2 * len(example.equations)
    start = np.array([0.1, 0.2, 0.3])
    expected = run(example, run(example, [start]))
    np.testing.assert_array_equal(run(Graph((x,), tuple(writing.equations), (twice,)), [start])[0], expected[0])


def test_inline_on_known_values_computes() -> None:
    x = cr.tensor(np.array([0.1, 0.2, 0.3]))
    (result,) = inline(graph(), [x._value])
    np.testing.assert_array_equal(result.data, run(graph(), [x.numpy()])[0])
