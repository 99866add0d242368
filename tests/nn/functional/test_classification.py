"""Losses in closed form, far from where numbers are comfortable, and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ChainruleError, ConfigurationError, DtypeError, OutOfRangeError, ShapeError

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


def test_kl_of_equal_distributions_is_zero_also_with_zeros() -> None:
    target = np.array([[0.5, 0.5, 0.0]])
    with np.errstate(divide="ignore"):
        logs = np.log(np.maximum(target, 1e-30))
    assert F.kl_div(logs, target, reduction="sum").item() == pytest.approx(0, abs=1e-12)


def test_small_differences_between_large_logits_keep_their_digits() -> None:
    logits = np.array([[30000.0, 30000.5]], np.float32)
    value = F.cross_entropy(logits, np.array([0])).item()
    assert value == pytest.approx(math.log1p(math.exp(0.5)), rel=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "uint64"])
def test_labels_of_any_integer_type(dtype: str) -> None:
    logits = np.array([[1.0, -2.0, 0.5], [3.0, 0.0, 1.0]])
    expected = F.cross_entropy(logits, np.array([2, 0])).item()
    assert F.cross_entropy(logits, np.array([2, 0], dtype)).item() == expected
    assert F.cross_entropy(logits, np.array([2, 0], dtype), ignore_index=0).item() != expected


def test_smoothing_is_a_target_spread_over_the_classes() -> None:
    logits, labels = np.array([[1.0, -2.0, 0.5], [3.0, 0.0, 1.0]]), np.array([2, 0])
    smoothed = 0.7 * np.eye(3)[labels] + 0.3 / 3
    expected = -(smoothed * np.log(np.exp(logits) / np.exp(logits).sum(1, keepdims=True))).sum(1).mean()
    assert F.cross_entropy(logits, labels, label_smoothing=0.3).item() == pytest.approx(expected, rel=1e-14)
    assert F.cross_entropy(logits, np.eye(3)[labels], label_smoothing=0.3).item() == pytest.approx(expected, rel=1e-14)


def test_the_mean_is_weighted_by_what_counts() -> None:
    log_p = np.log(np.array([[0.5, 0.5], [0.25, 0.75], [0.1, 0.9]]))
    value = F.nll_loss(log_p, np.array([0, 1, -100]), weight=np.array([3.0, 1.0])).item()
    assert value == pytest.approx((3 * math.log(2) - math.log(0.75)) / 4, rel=1e-14)


def test_ignored_labels_count_for_nothing() -> None:
    logits = np.array([[1.0, -2.0], [3.0, np.inf], [0.5, 0.0]])
    labels = np.array([0, -100, 1])
    expected = F.cross_entropy(logits[[0, 2]], labels[[0, 2]]).item()
    assert F.cross_entropy(logits, labels).item() == pytest.approx(expected, rel=1e-15)
    assert F.cross_entropy(logits, labels, reduction="none").tolist()[1] == 0


def test_a_mean_of_nothing_is_not_a_number() -> None:
    assert math.isnan(F.cross_entropy(np.zeros((2, 3)), np.array([-100, -100])).item())
    assert math.isnan(F.cross_entropy(np.zeros((0, 3)), np.zeros(0, np.int64)).item())
    assert F.cross_entropy(np.zeros((0, 3)), np.zeros(0, np.int64), reduction="sum").item() == 0


def test_cross_entropy_can_be_traced() -> None:
    graph = cr.trace(F.cross_entropy)(cr.zeros((4, 3)), np.zeros(4, np.int64))
    assert [str(value.type) for value in graph.outputs] == ["float32[]"]


def test_probabilities_outside_0_to_1_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"from -0\.5 to 1.*binary_cross_entropy_with_logits"):
        F.binary_cross_entropy(np.array([-0.5, 1.0]), np.array([1.0, 0.0]))


def test_binary_cross_entropy_of_certainty_is_cut() -> None:
    losses = F.binary_cross_entropy(np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0]), reduction="none")
    assert losses.tolist() == [0, 100, 100]


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


@pytest.mark.parametrize(
    ("targets", "told"),
    [
        (np.zeros((5, 1), np.int64), r"targets.squeeze\(-1\) removes the last axis"),
        (np.eye(5, 3, dtype=np.int64), r"probabilities, also ones and zeros, are floats: targets.astype\('float32'\)"),
        (np.zeros(5, np.float32), r"class indices are integers: targets.astype\('int64'\)"),
    ],
)
def test_targets_of_a_usual_wrong_form_are_told_with_what_mends_them(targets: np.ndarray, told: str) -> None:
    with pytest.raises(ShapeError, match=told):
        cr.nn.functional.cross_entropy(cr.zeros((5, 3)), targets)
