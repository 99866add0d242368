"""Tracing: what a graph holds, and how misuse is explained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ShapeError, TraceError
from chainrule.ir.build import current_trace
from chainrule.ir.graph import Graph
from chainrule.ir.types import ArrayType, float32, float64
from chainrule.reference import run

VECTOR = ArrayType((3,), float32)
X = np.array([0.5, -1.0, 2.0], np.float32)


def names(graph: Graph) -> list[str]:
    return [equation.primitive.name for equation in graph.equations]


@pytest.fixture(autouse=True)
def context_is_left_as_it_was() -> Iterator[None]:
    yield
    assert current_trace() is None


# -- what a graph holds


@pytest.mark.parametrize("argument", [VECTOR, X, cr.tensor(X), cr.Parameter(X), cr.zeros(3)])
def test_only_shape_and_element_type_of_arguments_matter(argument: Any) -> None:
    graph = cr.trace(lambda x: cr.exp(x) + 1)(argument)
    assert [value.type for value in graph.inputs] == [VECTOR] == [value.type for value in graph.outputs]
    assert names(graph) == ["exp", "add"]
    np.testing.assert_array_equal(run(graph, [X])[0], np.exp(X) + 1)


class Pair(NamedTuple):
    first: Any
    second: Any


def test_arguments_and_results_in_containers() -> None:
    def function(pair: Pair, options: dict[str, Any]) -> dict[str, Any]:
        return {"sum": pair.first + options["bias"], "both": [pair.second, None]}

    graph = cr.trace(function)(Pair(X, 2.0), {"bias": np.float64(1)})
    assert [str(value.type) for value in graph.inputs] == ["float32[3]", "float32[]", "float64[]"]
    given = run(graph, [X, np.float32(2), np.float64(1)])
    np.testing.assert_array_equal(given[0], X + 1.0)
    assert given[0].dtype == float64 and given[1] == 2


def test_results_may_be_numbers_and_arrays() -> None:
    graph = cr.trace(lambda x: (1, 2.5, True, np.arange(2), x))(VECTOR)
    assert [str(value.type) for value in graph.outputs] == ["int64[]", "float32[]", "bool[]", "int64[2]", "float32[3]"]
    assert [each.tolist() for each in run(graph, [X])[:4]] == [1, 2.5, True, [0, 1]]


@pytest.mark.parametrize("number", [True, 2, 0.5, 2 - 1j])
def test_results_may_be_numbers_of_any_kind_in_every_way(number: Any) -> None:
    x = cr.zeros(2)
    traced = cr.trace(lambda x: number)(x).outputs[0].data
    looped = cr.scan(lambda carry, each: (carry, number), 0.0, x)[1]
    found = [traced, cr.compile(lambda x: number)(x).numpy(), looped.numpy()[0], cr.tensor(number).numpy()]
    assert {(str(each.dtype), each.item()) for each in found} == {(str(found[0].dtype), number)}


def test_what_is_known_is_computed_at_once() -> None:
    weights = cr.tensor(X)
    assert names(cr.trace(lambda x: x * cr.exp(weights + 1))(VECTOR)) == ["multiply"]
    assert names(cr.trace(lambda: cr.ones(3) + 1)()) == []


def test_arrays_from_outside_are_copied_when_they_are_read() -> None:
    outside = X.copy()
    graph = cr.trace(lambda x: x + outside)(VECTOR)
    outside[:] = 100
    np.testing.assert_array_equal(run(graph, [X])[0], 2 * X)


def test_assigning_after_the_trace_does_not_change_the_graph() -> None:
    weights = cr.Parameter(X)
    graph = cr.trace(lambda x: x * weights)(VECTOR)
    weights.assign(np.zeros(3, np.float32))
    np.testing.assert_array_equal(run(graph, [X])[0], X * X)


def test_equations_know_their_line() -> None:
    graph = cr.trace(lambda x: cr.exp(x))(VECTOR)
    assert "test_trace.py" in str(graph.equations[0].source)


def test_name_of_the_function() -> None:
    def forward(x: cr.Tensor) -> cr.Tensor:
        return x

    assert str(cr.trace(forward)(VECTOR)).startswith("forward(%0: float32[3]):")


# -- gradients inside


def cubic(x: Any) -> Any:
    return (x**3).sum()


def test_gradients_inside_a_trace() -> None:
    graph = cr.trace(cr.grad(cubic))(X)
    assert run(graph, [X])[0].tobytes() == cr.grad(cubic)(X).numpy().tobytes()
    second = cr.trace(lambda x, v: cr.hvp(cubic, (x,), (v,)))(X, X)
    np.testing.assert_allclose(run(second, [X, X])[0], 6 * X * X)


def test_jacobians_and_products_inside_a_trace() -> None:
    def function(x: Any) -> Any:
        return cr.outer(x, cr.sin(x))

    for transformed in (
        cr.jacobian(function),
        cr.hessian(cubic),
        lambda x: cr.jvp(function, (x,), (x,)),
        lambda x: cr.vjp(function, x)[1](cr.ones((3, 3))),
        lambda x: cr.value_and_grad(cubic)(x),
    ):
        given = run(cr.trace(transformed)(X), [X])
        for first, second in zip(given, cr.tree.leaves(transformed(X)), strict=True):
            assert first.tobytes() == second.numpy().tobytes()


def test_no_grad_inside_a_trace_leaves_out_the_derivative() -> None:
    def function(x: Any) -> Any:
        with cr.no_grad():
            factor = x * 2
        return (factor * x).sum()

    np.testing.assert_array_equal(run(cr.trace(cr.grad(function))(X), [X])[0], 2 * X)


def test_gradient_by_an_outside_parameter() -> None:
    weights = cr.Parameter(X)

    def loss(x: Any) -> Any:
        return cr.grad(lambda w: (w * x).sum())(weights)

    np.testing.assert_array_equal(run(cr.trace(loss)(VECTOR), [X])[0], X)


# -- misuse


def test_a_branch_on_a_traced_value_names_the_line() -> None:
    def function(x: Any) -> Any:
        if x.sum() > 0:  # the line to be named
            return x
        return -x

    with pytest.raises(TraceError, match=r"cr\.where") as caught:
        cr.trace(function)(VECTOR)
    assert "test_trace.py" in str(caught.value) and "the line to be named" in str(caught.value)


@pytest.mark.parametrize(
    "look",
    [
        lambda x: x.numpy(),
        lambda x: x.sum().item(),
        lambda x: x.tolist(),
        lambda x: float(x[0]),
        lambda x: int(x[0]),
        lambda x: np.asarray(x),
        lambda x: 1.0 in x,
        lambda x: x[x > 0],
        lambda x: cr.zeros(3).assign(x),
        lambda x: f"{x[0]:.3f}",
        lambda x: not x[0],
        lambda x: range(3)[cr.argmax(x)],
    ],
)
def test_elements_of_traced_values_are_not_known(look: Any) -> None:
    with pytest.raises(TraceError, match="trace"):
        cr.trace(look)(VECTOR)


def test_traced_values_can_be_shown_and_asked_for_their_shape() -> None:
    def function(x: Any) -> Any:
        assert repr(x) == f"{x}" == "tensor(traced float32[3])"
        assert (len(x), x.shape, x.ndim, x.size, x.is_traced) == (3, (3,), 1, 3, True)
        return sum(x)

    assert run(cr.trace(function)(VECTOR), [X])[0] == X.sum()


def test_a_leaked_value_is_refused_eagerly_and_in_another_trace() -> None:
    leaked: list[Any] = []
    cr.trace(lambda x: leaked.append(x * 2))(VECTOR)
    with pytest.raises(TraceError, match="outside the trace"):
        cr.exp(leaked[0])
    with pytest.raises(TraceError, match=r"another trace made \(made at .*test_trace.py"):
        cr.trace(lambda x: x + leaked[0])(VECTOR)
    with pytest.raises(TraceError, match="another trace"):
        cr.trace(lambda x: leaked[0])(VECTOR)


def test_traces_inside_traces() -> None:
    def function(x: Any) -> Any:
        inner = cr.trace(lambda y: y + 1)(x)  # only the type of x is read
        assert names(inner) == ["add"]
        return x * 2

    assert names(cr.trace(function)(VECTOR)) == ["multiply"]
    with pytest.raises(TraceError, match="another trace"):
        cr.trace(lambda x: cr.trace(lambda y: y + x)(x) and x)(VECTOR)


def test_results_that_are_no_arrays() -> None:
    with pytest.raises(TraceError, match="not str"):
        cr.trace(lambda x: "text")(VECTOR)
    with pytest.raises(TraceError, match="not function"):
        cr.trace(lambda x: lambda: x)(VECTOR)


def test_errors_inside_leave_the_context_as_it_was() -> None:
    with pytest.raises(ShapeError):
        cr.trace(lambda x: x + cr.zeros(4))(VECTOR)
    assert current_trace() is None
    assert (cr.ones(2) + 1).tolist() == [2, 2]


def test_backward_inside_a_trace_reaches_outside_parameters() -> None:
    weights = cr.Parameter(X)

    def function(x: Any) -> Any:
        weights.zero_grad()
        (weights * x).sum().backward()
        gradient, weights.grad = weights.grad, None
        return gradient

    np.testing.assert_array_equal(run(cr.trace(function)(VECTOR), [X])[0], X)


def test_ten_thousand_operations() -> None:
    def function(x: Any) -> Any:
        for _ in range(10_000):
            x = x * 1.0001
        return x

    graph = cr.trace(function)(VECTOR)
    assert len(graph.equations) == 10_000
    assert len(str(graph).splitlines()) == 10_002
