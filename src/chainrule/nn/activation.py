"""Activations as modules. `inplace` is taken, as in PyTorch, and ignored: contents of tensors don't change."""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError
from ..tensor import Parameter, asarray
from . import functional
from . import init as initialisers
from .applied import Applied
from .module import Module


class ReLU(Applied):
    """max(x, 0)."""

    function = staticmethod(functional.relu)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()


class ReLU6(Applied):
    """x cut to [0, 6]."""

    function = staticmethod(functional.relu6)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()


class LeakyReLU(Applied):
    """x where positive, else negative_slope · x."""

    function = staticmethod(functional.leaky_relu)

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(negative_slope=negative_slope)


class PReLU(Module):
    """x where positive, else a trained slope times x: one slope, or one a channel (axis 1)."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.weight: Parameter = initialisers.empty((num_parameters,), dtype)
        initialisers.constant_(self.weight, init)

    def forward(self, x: Any) -> Any:
        return functional.prelu(x, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class ELU(Applied):
    """x where positive, else alpha · (exp(x) - 1)."""

    function = staticmethod(functional.elu)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(alpha=alpha)


class SELU(Applied):
    """The self-normalising ELU."""

    function = staticmethod(functional.selu)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()


class CELU(Applied):
    """ELU with a continuous derivative for every alpha."""

    function = staticmethod(functional.celu)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(alpha=alpha)


class GELU(Applied):
    """x · Φ(x); approximate="tanh" for the approximation."""

    function = staticmethod(functional.gelu)

    def __init__(self, approximate: str = "none") -> None:
        super().__init__(approximate=approximate)


class SiLU(Applied):
    """x · sigmoid(x)."""

    function = staticmethod(functional.silu)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()


class Mish(Applied):
    """x · tanh(softplus(x))."""

    function = staticmethod(functional.mish)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()


class Sigmoid(Applied):
    """1 / (1 + exp(-x))."""

    function = staticmethod(functional.sigmoid)


class LogSigmoid(Applied):
    """log(sigmoid(x))."""

    function = staticmethod(functional.logsigmoid)


class Tanh(Applied):
    """Hyperbolic tangent."""

    function = staticmethod(functional.tanh)


class Softplus(Applied):
    """log(1 + exp(beta x)) / beta. PyTorch turns to x beyond `threshold`; this one is exact everywhere."""

    function = staticmethod(functional.softplus)

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__(beta=beta, threshold=threshold)


class Softsign(Applied):
    """x / (1 + |x|)."""

    function = staticmethod(functional.softsign)


class Hardtanh(Applied):
    """x cut to [min_val, max_val]."""

    function = staticmethod(functional.hardtanh)

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__(min_val=min_val, max_val=max_val)


class Hardsigmoid(Applied):
    """clip(x / 6 + 1/2, 0, 1)."""

    function = staticmethod(functional.hardsigmoid)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()


class Hardswish(Applied):
    """x · hardsigmoid(x)."""

    function = staticmethod(functional.hardswish)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()


class Hardshrink(Applied):
    """x, and 0 within [-lambd, lambd]."""

    function = staticmethod(functional.hardshrink)

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__(lambd=lambd)


class Softshrink(Applied):
    """x moved towards 0 by lambd, and 0 within [-lambd, lambd]."""

    function = staticmethod(functional.softshrink)

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__(lambd=lambd)


class Tanhshrink(Applied):
    """x - tanh(x)."""

    function = staticmethod(functional.tanhshrink)


class Threshold(Applied):
    """x where larger than the threshold, else `value`."""

    function = staticmethod(functional.threshold)

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__(threshold=threshold, value=value)


class GLU(Applied):
    """a · sigmoid(b) of the two halves along `dim`."""

    function = staticmethod(functional.glu)

    def __init__(self, dim: int = -1) -> None:
        super().__init__(dim=dim)


class _AlongAxis(Applied):
    """PyTorch calls the axis `dim`, NumPy `axis`; both are taken."""

    def __init__(self, dim: int = -1, axis: int | None = None) -> None:
        super().__init__(dim=dim if axis is None else axis)


class Softmax(_AlongAxis):
    """exp(x) over its sum along `dim`."""

    function = staticmethod(functional.softmax)


class LogSoftmax(_AlongAxis):
    """log(softmax(x)) along `dim`."""

    function = staticmethod(functional.log_softmax)


class Softmin(_AlongAxis):
    """softmax(-x) along `dim`."""

    function = staticmethod(functional.softmin)


class RReLU(Module):
    """Leaky ReLU with slopes drawn from lower to upper in training (Xu et al. 2015)."""

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, inplace: bool = False) -> None:
        super().__init__()
        self.lower, self.upper = lower, upper

    def forward(self, x: Any) -> Any:
        return functional.rrelu(x, self.lower, self.upper, self.training)

    def extra_repr(self) -> str:
        return f"lower={self.lower}, upper={self.upper}"


class Softmax2d(Module):
    """Softmax over the channels of (batch, channels, height, width)."""

    def forward(self, x: Any) -> Any:
        x = asarray(x)
        if x.ndim not in (3, 4):
            raise ShapeError(f"Softmax2d takes (batch, channels, height, width), but was given {x.shape}")
        return functional.softmax(x, -3)
