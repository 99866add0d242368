"""Dropout as functions. `inplace` is taken and ignored: contents of tensors don't change."""

from __future__ import annotations

import math
from typing import Any

from ... import functions as f
from ... import random
from ...errors import ConfigurationError, ShapeError
from ...tensor import Tensor, asarray


def check_probability(name: str, p: float) -> float:
    """p, if it is a probability."""
    if not 0 <= p <= 1:
        raise ConfigurationError(f"{name} takes a probability from 0 to 1, but was given p={p}")
    return p


def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False, generator: Any = None) -> Tensor:
    """Each element zero with probability p, the others divided by 1 - p (Srivastava et al. 2014); in training only."""
    x = asarray(input)
    return _dropped("dropout", x, p, training, x.shape, generator)


def _dropped(name: str, x: Tensor, p: float, training: bool, units: tuple[int, ...], generator: Any) -> Tensor:
    """units: what is kept or dropped as one; a shape that broadcasts to that of x."""
    check_probability(name, p)
    if not training or p == 0:
        return x
    if p == 1:
        return x * 0.0
    return dropped(x, p, f.broadcast_to(random.keep_mask(p, units, generator), x.shape))


def dropped(x: Tensor, p: float, keep: Tensor) -> Tensor:
    """What is kept, divided by 1 - p, and zeros."""
    result: Tensor = f.where(keep, x * (1 / (1 - p)), 0.0)
    return result


def _channels(name: str, rank: int, x: Tensor, p: float, training: bool, generator: Any) -> Tensor:
    """Whole channels dropped; a single example (without batch) is taken where PyTorch's meaning is not in doubt."""
    leading = x.ndim - rank
    if leading != 2 and not (leading == 1 and rank != 2):
        raise ShapeError(f"{name} takes (batch, channels{', size' * rank}), but was given {x.shape}")
    return _dropped(name, x, p, training, x.shape[:leading] + (1,) * rank, generator)


def dropout1d(
    input: Any, p: float = 0.5, training: bool = True, inplace: bool = False, generator: Any = None
) -> Tensor:
    """Whole channels of (batch, channels, length) zero with probability p (Tompson et al. 2014)."""
    return _channels("dropout1d", 1, asarray(input), p, training, generator)


def dropout2d(
    input: Any, p: float = 0.5, training: bool = True, inplace: bool = False, generator: Any = None
) -> Tensor:
    """Whole channels of (batch, channels, height, width) zero with probability p (Tompson et al. 2014)."""
    return _channels("dropout2d", 2, asarray(input), p, training, generator)


def dropout3d(
    input: Any, p: float = 0.5, training: bool = True, inplace: bool = False, generator: Any = None
) -> Tensor:
    """Whole channels of (batch, channels, depth, height, width) zero with probability p (Tompson et al. 2014)."""
    return _channels("dropout3d", 3, asarray(input), p, training, generator)


SELU_FLOOR = -1.7580993408473766
"""What selu tends to for very negative inputs: minus its scale times its alpha."""


def alpha_dropout(
    input: Any, p: float = 0.5, training: bool = False, inplace: bool = False, generator: Any = None
) -> Tensor:
    """Dropout that keeps mean 0 and variance 1 of what selu gives (Klambauer et al. 2017)."""
    x = asarray(input)
    return _alpha_dropped("alpha_dropout", x, p, training, x.shape, generator)


def feature_alpha_dropout(
    input: Any, p: float = 0.5, training: bool = False, inplace: bool = False, generator: Any = None
) -> Tensor:
    """alpha_dropout of whole channels of (batch, channels, ...)."""
    x = asarray(input)
    if x.ndim < 2:
        raise ShapeError(f"feature_alpha_dropout takes (batch, channels, ...), but was given {x.shape}")
    units = x.shape[:2] + (1,) * (x.ndim - 2)
    return _alpha_dropped("feature_alpha_dropout", x, p, training, units, generator)


def _alpha_dropped(name: str, x: Tensor, p: float, training: bool, units: tuple[int, ...], generator: Any) -> Tensor:
    check_probability(name, p)
    if not training or p == 0:
        return x
    if p == 1:
        return x * 0.0
    scale = 1 / math.sqrt((1 - p) * (1 + p * SELU_FLOOR**2))
    keep = f.broadcast_to(random.keep_mask(p, units, generator), x.shape)
    kept = f.where(keep, x, SELU_FLOOR)
    result: Tensor = kept * scale - scale * p * SELU_FLOOR
    return result
