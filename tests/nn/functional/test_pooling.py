"""Pooling as functions: ties, empty parts, what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ConfigurationError, ShapeError

F = nn.functional
IMAGE = np.ones((1, 2, 4, 4))


@pytest.mark.parametrize(
    "pool", [lambda x: F.max_pool2d(x, 2), lambda x: F.adaptive_max_pool2d(x, 1), lambda x: F.adaptive_max_pool2d(x, 2)]
)
def test_of_equal_elements_the_first_gets_the_gradient(pool: Any) -> None:
    x = np.zeros((1, 1, 4, 4))
    x[0, 0, 0, 1] = x[0, 0, 1, 0] = 1  # the first in reading order, not the first of a column
    slope = cr.grad(lambda x: cr.sum(pool(x)))(x).numpy()[0, 0]
    assert slope[0, 1] == 1
    assert slope[1, 0] == 0
    assert set(np.unique(slope)) == {0, 1}


@pytest.mark.oracle
@pytest.mark.parametrize("size", [1, 2, (3, 2), (None, 3)])
def test_adaptive_ties_are_pytorchs(size: Any) -> None:
    torch = pytest.importorskip("torch")
    points = np.random.default_rng(0).integers(0, 3, size=(2, 3, 5, 6)).astype(float)
    x, tx = cr.tensor(points, requires_grad=True), torch.tensor(points, requires_grad=True)
    cr.sum(F.adaptive_max_pool2d(x, size)).backward()
    torch.nn.functional.adaptive_max_pool2d(tx, size).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), tx.grad.numpy())


def test_none_keeps_a_size() -> None:
    assert F.adaptive_avg_pool2d(IMAGE, (None, 1)).shape == (1, 2, 4, 1)


@pytest.mark.parametrize(
    ("wrong", "kind", "words"),
    [
        (lambda: F.max_pool2d(IMAGE, 9), ShapeError, "window reaches 9"),
        (lambda: F.max_pool2d(IMAGE, 2, stride=0), ConfigurationError, "stride must be at least 1"),
        (lambda: F.max_pool2d(IMAGE, 2, padding=2), ConfigurationError, "at most half the window"),
        (lambda: F.avg_pool1d(IMAGE, 2), ShapeError, "avg_pool1d takes"),
        (lambda: F.adaptive_avg_pool2d(IMAGE, (1, 2, 3)), ConfigurationError, "output_size"),
        (lambda: F.adaptive_avg_pool2d(IMAGE, 0), ShapeError, "empty"),
    ],
)
def test_what_is_refused(wrong: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        wrong()
