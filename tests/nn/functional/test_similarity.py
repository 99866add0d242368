"""Distances and norms: closed forms, PyTorch, and what happens at the origin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn

F = nn.functional
X, Y = np.random.default_rng(0).normal(size=(2, 4, 3))

ROWS: list[tuple[str, tuple[np.ndarray, ...], dict[str, Any]]] = [
    ("normalize", (X,), {}),
    ("normalize", (X,), {"p": 1.0, "dim": 0}),
    ("normalize", (X,), {"p": 3.0}),
    ("normalize", (X,), {"p": float("inf")}),
    ("cosine_similarity", (X, Y), {}),
    ("cosine_similarity", (X, Y), {"dim": 0}),
    ("pairwise_distance", (X, Y), {}),
    ("pairwise_distance", (X, Y), {"p": 1.0, "keepdim": True}),
]


@pytest.mark.oracle
@pytest.mark.parametrize(("name", "arguments", "options"), ROWS, ids=lambda each: str(each)[:20])
def test_function_is_pytorchs(name: str, arguments: tuple[np.ndarray, ...], options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    ours = [cr.tensor(each, requires_grad=True) for each in arguments]
    theirs = [torch.tensor(each, requires_grad=True) for each in arguments]
    y, their_y = getattr(F, name)(*ours, **options), getattr(torch.nn.functional, name)(*theirs, **options)
    np.testing.assert_allclose(y.numpy(), their_y.detach().numpy(), rtol=1e-10, atol=1e-10)
    cr.sum(cr.sin(y)).backward()
    torch.sin(their_y).sum().backward()
    for mine, other in zip(ours, theirs):
        np.testing.assert_allclose(mine.grad.numpy(), other.grad.numpy(), rtol=1e-10, atol=1e-10)


def test_normalized_vectors_have_length_one() -> None:
    np.testing.assert_allclose(np.linalg.norm(F.normalize(X).numpy(), axis=1), 1, rtol=1e-14)


@pytest.mark.parametrize("function", [F.normalize, lambda x: F.cosine_similarity(x, np.ones((1, 3)))])
def test_the_zero_vector_has_a_finite_gradient(function: Any) -> None:
    slope = cr.grad(lambda x: cr.sum(function(x)))(np.zeros((1, 3)))
    assert np.isfinite(slope.numpy()).all()


def test_losses_of_pairs_in_closed_form() -> None:
    first, second = np.array([[1.0, 0.0], [3.0, 4.0], [1.0, 1.0]]), np.array([[0.0, 2.0], [3.0, 4.0], [-1.0, -1.0]])
    signs = np.array([1.0, -1.0, -1.0])
    losses = F.cosine_embedding_loss(first, second, signs, margin=0.25, reduction="none").numpy()
    np.testing.assert_allclose(losses, [1, 0.75, 0], atol=1e-12)
    ranking = F.margin_ranking_loss(np.array([1.0, 1.0]), np.array([3.0, 3.0]), signs[:2], 0.5, reduction="none")
    assert ranking.tolist() == [2.5, 0]


def test_triplets() -> None:
    anchor, positive, negative = np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]]), np.array([[3.0, 5.0]])
    far = np.hypot(3, 5)
    assert F.triplet_margin_loss(anchor, positive, negative, eps=0.0).item() == pytest.approx(5 - far + 1, rel=1e-12)
    assert F.triplet_margin_loss(anchor, positive, negative, eps=0.0, swap=True).item() == pytest.approx(5, rel=1e-12)
