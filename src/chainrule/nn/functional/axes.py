"""Spatial axes: how many there are, whether there is a batch, one number for each."""

from __future__ import annotations

from collections.abc import Sequence

from ... import functions as f
from ...errors import ConfigurationError, ShapeError
from ...ops.windows import per_axis
from ...tensor import Tensor

Sizes = int | Sequence[int]


def batched(x: Tensor, rank: int, name: str) -> tuple[Tensor, bool]:
    """The input with a batch axis, and whether it had none."""
    if x.ndim == rank + 2:
        return x, False
    if x.ndim == rank + 1:
        return f.expand_dims(x, 0), True
    raise ShapeError(
        f"{name} takes (batch, channels{', size' * rank}) or the same without batch, but was given {x.shape}"
    )


def unbatched(y: Tensor, alone: bool) -> Tensor:
    """The result without the batch axis that `batched` added."""
    return f.squeeze(y, 0) if alone else y


def sizes_per_axis(given: Sizes, rank: int, name: str, least: int = 1) -> tuple[int, ...]:
    """One number for each spatial axis, none of them below `least`: a single one stands for all."""
    listed = per_axis(given, rank, name)
    if min(listed, default=least) < least:
        raise ConfigurationError(f"{name} must be at least {least} along each axis, but was given {given}")
    return listed
