"""jacobian and hessian by rows and by columns: closed forms, containers, chunks, higher orders, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ConfigurationError

X = np.array([0.3, -1.2, 0.7])
A = np.arange(15.0).reshape(5, 3) / 7


def wide(x: Any) -> Any:
    return cr.tanh(cr.asarray(A) @ x)


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("mode", [None, "reverse", "forward"])
@pytest.mark.parametrize("chunk_size", [None, 1, 2])
@pytest.mark.parametrize("compiled", [False, True])
def test_both_modes_give_the_closed_form(mode: str | None, chunk_size: int | None, compiled: bool) -> None:
    function = cr.jacobian(wide, mode=mode, chunk_size=chunk_size)
    close((cr.compile(function) if compiled else function)(X), (1 - np.tanh(A @ X) ** 2)[:, None] * A)


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_containers_and_results_without_gradient(mode: str) -> None:
    def function(both: Any) -> Any:
        return {
            "outer": cr.outer(both["a"], both["b"]),
            "sum": both["a"].sum(),
            "place": both["a"].argmax(),
            "one": cr.ones(2),
        }

    b = np.array([2.0, 3.0])
    found = cr.jacobian(function, mode=mode)({"a": X, "b": b})
    close(found["outer"]["a"], np.einsum("ik,j->ijk", np.eye(3), b))
    close(found["outer"]["b"], np.einsum("i,jk->ijk", X, np.eye(2)))
    close(found["sum"]["a"], np.ones(3))
    close(found["sum"]["b"], np.zeros(2))
    assert found["place"]["a"].shape == (3,) and not found["place"]["a"].numpy().any()
    assert found["one"]["b"].shape == (2, 2) and not found["one"]["b"].numpy().any()


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_empty_and_zero_dim(mode: str) -> None:
    assert cr.jacobian(lambda x: x[:0], mode=mode)(X).shape == (0, 3)
    assert cr.jacobian(lambda x: x.sum(), mode=mode)(np.zeros(0)).shape == (0,)
    close(cr.jacobian(lambda x: x**3, mode=mode)(2.0), 12.0)


@pytest.mark.parametrize("inner", ["reverse", "forward"])
@pytest.mark.parametrize("outer", ["reverse", "forward"])
def test_modes_nest_to_third_order(inner: str, outer: str) -> None:
    second = cr.jacobian(cr.jacobian(lambda x: (x**4).sum(), mode=inner), mode=outer)
    close(second(X), np.diag(12 * X**2))
    third = cr.jacobian(second, mode=inner)(X)
    close(third, np.einsum("ij,jk,j->ijk", np.eye(3), np.eye(3), 24 * X))


def test_gradient_through_a_jacobian_reaches_what_it_closes_over() -> None:
    def norm(w: Any) -> Any:
        return (cr.jacobian(lambda x: cr.sin(w * x))(X) ** 2).sum()

    w = np.array([0.5, 1.0, 2.0])
    expected = 2 * w * np.cos(w * X) ** 2 - 2 * w**2 * np.cos(w * X) * np.sin(w * X) * X
    close(cr.grad(norm)(w), expected)


def test_a_function_may_branch_on_its_values() -> None:
    close(cr.jacobian(lambda x: x * 2 if float(x[0]) > 0 else x * 3)(X), 2 * np.eye(3))


def test_unknown_modes_and_chunks_are_told() -> None:
    with pytest.raises(ConfigurationError, match='"reverse" or "forward", not \'sideways\''):
        cr.jacobian(wide, mode="sideways")
    with pytest.raises(ConfigurationError, match="chunk_size is an integer of at least 1 or None, not 0"):
        cr.hessian(wide, chunk_size=0)
