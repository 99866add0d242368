"""Norms and dot products of per-sample gradients against the gradients written out, one sample after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, tree
from chainrule.errors import ConfigurationError

F = nn.functional
RANDOM = np.random.default_rng(3)
PEOPLE = 4


def dense() -> tuple[Any, Any, Any]:
    model = nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 9), nn.ReLU(), nn.Linear(9, 3))
    return model, RANDOM.standard_normal((PEOPLE, 6)), RANDOM.integers(0, 3, PEOPLE)


class Tied(nn.Module):
    """Characters in, characters out, with one weight for both, at every place of a sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(17, 5)
        self.middle = nn.Linear(5, 5)

    def forward(self, x: Any) -> Any:
        return cr.tanh(self.middle(self.embedding(x))) @ self.embedding.weight.T


def tied() -> tuple[Any, Any, Any]:
    return Tied(), RANDOM.integers(0, 17, (PEOPLE, 3)), RANDOM.integers(0, 17, (PEOPLE, 3))


def convolution() -> tuple[Any, Any, Any]:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 9, 3))
    return model, RANDOM.standard_normal((PEOPLE, 1, 5, 5)), RANDOM.integers(0, 3, PEOPLE)


class Last(nn.Module):
    """The last output of a recurrent layer."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.out = nn.RNN(2, 4, batch_first=True), nn.Linear(4, 3)

    def forward(self, x: Any) -> Any:
        return self.out(self.inner(x)[0][:, -1])


def recurrent() -> tuple[Any, Any, Any]:
    return Last(), RANDOM.standard_normal((PEOPLE, 5, 2)), RANDOM.integers(0, 3, PEOPLE)


def normed() -> tuple[Any, Any, Any]:
    model = nn.Sequential(nn.Linear(6, 5), nn.LayerNorm(5), nn.GELU(), nn.Linear(5, 3, bias=False))
    return model, RANDOM.standard_normal((PEOPLE, 6)), RANDOM.integers(0, 3, PEOPLE)


CASES = [dense, tied, convolution, recurrent, normed]


def loss(model: Any, x: Any, y: Any) -> Any:
    return F.cross_entropy(model(x[None]).reshape(-1, 17 if isinstance(model, Tied) else 3), y.reshape(-1))


def gradients(model: Any, x: Any, y: Any) -> list[list[np.ndarray]]:
    """Of each sample, each tensor: one sample at a time, by reverse mode alone."""
    return [
        [g.numpy() for g in tree.leaves(cr.grad(loss)(model, a, b))]
        for a, b in zip(map(cr.tensor, x), map(cr.tensor, y))
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda each: each.__name__)
@pytest.mark.parametrize("compiled", [False, True])
def test_they_are_those_of_the_gradients_written_out(case: Any, compiled: bool) -> None:
    cr.random.manual_seed(1)
    model, x, y = case()
    model = model.double()
    rows = gradients(model, x, y)
    flat = np.stack([np.concatenate([g.ravel() for g in row]) for row in rows])
    run = cr.compile if compiled else (lambda each: each)
    np.testing.assert_allclose(
        run(cr.per_sample_norms(loss))(model, x, y).numpy(), np.linalg.norm(flat, axis=1), rtol=1e-12
    )
    np.testing.assert_allclose(
        run(cr.per_sample_dots(loss))(model, x, y).numpy(), flat @ flat.T, rtol=1e-11, atol=1e-14
    )
    by_tensor = cr.per_sample_norms(loss, by_tensor=True, chunk_size=3)(model, x, y)
    for place, found in enumerate(tree.leaves(by_tensor)):
        np.testing.assert_allclose(found.numpy(), [np.linalg.norm(row[place]) for row in rows], rtol=1e-11, atol=1e-15)


def test_gradients_of_dense_layers_are_not_written_out() -> None:
    model, x, y = dense()
    norms = cr.trace(cr.per_sample_norms(loss))(model, x.astype("float32"), y)
    sizes = [value.size for equation in norms.equations for value in equation.outputs]
    assert max(sizes) < PEOPLE * 9 * 9  # the gradients of the middle layer alone would have so many numbers


def test_norms_can_be_differentiated() -> None:
    weight, x = RANDOM.standard_normal((4, 3)), RANDOM.standard_normal((PEOPLE, 4))

    def penalty(weight: Any) -> Any:
        return cr.per_sample_norms(lambda w, row: cr.sin(row @ w).sum())(weight, x).sum()

    cr.check_gradients(penalty, (weight,))


def test_other_arguments_and_axes() -> None:
    def product(x: Any, w: Any) -> Any:
        return (x @ w).sum()

    x, w = RANDOM.standard_normal((4, PEOPLE)), RANDOM.standard_normal((4, 3))
    found = cr.per_sample_norms(product, argnums=1, in_axes=(1, None))(x, w)
    np.testing.assert_allclose(found.numpy(), np.linalg.norm(x, axis=0) * np.sqrt(3), rtol=1e-13)
    with pytest.raises(ConfigurationError, match="an argument that holds the samples"):
        cr.per_sample_norms(product, argnums=(0, 1))(x, w)
