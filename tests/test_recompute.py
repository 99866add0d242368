"""checkpoint: the same values and derivatives to the bit, less memory, and the function runs again for the gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import TraceError

X = np.random.default_rng(0).normal(size=(4, 6))
WEIGHT = np.random.default_rng(1).normal(size=(6, 6)) * 0.5


def layers(wrap: Any, count: int) -> Any:
    def layer(x: Any, weight: Any) -> Any:
        return cr.tanh(cr.sin(x @ weight) + x)

    def function(x: Any, weight: Any) -> Any:
        for _ in range(count):
            x = wrap(layer)(x, weight)
        return (x * x).sum()

    return function


def plain(function: Any) -> Any:
    return function


@pytest.mark.parametrize("compiled", [False, True])
def test_values_and_derivatives_are_the_same(compiled: bool) -> None:
    wrap = cr.compile if compiled else plain

    def second(function: Any) -> Any:
        return lambda x, w: cr.grad(lambda w: (cr.grad(function)(x, w) ** 2).sum())(w)

    for order in (lambda f: f, lambda f: cr.grad(f, (0, 1)), second):
        found, expected = (cr.tree.leaves(wrap(order(layers(kind, 2)))(X, WEIGHT)) for kind in (cr.checkpoint, plain))
        for mine, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-12, atol=1e-14)


def test_the_function_is_in_the_backward_pass_once_more() -> None:
    def count(function: Any, name: str) -> int:
        graph = cr.trace(cr.grad(function, (0, 1)))(X, WEIGHT)
        return sum(_count(each, name) for each in graph.equations)

    assert count(layers(cr.checkpoint, 3), "matmul") == count(layers(plain, 3), "matmul") + 3


def _count(equation: Any, name: str) -> int:
    from chainrule.ir.walk import bodies

    own = int(equation.primitive.name == name)
    return own + sum(_count(each, name) for body in bodies(equation) for each in body.equations)


def test_a_compiled_gradient_needs_less_memory() -> None:
    x, weight = np.zeros((512, 64), np.float32), np.zeros((64, 64), np.float32)
    needed = [
        cr.compile(cr.grad(layers(kind, 12), 1)).program(x, weight).compiled.program.arena_bytes
        for kind in (plain, cr.checkpoint)
    ]
    assert needed[1] < 0.6 * needed[0]


def test_modules_loops_and_batches() -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 1)).double()

    def loss(model: Any, x: Any) -> Any:
        return cr.checkpoint(model)(x).sum() ** 2

    cr.checkpoint(model)(X).sum().backward()
    expected = [each.grad.numpy() for each in model.parameters()]
    model.zero_grad()
    model(X).sum().backward()
    for mine, each in zip(expected, model.parameters(), strict=True):
        np.testing.assert_allclose(mine, each.grad.numpy(), rtol=1e-13)
    each_row = cr.vmap(cr.grad(loss), (None, 0))(model, X)
    alone = cr.grad(loss)(model, X[1])
    for mine, other in zip(each_row.parameters(), alone.parameters(), strict=True):
        np.testing.assert_allclose(mine.numpy()[1], other.numpy(), rtol=1e-12)

    def looped(x: Any) -> Any:
        return cr.scan(lambda carry, _: (cr.checkpoint(cr.sin)(carry) * 1.5, None), x, length=5)[0].sum()

    slope, native = (wrap(cr.grad(looped))(X).numpy() for wrap in (plain, cr.compile))
    unrolled = cr.tensor(X, requires_grad=True)
    y = unrolled
    for _ in range(5):
        y = cr.sin(y) * 1.5
    y.sum().backward()
    np.testing.assert_allclose(slope, unrolled.grad.numpy(), rtol=1e-12)
    np.testing.assert_allclose(native, slope, rtol=1e-12)


def test_what_changes_something_outside_is_refused() -> None:
    with pytest.raises(TraceError, match=r"cr\.checkpoint"):
        cr.checkpoint(nn.Dropout(0.5))(X)
    assert cr.checkpoint(lambda x: {"a": x, "n": None})(X)["n"] is None
