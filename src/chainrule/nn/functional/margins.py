"""Losses that want one class, or all true ones, ahead of the others by a margin. PyTorch's names and numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import functions as f
from ...errors import ConfigurationError, ShapeError
from ...tensor import Tensor, asarray
from .indices import check_range, none_wraps
from .regression import pair, reduce
from .similarity import pairwise_distance


def multi_margin_loss(
    input: Any, target: Any, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean"
) -> Tensor:
    """Mean over the other classes of max(0, margin - x_true + x_other)^p: (batch, classes) and labels (batch,)."""
    if p not in (1, 2):
        raise ConfigurationError(f"multi_margin_loss takes p=1 or p=2, but was given {p}")
    x, y = asarray(input), asarray(target)
    rows = f.expand_dims(x, 0) if x.ndim == 1 else x
    labels = f.reshape(y, (-1,)) if y.ndim == 0 else y
    if rows.ndim != 2 or labels.shape != rows.shape[:1]:
        raise ShapeError(f"multi_margin_loss needs (batch, classes) and (batch,), but was given {x.shape}, {y.shape}")
    classes = rows.shape[1]
    check_range("multi_margin_loss", "label", labels, classes, f"the network has {classes} outputs")
    places = f.expand_dims(none_wraps(labels, classes), 1)
    behind = f.relu(margin - f.take_along_axis(rows, places, 1) + rows)
    losses = behind * behind if p == 2 else behind
    if weight is not None:
        losses = losses * f.expand_dims(f.take(asarray(weight, rows.dtype), labels, 0), 1)
    others = f.where(f.expand_dims(f.arange(classes), 0) == places, 0.0, losses)
    each = f.sum(others, 1) / classes
    return reduce(f.reshape(each, ()) if x.ndim == 1 else each, reduction)


def multilabel_margin_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """Sum over true classes y and others j of max(0, 1 - x_y + x_j) / classes: both (batch, classes) or (classes,).

    target: the labels of each row, filled up with -1; what comes after the first -1 does not count.
    """
    x, y = asarray(input), asarray(target)
    if x.shape != y.shape or x.ndim not in (1, 2):
        raise ShapeError(f"multilabel_margin_loss needs inputs and labels of one shape, not {x.shape} and {y.shape}")
    rows, labels = (f.expand_dims(each, 0) if x.ndim == 1 else each for each in (x, y))
    classes = rows.shape[1]
    check_range("multilabel_margin_loss", "label", labels, classes, f"the network has {classes} outputs", -1)
    ended = f.cumulative_sum(f.astype(labels < 0, "int64"), axis=1) > 0
    safe = f.where(ended, 0, f.astype(labels, "int64"))  # (batch, labels)
    hits = (f.expand_dims(safe, 2) == f.arange(classes)) & f.expand_dims(f.logical_not(ended), 2)
    is_true = f.any(hits, 1)  # (batch, classes)
    ahead = f.expand_dims(f.take_along_axis(rows, safe, 1), 2) - f.expand_dims(rows, 1)  # (batch, labels, classes)
    counted = f.logical_not(f.expand_dims(ended, 2)) & f.logical_not(f.expand_dims(is_true, 1))
    each = f.sum(f.where(counted, f.relu(1 - ahead), 0.0), (1, 2)) / classes
    return reduce(f.reshape(each, ()) if x.ndim == 1 else each, reduction)


def multilabel_soft_margin_loss(input: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Tensor:
    """Cross-entropy of two classes for each label, averaged over the labels: (..., classes) both."""
    x, y = pair("multilabel_soft_margin_loss", input, target)
    losses = f.softplus(-x) * y + f.softplus(x) * (1 - y)
    losses = losses if weight is None else losses * asarray(weight, x.dtype)
    return reduce(f.mean(losses, -1), reduction)


def triplet_margin_with_distance_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    distance_function: Callable[[Any, Any], Any] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) for any distance; swap as in triplet_margin_loss."""
    distance = pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    far = f.minimum(far, distance(positive, negative)) if swap else far
    return reduce(f.relu(near - far + margin), reduction)
