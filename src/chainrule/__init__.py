"""Chainrule trains neural networks by backpropagation and gives exact gradients of any program of its arrays."""

from math import e, inf, nan, pi
from typing import TYPE_CHECKING

from . import autodiff, data, data_types, dtypes, errors, functions, interop, nn, ops, optim, random, train, tree
from .control import cond, scan, while_loop
from .custom_gradient import custom_gradient
from .data_types import *  # noqa: F403
from .dispatch import compile
from .dtypes import *  # noqa: F403
from .finite import check_finite
from .functions import *  # noqa: F403
from .gradient_check import check_gradients, check_module
from .jacobian import hessian, jacobian
from .namespace import API_VERSION as __array_api_version__
from .namespace import __array_namespace_info__
from .per_sample import per_sample_dots, per_sample_norms
from .recompute import checkpoint
from .tensor import Parameter, Tensor, tensor
from .trace import trace
from .transforms import grad, hvp, jvp, no_grad, stop_gradient, value_and_grad, vjp
from .vmap import vmap

if TYPE_CHECKING:
    from . import explain, fft, linalg, reports

__version__ = "0.1.0"

newaxis = None

__all__ = [
    "Parameter",
    "Tensor",
    "__array_api_version__",
    "__array_namespace_info__",
    "__version__",
    "autodiff",
    "check_finite",
    "check_gradients",
    "check_module",
    "checkpoint",
    "compile",
    "cond",
    "custom_gradient",
    "data",
    "e",
    "errors",
    "explain",
    "fft",
    "grad",
    "hessian",
    "hvp",
    "inf",
    "interop",
    "jacobian",
    "jvp",
    "linalg",
    "nan",
    "newaxis",
    "nn",
    "no_grad",
    "ops",
    "optim",
    "per_sample_dots",
    "per_sample_norms",
    "pi",
    "random",
    "reports",
    "scan",
    "stop_gradient",
    "tensor",
    "trace",
    "train",
    "tree",
    "value_and_grad",
    "vjp",
    "vmap",
    "while_loop",
]
__all__ += data_types.__all__
__all__ += dtypes.__all__
__all__ += functions.__all__


def __getattr__(name: str) -> object:
    """Explanations, pages, linear algebra and Fourier transforms are loaded when they are first used."""
    if name not in ("explain", "fft", "linalg", "reports"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return import_module(f".{name}", __name__)
