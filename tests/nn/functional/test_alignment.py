"""CTC: against a sum over all alignments, against PyTorch, gradients to second order, compiled."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ConfigurationError, OutOfRangeError, ShapeError

LOGITS = np.random.default_rng(5).normal(size=(6, 3, 4))
TARGETS = np.array([[1, 1, 2], [2, 1, 1], [1, 2, 1]])
LENGTHS = (np.array([6, 5, 4]), np.array([3, 2, 0]))
Options = dict[str, Any]


def ours(logits: Any, targets: Any, *lengths: Any, **options: Any) -> Any:
    return nn.functional.ctc_loss(cr.log_softmax(logits, -1), targets, *lengths, **options)


def collapsed(path: tuple[int, ...], blank: int) -> list[int]:
    return [label for label, _ in itertools.groupby(path) if label != blank]


def test_loss_is_minus_the_log_of_the_sum_over_all_alignments() -> None:
    shares = np.exp(LOGITS) / np.exp(LOGITS).sum(-1, keepdims=True)
    losses = ours(LOGITS, TARGETS, *LENGTHS, reduction="none").numpy()
    for row, (time, count) in enumerate(zip(*LENGTHS)):
        wanted, total = list(TARGETS[row, :count]), 0.0
        for path in itertools.product(range(4), repeat=int(time)):
            if collapsed(path, 0) == wanted:
                total += np.prod([shares[step, row, label] for step, label in enumerate(path)])
        assert losses[row] == pytest.approx(-np.log(total), rel=1e-12)


ROWS: list[tuple[tuple[Any, ...], Options]] = [
    ((TARGETS, *LENGTHS), {}),
    ((TARGETS, np.array([6, 6, 5]), np.array([3, 1, 2])), {"reduction": "none", "blank": 3}),
    ((np.array([1, 2, 2, 1]), np.array([6, 6, 6]), np.array([3, 1, 0])), {"reduction": "sum"}),
    ((TARGETS, np.array([3, 5, 4]), np.array([3, 2, 0])), {"zero_infinity": True, "reduction": "none"}),
]


@pytest.mark.oracle
@pytest.mark.parametrize(("arguments", "options"), ROWS)
def test_loss_and_gradient_are_pytorchs(arguments: tuple[Any, ...], options: Options) -> None:
    torch = pytest.importorskip("torch")
    x, tx = cr.tensor(LOGITS, requires_grad=True), torch.tensor(LOGITS, requires_grad=True)
    y = ours(x, *arguments, **options)
    given = tuple(map(torch.tensor, arguments))
    ty = torch.nn.functional.ctc_loss(torch.log_softmax(tx, -1), *given, **options)
    np.testing.assert_allclose(y.numpy(), ty.detach().numpy(), rtol=1e-10)
    cr.sum(y).backward()
    ty.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), tx.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_gradients_to_second_order_and_compiled() -> None:
    report = cr.check_gradients(lambda x: ours(x, TARGETS, *LENGTHS), (LOGITS,), order=2, eps=1e-3, directions=2)
    assert report.max_relative_error < 1e-7
    gradient = cr.grad(lambda x, targets, *lengths: ours(x, targets, *lengths))
    given = (LOGITS, TARGETS, *LENGTHS)
    np.testing.assert_allclose(cr.compile(gradient)(*given).numpy(), gradient(*given).numpy(), rtol=1e-10, atol=1e-12)


def test_one_sequence_without_a_batch() -> None:
    alone = ours(LOGITS[:, 0], TARGETS[0], np.array(6), np.array(3), reduction="sum")
    together = ours(LOGITS, TARGETS, np.array([6, 5, 4]), np.array([3, 2, 0]), reduction="none")
    assert alone.shape == () and alone.item() == pytest.approx(together[0].item(), rel=1e-14)


def test_what_does_not_fit_is_infinite_with_a_finite_gradient() -> None:
    x = cr.tensor(LOGITS[:2, :1], requires_grad=True)
    loss = ours(x, TARGETS[:1], np.array([2]), np.array([3]), reduction="sum")
    assert loss.item() == np.inf
    loss.backward()
    assert np.isfinite(x.grad.numpy()).all()


BAD: list[tuple[Any, type[Exception], str]] = [
    (lambda: ours(LOGITS, TARGETS + 3, *LENGTHS), OutOfRangeError, "label 4"),
    (lambda: ours(LOGITS, TARGETS, *LENGTHS, blank=4), ShapeError, "blank"),
    (lambda: ours(LOGITS, np.array([1, 2]), *LENGTHS), ConfigurationError, "add up to 5"),
    (lambda: ours(LOGITS, TARGETS, np.array([6, 5]), LENGTHS[1]), ShapeError, "input_lengths"),
    (lambda: ours(LOGITS, TARGETS, *LENGTHS, reduction="average"), Exception, "mean"),
]


@pytest.mark.parametrize(("make", "kind", "says"), BAD)
def test_what_is_wrong_is_named(make: Any, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        make()
