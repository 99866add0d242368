"""Activations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .... import functions as fn
from ....nn import functional as F
from ..call import Call, dtype_of, operator, shape_of


@operator("Relu")
def _relu(call: Call, x: Any) -> Any:
    return fn.relu(x) if dtype_of(x).kind == "f" else fn.maximum(x, fn.zeros_like(x))


@operator("Elu")
def _elu(call: Call, x: Any) -> Any:
    return F.elu(x, call.get("alpha", 1.0))


@operator("Celu")
def _celu(call: Call, x: Any) -> Any:
    return F.celu(x, call.get("alpha", 1.0))


@operator("Selu")
def _selu(call: Call, x: Any) -> Any:
    alpha, gamma = call.get("alpha", 1.6732632423543772), call.get("gamma", 1.0507009873554805)
    return gamma * fn.where(x > 0, x, alpha * fn.expm1(fn.minimum(x, fn.zeros_like(x))))


@operator("LeakyRelu")
def _leaky_relu(call: Call, x: Any) -> Any:
    return F.leaky_relu(x, call.get("alpha", 0.01))


@operator("PRelu")
def _prelu(call: Call, x: Any, slope: Any) -> Any:
    if call.opset < 7 and len(shape_of(slope)) == 1 and len(shape_of(x)) > 2:
        slope = fn.reshape(slope, (-1, *(1,) * (len(shape_of(x)) - 2)))
    return fn.where(x > 0, x, x * slope)


@operator("ThresholdedRelu")
def _thresholded_relu(call: Call, x: Any) -> Any:
    return fn.where(x > call.get("alpha", 1.0), x, fn.zeros_like(x))


@operator("Shrink")
def _shrink(call: Call, x: Any) -> Any:
    edge, bias = call.get("lambd", 0.5), call.get("bias", 0.0)
    return fn.where(x < -edge, x + bias, fn.where(x > edge, x - bias, fn.zeros_like(x)))


@operator("HardSigmoid")
def _hard_sigmoid(call: Call, x: Any) -> Any:
    return fn.clip(call.get("alpha", 0.2) * x + call.get("beta", 0.5), 0.0, 1.0)


@operator("HardSwish")
def _hard_swish(call: Call, x: Any) -> Any:
    return x * fn.clip(x / 6 + 0.5, 0.0, 1.0)


@operator("Softplus")
def _softplus(call: Call, x: Any) -> Any:
    return F.softplus(x)


@operator("Softsign")
def _softsign(call: Call, x: Any) -> Any:
    return F.softsign(x)


@operator("Mish")
def _mish(call: Call, x: Any) -> Any:
    return F.mish(x)


@operator("Gelu")
def _gelu(call: Call, x: Any) -> Any:
    return F.gelu(x, call.text("approximate", "none"))


@operator("Swish")
def _swish(call: Call, x: Any) -> Any:
    return x * fn.sigmoid(call.get("alpha", 1.0) * x)


@operator("Clip")
def _clip(call: Call, x: Any, low: Any = None, high: Any = None) -> Any:
    low = call.get("min") if low is None else low
    high = call.get("max") if high is None else high
    for bound, function in ((low, fn.maximum), (high, fn.minimum)):
        x = x if bound is None else function(x, fn.astype(fn.asarray(bound), dtype_of(x)))
    return x


def _over_rest(call: Call, x: Any, function: Any) -> Any:
    """Before version 13 all axes from `axis` on count as one."""
    shape = shape_of(x)
    if call.opset >= 13:
        return function(x, call.get("axis", -1))
    axis = call.get("axis", 1) % max(len(shape), 1)
    flat = fn.reshape(x, (math.prod(shape[:axis]), math.prod(shape[axis:])))
    return fn.reshape(function(flat, 1), shape)


@operator("Softmax")
def _softmax(call: Call, x: Any) -> Any:
    return _over_rest(call, x, lambda x, axis: fn.softmax(x, axis))


@operator("LogSoftmax")
def _log_softmax(call: Call, x: Any) -> Any:
    return _over_rest(call, x, lambda x, axis: fn.log_softmax(x, axis))


@operator("Hardmax")
def _hardmax(call: Call, x: Any) -> Any:
    def largest(x: Any, axis: int) -> Any:
        chosen = fn.one_hot(fn.argmax(x, axis=axis), shape_of(x)[axis], dtype_of(x))
        return fn.moveaxis(chosen, -1, axis)

    return _over_rest(call, x, largest)


@operator("Affine")
def _affine(call: Call, x: Any) -> Any:
    return call.get("alpha", 1.0) * x + call.get("beta", 0.0)


@operator("ScaledTanh")
def _scaled_tanh(call: Call, x: Any) -> Any:
    return call.get("alpha", 1.0) * fn.tanh(call.get("beta", 1.0) * x)


@operator("Dropout")
def _dropout(call: Call, x: Any, ratio: Any = None, training: Any = None) -> Any:
    share = float(np.asarray(ratio if ratio is not None else call.get("ratio", 0.5)))
    wanted = call.training or (training is not None and bool(np.asarray(training)))
    mask = fn.ones_like(x, np.bool_ if call.opset >= 10 else dtype_of(x))
    if wanted and share > 0:
        return F.dropout(x, share), mask
    return x, mask
