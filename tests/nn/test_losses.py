"""Losses in closed form, far from where numbers are comfortable, and what they refuse. No other library needed."""

from __future__ import annotations

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ChainruleError, DtypeError, OutOfRangeError, ShapeError

F = nn.functional


def test_cross_entropy_of_even_odds_is_log_of_the_classes() -> None:
    assert F.cross_entropy(np.zeros((3, 7)), np.array([0, 3, 6])).item() == pytest.approx(math.log(7), rel=1e-14)


def test_cross_entropys_gradient_is_probability_minus_target() -> None:
    logits = np.array([[1.0, -2.0, 0.5], [3.0, 0.0, 1.0]])
    labels = np.array([2, 0])
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = (probabilities - np.eye(3)[labels]) / 2
    given = cr.grad(lambda x: F.cross_entropy(x, labels))(logits)
    np.testing.assert_allclose(given.numpy(), expected, rtol=1e-13, atol=1e-15)


def test_certainty_neither_overflows_nor_vanishes() -> None:
    assert F.cross_entropy(np.array([[1e4, 0.0]]), np.array([1])).item() == 1e4
    assert F.cross_entropy(np.array([[50.0, 0.0]]), np.array([0])).item() == pytest.approx(math.exp(-50), rel=1e-4)
    assert F.binary_cross_entropy_with_logits(np.array([-1e4]), np.array([1.0])).item() == 1e4
    value = F.binary_cross_entropy_with_logits(np.array([800.0]), np.array([1.0])).item()
    assert value == pytest.approx(math.exp(-800), abs=1e-300)


def test_huber_is_quadratic_then_linear() -> None:
    losses = F.huber_loss(np.array([0.5, 3.0]), np.zeros(2), reduction="none", delta=1.0).tolist()
    assert losses == [0.125, 2.5]


def test_kl_of_equal_distributions_is_zero_also_with_zeros() -> None:
    target = np.array([[0.5, 0.5, 0.0]])
    with np.errstate(divide="ignore"):
        logs = np.log(np.maximum(target, 1e-30))
    assert F.kl_div(logs, target, reduction="sum").item() == pytest.approx(0, abs=1e-12)


def test_second_derivative_of_mse() -> None:
    hessian = cr.hessian(lambda x: F.mse_loss(x, np.zeros(3)))(np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(hessian.numpy(), np.eye(3) * 2 / 3, rtol=1e-15)


def test_a_label_out_of_range_is_named() -> None:
    with pytest.raises(OutOfRangeError, match=r"label 3 at position \(1,\).*3 outputs.*0 to 2"):
        F.cross_entropy(np.zeros((2, 3)), np.array([0, 3]))
    with pytest.raises(OutOfRangeError, match="label -1"):
        F.nll_loss(np.zeros((2, 3)), np.array([0, -1]))


@pytest.mark.parametrize(
    ("loss", "inputs", "targets", "kind", "words"),
    [
        ("mse_loss", (4, 1), (4,), ShapeError, r"\(4, 1\) and \(4,\)"),
        ("binary_cross_entropy_with_logits", (4, 1), (4,), ShapeError, "one shape"),
        ("cross_entropy", (4, 3), (4, 2), ShapeError, "probabilities"),
    ],
)
def test_shapes_that_do_not_fit(
    loss: str, inputs: tuple[int, ...], targets: tuple[int, ...], kind: type[ChainruleError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        getattr(F, loss)(np.zeros(inputs), np.zeros(targets))


def test_class_indices_must_be_integers_of_the_right_shape() -> None:
    with pytest.raises(ShapeError, match=r"targets of shape \(4,\)"):
        F.cross_entropy(np.zeros((4, 3)), np.zeros((5,), np.int64))
    with pytest.raises(DtypeError, match="integers"):
        F.nll_loss(np.zeros((4, 3)), np.zeros(4))


def test_an_unknown_reduction_is_named() -> None:
    with pytest.raises(ChainruleError, match="'mean'"):
        F.mse_loss(np.zeros(2), np.zeros(2), reduction="means")
