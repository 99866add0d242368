"""Losses of numbers against numbers: how wrong a prediction is, as one number. PyTorch's names, arguments and numbers.

reduction: "mean" over everything, "sum", or "none" for one loss each.
"""

from __future__ import annotations

import math
from typing import Any

from ... import functions as f
from ...errors import ConfigurationError, ShapeError, unknown_name
from ...tensor import Tensor, asarray, no_gradient

REDUCTIONS = ("mean", "sum", "none")


def reduce(losses: Tensor, reduction: str) -> Tensor:
    """Mean, sum, or the losses themselves."""
    if reduction not in REDUCTIONS:
        raise unknown_name("reduction", reduction, REDUCTIONS)
    if reduction == "none":
        return losses
    total: Tensor = f.mean(losses) if reduction == "mean" else f.sum(losses)
    return total


def pair(name: str, input: Any, target: Any) -> tuple[Tensor, Tensor]:
    """Input and target of one shape: a silent broadcast of (n, 1) against (n,) has ruined many a training."""
    x, y = asarray(input), asarray(target)
    if x.shape != y.shape:
        raise ShapeError(
            f"{name} needs predictions and targets of one shape, but was given {x.shape} and {y.shape}; reshape one"
        )
    return x, f.astype(y, x.dtype) if y.dtype != x.dtype else y


def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """Squared error: (x - y)²."""
    x, y = pair("mse_loss", input, target)
    return reduce(f.square(x - y), reduction)


def l1_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """Absolute error: |x - y|; its derivative at 0 is taken as 0."""
    x, y = pair("l1_loss", input, target)
    return reduce(f.abs(x - y), reduction)


def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """Half the squared error up to delta, then linear (Huber 1964)."""
    if delta <= 0:
        raise ConfigurationError(f"huber_loss needs a positive delta, but was given {delta}")
    x, y = pair("huber_loss", input, target)
    error = x - y
    size = f.abs(error)  # not for the square: the second derivative of |e|² would be 0 at e = 0
    return reduce(f.where(size < delta, 0.5 * error * error, delta * (size - 0.5 * delta)), reduction)


def smooth_l1_loss(input: Any, target: Any, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """Huber's loss divided by beta; for beta = 0 the absolute error."""
    if beta == 0:
        return l1_loss(input, target, reduction)
    return huber_loss(input, target, reduction, beta) / beta


def gaussian_nll_loss(
    input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """Negative log-likelihood of a normal distribution with mean `input` and variance `var`.

    var: of the shape of `input`, without its last axis, or broadcasting to it. A variance below eps counts as eps, but
    its gradient passes, as in PyTorch. full: with the term that is constant.
    """
    x, y = pair("gaussian_nll_loss", input, target)
    variance = asarray(var)
    if not variance.is_traced and (variance.numpy() < 0).any():
        raise ConfigurationError("gaussian_nll_loss needs variances that are not negative; feed it exp or softplus")
    if variance.shape == x.shape[:-1] != x.shape:
        variance = f.expand_dims(variance, -1)
    variance = f.broadcast_to(variance, x.shape)
    variance = variance + f.maximum(eps - no_gradient(variance), 0.0)
    losses = 0.5 * (f.log(variance) + f.square(x - y) / variance)
    return reduce(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)


def poisson_nll_loss(
    input: Any, target: Any, log_input: bool = True, full: bool = False, eps: float = 1e-8, reduction: str = "mean"
) -> Tensor:
    """Negative log-likelihood of a Poisson distribution of rate exp(input), or of rate input with log_input=False.

    full: with Stirling's approximation of the term log(y!) for targets above 1. eps keeps the logarithm of 0 finite.
    """
    x, y = pair("poisson_nll_loss", input, target)
    losses = f.exp(x) - y * x if log_input else x - y * f.log(x + eps)
    if full:
        large = f.maximum(y, 1.0)
        stirling = large * f.log(large) - large + 0.5 * f.log(2 * math.pi * large)
        losses = losses + f.where(y > 1, stirling, 0.0)
    return reduce(losses, reduction)
