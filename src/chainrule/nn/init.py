"""Initialisers, with PyTorch's names and distributions. They fill a parameter in place and give it back.

Random numbers come from `generator`, or the default generator of `cr.random`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import random
from ..errors import ConfigurationError, ShapeError, unknown_name
from ..ir.types import NumpyArray, as_dtype, float32
from ..tensor import Parameter, Tensor

GAINS = {"linear": 1.0, "identity": 1.0, "sigmoid": 1.0, "tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 0.75}
GAINS |= {f"{kind}{rank}d": 1.0 for kind in ("conv", "conv_transpose") for rank in (1, 2, 3)}


def empty(shape: Sequence[int], dtype: Any = None) -> Parameter:
    """A parameter of zeros, to be filled. Raises ConfigurationError where a size is no whole number, or negative."""
    for size in shape:
        if not isinstance(size, int | np.integer) or size < 0:
            raise ConfigurationError(f"the sizes of a layer are whole numbers from 0, but was given {size!r}")
    return Parameter(np.zeros(tuple(shape), as_dtype(dtype or float32)))


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which weights before an activation are scaled; `param` is the slope of leaky_relu."""
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in GAINS:
        raise unknown_name("nonlinearity", nonlinearity, [*GAINS, "leaky_relu"])
    return GAINS[nonlinearity]


def fans(tensor: Tensor) -> tuple[int, int]:
    """(fan in, fan out): inputs of each output unit, outputs of each input unit, times the kernel's size."""
    if tensor.ndim < 2:
        raise ShapeError(f"fan in and fan out need a weight of at least two axes, but this one is {tensor.shape}")
    kernel = math.prod(tensor.shape[2:])
    return tensor.shape[1] * kernel, tensor.shape[0] * kernel


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Tensor:
    """Uniform in [a, b)."""
    return tensor.assign(random.uniform(tensor.shape, a, b, tensor.dtype, generator))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Tensor:
    """Normal."""
    return tensor.assign(random.normal(tensor.shape, mean, std, tensor.dtype, generator))


def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Any = None
) -> Tensor:
    """Normal, cut to [a, b]."""
    return tensor.assign(random.truncated_normal(tensor.shape, mean, std, a, b, tensor.dtype, generator))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """One number everywhere."""
    return tensor.assign(np.full(tensor.shape, val, tensor.dtype))


def zeros_(tensor: Tensor) -> Tensor:
    """Zeros."""
    return constant_(tensor, 0)


def ones_(tensor: Tensor) -> Tensor:
    """Ones."""
    return constant_(tensor, 1)


def eye_(tensor: Tensor) -> Tensor:
    """Ones on the diagonal of a matrix, zeros elsewhere."""
    if tensor.ndim != 2:
        raise ShapeError(f"eye_ fills a matrix, but this tensor is {tensor.shape}")
    return tensor.assign(np.eye(*tensor.shape, dtype=tensor.dtype))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """A convolution that passes channels on unchanged (Zagoruyko and Komodakis 2017)."""
    if tensor.ndim < 3 or tensor.shape[0] % groups:
        raise ShapeError(
            f"dirac_ fills a convolution's weight whose first axis groups={groups} divides, not {tensor.shape}"
        )
    filled = np.zeros(tensor.shape, tensor.dtype)
    centre = tuple(size // 2 for size in tensor.shape[2:])
    out_channels = tensor.shape[0] // groups
    for group in range(groups):
        for channel in range(min(out_channels, tensor.shape[1])):
            filled[(group * out_channels + channel, channel, *centre)] = 1
    return tensor.assign(filled)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Uniform within ±gain · √(6 / (fan in + fan out)) (Glorot and Bengio 2010)."""
    bound = math.sqrt(3.0) * _xavier_std(tensor, gain)
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Normal with standard deviation gain · √(2 / (fan in + fan out)) (Glorot and Bengio 2010)."""
    return normal_(tensor, 0.0, _xavier_std(tensor, gain), generator)


def _xavier_std(tensor: Tensor, gain: float) -> float:
    total = sum(fans(tensor))
    return gain * math.sqrt(2.0 / total) if total else 0.0


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise unknown_name("mode", mode, ["fan_in", "fan_out"])
    fan = fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan) if fan else 0.0


def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Tensor:
    """Uniform within ±gain · √(3 / fan) (He et al. 2015)."""
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Tensor:
    """Normal with standard deviation gain / √fan (He et al. 2015)."""
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Rows (or columns) orthogonal to each other (Saxe et al. 2013)."""
    if tensor.ndim < 2:
        raise ShapeError(f"orthogonal_ fills a tensor of at least two axes, but this one is {tensor.shape}")
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    drawn = random.normal((max(rows, columns), min(rows, columns)), dtype=np.float64, generator=generator).numpy()
    q, r = np.linalg.qr(drawn)
    q = q * np.sign(np.diag(r))  # makes the distribution uniform
    filled: NumpyArray = gain * (q if rows >= columns else q.T)
    return tensor.assign(filled.reshape(tensor.shape).astype(tensor.dtype))


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Any = None) -> Tensor:
    """Normal, with a share `sparsity` of each column zero (Martens 2010)."""
    if tensor.ndim != 2:
        raise ShapeError(f"sparse_ fills a matrix, but this tensor is {tensor.shape}")
    filled = np.array(random.normal(tensor.shape, 0.0, std, tensor.dtype, generator).numpy())
    for column in range(tensor.shape[1]):
        chosen = random.permutation(tensor.shape[0], generator).numpy()[: math.ceil(sparsity * tensor.shape[0])]
        filled[chosen, column] = 0
    return tensor.assign(filled)
