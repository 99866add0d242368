"""Dead code: what nothing reads is gone, what an output needs stays."""

from __future__ import annotations

from typing import Any

import chainrule as cr
from chainrule.ir.build import Trace, placeholder, tracing
from chainrule.ir.check import check_graph
from chainrule.ir.graph import Graph
from chainrule.ir.types import ArrayType, float32
from chainrule.ops.custom import custom_gradient
from chainrule.passes import remove_unused

VECTOR = ArrayType((3,), float32)


def test_what_nothing_reads_is_gone() -> None:
    def function(x: Any, y: Any) -> Any:
        cr.exp(cr.sin(y))
        return cr.cos(x)

    graph = remove_unused(cr.trace(function)(VECTOR, VECTOR))
    assert [equation.primitive.name for equation in check_graph(graph).equations] == ["cos"]
    assert len(graph.inputs) == 2


def test_a_graph_of_which_all_is_used_stays_the_same() -> None:
    graph = cr.trace(lambda x: (cr.exp(x), cr.exp(x) + 1.0))(VECTOR)
    assert remove_unused(graph) is graph


def test_an_output_that_is_an_input_needs_nothing() -> None:
    graph = remove_unused(cr.trace(lambda x: (x, cr.exp(x))[0])(VECTOR))
    assert graph.equations == () and graph.outputs == graph.inputs


def test_an_equation_stays_for_one_of_its_outputs() -> None:
    x, writing = placeholder(VECTOR), Trace()
    with tracing(writing):
        _, second = custom_gradient(x, x, x, x, count=2, backward=len)
    graph = Graph((x,), tuple(writing.equations), (second,))
    assert remove_unused(graph) is graph
