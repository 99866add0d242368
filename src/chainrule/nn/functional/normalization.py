"""Normalisation as functions: statistics of the batch, the example, the group, the channel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ... import functions as f
from ...errors import ShapeError
from ...ir.limits import finfo
from ...tensor import Tensor, asarray, no_gradient


def batch_norm(
    input: Any,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: Any = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Batch normalisation (Ioffe and Szegedy 2015) of (batch, channels, ...), each channel over batch and space.

    In training the statistics are the batch's, and the running ones move towards them by `momentum` (with the unbiased
    variance, as in PyTorch).
    """
    x = _with_channels("batch norm", input)
    axes = (0, *range(2, x.ndim))
    column = (1, -1) + (1,) * (x.ndim - 2)
    if not training and running_mean is not None and running_var is not None:
        centred, variance = x - f.reshape(running_mean, column), f.reshape(running_var, column)
    else:
        count = math.prod(x.shape[axis] for axis in axes)
        if training and count == 1:
            raise ShapeError(
                f"batch norm needs more than one value a channel in training, but was given {x.shape}; "
                "where that is what is left for the last batch, choose another batch size"
            )
        mean = f.mean(x, axes, keepdims=True)
        centred = x - mean
        variance = f.mean(f.square(centred), axes, keepdims=True)
        if training:
            _follow(running_mean, mean, momentum)
            _follow(running_var, variance * (count / max(count - 1, 1)), momentum)
    scale = f.rsqrt(variance + eps)
    scale = scale if weight is None else scale * f.reshape(weight, column)
    result: Tensor = centred * scale
    return result if bias is None else result + f.reshape(bias, column)


def _with_channels(name: str, input: Any) -> Tensor:
    x = asarray(input)
    if x.ndim < 2:
        raise ShapeError(f"{name} takes (batch, channels, ...), but was given {x.shape}")
    return x


def _follow(running: Tensor | None, newest: Tensor, momentum: Any) -> None:
    """running = (1 - momentum) running + momentum · newest."""
    if running is not None:
        newest = f.astype(f.reshape(no_gradient(newest), running.shape), running.dtype)
        running.assign(running * (1 - momentum) + newest * momentum)


def instance_norm(
    input: Any,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: Any = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Instance normalisation (Ulyanov et al. 2016) of (batch, channels, ...): each channel of each example over space.

    With use_input_stats the running statistics move towards the mean over the batch of what was found.
    """
    x = _with_channels("instance norm", input)
    axes = tuple(range(2, x.ndim))
    if not use_input_stats:
        return batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    count = math.prod(x.shape[2:])
    if count <= 1:
        raise ShapeError(f"instance norm needs more than one value a channel of an example, but was given {x.shape}")
    centred, variance = _centred(x, axes)
    _follow(running_mean, f.mean(x, (0, *axes)), momentum)
    _follow(running_var, f.mean(variance, (0, *axes)) * (count / (count - 1)), momentum)
    return _affine(centred * f.rsqrt(variance + eps), *_columns(x, weight, bias))


def _centred(x: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """x minus its mean, and its variance."""
    centred = x - f.mean(x, axes, keepdims=True)
    return centred, f.mean(f.square(centred), axes, keepdims=True)


def _affine(x: Tensor, weight: Any, bias: Any) -> Tensor:
    scaled = x if weight is None else x * weight
    return scaled if bias is None else scaled + bias


def _columns(x: Tensor, *parameters: Any) -> list[Any]:
    """Parameters of one number a channel, so that they broadcast."""
    column = (-1,) + (1,) * (x.ndim - 2)
    return [None if each is None else f.reshape(each, column) for each in parameters]


def layer_norm(
    input: Any, normalized_shape: Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    """Layer normalisation (Ba et al. 2016) over the last axes, which have the sizes `normalized_shape`."""
    x, axes = _last_axes("layer norm", input, normalized_shape)
    centred, variance = _centred(x, axes)
    return _affine(centred * f.rsqrt(variance + eps), weight, bias)


def rms_norm(input: Any, normalized_shape: Sequence[int], weight: Any = None, eps: float | None = None) -> Tensor:
    """x over its root mean square over the last axes (Zhang and Sennrich 2019); eps None: that of the type."""
    x, axes = _last_axes("rms norm", input, normalized_shape)
    floor = finfo(x.dtype).eps if eps is None else eps
    return _affine(x * f.rsqrt(f.mean(f.square(x), axes, keepdims=True) + floor), weight, None)


def _last_axes(name: str, input: Any, normalized_shape: Sequence[int]) -> tuple[Tensor, tuple[int, ...]]:
    x, sizes = asarray(input), tuple(normalized_shape)
    if not sizes or x.shape[-len(sizes) :] != sizes:
        raise ShapeError(f"{name} over {sizes} needs an input that ends in these sizes, but was given {x.shape}")
    return x, tuple(range(x.ndim - len(sizes), x.ndim))


def group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    """Group normalisation (Wu and He 2018): each group of channels of each example over channels and space."""
    x = _with_channels("group norm", input)
    if num_groups < 1 or x.shape[1] % num_groups:
        raise ShapeError(f"group norm needs channels that divide into {num_groups} groups, but was given {x.shape}")
    if not x.size:
        return x
    centred, variance = _centred(f.reshape(x, (x.shape[0], num_groups, -1)), (2,))
    standard = f.reshape(centred * f.rsqrt(variance + eps), x.shape)
    return _affine(standard, *_columns(x, weight, bias))


def local_response_norm(input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """x / (k + alpha · mean of the squares of `size` neighbouring channels)^beta (Krizhevsky et al. 2012)."""
    x = asarray(input)
    if x.ndim < 3:
        raise ShapeError(f"local_response_norm needs (batch, channels, ...), but was given {x.shape}")
    squares = f.pad(f.square(x), [(0, 0), (size // 2, (size - 1) // 2), *[(0, 0)] * (x.ndim - 2)])
    total = squares[:, : x.shape[1]]
    for shift in range(1, size):
        total = total + squares[:, shift : shift + x.shape[1]]
    result: Tensor = x / (total * (alpha / size) + k) ** beta
    return result
