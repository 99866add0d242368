"""Functions with a gradient of their own: eager, traced, any order, any containers, and checked at first use."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.custom_gradient import custom_gradient
from chainrule.errors import GradientError, GradientMismatchError
from chainrule.gradient_check import check_gradients
from chainrule.reference import run

X = np.array([0.5, 1.5, -0.7])
Y = np.array([2.0, -1.0, 0.3])


@custom_gradient
def product(x: Any, y: Any) -> Any:
    e = cr.exp(x)
    return e * y, lambda g: (g * e * y, g * e)


def plain_product(x: Any, y: Any) -> Any:
    return cr.exp(x) * y


def third(function: Any) -> Any:
    """The third derivative by the first argument."""
    result = function
    for _ in range(3):
        result = (lambda inner: lambda x, y: cr.grad(lambda z: inner(z, y).sum())(x))(result)
    return result


def test_value_and_gradient() -> None:
    np.testing.assert_array_equal(product(X, Y).numpy(), np.exp(X) * Y)
    gradients = cr.grad(lambda x, y: product(x, y).sum(), argnums=(0, 1))(X, Y)
    np.testing.assert_allclose(gradients[0].numpy(), np.exp(X) * Y, rtol=1e-14)
    np.testing.assert_allclose(gradients[1].numpy(), np.exp(X), rtol=1e-14)


def test_the_users_rule_is_what_is_applied() -> None:
    doubled = custom_gradient(lambda x: (x * 1.0, lambda g: g * 2), check=False)
    np.testing.assert_array_equal(cr.grad(lambda x: (doubled(x) * Y).sum())(X).numpy(), 2 * Y)


def test_higher_orders() -> None:
    np.testing.assert_allclose(third(product)(X, Y).numpy(), np.exp(X) * Y, rtol=1e-13)
    ours = cr.hessian(lambda x, y: product(x, y).sum(), argnums=(0, 1))(X, Y)
    plain = cr.hessian(lambda x, y: plain_product(x, y).sum(), argnums=(0, 1))(X, Y)
    for row, expected in zip(ours, plain):
        for block, other in zip(row, expected):
            np.testing.assert_allclose(block.numpy(), other.numpy(), rtol=1e-13)
    assert check_gradients(product, (X, Y), order=3).max_relative_error < 1e-7


def test_jvp_and_backward() -> None:
    _, pushed = cr.jvp(product, (X, Y), (Y, X))
    np.testing.assert_allclose(pushed.numpy(), np.exp(X) * Y * Y + np.exp(X) * X, rtol=1e-13)
    x = cr.tensor(X, requires_grad=True)
    product(x * 2, Y).sum().backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.exp(2 * X) * Y, rtol=1e-13)


def test_in_a_trace() -> None:
    function = cr.grad(lambda x, y: product(x, y).sum(), argnums=(0, 1))
    graph = cr.trace(function)(X, Y)
    assert "custom_gradient" in {equation.primitive.name for equation in graph.equations}
    for found, expected in zip(run(graph, [X, Y]), function(X, Y)):
        assert found.tobytes() == expected.numpy().tobytes()
    second = third(product)
    assert run(cr.trace(second)(X, Y), [X, Y])[0].tobytes() == second(X, Y).numpy().tobytes()


def test_containers_constants_and_keywords() -> None:
    @custom_gradient
    def scaled(batch: dict[str, Any], count: int, flags: Any, *, factor: float = 1.0) -> Any:
        a, (b, c) = batch["a"], batch["rest"]
        out = {"sum": a * b * factor, "flags": flags, "c": c * count}

        def backward(g: dict[str, Any]) -> Any:
            return {"a": g["sum"] * b * factor, "rest": (g["sum"] * a * factor, g["c"] * count)}, None, None

        return out, backward

    batch = {"a": X, "rest": (Y, X + Y)}
    flags = np.array([True, False, True])

    def loss(batch: Any) -> Any:
        out = scaled(batch, 3, flags, factor=2.0)
        assert out["flags"].dtype == cr.bool
        return (out["sum"] * X).sum() + out["c"].sum()

    gradient = cr.grad(loss)(batch)
    np.testing.assert_allclose(gradient["a"].numpy(), 2 * Y * X, rtol=1e-14)
    np.testing.assert_allclose(gradient["rest"][0].numpy(), 2 * X * X, rtol=1e-14)
    np.testing.assert_array_equal(gradient["rest"][1].numpy(), np.full(3, 3.0))


def test_none_is_no_gradient() -> None:
    half = custom_gradient(lambda x, y: (x * cr.stop_gradient(y), lambda g: (g * y, None)), check=False)
    found = cr.grad(lambda x, y: half(x, y).sum(), argnums=(0, 1))(X, Y)
    np.testing.assert_array_equal(found[0].numpy(), Y)
    np.testing.assert_array_equal(found[1].numpy(), np.zeros(3))


def test_a_single_argument_that_is_a_tuple() -> None:
    added = custom_gradient(lambda pair: (pair[0] + pair[1] * 2, lambda g: (g, g * 2)))
    found = cr.grad(lambda pair: (added(pair) * Y).sum())((X, X))
    np.testing.assert_array_equal(found[1].numpy(), 2 * Y)


def test_backward_runs_once_for_all_inputs() -> None:
    calls: list[int] = []

    @custom_gradient(check=False)
    def function(x: Any, y: Any) -> Any:
        def backward(g: Any) -> Any:
            calls.append(1)
            return g * y, g * x

        return x * y, backward

    cr.grad(lambda x, y: function(x, y).sum(), argnums=(0, 1))(X, Y)
    assert len(calls) == 1


def test_the_same_cotangent_is_recorded_anew_for_a_second_order() -> None:
    """A cached constant cotangent must not bring back results of a pass in which nothing was recorded."""
    cube = custom_gradient(lambda x: (x**3, lambda g: g * 3 * x * x))
    x = cr.tensor(2.0, requires_grad=True)
    y = cube(x)
    y.backward()
    assert x.grad is not None and x.grad.item() == 12.0
    x.grad = None
    y.backward(create_graph=True)
    first = x.grad
    x.grad = None
    first.backward()  # type: ignore[attr-defined]
    assert x.grad.item() == 12.0  # type: ignore[attr-defined]


def test_without_recording_the_output_is_plain() -> None:
    with cr.no_grad():
        assert not product(cr.Parameter(X), Y).requires_grad
    assert not product(X, Y).requires_grad


# -- what is not an argument


def test_a_closed_over_parameter_is_an_error() -> None:
    weight = cr.Parameter(Y)
    scaled = custom_gradient(lambda x: (x * weight, lambda g: g * weight))
    with pytest.raises(GradientError, match=r"float64\[3\], made at test_custom_gradient.*Pass it as an argument"):
        scaled(X)
    with pytest.raises(GradientError, match="Pass it as an argument"):
        cr.grad(lambda x: scaled(x).sum())(X)
    with pytest.raises(GradientError, match="Pass it as an argument"):
        cr.trace(lambda y: custom_gradient(lambda x: (x * y, lambda g: g))(X))(Y)


def test_a_detached_parameter_and_a_computed_argument_are_fine() -> None:
    weight = cr.Parameter(Y)
    scaled = custom_gradient(lambda x: (x * weight.detach(), lambda g: g * weight.detach()))
    scaled(weight * 2).sum().backward()
    assert weight.grad is not None
    np.testing.assert_array_equal(weight.grad.numpy(), 2 * Y)


# -- what backward returns


def wrong_count(x: Any, y: Any) -> Any:
    return x * y, lambda g: (g, g, g)


def not_a_tuple(x: Any, y: Any) -> Any:
    return x * y, lambda g: g


def wrong_shape(x: Any, y: Any) -> Any:
    return x * y, lambda g: (g.sum(), g * x)


def wrong_dtype(x: Any, y: Any) -> Any:
    return x * y, lambda g: ((g * y).astype(cr.float32), g * x)


def wrong_keys(x: Any, y: Any) -> Any:
    return x["a"] * y, lambda g: ({"b": g}, g)


def no_pair(x: Any, y: Any) -> Any:
    return x * y


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (wrong_count, "wrong_count: backward must return one gradient for each of the 2 .* returned 3 gradients"),
        (not_a_tuple, "not_a_tuple: .* a Tensor"),
        (wrong_shape, r"wrong_shape: backward returned float64\[\] for argument 0, which is float64\[3\]"),
        (wrong_dtype, r"wrong_dtype: backward returned float32\[3\] for argument 0, which is float64\[3\]"),
        (wrong_keys, "wrong_keys: .* argument 0 a dict with the entries a"),
        (no_pair, r"no_pair: .* \(output, backward function\)"),
    ],
)
def test_what_does_not_fit_is_named(function: Any, says: str) -> None:
    x = {"a": X} if function is wrong_keys else X
    with pytest.raises(GradientError, match=says):
        cr.grad(lambda x: custom_gradient(function)(x, Y).sum())(x)


# -- the check at first use


def wrong_rule(x: Any, y: Any) -> Any:
    return x * y, lambda g: (g * y, g * y)


def test_a_wrong_rule_is_found_at_every_use() -> None:
    function = custom_gradient(wrong_rule)
    for _ in range(2):
        with pytest.raises(
            GradientMismatchError, match=r"wrong_rule by input 1 \(argument 1\).*gives .* differences give"
        ):
            function(X, Y)
    with pytest.raises(GradientMismatchError, match="wrong_rule"):
        cr.trace(function)(X, Y)
    assert custom_gradient(wrong_rule, check=False)(X, Y).shape == (3,)


def test_the_check_is_done_once_for_a_signature() -> None:
    runs: list[tuple[int, ...]] = []

    @custom_gradient
    def function(x: Any) -> Any:
        runs.append(x.shape)
        return x * x, lambda g: 2 * g * x

    function(X)
    assert len(runs) > 1
    runs.clear()
    function(X + 1)
    assert len(runs) == 1
    runs.clear()
    function(X[:2])
    assert len(runs) > 1
    runs.clear()
    with cr.no_grad():
        function(X[:1])
    assert len(runs) == 1


def test_float32_is_checked_in_float64() -> None:
    @custom_gradient
    def function(x: Any) -> Any:
        zeros = cr.zeros(3)  # float32, also when the check runs in float64
        return cr.sin(x), lambda g: g * cr.cos(x) if x.dtype == cr.float64 else g * cr.cos(x) + zeros

    assert function(X.astype(np.float32)).dtype == cr.float32


def test_a_rule_that_is_off_by_little_is_found_in_float32() -> None:
    function = custom_gradient(lambda x: (cr.sin(x), lambda g: g * cr.cos(x) * 1.001))
    with pytest.raises(GradientMismatchError):
        function(X.astype(np.float32))


def test_outside_the_domain_it_warns() -> None:
    function = custom_gradient(lambda x: (cr.log(x), lambda g: g / x))
    with pytest.warns(RuntimeWarning, match="not finite"):
        function(np.array([-1.0, 2.0]))


def test_in_a_trace_the_inputs_of_the_check_are_drawn() -> None:
    function = custom_gradient(lambda x: (cr.log(x), lambda g: g / x))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cr.trace(function)(np.array([-1.0, 2.0]))


def test_what_reads_traced_values_beside_its_arguments_is_not_checked() -> None:
    def outer(labels: Any) -> Any:
        picked = custom_gradient(lambda x: (x * labels, lambda g: g * labels))
        return picked(cr.tensor(X))

    with pytest.warns(RuntimeWarning, match="could not be checked"):
        graph = cr.trace(outer)(np.arange(3))
    np.testing.assert_array_equal(run(graph, [np.arange(3)])[0], X * np.arange(3))


def test_arguments_are_left_as_they_are() -> None:
    x = X.copy()
    product(x, Y)
    assert (x == X).all()
