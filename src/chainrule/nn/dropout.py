"""Dropout: in training a random part of the units is silent; in evaluation nothing happens."""

from __future__ import annotations

from typing import Any

from .. import random
from ..errors import ConfigurationError, ShapeError
from ..functions import broadcast_to
from ..tensor import asarray
from . import functional
from .module import Module


class Dropout(Module):
    """Each element zero with probability p, the others divided by 1 - p (Srivastava et al. 2014)."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ConfigurationError(f"{type(self).__name__} takes a probability from 0 to 1, but was given p={p}")
        self.p = p

    def forward(self, x: Any) -> Any:
        return functional.dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Dropout2d(Dropout):
    """Whole channels of (batch, channels, height, width) zero with probability p."""

    def forward(self, x: Any) -> Any:
        x = asarray(x)
        if x.ndim != 4:
            raise ShapeError(f"Dropout2d takes (batch, channels, height, width), but was given {x.shape}")
        if not self.training or self.p in (0, 1):
            return functional.dropout(x, self.p, self.training)
        keep = random.keep_mask(self.p, (*x.shape[:2], 1, 1))
        return functional.masked(x, broadcast_to(keep, x.shape), self.p)
