"""Gradients of compiled functions: as of the function itself, of any order; never zero where they are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import GradientError

X = np.array([0.5, -1.0, 2.0])
ALONG = np.array([1.0, 0.5, -2.0])
WEIGHT = cr.tensor([0.3, 0.7, -0.2], dtype="float64")


def eager(x: Any) -> Any:
    return (cr.tanh(x * WEIGHT) ** 2 * x).sum()


compiled = cr.compile(eager)


def differences(function: Any, x: Any, step: float = 1e-5) -> Any:
    """Central differences along each axis."""
    moves = step * np.eye(len(x))
    return np.array([(np.asarray(function(x + each)) - np.asarray(function(x - each))) / (2 * step) for each in moves])


ASKED = {
    "grad": lambda f: cr.grad(f)(X),
    "value_and_grad": lambda f: cr.value_and_grad(f)(X)[1],
    "vjp": lambda f: cr.vjp(f, X)[1](1.0)[0],
    "jacobian": lambda f: cr.jacobian(f)(X),
    "of a part": lambda f: cr.grad(lambda x: f(x))(X),
    "with what is outside": lambda f: cr.grad(lambda x: f(X * 0 + x))(X),
    "for each example": lambda f: cr.vmap(cr.grad(f))(X[None])[0],
    "compiled again": lambda f: cr.compile(cr.grad(f))(X),
}


@pytest.mark.parametrize("asked", ASKED)
def test_first_order(asked: str) -> None:
    found = ASKED[asked](compiled)
    np.testing.assert_allclose(found, ASKED[asked](eager), 1e-13)
    np.testing.assert_allclose(found, differences(eager, X), 1e-8)


def test_second_order_and_along() -> None:
    expected = differences(cr.grad(eager), X)
    found = [
        cr.hessian(compiled)(X),
        cr.jacobian(cr.grad(compiled))(X),
        cr.compile(cr.hessian(compiled))(X),
    ]
    for each in found:
        np.testing.assert_allclose(each, expected, 1e-7)
    np.testing.assert_allclose(cr.hvp(compiled, (X,), (ALONG,))[0], expected @ ALONG, 1e-7)
    np.testing.assert_allclose(cr.jvp(compiled, (X,), (ALONG,))[1], differences(eager, X) @ ALONG, 1e-8)


def test_of_a_model_and_what_it_updates() -> None:
    """Gradients with respect to a module among the arguments; statistics move as they do eagerly."""
    found = []
    for make in (lambda f: f, cr.compile):
        cr.random.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))
        loss = make(lambda model, x: (model(x) ** 2).mean())
        slopes = cr.grad(loss)(model, np.float32([X, X * X, X + 1]))
        found.append([*cr.tree.leaves(slopes), model[1].running_mean, cr.random.normal((2,))])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
    assert any(np.asarray(each).any() for each in found[0])


def test_what_lies_around_counts_where_it_is_what_is_asked_for() -> None:
    """A compiled function inside the one that is differentiated reads its argument by a closure."""

    def loss(weight: Any) -> Any:
        inner = cr.compile(lambda x: (x * weight).sum())
        return inner(X) ** 2

    expected = 2 * (X @ ALONG) * X
    np.testing.assert_allclose(cr.grad(loss)(ALONG), expected, 1e-13)


def test_the_program_runs_where_nobody_differentiates() -> None:
    calls = []

    @cr.compile
    def counted(x: Any) -> Any:
        calls.append(1)
        return (x * x).sum()

    counted(X)
    cr.grad(counted)(X)
    assert len(calls) == 2
    counted(X)
    assert len(calls) == 2  # neither traced nor compiled again


def test_backward_through_results_is_refused() -> None:
    model = nn.Linear(3, 1)
    step = cr.compile(lambda x: model(x).sum())
    rows = np.ones((4, 3), np.float32)
    for result in (step(rows), step.epoch(rows, batch_size=2).sum()):
        with pytest.raises(GradientError, match="no gradient goes through the compiled function"):
            (result + model(rows).sum()).backward()
        assert model.weight.grad is None
