"""Dense layers, tables of vectors and attention in closed form, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ChainruleError, ConfigurationError, OutOfRangeError, ShapeError

F = nn.functional
RANDOM = np.random.default_rng(0)
Q, K, V = RANDOM.normal(size=(3, 2, 5, 4))


def test_bilinear_is_einstein_summation() -> None:
    first, second, weight = RANDOM.normal(size=(6, 3)), RANDOM.normal(size=(6, 4)), RANDOM.normal(size=(2, 3, 4))
    expected = np.einsum("ni,kij,nj->nk", first, weight, second) + 1
    np.testing.assert_allclose(F.bilinear(first, second, weight, np.ones(2)).numpy(), expected, rtol=1e-12)
    layer = nn.Bilinear(3, 4, 2)
    assert layer(first, second).shape == (6, 2)
    with pytest.raises(ShapeError, match=r"3 and 4 features.*\(6, 4\) and \(6, 3\)"):
        layer(second, first)


def attention(allowed: np.ndarray) -> np.ndarray:
    scores = np.where(allowed, np.exp(Q @ K.swapaxes(1, 2) / 2), 0)
    return (scores / scores.sum(-1, keepdims=True)) @ V


def test_attention() -> None:
    causal = np.tri(5, dtype=bool)
    np.testing.assert_allclose(F.scaled_dot_product_attention(Q, K, V).numpy(), attention(np.array(True)), rtol=1e-12)
    for masked in ({"is_causal": True}, {"attn_mask": causal}, {"attn_mask": np.where(causal, 0.0, -np.inf)}):
        given = F.scaled_dot_product_attention(Q, K, V, **masked)
        np.testing.assert_allclose(given.numpy(), attention(causal), rtol=1e-12)


def test_attention_drops_weights() -> None:
    cr.random.manual_seed(0)
    dropped = F.scaled_dot_product_attention(Q, K, np.ones_like(V), None, 0.5).numpy()
    assert not np.allclose(dropped, 1)


def test_two_masks_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="not both"):
        F.scaled_dot_product_attention(Q, K, V, np.ones((5, 5), bool), is_causal=True)


def test_the_padding_row_gets_no_gradient() -> None:
    layer = nn.Embedding(4, 3, padding_idx=-1)
    assert layer.weight.numpy()[3].tolist() == [0, 0, 0]
    cr.sum(layer(np.array([1, 3, 3, 1]))).backward()
    np.testing.assert_array_equal(layer.weight.grad.numpy()[:, 0], [0, 2, 0, 0])


def test_given_vectors() -> None:
    layer = nn.Embedding.from_pretrained(np.eye(3), padding_idx=0)
    assert layer(np.array([2])).tolist() == [[0, 0, 1]]
    assert not layer.weight.requires_grad
    assert nn.Embedding.from_pretrained(np.eye(3), freeze=False).weight.requires_grad
    with pytest.raises(ShapeError, match="matrix"):
        nn.Embedding.from_pretrained(np.ones(3))


@pytest.mark.parametrize("sizes", [(-1, 2), (2.5, 2), ("3", 2)])
def test_sizes_that_are_none(sizes: tuple[int, int]) -> None:
    for layer in (nn.Linear, nn.Embedding):
        with pytest.raises(ConfigurationError, match="whole numbers"):
            layer(*sizes)


def test_a_padding_row_that_is_not_there() -> None:
    with pytest.raises(OutOfRangeError, match="padding_idx 4"):
        nn.Embedding(4, 2, padding_idx=4)


def test_a_layer_without_inputs() -> None:
    layer = nn.Linear(0, 3)
    assert layer(np.ones((2, 0), np.float32)).tolist() == [layer.bias.tolist()] * 2


def test_linear_refuses_a_scalar() -> None:
    with pytest.raises(ChainruleError, match="3 features"):
        nn.Linear(3, 1)(1.0)
