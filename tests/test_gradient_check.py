"""check_gradients passes on right gradients of any order, and says what is wrong with wrong ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import tree
from chainrule.errors import ConfigurationError, GradientError, GradientMismatchError
from chainrule.gradient_check import check_gradients, check_module

X = np.random.default_rng(0).standard_normal((3, 2))
W = np.random.default_rng(1).standard_normal((2, 4))


def test_a_right_gradient_passes_to_third_order() -> None:
    report = check_gradients(lambda x, w: cr.tanh(x @ w), (X, W), order=3)
    assert report.max_relative_error < 1e-6
    assert [(part.order, part.path, part.count) for part in report.parts] == [
        (order, path, count) for order in (1, 2, 3) for path, count in (("argument 0", 6), ("argument 1", 8))
    ]
    assert "order 2, argument 1: 8 derivatives" in str(report)


def test_containers_scalars_and_what_is_not_differentiated() -> None:
    def function(batch: dict[str, Any], power: int, scale: float, mask: Any) -> Any:
        return {"y": [cr.where(mask, batch["x"] ** power, batch["b"][0]) * scale], "count": mask.sum()}

    args = ({"x": cr.tensor([1.0, 2.0]), "b": (cr.tensor([3.0, 4.0]),)}, 3, 0.5, np.array([True, False]))
    report = check_gradients(function, args)
    assert [part.path for part in report.parts[:3]] == ["argument 0.x", "argument 0.b.0", "argument 2"]


def test_a_large_array_is_checked_along_directions() -> None:
    report = check_gradients(lambda x: (x * x).sum(), (np.ones((20, 20), np.float32),), order=1)
    assert report.parts[0].count == 16
    assert check_gradients(lambda x: (x * x).sum(), (X,), order=1, directions=3).parts[0].count == 3


def test_arguments_are_left_as_they_are() -> None:
    parameter = cr.Parameter([1.0, 2.0])
    check_gradients(lambda p: (p**3).sum(), (parameter,))
    assert parameter.dtype == cr.float32 and parameter.grad is None
    assert parameter.tolist() == [1.0, 2.0]


def test_a_wrong_gradient_is_named() -> None:
    def wrong(arguments: dict[str, Any]) -> Any:
        x = arguments["x"]
        return (x.detach() * x).sum() + x[0]

    with pytest.raises(GradientMismatchError) as caught:
        check_gradients(wrong, ({"x": cr.tensor([1.5, 2.5])},))
    message = str(caught.value)
    assert "gradient of wrong (order 1) by argument 0.x, element [0]" in message
    assert "expected 4" in message and "given 2.5" in message and "relative error 3.8e-01" in message


def test_a_wrong_second_gradient_is_found() -> None:
    def right_once(x: Any) -> Any:
        slope = cr.stop_gradient(3 * x * x)  # the value and the first derivative of x³, but a constant slope
        return (slope * x).sum() + cr.stop_gradient((x**3 - slope * x).sum())

    assert check_gradients(right_once, (X,), order=1).max_relative_error < 1e-8
    with pytest.raises(GradientMismatchError, match=r"order 2.*stop_gradient"):
        check_gradients(right_once, (X,), order=2)


def test_a_kink_is_hinted_at() -> None:
    with pytest.raises(GradientMismatchError, match=r"0 to the left and 1 to the right.*kink"):
        check_gradients(lambda x: cr.relu(x).sum(), (cr.tensor([1.0, 0.0]),))


def test_near_a_kink_the_differences_find_their_way() -> None:
    assert check_gradients(lambda x: cr.relu(x).sum(), (cr.tensor([0.003, -0.001]),)).max_relative_error < 1e-8


def test_near_the_end_of_the_domain_too() -> None:
    assert check_gradients(lambda x: cr.log(x).sum(), (cr.tensor([0.002, 0.5]),)).max_relative_error < 1e-6


@pytest.mark.parametrize(
    ("function", "args", "says"),
    [
        (lambda x: cr.log(x).sum(), (cr.tensor([-1.0]),), "is nan at this point"),
        (lambda x: x > 0, (X,), "no floats"),
        (lambda i: i * 2, (np.arange(3),), "no floats"),
        (lambda x: x * np.random.default_rng().uniform(), (X,), "same each time"),
    ],
)
def test_what_cant_be_checked(function: Any, args: Any, says: str) -> None:
    with pytest.raises(GradientError, match=says):
        check_gradients(function, args)


def test_order_is_a_positive_number() -> None:
    with pytest.raises(ConfigurationError, match="order"):
        check_gradients(cr.sin, (X,), order=0)


class Network:
    """Has what check_module needs of a network: parameters, buffers, a call; and is a container of its parameters."""

    def __init__(self, weight: Any, broken: bool = False) -> None:
        self.weight, self.broken = weight, broken
        self.scale = cr.tensor(2.0)

    def parameters(self) -> list[Any]:
        return [self.weight]

    def buffers(self) -> list[Any]:
        return [self.scale]

    def __call__(self, x: Any) -> Any:
        weight = self.weight.detach() if self.broken else self.weight
        return cr.tanh(x @ weight) * self.scale


def _children(network: Network) -> tree.Children:
    return tree.Children(("weight",), (network.weight,), lambda values: Network(values[0], network.broken))


tree.register(Network, _children)


def test_a_network() -> None:
    network = Network(cr.Parameter(W.astype(np.float32)))
    report = check_module(network, X.astype(np.float32), lambda y: (y * y).mean())
    assert [(part.path, part.count) for part in report.parts] == [("argument 0.weight", 8)]
    assert report.max_relative_error < 1e-7
    assert network.weight.dtype == cr.float32


def test_a_broken_network() -> None:
    with pytest.raises(GradientMismatchError, match=r"argument 0\.weight, element \[0, 0\]"):
        check_module(Network(cr.Parameter(W), broken=True), (X,), lambda y: (y * y).mean())
