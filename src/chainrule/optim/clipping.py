"""Gradient clipping: limit the length of the whole gradient, or each of its elements."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import reduce
from typing import Any

import numpy as np

from ..errors import ConfigurationError, GradientError
from ..functions import abs, add, astype, clip, max, maximum, minimum, power, sqrt, sum
from ..ir.build import recording
from ..ir.types import promote
from ..tensor import Tensor
from . import checks


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """Scale all gradients by one factor so that their joint norm is at most `max_norm`; returns the norm before.

    The factor is max_norm / (norm + 1e-6), never above 1, as in PyTorch. norm_type: p of the p-norm over all elements
    of all gradients; `math.inf` takes the largest magnitude. Parameters without gradient are passed over.
    Raises GradientError with error_if_nonfinite when the norm is NaN or infinite: then nothing is scaled.
    Source: Pascanu, Mikolov and Bengio 2013, algorithm 1.

    >>> import chainrule as cr
    >>> w = cr.Parameter([0.0, 0.0])
    >>> w.grad = cr.tensor([3.0, 4.0])
    >>> clip_grad_norm_([w], max_norm=1.0)
    tensor(5.)
    """
    checks.not_negative(max_norm=max_norm)
    having = _with_gradient(parameters)
    with recording(False):
        total = get_total_norm([parameter.grad for parameter in having], norm_type)
        if error_if_nonfinite and not math.isfinite(total.item()):
            raise GradientError(
                f"the norm of the gradients is {total.item()}; error_if_nonfinite=False clips all the same"
            )
        factor: Tensor = minimum(max_norm / (total + 1e-6), 1.0)
        for parameter in having:
            gradient: Any = parameter.grad
            parameter.grad = gradient * astype(factor, gradient.dtype)
    return total


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Limit each element of every gradient to [-clip_value, clip_value]."""
    checks.not_negative(clip_value=clip_value)
    with recording(False):
        for parameter in _with_gradient(parameters):
            parameter.grad = clip(parameter.grad, -clip_value, clip_value)


def get_total_norm(tensors: Iterable[Any], norm_type: float = 2.0) -> Tensor:
    """The p-norm of all elements of all tensors together; 0 when there are none."""
    checks.positive(norm_type=norm_type)
    listed = list(tensors)
    if not listed:
        return Tensor(np.zeros((), np.float32))
    dtype = reduce(promote, (tensor.dtype for tensor in listed))
    parts = [_folded(tensor, norm_type) for tensor in listed]
    join = maximum if norm_type == math.inf else add
    total: Tensor = reduce(join, (astype(part, dtype) for part in parts))
    if norm_type in (1, math.inf):
        return total
    return sqrt(total) if norm_type == 2 else power(total, 1.0 / norm_type)  # type: ignore[no-any-return]


def _folded(tensor: Tensor, norm_type: float) -> Any:
    """The part of one tensor in the norm, before the root is taken."""
    if norm_type == 2 or not tensor.size:
        return sum(tensor * tensor)
    if norm_type == math.inf:
        return max(abs(tensor))
    return sum(abs(tensor) if norm_type == 1 else power(abs(tensor), norm_type))


def _with_gradient(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    listed = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    for parameter in listed:
        if not isinstance(parameter, Tensor):
            raise ConfigurationError(
                f"clipping takes parameters (model.parameters()), not a {type(parameter).__name__}"
            )
    return [parameter for parameter in listed if parameter.grad is not None]
