"""Losses of classes: two from one number each, or many from one number a class. PyTorch's names and numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

from ... import functions as f
from ...errors import ConfigurationError, ShapeError
from ...tensor import Tensor, asarray
from .indices import check_range, none_wraps
from .regression import pair, reduce

# -- two classes


def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, reduction: str = "mean", pos_weight: Any = None
) -> Tensor:
    """Cross-entropy of two classes from logits: -y log σ(x) - (1 - y) log σ(-x); pos_weight scales the first part."""
    x, y = pair("binary_cross_entropy_with_logits", input, target)
    positive = f.softplus(-x) * y
    positive = positive if pos_weight is None else positive * asarray(pos_weight, x.dtype)
    losses = positive + f.softplus(x) * (1 - y)
    return reduce(_weighted(losses, weight), reduction)


def _weighted(losses: Tensor, weight: Any) -> Tensor:
    return losses if weight is None else losses * asarray(weight, losses.dtype)


def binary_cross_entropy(input: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Tensor:
    """Cross-entropy of two classes from probabilities; logarithms are cut at -100, as in PyTorch."""
    p, y = pair("binary_cross_entropy", input, target)
    if not p.is_traced and ((p.numpy() < 0) | (p.numpy() > 1)).any():
        raise ConfigurationError(
            "binary_cross_entropy takes probabilities from 0 to 1, but the predictions go from "
            f"{p.numpy().min():g} to {p.numpy().max():g}; for logits use binary_cross_entropy_with_logits"
        )
    losses = -(y * f.clip(f.log(p), -100.0) + (1 - y) * f.clip(f.log1p(-p), -100.0))
    return reduce(_weighted(losses, weight), reduction)


# -- many classes


class _Labels(NamedTuple):
    """Class indices (batch, ...): `safe` has one within the classes everywhere; `counted` None means all count."""

    safe: Tensor
    counted: Tensor | None


def _labels(name: str, x: Tensor, y: Tensor, ignore_index: int) -> _Labels:
    classes = x.shape[-1]
    if y.shape != x.shape[:-1]:
        raise ShapeError(
            f"{name}: predictions for {classes} classes need targets of shape {x.shape[:-1]}, but they are {y.shape}"
            f"{_way_out(name, x, y)}"
        )
    may_ignore = check_range(name, "label", y, classes, f"the network has {classes} outputs", ignore_index)
    if not may_ignore:
        return _Labels(y, None)
    wide = f.astype(y, "int64")
    counted = f.not_equal(wide, ignore_index)
    return _Labels(f.where(counted, none_wraps(wide, classes), 0), counted)


def _classes_last(x: Tensor) -> Tensor:
    """(batch, classes, d1, ...) to (batch, d1, ..., classes); a single (classes,) stays."""
    return f.moveaxis(x, 1, -1) if x.ndim > 2 else x


def nll_loss(input: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> Tensor:
    """Negative log-likelihood: minus the log-probability of the right class; the mean is weighted by `weight`.

    Shapes, errors: as cross_entropy, for log-probabilities instead of logits.
    """
    log_p = _classes_last(asarray(input))
    labels = _labels("nll_loss", log_p, asarray(target), ignore_index)
    return _reduced(_picked(log_p, labels, weight), _shares(log_p, labels, weight), reduction)


def _picked(log_p: Tensor, labels: _Labels, weight: Any) -> Tensor:
    """Minus the log-probability of each label, times the weight of its class; 0 where it is ignored."""
    picked = f.squeeze(f.take_along_axis(log_p, f.expand_dims(labels.safe, -1), -1), -1)
    picked = picked if labels.counted is None else f.where(labels.counted, picked, 0.0)
    losses: Tensor = -picked if weight is None else -picked * f.take(asarray(weight, log_p.dtype), labels.safe, 0)
    return losses


def _shares(log_p: Tensor, labels: _Labels, weight: Any) -> Tensor | None:
    """How much each example counts in a mean; None where all count the same."""
    if weight is None:
        return None if labels.counted is None else f.astype(labels.counted, log_p.dtype)
    shares: Tensor = f.take(asarray(weight, log_p.dtype), labels.safe, 0)
    return shares if labels.counted is None else f.where(labels.counted, shares, 0.0)


def _reduced(losses: Tensor, shares: Tensor | None, reduction: str) -> Tensor:
    if reduction != "mean" or shares is None:
        return reduce(losses, reduction)
    mean: Tensor = f.sum(losses) / f.sum(shares)
    return mean


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
    if not 0 <= label_smoothing <= 1:
        raise ConfigurationError(f"label_smoothing is a share from 0 to 1, but was given {label_smoothing}")
    x, y = _classes_last(asarray(input)), asarray(target)
    if y.dtype.kind == "f":
        return _of_probabilities(x, _classes_last(y), weight, reduction, label_smoothing)
    labels = _labels("cross_entropy", x, y, ignore_index)
    log_p = f.log_softmax(x, -1)
    losses = _picked(log_p, labels, weight)
    if label_smoothing:
        losses = (1 - label_smoothing) * losses + label_smoothing * _evenly_spread(log_p, labels, weight)
    return _reduced(losses, _shares(log_p, labels, weight), reduction)


def _evenly_spread(log_p: Tensor, labels: _Labels, weight: Any) -> Tensor:
    """The part of a smoothed target that is the same for all classes."""
    losses: Tensor = -f.mean(_weighted(log_p, weight), -1)
    return losses if labels.counted is None else f.where(labels.counted, losses, 0.0)


def _way_out(name: str, x: Tensor, y: Tensor) -> str:
    """What mends targets of a usual wrong shape."""
    if y.shape == x.shape and name == "cross_entropy":
        return "; probabilities, also ones and zeros, are floats: targets.astype('float32')"
    return "; targets.squeeze(-1) removes the last axis" if y.shape == (*x.shape[:-1], 1) else ""


def _of_probabilities(x: Tensor, y: Tensor, weight: Any, reduction: str, smoothing: float) -> Tensor:
    if x.shape != y.shape:
        raise ShapeError(
            f"cross_entropy: targets that are probabilities need the shape of the predictions {x.shape}, but they are "
            f"{y.shape}; class indices are integers: targets.astype('int64')"
        )
    p = f.astype(y, x.dtype) * (1 - smoothing) + smoothing / x.shape[-1] if smoothing else f.astype(y, x.dtype)
    return reduce(-f.sum(_weighted(p * f.log_softmax(x, -1), weight), -1), reduction)


def kl_div(input: Any, target: Any, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """Kullback-Leibler divergence y · (log y - x) of log-probabilities x; "batchmean" divides by the batch size."""
    x, y = pair("kl_div", input, target)
    losses = f.exp(y) * (y - x) if log_target else f.multiply_no_nan(f.log(y), y) - y * x
    return f.sum(losses) / x.shape[0] if reduction == "batchmean" else reduce(losses, reduction)
