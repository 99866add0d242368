"""Tracing: what a graph holds, what leaks, and errors that name the user's line."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError, ShapeError, TraceError
from chainrule.ir.build import current_trace, is_recording
from chainrule.ir.types import ArrayType, float32
from chainrule.reference import run


def names(graph: Any) -> list[str]:
    return [equation.primitive.name for equation in graph.equations]


def test_arguments_are_placeholders_whatever_they_hold() -> None:
    graph = cr.trace(lambda p, n: p["w"] @ p["w"] * n)({"w": np.ones((2, 2))}, 3)
    assert [str(value.type) for value in graph.inputs] == ["float64[2, 2]", "int64[]"]
    graph = cr.trace(lambda x: x + 1)(ArrayType((3,), float32))
    assert str(graph.outputs[0].type) == "float32[3]" and names(graph) == ["add"]


def test_what_is_read_from_outside_is_a_constant_computed_at_once() -> None:
    table = cr.tensor([1.0, 2.0])
    graph = cr.trace(lambda x: x * (cr.exp(table) + 1.0))(cr.zeros(2))
    assert names(graph) == ["multiply"]


def test_tracked_tensors_from_outside_stay_in_the_graph() -> None:
    weight = cr.Parameter([1.0, 2.0])
    graph = cr.trace(lambda x: x * cr.exp(weight))(cr.zeros(2))
    assert names(graph) == ["exp", "multiply"]


def test_gradients_inside_a_trace_join_the_graph() -> None:
    x = np.array([0.3, 0.7])
    function = cr.grad(lambda x: (cr.sin(x) * x).sum())
    (result,) = run(cr.trace(function)(x), [x])
    np.testing.assert_allclose(result, np.cos(x) * x + np.sin(x), rtol=1e-15)
    hessian = cr.trace(cr.hessian(lambda x: (x**3).sum()))(x)
    np.testing.assert_allclose(run(hessian, [x])[0], np.diag(6 * x), rtol=1e-15)


def test_gradient_inside_a_trace_by_a_value_from_outside_it() -> None:
    weight = cr.Parameter([2.0])

    def inner(x: Any) -> Any:
        return cr.grad(lambda w: (w * w * x).sum())(weight)

    (result,) = run(cr.trace(inner)(cr.ones(1)), [np.array([3.0], np.float32)])
    assert result.tolist() == [12.0]


def test_jvp_and_custom_gradients_inside_a_trace() -> None:
    @cr.custom_gradient(check=False)
    def doubled(x: Any) -> Any:
        return x * 2, lambda g: g * 7

    (result,) = run(cr.trace(cr.grad(lambda x: doubled(x).sum()))(cr.ones(2)), [np.ones(2, np.float32)])
    assert result.tolist() == [7, 7]
    graph = cr.trace(lambda x, v: cr.jvp(cr.sin, (x,), (v,))[1])(0.0, 1.0)
    assert run(graph, [np.float32(0), np.float32(3)])[0] == 3


def test_outputs_may_be_inputs_constants_and_numbers() -> None:
    graph = cr.trace(lambda x: (x, {"one": 1, "array": np.ones(2), "scalar": np.float32(2)}, x))(cr.zeros(3))
    x = np.arange(3, dtype=np.float32)
    results = run(graph, [x])
    assert [result.tolist() for result in results] == [[0, 1, 2], 1, [1, 1], 2, [0, 1, 2]]
    with pytest.raises(TraceError, match="str"):
        cr.trace(lambda x: "text")(1.0)


def test_a_traced_value_used_after_its_trace() -> None:
    kept = []
    cr.trace(lambda x: kept.append(x) or x)(1.0)  # type: ignore[func-returns-value]
    with pytest.raises(TraceError, match="outside the trace"):
        kept[0] * 2
    with pytest.raises(TraceError, match="another trace"):
        cr.trace(lambda y: y + kept[0])(1.0)
    with pytest.raises(TraceError, match="elements"):
        kept[0].numpy()


def test_a_trace_inside_a_trace_is_a_graph_of_its_own() -> None:
    graphs = []

    def outer(x: Any) -> Any:
        graphs.append(cr.trace(lambda y: y * 3)(x))
        return x + 1

    assert names(cr.trace(outer)(1.0)) == ["add"] and names(graphs[0]) == ["multiply"]


def test_an_exception_restores_the_context() -> None:
    def broken(x: Any) -> Any:
        with cr.no_grad():
            return cr.grad(lambda z: z @ z)(x)

    with pytest.raises(ChainruleError):
        cr.trace(broken)(1.0)
    assert current_trace() is None and is_recording()
    with pytest.raises(ZeroDivisionError):
        cr.trace(lambda x: 1 / 0)(1.0)
    assert current_trace() is None


def test_in_place_contents_are_refused_in_a_trace() -> None:
    cell = cr.zeros(2)
    with pytest.raises(TraceError, match="assign"):
        cr.trace(lambda x: cell.assign(x))(cr.ones(2))
    assert cell.tolist() == [0, 0]


# -- messages name the user's line


def line_of(error: BaseException) -> str:
    (found,) = re.findall(r"at (test_trace\.py:\d+: .*)$", str(error), re.MULTILINE)
    return str(found)


def test_errors_name_the_users_line_and_not_ours() -> None:
    with pytest.raises(ShapeError) as caught:
        cr.ones((2, 3)) + cr.ones((2, 4))  # the wrong line
    assert "# the wrong line" in line_of(caught.value)
    assert "(2, 3) and (2, 4)" in str(caught.value) and "along axis 1" in str(caught.value)


def test_a_branch_on_a_traced_value_names_its_line() -> None:
    def choose(x: Any) -> Any:
        if x > 0:  # the branch
            return x
        return -x

    with pytest.raises(TraceError) as caught:
        cr.trace(choose)(1.0)
    assert "# the branch" in line_of(caught.value) and "cr.where" in str(caught.value)


def test_a_wrong_shape_inside_a_gradient_names_its_line() -> None:
    def loss(x: Any) -> Any:
        return (x @ cr.ones((5, 2))).sum()  # five rows

    with pytest.raises(ShapeError) as caught:
        cr.grad(loss)(cr.ones((2, 3)))
    assert "# five rows" in line_of(caught.value)


def test_equations_know_their_line() -> None:
    graph = cr.trace(lambda x: cr.exp(x))(1.0)
    source = graph.equations[0].source
    assert source is not None and source.file == __file__ and "cr.exp(x)" in source.text


def test_a_method_of_numpy_on_a_traced_value() -> None:
    with pytest.raises(TraceError, match=r"numpy\(\)"):
        cr.trace(lambda x: np.asarray(x))(cr.ones(3))
