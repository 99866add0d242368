"""Activations as modules."""

from __future__ import annotations

from typing import Any

from .. import functions as f
from ..tensor import Parameter
from .module import Module


class _Activation(Module):
    """A module without parts that applies one function, with options that are shown."""

    function: Any

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options

    def forward(self, x: Any) -> Any:
        return type(self).function(x, **self.options)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={option!r}" for name, option in self.options.items())


class ReLU(_Activation):
    """max(x, 0)."""

    function = staticmethod(f.relu)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()


class Sigmoid(_Activation):
    """1 / (1 + exp(-x))."""

    function = staticmethod(f.sigmoid)


class LogSigmoid(_Activation):
    """log(sigmoid(x))."""

    function = staticmethod(f.log_sigmoid)


class Tanh(_Activation):
    """Hyperbolic tangent."""

    function = staticmethod(f.tanh)


class SiLU(_Activation):
    """x · sigmoid(x)."""

    function = staticmethod(f.silu)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()


class Mish(_Activation):
    """x · tanh(softplus(x))."""

    function = staticmethod(f.mish)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()


class GELU(_Activation):
    """x · Φ(x); approximate="tanh" for the approximation."""

    function = staticmethod(f.gelu)

    def __init__(self, approximate: str = "none") -> None:
        super().__init__(approximate=approximate)


class LeakyReLU(_Activation):
    """x where positive, else negative_slope · x."""

    function = staticmethod(f.leaky_relu)

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(negative_slope=negative_slope)


class ELU(_Activation):
    """x where positive, else alpha · (exp(x) - 1)."""

    function = staticmethod(f.elu)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(alpha=alpha)


class SELU(_Activation):
    """The self-normalising ELU."""

    function = staticmethod(f.selu)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()


class CELU(_Activation):
    """ELU with a continuous derivative for every alpha."""

    function = staticmethod(f.celu)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(alpha=alpha)


class Softplus(_Activation):
    """log(1 + exp(beta x)) / beta. PyTorch turns to x beyond `threshold`; this one is exact everywhere."""

    function = staticmethod(f.softplus)

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__(beta=beta)


class Softsign(_Activation):
    """x / (1 + |x|)."""

    function = staticmethod(f.softsign)


class Hardtanh(_Activation):
    """x cut to [min_val, max_val]."""

    function = staticmethod(f.hardtanh)

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__(min_val=min_val, max_val=max_val)


class ReLU6(_Activation):
    """x cut to [0, 6]."""

    function = staticmethod(f.hardtanh)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(min_val=0.0, max_val=6.0)

    def extra_repr(self) -> str:
        return ""


class Hardsigmoid(_Activation):
    """clip(x / 6 + 1/2, 0, 1)."""

    function = staticmethod(f.hardsigmoid)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()


class Hardswish(_Activation):
    """x · hardsigmoid(x)."""

    function = staticmethod(f.hardswish)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()


class Softmax(Module):
    """exp(x) over its sum along `dim`."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Any) -> Any:
        return f.softmax(x, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """log(softmax(x)) along `dim`."""

    def forward(self, x: Any) -> Any:
        return f.log_softmax(x, self.dim)


class PReLU(Module):
    """x where positive, else a trained slope times x: one slope, or one a channel (axis 1)."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.weight = Parameter(f.full(num_parameters, init).numpy())

    def forward(self, x: Any) -> Any:
        slope = self.weight
        if self.num_parameters > 1:
            slope = f.reshape(slope, (self.num_parameters,) + (1,) * (x.ndim - 2))
        return f.where(x > 0, x, x * slope)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"
