"""Dropout: in training a random part of the units is silent; in evaluation nothing happens."""

from __future__ import annotations

from typing import Any

from . import functional
from .functional.dropout import check_probability
from .module import Module


class Dropout(Module):
    """Each element zero with probability p, the others divided by 1 - p (Srivastava et al. 2014)."""

    function: Any = staticmethod(functional.dropout)

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        self.p = check_probability(type(self).__name__, p)

    def forward(self, x: Any) -> Any:
        return type(self).function(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Dropout1d(Dropout):
    """Whole channels of (batch, channels, length) zero with probability p."""

    function = staticmethod(functional.dropout1d)


class Dropout2d(Dropout):
    """Whole channels of (batch, channels, height, width) zero with probability p."""

    function = staticmethod(functional.dropout2d)


class Dropout3d(Dropout):
    """Whole channels of (batch, channels, depth, height, width) zero with probability p."""

    function = staticmethod(functional.dropout3d)


class AlphaDropout(Dropout):
    """Dropout that keeps mean 0 and variance 1 of what SELU gives (Klambauer et al. 2017)."""

    function = staticmethod(functional.alpha_dropout)


class FeatureAlphaDropout(Dropout):
    """AlphaDropout of whole channels of (batch, channels, ...)."""

    function = staticmethod(functional.feature_alpha_dropout)
