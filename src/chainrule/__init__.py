"""Chainrule trains neural networks by backpropagation and gives exact gradients of any program of its arrays."""

from importlib import import_module
from math import e, inf, nan, pi
from typing import TYPE_CHECKING

from . import autodiff, data_types, dtypes, errors, functions, nn, ops, optim, random, tree
from .autocast import autocast
from .control import cond, scan, while_loop
from .custom_gradient import custom_gradient
from .data_types import *  # noqa: F403
from .dispatch import compile
from .dtypes import *  # noqa: F403
from .functions import *  # noqa: F403
from .jacobian import hessian, jacobian
from .namespace import API_VERSION as __array_api_version__
from .namespace import __array_namespace_info__
from .recompute import checkpoint
from .tensor import Parameter, Tensor, tensor
from .trace import trace
from .transforms import grad, hvp, jvp, no_grad, stop_gradient, value_and_grad, vjp
from .vmap import vmap

if TYPE_CHECKING:
    from . import data, explain, fft, interop, linalg, reports, train
    from .finite import check_finite
    from .gradient_check import check_gradients, check_module
    from .per_sample import per_sample_dots, per_sample_norms

MODULES_LATER = ("data", "explain", "fft", "interop", "linalg", "reports", "train")
NAMES_LATER = {
    "check_finite": "finite",
    "check_gradients": "gradient_check",
    "check_module": "gradient_check",
    "per_sample_dots": "per_sample",
    "per_sample_norms": "per_sample",
}

__version__ = "0.1.0"

newaxis = None

__all__ = [
    "Parameter",
    "Tensor",
    "__array_api_version__",
    "__array_namespace_info__",
    "__version__",
    "autocast",
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
    """What not every program needs is loaded when it is first used, so that `import chainrule` stays fast."""
    if name == "bfloat16":
        return data_types.result_type(name)
    if name in MODULES_LATER:
        return import_module(f".{name}", __name__)
    if name not in NAMES_LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f".{NAMES_LATER[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *MODULES_LATER, *NAMES_LATER})
