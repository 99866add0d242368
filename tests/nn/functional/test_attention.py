"""Attention over blocks of queries: against a sum by hand, to second order against all at once, its memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.nn import functional
from chainrule.nn.functional import attention

RANDOM = np.random.default_rng(5)


@pytest.fixture
def in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few scores are many, and blocks short: all that long sequences need happens with short ones."""
    for name, number in {"AT_ONCE": 0, "FEWEST_ROWS": 3, "MOST_ROWS": 4, "STEP": 1, "SEGMENTS": 2}.items():
        monkeypatch.setattr(attention, name, number)


def by_hand(q: Any, k: Any, v: Any, mask: Any, is_causal: bool) -> Any:
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    if is_causal:
        scores = np.where(np.tril(np.ones(scores.shape[-2:], bool)), scores, -np.inf)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    with np.errstate(invalid="ignore"):  # a row that sees nothing is NaN
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        return weights / weights.sum(-1, keepdims=True) @ v


ROWS: list[tuple[tuple[int, ...], tuple[int, ...], Any, bool]] = [
    ((2, 2, 9, 3), (2, 2, 9, 3), None, True),
    ((2, 2, 9, 3), (2, 1, 5, 3), None, True),  # few keys, alike for all heads
    ((5, 3), (9, 3), None, True),
    ((2, 1, 7, 3), (2, 1, 6, 3), RANDOM.normal(size=(7, 6)), False),
    ((2, 2, 7, 3), (2, 2, 6, 3), np.arange(24).reshape(2, 1, 2, 6)[:, :, :1] % 5 > 1, False),
    ((2, 2, 7, 3), (2, 2, 6, 3), RANDOM.random((2, 1, 7, 6)) < 0.4, True),  # rows that see nothing
    ((1, 3), (1, 3), None, True),
]


@pytest.mark.parametrize("keys", [33, 50])
def test_causal_in_triangles_is_the_same_with_a_mask(keys: int) -> None:
    """Values, and gradients of the first and second order: by products of a triangle, and by whole ones."""
    q, k, v = (RANDOM.normal(size=(2, rows, width)) for rows, width in ((40, 3), (keys, 3), (keys, 2)))
    seen = np.tril(np.ones((40, keys), bool))
    results = []
    for mask, is_causal in ((None, True), (seen, False)):

        def loss(q: Any, k: Any, v: Any, mask: Any = mask, is_causal: bool = is_causal) -> Any:
            return cr.sum(cr.sin(attention.attend(q, k, v, mask, 0.0, is_causal)))

        def slopes(q: Any, k: Any, v: Any, loss: Any = loss) -> Any:
            return cr.sum(cr.concat([cr.sin(each).flatten() for each in cr.grad(loss, argnums=(0, 1, 2))(q, k, v)]))

        both = cr.compile(
            lambda *args, loss=loss, slopes=slopes: (loss(*args), cr.grad(slopes, argnums=(0, 1, 2))(*args))
        )
        value, gradients = both(q, k, v)
        results.append([value.numpy(), *(each.numpy() for each in gradients)])
    for one, other in zip(*results):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("queries", "keys", "mask", "is_causal"), ROWS)
def test_blocks_are_the_sum_by_hand(
    in_blocks: None, queries: tuple[int, ...], keys: tuple[int, ...], mask: Any, is_causal: bool
) -> None:
    q, k, v = RANDOM.normal(size=queries), RANDOM.normal(size=keys), RANDOM.normal(size=(*keys[:-1], 2))
    result = attention.attend(q, k, v, mask, 0.0, is_causal).numpy()
    np.testing.assert_allclose(result, by_hand(q, k, v, mask, is_causal), rtol=1e-12, atol=1e-13)


def test_second_order_in_blocks_is_that_at_once_compiled_too(monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v, bias = (RANDOM.normal(size=shape) for shape in ((2, 7, 3), (2, 7, 3), (2, 7, 2), (7, 7)))

    def loss(q: Any, k: Any, v: Any, bias: Any) -> Any:
        return cr.sum(cr.sin(attention.attend(q, k, v, bias, 0.0, True)))

    def product(*x: Any) -> Any:
        return cr.hvp(loss, x, tuple(map(cr.cos, x)))

    expected = product(*map(cr.tensor, (q, k, v, bias)))
    for name, number in {"AT_ONCE": 0, "FEWEST_ROWS": 3, "MOST_ROWS": 3, "STEP": 1, "SEGMENTS": 1}.items():
        monkeypatch.setattr(attention, name, number)
    arrays = tuple(map(cr.tensor, (q, k, v, bias)))
    for found in (product(*arrays), cr.compile(product)(*arrays)):
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-9, atol=1e-11)


def test_dropout_in_blocks_drops_its_share_and_is_the_same_compiled(in_blocks: None) -> None:
    q, v = np.zeros((2, 2, 50, 4)), np.ones((2, 2, 50, 1))

    def dropped() -> Any:
        return functional.scaled_dot_product_attention(q, q, v, dropout_p=0.25)

    cr.random.manual_seed(1)
    first, second = dropped().numpy(), dropped().numpy()
    assert (first != second).any()
    # each weight is 1 / 50 / 0.75 or nothing: the mean of 10,000 of them has a deviation of 0.006
    assert abs(first.mean() - 1) < 0.03
    assert np.unique(first.round(9)).size > 8
    cr.random.manual_seed(1)
    np.testing.assert_allclose(cr.compile(dropped)().numpy(), first, rtol=1e-12)


def test_memory_of_the_gradient_grows_with_the_length_not_its_square(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "AT_ONCE", 1 << 16)

    def needed(length: int) -> int:
        x = np.zeros((2, length, 8), np.float32)
        step = cr.compile(cr.grad(lambda q: cr.sum(functional.scaled_dot_product_attention(q, x, x))))
        return step.memory(x).total

    short, long = needed(256), needed(1024)
    assert long < 4.2 * short


def test_what_does_not_fit_is_said_as_of_products(in_blocks: None) -> None:
    with pytest.raises(cr.errors.ShapeError, match="matmul"):
        attention.attend(np.ones((2, 5, 3)), np.ones((2, 5, 4)), np.ones((2, 5, 4)), None, 0.0, False)
