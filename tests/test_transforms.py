"""grad, vjp, jvp, hvp, jacobian, hessian against closed forms, nested in every way; no_grad and stop_gradient."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError, ConfigurationError, GradientError

RANDOM = np.random.default_rng(0)
A = RANDOM.normal(size=(4, 4))
X, V = RANDOM.normal(size=4), RANDOM.normal(size=4)


def quadratic(x: Any) -> Any:
    """½ xᵀAx: gradient (A + Aᵀ)x / 2, Hessian (A + Aᵀ) / 2."""
    return 0.5 * (x * (A @ x)).sum()


SYMMETRIC = (A + A.T) / 2


def close(given: Any, expected: Any, tolerance: float = 1e-13) -> None:
    given = given.numpy() if isinstance(given, cr.Tensor) else given
    np.testing.assert_allclose(given, expected, rtol=tolerance, atol=tolerance)


# -- closed forms


def test_gradient_hessian_and_their_products_of_a_quadratic_form() -> None:
    close(cr.grad(quadratic)(X), SYMMETRIC @ X)
    close(cr.hessian(quadratic)(X), SYMMETRIC)
    close(cr.hvp(quadratic, (X,), (V,))[0], SYMMETRIC @ V)
    close(cr.jacobian(lambda x: A @ x)(X), A)
    value, tangent = cr.jvp(lambda x: A @ x, (X,), (V,))
    close(value, A @ X)
    close(tangent, A @ V)
    value, pullback = cr.vjp(lambda x: A @ x, X)
    close(value, A @ X)
    close(pullback(V)[0], A.T @ V)


@pytest.mark.parametrize("order", range(1, 7))
def test_any_order(order: int) -> None:
    function: Callable[..., Any] = lambda x: cr.exp(2 * x)  # noqa: E731
    for _ in range(order):
        function = cr.grad(function)
    close(function(np.float64(0.3)), 2**order * math.exp(0.6))


def test_higher_orders_of_a_polynomial_end_in_zero() -> None:
    function: Callable[..., Any] = lambda x: x**3 + 2 * x  # noqa: E731
    expected = [29.0 + 4, 29.0, 18.0, 6.0, 0.0, 0.0]
    for order, wanted in enumerate(expected[1:], start=1):
        function = cr.grad(function)
        assert function(np.float64(3.0)).item() == wanted, order


def test_argnums_and_keyword_arguments() -> None:
    def function(x: Any, y: Any, *, scale: float) -> Any:
        return x * y * y * scale

    assert cr.grad(function, argnums=1)(2.0, 3.0, scale=10.0).item() == 120
    assert [each.item() for each in cr.grad(function, argnums=(0, -1))(2.0, 3.0, scale=10.0)] == [90, 120]
    with pytest.raises(ConfigurationError, match="argument 2"):
        cr.grad(function, argnums=2)(1.0, 2.0)


def test_aux_is_handed_on() -> None:
    (value, aux), gradient = cr.value_and_grad(lambda x: (x * x, {"twice": 2 * x, "name": "x"}), has_aux=True)(3.0)
    assert (value.item(), aux["twice"].item(), aux["name"], gradient.item()) == (9, 6, "x", 6)
    assert aux["twice"].is_leaf and not aux["twice"].requires_grad
    gradient, aux = cr.grad(lambda x: (x * x, x), has_aux=True)(3.0)
    assert (gradient.item(), aux.item()) == (6, 3)
    with pytest.raises(ConfigurationError, match="pair"):
        cr.grad(lambda x: x, has_aux=True)(3.0)


# -- containers


@dataclasses.dataclass
class Layer:
    weight: Any
    bias: Any


def network(parameters: dict[str, Any], x: Any) -> Any:
    hidden = cr.tanh(x @ parameters["first"].weight + parameters["first"].bias)
    return {"out": (hidden @ parameters["rest"][0]).sum(), "hidden": [hidden]}


PARAMETERS = {"first": Layer(RANDOM.normal(size=(4, 3)), RANDOM.normal(size=3)), "rest": (RANDOM.normal(size=3), None)}
DIRECTION = {"first": Layer(RANDOM.normal(size=(4, 3)), RANDOM.normal(size=3)), "rest": (RANDOM.normal(size=3), None)}


def moved(t: float) -> dict[str, Any]:
    return cr.tree.map(lambda p, d: p + t * d, PARAMETERS, DIRECTION)


def inner(first: Any, second: Any) -> float:
    pairs = zip(cr.tree.leaves(first), cr.tree.leaves(second))
    return sum(float(np.sum(np.asarray(a) * np.asarray(b))) for a, b in pairs)


def test_containers_keep_their_structure() -> None:
    gradient = cr.grad(lambda p: network(p, X)["out"])(PARAMETERS)
    assert cr.tree.structure(gradient) == cr.tree.structure(PARAMETERS) and isinstance(gradient["first"], Layer)
    step = 1e-4
    difference = (network(moved(step), X)["out"].item() - network(moved(-step), X)["out"].item()) / (2 * step)
    close(inner(gradient, DIRECTION), difference, 1e-7)


def test_jvp_and_vjp_of_containers_are_adjoint() -> None:
    result, tangent = cr.jvp(lambda p: network(p, X), (PARAMETERS,), (DIRECTION,))
    cotangent = {"out": np.float64(0.7), "hidden": [RANDOM.normal(size=3)]}
    _, pullback = cr.vjp(lambda p: network(p, X), PARAMETERS)
    (pulled,) = pullback(cotangent)
    assert set(result) == {"out", "hidden"}
    close(inner(tangent, cotangent), inner(pulled, DIRECTION), 1e-12)


def test_dicts_in_another_order_fit() -> None:
    result, tangent = cr.jvp(lambda p: p["a"] * 2 + p["b"], ({"a": 1.0, "b": 10.0},), ({"b": 3.0, "a": 5.0},))
    assert (result.item(), tangent.item()) == (12, 13)


def test_hessian_of_a_dict_has_blocks() -> None:
    blocks = cr.hessian(lambda p: (p["a"] ** 2 * p["b"]).sum())({"a": X, "b": V})
    close(blocks["a"]["a"], np.diag(2 * V))
    close(blocks["a"]["b"], np.diag(2 * X))
    close(blocks["b"]["a"], np.diag(2 * X))
    close(blocks["b"]["b"], np.zeros((4, 4)))


def test_jacobian_of_containers_and_odd_shapes() -> None:
    jacobian = cr.jacobian(lambda x, y: {"sum": x.sum() + y, "outer": cr.outer(x, x)}, argnums=(0, 1))(
        X, np.float64(2.0)
    )
    close(jacobian["sum"][0], np.ones(4))
    close(jacobian["sum"][1], 1.0)
    identity = np.eye(4)
    close(jacobian["outer"][0], np.einsum("ik,j->ijk", identity, X) + np.einsum("jk,i->ijk", identity, X))
    assert jacobian["outer"][1].shape == (4, 4)
    assert cr.jacobian(lambda x: x[:0])(X).shape == (0, 4)
    assert cr.jacobian(lambda x: x.argmax())(X).tolist() == [0, 0, 0, 0]


def test_hvp_of_several_primals() -> None:
    found = cr.hvp(lambda x, y: (x * x * y).sum(), (X, V), (np.ones(4), np.zeros(4)))
    close(found[0], 2 * V)
    close(found[1], 2 * X)
    assert cr.hvp(lambda x: x.sum(), (X,), (V,))[0].tolist() == [0, 0, 0, 0]


# -- derivatives by everything a transform was given


def test_a_pullback_can_be_differentiated_by_its_cotangent() -> None:
    _, pullback = cr.vjp(lambda x: x**2, X)
    close(cr.grad(lambda u: (pullback(u)[0] * V).sum())(np.ones(4)), 2 * X * V)


def test_a_hessian_product_can_be_differentiated_by_its_direction() -> None:
    close(cr.jacobian(lambda v: cr.hvp(quadratic, (X,), (v,))[0])(V), SYMMETRIC)
    close(cr.jacobian(lambda x: cr.hvp(lambda x: (x**3).sum(), (x,), (V,))[0])(X), np.diag(6 * V))


def test_a_pushforward_can_be_differentiated_by_its_tangent_and_its_point() -> None:
    close(cr.jacobian(lambda v: cr.jvp(cr.sin, (X,), (v,))[1])(V), np.diag(np.cos(X)))
    close(cr.jacobian(lambda x: cr.jvp(cr.sin, (x,), (V,))[1])(X), np.diag(-np.sin(X) * V))


def test_forward_over_reverse_is_the_hessian_product() -> None:
    def function(x: Any) -> Any:
        return cr.logsumexp(cr.tanh(A @ x) * x)

    _, pushed = cr.jvp(cr.grad(function), (X,), (V,))
    close(pushed, cr.hvp(function, (X,), (V,))[0].numpy(), 1e-12)
    close(pushed, cr.hessian(function)(X).numpy() @ V, 1e-12)


# -- no confusion of perturbations


def test_nested_gradients_do_not_mix() -> None:
    """d/dx [x · d/dy (x + y)] is 1: the y inside is not the x outside."""
    result = cr.grad(lambda x: x * cr.grad(lambda y: x + y)(1.0))(1.0)
    assert result.item() == 1.0
    result = cr.grad(lambda x: x * cr.grad(lambda y: x * y)(x))(3.0)
    assert result.item() == 6.0
    result = cr.grad(lambda x: cr.grad(lambda y: x * y**2)(x))(3.0)
    assert result.item() == 12.0


def test_gradients_through_closures() -> None:
    outer = cr.tensor([1.0, 2.0], requires_grad=True)
    inner_gradient = cr.grad(lambda x: (x * x * outer).sum())(np.array([3.0, 4.0], np.float32))
    inner_gradient.sum().backward()
    assert outer.grad is not None and outer.grad.tolist() == [6, 8]


def test_gradient_by_an_intermediate_does_not_see_how_it_was_made() -> None:
    x = cr.tensor([2.0], requires_grad=True)
    hidden = x * 3
    assert cr.grad(lambda h: (h * h).sum())(hidden).tolist() == [12.0]
    cr.grad(lambda h: (h * h).sum())(hidden).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [6.0]


def test_mixed_second_derivative_by_nested_grad() -> None:
    def function(x: Any, y: Any) -> Any:
        return cr.sin(x * y)

    mixed = cr.grad(lambda y: cr.grad(function)(np.float64(0.5), y))(np.float64(0.7))
    close(mixed, math.cos(0.35) - 0.35 * math.sin(0.35))


def test_a_jvp_inside_a_grad_inside_a_jvp() -> None:
    def inside(x: Any) -> Any:
        return cr.jvp(lambda z: z**3, (x,), (cr.ones_like(x),))[1]  # 3x²

    assert cr.jvp(cr.grad(inside), (np.float64(2.0),), (np.float64(1.0),))[1].item() == 6.0


# -- what is asked wrongly


def test_wrong_questions() -> None:
    for wrong, message in (
        (lambda: cr.grad(lambda x: x)(X), "one number"),
        (lambda: cr.grad(lambda x: (x, x))(1.0), "one number"),
        (lambda: cr.grad(lambda x: x.argmax())(X), "gives a float"),
        (lambda: cr.grad(lambda x: x)(1), "int64"),
        (lambda: cr.jvp(lambda x: x, (X,), (np.ones(3),)), "tangent"),
        (lambda: cr.vjp(lambda x: x, X)[1](np.ones(3)), "cotangent"),
    ):
        with pytest.raises(GradientError, match=message):
            wrong()
    with pytest.raises(ChainruleError, match="structure"):
        cr.jvp(lambda p: p["a"], ({"a": X},), ([X],))


def test_a_function_that_ignores_its_argument_has_gradient_zero() -> None:
    gradient = cr.grad(lambda x, y: (y * y).sum(), argnums=(0, 1))(X, V)
    assert gradient[0].tolist() == [0, 0, 0, 0]
    close(gradient[1], 2 * V)
    assert cr.jvp(lambda x: cr.ones(2), (X,), (V,))[1].tolist() == [0, 0]


# -- no_grad and stop_gradient


def test_no_grad_nests_and_restores() -> None:
    x = cr.tensor(1.0, requires_grad=True)
    context = cr.no_grad()
    with context:
        with context, cr.no_grad():
            assert not (x * 2).requires_grad
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad


def test_no_grad_restores_after_an_exception() -> None:
    x = cr.tensor(1.0, requires_grad=True)
    with pytest.raises(ZeroDivisionError), cr.no_grad():
        raise ZeroDivisionError
    assert (x * 2).requires_grad
    with pytest.raises(ChainruleError):
        cr.grad(lambda x: x @ x)(1.0)
    with cr.no_grad(), pytest.raises(ChainruleError):
        cr.grad(lambda x: x @ x)(1.0)
    assert (x * 2).requires_grad


def test_no_grad_as_a_decorator_of_a_recursive_function() -> None:
    x = cr.tensor(1.0, requires_grad=True)

    @cr.no_grad()
    def depth(n: int) -> list[bool]:
        return [(x * 2).requires_grad, *(depth(n - 1) if n else [])]

    assert depth(3) == [False] * 4 and (x * 2).requires_grad


def test_no_grad_refuses_what_runs_after_its_block() -> None:
    def later() -> Iterator[int]:
        yield 1

    with pytest.raises(ConfigurationError, match="its body runs later"):
        cr.no_grad()(later)


def test_grad_works_inside_no_grad_and_leaves_nothing_tracked() -> None:
    w = cr.tensor([2.0], requires_grad=True)
    with cr.no_grad():
        value, gradient = cr.value_and_grad(lambda x: (x * x * w).sum())(w)
        assert gradient.tolist() == [8.0] or gradient.tolist() == [12.0]
        assert not value.requires_grad and not gradient.requires_grad
        second = cr.grad(lambda x: cr.grad(lambda y: y**3)(x))(2.0)
    assert second.item() == 12.0


def test_stop_gradient() -> None:
    assert cr.grad(lambda x: x * cr.stop_gradient(x))(3.0).item() == 3.0
    assert cr.grad(lambda x: x * x.detach())(3.0).item() == 3.0
    assert cr.grad(cr.grad(lambda x: x * x * cr.stop_gradient(x)))(3.0).item() == 6.0


def test_generators_and_threads_may_be_used_inside() -> None:
    def parts(x: Any) -> Iterator[Any]:
        for power in (1, 2, 3):
            yield x**power

    assert cr.grad(lambda x: sum(parts(x), cr.tensor(0.0)))(2.0).item() == 1 + 4 + 12
