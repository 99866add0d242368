"""Activations with PyTorch's names and arguments. `inplace` is taken and ignored: contents of tensors don't change."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import functions as f
from ... import random
from ...errors import ConfigurationError, ShapeError, unknown_name
from ...tensor import Tensor, asarray
from ...transforms import stop_gradient


def relu(input: Any, inplace: bool = False) -> Tensor:
    """max(x, 0)."""
    result: Tensor = f.relu(input)
    return result


def relu6(input: Any, inplace: bool = False) -> Tensor:
    """x cut to [0, 6]."""
    return hardtanh(input, 0.0, 6.0)


def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where positive, else negative_slope · x."""
    result: Tensor = f.leaky_relu(input, negative_slope)
    return result


def prelu(input: Any, weight: Any) -> Tensor:
    """x where positive, else weight · x: one slope, or one a channel (axis 1)."""
    x, slope = asarray(input), asarray(weight)
    if slope.size > 1:
        if x.ndim < 2 or x.shape[1] != slope.size:
            raise ShapeError(f"prelu with {slope.size} slopes needs as many channels (axis 1), but was given {x.shape}")
        slope = f.reshape(slope, (-1,) + (1,) * (x.ndim - 2))
    result: Tensor = f.where(x > 0, x, x * slope)
    return result


def elu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where positive, else alpha · (exp(x) - 1) (Clevert et al. 2015)."""
    result: Tensor = f.elu(input, alpha)
    return result


def selu(input: Any, inplace: bool = False) -> Tensor:
    """The self-normalising ELU (Klambauer et al. 2017)."""
    result: Tensor = f.selu(input)
    return result


def celu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """ELU with a continuous derivative for every alpha (Barron 2017)."""
    result: Tensor = f.celu(input, alpha)
    return result


def gelu(input: Any, approximate: str = "none") -> Tensor:
    """x · Φ(x) (Hendrycks and Gimpel 2016); approximate="tanh" for their approximation."""
    if approximate not in ("none", "tanh"):
        raise unknown_name("approximation of gelu", approximate, ["none", "tanh"])
    result: Tensor = f.gelu(input, approximate)
    return result


def silu(input: Any, inplace: bool = False) -> Tensor:
    """x · sigmoid(x), also called swish."""
    result: Tensor = f.silu(input)
    return result


def mish(input: Any, inplace: bool = False) -> Tensor:
    """x · tanh(softplus(x)) (Misra 2019)."""
    result: Tensor = f.mish(input)
    return result


def sigmoid(input: Any) -> Tensor:
    """1 / (1 + exp(-x))."""
    result: Tensor = f.sigmoid(input)
    return result


def logsigmoid(input: Any) -> Tensor:
    """log(sigmoid(x)), without losing small values."""
    result: Tensor = f.log_sigmoid(input)
    return result


def tanh(input: Any) -> Tensor:
    """Hyperbolic tangent."""
    result: Tensor = f.tanh(input)
    return result


def softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta x)) / beta. PyTorch turns to x beyond `threshold`; this one is exact everywhere."""
    result: Tensor = f.softplus(input, beta)
    return result


def softsign(input: Any) -> Tensor:
    """x / (1 + |x|)."""
    result: Tensor = f.softsign(input)
    return result


def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x cut to [min_val, max_val]; the gradient is 0 on and outside the ends."""
    result: Tensor = f.hardtanh(input, min_val, max_val)
    return result


def hardsigmoid(input: Any, inplace: bool = False) -> Tensor:
    """clip(x / 6 + 1/2, 0, 1)."""
    result: Tensor = f.hardsigmoid(input)
    return result


def hardswish(input: Any, inplace: bool = False) -> Tensor:
    """x · hardsigmoid(x) (Howard et al. 2019)."""
    result: Tensor = f.hardswish(input)
    return result


def hardshrink(input: Any, lambd: float = 0.5) -> Tensor:
    """x, and 0 within [-lambd, lambd]."""
    x = asarray(input)
    result: Tensor = f.where(f.abs(x) <= lambd, 0.0, x)
    return result


def softshrink(input: Any, lambd: float = 0.5) -> Tensor:
    """x moved towards 0 by lambd, and 0 within [-lambd, lambd]."""
    x = asarray(input)
    result: Tensor = f.where(x > lambd, x - lambd, f.where(x < -lambd, x + lambd, 0.0))
    return result


def tanhshrink(input: Any) -> Tensor:
    """x - tanh(x)."""
    result: Tensor = asarray(input) - f.tanh(input)
    return result


def threshold(input: Any, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where larger than the threshold, else `value`."""
    x = asarray(input)
    result: Tensor = f.where(x > threshold, x, value)
    return result


def glu(input: Any, dim: int = -1) -> Tensor:
    """a · sigmoid(b) of the two halves along `dim` (Dauphin et al. 2016)."""
    x = asarray(input)
    if x.ndim == 0 or x.shape[dim] % 2:
        raise ShapeError(f"glu halves axis {dim}, which must have an even size, but was given {x.shape}")
    left, gate = f.split(x, [x.shape[dim] // 2] * 2, dim)
    result: Tensor = left * f.sigmoid(gate)
    return result


# -- along one axis: PyTorch calls it `dim`, NumPy `axis`; both are taken


def softmax(input: Any, dim: int = -1, dtype: Any = None, axis: int | None = None) -> Tensor:
    """exp(x) over its sum along `dim`."""
    result: Tensor = f.softmax(_as(input, dtype), dim if axis is None else axis)
    return result


def log_softmax(input: Any, dim: int = -1, dtype: Any = None, axis: int | None = None) -> Tensor:
    """log(softmax(x)) along `dim`."""
    result: Tensor = f.log_softmax(_as(input, dtype), dim if axis is None else axis)
    return result


def gumbel_softmax(logits: Any, tau: float = 1.0, hard: bool = False, dim: int = -1, generator: Any = None) -> Tensor:
    """Softmax of (logits + Gumbel noise) / tau: nearly a draw from the classes, differentiable (Jang et al. 2017).

    hard: exactly one class, 1 against 0, with the gradient of the soft one.
    """
    if tau <= 0:
        raise ConfigurationError(f"gumbel_softmax: tau is above 0, but is {tau}")
    x = asarray(logits)
    soft = f.softmax((x + random.gumbel(x.shape, dtype=x.dtype, generator=generator)) / tau, axis=dim)
    if not hard:
        return soft  # type: ignore[no-any-return]
    chosen = f.argmax(soft, axis=dim, keepdims=True)
    place = dim % x.ndim
    classes = np.arange(x.shape[place]).reshape(-1, *(1,) * (x.ndim - place - 1))
    result: Tensor = f.where(chosen == classes, 1.0, 0.0) + (soft - stop_gradient(soft))  # in this order exactly 0 or 1
    return result


def softmin(input: Any, dim: int = -1, dtype: Any = None, axis: int | None = None) -> Tensor:
    """softmax(-x) along `dim`."""
    return softmax(f.negative(_as(input, dtype)), dim, axis=axis)


def _as(input: Any, dtype: Any) -> Any:
    return input if dtype is None else f.astype(input, dtype)


def rrelu(
    input: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """Leaky ReLU with a slope drawn for each element in training, the middle one in evaluation (Xu et al. 2015)."""
    x = asarray(input)
    slope: Any = (lower + upper) / 2
    if training:
        slope = random.uniform(x.shape, lower, upper, x.dtype)
    result: Tensor = f.where(x >= 0, x, x * slope)
    return result
