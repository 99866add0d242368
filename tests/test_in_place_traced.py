"""Tensors changed in place where a function is traced: its own, not its arguments or what lies outside a loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import TraceError

Program = Callable[..., Any]


def both(function: Program, *args: Any) -> Any:
    """What it gives eagerly, and compiled."""
    return function(*args), cr.compile(function)(*args)


# -- in the bodies of loops and branches


def filled(total: Any, x: Any) -> tuple[Any, Any]:
    total *= x
    row = cr.zeros(3)
    row[1] = total
    row += cr.tensor([1.0, 2.0, 3.0])
    return total, row


def test_a_body_changes_what_it_is_given_and_makes() -> None:
    start, xs = cr.tensor(2.0), cr.tensor([3.0, -1.0])
    for total, rows in both(lambda xs: cr.scan(filled, start, xs), xs):
        assert total.item() == -6.0
        np.testing.assert_array_equal(rows.numpy(), [[1, 8, 3], [1, -4, 3]])
    assert start.item() == 2.0  # the carry is the loop's own
    np.testing.assert_array_equal(xs.numpy(), [3, -1])


def test_gradients_go_through_what_a_body_changed() -> None:
    def loss(xs: Any) -> Any:
        total, rows = cr.scan(filled, 1.0, xs)
        return total + (rows * rows).sum()

    for gradient in both(cr.grad(loss), cr.tensor([3.0, 2.0])):  # xy + (2 + x)^2 + (2 + xy)^2 and constants
        np.testing.assert_allclose(gradient.numpy(), [2 + 2 * 5 + 2 * 8 * 2, 3 + 2 * 8 * 3])


def test_a_made_tensor_begins_anew_in_each_round_and_call() -> None:
    def body(total: Any, x: Any) -> tuple[Any, Any]:
        made = cr.tensor([1.0, 2.0])
        made.assign(made * 2)
        made.add_(x)
        return total + x, made

    step = cr.compile(lambda xs: cr.scan(body, 0.0, xs)[1])
    for _ in range(2):
        np.testing.assert_array_equal(step(cr.tensor([1.0, 5.0])).numpy(), [[3, 5], [7, 9]])


def test_a_mapped_function_fills_its_own_tensor() -> None:
    def row(x: Any) -> Any:
        made = cr.zeros(3)
        made[1] = x
        return made

    for rows in both(cr.vmap(row), cr.tensor([4.0, 5.0])):
        np.testing.assert_array_equal(rows.numpy(), [[0, 4, 0], [0, 5, 0]])


def test_backward_inside_a_body() -> None:
    def body(total: Any, x: Any) -> tuple[Any, Any]:
        point = (total * x).detach().requires_grad_()
        (point**3).backward()
        return total + 1.0, point.grad

    for _, gradients in both(lambda xs: cr.scan(body, 1.0, xs), cr.tensor([1.0, 2.0])):
        np.testing.assert_allclose(gradients.numpy(), [3.0, 3 * 4.0**2])


@pytest.mark.parametrize(
    "loop", [lambda f, x: cr.scan(lambda c, v: (f(v), None), 0.0, x), lambda f, x: cr.cond(True, f, f, x[0])]
)
def test_what_lies_outside_a_body_is_refused(loop: Program) -> None:
    def function(x: Any) -> Any:
        computed = x * 2

        def changes(value: Any) -> Any:
            computed[0] = value
            return value

        loop(changes, x)
        return computed

    with pytest.raises(TraceError, match=r"a tensor from outside is changed.*\n.*computed\[0\] = value"):
        cr.compile(function)(cr.tensor([1.0, 2.0]))


def test_a_tensor_kept_from_a_body_tells_who_reads_it() -> None:
    kept = []

    def body(total: Any, x: Any) -> tuple[Any, Any]:
        made = cr.zeros(2)
        made[0] = x
        kept.append(made)
        return total, made

    cr.scan(body, 0.0, cr.tensor([1.0, 2.0]))
    with pytest.raises(TraceError, match="outside the trace that made it"):
        kept[0] + 1


# -- arguments


def add_one(x: Any) -> Any:
    x += 1
    return x


def set_first(x: Any) -> Any:
    x[0] = 5
    return x


@pytest.mark.parametrize("change", [add_one, set_first, lambda x: x.assign(x * 2), lambda x: x.zero_()])
@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_an_argument_is_not_changed_unseen(change: Program, dtype: str) -> None:
    with pytest.raises(TraceError, match=r"can't change an argument in place.*return it"):
        cr.compile(change)(cr.tensor([1, 2], dtype=dtype))


def test_a_copy_of_an_argument_may_be_changed() -> None:
    def function(x: Any) -> Any:
        same = x.astype("float32")  # the value itself, in a tensor of its own
        same += 1
        return same

    argument = cr.tensor([1.0, 2.0])
    for result in both(function, argument):
        np.testing.assert_array_equal(result.numpy(), [2, 3])
    np.testing.assert_array_equal(argument.numpy(), [1, 2])


def test_a_tensor_among_the_arguments_that_requires_a_gradient_is_a_cell() -> None:
    weight = cr.tensor([1.0, 2.0], requires_grad=True)
    cr.compile(lambda weight: weight.assign(weight * 3).sum())(weight)
    np.testing.assert_array_equal(weight.numpy(), [3, 6])


# -- where gradients begin


def saliency(x: Any) -> Any:
    x.requires_grad_()
    (x * x).sum().backward()
    return x.grad


def at_a_detached_point(x: Any) -> Any:
    point = (0.5 * x).detach().requires_grad_()
    (point * point * x).sum().backward(create_graph=True)
    return point.grad


@pytest.mark.parametrize("function", [saliency, at_a_detached_point])
def test_gradients_of_arguments_and_of_detached_values(function: Program) -> None:
    x = np.array([1.0, 3.0], np.float32)
    expected = 2 * x if function is saliency else x * x
    step = cr.compile(function)
    for _ in range(2):
        np.testing.assert_allclose(step(cr.tensor(x)).numpy(), expected)
    np.testing.assert_allclose(function(cr.tensor(x)).numpy(), expected)


def test_a_penalty_on_the_gradient_at_a_point_between() -> None:
    """As WGAN-GP has it; the penalty (|2aw| - 1)^2 of w * a^2 at a = x/2, by hand."""
    weight = cr.tensor(2.0, requires_grad=True)

    @cr.compile
    def step(x: Any) -> Any:
        weight.zero_grad()
        penalty = (at_a_point(x) - 1) ** 2
        penalty.backward()
        return weight.grad

    def at_a_point(x: Any) -> Any:
        point = (0.5 * x).detach().requires_grad_()
        (weight * point * point).backward(create_graph=True)
        weight.zero_grad()
        return point.grad

    assert step(cr.tensor(3.0)).item() == 2 * (2 * 1.5 * 2 - 1) * 2 * 1.5
