"""Distances, and losses that compare: margins, similar and dissimilar pairs. PyTorch's names and numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import functions as f
from ...errors import ShapeError
from ...ops import linalg
from ...tensor import Tensor, asarray, lifted
from .regression import pair, reduce


def normalize(input: Any, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """Vectors along `dim` divided by their p-norm, or by eps if that is larger."""
    x = asarray(input)
    result: Tensor = x / f.maximum(_norm(x, p, dim, keepdims=True), eps)
    return result


def _norm(x: Tensor, p: float, dim: int, keepdims: bool = False) -> Tensor:
    if p == 2:
        norm: Tensor = f.sqrt(f.sum(f.square(x), dim, keepdims))
        return norm
    if p == float("inf"):
        return f.max(f.abs(x), dim, keepdims)  # type: ignore[no-any-return]
    total = f.sum(f.abs(x) if p == 1 else f.abs(x) ** p, dim, keepdims)
    result: Tensor = total if p == 1 else total ** (1 / p)
    return result


def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Cosine of the angle between vectors along `dim`; a norm below eps counts as eps."""
    first, second = asarray(x1), asarray(x2)
    norms = [f.maximum(_norm(each, 2, dim, keepdims=True), eps) for each in (first, second)]
    result: Tensor = f.sum((first / norms[0]) * (second / norms[1]), dim)
    return result


def pairwise_distance(x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """p-norm of x1 - x2 + eps along the last axis."""
    return _norm(asarray(x1) - asarray(x2) + eps, p, -1, keepdim)


def cdist(x1: Any, x2: Any, p: float = 2.0) -> Tensor:
    """p-norms between the rows of (..., n, size) and those of (..., m, size): (..., n, m). Equal rows: gradient 0."""
    first, second = asarray(x1), asarray(x2)
    return _distance(first[..., :, None, :] - second[..., None, :, :], p)


def pdist(input: Any, p: float = 2.0) -> Tensor:
    """p-norms between each row of (n, size) and those below it: n (n - 1) / 2 of them, in the order of rows."""
    x = asarray(input)
    if x.ndim != 2:
        raise ShapeError(f"pdist takes a matrix, whose rows are points, but was given {x.shape}")
    above, below = np.triu_indices(x.shape[0], 1)
    return _distance(f.take(x, above, 0) - f.take(x, below, 0), p)


_norm_of = lifted(linalg.vector_norm)


def _distance(difference: Tensor, p: float) -> Tensor:
    """The norm along the last axis, whose slope at 0 is 0."""
    result: Tensor = _norm_of(difference, axis=-1, ord=p)
    return result


def soft_margin_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """log(1 + exp(-y x)) for targets -1 and 1."""
    x, y = pair("soft_margin_loss", input, target)
    return reduce(f.softplus(-y * x), reduction)


def hinge_embedding_loss(input: Any, target: Any, margin: float = 1.0, reduction: str = "mean") -> Tensor:
    """x where the target is 1, max(0, margin - x) where it is -1."""
    x, y = pair("hinge_embedding_loss", input, target)
    return reduce(f.where(y > 0, x, f.relu(margin - x)), reduction)


def margin_ranking_loss(input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: str = "mean") -> Tensor:
    """max(0, -y (x1 - x2) + margin): target 1 wants x1 to be larger, -1 wants x2 to be."""
    first, y = pair("margin_ranking_loss", input1, target)
    second, _ = pair("margin_ranking_loss", input2, target)
    return reduce(f.relu(margin - y * (first - second)), reduction)


def cosine_embedding_loss(
    input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """1 - cos where the target is 1, max(0, cos - margin) where it is -1, for vectors along the last axis."""
    first, second = pair("cosine_embedding_loss", input1, input2)
    tiny = 1e-12
    squares = [f.sum(f.square(each), -1) + tiny for each in (first, second)]  # as PyTorch keeps the root from 0
    cosine, y = pair("cosine_embedding_loss", f.sum(first * second, -1) * f.rsqrt(squares[0] * squares[1]), target)
    return reduce(f.where(y > 0, 1 - cosine, f.relu(cosine - margin)), reduction)


def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) for vectors along the last axis.

    swap: where the positive is nearer to the negative than the anchor is, that distance counts (Balntas et al. 2016).
    """
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    far = f.minimum(far, pairwise_distance(positive, negative, p, eps)) if swap else far
    return reduce(f.relu(near - far + margin), reduction)
