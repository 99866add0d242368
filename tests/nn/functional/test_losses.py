"""Every loss from one table: gradients against central differences, and, where it is installed, against PyTorch.

With PyTorch: values and gradients to second order, in float64 to 1e-10.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn

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

ONE_EACH = BITS[:, 0] * 2 - 1
VARIANCES = RANDOM.uniform(0.2, 2.0, size=(6, 4))

Arguments = tuple[np.ndarray, ...]
ROWS: list[tuple[str, Arguments, tuple[int, ...], dict[str, Any]]] = [
    ("mse_loss", (LOGITS, OTHER), (0, 1), {}),
    ("l1_loss", (LOGITS, OTHER), (0, 1), {}),
    ("huber_loss", (LOGITS, OTHER), (0, 1), {"delta": 0.7}),
    ("smooth_l1_loss", (LOGITS, OTHER), (0,), {"beta": 0.7}),
    ("smooth_l1_loss", (LOGITS, OTHER), (0,), {"beta": 0.0}),
    ("gaussian_nll_loss", (LOGITS, OTHER, VARIANCES), (0, 1, 2), {}),
    ("gaussian_nll_loss", (LOGITS, OTHER, VARIANCES[:, 0]), (0, 2), {"full": True}),
    ("poisson_nll_loss", (LOGITS, np.abs(OTHER)), (0,), {}),
    ("poisson_nll_loss", (np.abs(LOGITS), np.abs(OTHER)), (0,), {"log_input": False, "full": True}),
    ("cross_entropy", (LOGITS, LABELS), (0,), {}),
    ("cross_entropy", (LOGITS, LABELS), (0,), {"weight": WEIGHT, "label_smoothing": 0.1}),
    ("cross_entropy", (LOGITS, LABELS), (0,), {"ignore_index": 2}),
    ("cross_entropy", (LOGITS, SOME_IGNORED), (0,), {"label_smoothing": 0.2}),
    ("cross_entropy", (LOGITS, SOME_IGNORED), (0,), {"weight": WEIGHT, "label_smoothing": 0.2}),
    ("cross_entropy", (LOGITS, SHARES), (0, 1), {}),
    ("cross_entropy", (LOGITS, SHARES), (0, 1), {"weight": WEIGHT, "label_smoothing": 0.1}),
    ("cross_entropy", (LOGITS[0], LABELS[0]), (0,), {"label_smoothing": 0.1}),
    ("cross_entropy", (IMAGE, IMAGE_LABELS), (0,), {"weight": WEIGHT}),
    ("cross_entropy", (IMAGE, np.exp(IMAGE[::-1]).copy()), (0,), {}),
    ("cross_entropy", (LOGITS * 300, LABELS), (0,), {}),
    ("nll_loss", (np.log(SHARES), LABELS), (0,), {"weight": WEIGHT}),
    ("nll_loss", (IMAGE, IMAGE_LABELS), (0,), {"ignore_index": 1}),
    ("binary_cross_entropy_with_logits", (LOGITS, BITS), (0,), {}),
    ("binary_cross_entropy_with_logits", (LOGITS * 200, BITS), (0,), {"pos_weight": WEIGHT}),
    ("binary_cross_entropy_with_logits", (LOGITS, PROBABILITIES), (0,), {"weight": WEIGHT, "pos_weight": WEIGHT}),
    ("binary_cross_entropy", (PROBABILITIES, BITS), (0,), {}),
    ("binary_cross_entropy", (PROBABILITIES, BITS), (0,), {"weight": WEIGHT}),
    ("kl_div", (np.log(SHARES), SHARES[::-1].copy()), (0, 1), {}),
    ("kl_div", (np.log(SHARES), np.log(SHARES[::-1].copy())), (0, 1), {"log_target": True}),
    ("soft_margin_loss", (LOGITS, SIGNS), (0,), {}),
    ("hinge_embedding_loss", (LOGITS, SIGNS), (0,), {"margin": 0.8}),
    ("margin_ranking_loss", (LOGITS, OTHER, SIGNS), (0, 1), {"margin": 0.3}),
    ("cosine_embedding_loss", (LOGITS, OTHER, ONE_EACH), (0, 1), {"margin": -0.4}),
    ("triplet_margin_loss", (LOGITS, OTHER, SHARES), (0, 1, 2), {"margin": 2.0}),
    ("triplet_margin_loss", (LOGITS, OTHER, SHARES), (0, 1, 2), {"swap": True, "p": 3.0, "margin": 9.0}),
]
each_loss = pytest.mark.parametrize(("name", "arguments", "wrt", "options"), ROWS, ids=lambda each: str(each)[:24])
FAR_OUT = 50
"""Where predictions are larger, central differences of steps that small lose their digits."""


def numbers(options: dict[str, Any], convert: Any) -> dict[str, Any]:
    return {name: convert(each) if isinstance(each, np.ndarray) else each for name, each in options.items()}


@each_loss
def test_gradients_are_central_differences(
    name: str, arguments: Arguments, wrt: tuple[int, ...], options: dict[str, Any]
) -> None:
    if np.abs(arguments[0]).max() > FAR_OUT:
        pytest.skip("too large for differences; compared with PyTorch below")

    def loss(*chosen: Any) -> Any:
        given = dict(zip(wrt, chosen))
        return getattr(nn.functional, name)(*(given.get(i, each) for i, each in enumerate(arguments)), **options)

    report = cr.check_gradients(loss, tuple(arguments[place] for place in wrt), order=2, eps=1e-3, directions=3)
    assert report.max_relative_error < 1e-6


@pytest.mark.oracle
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@each_loss
def test_loss_is_pytorchs(
    name: str, arguments: Arguments, wrt: tuple[int, ...], options: dict[str, Any], reduction: str
) -> None:
    torch = pytest.importorskip("torch")
    ours = [cr.tensor(each, requires_grad=place in wrt) for place, each in enumerate(arguments)]
    theirs = [torch.tensor(each, requires_grad=place in wrt) for place, each in enumerate(arguments)]
    loss = getattr(nn.functional, name)(*ours, reduction=reduction, **numbers(options, cr.tensor))
    their_loss = getattr(torch.nn.functional, name)(*theirs, reduction=reduction, **numbers(options, torch.tensor))
    close(loss, their_loss)
    chosen, their_chosen = [ours[place] for place in wrt], [theirs[place] for place in wrt]
    cr.sum(loss * loss).backward(create_graph=True)
    gradients = torch.autograd.grad((their_loss * their_loss).sum(), their_chosen, create_graph=True)
    for mine, other in zip(chosen, gradients):
        close(mine.grad, other)
    total = sum(cr.sum(each.grad * each.grad) for each in chosen)
    for each in chosen:
        each.grad = None
    total.backward()
    second = torch.autograd.grad(sum((each * each).sum() for each in gradients), their_chosen)
    for mine, other in zip(chosen, second):
        close(mine.grad, other, 1e-9)


def close(ours: Any, theirs: Any, tolerance: float = 1e-10) -> None:
    np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=tolerance, atol=tolerance)
