"""Dense layers, tables of vectors and attention as functions."""

from __future__ import annotations

import math
from typing import Any

from ... import functions as f
from ...errors import ConfigurationError
from ...tensor import Tensor, asarray, no_gradient
from .dropout import dropout
from .indices import check_range


def linear(input: Any, weight: Any, bias: Any = None) -> Tensor:
    """x Wᵀ + b: (..., in) with weight (out, in) to (..., out)."""
    product: Tensor = f.matmul(input, f.matrix_transpose(weight))
    return product if bias is None else product + bias


def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Tensor:
    """x₁ᵀ A_k x₂ + b_k: (..., in1) and (..., in2) with weight (out, in1, in2) to (..., out)."""
    left = f.tensordot(input1, weight, ((-1,), (1,)))  # (..., out, in2)
    product: Tensor = f.sum(left * f.expand_dims(asarray(input2), -2), -1)
    return product if bias is None else product + bias


def embedding(input: Any, weight: Any, padding_idx: int | None = None) -> Tensor:
    """Rows of `weight` at the indices; the row padding_idx gets no gradient.

    Raises OutOfRangeError that names the first index without a row.
    """
    indices, rows = asarray(input), asarray(weight)
    check_range("embedding", "index", indices, rows.shape[0], f"the table has {rows.shape[0]} rows")
    picked: Tensor = f.take(rows, indices, 0)
    if padding_idx is None:
        return picked
    mask = f.expand_dims(f.equal(indices, padding_idx % rows.shape[0]), -1)
    result: Tensor = f.where(mask, no_gradient(picked), picked)
    return result


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """softmax(Q Kᵀ / √width + mask) V (Vaswani et al. 2017): (..., queries, width), (..., keys, width) twice.

    attn_mask: bools (true takes part) or numbers that are added; is_causal: a query sees no later key.
    dropout_p: how likely a weight of the attention is dropped; give 0 in evaluation.
    """
    if is_causal and attn_mask is not None:
        raise ConfigurationError(
            "attention takes attn_mask or is_causal=True, not both; put the causal part in the mask"
        )
    q, k = asarray(query), asarray(key)
    scores = f.matmul(q, f.matrix_transpose(k)) * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    if is_causal:
        attn_mask = f.tril(f.ones(scores.shape[-2:], "bool"))
    if attn_mask is not None:
        mask = asarray(attn_mask)
        scores = f.where(mask, scores, -math.inf) if mask.dtype.kind == "b" else scores + mask
    result: Tensor = f.matmul(dropout(f.softmax(scores, -1), dropout_p), value)
    return result
