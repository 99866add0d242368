"""Losses in which examples count differently: the weighted mean of the losses of single examples."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from .. import functions as f
from .. import nn
from ..nn.applied import Applied
from ..tensor import Tensor, asarray
from ..vmap import vmap

BY_CLASS = (nn.functional.cross_entropy, nn.functional.nll_loss)
IGNORED = -100


def weighted_loss(loss: Callable[..., Any], outputs: Any, targets: Any, weights: Any) -> Tensor:
    """The mean of the losses of a batch, weighted: sum(w loss) / sum(w), and 0 where all weights are zero.

    loss: a function or module of (outputs, targets). One with an option `reduction` is asked for the loss of each; any
    other is called for each example by itself, so it must be the mean of what it gives for single examples.
    weights: (examples,). With reduction "sum" it is the weighted sum.
    """
    losses = losses_of_examples(loss, outputs, targets)
    amounts = f.astype(asarray(weights), losses.dtype)
    total: Tensor = f.sum(losses * amounts)
    if getattr(loss, "reduction", "mean") == "sum":
        return total
    return total / mass(loss, targets, amounts)


def floats(weights: Any) -> Tensor:
    """Weights of examples that were given as numbers of any kind."""
    given = asarray(weights)
    return given if given.dtype.kind == "f" else f.astype(given, "float32")


def mass(loss: Callable[..., Any], targets: Any, weights: Tensor) -> Tensor:
    """What a weighted sum of losses is divided by: the sum of the weights of what counts, 1 where that is zero."""
    shares = _shares(loss, asarray(targets), weights.dtype)
    total = f.sum(weights if shares is None else weights * _mean_of_each(shares))
    divisor: Tensor = f.where(total > 0, total, f.ones_like(total))
    return divisor


def losses_of_examples(loss: Callable[..., Any], outputs: Any, targets: Any) -> Tensor:
    """The loss of each example (examples,)."""
    if isinstance(loss, Applied) and "reduction" in loss.options:
        return _mean_of_each(type(loss).function(outputs, targets, **{**loss.options, "reduction": "none"}))
    if not isinstance(loss, nn.Module) and _takes_reduction(loss):
        return _mean_of_each(loss(outputs, targets, reduction="none"))
    each = vmap(lambda output, target: loss(output[None], target[None]))(outputs, targets)
    flat: Tensor = f.reshape(each, (each.shape[0],))
    return flat


def _takes_reduction(loss: Callable[..., Any]) -> bool:
    try:
        return "reduction" in inspect.signature(loss).parameters
    except (TypeError, ValueError):
        return False


def _mean_of_each(losses: Tensor) -> Tensor:
    means: Tensor = f.mean(losses, tuple(range(1, losses.ndim))) if losses.ndim > 1 else losses
    return means


def _shares(loss: Callable[..., Any], targets: Tensor, dtype: Any) -> Tensor | None:
    """How much each label counts by itself: not at all where it is ignored, by the loss's own weights of classes."""
    function = type(loss).function if isinstance(loss, Applied) else loss
    if function not in BY_CLASS or targets.dtype.kind == "f":
        return None
    options = loss.options if isinstance(loss, Applied) else {}
    labels = f.astype(targets, "int64")
    counted = f.not_equal(labels, options.get("ignore_index", IGNORED))
    own = options.get("weight")
    shares: Tensor = f.astype(counted, dtype)
    if own is not None:
        shares = f.where(counted, f.take(asarray(own, dtype), f.where(counted, labels, 0), 0), 0.0)
    return shares
