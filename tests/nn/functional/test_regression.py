"""Losses of numbers in closed form, at their corners, and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ConfigurationError

F = nn.functional


def test_huber_is_quadratic_then_linear() -> None:
    losses = F.huber_loss(np.array([0.5, 3.0]), np.zeros(2), reduction="none", delta=1.0).tolist()
    assert losses == [0.125, 2.5]


def test_second_derivative_of_mse() -> None:
    hessian = cr.hessian(lambda x: F.mse_loss(x, np.zeros(3)))(np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(hessian.numpy(), np.eye(3) * 2 / 3, rtol=1e-15)


def test_second_derivative_of_huber_at_the_target_is_that_of_the_square() -> None:
    hessian = cr.hessian(lambda x: F.huber_loss(x, np.zeros(2), reduction="sum"))(np.array([0.0, 5.0]))
    np.testing.assert_array_equal(hessian.numpy(), [[1, 0], [0, 0]])


def test_gaussian_likelihood() -> None:
    value = F.gaussian_nll_loss(np.array([1.0]), np.array([3.0]), np.array([4.0]), full=True).item()
    assert value == pytest.approx(0.5 * math.log(2 * math.pi * 4) + 0.5, rel=1e-14)


def test_the_gradient_of_a_tiny_variance_passes() -> None:
    slope = cr.grad(lambda var: F.gaussian_nll_loss(np.array([1.0]), np.array([0.0]), var))(np.array([1e-9]))
    assert slope.item() == pytest.approx(0.5 * (1e6 - 1e12), rel=1e-12)


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (lambda x: F.huber_loss(x, x, delta=0.0), "positive delta"),
        (lambda x: F.gaussian_nll_loss(x, x, -x), "not negative"),
    ],
)
def test_what_is_refused(loss: object, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        loss(np.ones(2))  # type: ignore[operator]
