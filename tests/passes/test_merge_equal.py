"""Common subexpressions: what is merged, and what must not be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.ir.build import Trace, placeholder, tracing
from chainrule.ir.check import check_graph
from chainrule.ir.graph import Graph, Value
from chainrule.ir.types import ArrayType, float32, float64
from chainrule.ops import elementwise as ew
from chainrule.ops.custom import custom_gradient
from chainrule.passes import merge_equal
from chainrule.passes.merge_equal import frozen

VECTOR = ArrayType((3,), float32)


def names(graph: Graph) -> list[str]:
    return [equation.primitive.name for equation in graph.equations]


def merged(function: Callable[..., Any], *kinds: ArrayType) -> list[str]:
    graph = merge_equal(cr.trace(function)(*kinds))
    return names(check_graph(graph))


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: cr.exp(x) + cr.exp(x), ["exp", "add"]),
        (lambda x: cr.sin(x * 2.0) - cr.sin(x * 2.0), ["multiply", "sin", "subtract"]),
        (lambda x: (x + 1.0) * (1.0 + x), ["add", "multiply"]),
        (lambda x: cr.maximum(x, -x) + cr.maximum(-x, x), ["negative", "maximum", "maximum", "add"]),
        (lambda x: (x - 1.0) * (1.0 - x), ["subtract", "subtract", "multiply"]),
        (lambda x: x * 0.0 + x * -0.0, ["multiply", "multiply", "add"]),
        (lambda x: cr.reshape(x, (3, 1)) @ cr.reshape(x, (1, 3)), ["reshape", "reshape", "matmul"]),
        (lambda x: cr.sum(x) * cr.sum(x), ["sum", "multiply"]),
        (lambda x: x * np.float32([1, 2, 3]) + x * np.float32([1, 2, 3]), ["multiply", "add"]),
        (lambda x: x * np.float32([1, 2, 3]) + x * np.float32([1, 2, 4]), ["multiply", "multiply", "add"]),
        (lambda x: x * np.float32([1, 0, 3]) + x * np.float32([1, -0.0, 3]), ["multiply", "multiply", "add"]),
    ],
)
def test_merging(function: Callable[..., Any], expected: list[str]) -> None:
    assert merged(function, VECTOR) == expected


def test_large_constants_merge_by_their_memory_only() -> None:
    table, copy = np.arange(5000.0), np.arange(5000.0)
    kind = ArrayType((5000,), float64)
    held = cr.asarray(table)
    assert merged(lambda x: x * held + x * held, kind) == ["multiply", "add"]
    assert merged(lambda x: x * table + x * copy, kind) == ["multiply", "multiply", "add"]


def test_rules_of_the_user_merge_only_where_they_are_the_same_function() -> None:
    def traced(first: Any, second: Any) -> Graph:
        x, writing = placeholder(VECTOR), Trace()
        with tracing(writing):
            made = [custom_gradient(x, x, count=1, backward=each) for each in (first, second)]
            total: Value = ew.add(*made)
        return Graph((x,), tuple(writing.equations), (total,))

    def one(cotangents: Any, position: int) -> Any: ...
    def two(cotangents: Any, position: int) -> Any: ...

    assert names(merge_equal(traced(one, one))) == ["custom_gradient", "add"]
    assert names(merge_equal(traced(one, two))) == ["custom_gradient", "custom_gradient", "add"]


def test_several_outputs_and_graphs_without_equations() -> None:
    twice = merge_equal(cr.trace(lambda x: (cr.exp(x), cr.exp(x), x))(VECTOR))
    assert twice.outputs[0] is twice.outputs[1] and twice.outputs[2] is twice.inputs[0]
    same = cr.trace(lambda x: x)(VECTOR)
    assert merge_equal(same) is same


@pytest.mark.parametrize(
    ("first", "second", "equal"),
    [
        (0.0, -0.0, False),
        (1, True, False),
        (1, 1.0, False),
        ((1, (2.0, 0.0)), (1, (2.0, -0.0)), False),
        ((1, (2.0, "a")), (1, (2.0, "a")), True),
        (float("nan"), float("nan"), True),
        (np.dtype("float32"), float32, True),
        ([1], [1], False),
        (np.float32(0.0), np.float32(-0.0), False),
        (ArrayType((2,), float32), ArrayType((2,), float32), True),
    ],
)
def test_keys_of_parameters(first: Any, second: Any, equal: bool) -> None:
    assert (frozen(first) == frozen(second)) == equal
