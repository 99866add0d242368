"""Bags of indices: against sums by hand and PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ConfigurationError, ShapeError, UnknownNameError

TABLE = np.random.default_rng(0).normal(size=(7, 3))
SQUARE = np.array([[1, 2, 4, 5], [4, 3, 2, 6]])
FLAT, OFFSETS = np.array([1, 2, 4, 5, 4, 3, 2, 6]), np.array([0, 3, 3, 6])
FACTORS = np.random.default_rng(1).normal(size=8)
F = nn.functional

ROWS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    *(((SQUARE, TABLE), {"mode": mode}) for mode in ("sum", "mean", "max")),
    *(((FLAT, TABLE, OFFSETS), {"mode": mode, "padding_idx": 4}) for mode in ("sum", "mean", "max")),
    ((FLAT, TABLE, np.array([0, 3, 8])), {"include_last_offset": True}),
    ((FLAT, TABLE, OFFSETS), {"mode": "sum", "per_sample_weights": FACTORS}),
    ((SQUARE, TABLE), {"mode": "sum", "per_sample_weights": FACTORS.reshape(2, 4)}),
]


@pytest.mark.oracle
@pytest.mark.parametrize(("arguments", "options"), ROWS)
def test_bags_are_pytorchs(arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    table, other = cr.tensor(TABLE, requires_grad=True), torch.tensor(TABLE, requires_grad=True)
    indices, _, *rest = arguments
    made = {key: torch.tensor(each) if isinstance(each, np.ndarray) else each for key, each in options.items()}
    y = F.embedding_bag(indices, table, *rest, **options)
    ty = torch.nn.functional.embedding_bag(torch.tensor(indices), other, *map(torch.tensor, rest), **made)
    np.testing.assert_allclose(y.numpy(), ty.detach().numpy(), rtol=1e-12)
    cr.sum(cr.sin(y)).backward()
    torch.sin(ty).sum().backward()
    np.testing.assert_allclose(table.grad.numpy(), other.grad.numpy(), rtol=1e-12, atol=1e-14)


def test_bags_by_hand() -> None:
    sums = F.embedding_bag(FLAT, TABLE, OFFSETS, mode="sum").numpy()
    expected = [TABLE[[1, 2, 4]].sum(0), np.zeros(3), TABLE[[5, 4, 3]].sum(0), TABLE[[2, 6]].sum(0)]
    np.testing.assert_allclose(sums, expected, rtol=1e-14)
    layer = nn.EmbeddingBag(7, 3, mode="max", padding_idx=-1)
    assert repr(layer) == "EmbeddingBag(7, 3, mode='max', padding_idx=6)"
    layer.weight.assign(TABLE.astype(np.float32))
    np.testing.assert_array_equal(layer(SQUARE)[1].numpy(), TABLE.astype(np.float32)[[4, 3, 2]].max(0))


BAD: list[tuple[Any, type[Exception], str]] = [
    (lambda: F.embedding_bag(SQUARE, TABLE, mode="median"), UnknownNameError, "mean"),
    (lambda: F.embedding_bag(SQUARE, TABLE, per_sample_weights=FACTORS), ConfigurationError, "sum"),
    (lambda: F.embedding_bag(FLAT, TABLE), ShapeError, "offsets"),
    (lambda: F.embedding_bag(FLAT, TABLE, np.array([1, 2])), ShapeError, "begin with 0"),
]


@pytest.mark.parametrize(("make", "kind", "says"), BAD)
def test_what_is_wrong_is_named(make: Any, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        make()
