"""Reverse mode over equations: gradients of values, by values, with cotangents; what flows and what does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.autodiff import gradients, leaf_gradients
from chainrule.errors import GradientError, ShapeError
from chainrule.ir.build import Trace, constant, leaf, placeholder, tracing
from chainrule.ir.graph import Value
from chainrule.ir.primitive import Primitive
from chainrule.ir.types import ArrayType, float64
from chainrule.ops import arrays, gathers, operators


def vector(*numbers: float) -> Value:
    return leaf(np.array(numbers))


def test_by_several_values_and_intermediates() -> None:
    x, y = vector(1.0, 2.0), vector(3.0, 4.0)
    product = x * y
    total = arrays.sum(product * product)
    by_x, by_y, by_product = gradients([total], [x, y, product])
    np.testing.assert_array_equal(by_x.data, 2 * x.data * y.data**2)
    np.testing.assert_array_equal(by_y.data, 2 * y.data * x.data**2)
    np.testing.assert_array_equal(by_product.data, 2 * x.data * y.data)


def test_by_the_output_itself_and_twice_the_same() -> None:
    x = vector(2.0)
    y = x * x
    found = gradients([y], [y, x, x])
    assert [each.data.tolist() for each in found] == [[1], [4], [4]]
    assert gradients([x], [x])[0].data.tolist() == [1]


def test_several_outputs_with_cotangents_add_up() -> None:
    x = vector(1.0, 2.0)
    outputs = [x * x, x * 3.0, x]
    (found,) = gradients(outputs, [x], [constant(np.ones(2)), None, constant(np.full(2, 10.0))])
    assert found.data.tolist() == [12, 14]


def test_none_where_no_path_leads() -> None:
    x, y = vector(1.0), vector(2.0)
    assert gradients([x * 2.0], [y]) == [None]
    assert gradients([arrays.argmax(x)], [x]) == [None]
    assert gradients([operators.lift(5.0)], [x]) == [None]


def test_cotangents_must_fit() -> None:
    x = vector(1.0, 2.0)
    with pytest.raises(GradientError, match="single number"):
        gradients([x * 2.0], [x])
    with pytest.raises(ShapeError, match="cotangent"):
        gradients([x * 2.0], [x], [constant(np.ones(3))])
    with pytest.raises(ShapeError, match="cotangent"):
        gradients([x * 2.0], [x], [constant(np.ones(2, np.float32))])
    with pytest.raises(GradientError, match="floats"):
        gradients([x], [constant(np.arange(2))])


def test_what_is_not_asked_for_is_not_computed() -> None:
    """Only equations between the outputs and the values asked for are walked."""
    writing = Trace()
    with tracing(writing):
        x, y = placeholder(ArrayType((), float64)), placeholder(ArrayType((), float64))
        z = x * x + y**3
        before = len(writing.equations)
        gradients([z], [x])
    assert {equation.primitive.name for equation in writing.equations[before:]} == {"multiply", "add"}


def test_walking_does_not_visit_shared_equations_twice() -> None:
    """A chain of doublings has 2^40 paths."""
    x = vector(1.0)
    y = x
    for _ in range(40):
        y = y + y
    assert gradients([y], [x])[0].data.tolist() == [2.0**40]


def test_large_fan_in() -> None:
    parts = [vector(float(number)) for number in range(2000)]
    joined = arrays.concat(parts, 0)
    found = gradients([arrays.sum(joined * joined)], parts)
    assert [each.data.item() for each in found] == [2.0 * number for number in range(2000)]


def test_leaf_gradients_find_every_leaf_once() -> None:
    x, y, untracked = vector(1.0), vector(2.0), constant(np.array([3.0]))
    found = leaf_gradients(arrays.sum(x * y * untracked + x))
    assert {id(value): each.data.tolist() for value, each in found} == {id(x): [7.0], id(y): [3.0]}
    with pytest.raises(GradientError, match="requires_grad"):
        leaf_gradients(untracked)


def test_a_derivative_of_the_wrong_type_is_an_error_that_names_it() -> None:
    wrong = Primitive("wrong", lambda kind: kind, lambda x: x, (lambda g, y, x: g[:1],), "wrong({0})", lambda: iter(()))
    x = vector(1.0, 2.0)
    with pytest.raises(GradientError, match=r"derivative of wrong .* float64\[1\]"):
        gradients([arrays.sum(wrong(x))], [x])


def test_several_outputs_of_one_primitive() -> None:
    def rule(g: Any, y: Any, x: Any) -> Any:
        return g[0] + g[1] * 10.0

    both = Primitive("both", lambda kind: (kind, kind), lambda x: (x, 10 * x), (rule,), "both({0})", lambda: iter(()))
    x = vector(1.0, 2.0)
    one, ten = both(x)
    assert gradients([one], [x], [constant(np.ones(2))])[0].data.tolist() == [1, 1]
    assert gradients([ten], [x], [constant(np.ones(2))])[0].data.tolist() == [10, 10]
    assert gradients([arrays.sum(one * ten)], [x])[0].data.tolist() == [20, 40]
    assert gradients([arrays.sum(one * ten)], [one, ten])[1].data.tolist() == [1, 2]


# -- hazards: broadcasting, views, scatter, where, casts


def gradient(function: Any, *points: Any) -> list[Any]:
    found = cr.grad(function, argnums=tuple(range(len(points))))(*points)
    return [each.tolist() for each in found]


def test_broadcasting_sums_back() -> None:
    row, column, number = np.ones((1, 3)), np.ones((2, 1)), np.float64(1.0)
    assert gradient(lambda a, b, c: (a * b * c).sum(), row, column, number) == [[[2, 2, 2]], [[3], [3]], 6]
    assert gradient(lambda a: cr.broadcast_to(a, (0, 3)).sum(), np.ones((1, 3))) == [[[0, 0, 0]]]


def test_views_of_views() -> None:
    def function(x: Any) -> Any:
        view = x.T[::-1, 1:].reshape(-1)[::2]
        return (view * np.arange(1.0, view.size + 1)).sum()

    x = np.zeros((3, 4))
    expected = np.zeros((3, 4))
    expected.T[::-1, 1:][[0, 1, 2, 3], 0] = [1, 2, 3, 4]
    assert gradient(function, x) == [expected.tolist()]


def test_scatter_passes_gradients_to_both_and_repeated_indices() -> None:
    def function(x: Any, updates: Any) -> Any:
        return (cr.scatter_add(x, [0, 2, 0], updates) * np.array([1.0, 10.0, 100.0])).sum()

    assert gradient(function, np.zeros(3), np.ones(3)) == [[1, 10, 100], [1, 100, 1]]
    assert gradient(function, np.zeros(3), np.float64(1.0)) == [[1, 10, 100], 102]


def test_scatter_promotes_instead_of_cutting_off() -> None:
    assert cr.scatter_add(np.zeros(2, np.int64), [0], 0.5).dtype == cr.float32
    assert cr.scatter_add(cr.zeros(2), [0], np.array([0.1])).dtype == cr.float64
    assert cr.scatter_add(cr.zeros((2, 2)), (1,), 1.0, axis=1).tolist() == [[0, 1], [0, 1]]


def test_where_sends_to_the_side_chosen_only() -> None:
    mask = np.array([True, False])
    x, y = np.array([4.0, -1.0]), np.array([0.0, 2.0])
    assert gradient(lambda x, y: cr.where(mask, cr.sqrt(x), cr.log(y)).sum(), x, y) == [[0.25, 0], [0, 0.5]]


def test_casts_give_back_their_own_type() -> None:
    x = cr.tensor([1.0, 2.0], requires_grad=True)
    (x.astype(cr.float64) * np.array([1e-3, 1e3])).sum().backward()
    assert x.grad is not None and x.grad.dtype == cr.float32
    np.testing.assert_allclose(x.grad.numpy(), [1e-3, 1e3], rtol=1e-6)
    assert not x.astype(cr.int64).requires_grad


def test_empty_arrays_have_empty_gradients() -> None:
    for function in (cr.sum, cr.mean, cr.prod, cr.logsumexp, lambda x: cr.sort(x).sum(), lambda x: cr.softmax(x).sum()):
        assert cr.grad(function)(np.zeros(0)).shape == (0,)
    assert gradient(lambda x, y: (x @ y).sum(), np.zeros((2, 0)), np.zeros((0, 3))) == [[[], []], []]


def test_gather_through_an_index_that_repeats() -> None:
    x = vector(1.0, 2.0, 3.0)
    picked = gathers.take(x, [2, 2, 0])
    assert gradients([arrays.sum(picked * picked)], [x])[0].data.tolist() == [2, 0, 12]
