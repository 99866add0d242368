"""Layers and losses as functions, with PyTorch's names and arguments (`dim` for axes)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import functions as f
from .. import random
from ..errors import ConfigurationError, ShapeError
from ..functions import (
    celu,
    elu,
    gelu,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    mish,
    relu,
    selu,
    sigmoid,
    silu,
    softplus,
    softsign,
    tanh,
)
from ..functions import log_sigmoid as logsigmoid
from ..tensor import Tensor, asarray, no_gradient
from .losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cosine_similarity,
    cross_entropy,
    gaussian_nll_loss,
    hinge_embedding_loss,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    nll_loss,
    poisson_nll_loss,
    smooth_l1_loss,
    soft_margin_loss,
)
from .spatial import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    avg_pool1d,
    avg_pool2d,
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    max_pool1d,
    max_pool2d,
)

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "avg_pool1d",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "cosine_similarity",
    "cross_entropy",
    "dropout",
    "elu",
    "embedding",
    "gaussian_nll_loss",
    "gelu",
    "group_norm",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hinge_embedding_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsigmoid",
    "max_pool1d",
    "max_pool2d",
    "mish",
    "mse_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pad",
    "poisson_nll_loss",
    "relu",
    "scaled_dot_product_attention",
    "selu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "soft_margin_loss",
    "softmax",
    "softplus",
    "softsign",
    "tanh",
]


def linear(input: Any, weight: Any, bias: Any = None) -> Tensor:
    """x Wᵀ + b: (..., in) with weight (out, in) to (..., out)."""
    product: Tensor = f.matmul(input, f.matrix_transpose(weight))
    return product if bias is None else product + bias


def softmax(input: Any, dim: int = -1) -> Tensor:
    """exp(x) over its sum along `dim`."""
    result: Tensor = f.softmax(input, dim)
    return result


def log_softmax(input: Any, dim: int = -1) -> Tensor:
    """log(softmax(x)) along `dim`."""
    result: Tensor = f.log_softmax(input, dim)
    return result


def one_hot(tensor: Any, num_classes: int = -1) -> Tensor:
    """Ones at the indices along a new last axis, int64; num_classes -1 means the largest index plus one."""
    indices = asarray(tensor)
    classes = int(indices.numpy().max()) + 1 if num_classes == -1 else num_classes
    result: Tensor = f.one_hot(indices, classes, "int64")
    return result


def normalize(input: Any, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """Vectors along `dim` divided by their p-norm, or by eps if that is larger."""
    x = asarray(input)
    total = f.sum(f.square(x) if p == 2 else f.abs(x) ** p, dim, keepdims=True)
    norm = f.sqrt(total) if p == 2 else total ** (1 / p)
    result: Tensor = x / f.maximum(norm, eps)
    return result


def pad(input: Any, pad: Sequence[int], mode: str = "constant", value: float = 0.0) -> Tensor:
    """PyTorch's padding: pairs (before, after), from the last axis backwards."""
    if mode != "constant":
        raise ConfigurationError(f"pad supports mode='constant', not {mode!r}")
    x = asarray(input)
    if len(pad) % 2 or len(pad) // 2 > x.ndim:
        raise ShapeError(f"pad takes pairs (before, after) for at most {x.ndim} axes, but was given {tuple(pad)}")
    pairs = [(0, 0)] * (x.ndim - len(pad) // 2) + list(zip(pad[::2], pad[1::2]))[::-1]
    result: Tensor = f.pad(x, pairs, value)
    return result


def embedding(input: Any, weight: Any, padding_idx: int | None = None) -> Tensor:
    """Rows of `weight` at the indices; the row padding_idx gets no gradient."""
    rows = asarray(weight)
    picked: Tensor = f.take(rows, input, 0)
    if padding_idx is None:
        return picked
    index = padding_idx % rows.shape[0]
    mask = f.expand_dims(f.equal(input, index), -1)
    return f.where(mask, no_gradient(picked), picked)  # type: ignore[no-any-return]


def dropout(input: Any, p: float = 0.5, training: bool = True, generator: Any = None) -> Tensor:
    """Each element zero with probability p, the others divided by 1 - p (Srivastava et al. 2014); in training only."""
    if not 0 <= p <= 1:
        raise ConfigurationError(f"dropout takes a probability from 0 to 1, but was given p={p}")
    x = asarray(input)
    if not training or p == 0:
        return x
    if p == 1:
        return x * 0.0
    return masked(x, random.keep_mask(p, x.shape, generator), p)


def masked(x: Tensor, keep: Tensor, p: float) -> Tensor:
    """x / (1 - p) where kept, else 0."""
    result: Tensor = f.where(keep, x * (1 / (1 - p)), 0.0)
    return result


# -- normalisation


def batch_norm(
    input: Any,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Batch normalisation (Ioffe and Szegedy 2015) of (batch, channels, ...), each channel over batch and space.

    In training the statistics are the batch's, and the running ones move towards them by `momentum` (with the unbiased
    variance, as in PyTorch).
    """
    x = asarray(input)
    axes = (0, *range(2, x.ndim))
    column = (1, -1) + (1,) * (x.ndim - 2)
    if training or running_mean is None or running_var is None:
        count = math.prod(x.shape[axis] for axis in axes)
        if training and count == 1:
            raise ShapeError(f"batch norm needs more than one value a channel in training, but was given {x.shape}")
        mean = f.mean(x, axes, keepdims=True)
        centred = x - mean
        variance = f.mean(f.square(centred), axes, keepdims=True)
        if training:
            _follow(running_mean, mean, momentum, 1.0)
            _follow(running_var, variance, momentum, count / max(count - 1, 1))
    else:
        centred, variance = x - f.reshape(running_mean, column), f.reshape(running_var, column)
    scale = f.rsqrt(variance + eps)
    scale = scale if weight is None else scale * f.reshape(weight, column)
    result: Tensor = centred * scale
    return result if bias is None else result + f.reshape(bias, column)


def _follow(running: Tensor | None, batch: Tensor, momentum: float, factor: float) -> None:
    """running = (1 - momentum) running + momentum · batch."""
    if running is not None:
        newest = f.reshape(no_gradient(batch), running.shape) * factor
        running.assign(running * (1 - momentum) + newest * momentum)


def _affine(x: Tensor, weight: Any, bias: Any) -> Tensor:
    scaled = x if weight is None else x * weight
    return scaled if bias is None else scaled + bias


def _standardized(x: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
    centred = x - f.mean(x, axes, keepdims=True)
    result: Tensor = centred * f.rsqrt(f.mean(f.square(centred), axes, keepdims=True) + eps)
    return result


def layer_norm(
    input: Any, normalized_shape: Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    """Layer normalisation (Ba et al. 2016) over the last axes, which have the sizes `normalized_shape`."""
    x, sizes = asarray(input), tuple(normalized_shape)
    if x.shape[x.ndim - len(sizes) :] != sizes:
        raise ShapeError(f"layer norm over {sizes} needs an input that ends in these sizes, but was given {x.shape}")
    return _affine(_standardized(x, tuple(range(x.ndim - len(sizes), x.ndim)), eps), weight, bias)


def group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    """Group normalisation (Wu and He 2018): each group of channels of each example over channels and space."""
    x = asarray(input)
    if x.ndim < 2 or x.shape[1] % num_groups:
        raise ShapeError(f"group norm needs channels that divide into {num_groups} groups, but was given {x.shape}")
    grouped = f.reshape(x, (x.shape[0], num_groups, -1)) if x.size else x
    same = f.reshape(_standardized(grouped, (2,), eps), x.shape) if x.size else x
    column = (-1,) + (1,) * (x.ndim - 2)
    return _affine(same, *(None if each is None else f.reshape(each, column) for each in (weight, bias)))


# -- attention


def scaled_dot_product_attention(
    query: Any, key: Any, value: Any, attn_mask: Any = None, is_causal: bool = False, scale: float | None = None
) -> Tensor:
    """softmax(Q Kᵀ / √width + mask) V (Vaswani et al. 2017): (..., queries, width), (..., keys, width) twice.

    attn_mask: bools (true takes part) or numbers that are added; is_causal: a query sees no later key.
    """
    q, k = asarray(query), asarray(key)
    scores = f.matmul(q, f.matrix_transpose(k)) * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    if is_causal:
        attn_mask = f.tril(f.ones(scores.shape[-2:], "bool"))
    if attn_mask is not None:
        mask = asarray(attn_mask)
        scores = f.where(mask, scores, -math.inf) if mask.dtype.kind == "b" else scores + mask
    result: Tensor = f.matmul(f.softmax(scores, -1), value)
    return result
