"""Indices in compiled functions: one that lies outside its own axis is an error, never another row's element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import OutOfRangeError

F = nn.functional
X = np.arange(12, dtype=np.float32).reshape(3, 4)


def changed(x: Any, i: Any, j: Any) -> Any:
    """A copy of x with zeros at (i, j)."""
    new = x * 1
    new[i, j] = new[:2, 0] * 0
    return new


def changed_by_numpy(x: Any, i: Any, j: Any) -> Any:
    new = x.copy()
    new[i, j] = 0
    return new


PLACES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "getitem": (lambda x, i, j: x[i, j], lambda x, i, j: x[i, j]),
    "setitem": (changed, changed_by_numpy),
    "along rows": (
        lambda x, i, j: cr.take_along_axis(x[:2], j[:, None], 1) + i[:1] * 0,
        lambda x, i, j: np.take_along_axis(x[:2], j[:, None], 1),
    ),
    "in a loop": (
        lambda x, i, j: cr.scan(lambda carry, at: (carry, x[at]), 0.0, (i, j))[1],
        lambda x, i, j: x[i, j],
    ),
}


@pytest.mark.parametrize("name", PLACES)
def test_places_of_two_axes(name: str) -> None:
    """NumPy says what is right, and what is an error; laid out flat (0, 4) would be (1, 0)."""
    ours, numpys = PLACES[name]
    call = cr.compile(ours)
    for i, j in [((0, 1), (1, 3)), ((-1, 0), (-4, -1)), ((0, 0), (1, 4)), ((0, 1), (1, -5)), ((0, 1), (7, 0))]:
        at = (np.array(i), np.array(j))
        try:
            expected = numpys(X, *at)
        except IndexError:
            with pytest.raises(OutOfRangeError):
                call(X, *at)
        else:
            np.testing.assert_array_equal(call(X, *at), expected)


LABELS: dict[str, Callable[[Any, Any], Any]] = {
    "cross_entropy": F.cross_entropy,
    "weights": lambda x, y: F.cross_entropy(x, y, weight=np.ones(4, np.float32)),
    "smoothing": lambda x, y: F.cross_entropy(x, y, label_smoothing=0.1),
    "nll_loss": F.nll_loss,
    "gradient": lambda x, y: cr.grad(F.cross_entropy)(x, y),
    "margin": F.multi_margin_loss,
    "one_hot": lambda x, y: F.one_hot(y, 4) * x[:, :1],
    "embedding": lambda x, y: F.embedding(y, x.T),
    "padding": lambda x, y: F.embedding(y, x.T, padding_idx=1),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_never_count_from_the_end_or_into_another_row(name: str) -> None:
    call = cr.compile(LABELS[name])
    for wrong in (-1, 4, -4):
        with pytest.raises(OutOfRangeError):
            call(X, np.array([0, wrong, 2]))
        with pytest.raises(OutOfRangeError):  # eagerly too
            LABELS[name](cr.tensor(X), np.array([0, wrong, 2]))
    right = np.array([3, 0, 2])
    np.testing.assert_allclose(call(X, right), LABELS[name](cr.tensor(X), right), 1e-5, 1e-6)


@pytest.mark.parametrize("ignored", [-100, -1, 2])
def test_labels_to_ignore_are_no_error(ignored: int) -> None:
    log_p = X - np.log(np.exp(X).sum(1, keepdims=True))
    loss = cr.compile(lambda x, y: F.cross_entropy(x, y, ignore_index=ignored))(X, np.array([3, ignored, 0]))
    assert loss.item() == pytest.approx(-(log_p[0, 3] + log_p[2, 0]) / 2)
