"""Gradients taken inside compiled functions with respect to what no gradient flows through otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import NoGradientError

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
