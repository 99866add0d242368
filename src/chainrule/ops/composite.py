"""Activations and normalisations made of primitives: calls only, no rules of their own. On Values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import ConfigurationError, DtypeError
from ..ir.build import constant, splat
from ..ir.graph import Value
from ..ir.types import as_dtype, as_integer, float32, normalize_axis
from . import elementwise as ew
from . import reduction
from .arrays import expand_dims, mean, sum
from .arrays import max as largest
from .operators import apply, common, floating, lift
from .operators import astype as cast_to
from .operators import where as choose


def square(x: Any) -> Value:
    """x times x."""
    value = lift(x)
    return value * value


def astype(x: Any, dtype: Any, copy: bool = True, device: Any = None) -> Value:
    """The same numbers in another element type. Values never change: none is copied that has the type."""
    require_processor(device)
    return cast_to(x, dtype)


def require_processor(device: Any) -> None:
    """A ConfigurationError unless the device is the processor, which is the only one there is."""
    if device not in (None, "cpu"):
        raise ConfigurationError(f'the device is "cpu", the processor, not {device!r}')


def signbit(x: Any) -> Value:
    """Whether the sign is negative, of -0.0 and NaN too."""
    value = lift(x)
    if not value.type.is_float:
        return value < 0
    result: Value = ew.less(ew.copysign(splat(1, value.type), value), splat(0, value.type))
    return result


def reciprocal(x: Any) -> Value:
    """1 / x."""
    return 1 / floating(x)


def rsqrt(x: Any) -> Value:
    """1 / sqrt(x)."""
    return 1 / apply(ew.sqrt, floating(x))


def clip(x: Any, min: Any = None, max: Any = None) -> Value:
    """x limited to [min, max]; inside and on the limits the gradient passes, outside it goes to the limit."""
    value = lift(x)
    value = value if min is None else choose(value < min, min, value)
    return value if max is None else choose(value > max, max, value)


def softplus(x: Any, beta: float = 1.0) -> Value:
    """log(1 + exp(beta x)) / beta, without overflow."""
    value = floating(x)
    result: Value = ew.logaddexp(value * beta, splat(0, value.type)) / beta
    return result


def log_sigmoid(x: Any) -> Value:
    """log(sigmoid(x)), without losing small values."""
    return -softplus(-floating(x))


def leaky_relu(x: Any, negative_slope: float = 0.01) -> Value:
    """x where positive, else negative_slope · x."""
    value = floating(x)
    return choose(value > 0, value, value * negative_slope)


def elu(x: Any, alpha: float = 1.0) -> Value:
    """x where positive, else alpha · (exp(x) - 1) (Clevert et al. 2015)."""
    value = floating(x)
    # exp of the positive part is not wanted and may overflow: it is computed at 0 instead
    return choose(value > 0, value, alpha * ew.expm1(choose(value > 0, 0, value)))


def selu(x: Any) -> Value:
    """The self-normalising ELU (Klambauer et al. 2017)."""
    return 1.0507009873554805 * elu(x, 1.6732632423543772)


def celu(x: Any, alpha: float = 1.0) -> Value:
    """ELU with a continuous derivative for every alpha (Barron 2017)."""
    return alpha * elu(floating(x) / alpha)


def gelu(x: Any, approximate: str = "none") -> Value:
    """x · Φ(x) (Hendrycks and Gimpel 2016); approximate="tanh" for their approximation."""
    value = floating(x)
    if approximate not in ("none", "tanh"):
        raise ConfigurationError(f'gelu: approximate is "none" or "tanh", but was given as {approximate!r}')
    if approximate == "tanh":
        inner = math.sqrt(2 / math.pi) * (value + 0.044715 * value**3)
        result: Value = 0.5 * value * (1 + ew.tanh(inner))
        return result
    exact: Value = ew.gelu(value)
    return exact


def silu(x: Any) -> Value:
    """x · sigmoid(x), also called swish."""
    value = floating(x)
    result: Value = value * ew.sigmoid(value)
    return result


def mish(x: Any) -> Value:
    """x · tanh(softplus(x)) (Misra 2019)."""
    value = floating(x)
    result: Value = value * ew.tanh(softplus(value))
    return result


def hardtanh(x: Any, min_val: float = -1.0, max_val: float = 1.0) -> Value:
    """x cut at both ends; the gradient is 0 on and outside the ends, as in PyTorch."""
    value = floating(x)
    inside = ew.bitwise_and(value > min_val, value < max_val)
    return choose(inside, value, ew.stop_gradient(clip(value, min_val, max_val)))


def hardsigmoid(x: Any) -> Value:
    """clip(x / 6 + 1/2, 0, 1); the gradient is 0 at and beyond the corners."""
    return hardtanh(floating(x) / 6 + 0.5, 0.0, 1.0)


def hardswish(x: Any) -> Value:
    """x · hardsigmoid(x) (Howard et al. 2019)."""
    value = floating(x)
    return value * hardsigmoid(value)


def softsign(x: Any) -> Value:
    """x / (1 + |x|)."""
    value = floating(x)
    return value / (1 + abs(value))


def softmax(x: Any, axis: int = -1) -> Value:
    """exp(x) over its sum along `axis`, without overflow."""
    value = floating(x)
    result: Value = reduction.softmax(value, axis=normalize_axis(as_integer(axis, "an axis"), value.ndim))
    return result


def log_softmax(x: Any, axis: int = -1) -> Value:
    """log(softmax(x)) without overflow or loss of small probabilities."""
    value = floating(x)
    if not value.size:
        return value
    shifted = value - ew.stop_gradient(
        largest(value, axis, keepdims=True)
    )  # first: x - logsumexp(x) would lose its digits
    result: Value = shifted - ew.log(sum(ew.exp(shifted), axis, keepdims=True))
    return result


def normalize(x: Any, axis: int | tuple[int, ...], epsilon: float) -> Value:
    """x minus its mean over its standard deviation along `axis`: sqrt(var + epsilon) is the divisor."""
    value = floating(x)
    centred = value - mean(value, axis, keepdims=True)
    return centred * rsqrt(mean(centred * centred, axis, keepdims=True) + epsilon)


def one_hot(indices: Any, num_classes: int, dtype: Any = float32) -> Value:
    """A new last axis with a one at each index and zeros elsewhere; an index outside 0..num_classes-1 gives zeros."""
    places = lift(indices)
    if places.dtype.kind not in "iu":
        raise DtypeError(f"one_hot needs integer indices, but was given {places.type}")
    classes = constant(np.arange(as_integer(num_classes, "the number of classes")))
    return cast_to(ew.equal(*common(cast_to(expand_dims(places, -1), classes.dtype), classes)), as_dtype(dtype))


def logical_not(x: Any) -> Value:
    """Not x, as bools."""
    result: Value = ew.bitwise_invert(cast_to(x, np.bool_))
    return result


def logical(primitive: Any) -> Any:
    """A function of two operands taken as bools."""

    def function(x: Any, y: Any) -> Value:
        result: Value = primitive(*common(cast_to(x, np.bool_), cast_to(y, np.bool_)))
        return result

    return function
