"""Normalisation layers, with PyTorch's parameters and buffers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ConfigurationError, ShapeError
from ..functions import astype, expand_dims, squeeze
from ..tensor import Parameter, Tensor, asarray
from . import functional, init
from .module import Module


class _Tracking(Module):
    """Normalisation of each channel, with running statistics for evaluation where they are tracked."""

    ranks: tuple[int, ...]

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.weight: Parameter | None = init.empty((num_features,), dtype) if affine else None
        self.bias: Parameter | None = init.empty((num_features,), dtype) if affine else None
        if self.weight is not None:
            init.ones_(self.weight)
        start = np.zeros(num_features, dtype or np.float32)
        self.register_buffer("running_mean", Tensor(start) if track_running_stats else None)
        self.register_buffer("running_var", Tensor(start + 1) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", Tensor(np.asarray(0)) if track_running_stats else None)

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def _checked(self, given: Any) -> Tensor:
        x, ranks = asarray(given), self.ranks
        if x.ndim not in ranks or x.shape[1] != self.num_features:
            axes = " or ".join(map(str, ranks))
            raise ShapeError(
                f"{self!r} takes {axes} axes with {self.num_features} channels second, but was given {x.shape}"
            )
        return x

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_Tracking):
    def forward(self, x: Any) -> Any:
        x = self._checked(x)
        momentum = self._count_batch() if self.training else 0.0
        training = self.training or not self.track_running_stats
        running = (self.running_mean, self.running_var)
        return functional.batch_norm(x, *running, self.weight, self.bias, training, momentum, self.eps)

    def _count_batch(self) -> Any:
        """The weight of the newest batch; momentum None means the plain mean over all batches."""
        if self.num_batches_tracked is None:
            return 0.0
        self.num_batches_tracked.assign(self.num_batches_tracked + 1)
        if self.momentum is not None or self.running_mean is None:
            return self.momentum or 0.0
        return 1.0 / astype(self.num_batches_tracked, self.running_mean.dtype)


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of (batch, features) or (batch, channels, length)."""

    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of (batch, channels, height, width)."""

    ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """Batch normalisation of (batch, channels, depth, height, width)."""

    ranks = (5,)


class _InstanceNorm(_Tracking):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        dtype: Any = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, dtype)

    def forward(self, x: Any) -> Any:
        x = asarray(x)
        alone = x.ndim == self.ranks[0] - 1
        x = self._checked(expand_dims(x, 0) if alone else x)
        own = self.training or not self.track_running_stats
        running = (self.running_mean, self.running_var)
        y = functional.instance_norm(x, *running, self.weight, self.bias, own, self.momentum or 0.0, self.eps)
        return squeeze(y, 0) if alone else y


class InstanceNorm1d(_InstanceNorm):
    """Instance normalisation of (batch, channels, length), or of one example."""

    ranks = (3,)


class InstanceNorm2d(_InstanceNorm):
    """Instance normalisation of (batch, channels, height, width), or of one example."""

    ranks = (4,)


class InstanceNorm3d(_InstanceNorm):
    """Instance normalisation of (batch, channels, depth, height, width), or of one example."""

    ranks = (5,)


class LayerNorm(Module):
    """Layer normalisation over the last axes, of sizes normalized_shape."""

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        sizes = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.normalized_shape, self.eps, self.elementwise_affine = sizes, eps, elementwise_affine
        self.weight: Parameter | None = init.empty(sizes, dtype) if elementwise_affine else None
        self.bias: Parameter | None = init.empty(sizes, dtype) if elementwise_affine and bias else None
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, x: Any) -> Any:
        return functional.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class RMSNorm(Module):
    """Root mean square normalisation over the last axes, of sizes normalized_shape (Zhang and Sennrich 2019)."""

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        sizes = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.normalized_shape, self.eps, self.elementwise_affine = sizes, eps, elementwise_affine
        self.weight: Parameter | None = init.empty(sizes, dtype) if elementwise_affine else None
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, x: Any) -> Any:
        return functional.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(Module):
    """Group normalisation of (batch, channels, ...)."""

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, dtype: Any = None
    ) -> None:
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ConfigurationError(f"GroupNorm: {num_channels} channels don't divide into {num_groups} groups")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        self.weight: Parameter | None = init.empty((num_channels,), dtype) if affine else None
        self.bias: Parameter | None = init.empty((num_channels,), dtype) if affine else None
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, x: Any) -> Any:
        x = asarray(x)
        if x.ndim < 2 or x.shape[1] != self.num_channels:
            raise ShapeError(f"{self!r} takes {self.num_channels} channels (axis 1), but was given {x.shape}")
        return functional.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"


class LocalResponseNorm(Module):
    """x / (k + alpha · mean of the squares of `size` neighbouring channels)^beta (Krizhevsky et al. 2012)."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, x: Any) -> Any:
        return functional.local_response_norm(x, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
