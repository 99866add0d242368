"""Losses: how wrong a prediction is, as one number. PyTorch's names, arguments and numbers.

reduction: "mean" over everything, "sum", or "none" for one loss each.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import functions as f
from ..errors import DtypeError, OutOfRangeError, ShapeError, unknown_name
from ..tensor import Tensor, asarray

REDUCTIONS = ("mean", "sum", "none")


def reduce(losses: Tensor, reduction: str) -> Tensor:
    """Mean, sum, or the losses themselves."""
    if reduction not in REDUCTIONS:
        raise unknown_name("reduction", reduction, REDUCTIONS)
    if reduction == "none":
        return losses
    total: Tensor = f.mean(losses) if reduction == "mean" else f.sum(losses)
    return total


def _pair(name: str, input: Any, target: Any) -> tuple[Tensor, Tensor]:
    """Input and target of one shape: a silent broadcast of (n, 1) against (n,) has ruined many a training."""
    x, y = asarray(input), asarray(target)
    if x.shape != y.shape:
        raise ShapeError(
            f"{name} needs predictions and targets of one shape, but was given {x.shape} and {y.shape}; reshape one"
        )
    return x, f.astype(y, x.dtype) if y.dtype != x.dtype else y


# -- regression


def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """Squared error: (x - y)²."""
    x, y = _pair("mse_loss", input, target)
    return reduce(f.square(x - y), reduction)


def l1_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """Absolute error: |x - y|; its derivative at 0 is taken as 0."""
    x, y = _pair("l1_loss", input, target)
    return reduce(f.abs(x - y), reduction)


def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """Half the squared error up to delta, then linear (Huber 1964)."""
    x, y = _pair("huber_loss", input, target)
    error = f.abs(x - y)
    return reduce(f.where(error < delta, 0.5 * error * error, delta * (error - 0.5 * delta)), reduction)


def smooth_l1_loss(input: Any, target: Any, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """Huber's loss divided by beta; for beta = 0 the absolute error."""
    if beta == 0:
        return l1_loss(input, target, reduction)
    return huber_loss(input, target, reduction, beta) / beta


def gaussian_nll_loss(
    input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """Negative log-likelihood of a normal distribution with mean `input` and variance `var`."""
    x, y = _pair("gaussian_nll_loss", input, target)
    variance = f.maximum(f.broadcast_to(asarray(var), x.shape), eps)
    losses = 0.5 * (f.log(variance) + f.square(x - y) / variance)
    return reduce(losses + 0.5 * np.log(2 * np.pi).item() if full else losses, reduction)


def poisson_nll_loss(input: Any, target: Any, log_input: bool = True, reduction: str = "mean") -> Tensor:
    """Negative log-likelihood of a Poisson distribution, without the term that only depends on the target."""
    x, y = _pair("poisson_nll_loss", input, target)
    return reduce(f.exp(x) - y * x if log_input else x - y * f.log(x + 1e-8), reduction)


# -- two classes


def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, reduction: str = "mean", pos_weight: Any = None
) -> Tensor:
    """Cross-entropy of two classes from logits: -y log σ(x) - (1 - y) log σ(-x); pos_weight scales the first part."""
    x, y = _pair("binary_cross_entropy_with_logits", input, target)
    positive = f.softplus(-x) * y
    positive = positive if pos_weight is None else positive * pos_weight
    losses = positive + f.softplus(x) * (1 - y)
    return reduce(losses if weight is None else losses * weight, reduction)


