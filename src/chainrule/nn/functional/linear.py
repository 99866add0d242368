"""Dense layers and tables of vectors as functions."""

from __future__ import annotations

from typing import Any

from ... import functions as f
from ...tensor import Tensor, asarray, no_gradient
from .indices import check_range, none_wraps


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
    picked: Tensor = f.take(rows, none_wraps(indices, rows.shape[0]), 0)
    if padding_idx is None:
        return picked
    mask = f.expand_dims(f.equal(indices, padding_idx % rows.shape[0]), -1)
    result: Tensor = f.where(mask, no_gradient(picked), picked)
    return result
