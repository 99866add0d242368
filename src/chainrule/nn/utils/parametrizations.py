"""Ready parametrizations of weights: `weight_norm` and `spectral_norm`, as in PyTorch's `nn.utils.parametrizations`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import functions as f
from ...counts import checked_count
from ...errors import ConfigurationError
from ...ir.types import normalize_axis
from ...tensor import Tensor
from ...transforms import no_grad, stop_gradient
from ..functional import normalize
from ..module import Module
from .parametrize import register_parametrization


class _WeightNorm(Module):
    def __init__(self, dim: int | None) -> None:
        super().__init__()
        self.dim = dim

    def _norm(self, v: Any) -> Any:
        if self.dim is None:
            return f.sqrt(f.sum(v * v))
        kept = normalize_axis(self.dim, v.ndim)
        return f.sqrt(f.sum(v * v, axis=tuple(axis for axis in range(v.ndim) if axis != kept), keepdims=True))

    def forward(self, g: Any, v: Any) -> Any:
        return v * (g / self._norm(v))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        with no_grad():
            return self._norm(weight), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Train length and direction of a weight apart: weight = g v / |v|. Gives the module.

    `parametrizations.<name>.original0` is g, `original1` is v. dim: the norm is taken over all other axes (one for each
    output); None: over all. Source: Salimans and Kingma, arXiv 1602.07868.

    >>> from chainrule import nn
    >>> layer = weight_norm(nn.Linear(3, 2))
    >>> [name for name, _ in layer.named_parameters()]
    ['bias', 'parametrizations.weight.original0', 'parametrizations.weight.original1']
    """
    return register_parametrization(module, name, _WeightNorm(dim))


class _SpectralNorm(Module):
    def __init__(self, weight: Tensor, n_power_iterations: int, dim: int, eps: float) -> None:
        super().__init__()
        self.n_power_iterations, self.dim, self.eps = n_power_iterations, normalize_axis(dim, weight.ndim), eps
        with no_grad():
            matrix = self._matrix(weight)
            height, width = matrix.shape
            random = np.random.default_rng(height * 65537 + width)  # any start does; the same one in each process
            for name, size in (("_u", height), ("_v", width)):
                start = normalize(f.asarray(random.standard_normal(size).astype(weight.dtype)), dim=0, eps=eps)
                self.register_buffer(name, Tensor(np.array(start.numpy())))
            self._iterate(matrix, 15)

    _u: Tensor
    _v: Tensor

    def _matrix(self, weight: Any) -> Any:
        front = f.moveaxis(weight, self.dim, 0)
        return f.reshape(front, (front.shape[0], -1))

    def _iterate(self, matrix: Any, times: int) -> None:
        u, v, fixed = self._u, self._v, stop_gradient(matrix)
        for _ in range(times):
            u = normalize(fixed @ v, dim=0, eps=self.eps)
            v = normalize(fixed.T @ u, dim=0, eps=self.eps)
        self._u.assign(stop_gradient(u))
        self._v.assign(stop_gradient(v))

    def forward(self, weight: Any) -> Any:
        if weight.ndim == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = self._matrix(weight)
        if self.training:
            self._iterate(matrix, self.n_power_iterations)
        sigma = f.sum(stop_gradient(self._u) * (matrix @ stop_gradient(self._v)))
        return weight / sigma


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int = 0
) -> Module:
    """Divide a weight by its largest singular value, found by power iteration while training. Gives the module.

    dim: the axis of the outputs; the others together are that of the inputs. Each reading of the weight in training
    mode makes n_power_iterations. Raises ConfigurationError for none. Source: Miyato and others, arXiv 1802.05957.

    >>> from chainrule import nn
    >>> layer = spectral_norm(nn.Linear(3, 2)).eval()
    """
    n_power_iterations = checked_count("n_power_iterations", n_power_iterations)
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ConfigurationError(f"{type(module).__name__} has no parameter {name!r} to normalise")
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))
