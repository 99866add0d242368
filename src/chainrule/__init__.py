"""Chainrule trains neural networks by backpropagation and gives exact gradients of any program of its arrays."""

from . import autodiff, data, errors, interop, nn, ops, optim, random, train, tree
from .custom_gradient import custom_gradient
from .dtypes import *  # noqa: F403
from .functions import *  # noqa: F403
from .gradient_check import check_gradients, check_module
from .tensor import Parameter, Tensor, asarray, tensor
from .trace import trace
from .transforms import grad, hessian, hvp, jacobian, jvp, no_grad, stop_gradient, value_and_grad, vjp

__version__ = "0.1.0"
