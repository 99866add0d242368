"""The network, the optimiser and the random numbers of an estimator."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from ... import nn, optim
from ...errors import ConfigurationError, unknown_name
from ...optim import Optimizer

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "logistic": nn.Sigmoid,
    "sigmoid": nn.Sigmoid,
    "identity": nn.Identity,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "elu": nn.ELU,
    "leaky_relu": nn.LeakyReLU,
    "softplus": nn.Softplus,
}


def make_network(network: Any, n_inputs: Any, n_outputs: int, sizes: Any, activation: Any, dropout: float) -> nn.Module:
    """A network of dense layers, or the one that is asked for: a Module (copied), or a function that makes one."""
    if network is None:
        return dense(n_inputs, n_outputs, layer_sizes(sizes), activation, dropout)
    if isinstance(network, nn.Module):
        return copy.deepcopy(network)
    if not callable(network):
        raise ConfigurationError(
            f"network is a Module, or a function of (n_inputs, n_outputs) that makes one, not {network!r}"
        )
    made = network(n_inputs, n_outputs)
    if not isinstance(made, nn.Module):
        raise ConfigurationError(f"network({n_inputs}, {n_outputs}) gave a {type(made).__name__}: expected a Module")
    return made


def layer_sizes(given: Any) -> tuple[int, ...]:
    """Units in each hidden layer."""
    sizes = tuple(given) if isinstance(given, Sequence) or hasattr(given, "__iter__") else (given,)
    if any(isinstance(size, bool) or int(size) != size or size < 1 for size in sizes):
        raise ConfigurationError(f"hidden_layer_sizes are whole numbers of at least 1, such as (64, 32), not {given!r}")
    return tuple(int(size) for size in sizes)


def dense(n_inputs: int, n_outputs: int, sizes: Sequence[int], activation: Any, dropout: float) -> nn.Sequential:
    """Dense layers with activations between them."""
    if isinstance(activation, str) and activation not in ACTIVATIONS:
        raise unknown_name("activation", activation, ACTIVATIONS)
    make = ACTIVATIONS[activation] if isinstance(activation, str) else activation
    layers: list[nn.Module] = []
    before = n_inputs
    for size in sizes:
        layers += [nn.Linear(before, size), make(), *([nn.Dropout(dropout)] if dropout else [])]
        before = size
    return nn.Sequential(*layers, nn.Linear(before, n_outputs))


def make_optimizer(optimizer: Any, module: nn.Module, rate: float, weight_decay: float) -> Optimizer:
    """An optimiser by name, class, or a function of the parameters."""
    if isinstance(optimizer, str):
        optimizer = optim.by_name(optimizer)
    if not callable(optimizer):
        raise ConfigurationError(
            f"optimizer is a name such as 'adam', a class of chainrule.optim, or a function of the parameters, "
            f"not {optimizer!r}"
        )
    if not isinstance(optimizer, type):
        made: Optimizer = optimizer(module.parameters())
        return made
    options: dict[str, Any] = {"lr": rate, **({"weight_decay": weight_decay} if weight_decay else {})}
    if optimizer is optim.SGD:
        options |= {"momentum": 0.9, "nesterov": True}  # as in scikit-learn
    if optimizer is optim.LBFGS:
        options["line_search_fn"] = "strong_wolfe"
    chosen: Optimizer = optimizer(module.parameters(), **options)
    return chosen