def binary_cross_entropy(input: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Tensor:
    """Cross-entropy of two classes from probabilities; logarithms are cut at -100, as in PyTorch."""
    p, y = _pair("binary_cross_entropy", input, target)
    losses = -(y * f.clip(f.log(p), -100.0) + (1 - y) * f.clip(f.log1p(-p), -100.0))
    return reduce(losses if weight is None else losses * weight, reduction)


def soft_margin_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """log(1 + exp(-y x)) for targets -1 and 1."""
    x, y = _pair("soft_margin_loss", input, target)
    return reduce(f.softplus(-y * x), reduction)


def hinge_embedding_loss(input: Any, target: Any, margin: float = 1.0, reduction: str = "mean") -> Tensor:
    """x where the target is 1, max(0, margin - x) where it is -1."""
    x, y = _pair("hinge_embedding_loss", input, target)
    return reduce(f.where(y > 0, x, f.relu(margin - x)), reduction)


# -- many classes


def _classes_last(x: Tensor) -> Tensor:
    """(batch, classes, d1, ...) to (batch, d1, ..., classes); a single (classes,) stays."""
    return f.moveaxis(x, 1, -1) if x.ndim > 2 else x


def _check_indices(name: str, x: Tensor, y: Tensor, ignore_index: int) -> None:
    if y.dtype.kind not in "iu":
        raise DtypeError(
            f"{name} needs class indices as integers, but the targets are {y.dtype}; cast them with astype"
        )
    expected = x.shape[:-1]
    if y.shape != expected:
        raise ShapeError(
            f"{name}: predictions for {x.shape[-1]} classes need targets of shape {expected}, but they are {y.shape}"
        )
    if y.is_traced:
        return
    labels = y.numpy()
    wrong = np.argwhere(((labels < 0) | (labels >= x.shape[-1])) & (labels != ignore_index))
    if len(wrong):
        place = tuple(map(int, wrong[0]))
        raise OutOfRangeError(
            f"{name}: the label {labels[place]} at position {place} is out of range: "
            f"the network has {x.shape[-1]} outputs, so labels go from 0 to {x.shape[-1] - 1}"
        )


def nll_loss(input: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> Tensor:
    """Negative log-likelihood: minus the log-probability of the right class; the mean is weighted by `weight`."""
    x, y = _classes_last(asarray(input)), asarray(target)
    _check_indices("nll_loss", x, y, ignore_index)
    return _pick(x, y, weight, ignore_index, reduction)


def _pick(log_p: Tensor, y: Tensor, weight: Any, ignore_index: int, reduction: str) -> Tensor:
    counted = f.not_equal(y, ignore_index)
    safe = f.where(counted, y, 0)
    picked = f.squeeze(f.take_along_axis(log_p, f.expand_dims(safe, -1), -1), -1)
    shares = f.astype(counted, log_p.dtype)
    shares = shares if weight is None else shares * f.take(asarray(weight, log_p.dtype), safe, 0)
    losses = -f.where(counted, picked, 0) * shares
    return f.sum(losses) / f.sum(shares) if reduction == "mean" else reduce(losses, reduction)


def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy of many classes from logits (batch, classes, ...).

    target: class indices (batch, ...), or probabilities of the shape of `input`. weight: one number a class.
    label_smoothing: this share of the target is spread evenly over all classes (Szegedy et al. 2016).
    Raises OutOfRangeError that names the first label outside the classes.
    """
    x, y = _classes_last(asarray(input)), asarray(target)
    if y.dtype.kind == "f":
        return _cross_entropy_of_probabilities(x, _classes_last(y), weight, reduction, label_smoothing)
    _check_indices("cross_entropy", x, y, ignore_index)
    log_p = f.log_softmax(x, -1)
    loss = _pick(log_p, y, weight, ignore_index, reduction)
    if not label_smoothing:
        return loss
    smooth = _spread_loss(log_p, y, weight, ignore_index, reduction)
    result: Tensor = (1 - label_smoothing) * loss + label_smoothing * smooth
    return result


def _spread_loss(log_p: Tensor, y: Tensor, weight: Any, ignore_index: int, reduction: str) -> Tensor:
    """The part of a smoothed target that is the same for all classes."""
    counted = f.not_equal(y, ignore_index)
    weighted = log_p if weight is None else log_p * asarray(weight, log_p.dtype)
    losses = -f.where(counted, f.sum(weighted, -1) / log_p.shape[-1], 0)
    if reduction != "mean":
        return reduce(losses, reduction)
    shares = f.astype(counted, log_p.dtype)
    safe = f.where(counted, y, 0)
    shares = shares if weight is None else shares * f.take(asarray(weight, log_p.dtype), safe, 0)
    return f.sum(losses) / f.sum(shares)  # type: ignore[no-any-return]


def _cross_entropy_of_probabilities(x: Tensor, y: Tensor, weight: Any, reduction: str, smoothing: float) -> Tensor:
    if x.shape != y.shape:
        raise ShapeError(
            f"cross_entropy: targets that are probabilities need the shape of the predictions {x.shape}, but they are "
            f"{y.shape}; for class indices give integers"
        )
    p = f.astype(y, x.dtype) * (1 - smoothing) + smoothing / x.shape[-1]
    log_p = f.log_softmax(x, -1)
    losses = -f.sum(p * log_p if weight is None else p * log_p * asarray(weight, x.dtype), -1)
    return reduce(losses, reduction)


def kl_div(input: Any, target: Any, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """Kullback-Leibler divergence y · (log y - x) of log-probabilities x; "batchmean" divides by the batch size."""
    x, y = _pair("kl_div", input, target)
    losses = f.exp(y) * (y - x) if log_target else f.multiply_no_nan(f.log(y), y) - y * x
    return f.sum(losses) / x.shape[0] if reduction == "batchmean" else reduce(losses, reduction)


def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Cosine of the angle between vectors along `dim`."""
    first, second = asarray(x1), asarray(x2)
    norms = [f.maximum(f.sqrt(f.sum(f.square(each), dim, keepdims=True)), eps) for each in (first, second)]
    result: Tensor = f.sum((first / norms[0]) * (second / norms[1]), dim)
    return result
