"""Indices are checked where they are known."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import DtypeError, OutOfRangeError

F = nn.functional


def test_one_hot() -> None:
    assert F.one_hot(np.array([[2, 0]])).tolist() == [[[0, 0, 1], [1, 0, 0]]]
    assert F.one_hot(np.array([1], np.uint8), 4).tolist() == [[0, 1, 0, 0]]
    assert F.one_hot(np.zeros(0, np.int64)).shape == (0, 0)
    assert F.one_hot(np.array([1])).dtype == cr.int64


@pytest.mark.parametrize("index", [-1, 3])
def test_one_hot_refuses_what_is_no_class(index: int) -> None:
    with pytest.raises(OutOfRangeError, match=rf"index {index} at position \(1,\).*3 classes.*from 0 to 2"):
        F.one_hot(np.array([0, index]), 3)


def test_an_embedding_never_wraps_round() -> None:
    with pytest.raises(OutOfRangeError, match=r"index -1 at position \(0, 1\).*3 rows"):
        F.embedding(np.array([[0, -1]]), np.eye(3))
    with pytest.raises(DtypeError, match="integers"):
        F.embedding(np.array([1.0]), np.eye(3))
    assert F.embedding(np.zeros((0, 2), np.int64), np.eye(3)).shape == (0, 2, 3)
