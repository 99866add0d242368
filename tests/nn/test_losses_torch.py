"""Losses agree with PyTorch's of the same name: values and gradients to second order; float64, to 1e-10."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning")

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(size=(6, 4)) * 3
OTHER = RANDOM.normal(size=(6, 4)) * 3
SHARES = np.exp(OTHER) / np.exp(OTHER).sum(1, keepdims=True)
LABELS = np.array([0, 3, 1, 2, 2, 0])
SOME_IGNORED = np.array([0, -100, 1, 2, -100, 0])
IMAGE = RANDOM.normal(size=(2, 4, 3, 2))
IMAGE_LABELS = RANDOM.integers(0, 4, size=(2, 3, 2))
WEIGHT = np.array([0.5, 2.0, 1.0, 0.1])
BITS = RANDOM.integers(0, 2, size=(6, 4)).astype(float)
SIGNS = BITS * 2 - 1
PROBABILITIES = RANDOM.uniform(0.01, 0.99, size=(6, 4))

ROWS: list[tuple[str, Any, Any, dict[str, Any]]] = [
    ("mse_loss", LOGITS, OTHER, {}),
    ("l1_loss", LOGITS, OTHER, {}),
    ("huber_loss", LOGITS, OTHER, {"delta": 0.7}),
    ("smooth_l1_loss", LOGITS, OTHER, {"beta": 0.7}),
    ("cross_entropy", LOGITS, LABELS, {}),
    ("cross_entropy", LOGITS, LABELS, {"weight": WEIGHT, "label_smoothing": 0.1}),
    ("cross_entropy", LOGITS, SOME_IGNORED, {"label_smoothing": 0.2}),
    ("cross_entropy", LOGITS, SOME_IGNORED, {"weight": WEIGHT, "label_smoothing": 0.2}),
    ("cross_entropy", LOGITS, SHARES, {}),
    ("cross_entropy", LOGITS, SHARES, {"weight": WEIGHT, "label_smoothing": 0.1}),
    ("cross_entropy", IMAGE, IMAGE_LABELS, {"weight": WEIGHT}),
    ("cross_entropy", LOGITS * 300, LABELS, {}),
    ("nll_loss", np.log(SHARES), LABELS, {"weight": WEIGHT}),
    ("binary_cross_entropy_with_logits", LOGITS, BITS, {}),
    ("binary_cross_entropy_with_logits", LOGITS * 200, BITS, {"pos_weight": WEIGHT}),
    ("binary_cross_entropy_with_logits", LOGITS, BITS, {"weight": WEIGHT, "pos_weight": WEIGHT}),
    ("binary_cross_entropy", PROBABILITIES, BITS, {}),
    ("binary_cross_entropy", PROBABILITIES, BITS, {"weight": WEIGHT}),
    ("kl_div", np.log(SHARES), SHARES[::-1].copy(), {}),
    ("kl_div", np.log(SHARES), np.log(SHARES[::-1].copy()), {"log_target": True}),
    ("soft_margin_loss", LOGITS, SIGNS, {}),
    ("hinge_embedding_loss", LOGITS, SIGNS, {"margin": 0.8}),
    ("poisson_nll_loss", LOGITS, np.abs(OTHER), {}),
]


def numbers(options: dict[str, Any], convert: Any) -> dict[str, Any]:
    return {name: convert(each) if isinstance(each, np.ndarray) else each for name, each in options.items()}


@pytest.mark.oracle
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("name", "inputs", "targets", "options"), ROWS, ids=lambda each: str(each)[:24])
def test_loss(name: str, inputs: Any, targets: Any, options: dict[str, Any], reduction: str) -> None:
    x, tx = cr.tensor(inputs, requires_grad=True), torch.tensor(inputs, requires_grad=True)
    ours = getattr(nn.functional, name)(x, cr.tensor(targets), reduction=reduction, **numbers(options, cr.tensor))
    theirs = getattr(torch.nn.functional, name)(
        tx, torch.tensor(targets), reduction=reduction, **numbers(options, torch.tensor)
    )
    np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=1e-10, atol=1e-10)
    cr.sum(ours * ours).backward(create_graph=True)
    (gradient,) = torch.autograd.grad((theirs * theirs).sum(), tx, create_graph=True)
    np.testing.assert_allclose(x.grad.numpy(), gradient.detach().numpy(), rtol=1e-10, atol=1e-10)
    total = cr.sum(x.grad * x.grad)
    x.grad = None
    total.backward()
    (second,) = torch.autograd.grad((gradient * gradient).sum(), tx)
    np.testing.assert_allclose(x.grad.numpy(), second.numpy(), rtol=1e-9, atol=1e-9)


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("name", "inputs", "targets", "options"),
    [
        ("MSELoss", LOGITS, OTHER, {}),
        ("L1Loss", LOGITS, OTHER, {"reduction": "sum"}),
        ("HuberLoss", LOGITS, OTHER, {"delta": 2.0}),
        ("SmoothL1Loss", LOGITS, OTHER, {"beta": 2.0}),
        ("CrossEntropyLoss", LOGITS, LABELS, {"weight": WEIGHT, "label_smoothing": 0.1}),
        ("NLLLoss", np.log(SHARES), LABELS, {"weight": WEIGHT}),
        ("BCELoss", PROBABILITIES, BITS, {}),
        ("BCEWithLogitsLoss", LOGITS, BITS, {"pos_weight": WEIGHT}),
        ("KLDivLoss", np.log(SHARES), SHARES, {"reduction": "batchmean"}),
        ("PoissonNLLLoss", LOGITS, np.abs(OTHER), {"log_input": True}),
        ("SoftMarginLoss", LOGITS, SIGNS, {}),
        ("HingeEmbeddingLoss", LOGITS, SIGNS, {}),
    ],
    ids=lambda each: str(each)[:20],
)
def test_loss_module(name: str, inputs: Any, targets: Any, options: dict[str, Any]) -> None:
    ours = getattr(nn, name)(**numbers(options, cr.tensor))(cr.tensor(inputs), cr.tensor(targets))
    theirs = getattr(torch.nn, name)(**numbers(options, torch.tensor))(torch.tensor(inputs), torch.tensor(targets))
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-10, atol=1e-10)
