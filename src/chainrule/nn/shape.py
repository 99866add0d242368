"""Layers that only change the shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import functions as f
from ..errors import ShapeError
from ..ir.types import normalize_axis
from ..tensor import asarray
from .module import Module


class Flatten(Module):
    """Axes start_dim to end_dim joined into one; by default all but the batch."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Any) -> Any:
        return f.flatten(x, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """One axis cut into several: the inverse of Flatten."""

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, x: Any) -> Any:
        x = asarray(x)
        place = normalize_axis(self.dim, x.ndim)
        known = math.prod(size for size in self.unflattened_size if size != -1)
        fits = x.shape[place] == known if -1 not in self.unflattened_size else known and x.shape[place] % known == 0
        if not fits or self.unflattened_size.count(-1) > 1:
            raise ShapeError(f"{self!r}: axis {place} of {x.shape} can't be cut into {self.unflattened_size}")
        sizes = tuple(x.shape[place] // known if size == -1 else size for size in self.unflattened_size)
        return f.reshape(x, (*x.shape[:place], *sizes, *x.shape[place + 1 :]))

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
