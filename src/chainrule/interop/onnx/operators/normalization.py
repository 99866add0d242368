"""Normalisation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .... import functions as fn
from ....nn import functional as F
from ....tensor import Tensor
from ..call import Call, dtype_of, operator, shape_of


def _by_channel(array: Any, x: Any) -> Any:
    return fn.reshape(fn.asarray(array), (-1, *(1,) * (len(shape_of(x)) - 2)))


def _normal(x: Any, mean: Any, variance: Any, eps: float) -> Any:
    return (x - mean) / fn.sqrt(variance + eps)


@operator("BatchNormalization")
def _batch_norm(call: Call, x: Any, scale: Any, bias: Any, mean: Any, variance: Any) -> Any:
    eps, momentum = call.get("epsilon", 1e-5), call.get("momentum", 0.9)
    if call.get("training_mode", 0):
        return _batch_norm_and_statistics(x, scale, bias, mean, variance, eps, momentum)
    if call.training and isinstance(mean, Tensor) and isinstance(variance, Tensor):
        return F.batch_norm(fn.asarray(x), mean, variance, scale, bias, True, 1 - momentum, eps)
    normal = _normal(x, _by_channel(mean, x), _by_channel(variance, x), eps)
    return _by_channel(scale, x) * normal + _by_channel(bias, x)


def _batch_norm_and_statistics(
    x: Any, scale: Any, bias: Any, mean: Any, variance: Any, eps: float, momentum: float
) -> list[Any]:
    axes = (0, *range(2, len(shape_of(x))))
    here, spread = fn.mean(x, axis=axes), fn.var(x, axis=axes)
    normal = _normal(x, _by_channel(here, x), _by_channel(spread, x), eps)
    y = _by_channel(scale, x) * normal + _by_channel(bias, x)
    return [y, mean * momentum + here * (1 - momentum), variance * momentum + spread * (1 - momentum)]


@operator("InstanceNormalization")
def _instance_norm(call: Call, x: Any, scale: Any, bias: Any) -> Any:
    axes = tuple(range(2, len(shape_of(x))))
    mean, spread = fn.mean(x, axis=axes, keepdims=True), fn.var(x, axis=axes, keepdims=True)
    return _by_channel(scale, x) * _normal(x, mean, spread, call.get("epsilon", 1e-5)) + _by_channel(bias, x)


@operator("LayerNormalization")
def _layer_norm(call: Call, x: Any, scale: Any, bias: Any = None) -> Any:
    rank = len(shape_of(x))
    axes = tuple(range(call.get("axis", -1) % rank, rank))
    mean, spread = fn.mean(x, axis=axes, keepdims=True), fn.var(x, axis=axes, keepdims=True)
    inverse = 1 / fn.sqrt(spread + call.get("epsilon", 1e-5))
    y = (x - mean) * inverse * scale
    return [y if bias is None else y + bias, mean, inverse][: max(call.outputs, 1)]


@operator("LpNormalization")
def _lp_norm(call: Call, x: Any) -> Any:
    axis, p = call.get("axis", -1), call.get("p", 2)
    size = fn.abs(x) if p == 1 else x * x
    total = fn.sum(size, axis=axis, keepdims=True)
    length = total if p == 1 else fn.sqrt(total)
    return fn.where(length == 0, fn.zeros_like(x), x / fn.where(length == 0, fn.ones_like(length), length))


@operator("LRN")
def _local_response_norm(call: Call, x: Any) -> Any:
    size, beta = call.get("size"), call.get("beta", 0.75)
    before, after = math.floor((size - 1) / 2), math.ceil((size - 1) / 2)
    squares = fn.pad(x * x, [(0, 0), (before, after), *[(0, 0)] * (len(shape_of(x)) - 2)])
    channels = shape_of(x)[1]
    total = squares[:, 0:channels]
    for place in range(1, size):
        total = total + squares[:, place : place + channels]
    scale = call.get("bias", 1.0) + call.get("alpha", 1e-4) / size * total
    return x / fn.pow(scale, np.asarray(beta, dtype_of(x)))
