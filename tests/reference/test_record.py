"""A recording holds the value and the cotangent of every value of a graph."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import GradientError, GraphError
from chainrule.reference import record, run

X = np.random.default_rng(0).standard_normal((4, 3))
W = np.random.default_rng(1).standard_normal((3, 2))
LABELS = np.array([0, 1, 1, 0])


def loss(x: cr.Tensor, w: cr.Tensor, labels: cr.Tensor) -> cr.Tensor:
    scores = cr.log_softmax(cr.tanh(x @ w))
    return -(scores * cr.one_hot(labels, 2, cr.float64)).mean()


def test_every_value_is_kept() -> None:
    graph = cr.trace(loss)(X, W, LABELS)
    recorded = record(graph, [X, W, LABELS])
    assert recorded.outputs[0].tobytes() == run(graph, [X, W, LABELS])[0].tobytes()
    by_name = {equation.primitive.name: equation.outputs[0] for equation in graph.equations}
    np.testing.assert_array_equal(recorded.array(by_name["tanh"]), np.tanh(X @ W))
    for equation in graph.equations:
        for value in equation.outputs:
            assert recorded.array(value).shape == value.shape


def test_cotangents_are_the_gradients() -> None:
    graph = cr.trace(loss)(X, W, LABELS)
    cotangents = record(graph, [X, W, LABELS]).backward()
    expected = cr.grad(loss, argnums=(0, 1))(X, W, LABELS)
    for value, gradient in zip(graph.inputs, expected):
        np.testing.assert_allclose(cotangents.of(value), gradient.numpy(), rtol=1e-13)
    assert cotangents.of(graph.inputs[2]) is None
    (output,) = graph.outputs
    assert cotangents.of(output) == 1.0


def test_cotangents_of_hidden_values_against_differences() -> None:
    graph = cr.trace(lambda x, w: (cr.tanh(x @ w) ** 2).sum())(X, W)
    hidden = next(each.outputs[0] for each in graph.equations if each.primitive.name == "tanh")
    recorded = record(graph, [X, W])
    array = recorded.array(hidden)
    found = recorded.backward().of(hidden)
    assert found is not None
    np.testing.assert_allclose(found, ((array + 1e-6) ** 2 - (array - 1e-6) ** 2) / 2e-6, rtol=1e-8)


def test_cotangents_of_several_outputs() -> None:
    graph = cr.trace(lambda x: (x * 2, x * 3, x > 0))(X)
    recorded = record(graph, [X])
    found = recorded.backward([X, None, None]).of(graph.inputs[0])
    np.testing.assert_array_equal(found, 2 * X)  # type: ignore[arg-type]
    with pytest.raises(GradientError, match="single number"):
        recorded.backward()


def test_a_value_of_another_graph_is_refused() -> None:
    recorded = record(cr.trace(lambda x: x * 2)(X), [X])
    other = cr.trace(lambda x: x * 2)(X)
    with pytest.raises(GraphError, match="does not belong"):
        recorded.array(other.outputs[0])
