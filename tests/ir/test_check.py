"""The checker accepts every traced graph and names the rule that a broken one breaks."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import GraphError
from chainrule.ir.build import constant, placeholder
from chainrule.ir.check import check_graph
from chainrule.ir.graph import Equation, Graph, Value
from chainrule.ir.types import ArrayType, float32, float64
from chainrule.ops import broadcasting
from chainrule.ops import elementwise as ew

VECTOR = ArrayType((3,), float32)


def good() -> Graph:
    return cr.trace(lambda x: cr.exp(x) * x)(VECTOR)


def test_traced_graphs_pass_unchanged() -> None:
    graph = good()
    assert check_graph(graph) is graph


def test_an_empty_program_passes() -> None:
    assert check_graph(cr.trace(lambda x: x)(VECTOR)).equations == ()
    assert check_graph(cr.trace(lambda: cr.ones(2))()).inputs == ()


def broken(match: str, graph: Graph) -> None:
    with pytest.raises(GraphError, match=match) as caught:
        check_graph(graph, after="a pass")
    assert str(caught.value).startswith("after a pass: ")


def test_equations_in_a_wrong_order() -> None:
    graph = good()
    broken(
        r"equation 0 \(multiply\) reads a value of type float32\[3\] that nothing assigned",
        dataclasses.replace(graph, equations=graph.equations[::-1]),
    )


def test_an_equation_left_out() -> None:
    graph = good()
    broken("reads a value", dataclasses.replace(graph, equations=graph.equations[1:]))


def test_an_equation_twice() -> None:
    graph = good()
    broken(
        r"equation 1 \(exp\) assigns a value of type float32\[3\] that is already assigned",
        dataclasses.replace(graph, equations=(graph.equations[0], *graph.equations)),
    )


def test_an_input_twice() -> None:
    graph = good()
    broken("an input assigns a value", dataclasses.replace(graph, inputs=graph.inputs * 2))


def test_an_input_left_out() -> None:
    broken("nothing assigned before", dataclasses.replace(good(), inputs=()))


def test_an_output_that_nothing_computes() -> None:
    broken("the outputs reads a value", dataclasses.replace(good(), outputs=(placeholder(VECTOR),)))


def test_a_constant_whose_data_has_another_type() -> None:
    for data in (np.zeros(3), np.zeros(2, np.float32)):
        graph = cr.trace(lambda x: x)(VECTOR)
        broken("a constant said to be", dataclasses.replace(graph, outputs=(Value(VECTOR, data),)))


def equation_of(
    primitive: object, inputs: tuple[Value, ...], outputs: tuple[ArrayType, ...], **params: object
) -> Graph:
    equation = Equation(primitive, inputs, params)  # type: ignore[arg-type]
    made = equation.produce(outputs, tracked=False)
    return Graph(tuple(value for value in inputs if value.data is None), (equation,), made)


def test_a_result_of_another_type() -> None:
    x = placeholder(VECTOR)
    broken(
        r"should give float32\[3\] but is typed float64\[3\]", equation_of(ew.exp, (x,), (ArrayType((3,), float64),))
    )
    broken(
        r"should give float32\[3\] but is typed float32\[4\]", equation_of(ew.exp, (x,), (ArrayType((4,), float32),))
    )
    broken("but is typed", equation_of(ew.exp, (x,), (VECTOR, VECTOR)))


def test_inputs_that_the_primitive_does_not_take() -> None:
    x = placeholder(VECTOR)
    broken("does not take its inputs", equation_of(ew.add, (x, constant(np.zeros(3))), (VECTOR,)))
    broken("does not take its inputs", equation_of(ew.add, (x, constant(np.zeros(4, np.float32))), (VECTOR,)))
    broken("does not take its inputs", equation_of(broadcasting.sum, (x,), (VECTOR,), axes=(1,)))
    broken("does not take its inputs", equation_of(ew.exp, (placeholder(VECTOR.with_dtype(np.dtype(int))),), (VECTOR,)))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_wrong_number_of_inputs(count: int) -> None:
    inputs = tuple(placeholder(VECTOR) for _ in range(count))
    broken("does not take its inputs", equation_of(ew.add, inputs, (VECTOR,)))


def test_parameters_that_the_primitive_does_not_have() -> None:
    broken("does not take its inputs", equation_of(ew.exp, (placeholder(VECTOR),), (VECTOR,), axis=0))
    broken("does not take its inputs", equation_of(broadcasting.sum, (placeholder(VECTOR),), (VECTOR,)))


def test_an_output_that_names_another_origin() -> None:
    graph = good()
    first = graph.equations[0]
    copy = Equation(first.primitive, first.inputs, first.params)
    copy._outputs = first.outputs
    broken("names another equation", dataclasses.replace(graph, equations=(copy, *graph.equations[1:])))
