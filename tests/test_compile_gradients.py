"""Gradients taken inside compiled functions with respect to what no gradient flows through otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import NoGradientError, TraceError

X = np.array([0.5, -1.0, 2.0], np.float32)
BUFFER = cr.tensor([0.3, 0.7, -0.2])
FROZEN = nn.Parameter(cr.tensor([1.5, -0.5, 0.1]), requires_grad=False)


def without(x: Any) -> Any:
    with cr.no_grad():
        return x * 3


SOURCES: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "made inside": (lambda x: cr.tensor([1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]),
    "a buffer": (lambda x: BUFFER, [0.3, 0.7, -0.2]),
    "made of a buffer": (lambda x: BUFFER * 2, [0.6, 1.4, -0.4]),
    "frozen": (lambda x: FROZEN, [1.5, -0.5, 0.1]),
    "detached": (lambda x: (x * 2).detach(), 2 * X),
    "stopped": (lambda x: cr.stop_gradient(x * 2), 2 * X),
    "not recorded": (without, 3 * X),
    "of integers": (lambda x: cr.astype(x > 0, "float32"), X > 0),
}


@pytest.mark.parametrize("name", SOURCES)
def test_gradients_of_any_argument(name: str) -> None:
    """d/dc sum tanh(c x)² = 2 x tanh (1 - tanh²); as vjp, jvp, hvp and hessian ask for it, too."""
    source, at = SOURCES[name]

    def loss(c: Any, x: Any) -> Any:
        return (cr.tanh(c * x) ** 2).sum()

    def every(x: Any) -> Any:
        c = source(x)
        along = (cr.ones(3),)
        return {
            "grad": cr.grad(loss)(c, x),
            "jvp": cr.jvp(lambda c: loss(c, x), (c,), along)[1],
            "hvp": cr.hvp(lambda c: loss(c, x), (c,), along)[0],
            "hessian": cr.hessian(lambda c: loss(c, x))(c).sum(0),
        }

    tanh = np.tanh(np.asarray(at, np.float64) * X)
    slope = 1 - tanh**2
    first, second = 2 * X * tanh * slope, 2 * X**2 * (slope**2 - 2 * tanh**2 * slope)
    found = cr.compile(every)(X)
    for key, expected in {"grad": first, "jvp": first.sum(), "hvp": second, "hessian": second}.items():
        np.testing.assert_allclose(found[key], expected, 2e-5, 1e-6)


def test_nothing_flows_on_to_what_was_cut_off() -> None:
    weight = nn.Parameter(cr.tensor(X))

    @cr.compile
    def step(x: Any) -> Any:
        slope = cr.grad(lambda c: (c**2 * x).sum())((weight * 2).detach())
        (weight * slope).sum().backward()
        return slope

    np.testing.assert_allclose(step(X), 4 * X * X, 1e-6)
    np.testing.assert_allclose(weight.grad, 4 * X * X, 1e-6)  # of the product alone: slope is a constant there


def test_tensors_made_of_arguments() -> None:
    """A function given arrays makes tensors of them; compiled these are copies of traced values."""

    def slope(x: Any) -> Any:
        weight = cr.tensor(x, requires_grad=True)
        copy = cr.tensor(weight, dtype="float64")
        copy += 1
        ((weight**3).sum() + (copy * weight).sum()).backward()
        return weight.grad, copy, x * 1

    for call in (slope, cr.compile(slope)):
        found, copy, argument = call(X)
        np.testing.assert_allclose(found, 3 * X**2 + X + 1, 1e-6)
        assert copy.dtype == cr.float64 and not copy.requires_grad
        np.testing.assert_allclose(copy, X + 1.0, 1e-6)
        np.testing.assert_array_equal(argument, X)


def test_a_loss_that_no_weight_led_to_is_an_error_as_it_is_eagerly() -> None:
    model = nn.Linear(3, 2)

    def step(inputs: cr.Tensor) -> cr.Tensor:
        loss = (inputs * inputs).sum() + model(inputs).detach().sum()
        loss.backward()
        return loss

    for call in (step, cr.compile(step)):
        with pytest.raises(NoGradientError, match="does not depend on anything that requires a gradient"):
            call(cr.tensor(np.ones((2, 3), np.float32)))


def begun_behind_an_operation(x: Any, weight: Any) -> Any:
    y = (x * 2).requires_grad_()
    (y * weight).sum().backward()
    return y.grad


def begun_where_weights_are_not(x: Any, weight: Any) -> Any:
    y = (x * 2).requires_grad_()
    (y * y).sum().backward()
    return y.grad


def begun_by_its_attribute(x: Any, weight: Any) -> Any:
    y = x * 2
    y.requires_grad = True
    (y * weight).sum().backward()
    return y.grad


def begun_already(x: Any, weight: Any) -> Any:
    y = (x * weight).requires_grad_()
    (y * y).sum().backward()
    return weight.grad * 1.0


def begun_inside_a_gradient(x: Any, weight: Any) -> Any:
    return cr.grad(lambda each: ((each * 2).requires_grad_() * weight).sum())(x)


def asked_for(x: Any, weight: Any) -> Any:
    inside = cr.grad(lambda each: (each * (2.0 if (each * 1).requires_grad else 3.0)).sum())(x)
    every = [x, x + 1, x * weight]
    return [inside, *(each * (each.requires_grad + 2.0 * each.is_leaf) for each in every)]


BEGUN = [begun_behind_an_operation, begun_where_weights_are_not, begun_by_its_attribute, begun_already]
BEGUN += [begun_inside_a_gradient, asked_for]


@pytest.mark.parametrize("function", BEGUN, ids=lambda each: each.__name__)
def test_what_requires_a_gradient_is_as_eagerly(function: Callable[[Any, Any], Any]) -> None:
    found = []
    for compile_it in (lambda each: each, cr.compile):
        weight = cr.tensor([1.0, 2.0, 3.0], requires_grad=True)
        step = compile_it(lambda x, weight=weight: function(x, weight))
        for factor in (1.0, 2.0):
            weight.zero_grad()
            result = step(cr.tensor(np.float32([1.0, -1.0, 2.0]) * np.float32(factor)))
            found.append([each.numpy() for each in cr.tree.leaves(result)])
    np.testing.assert_allclose(found[2:], found[:2], rtol=1e-6)


@pytest.mark.parametrize("change", [lambda m: m.requires_grad_(False), lambda m: m.to("float64")], ids=["freeze", "to"])
def test_what_would_change_a_parameter_for_good(change: Callable[[Any], Any]) -> None:
    layer = nn.Linear(2, 1)

    @cr.compile
    def step(x: Any) -> Any:
        y = layer(x).sum()
        change(layer)
        return y

    with pytest.raises(TraceError, match=r"traced only once.* Call it outside, before") as caught:
        step(np.float32([[1, 2]]))
    assert "change(layer)" in str(caught.value) or "lambda m" in str(caught.value)
    assert layer.weight.requires_grad and layer.weight.dtype == np.float32
