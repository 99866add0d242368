"""Dense layers."""

from __future__ import annotations

import math
from typing import Any

from .. import functions as f
from ..errors import ShapeError
from ..tensor import Parameter, asarray
from . import functional, init
from .module import Module


class Linear(Module):
    """y = x Wᵀ + b on the last axis: (..., in_features) to (..., out_features).

    weight (out_features, in_features) and bias (out_features,) start uniform within ±1/√in_features, as in PyTorch.
    Raises ShapeError where the last axis of the input is not in_features long.

    >>> from chainrule import nn
    >>> nn.Linear(3, 2)(f.ones((5, 3))).shape
    (5, 2)
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, dtype: Any = None) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight: Parameter = init.empty((out_features, in_features), dtype)
        self.bias: Parameter | None = init.empty((out_features,), dtype) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features else 0.0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Any) -> Any:
        x = asarray(x)
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            raise ShapeError(
                f"{self!r} takes inputs whose last axis has {self.in_features} features, but was given {x.shape}; "
                "flatten or reshape before it, or make the layer to fit"
            )
        product = f.matmul(x, self.weight.T)  # (..., out_features)
        return product if self.bias is None else product + self.bias

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Bilinear(Module):
    """y_k = x₁ᵀ A_k x₂ + b_k: (..., in1) and (..., in2) to (..., out)."""

    def __init__(
        self, in1_features: int, in2_features: int, out_features: int, bias: bool = True, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight: Parameter = init.empty((out_features, in1_features, in2_features), dtype)
        self.bias: Parameter | None = init.empty((out_features,), dtype) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew: uniform within ±1/√in1_features."""
        bound = 1 / math.sqrt(self.in1_features) if self.in1_features else 0.0
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def forward(self, first: Any, second: Any) -> Any:
        sizes = [asarray(each).shape[-1:] for each in (first, second)]
        if sizes != [(self.in1_features,), (self.in2_features,)]:
            raise ShapeError(
                f"{self!r} takes two inputs whose last axes have {self.in1_features} and {self.in2_features} features, "
                f"but was given {asarray(first).shape} and {asarray(second).shape}"
            )
        return functional.bilinear(first, second, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )


class Identity(Module):
    """Gives back what it gets; takes and ignores any arguments."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__()

    def forward(self, x: Any) -> Any:
        return x
